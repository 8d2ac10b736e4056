//! Pictures, as a terminal would show them.

use std::time::Duration;

use proptest::prelude::*;
use ratatui::{Terminal, backend::TestBackend, style::Modifier};

use super::*;
use crate::{
    client::{Event, Lost, Refused},
    protocol::{Gap, GapReason, Replay},
    watch::{
        model::{Command, Sort},
        tests::{hello, sample, schema},
    },
};

/// CPU and memory by this number of hundredths, some traffic, and a filesystem.
fn values(hundredth: u64) -> [Option<f64>; 7] {
    let level = hundredth as f64 / 100.0;
    [Some(level), Some(1000.0 * level), Some(1000.0), Some(12_500.0), Some(125.0), None, Some(4096.0)]
}

/// One host that is live, one that comes back in four seconds, and one that has refused.
fn three(now: Instant) -> Model {
    let mut model = Model::new(["web-1", "db", "cache"].map(Into::into));
    for host in [0, 1] {
        model.hear(host, Ok(hello(1)), now);
        model.hear(host, Ok(Event::Schema(schema())), now);
        for seq in 1..=8 {
            model.hear(host, Ok(Event::Sample(sample(seq, &values(seq * 10)))), now);
        }
    }
    model.hear(0, Ok(Event::Live), now);
    let error = std::io::ErrorKind::ConnectionRefused.into();
    let why = Lost::Connect { address: "10.0.0.2:7117".into(), error };
    model.hear(1, Ok(Event::Lost { why, retry_in: Duration::from_secs(4) }), now);
    model.hear(2, Err(Refused::Status { status: 401, message: "no such token".into() }), now);
    model
}

fn terminal(model: &Model, width: u16, height: u16, now: Instant) -> (Terminal<TestBackend>, Drawn) {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let mut drawn = Drawn::default();
    terminal.draw(|frame| drawn = draw(frame, model, now)).unwrap();
    (terminal, drawn)
}

fn picture(model: &Model, width: u16, height: u16, now: Instant) -> Vec<String> {
    let (terminal, _) = terminal(model, width, height, now);
    let buffer = terminal.backend().buffer();
    let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    (0..height).map(line).collect()
}

fn full(model: &mut Model, now: Instant) -> String {
    model.obey(Command::Open, now);
    picture(model, 80, 40, now).join("\n")
}

#[test]
fn a_row_tells_the_state_of_its_host_and_shows_no_number_that_is_not_true_now() {
    let now = Instant::now();
    let mut model = three(now);
    model.obey(Command::Move(1), now);
    assert_eq!(
        picture(&model, 90, 8, now),
        [
            "hostcast  3 hosts, 1 live",
            "HOST   STATE            CPU               MEMORY               ↓bit/s ↑bit/s",
            "web-1  live          80.0 %           ▃▆  80.0 %           ▃▆   100 k 1.00 k           ██",
            "db     again in 4s        –           ▃▆       –           ▃▆       –      –           ██",
            "cache  refused       refused with 401 (a token is needed, or the one given is not known):",
            "",
            "db: cannot connect to 10.0.0.2:7117: connection refused",
            "↑↓ choose  enter in full  s sort: as given  space pause  ? help  q quit",
        ]
    );
}

#[test]
fn a_host_that_falls_silent_grows_stale() {
    let now = Instant::now();
    let model = three(now);
    let later = now + Duration::from_secs(12);
    let row = &picture(&model, 80, 8, later)[2];
    assert!(row.starts_with("web-1  stale 12 s         –"), "{row}");
    assert!(picture(&model, 80, 8, later)[3].starts_with("db     connecting"));
}

#[test]
fn the_past_shows_no_numbers_and_a_replay_says_of_when_its_numbers_are() {
    let now = Instant::now();
    let mut model = three(now);
    model.hear(0, Ok(hello(1)), now);
    model.hear(0, Ok(Event::Sample(sample(9, &values(90)))), now);
    let row = picture(&model, 90, 8, now)[2].clone();
    assert!(row.starts_with("web-1  catching up        –"), "{row}");
    let Event::Hello(mut hello) = hello(1) else { unreachable!() };
    hello.replay = Some(Replay { from: 0, to: 0, speed: 0.0 });
    model.hear(0, Ok(Event::Hello(hello)), now);
    model.hear(0, Ok(Event::Live), now);
    // It stands still at its end, and is no worse for that.
    let rows = picture(&model, 90, 8, now + Duration::from_hours(1));
    assert_eq!(rows[0], "hostcast  3 hosts, 0 live");
    assert!(rows[2].starts_with("web-1  replay        90.0 %"), "{rows:?}");
    assert_eq!(rows[6], "web-1: a replay, at 2026-11-22T18:24:39Z");
}

