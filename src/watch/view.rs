//! Draws the model. The same model at the same moment is the same picture.

use std::time::Instant;

use ratatui::{
    Frame,
    layout::Rect,
    style::Stylize as _,
    text::{Line, Span},
};

use super::{host::State, model::Model};
use crate::{time, units};

mod full;
mod groups;
mod meter;
mod rows;

/// What the picture has taught about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Drawn {
    /// How far the full view of a host can be scrolled.
    pub(super) last_scroll: usize,
}

/// Draws everything, in whatever room there is.
pub(super) fn draw(frame: &mut Frame<'_>, model: &Model, now: Instant) -> Drawn {
    let area = frame.area();
    // Where there is little room, what it is all about comes first.
    let (above, below) = match area.height {
        0..=2 => (0, 0),
        3..=5 => (1, 0),
        _ => (1, 2),
    };
    let body = Rect { y: area.y + above, height: area.height - above - below, ..area };
    if above > 0 {
        put(frame, area, &[title(model, area.width, now)]);
    }
    if below > 0 {
        let foot = Rect { y: body.y + body.height, height: below, ..area };
        put(frame, foot, &[trouble(model), keys(model)]);
    }
    let mut drawn = Drawn::default();
    if model.choice.is_help {
        put(frame, body, &help());
    } else if model.choice.is_in_full {
        let lines = full::lines(model.chosen(), area.width, model.moment(now));
        drawn.last_scroll = lines.len().saturating_sub(body.height.into());
        put(frame, body, &lines[model.choice.scroll.min(drawn.last_scroll)..]);
    } else {
        table(frame, body, model, now);
    }
    drawn
}

fn table(frame: &mut Frame<'_>, area: Rect, model: &Model, now: Instant) {
    let mut lines = Vec::with_capacity(area.height.into());
    if area.height > 1 {
        lines.push(rows::head(model, area.width));
    }
    let room = usize::from(area.height) - lines.len();
    let order = model.order(now);
    let chosen = order.iter().position(|host| *host == model.choice.host).unwrap_or(0);
    // The cursor is always to be seen.
    let first = (chosen + 1).saturating_sub(room);
    lines.extend(order.iter().skip(first).take(room).map(|host| rows::row(model, *host, area.width, now)));
    put(frame, area, &lines);
}

/// Lines from the top, as far as there is room.
fn put(frame: &mut Frame<'_>, area: Rect, lines: &[Line<'static>]) {
    for (line, y) in lines.iter().zip(area.y..area.y + area.height) {
        frame.render_widget(line, Rect { y, height: 1, ..area });
    }
}

fn title(model: &Model, width: u16, now: Instant) -> Line<'static> {
    let hosts = model.hosts();
    let moment = model.moment(now);
    let count = hosts.iter().filter(|host| host.state(moment) == State::Live).count();
    let noun = if hosts.len() == 1 { "host" } else { "hosts" };
    let mut line =
        Line::from(vec![Span::raw("hostcast").bold(), Span::raw(format!("  {} {noun}, {count} live", hosts.len()))]);
    if let Some(behind) = model.behind(now) {
        let text = format!("paused, {} behind", units::brief(behind));
        let missing = usize::from(width).saturating_sub(line.width() + text.chars().count()).max(2);
        line.push_span(" ".repeat(missing));
        line.push_span(Span::raw(text).yellow().bold());
    }
    line
}

/// What is wrong with the host that is chosen, or when that was what is shown.
fn trouble(model: &Model) -> Line<'static> {
    let host = model.chosen();
    match (host.trouble(), host.replayed()) {
        (Some(why), _) => Line::raw(format!("{}: {why}", host.name)).yellow(),
        (None, Some(time)) => Line::raw(format!("{}: a replay, at {}", host.name, time::format_millis(time))).cyan(),
        (None, None) => Line::default(),
    }
}

fn keys(model: &Model) -> Line<'static> {
    let pause = if model.hosts().is_empty() { "" } else { "space pause" };
    let text = if model.choice.is_help {
        "esc back  q quit".into()
    } else if model.choice.is_in_full {
        format!("↑↓ scroll  ←→ other host  esc back  {pause}  ? help  q quit")
    } else {
        format!("↑↓ choose  enter in full  s sort: {}  {pause}  ? help  q quit", model.choice.sort.name())
    };
    Line::raw(text).dim()
}

fn help() -> Vec<Line<'static>> {
    const HELP: &str = "\
↑ ↓ k j        choose a host, or scroll
home end g G   the first, the last
enter          one host in full
← → h l tab    the host before, the next one
esc            back
s              sort by the next: as given, name, state, CPU, memory, network
space p        pause, and go on
^L             draw everything anew
^Z             suspend
q ^C           quit

A sparkline shows the last minute, or more where it is wide.
 ▁  a reading of zero
 ·  something is missing: no sample, or no reading
 –  there is no number now: it could not be read, or the host is not heard";
    HELP.lines().map(Line::raw).collect()
}

#[cfg(test)]
mod tests;
