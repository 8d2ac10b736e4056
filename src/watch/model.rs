//! What is known of all hosts, and what the viewer has chosen to see of it. Knows neither sockets nor a terminal.

use std::{
    cmp::Ordering,
    time::{Duration, Instant},
};

use super::host::Host;
use crate::client::{Event, Refused};

/// See the module.
#[derive(Debug)]
pub(super) struct Model {
    live: Vec<Host>,
    frozen: Option<Frozen>,
    pub(super) choice: Choice,
}

/// How everything was when the viewer asked for a pause. What comes meanwhile is taken in all the same.
#[derive(Debug)]
struct Frozen {
    hosts: Vec<Host>,
    since: Instant,
}

/// What the viewer has chosen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Choice {
    /// Which host, by its place in the command line.
    pub(super) host: usize,
    pub(super) sort: Sort,
    /// One host in full.
    pub(super) is_in_full: bool,
    /// How many of its lines are above the screen.
    pub(super) scroll: usize,
    pub(super) is_help: bool,
}

/// What rows are ordered by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sort {
    /// As they were given.
    #[default]
    Given,
    Name,
    /// Those in trouble first.
    State,
    Cpu,
    Memory,
    Network,
}

impl Sort {
    const ALL: [Self; 6] = [Self::Given, Self::Name, Self::State, Self::Cpu, Self::Memory, Self::Network];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Given => "as given",
            Self::Name => "name",
            Self::State => "state",
            Self::Cpu => "CPU",
            Self::Memory => "memory",
            Self::Network => "network",
        }
    }

    fn next(self) -> Self {
        Self::ALL[(self as usize + 1) % Self::ALL.len()]
    }
}

/// What keys ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// Rows or lines up, or down.
    Move(isize),
    First,
    Last,
    /// The host before this one, or after it, in the order of the rows.
    Switch(isize),
    Open,
    Back,
    Sort,
    Pause,
    Help,
}

impl Model {
    pub(super) fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self { live: names.into_iter().map(Host::new).collect(), frozen: None, choice: Choice::default() }
    }

    pub(super) fn hear(&mut self, host: usize, event: Result<Event, Refused>, now: Instant) {
        self.live[host].hear(event, now);
    }

    /// All hosts, as they are to be shown.
    pub(super) fn hosts(&self) -> &[Host] {
        self.frozen.as_ref().map_or(&self.live, |frozen| &frozen.hosts)
    }

    /// The moment that is shown.
    pub(super) fn moment(&self, now: Instant) -> Instant {
        self.frozen.as_ref().map_or(now, |frozen| frozen.since)
    }

    /// How far behind it is.
    pub(super) fn behind(&self, now: Instant) -> Option<Duration> {
        self.frozen.as_ref().map(|frozen| now.saturating_duration_since(frozen.since))
    }

    /// The host that is chosen.
    pub(super) fn chosen(&self) -> &Host {
        &self.hosts()[self.choice.host]
    }

    /// The hosts in the order of their rows.
    pub(super) fn order(&self, now: Instant) -> Vec<usize> {
        let (hosts, now) = (self.hosts(), self.moment(now));
        let mut order: Vec<_> = (0..hosts.len()).collect();
        match self.choice.sort {
            Sort::Given => {}
            Sort::Name => order.sort_by(|a, b| hosts[*a].name.cmp(&hosts[*b].name)),
            Sort::State => order.sort_by_key(|index| std::cmp::Reverse(hosts[*index].state(now))),
            Sort::Cpu | Sort::Memory | Sort::Network => {
                let key = |index: &usize| {
                    let summary = hosts[*index].summary(now);
                    match self.choice.sort {
                        Sort::Cpu => summary.cpu,
                        Sort::Memory => summary.memory,
                        _ => summary.network(),
                    }
                };
                order.sort_by(|a, b| largest_first(key(a), key(b)));
            }
        }
        order
    }

    pub(super) fn obey(&mut self, command: Command, now: Instant) {
        let is_scrolling = self.choice.is_in_full;
        match command {
            Command::Move(by) if is_scrolling => self.choice.scroll = self.choice.scroll.saturating_add_signed(by),
            Command::First if is_scrolling => self.choice.scroll = 0,
            Command::Last if is_scrolling => self.choice.scroll = usize::MAX,
            Command::Move(by) | Command::Switch(by) => self.step(by, now),
            Command::First => self.step(isize::MIN, now),
            Command::Last => self.step(isize::MAX, now),
            Command::Open => {
                self.choice.is_in_full = true;
                self.choice.scroll = 0;
            }
            Command::Back if self.choice.is_help => self.choice.is_help = false,
            Command::Back => self.choice.is_in_full = false,
            Command::Sort => self.choice.sort = self.choice.sort.next(),
            Command::Pause => {
                self.frozen = match self.frozen.take() {
                    Some(_) => None,
                    None => Some(Frozen { hosts: self.live.clone(), since: now }),
                };
            }
            Command::Help => self.choice.is_help = !self.choice.is_help,
        }
    }

    /// So many rows further down.
    fn step(&mut self, by: isize, now: Instant) {
        let order = self.order(now);
        let row = order.iter().position(|host| *host == self.choice.host).unwrap_or(0);
        self.choice.host = order[row.saturating_add_signed(by).min(order.len() - 1)];
        self.choice.scroll = 0;
    }
}

