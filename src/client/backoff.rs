//! How long to wait before connecting again.

use std::time::Duration;

/// Exponential, with full jitter: a thousand clients that lost one server do not come back as one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    pub(super) fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest: longest.max(first), failures: 0 }
    }

    /// The connection was worth something: the next wait is short again.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// The wait after one more failure. Where the server has named a time, a random one around that, as long as
    /// nothing else went wrong before.
    pub(super) fn next(&mut self, asked: Option<Duration>) -> Duration {
        let ceiling = self.first.saturating_mul(1 << self.failures.min(30)).min(self.longest);
        let (least, span) = match asked {
            Some(asked) if self.failures == 0 => {
                let asked = asked.min(self.longest);
                (asked / 2, asked)
            }
            _ => (Duration::ZERO, ceiling),
        };
        self.failures = self.failures.saturating_add(1);
        least + span.mul_f64(random_share())
    }
}

/// From 0 up to 1. Without entropy, which Linux always has, the middle.
fn random_share() -> f64 {
    let number = getrandom::u32().unwrap_or(u32::MAX / 2);
    f64::from(number) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_secs(1);
    const LONGEST: Duration = Duration::from_mins(1);

    #[test]
    fn waits_grow_to_their_bound_and_start_over() {
        let mut backoff = Backoff::new(FIRST, LONGEST);
        for failure in 0..100 {
            let ceiling = Duration::from_secs(1 << failure.min(6)).min(LONGEST);
            assert!(backoff.next(None) < ceiling);
        }
        backoff.reset();
        assert!(backoff.next(None) < FIRST);
    }

    #[test]
    fn waits_are_spread_over_the_whole_span() {
        let waits: Vec<_> = (0..1_000).map(|_| Backoff::new(FIRST, LONGEST).next(None)).collect();
        for tenth in 0..10 {
            let span = FIRST * tenth / 10..FIRST * (tenth + 1) / 10;
            assert!(waits.iter().any(|wait| span.contains(wait)), "{span:?}");
        }
    }

    #[test]
    fn the_servers_wish_is_honoured_but_not_for_ever() {
        let asked = Duration::from_secs(8);
        for _ in 0..100 {
            let wait = Backoff::new(FIRST, LONGEST).next(Some(asked));
            assert!((asked / 2..asked * 3 / 2).contains(&wait), "{wait:?}");
        }
        assert!(Backoff::new(FIRST, LONGEST).next(Some(Duration::MAX)) <= LONGEST * 3 / 2);
    }
}
