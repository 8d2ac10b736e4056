//! A part of a recording, read into memory.

use std::{io, path::Path, sync::Arc, time::Duration};

use super::entries::{Entries, Held, Rhythms};
use crate::{
    hub::{GapReason, Hole},
    protocol::{Epoch, Hello, HelloHost, LARGEST_NUMBER},
    recording::{Found, Line, Reader, RecordedGap, Values},
    time::format_millis,
};

/// From one time to another, in Unix milliseconds; `to` itself is not in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// From this time on.
    pub from: Option<u64>,
    /// Before this time.
    pub to: Option<u64>,
}

/// What was read.
#[derive(Debug)]
pub struct Loaded {
    /// The host, as its daemon last described it.
    pub host: HelloHost,
    /// The time between two samples.
    pub interval: Duration,
    /// The samples.
    pub entries: Entries,
    /// Whether there are more in the range than fit.
    pub is_cut: bool,
    /// Lines or frames that could not be read.
    pub damaged: u64,
}

/// There is no sample in the range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Nothing {
    /// There is none at all.
    #[error("there is no sample in the recording")]
    AtAll,
    /// There are others.
    #[error("there is no sample in that time; the recording has {} to {}", format_millis(*.0), format_millis(*.1))]
    Within(u64, u64),
}

/// What a restart takes of the numbers: how many the old ring still took is unknown.
const RESTART: Hole = Hole { samples: 1, reason: GapReason::Restarted };

/// Reads what lies in the range, and no more of it than takes `max_bytes`: the newest part. What is to be played has a
/// past, too: so much before the range, as far as it fits besides the range's oldest part.
pub fn load(
    folder: &Path,
    range: Range,
    max_bytes: usize,
    past: Option<Duration>,
) -> io::Result<Result<Loaded, Nothing>> {
    let mut reader = Reader::open(folder)?;
    let mut loading = Loading { range, max_bytes, past, ..Loading::default() };
    while !loading.is_over
        && let Some(found) = reader.read()?
    {
        match found {
            Found::Line(_, line) => loading.line(&line),
            Found::Damaged(_) => loading.damaged += 1,
            // It is being written.
            Found::Torn(_) => {}
        }
    }
    Ok(loading.finish())
}

#[derive(Debug, Default)]
struct Loading {
    range: Range,
    max_bytes: usize,
    /// How much of what is before the range is wanted, where it is to be played.
    past: Option<Duration>,
    hello: Option<Hello>,
    entries: Entries,
    is_cut: bool,
    /// Nothing of what follows is wanted.
    is_over: bool,
    damaged: u64,
    /// The sample before, whether it is in the range or not, or the last one that a gap has named.
    before: Option<Before>,
    /// What is missing since then.
    holes: Vec<Hole>,
    /// How many samples all holes have taken.
    missing: u64,
    values: Values,
    /// Which list of series, counted from the beginning.
    layout: u64,
    rhythms: Rhythms,
    /// The first and the last time that the recording has.
    ends: Option<(u64, u64)>,
}

#[derive(Clone, Copy, Debug)]
struct Before {
    epoch: Epoch,
    seq: u64,
    time: u64,
    moment: Duration,
}

impl Loading {
    fn line(&mut self, line: &Line<'_>) {
        match line {
            Line::Hello { hello, .. } => match serde_json::from_str(hello.get()) {
                Ok(hello) => self.hello = Some(hello),
                Err(_) => self.damaged += 1,
            },
            Line::Gap(gap) => self.gap(gap),
            Line::Sample { epoch, seq, .. }
                if self.before.is_some_and(|before| before.epoch == *epoch && *seq <= before.seq) =>
            {
                // It is there twice, which verify complains of.
            }
            Line::Sample { .. } => self.sample(line),
        }
    }

    fn gap(&mut self, gap: &RecordedGap) {
        let Some(before) = self.before else { return };
        match gap.to_seq {
            Some(to_seq) if gap.epoch == before.epoch && to_seq > before.seq => {
                self.miss(to_seq - before.seq, gap.reason);
                self.before = Some(Before { seq: to_seq, ..before });
            }
            // What the new ring had let go of when the recorder came back.
            Some(to_seq) if gap.epoch != before.epoch && to_seq >= gap.from_seq => {
                self.restart();
                self.miss(to_seq - gap.from_seq + 1, gap.reason);
                self.before = Some(Before { epoch: gap.epoch, seq: to_seq, ..before });
            }
            None if gap.reason == GapReason::Restarted => self.restart(),
            _ => {}
        }
    }