/// What is missing comes last.
fn largest_first(a: Option<f64>, b: Option<f64>) -> Ordering {
    b.unwrap_or(f64::NEG_INFINITY).total_cmp(&a.unwrap_or(f64::NEG_INFINITY))
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{hello, sample, schema},
        *,
    };

    /// Three hosts; those with a number are live, with this CPU load.
    fn model(loads: [Option<f64>; 3], now: Instant) -> Model {
        let mut model = Model::new(["web-1", "db", "web-2"].map(Into::into));
        for (host, load) in loads.into_iter().enumerate().filter(|(_, load)| load.is_some()) {
            model.hear(host, Ok(hello(1)), now);
            model.hear(host, Ok(Event::Schema(schema())), now);
            model.hear(host, Ok(Event::Sample(sample(1, &[load; 7]))), now);
            model.hear(host, Ok(Event::Live), now);
        }
        model
    }

    #[test]
    fn the_cursor_stays_with_its_host_when_rows_change_places() {
        let now = Instant::now();
        let mut model = model([Some(0.1), None, Some(0.9)], now);
        model.obey(Command::Move(2), now);
        assert_eq!((model.order(now), model.choice.host), (vec![0, 1, 2], 2));
        model.obey(Command::Sort, now);
        assert_eq!((model.order(now), model.choice.host), (vec![1, 0, 2], 2));
        model.choice.sort = Sort::Cpu;
        assert_eq!((model.order(now), model.choice.host), (vec![2, 0, 1], 2));
        model.obey(Command::Move(1), now);
        assert_eq!(model.chosen().name, "web-1");
        model.choice.sort = Sort::State;
        assert_eq!(model.order(now), [1, 0, 2], "trouble first");
        for _ in 0..4 {
            model.obey(Command::Sort, now);
        }
        assert_eq!(model.choice.sort, Sort::Given);
    }

    #[test]
    fn no_step_leads_beyond_the_rows() {
        let now = Instant::now();
        let mut model = model([None; 3], now);
        for (command, host) in [
            (Command::Move(-1), 0),
            (Command::Last, 2),
            (Command::Move(5), 2),
            (Command::First, 0),
            (Command::Switch(isize::MAX), 2),
        ] {
            model.obey(command, now);
            assert_eq!(model.choice.host, host, "{command:?}");
        }
    }

    #[test]
    fn a_pause_holds_what_is_shown_and_loses_nothing_of_what_comes() {
        let now = Instant::now();
        let mut model = model([Some(0.1), None, None], now);
        model.obey(Command::Pause, now);
        let later = now + Duration::from_secs(42);
        model.hear(0, Ok(Event::Sample(sample(2, &[Some(0.7); 7]))), later);
        assert_eq!(model.behind(later), Some(Duration::from_secs(42)));
        assert_eq!(model.chosen().summary(model.moment(later)).cpu, Some(0.1));
        model.obey(Command::Pause, later);
        assert_eq!(model.behind(later), None);
        assert_eq!(model.chosen().summary(model.moment(later)).cpu, Some(0.7));
        assert_eq!(model.chosen().count.samples, 2);
    }
}
