//! Schedules of what befalls a line and of who is killed when: random, seeded, and so repeatable.

use std::{
    collections::HashMap,
    thread::{self, JoinHandle},
    time::Duration,
};

use hostcast::{
    protocol::{Epoch, GapReason, Message, WireSample},
    recording::{Found, Line, Reader},
};

use crate::support::{
    Fault, Heard, Pour, Proxy, Random, TestDaemon, eventually,
    recorder::{FORMS, Recorder, accounts_for, position, target},
    room_for,
};

const DAEMONS: u64 = 24;
const LINES: u64 = 10;

/// A daemon, and several lines to it, each with a schedule of its own.
struct Source {
    pour: Pour,
    lines: Vec<(String, Proxy)>,
    random: Random,
    /// Whether its ring holds everything that is published, so that nothing at all may be missing.
    holds_all: bool,
}

impl Source {
    fn new(number: u64) -> Self {
        let mut random = Random::new(number);
        let holds_all = number.is_multiple_of(2);
        let room = room_for(if holds_all { 10_000 } else { 40 + random.below(300) as usize });
        let pour = Pour::with(|config| {
            config.history.max_bytes = room;
            config.server.heartbeat = Duration::from_millis(200);
        });
        pour.publish(1);
        let line = |line: u64| {
            let seed = number * LINES + line;
            let (mut faults, mut connections) = (Random::new(1_000 + seed), 0);
            let bad = 1 + faults.below(5);
            let proxy = Proxy::start(pour.address.tcp(), move || {
                connections += 1;
                if connections > bad { Fault::None } else { Fault::random(&mut faults, 12_000) }
            });
            (format!("line-{seed}"), proxy)
        };
        let lines = (0..LINES).map(line).collect();
        Self { pour, lines, random, holds_all }
    }
}

#[test]
fn whatever_the_line_does_the_recording_is_whole_or_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let mut sources: Vec<_> = (0..DAEMONS).map(Source::new).collect();
    let lines = sources.iter().flat_map(|source| &source.lines);
    let targets: Vec<_> = lines.map(|(name, proxy)| target(name, &proxy.url())).collect();
    let mut random = Random::new(0);
    let mut recorder = Recorder::start(folder.path(), &targets);
    for round in 1..=16_usize {
        for Source { pour, random, .. } in &mut sources {
            pour.publish(random.below(50));
        }
        if round % 5 == 0 {
            recorder.kill();
            recorder = Recorder::with(folder.path(), &targets, FORMS[round / 5 % 2]);
        }
        thread::sleep(Duration::from_millis(50 + random.below(100)));
    }
    for Source { pour, lines, holds_all, .. } in &sources {
        for (name, _) in lines {
            recorder.wait_for(name, pour.newest());
            let report = accounts_for(&folder.path().join(name), pour);
            assert!(report.is_whole() || !holds_all, "{name}: {report:?}");
        }
    }
}

#[test]
fn hosts_that_stand_still_do_not_keep_another_one_from_its_past() {
    // Nobody misses a word of it for ten minutes.
    let pour = Pour::with(|config| config.server.heartbeat = Duration::from_mins(5));
    pour.publish(5_000);
    let still: Vec<_> = (0..8).map(|_| Proxy::start(pour.address.tcp(), || Fault::Stall { after: 1_500 })).collect();
    let healthy = Proxy::healthy(pour.address.tcp());
    healthy.set_target(None);
    let mut targets: Vec<_> =
        still.iter().enumerate().map(|(number, line)| target(&format!("still-{number}"), &line.url())).collect();
    targets.push(target("healthy", &healthy.url()));
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::start(folder.path(), &targets);
    eventually("all that stand still have begun", || recorder.log().matches(": connected").count() == still.len());
    healthy.set_target(Some(pour.address.tcp()));
    recorder.wait_for("healthy", 5_000);
    for number in 0..still.len() {
        assert!(position(&folder.path().join(format!("still-{number}"))).is_none_or(|position| position.seq < 5_000));
    }
}

/// What a daemon streams to someone on a healthy line, until it is killed.
type Witness = JoinHandle<(Epoch, Vec<WireSample>)>;

fn witness(daemon: &TestDaemon) -> Witness {
    let mut feed = daemon.feed("history=all", "hostcast.v1.json");
    thread::spawn(move || {
        let (epoch, mut samples) = (feed.hello().epoch, Vec::new());
        while let Heard::Message(message) = feed.hear() {
            match *message {
                Message::History(chunk) => samples.extend(chunk.samples),
                Message::Sample(sample) => samples.push(sample),
                _ => {}
            }
        }
        (epoch, samples)
    })
}