    fn miss(&mut self, samples: u64, reason: GapReason) {
        // A recording can claim what it likes, epoch after epoch: its numbers stay such that everyone can count them.
        let samples = samples.min(LARGEST_NUMBER - self.missing);
        self.missing += samples;
        self.holes.push(Hole { samples, reason });
    }

    fn restart(&mut self) {
        if !self.holes.contains(&RESTART) {
            self.holes.push(RESTART);
        }
    }

    fn sample(&mut self, line: &Line<'_>) {
        let Line::Sample { epoch, seq, time, elapsed_ms, missed, values } = *line else { return };
        match self.before {
            Some(before) if before.epoch != epoch => self.restart(),
            // No gap says so.
            Some(before) if seq > before.seq + 1 => {
                self.miss(seq - before.seq - 1, GapReason::Damaged);
            }
            _ => {}
        }
        let elapsed = Duration::try_from_secs_f64(elapsed_ms / 1e3).unwrap_or_default();
        let moment = self.before.map_or(Duration::ZERO, |before| {
            // From one sample to the next it was measured. Across what is missing only the clock tells, unless it was set
            // back.
            let by_clock = || time.checked_sub(before.time).map(Duration::from_millis);
            let passed = if self.holes.is_empty() { None } else { by_clock() };
            before.moment.saturating_add(passed.unwrap_or(elapsed))
        });
        self.before = Some(Before { epoch, seq, time, moment });
        self.ends = Some((self.ends.map_or(time, |(first, _)| first), time));
        let mut holes = std::mem::take(&mut self.holes);
        // It begins once and ends once: where the clock was set, nothing is left out in between.
        if self.range.to.is_some_and(|to| time >= to) {
            self.is_over = !self.entries.is_empty();
            return;
        }
        if self.entries.is_empty() && self.is_before_range(time.saturating_add(self.past_ms())) {
            return;
        }
        let Ok(is_changed) = self.values.read(&values) else {
            self.damaged += 1;
            self.holes = holes;
            self.miss(1, GapReason::Damaged);
            return;
        };
        self.layout += u64::from(is_changed);
        if self.entries.is_empty() {
            holes.clear();
        } else if !holes.is_empty() {
            // A list of its own, so that nothing is folded across what is missing.
            self.layout += 1;
        }
        self.rhythms.listen(&self.values, &holes);
        let (ids, values) = (Arc::clone(self.values.ids()), self.values.numbers().into());
        self.entries.push(Held { holes, time, moment, elapsed, missed, layout: self.layout, ids, values });
        while self.entries.bytes() > self.max_bytes && self.entries.len() > 1 {
            let begins_in_past = self.entries.next_is_due().is_some_and(|(time, _)| self.is_before_range(time));
            if self.past.is_some() && !begins_in_past {
                self.entries.drop_newest();
                (self.is_cut, self.is_over) = (true, true);
            } else {
                self.entries.drop_oldest();
                // Of the past of what is played there is as much as fits, and nobody has asked for more.
                self.is_cut |= self.past.is_none();
            }
        }
    }

    fn is_before_range(&self, time: u64) -> bool {
        self.range.from.is_some_and(|from| time < from)
    }

    fn past_ms(&self) -> u64 {
        self.past.map_or(0, |past| past.as_millis() as u64)
    }

    fn finish(mut self) -> Result<Loaded, Nothing> {
        if self.entries.is_empty() {
            return Err(self.ends.map_or(Nothing::AtAll, |(first, last)| Nothing::Within(first, last)));
        }
        let (host, interval_ms) = match self.hello {
            Some(hello) => (hello.host, hello.interval_ms.max(1)),
            None => (HelloHost::default(), 1000),
        };
        self.entries.set_rhythms(&self.rhythms, interval_ms);
        let Self { entries, is_cut, damaged, .. } = self;
        Ok(Loaded { host, interval: Duration::from_millis(interval_ms), entries, is_cut, damaged })
    }
}

#[cfg(test)]
mod tests;
