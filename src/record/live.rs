//! How it goes, host by host, on a terminal.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant, SystemTime},
};

use super::progress::{HostProgress, Progress};
use crate::{logging::Board, sample::unix_ms, units};

/// A rate is that of so many showings.
const SPAN: usize = 5;

/// Makes the lines of a board.
pub(super) struct Live {
    progress: Arc<Progress>,
    /// How many samples each host had, and when.
    past: VecDeque<(Instant, Vec<u64>)>,
}

impl Live {
    pub(super) fn new(progress: Arc<Progress>) -> Self {
        Self { progress, past: VecDeque::new() }
    }

    /// How it goes by now.
    pub(super) fn show(&mut self, board: &Board) {
        board.show(self.lines(Instant::now(), unix_ms(SystemTime::now()), Board::size()));
    }

    /// A line a host; where there are more than rows, those in trouble come first.
    fn lines(&mut self, now: Instant, wall_ms: u64, (columns, rows): (usize, usize)) -> Vec<String> {
        let counts = self.progress.hosts.iter().map(|host| host.samples.load(Relaxed)).collect();
        if self.past.len() > SPAN {
            self.past.pop_front();
        }
        self.past.push_back((now, counts));
        let hosts = &self.progress.hosts;
        // One row stays free below, and a few above for the log.
        let room = rows.saturating_sub(1 + rows / 4).max(1);
        let mut order: Vec<_> = (0..hosts.len()).collect();
        if hosts.len() > room {
            order.sort_by_key(|index| hosts[*index].state() == RECORDED);
        }
        let shown = if hosts.len() > room { room - 1 } else { hosts.len() };
        let width = hosts.iter().map(|host| host.name.as_str().len()).max().unwrap_or(0).min(columns / 3);
        let line = |index: &usize| {
            let line = format!("{:width$.width$}  {}", hosts[*index].name.as_str(), self.state(*index, now, wall_ms));
            line.chars().take(columns).collect()
        };
        let mut lines: Vec<String> = order.iter().take(shown).map(line).collect();
        if hosts.len() > shown {
            let recorded = hosts.iter().filter(|host| host.state() == RECORDED).count();
            lines.push(format!("and {} more; {recorded} of {} are recorded", hosts.len() - shown, hosts.len()));
        }
        lines
    }

    fn state(&self, index: usize, now: Instant, wall_ms: u64) -> String {
        let host = &self.progress.hosts[index];
        let (begun, before) = self.past.front().map_or((now, 0), |(begun, counts)| (*begun, counts[index]));
        let span = now.saturating_duration_since(begun).as_secs_f64();
        let rate = (span > 0.0).then(|| (host.samples.load(Relaxed) - before) as f64 / span);
        let lag = match host.newest.load(Relaxed) {
            0 => units::MISSING.into(),
            // A daemon whose clock is ahead of ours is not ahead of us.
            newest => units::brief(Duration::from_millis(wall_ms.saturating_sub(newest))),
        };
        format!(
            "{:14}  {:>6}/s  lag {lag:>5}  {:>8}  {} gaps  {} reconnects",
            host.state(),
            units::count(rate),
            units::bytes(Some(host.bytes.load(Relaxed) as f64)),
            host.gaps.load(Relaxed),
            host.losses.load(Relaxed),
        )
    }
}

const RECORDED: &str = "recorded";

impl HostProgress {
    fn state(&self) -> &'static str {
        match () {
            () if self.is_refused.load(Relaxed) => "refused",
            () if self.is_stuck.load(Relaxed) => "not writable",
            () if self.is_connected.load(Relaxed) => RECORDED,
            () => "not connected",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::FolderName;

    fn live(names: &[&str]) -> Live {
        Live::new(Arc::new(Progress::new(names.iter().map(|name| FolderName::new(name).unwrap()).collect())))
    }

    #[test]
    fn a_line_tells_rate_lag_bytes_gaps_and_reconnects() {
        let (mut live, now) = (live(&["web-1", "db"]), Instant::now());
        live.lines(now, 0, (80, 24));
        let host = &live.progress.hosts[0];
        host.is_connected.store(true, Relaxed);
        host.samples.store(20, Relaxed);
        host.newest.store(1_000, Relaxed);
        host.bytes.store(2_048, Relaxed);
        host.gaps.store(3, Relaxed);
        host.losses.store(1, Relaxed);
        live.progress.hosts[1].is_refused.store(true, Relaxed);
        assert_eq!(
            live.lines(now + Duration::from_secs(2), 5_000, (80, 24)),
            [
                "web-1  recorded          10.0/s  lag   4 s  2.00 KiB  3 gaps  1 reconnects",
                "db     refused            0.0/s  lag     –       0 B  0 gaps  0 reconnects",
            ]
        );
        // No wider than the terminal.
        assert_eq!(live.lines(now, 5_000, (10, 24))[0].chars().count(), 10);
    }

    #[test]
    fn where_there_are_more_hosts_than_rows_trouble_is_seen() {
        let names: Vec<_> = (0..100).map(|number| format!("host-{number}")).collect();
        let mut live = live(&names.iter().map(String::as_str).collect::<Vec<_>>());
        for (index, host) in live.progress.hosts.iter().enumerate() {
            host.is_connected.store(index != 77, Relaxed);
        }
        let lines = live.lines(Instant::now(), 0, (80, 12));
        assert_eq!(lines.len(), 8);
        assert!(lines[0].starts_with("host-77  not connected"), "{lines:?}");
        assert_eq!(lines[7], "and 93 more; 99 of 100 are recorded");
    }
}
