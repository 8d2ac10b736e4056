//! The recent past of one host, as far as sparklines show it.

use std::{collections::VecDeque, ops::Range};

/// What is drawn over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Cpu,
    Memory,
    Network,
}

/// The values of one sample, in the order of [`Kind`]; NaN is "no reading".
pub(super) type Levels = [f32; 3];

/// So many ticks are remembered.
const MAX_TICKS: u64 = 1 << 10;
/// A sparkline shows this much, if its columns are enough to show more than a sample each.
const SPAN_MS: u64 = 60_000;

/// One column of a sparkline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Column {
    /// Before the beginning.
    Nothing,
    /// Something is missing here.
    Gap,
    /// The mean of what was read.
    Level(f32),
}

/// Samples by the tick of the daemon's grid, which tells a gap from a late sample better than the time does.
#[derive(Clone, Debug, Default)]
pub(super) struct Trail {
    points: VecDeque<Point>,
    /// Number and time of the newest sample, if the next one belongs to the same ring.
    newest: Option<(u64, u64)>,
    is_new_ring: bool,
}

#[derive(Clone, Debug)]
struct Point {
    tick: u64,
    /// Ticks before it whose samples are missing.
    lost: Range<u64>,
    levels: Levels,
}

/// A sample's place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamp {
    pub(super) seq: u64,
    /// Unix milliseconds.
    pub(super) time: u64,
    /// Ticks right before it for which there never was a sample.
    pub(super) not_taken: u64,
}

impl Trail {
    /// The samples that follow are of another ring: their numbers say nothing of how much was missed.
    pub(super) fn restart(&mut self) {
        self.is_new_ring = true;
    }

    pub(super) fn push(&mut self, stamp: Stamp, interval_ms: u64, levels: Levels) {
        let is_new_ring = std::mem::take(&mut self.is_new_ring);
        let before = self.points.back().map_or(0, |point| point.tick);
        let (lost, not_taken) = match self.newest {
            None => (0, 0),
            Some((_, time)) if is_new_ring => {
                let ticks = (stamp.time.saturating_sub(time) + interval_ms / 2) / interval_ms.max(1);
                // At least one: that a ring has ended shows.
                (ticks.saturating_sub(1).clamp(1, MAX_TICKS), 0)
            }
            Some((seq, _)) => (stamp.seq.saturating_sub(seq + 1).min(MAX_TICKS), stamp.not_taken.min(MAX_TICKS)),
        };
        let tick = before + lost + not_taken + 1;
        self.newest = Some((stamp.seq, stamp.time));
        self.points.push_back(Point { tick, lost: before + 1..before + 1 + lost, levels });
        while self.points.front().is_some_and(|point| point.tick + MAX_TICKS <= tick) {
            self.points.pop_front();
        }
    }

