//! A row for each host.

use std::time::Instant;

use ratatui::{
    style::{Style, Stylize as _},
    text::{Line, Span},
};

use super::meter::{highest, sparkline};
use crate::{
    units,
    watch::{
        host::{Host, State},
        model::Model,
        trail::Kind,
    },
};

const STATE_WIDTH: u16 = 12;
/// `12.3 %`, `1.23 M`
const NUMBER_WIDTH: u16 = 6;
/// A narrower sparkline tells nothing.
const LEAST_SPARK: u16 = 8;
const MOST_SPARK: u16 = 60;
/// Traffic below this, in bytes a second, is shown as small as it is.
const QUIET: f32 = 1_000.0;

/// What fits beside each other.
#[derive(Clone, Copy, Debug)]
struct Layout {
    name: u16,
    /// How many of CPU, memory and network have their numbers.
    numbers: usize,
    /// How many of them have a sparkline, too.
    sparks: usize,
    spark: u16,
}

impl Layout {
    fn fit(width: u16, hosts: &[Host]) -> Self {
        let longest = hosts.iter().map(|host| host.name.len()).max().unwrap_or(0);
        let name = (longest as u16).clamp(4, 24);
        let fixed = |numbers: usize| {
            let numbers = [0, 1, 2, 4][numbers] * (NUMBER_WIDTH + 1) + numbers as u16;
            name + 2 + STATE_WIDTH + numbers
        };
        let choices = [(3, 3), (3, 2), (3, 1), (3, 0), (2, 0), (1, 0)];
        let fitting = choices.into_iter().find_map(|(numbers, sparks)| {
            let rest = width.checked_sub(fixed(numbers))?;
            let spark = if sparks == 0 { 0 } else { (rest / sparks as u16).saturating_sub(1).min(MOST_SPARK) };
            (sparks == 0 || spark >= LEAST_SPARK).then_some(Self { name, numbers, sparks, spark })
        });
        fitting.unwrap_or(Self { name, numbers: 0, sparks: 0, spark: 0 })
    }

    /// The width of what is right of the state.
    fn meters(&self) -> usize {
        let sparks = self.sparks as u16 * (self.spark + 1);
        usize::from([0, 1, 2, 4][self.numbers] * (NUMBER_WIDTH + 1) + self.numbers as u16 + sparks)
    }
}

/// The head of the table.
pub(super) fn head(model: &Model, width: u16) -> Line<'static> {
    let layout = Layout::fit(width, model.hosts());
    let hosts = format!("{:width$}  ", "HOST", width = usize::from(layout.name));
    let states = format!("{:width$}", "STATE", width = usize::from(STATE_WIDTH));
    let mut line = Line::from(vec![Span::raw(hosts), Span::raw(states)]);
    let heads = [&["CPU"][..], &["MEMORY"], &["↓bit/s", "↑bit/s"]];
    for (index, names) in heads.iter().enumerate().take(layout.numbers) {
        line.push_span(" ");
        for name in *names {
            line.push_span(format!(" {name:>width$}", width = usize::from(NUMBER_WIDTH)));
        }
        if index < layout.sparks {
            line.push_span(" ".repeat(usize::from(layout.spark) + 1));
        }
    }
    line.bold()
}

/// The row of one host.
pub(super) fn row(model: &Model, index: usize, width: u16, now: Instant) -> Line<'static> {
    let layout = Layout::fit(width, model.hosts());
    let (host, now) = (&model.hosts()[index], model.moment(now));
    let name: String = host.name.chars().take(layout.name.into()).collect();
    let (state, style) = state_of(host, now);
    let mut line = Line::from(vec![
        Span::raw(format!("{name:width$}  ", width = layout.name.into())),
        Span::styled(format!("{state:width$}", width = STATE_WIDTH.into()), style),
    ]);
    match host.trouble() {
        // There is nothing else to show.
        Some(trouble) if host.age(now).is_none() => {
            let room = layout.meters().saturating_sub(2);
            line.push_span(Span::raw(format!("  {}", trouble.chars().take(room).collect::<String>())).dim());
        }
        _ => meters(&mut line, host, layout, now),
    }
    if index == model.choice.host {
        let missing = usize::from(width).saturating_sub(line.width());
        line.push_span(" ".repeat(missing));
        line = line.reversed();
    }
    line
}

fn meters(line: &mut Line<'static>, host: &Host, layout: Layout, now: Instant) {
    let summary = host.summary(now);
    let numbers = [
        vec![units::percent(summary.cpu)],
        vec![units::percent(summary.memory)],
        vec![units::bits(summary.received), units::bits(summary.sent)],
    ];
    let kinds = [Kind::Cpu, Kind::Memory, Kind::Network];
    for (index, (numbers, kind)) in numbers.iter().zip(kinds).enumerate().take(layout.numbers) {
        line.push_span(" ");
        for number in numbers {
            line.push_span(format!(" {number:>width$}", width = usize::from(NUMBER_WIDTH)));
        }
        if index < layout.sparks {
            let columns = host.trail().columns(kind, layout.spark, host.interval_ms());
            let full = if kind == Kind::Network { highest(&columns, QUIET) } else { 1.0 };
            line.push_span(" ");
            line.extend(sparkline(&columns, full));
        }
    }
}

/// In a word, and how urgent that is.
pub(super) fn state_of(host: &Host, now: Instant) -> (String, Style) {
    let style = Style::new();
    match host.state(now) {
        State::Live => ("live".into(), style.green()),
        State::Replay => ("replay".into(), style.cyan()),
        State::CatchingUp => ("catching up".into(), style.green()),
        State::Connecting => ("connecting".into(), style.yellow()),
        State::Stale { age } => (format!("stale {}", units::brief(age)), style.yellow()),
        // Rounded up: at nought it is tried.
        State::Waiting { left } => {
            (format!("again in {}s", left.as_secs() + u64::from(left.subsec_nanos() > 0)), style.yellow())
        }
        State::Refused => ("refused".into(), style.red().bold()),
    }
}