/// A host whose daemon is killed now and then, behind a line that breaks.
struct Mortal {
    name: String,
    daemon: Option<TestDaemon>,
    line: Proxy,
    random: Random,
    witnesses: Vec<Witness>,
}

impl Mortal {
    fn new(number: u64) -> Self {
        let daemon = TestDaemon::with("[sampler]\ninterval = \"100ms\"\n[server]\nheartbeat = \"1s\"\n");
        let (mut faults, mut connections) = (Random::new(number), 0);
        let line = Proxy::start(daemon.address.tcp(), move || {
            connections += 1;
            if connections % 2 == 0 { Fault::None } else { Fault::random(&mut faults, 40_000) }
        });
        let witnesses = vec![witness(&daemon)];
        Self { name: format!("mortal-{number}"), daemon: Some(daemon), line, random: Random::new(number), witnesses }
    }

    fn die_and_rise(&mut self) {
        self.line.set_target(None);
        let daemon = self.daemon.take().unwrap().kill_and_restart();
        self.witnesses.push(witness(&daemon));
        self.line.set_target(Some(daemon.address.tcp()));
        self.daemon = Some(daemon);
    }
}

#[test]
fn whoever_is_killed_whenever_the_recording_has_what_the_daemons_took() {
    let folder = tempfile::tempdir().unwrap();
    let mut hosts: Vec<_> = (0..6).map(Mortal::new).collect();
    let targets: Vec<_> = hosts.iter().map(|host| target(&host.name, &host.line.url())).collect();
    let mut random = Random::new(1);
    let mut recorder = Recorder::start(folder.path(), &targets);
    for _ in 0..40 {
        for host in &mut hosts {
            if host.random.below(20) == 0 {
                host.die_and_rise();
            }
        }
        if random.below(8) == 0 {
            recorder.kill();
            recorder = Recorder::with(folder.path(), &targets, FORMS[random.below(2) as usize]);
        }
        thread::sleep(Duration::from_millis(random.below(200)));
    }
    for host in &mut hosts {
        host.line.set_faults(|| Fault::None);
        let epoch = host.daemon.as_ref().unwrap().feed("history=none", "hostcast.v1.json").hello().epoch;
        let folder = folder.path().join(&host.name);
        eventually(&format!("the last ring of {} is recorded", host.name), || {
            position(&folder).is_some_and(|position| position.epoch == epoch && position.seq >= 5)
        });
    }
    recorder.kill();
    for mut host in hosts {
        drop(host.daemon.take());
        let witnessed = host.witnesses.into_iter().map(|witness| witness.join().unwrap()).collect();
        agrees(&mut Reader::open(&folder.path().join(&host.name)).unwrap(), &witnessed);
    }
}

/// That each ring is recorded from its first sample on, as it was witnessed, up to where a gap says that it ended.
fn agrees(recording: &mut Reader, witnessed: &HashMap<Epoch, Vec<WireSample>>) {
    let (mut current, mut last, mut over) = (None, 0, true);
    // A part may begin with the end of a ring, and its hello is of the next one then.
    let mut is_ahead = false;
    while let Some(found) = recording.read().unwrap() {
        match found {
            Found::Line(_, Line::Hello { epoch, .. }) if over => (current, last, over) = (Some(epoch), 0, false),
            Found::Line(_, Line::Hello { epoch, .. }) => is_ahead = current != Some(epoch),
            Found::Line(text, line @ Line::Sample { epoch, seq, .. }) => {
                assert_eq!((current, seq, is_ahead), (Some(epoch), last + 1, false));
                // What it sent last of all, not everyone may have got.
                if let Some(sample) = witnessed[&epoch].get(seq as usize - 1) {
                    assert_eq!(serde_json::from_slice::<WireSample>(&text.json(&line)).unwrap(), *sample);
                } else {
                    assert_eq!(seq as usize, witnessed[&epoch].len() + 1);
                }
                last = seq;
            }
            Found::Line(_, Line::Gap(gap)) => {
                assert_eq!((Some(gap.epoch), gap.from_seq, gap.reason), (current, last + 1, GapReason::Restarted));
                (over, is_ahead) = (true, false);
            }
            // The recorder was killed last of all.
            Found::Torn(_) => {}
            Found::Damaged(why) => panic!("{why}"),
        }
    }
}