    /// The newest `width` columns. Each has as many ticks as the others, and its bounds never move.
    pub(super) fn columns(&self, kind: Kind, width: u16, interval_ms: u64) -> Vec<Column> {
        let width = usize::from(width);
        let (Some(first), Some(last)) = (self.points.front(), self.points.back()) else {
            return vec![Column::Nothing; width];
        };
        let ticks_each = SPAN_MS.div_ceil(interval_ms.max(1)).div_ceil(width.max(1) as u64).max(1);
        let newest = last.tick / ticks_each;
        let column_of = |tick: u64| {
            let back = usize::try_from(newest - tick / ticks_each).unwrap_or(usize::MAX);
            width.checked_sub(back + 1)
        };
        // Where ticks were not taken there is no reading, and so there is nowhere to begin with.
        let begun = column_of(first.tick).unwrap_or(0);
        let (mut sums, mut counts, mut gaps) = (vec![0.0; width], vec![0_u32; width], vec![false; width]);
        for point in &self.points {
            for lost in point.lost.clone().filter(|lost| *lost >= first.tick) {
                if let Some(column) = column_of(lost) {
                    gaps[column] = true;
                }
            }
            let level = point.levels[kind as usize];
            if let (Some(column), true) = (column_of(point.tick), level.is_finite()) {
                sums[column] += level;
                counts[column] += 1;
            }
        }
        let column = |column: usize| match (column < begun, gaps[column], counts[column]) {
            (true, ..) => Column::Nothing,
            (_, true, _) | (_, _, 0) => Column::Gap,
            (_, _, count) => Column::Level(sums[column] / count as f32),
        };
        (0..width).map(column).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000;

    fn pushed(trail: &mut Trail, seq: u64, level: f32) {
        trail.push(Stamp { seq, time: seq.saturating_mul(SECOND), not_taken: 0 }, SECOND, [level; 3]);
    }

    /// As text: a digit is a level in tenths.
    fn drawn(trail: &Trail, width: u16, interval_ms: u64) -> String {
        let glyph = |column: &Column| match column {
            Column::Nothing => ' ',
            Column::Gap => '.',
            Column::Level(level) => char::from_digit((level * 10.0).round() as u32, 16).unwrap(),
        };
        trail.columns(Kind::Cpu, width, interval_ms).iter().map(glyph).collect()
    }

    #[test]
    fn a_sample_that_is_missing_is_a_gap_and_not_the_one_before_it() {
        let mut trail = Trail::default();
        for seq in [7, 8, 11, 12] {
            pushed(&mut trail, seq, 0.5);
        }
        assert_eq!(drawn(&trail, 80, SECOND), format!("{}55..55", " ".repeat(74)));
    }

    #[test]
    fn a_value_that_could_not_be_read_is_a_gap_too() {
        let mut trail = Trail::default();
        for (seq, level) in [(1, 0.1), (2, f32::NAN), (3, 0.0)] {
            pushed(&mut trail, seq, level);
        }
        assert_eq!(drawn(&trail, 62, SECOND).trim_start(), "1.0");
    }

    #[test]
    fn a_restart_is_a_gap_as_long_as_it_took() {
        let mut trail = Trail::default();
        pushed(&mut trail, 500, 0.3);
        trail.restart();
        trail.push(Stamp { seq: 1, time: 504 * SECOND, not_taken: 0 }, SECOND, [0.4; 3]);
        assert_eq!(drawn(&trail, 60, SECOND).trim_start(), "3...4");
        trail.restart();
        trail.push(Stamp { seq: 1, time: 504 * SECOND + 1, not_taken: 0 }, SECOND, [0.4; 3]);
        assert_eq!(drawn(&trail, 60, SECOND).trim_start(), "3...4.4");
    }

    #[test]
    fn columns_hold_as_many_ticks_each_and_stand_still_while_they_fill() {
        let mut trail = Trail::default();
        // 100 ms: 600 ticks a minute, ten to a column of sixty.
        for seq in 1..=95 {
            let stamp = Stamp { seq, time: seq * 100, not_taken: 0 };
            trail.push(stamp, 100, [seq as f32 / 1000.0; 3]);
        }
        let before = trail.columns(Kind::Cpu, 60, 100);
        trail.push(Stamp { seq: 96, time: 9_600, not_taken: 0 }, 100, [0.9; 3]);
        let after = trail.columns(Kind::Cpu, 60, 100);
        assert_eq!(before[..59], after[..59]);
        assert_eq!(before.iter().filter(|column| matches!(column, Column::Level(_))).count(), 10);
        assert_ne!(before[59], after[59]);
    }

    #[test]
    fn a_tick_that_was_not_taken_leaves_a_column_that_has_others() {
        let mut trail = Trail::default();
        trail.push(Stamp { seq: 1, time: 0, not_taken: 0 }, SECOND, [0.2; 3]);
        trail.push(Stamp { seq: 2, time: 3_000, not_taken: 2 }, SECOND, [0.2; 3]);
        assert_eq!(drawn(&trail, 60, SECOND).trim_start(), "2..2");
        // Ticks 1 to 4, two to a column: 0 and 1, 2 and 3, 4 and 5.
        assert_eq!(drawn(&trail, 30, SECOND).trim_start(), "2.2");
        assert_eq!(drawn(&trail, 15, SECOND).trim_start(), "22");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut trail = Trail::default();
        for seq in (1..40_000_u64).step_by(3) {
            pushed(&mut trail, seq, 0.0);
        }
        pushed(&mut trail, u64::MAX, 0.0);
        assert!(trail.points.len() as u64 <= MAX_TICKS);
        assert_eq!(trail.columns(Kind::Cpu, 0, 0), []);
    }
}