#[test]
fn what_is_missing_is_a_gap_in_the_sparkline_and_a_dash_in_the_numbers() {
    let now = Instant::now();
    let mut model = three(now);
    let gap =
        Gap { epoch: "0000000000000001".parse().unwrap(), from_seq: 9, to_seq: Some(12), reason: GapReason::Slow };
    model.hear(0, Ok(Event::Gap(gap)), now);
    model.hear(0, Ok(Event::Sample(sample(13, &values(90)))), now);
    let row = picture(&model, 270, 8, now)[2].clone();
    assert!(row.contains("▂▂▃▄▅▅▆▇····▇  90.0 %"), "{row}");
    model.hear(0, Ok(Event::Sample(sample(14, &[None; 7]))), now);
    let row = picture(&model, 270, 8, now)[2].clone();
    assert!(row.contains("      –  ") && row.contains("▇····▇·"), "{row}");
    let full = full(&mut model, now);
    assert!(full.contains("10 samples, 4 missing"), "{full}");
}

#[test]
fn a_pause_says_how_far_behind_it_is_and_nothing_moves() {
    let now = Instant::now();
    let mut model = three(now);
    let before = picture(&model, 80, 10, now);
    model.obey(Command::Pause, now);
    let later = now + Duration::from_secs(42);
    model.hear(0, Ok(Event::Sample(sample(9, &values(90)))), later);
    let after = picture(&model, 80, 10, later);
    assert_eq!(after[0], format!("hostcast  3 hosts, 1 live{}paused, 42 s behind", " ".repeat(36)));
    assert_eq!(after[1..], before[1..]);
}

#[test]
fn one_host_in_full_has_every_group_and_what_no_group_knows() {
    let now = Instant::now();
    let mut model = three(now);
    let mut schema = schema();
    schema.series[5].id = "system.novelty".into();
    schema.series[5].name = "system.novelty".into();
    model.hear(0, Ok(Event::Schema(schema)), now);
    let mut last = values(50);
    last[5] = Some(7.5);
    model.hear(0, Ok(Event::Sample(sample(9, &last))), now);
    let full = full(&mut model, now);
    for promised in [
        "web-1  live",
        "  web-1.example.org: Debian GNU/Linux 12, Linux 6.1.0, 2 CPUs",
        "  site=fra1",
        "  every 1000 ms, 9 samples, none missing",
        "CPU      50.0 %",
        "MEMORY   50.0 %",
        "  used 500 B  of 1000 B",
        "                 ↓ bit/s  packets/s    ↑ bit/s  packets/s  dropped/s   errors/s",
        "  eth0             100 k          –     1.00 k          –          –          –",
        "  / ············       –  – of 4.00 KiB",
        "ELSE\n  system.novelty  7.5 By/s",
    ] {
        assert!(full.contains(promised), "{promised}\n{full}");
    }
    // Without a connection the same lines are there, and no number of the past.
    model.hear(0, Err(Refused::Protocol("x".into())), now);
    let away = picture(&model, 80, 40, now).join("\n");
    assert!(away.contains("  used –  of –") && away.contains("system.novelty  –"), "{away}");
}

#[test]
fn the_cursor_is_seen_however_many_hosts_there_are() {
    let now = Instant::now();
    let mut model = Model::new((0..100).map(|number| format!("host-{number}")));
    for (command, host) in [(Command::Last, "host-99"), (Command::Move(-50), "host-49"), (Command::First, "host-0 ")] {
        model.obey(command, now);
        let (terminal, _) = terminal(&model, 60, 10, now);
        let buffer = terminal.backend().buffer();
        let is_chosen = |y: &u16| buffer[(0, *y)].modifier.contains(Modifier::REVERSED);
        let row: Vec<u16> = (0..10).filter(is_chosen).collect();
        assert_eq!(row.len(), 1, "{command:?}");
        let text: String = (0..60).map(|x| buffer[(x, row[0])].symbol()).collect();
        assert!(text.starts_with(host), "{text}");
    }
}

#[test]
fn the_help_names_every_sort() {
    let now = Instant::now();
    let mut model = three(now);
    model.obey(Command::Help, now);
    let help = picture(&model, 80, 24, now).join("\n");
    for _ in 0..6 {
        model.obey(Command::Sort, now);
        assert!(help.contains(model.choice.sort.name()), "{help}");
    }
    assert_eq!(model.choice.sort, Sort::Given);
    model.obey(Command::Back, now);
    assert!(picture(&model, 80, 24, now)[1].starts_with("HOST"));
}

#[test]
fn what_a_server_sends_cannot_take_over_the_terminal() {
    let now = Instant::now();
    let mut model = three(now);
    model.hear(0, Err(Refused::Protocol("\u{1b}]0;evil\u{7}\u{1b}[2J".into())), now);
    let Event::Hello(mut hello) = hello(1) else { unreachable!("it is a hello") };
    hello.host.host.os = "\u{1b}[2J".into();
    model.hear(0, Ok(Event::Hello(hello)), now);
    for _ in 0..2 {
        assert!(!picture(&model, 80, 40, now).concat().contains(char::is_control));
        model.obey(Command::Open, now);
    }
}

proptest! {
    #[test]
    fn there_is_a_picture_for_every_size(
        width in 0_u16..200, height in 0_u16..60, is_in_full: bool, is_help: bool, scroll in 0_usize..100,
    ) {
        let now = Instant::now();
        let mut model = three(now);
        (model.choice.is_in_full, model.choice.is_help, model.choice.scroll) = (is_in_full, is_help, scroll);
        let (_, drawn) = terminal(&model, width, height, now);
        prop_assert!(drawn.last_scroll < 100);
    }
}
