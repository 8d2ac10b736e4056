//! Sparklines and bars.

use ratatui::{style::Stylize as _, text::Span};

use crate::watch::trail::Column;

/// Eighths of a cell. The lowest is a reading of zero, which is not the same as none.
const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const WIDTHS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];
const GAP: char = '·';

/// Columns in a cell each, the highest of them at `full`.
pub(super) fn sparkline(columns: &[Column], full: f32) -> Vec<Span<'static>> {
    let glyph = |column: &Column| match column {
        Column::Nothing => ' ',
        Column::Gap => GAP,
        Column::Level(level) => {
            let share = if full > 0.0 { (level / full).clamp(0.0, 1.0) } else { 0.0 };
            HEIGHTS[(share * (HEIGHTS.len() - 1) as f32).round() as usize]
        }
    };
    let runs = columns.chunk_by(|a, b| (*a == Column::Gap) == (*b == Column::Gap));
    let span = |run: &[Column]| {
        let text = Span::raw(run.iter().map(glyph).collect::<String>());
        if run[0] == Column::Gap { text.dim() } else { text.cyan() }
    };
    runs.map(span).collect()
}

/// The largest level, and no less than `least`, below which all is quiet.
pub(super) fn highest(columns: &[Column], least: f32) -> f32 {
    let levels = columns.iter().filter_map(|column| match column {
        Column::Level(level) => Some(*level),
        Column::Nothing | Column::Gap => None,
    });
    levels.fold(least, f32::max)
}

/// A share of `width` cells; dots where it is not known.
pub(super) fn bar(share: Option<f64>, width: u16) -> Span<'static> {
    let width = usize::from(width);
    let Some(share) = share.filter(|share| share.is_finite()) else {
        return Span::raw(String::from(GAP).repeat(width)).dim();
    };
    let eighths = (share.clamp(0.0, 1.0) * (width * 8) as f64).round() as usize;
    let mut text = "█".repeat(eighths / 8);
    if let Some(part) = (eighths % 8).checked_sub(1) {
        text.push(WIDTHS[part]);
    }
    let text = Span::raw(format!("{text:width$}"));
    if share >= 0.9 { text.red() } else { text.cyan() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(spans: &[Span]) -> String {
        spans.iter().map(|span| &*span.content).collect()
    }

    #[test]
    fn a_reading_of_zero_is_drawn_and_a_gap_is_a_gap() {
        let levels = [0.0, 0.5, 1.0, 7.0].map(Column::Level);
        let columns = [&[Column::Nothing], &levels[..], &[Column::Gap, Column::Level(0.14)]].concat();
        assert_eq!(text(&sparkline(&columns, 1.0)), " ▁▅██·▂");
        assert_eq!(text(&sparkline(&columns, 0.0)), " ▁▁▁▁·▁");
        assert!((highest(&columns, 1.0) - 7.0).abs() < f32::EPSILON);
    }

    #[test]
    fn a_bar_is_as_wide_as_its_share_and_one_that_is_not_known_is_none() {
        for (share, drawn) in [
            (Some(0.0), "    "),
            (Some(0.5), "██  "),
            (Some(0.53), "██▏ "),
            (Some(1.0), "████"),
            (Some(9.0), "████"),
            (None, "····"),
            (Some(f64::NAN), "····"),
        ] {
            assert_eq!(bar(share, 4).content, drawn);
        }
    }
}
