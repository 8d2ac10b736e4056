//! One who comes and goes as chance has it, and holds what it hears against what was promised.

use std::{
    io::BufRead,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use hostcast::protocol::Message;

use crate::support::{Account, Feed, Heard, Raw, SUBPROTOCOLS, TestDaemon, opcode};

/// Xorshift: chance that a seed repeats.
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
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
pub(super) struct Counts {
    pub(super) visits: AtomicU64,
    pub(super) resumes: AtomicU64,
    pub(super) samples: AtomicU64,
    pub(super) missing: AtomicU64,
    pub(super) sent_away: AtomicU64,
}

pub(super) struct Visitor<'a> {
    pub(super) daemon: &'a TestDaemon,
    pub(super) chance: Chance,
    pub(super) counts: &'a Counts,
}

impl Visitor<'_> {
    pub(super) fn visit(&mut self) {
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
