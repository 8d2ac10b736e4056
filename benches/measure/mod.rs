//! What the benchmarks share: repeated figures, their median and spread, and a table that holds what
//! was measured against its floor.

// Each benchmark is a program of its own, and uses a part of this.
#![allow(dead_code)]

pub(crate) mod host;

use std::{env, fmt};

use hostcast::clock::process_cpu_time;

/// Whether this was started by `cargo bench`. `cargo test --all-targets` starts it too, and is told
/// that there is nothing to test.
pub(crate) fn is_wanted() -> bool {
    env::args().any(|argument| argument == "--bench")
}

/// A number from the environment, for runs longer than the default.
pub(crate) fn setting(name: &str, default: u64) -> u64 {
    match env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}, and should be a whole number")),
        Err(_) => default,
    }
}

/// CPU time that `work` takes, on whatever threads, in microseconds.
pub(crate) fn cpu_micros<T>(work: impl FnOnce() -> T) -> f64 {
    let before = process_cpu_time();
    let result = work();
    let spent = process_cpu_time().saturating_sub(before);
    drop(result);
    spent.as_secs_f64() * 1e6
}

/// The same figure, taken several times.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures(Vec<f64>);

impl Figures {
    pub(crate) fn push(&mut self, figure: f64) {
        self.0.push(figure);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// The least and the most.
    pub(crate) fn range(&self) -> [f64; 2] {
        [self.quantile(0.0), self.quantile(1.0)]
    }

    /// A figure below which the given share of them lies; not a number where there are none.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let position = share * sorted.len().saturating_sub(1) as f64;
        let [below, above] = [position.floor(), position.ceil()].map(|index| sorted.get(index as usize));
        let (Some(below), Some(above)) = (below, above) else { return f64::NAN };
        below + (above - below) * position.fract()
    }
}

impl FromIterator<f64> for Figures {
    fn from_iter<I: IntoIterator<Item = f64>>(figures: I) -> Self {
        Self(figures.into_iter().collect())
    }
}

/// What the median of a figure should be at most.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    /// An absolute figure.
    AtMost(f64),
    /// An absolute figure, and not for the median alone: no round may miss it.
    Always(f64),
    /// A multiple of the floor.
    TimesFloor(f64),
}

/// One figure of the table.
pub(crate) struct Row {
    what: String,
    measured: Figures,
    floor: Figures,
    goal: Option<Goal>,
}

impl Row {
    pub(crate) fn new(what: impl Into<String>, measured: Figures) -> Self {
        Self { what: what.into(), measured, floor: Figures::default(), goal: None }
    }

    pub(crate) fn floor(self, floor: Figures) -> Self {
        Self { floor, ..self }
    }

    pub(crate) fn goal(self, goal: Goal) -> Self {
        Self { goal: Some(goal), ..self }
    }

    fn ratio(&self) -> f64 {
        self.measured.median() / self.floor.median()
    }

    fn goal_and_verdict(&self) -> (String, &'static str) {
        let (text, met) = match self.goal {
            None => return (String::new(), ""),
            Some(Goal::AtMost(limit)) => (format!("≤ {}", Short(limit)), self.measured.median() <= limit),
            Some(Goal::Always(limit)) => (format!("≤ {}", Short(limit)), self.measured.range()[1] <= limit),
            Some(Goal::TimesFloor(limit)) => (format!("≤ {} × floor", Short(limit)), self.ratio() <= limit),
        };
        (text, if met { "yes" } else { "NO" })
    }
}

/// Figures of one unit. Nothing fails here: a machine that is busy with something else is no reason
/// to refuse a change, so a reader has to look.
pub(crate) struct Table {
    title: String,
    rows: Vec<Row>,
    spread: Spread,
}

/// What the last column tells.
#[derive(Clone, Copy)]
enum Spread {
    MiddleHalf,
    Range,
}

impl Table {
    /// The title names the unit.
    pub(crate) fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), rows: Vec::new(), spread: Spread::MiddleHalf }
    }

    /// A table of figures that were taken a few times only: all of their range is shown.
    pub(crate) fn of_rounds(title: impl Into<String>) -> Self {
        Self { spread: Spread::Range, ..Self::new(title) }
    }

    pub(crate) fn add(&mut self, row: Row) {
        self.rows.push(row);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (spread, shares) = match self.spread {
            Spread::MiddleHalf => ("middle half", [0.25, 0.75]),
            Spread::Range => ("range", [0.0, 1.0]),
        };
        let head = [self.title.as_str(), "measured", "floor", "ratio", "goal", "met", spread].map(str::to_owned);
        let cells = self.rows.iter().map(|row| cells(row, shares));
        let lines: Vec<_> = std::iter::once(head).chain(cells).collect();
        let is_used = |column: &usize| lines[1..].iter().any(|line| !line[*column].is_empty());
        let columns: Vec<_> = (0..lines[0].len()).filter(is_used).collect();
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default();
        for (index, line) in lines.iter().enumerate() {
            for &column in &columns {
                write!(f, "| {:<width$} ", line[column], width = width(column))?;
            }
            writeln!(f, "|")?;
            if index == 0 {
                for &column in &columns {
                    write!(f, "| {:-<width$} ", "", width = width(column))?;
                }
                writeln!(f, "|")?;
            }
        }
        Ok(())
    }
}

fn cells(row: &Row, shares: [f64; 2]) -> [String; 7] {
    let (goal, verdict) = row.goal_and_verdict();
    let or_blank = |figure: f64| if figure.is_finite() { Short(figure).to_string() } else { String::new() };
    let [low, high] = shares.map(|share| Short(row.measured.quantile(share)));
    [
        row.what.clone(),
        or_blank(row.measured.median()),
        or_blank(row.floor.median()),
        or_blank(row.ratio()),
        goal,
        verdict.to_owned(),
        format!("{low} to {high}"),
    ]
}

/// A whole number as people write it: 10,000.
pub(crate) fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    groups.map(String::from_utf8_lossy).collect::<Vec<_>>().join(",")
}

/// Three digits that mean something; a whole number as it is.
struct Short(f64);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.fract() == 0.0 {
            return write!(f, "{:.0}", self.0);
        }
        let whole_digits = self.0.abs().log10().floor() as i32 + 1;
        write!(f, "{:.*}", usize::try_from(3 - whole_digits).unwrap_or(0), self.0)
    }
}
