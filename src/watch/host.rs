//! What is known of one host.

use std::time::{Duration, Instant};

use super::{
    readings::{Readings, Summary},
    trail::{Stamp, Trail},
};
use crate::{
    client::{Event, Refused},
    protocol::{Epoch, Gap, Hello, WireSample},
    sample::MissedReason,
};

/// One host, as its events have told it.
#[derive(Clone, Debug)]
pub(super) struct Host {
    pub(super) name: String,
    link: Link,
    pub(super) hello: Option<Box<Hello>>,
    readings: Readings,
    trail: Trail,
    /// When the newest sample came.
    heard_at: Option<Instant>,
    /// When it was taken, in Unix milliseconds by the clock of the host.
    newest: Option<u64>,
    pub(super) count: Count,
}

/// Since the start.
#[derive(Clone, Debug, Default)]
pub(super) struct Count {
    pub(super) samples: u64,
    /// Samples that gaps have named.
    pub(super) missing: u64,
    pub(super) restarts: u64,
    /// Connections that were lost, or could not be made.
    pub(super) losses: u64,
}

#[derive(Clone, Debug)]
enum Link {
    Connecting,
    /// It is there, and tells of its past.
    CatchingUp,
    Live,
    Lost {
        why: String,
        until: Instant,
    },
    Refused(String),
}

/// How it stands with the connection, right now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    Live,
    /// It is a recording that is played, which never falls silent.
    Replay,
    CatchingUp,
    Connecting,
    /// Connected, and the newest sample is so old.
    Stale {
        age: Duration,
    },
    /// Not connected; when it is tried again.
    Waiting {
        left: Duration,
    },
    /// For good.
    Refused,
}

/// Before the daemon has said how often it samples.
const USUAL_INTERVAL: Duration = Duration::from_secs(1);

impl Host {
    pub(super) fn new(name: String) -> Self {
        Self {
            name,
            link: Link::Connecting,
            hello: None,
            readings: Readings::default(),
            trail: Trail::default(),
            heard_at: None,
            newest: None,
            count: Count::default(),
        }
    }

    pub(super) fn hear(&mut self, event: Result<Event, Refused>, now: Instant) {
        match event {
            Ok(Event::Hello(hello)) => {
                self.link = Link::CatchingUp;
                if self.epoch().is_some_and(|epoch| epoch != hello.epoch) {
                    self.trail.restart();
                }
                self.hello = Some(hello);
            }
            Ok(Event::Schema(schema)) => self.readings.set_schema(schema),
            Ok(Event::Sample(sample)) => self.sample(&sample, now),
            Ok(Event::Live) => self.link = Link::Live,
            Ok(Event::Gap(Gap { from_seq, to_seq, .. })) => match to_seq {
                Some(to_seq) => self.count.missing += to_seq.saturating_sub(from_seq) + 1,
                None => self.count.restarts += 1,
            },
            Ok(Event::Notice(notice)) => {
                if let Some(hello) = &mut self.hello {
                    hello.amend(&notice);
                }
            }
            Ok(Event::Lost { why, retry_in }) => {
                self.count.losses += 1;
                self.link = Link::Lost { why: why.to_string(), until: now + retry_in };
            }
            Ok(Event::Heartbeat(_)) => {}
            Err(refused) => self.link = Link::Refused(refused.to_string()),
        }
    }

    fn sample(&mut self, sample: &WireSample, now: Instant) {
        self.count.samples += 1;
        self.heard_at = Some(now);
        self.newest = Some(sample.time);
        self.readings.take(sample);
        let not_taken = sample.missed.filter(|missed| missed.reason == MissedReason::Late);
        let stamp = Stamp {
            seq: sample.seq,
            time: sample.time,
            // While a host sleeps there are no ticks: its sparklines would be of nothing else afterwards.
            not_taken: not_taken.map_or(u64::from(sample.missed.is_some()), |missed| missed.ticks),
        };
        let levels = self.readings.summary().levels();
        self.trail.push(stamp, self.interval_ms(), levels);
    }

    fn epoch(&self) -> Option<Epoch> {
        self.hello.as_ref().map(|hello| hello.epoch)
    }

    pub(super) fn interval_ms(&self) -> u64 {
        self.hello.as_ref().map_or(USUAL_INTERVAL.as_millis() as u64, |hello| hello.interval_ms.max(1))
    }

    pub(super) fn trail(&self) -> &Trail {
        &self.trail
    }

