//! Sets of named devices: which of them are wanted, in which order, and what is known of each.

use std::{cmp::Ordering, collections::HashMap, mem};

/// The devices to publish. The verdict on a name is remembered, since patterns and `/sys` cost more
/// than a tick should.
pub(super) struct Selection {
    wanted: Box<dyn Fn(&str) -> bool + Send>,
    verdicts: HashMap<Box<str>, bool>,
}

/// Enough for any host; containers that come and go bring a new interface name each.
const MOST_VERDICTS: usize = 4096;

impl Selection {
    pub(super) fn new(wanted: impl Fn(&str) -> bool + Send + 'static) -> Self {
        Self { wanted: Box::new(wanted), verdicts: HashMap::new() }
    }

    pub(super) fn wants(&mut self, name: &str) -> bool {
        if let Some(verdict) = self.verdicts.get(name) {
            return *verdict;
        }
        if self.verdicts.len() >= MOST_VERDICTS {
            self.verdicts.clear();
        }
        let verdict = (self.wanted)(name);
        self.verdicts.insert(name.into(), verdict);
        verdict
    }
}

/// What is kept from tick to tick for each device.
pub(super) struct Roster<T>(Vec<(Box<str>, T)>);

impl<T: Default> Roster<T> {
    pub(super) fn new() -> Self {
        Self(Vec::new())
    }

    /// Makes these the devices, in this order; those that stay keep what is known of them. Tells
    /// whether anything changed.
    pub(super) fn set<'a>(&mut self, names: impl Iterator<Item = &'a str> + Clone) -> bool {
        if self.names().eq(names.clone()) {
            return false;
        }
        let mut known: HashMap<_, _> = mem::take(&mut self.0).into_iter().collect();
        self.0 = names.map(|name| (name.into(), known.remove(name).unwrap_or_default())).collect();
        true
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| &**name)
    }

    /// What is known of each, in order.
    pub(super) fn states(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut().map(|(_, state)| state)
    }
}

/// The order in which a person counts: `eth2` before `eth10`.
pub(super) fn natural_order(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    while let (Some(x), Some(y)) = (left.chars().next(), right.chars().next()) {
        let order = if x.is_ascii_digit() && y.is_ascii_digit() {
            let (number, other) = (take_number(&mut left), take_number(&mut right));
            number.len().cmp(&other.len()).then_with(|| number.cmp(other))
        } else {
            left = &left[x.len_utf8()..];
            right = &right[y.len_utf8()..];
            x.cmp(&y)
        };
        if order.is_ne() {
            return order;
        }
    }
    // `disk01` and `disk1` count the same, but are two devices.
    left.len().cmp(&right.len()).then_with(|| a.cmp(b))
}

/// Takes the digits off the front of `text`, however many: compared by length, they cannot overflow.
fn take_number<'a>(text: &mut &'a str) -> &'a str {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    *text = rest;
    number.trim_start_matches('0')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    };

    #[test]
    fn devices_are_counted_as_a_person_counts() {
        let mut names = ["sdb", "eth10", "nvme10n1", "eth2", "nvme2n1", "sda", "eth02", "eth", "nvme2n10"];
        names.sort_by(|a, b| natural_order(a, b));
        assert_eq!(names, ["eth", "eth02", "eth2", "eth10", "nvme2n1", "nvme2n10", "nvme10n1", "sda", "sdb"]);
    }

    #[test]
    fn order_holds_for_numbers_past_any_integer() {
        let (small, large) = (format!("x{}", "9".repeat(40)), format!("x1{}", "0".repeat(40)));
        assert_eq!(natural_order(&small, &large), Ordering::Less);
        assert_eq!(natural_order("é1", "é01"), Ordering::Greater);
    }

    #[test]
    fn a_device_that_stays_keeps_what_is_known_of_it() {
        let mut roster: Roster<u32> = Roster::new();
        assert!(roster.set(["a", "b"].into_iter()));
        roster.states().zip([1, 2]).for_each(|(state, value)| *state = value);
        assert!(!roster.set(["a", "b"].into_iter()));
        assert!(roster.set(["b", "c"].into_iter()));
        assert_eq!(roster.states().map(|state| *state).collect::<Vec<_>>(), [2, 0]);
    }

    #[test]
    fn a_verdict_is_asked_for_once() {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        let mut selection = Selection::new(move |name| {
            counter.fetch_add(1, Relaxed);
            name != "lo"
        });
        for _ in 0..3 {
            assert!(selection.wants("eth0"));
            assert!(!selection.wants("lo"));
        }
        assert_eq!(asked.load(Relaxed), 2);
    }

    #[test]
    fn names_that_come_and_go_do_not_pile_up() {
        let mut selection = Selection::new(|_| true);
        for number in 0..3 * MOST_VERDICTS {
            selection.wants(&format!("veth{number}"));
        }
        assert!(selection.verdicts.len() <= MOST_VERDICTS);
    }
}
