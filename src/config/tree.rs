//! The layers of the configuration as one tree, in which every value knows where it was written.

use std::{borrow::Borrow, collections::BTreeMap, fmt, ops::Range, sync::Arc};

use toml::de::{DeInteger, DeTable, DeValue};

/// Names to values. Sorted: what is reported is put in the order of the file later.
pub(super) type Table = BTreeMap<String, Node>;

/// A value, and where it and its name are written.
#[derive(Debug)]
pub(super) struct Node {
    /// Where the name is; for an element of an array, where the element is.
    pub(super) key: Origin,
    /// Where the value is.
    pub(super) at: Origin,
    /// What is written there.
    pub(super) value: Value,
}

/// Where something was written.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    /// In the file, so many bytes from its start.
    File(Arc<File>, usize),
    /// In the environment variable of this name.
    Environment(String),
    /// In this flag of the command line.
    Flag(&'static str),
}

/// A file's name and text. Lines and columns are counted only for a place that is reported.
#[derive(Debug)]
pub(super) struct File {
    pub(super) name: String,
    pub(super) text: String,
}

/// What is written in one place.
#[derive(Debug)]
pub(super) enum Value {
    /// From the environment or a flag: its type is whatever is expected there, and a list is split at commas.
    Text(String),
    String(String),
    /// Past the range of `i128` it is the nearest number of that range.
    Integer(i128),
    Float(String),
    Boolean(bool),
    Datetime(String),
    Array(Vec<Node>),
    Table(Table),
}

impl File {
    /// Parses the text; the error is one line.
    pub(super) fn parse(self: &Arc<Self>) -> Result<Table, String> {
        match DeTable::parse(&self.text) {
            Ok(document) => Ok(self.table(document.get_ref())),
            Err(error) => {
                let at = self.origin(&error.span().unwrap_or_default());
                Err(format!("{at}: not valid TOML: {}", error.message().replace(char::is_control, " ")))
            }
        }
    }

    fn table(self: &Arc<Self>, table: &DeTable<'_>) -> Table {
        table
            .iter()
            .map(|(key, value)| {
                let node = Node {
                    key: self.origin(&key.span()),
                    at: self.origin(&value.span()),
                    value: self.value(value.get_ref()),
                };
                (key.get_ref().clone().into_owned(), node)
            })
            .collect()
    }

    fn value(self: &Arc<Self>, value: &DeValue<'_>) -> Value {
        match value {
            DeValue::String(string) => Value::String(string.clone().into_owned()),
            DeValue::Integer(integer) => Value::Integer(nearest(integer)),
            DeValue::Float(float) => Value::Float(float.to_string()),
            DeValue::Boolean(boolean) => Value::Boolean(*boolean),
            DeValue::Datetime(datetime) => Value::Datetime(datetime.to_string()),
            DeValue::Array(elements) => Value::Array(
                elements
                    .iter()
                    .map(|element| {
                        let at = self.origin(&element.span());
                        Node { key: at.clone(), at, value: self.value(element.get_ref()) }
                    })
                    .collect(),
            ),
            DeValue::Table(table) => Value::Table(self.table(table)),
        }
    }

    fn origin(self: &Arc<Self>, span: &Range<usize>) -> Origin {
        Origin::File(Arc::clone(self), span.start)
    }

    /// Line and column of a byte, both from 1, the column in characters.
    fn position(&self, offset: usize) -> (usize, usize) {
        let before = &self.text[..self.text.floor_char_boundary(offset)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}

fn nearest(integer: &DeInteger<'_>) -> i128 {
    let limit = if integer.as_str().starts_with('-') { i128::MIN } else { i128::MAX };
    i128::from_str_radix(integer.as_str(), integer.radix()).unwrap_or(limit)
}

impl Origin {
    /// Sorts by layer, and within the file by place.
    pub(super) fn rank(&self) -> (u8, usize) {
        match self {
            Self::File(_, offset) => (0, *offset),
            Self::Environment(_) => (1, 0),
            Self::Flag(_) => (2, 0),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file, offset) => {
                let (line, column) = file.position(*offset);
                write!(f, "{}:{line}:{column}", file.name)
            }
            Self::Environment(name) => write!(f, "environment variable {}", shortened(name).escape_debug()),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Value {
    /// What an error says that it found.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(&quoted(text)),
            Self::String(string) => f.write_str(&quoted(string)),
            Self::Integer(integer) => write!(f, "integer {integer}"),
            Self::Float(float) => write!(f, "float {}", shortened(float)),
            Self::Boolean(boolean) => write!(f, "boolean {boolean}"),
            Self::Datetime(datetime) => write!(f, "date {datetime}"),
            Self::Array(_) => f.write_str("an array"),
            Self::Table(_) => f.write_str("a table"),
        }
    }
}

/// Lays one value over the tree. `false` is what it answers where that has no effect, because the table that the
/// value would belong to is turned off.
pub(super) fn overlay(mut table: &mut Table, path: &[impl Borrow<str>], origin: &Origin, value: Value) -> bool {
    let Some((last, parents)) = path.split_last() else { return false };
    let node = |value| Node { key: origin.clone(), at: origin.clone(), value };
    for parent in parents {
        let inner = table.entry(parent.borrow().to_owned()).or_insert_with(|| node(Value::Table(Table::new())));
        if is_text(&inner.value, "false") {
            return false;
        }
        if is_text(&inner.value, "true") {
            inner.value = Value::Table(Table::new());
        }
        match &mut inner.value {
            Value::Table(inner) => table = inner,
            // A table was expected here: its reader says so.
            _ => return true,
        }
    }
    let is_on = is_text(&value, "true");
    match table.get(last.borrow()) {
        // Turning on what has settings already keeps them.
        Some(Node { value: Value::Table(_), .. }) if is_on => {}
        _ => {
            table.insert(last.borrow().to_owned(), node(value));
        }
    }
    true
}

fn is_text(value: &Value, wanted: &str) -> bool {
    match value {
        Value::Boolean(boolean) => boolean.to_string() == wanted,
        Value::Text(text) => text == wanted,
        _ => false,
    }
}

/// Text in quotes as an error shows it: on one line, without control characters, and not endless.
pub(super) fn quoted(text: &str) -> String {
    format!("{:?}", shortened(text))
}

fn shortened(text: &str) -> String {
    const LONGEST: usize = 80;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A name within a path as TOML would write it.
pub(super) fn key_name(key: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.len() <= 80 && key.chars().all(is_bare) { key.to_owned() } else { quoted(key) }
}