    pub(super) fn state(&self, now: Instant) -> State {
        match &self.link {
            Link::Connecting => State::Connecting,
            Link::CatchingUp => State::CatchingUp,
            Link::Live if self.is_replay() => State::Replay,
            Link::Live => match self.age(now) {
                Some(age) if age > self.patience() => State::Stale { age },
                _ => State::Live,
            },
            Link::Lost { until, .. } => match until.saturating_duration_since(now) {
                Duration::ZERO => State::Connecting,
                left => State::Waiting { left },
            },
            Link::Refused(_) => State::Refused,
        }
    }

    /// What is wrong, in words.
    pub(super) fn trouble(&self) -> Option<&str> {
        match &self.link {
            Link::Lost { why, .. } | Link::Refused(why) => Some(why),
            Link::Connecting | Link::CatchingUp | Link::Live => None,
        }
    }

    fn is_replay(&self) -> bool {
        self.hello.as_ref().is_some_and(|hello| hello.replay.is_some())
    }

    /// The moment that a replay has come to, in Unix milliseconds by the clock of its host.
    pub(super) fn replayed(&self) -> Option<u64> {
        self.newest.filter(|_| self.is_replay())
    }

    /// How long ago the newest sample came.
    pub(super) fn age(&self, now: Instant) -> Option<Duration> {
        self.heard_at.map(|heard_at| now.saturating_duration_since(heard_at))
    }

    /// A sample that is later than this is not coming in time.
    fn patience(&self) -> Duration {
        Duration::from_millis(self.interval_ms()) * 3 + USUAL_INTERVAL
    }

    /// The newest readings, and whether they are to be shown as what is, and not as what was when they were taken. Those
    /// of a replay are of the moment that it shows.
    pub(super) fn readings(&self, now: Instant) -> (&Readings, bool) {
        (&self.readings, matches!(self.state(now), State::Live | State::Replay) && self.heard_at.is_some())
    }

    /// What a row shows; nothing where it is too old.
    pub(super) fn summary(&self, now: Instant) -> Summary {
        match self.readings(now) {
            (readings, true) => readings.summary(),
            (_, false) => Summary::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{hello, sample, schema},
        *,
    };
    use crate::client::Lost;

    fn live(now: Instant) -> Host {
        let mut host = Host::new("web-1".into());
        host.hear(Ok(hello(1)), now);
        host.hear(Ok(Event::Schema(schema())), now);
        host.hear(Ok(Event::Sample(sample(1, &[Some(0.5); 7]))), now);
        host.hear(Ok(Event::Live), now);
        host
    }

    #[test]
    fn numbers_are_shown_while_they_are_fresh_and_the_line_is_there() {
        let now = Instant::now();
        let mut host = live(now);
        assert_eq!((host.state(now), host.summary(now).cpu), (State::Live, Some(0.5)));
        // At a second each: three of them, and one for the way.
        let late = now + Duration::from_secs(5);
        assert_eq!(host.state(late), State::Stale { age: Duration::from_secs(5) });
        assert_eq!(host.summary(late).cpu, None);
        let retry_in = Duration::from_secs(4);
        host.hear(Ok(Event::Lost { why: Lost::Silent(retry_in), retry_in }), now);
        assert_eq!((host.state(now), host.summary(now).cpu), (State::Waiting { left: retry_in }, None));
        assert_eq!(host.state(now + retry_in), State::Connecting);
        assert!(host.trouble().unwrap().starts_with("heard nothing"));
    }

    #[test]
    fn numbers_of_the_past_are_not_shown_as_what_is() {
        let now = Instant::now();
        let mut host = live(now);
        host.hear(Ok(hello(1)), now);
        host.hear(Ok(Event::Sample(sample(2, &[Some(0.9); 7]))), now);
        assert_eq!((host.state(now), host.summary(now).cpu), (State::CatchingUp, None));
        host.hear(Ok(Event::Live), now);
        assert_eq!((host.state(now), host.summary(now).cpu), (State::Live, Some(0.9)));
    }

    #[test]
    fn a_refusal_stays_and_says_why() {
        let now = Instant::now();
        let mut host = live(now);
        host.hear(Err(Refused::Status { status: 401, message: String::new() }), now);
        assert_eq!(host.state(now + Duration::from_hours(1)), State::Refused);
        assert!(host.trouble().unwrap().contains("a token is needed"));
    }

    #[test]
    fn what_is_missing_is_counted() {
        let now = Instant::now();
        let mut host = live(now);
        let gap = |to_seq, reason| Gap { epoch: "0000000000000001".parse().unwrap(), from_seq: 2, to_seq, reason };
        host.hear(Ok(Event::Gap(gap(Some(9), crate::protocol::GapReason::Slow))), now);
        host.hear(Ok(Event::Gap(gap(None, crate::protocol::GapReason::Restarted))), now);
        assert_eq!((host.count.missing, host.count.restarts, host.count.samples), (8, 1, 1));
    }
}
