//! `make soak`: for half an hour subscribers come and go, stall, break off and resume, as chance has it. In the end the
//! daemon has to be as it was, and nobody may have lost a sample without a `gap`.

use std::{
    io::BufRead,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use hostcast::protocol::Message;

use crate::support::{Account, Feed, Heard, PATIENCE, Raw, SUBPROTOCOLS, TestDaemon, opcode};

/// A short history, which is full when the measuring begins, and little patience.
const CONFIG: &str = "[sampler]\ninterval = \"100ms\"\n[history]\nwindow = \"20s\"\n\
    [server]\ncompression = \"always\"\n[server.limits]\nmax_backlog = \"64KiB\"\nstall_timeout = \"3s\"\n";
const VISITORS: u64 = 48;
const WARM_UP: Duration = Duration::from_secs(40);
/// What the allocator may keep of a crowd: it gives back whole pages at the end of an arena only, and which threads
/// have served the crowd is chance.
const MEMORY_TOLERANCE_KIB: u64 = 4 << 10;

/// Xorshift: chance that a seed repeats.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        for (left, shift) in [(true, 13), (false, 7), (true, 17)] {
            self.0 ^= if left { self.0 << shift } else { self.0 >> shift };
        }
        self.0 % bound
    }

    fn pause(&mut self, most_ms: u64) {
        thread::sleep(Duration::from_millis(self.below(most_ms)));
    }
}

#[derive(Default)]
struct Counts {
    visits: AtomicU64,
    resumes: AtomicU64,
    samples: AtomicU64,
    missing: AtomicU64,
    sent_away: AtomicU64,
}

/// What the daemon has of the system.
#[derive(Debug)]
struct Footprint {
    descriptors: usize,
    threads: usize,
    memory_kib: u64,
}

impl Footprint {
    fn of(daemon: &TestDaemon) -> Self {
        let proc = format!("/proc/{}", daemon.pid().as_raw_nonzero());
        let count = |folder: &str| std::fs::read_dir(format!("{proc}/{folder}")).unwrap().count();
        let status = std::fs::read_to_string(format!("{proc}/status")).unwrap();
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
        Self { descriptors: count("fd"), threads: count("task"), memory_kib: memory.unwrap().parse().unwrap() }
    }

    /// Once nobody is connected, and nothing has changed for a while: what serves requests rests only then.
    fn at_rest(daemon: &TestDaemon) -> Self {
        let started = Instant::now();
        loop {
            let before = Self::of(daemon);
            thread::sleep(Duration::from_secs(12));
            let after = Self::of(daemon);
            if before.descriptors == after.descriptors && before.threads == after.threads {
                return after;
            }
            assert!(started.elapsed() < 4 * PATIENCE, "it does not come to rest: {before:?}, {after:?}");
        }
    }
}

struct Visitor<'a> {
    daemon: &'a TestDaemon,
    chance: Chance,
    counts: &'a Counts,
}

impl Visitor<'_> {
    fn visit(&mut self) {
        self.counts.visits.fetch_add(1, Ordering::Relaxed);
        match self.chance.below(8) {
            0..4 => self.follow(),
            4 => self.break_off(),
            5 => self.half_close(),
            6 => self.read_over_http(),
            _ => self.ask_over_http(),
        }
    }

    /// Follows the stream, with losses of the connection, from which it resumes.
    fn follow(&mut self) {
        let all = self.chance.below(2) == 0;
        let subprotocol = SUBPROTOCOLS[self.chance.below(2) as usize];
        let mut feed = self.daemon.feed(if all { "history=all" } else { "history=none" }, subprotocol);
        let hello = feed.hello();
        let mut account = Account::from(hello.epoch, if all { hello.oldest_seq } else { hello.next_seq });
        for _ in 0..self.chance.below(5) {
            let messages = 1 + self.chance.below(40);
            let ended = self.listen(&mut feed, &mut account, messages);
            match self.chance.below(3) {
                0 if !ended => feed.close(),
                1 => feed.reset(),
                _ => drop(feed),
            }
            self.chance.pause(3_000);
            let position = account.position();
            let since = format!("since={}:{}", position.epoch, position.seq);
            let mut wire = self.daemon.address.connect();
            if self.chance.below(3) == 0 {
                wire = self.daemon.address.connect_with_small_buffer();
            }
            feed = Feed::over(wire, &self.daemon.address, &since, &[subprotocol]);
            assert_eq!(feed.hello().epoch, account.epoch);
            self.counts.resumes.fetch_add(1, Ordering::Relaxed);
            if self.chance.below(4) == 0 {
                // Too slow, perhaps for the patience of the server.
                self.chance.pause(9_000);
            }
        }
        self.listen(&mut feed, &mut account, 10);
        self.counts.samples.fetch_add(account.seen, Ordering::Relaxed);
        self.counts.missing.fetch_add(account.missing(), Ordering::Relaxed);
    }

    /// Whether the connection is over.
    fn listen(&self, feed: &mut Feed, account: &mut Account, messages: u64) -> bool {
        for _ in 0..messages {
            match feed.hear() {
                Heard::Message(message) => {
                    if matches!(*message, Message::Bye(_)) {
                        self.counts.sent_away.fetch_add(1, Ordering::Relaxed);
                    }
                    account.message(&message);
                }
                Heard::Closed { .. } => {}
                Heard::Ended => return true,
            }
        }
        false
    }

    /// Breaks off, in whatever state its connection is.
    fn break_off(&mut self) {
        let request = Raw::request(&self.daemon.address, "history=all");
        let mut wire = self.daemon.address.connect();
        let sent = self.chance.below(request.len() as u64 + 1) as usize;
        std::io::Write::write_all(&mut wire, &request[..sent]).unwrap();
        self.chance.pause(200);
        if self.chance.below(2) == 0 {
            wire.reset();
        }
    }

    fn half_close(&mut self) {
        let mut raw = Raw::open(&self.daemon.address);
        let is_polite = self.chance.below(2) == 0;
        self.chance.pause(500);
        if is_polite {
            raw.send(&Raw::frame(opcode::CLOSE, &1000_u16.to_be_bytes()));
        }
        raw.wire.shut_down_write();
        if is_polite {
            assert_eq!(raw.read_close().0, Some(1000));
        }
        raw.wire.read_until_closed();
    }

    /// Follows `/api/v1/samples`, and leaves in the middle of it.
    fn read_over_http(&mut self) {
        let mut http = self.daemon.http();
        let (_, rows) = http.follow("/api/v1/samples?last=2s&format=ndjson&follow=true");
        let seqs = rows.lines().take(1 + self.chance.below(40) as usize).map(|row| {
            let row: serde_json::Value = serde_json::from_str(&row.unwrap()).unwrap();
            row["seq"].as_u64().unwrap()
        });
        let seqs: Vec<u64> = seqs.collect();
        assert!(seqs.windows(2).all(|pair| pair[1] == pair[0] + 1), "{seqs:?}");
        self.counts.samples.fetch_add(seqs.len() as u64, Ordering::Relaxed);
    }

    fn ask_over_http(&mut self) {
        let mut http = self.daemon.http();
        for path in ["/api/v1/samples?last=all", "/api/v1/schema", "/api/v1/status", "/", "/nowhere"] {
            let status = http.get(path).status;
            assert_eq!(status, if path == "/nowhere" { 404 } else { 200 }, "{path}");
            self.chance.pause(50);
        }
    }
}

