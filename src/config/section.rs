//! Reads one table of the tree, value by value, and collects every problem instead of stopping at the first.

use std::collections::BTreeSet;

use super::{
    suggest::suggestion,
    tree::{Node, Origin, Table, Value, key_name, quoted},
};

/// What reading found.
#[derive(Default)]
pub(super) struct Report {
    problems: Vec<(Origin, String)>,
    unknown: Vec<(Origin, String, String)>,
    failed: BTreeSet<String>,
    /// The path of every value that was asked for, whether or not it was there.
    pub(super) known: BTreeSet<String>,
}

/// One table while it is read.
pub(super) struct Section<'report, 'tree> {
    report: &'report mut Report,
    path: String,
    table: &'tree Table,
    asked: BTreeSet<&'static str>,
}

static EMPTY: Table = Table::new();

impl Report {
    /// Reads the whole tree.
    pub(super) fn read<T>(&mut self, tree: &Table, read: impl FnOnce(&mut Section<'_, '_>) -> T) -> T {
        Section { report: self, path: String::new(), table: tree, asked: BTreeSet::new() }.finish(read)
    }

    /// Each problem as one line: what is in the file by its place, then the environment, then flags.
    pub(super) fn into_lines(self) -> Vec<String> {
        let Self { mut problems, mut unknown, known, .. } = self;
        let count = problems.len() + unknown.len();
        // A suggestion costs something: none for what is not shown.
        unknown.sort_by_key(|(at, ..)| at.rank());
        problems.extend(unknown.into_iter().take(MOST_LINES).map(|(at, section, key)| {
            let hint = suggestion(&section, &key, &known);
            (at, format!("{}: unknown key{hint}", join(&section, &key_name(&key))))
        }));
        problems.sort_by_key(|(at, _)| at.rank());
        let mut lines: Vec<_> = problems.iter().take(MOST_LINES).map(|(at, what)| format!("{at}: {what}")).collect();
        if count > MOST_LINES {
            lines.push(format!("and {} more problems", count - MOST_LINES));
        }
        lines
    }
}

/// Nobody reads further.
const MOST_LINES: usize = 100;

impl<'tree> Section<'_, 'tree> {
    /// The value of `key` or its default. `parse` says what is wrong with it.
    pub(super) fn value<T>(
        &mut self,
        key: &'static str,
        default: T,
        parse: impl FnOnce(&Value) -> Result<T, String>,
    ) -> T {
        let Some(node) = self.node(key) else { return default };
        parse(&node.value).unwrap_or_else(|problem| {
            self.problem(key, &node.at, &problem);
            default
        })
    }

    /// The elements of a list, or of one value that stands for a list of one; `None` without the key.
    /// What is wrong with an element is told at the element.
    pub(super) fn list<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        parse: impl Fn(&Value) -> Result<T, String>,
    ) -> Option<Vec<(T, Origin)>> {
        let node = self.node(key)?;
        let found: Vec<(Result<T, String>, &Origin)> = match &node.value {
            Value::Array(elements) => elements.iter().map(|node| (parse(&node.value), &node.at)).collect(),
            Value::Text(text) => (text.split(',').map(str::trim).filter(|part| !part.is_empty()))
                .map(|part| (parse(&Value::String(part.to_owned())), &node.at))
                .collect(),
            Value::String(_) => vec![(parse(&node.value), &node.at)],
            other => vec![(Err(format!("expected {expected}, found {other}")), &node.at)],
        };
        let mut elements = Vec::new();
        for (element, at) in found {
            match element {
                Ok(element) => elements.push((element, at.clone())),
                Err(problem) => self.problem(key, at, &problem),
            }
        }
        Some(elements)
    }

    /// The table `key`, read as if it were empty where it is missing.
    pub(super) fn section<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Section<'_, '_>) -> T) -> T {
        self.asked.insert(key);
        let table = match self.table.get(key) {
            None => &EMPTY,
            Some(Node { value: Value::Table(table), .. }) => table,
            Some(node) => {
                self.problem(key, &node.at, &format!("expected a table, found {}", node.value));
                &EMPTY
            }
        };
        self.inner(key, table, read)
    }

    /// A table that `true` and `false` may stand for: on with its defaults, or off. On where it is missing.
    pub(super) fn switch<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Section<'_, '_>) -> T) -> Option<T> {
        let table = match self.node(key) {
            None => &EMPTY,
            Some(Node { value: Value::Table(table), .. }) => table,
            Some(node) => match super::parse::boolean(&node.value) {
                Ok(true) => &EMPTY,
                Ok(false) => return None,
                Err(_) => {
                    let problem = format!("expected true, false or a table, found {}", node.value);
                    self.problem(key, &node.at, &problem);
                    &EMPTY
                }
            },
        };
        Some(self.inner(key, table, read))
    }

    /// Every entry of a table whose keys are free.
    pub(super) fn entries(&mut self) -> impl Iterator<Item = (&'tree String, &'tree Node)> + use<'tree> {
        self.table.iter()
    }

    /// Where the value of `key` is written, if it is.
    pub(super) fn origin(&self, key: &str) -> Option<Origin> {
        self.table.get(key).map(|node| node.at.clone())
    }

    /// Where the value of `key` in the table `section` is written, if it is.
    pub(super) fn section_origin(&self, section: &str, key: &str) -> Option<Origin> {
        match &self.table.get(section)?.value {
            Value::Table(table) => table.get(key).map(|node| node.at.clone()),
            _ => None,
        }
    }

    /// Whether a problem with the value at this path was told already.
    pub(super) fn has_failed(&self, path: &str) -> bool {
        self.report.failed.contains(path)
    }

    /// Tells a problem with `key`.
    pub(super) fn problem(&mut self, key: &str, at: &Origin, problem: &str) {
        let path = join(&self.path, &key_name(key));
        self.report.problems.push((at.clone(), format!("{path}: {problem}")));
        self.report.failed.insert(path);
    }

    fn node(&mut self, key: &'static str) -> Option<&'tree Node> {
        self.asked.insert(key);
        self.report.known.insert(join(&self.path, key));
        self.table.get(key)
    }

    fn inner<T>(&mut self, key: &str, table: &'tree Table, read: impl FnOnce(&mut Section<'_, '_>) -> T) -> T {
        let path = join(&self.path, key);
        Section { report: self.report, path, table, asked: BTreeSet::new() }.finish(read)
    }

    fn finish<T>(mut self, read: impl FnOnce(&mut Section<'_, '_>) -> T) -> T {
        let result = read(&mut self);
        // Free keys are read through `entries`, and no known section is without keys.
        if !self.asked.is_empty() {
            for (key, node) in self.table.iter().filter(|(key, _)| !self.asked.contains(key.as_str())) {
                self.report.unknown.push((node.key.clone(), self.path.clone(), key.clone()));
            }
        }
        result
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// A list of what is allowed, for an error.
pub(super) fn one_of(names: &[&str]) -> String {
    names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
}