/// Sends visitors until the time is up, and waits until they have left.
fn crowd(what: &str, daemon: &TestDaemon, seed: u64, counts: &Counts, time: Duration) {
    let (started, all_left) = (Instant::now(), Arc::new(AtomicBool::new(false)));
    thread::scope(|scope| {
        let visitors: Vec<_> = (1..=VISITORS)
            .map(|number| {
                let chance = Chance(seed.wrapping_add(number.wrapping_mul(0x9E37_79B9_7F4A_7C15)) | 1);
                let mut visitor = Visitor { daemon, chance, counts };
                scope.spawn(move || {
                    while started.elapsed() < time {
                        visitor.visit();
                    }
                })
            })
            .collect();
        let done = Arc::clone(&all_left);
        scope.spawn(move || {
            let mut minutes = 0;
            while !done.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(100));
                if started.elapsed().as_secs() / 60 > minutes {
                    minutes += 1;
                    report(&format!("{what}, {minutes} min"), daemon, counts);
                }
            }
        });
        let failures = visitors.into_iter().filter_map(|visitor| visitor.join().err()).count();
        all_left.store(true, Ordering::Relaxed);
        assert_eq!(failures, 0, "visitors who did not get what they were promised");
    });
}

fn report(when: &str, daemon: &TestDaemon, counts: &Counts) {
    let Footprint { descriptors, threads, memory_kib } = Footprint::of(daemon);
    let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
    println!(
        "soak: {when}: {} visits, {} resumes, {} samples, {} named missing, {} sent away; \
         {descriptors} descriptors, {threads} threads, {memory_kib} KiB",
        count(&counts.visits),
        count(&counts.resumes),
        count(&counts.samples),
        count(&counts.missing),
        count(&counts.sent_away),
    );
}

#[test]
#[ignore = "takes half an hour: make soak"]
fn after_a_long_time_with_many_visitors_the_daemon_is_as_it_was_and_nothing_was_lost_in_silence() {
    let from_environment = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().expect(name));
    let minutes = from_environment("SOAK_MINUTES").unwrap_or(30);
    let seed = from_environment("SOAK_SEED").unwrap_or_else(|| getrandom::u64().unwrap() >> 16);
    println!("soak: {minutes} min with {VISITORS} visitors; again with SOAK_SEED={seed}");
    let daemon = TestDaemon::with(CONFIG);
    // What a crowd takes once and for all, such as the threads that answer HTTP, is taken before the measuring begins.
    crowd("warming up", &daemon, !seed, &Counts::default(), WARM_UP);
    let before = Footprint::at_rest(&daemon);
    println!("soak: at rest before: {before:?}");
    let counts = Counts::default();
    crowd("measured", &daemon, seed, &counts, Duration::from_secs(60 * minutes));
    let after = Footprint::at_rest(&daemon);
    report("at rest after", &daemon, &counts);

    let status = daemon.status();
    assert_eq!(status["stream"]["subscribers"], 0, "{status}");
    assert_eq!(status["connections"]["open"], 1, "{status}");
    assert_eq!(after.descriptors, before.descriptors, "file descriptors were left behind");
    assert_eq!(after.threads, before.threads, "threads were left behind");
    assert!(after.memory_kib <= before.memory_kib + MEMORY_TOLERANCE_KIB, "it has grown from {before:?} to {after:?}");
    let missing = counts.missing.load(Ordering::Relaxed);
    assert!(missing > 0 || minutes < 5, "nobody was too slow, so nothing was shown of gaps");
    println!("soak: passed: nothing was lost without a gap, and nothing was left behind");
}
