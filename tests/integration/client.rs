//! The client of the library: it follows, resumes, notices, and gives up where it is not wanted.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    thread,
    time::{Duration, Instant},
};

use hostcast::{
    client::{Builder, Client, Event, History, Lost, Refused},
    config::Config,
    hub::GapReason,
    protocol::{Gap, Message, WireSample},
};

use crate::support::{Account, Fault, PATIENCE, Pour, Proxy, Random, TestDaemon, room_for};

/// A client with a runtime of its own.
struct Follower {
    client: Client,
    runtime: tokio::runtime::Runtime,
}

impl Follower {
    fn new(builder: Builder) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { client: builder.build(), runtime }
    }

    fn next(&mut self) -> Result<Event, Refused> {
        let next = async { tokio::time::timeout(PATIENCE, self.client.next()).await.unwrap() };
        self.runtime.block_on(next)
    }

    /// The next event that `wanted` makes something of.
    fn until<T>(&mut self, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
        loop {
            if let Some(found) = wanted(self.next().unwrap()) {
                return found;
            }
        }
    }

    fn sample(&mut self) -> WireSample {
        self.until(|event| match event {
            Event::Sample(sample) => Some(sample),
            Event::Gap(gap) => panic!("{gap:?}"),
            _ => None,
        })
    }

    fn lost(&mut self) -> Lost {
        self.until(|event| if let Event::Lost { why, .. } = event { Some(why) } else { None })
    }

    fn refusal(&mut self) -> String {
        loop {
            if let Err(refused) = self.next() {
                assert_eq!(self.next().unwrap_err(), refused, "the end is the end");
                return refused.to_string();
            }
        }
    }
}

fn at(url: &str) -> Builder {
    let (first, longest) = (Duration::from_millis(1), Duration::from_millis(20));
    Client::builder(url.parse().unwrap()).history(History::All).backoff(first, longest)
}

#[test]
fn a_daemon_below_a_path_is_found_by_each_way_to_write_that() {
    let pour = Pour::with(|config| config.server.base_path = "/hosts/web-1".parse().unwrap());
    pour.publish(3);
    for path in ["/hosts/web-1", "/hosts/web-1/", "/hosts/web-1/api/v1/stream"] {
        let mut follower = Follower::new(at(&format!("http://{}{path}", pour.address)));
        assert_eq!(follower.sample().seq, 1, "{path}");
    }
    let lost = Follower::new(at(&format!("ws://{}", pour.address))).lost().to_string();
    assert!(lost.contains("404") && lost.contains("the dashboard is at /hosts/web-1/"), "{lost}");
}

#[test]
fn history_then_live_comes_as_it_was_published() {
    let pour = Pour::new();
    pour.publish(1_000);
    let mut follower = Follower::new(at(&format!("ws://{}", pour.address)));
    for seq in 1..=1_000 {
        let sample = follower.sample();
        assert_eq!(sample.seq, seq);
        pour.check(&[sample]);
    }
    follower.until(|event| matches!(event, Event::Live).then_some(()));
    pour.publish(1);
    assert_eq!(follower.sample().seq, 1_001);
    assert_eq!(follower.client.position().unwrap().seq, 1_001);
}

#[test]
fn a_connection_that_is_cut_is_resumed_without_a_hole_or_a_repetition() {
    let pour = Pour::new();
    pour.publish(10);
    let proxy = Proxy::healthy(pour.address.tcp());
    let mut follower = Follower::new(at(&proxy.url()));
    for round in 1..=20 {
        for seq in round * 10 - 9..=round * 10 {
            assert_eq!(follower.sample().seq, seq);
        }
        proxy.cut();
        pour.publish(10);
    }
    assert!(proxy.connections() >= 20);
}

#[test]
fn dropping_the_wait_for_an_event_loses_none() {
    let pour = Pour::new();
    pour.publish(300);
    let mut follower = Follower::new(at(&format!("ws://{}", pour.address)));
    let mut seqs = Vec::new();
    while seqs.len() < 300 {
        let client = &mut follower.client;
        let event = follower.runtime.block_on(async {
            tokio::select! {
                biased;
                event = client.next() => Some(event.unwrap()),
                () = tokio::task::yield_now() => None,
            }
        });
        if let Some(Event::Sample(sample)) = event {
            seqs.push(sample.seq);
        }
    }
    assert!(seqs.into_iter().eq(1..=300));
}

#[test]
fn a_half_open_connection_is_noticed_within_two_heartbeats() {
    let daemon = TestDaemon::with("[sampler]\ninterval = \"100ms\"\n[server]\nheartbeat = \"1s\"\n");
    let mut faults = [Fault::Stall { after: 20_000 }].into_iter();
    let proxy = Proxy::start(daemon.address.tcp(), move || faults.next().unwrap_or(Fault::None));
    let mut follower = Follower::new(at(&proxy.url()));
    let mut last_heard = Instant::now();
    let why = follower.until(|event| {
        if let Event::Lost { why, .. } = event {
            return Some(why);
        }
        last_heard = Instant::now();
        None
    });
    assert!(matches!(why, Lost::Silent(silence) if silence == Duration::from_secs(2)), "{why}");
    assert!(last_heard.elapsed() >= Duration::from_millis(1_900));
    // And it goes on where it stood.
    let position = follower.client.position().unwrap().seq;
    assert_eq!(follower.sample().seq, position + 1);
}

#[test]
fn a_quiet_host_is_not_taken_for_a_dead_one() {
    let daemon = TestDaemon::with("[sampler]\ninterval = \"10m\"\n[server]\nheartbeat = \"1s\"\n");
    let mut follower = Follower::new(at(&format!("ws://{}", daemon.address)));
    let mut heartbeats = 0;
    follower.until(|event| match event {
        Event::Heartbeat(_) => {
            heartbeats += 1;
            (heartbeats == 4).then_some(())
        }
        Event::Lost { why, .. } => panic!("{why}"),
        _ => None,
    });
}

#[test]
fn one_that_is_told_to_speak_less_often_is_waited_for_as_long() {
    let config = |heartbeat: &str| format!("[sampler]\ninterval = \"10m\"\n[server]\nheartbeat = \"{heartbeat}\"\n");
    let daemon = TestDaemon::with(&config("1s"));
    let mut follower = Follower::new(at(&format!("ws://{}", daemon.address)));
    follower.until(|event| matches!(event, Event::Heartbeat(_)).then_some(()));
    daemon.reload(&config("3s"));
    // By the first hello the line would be dead after two seconds of silence.
    let mut heartbeats = None;
    follower.until(|event| match event {
        Event::Notice(notice) => {
            heartbeats = notice.heartbeat_ms.map(|_| 0);
            None
        }
        Event::Heartbeat(_) => {
            let heartbeats = heartbeats.as_mut()?;
            *heartbeats += 1;
            (*heartbeats == 2).then_some(())
        }
        Event::Lost { why, .. } => panic!("{why}"),
        _ => None,
    });
}

#[test]
fn pings_are_answered() {
    let daemon = TestDaemon::with("[sampler]\ninterval = \"100ms\"\n[server.limits]\nping_interval = \"1s\"\n");
    let mut follower = Follower::new(at(&format!("ws://{}", daemon.address)));
    let started = Instant::now();
    // Whoever leaves two pings unanswered is dropped.
    while started.elapsed() < Duration::from_secs(4) {
        follower.sample();
    }
}

#[test]
fn a_restart_is_a_gap_that_is_told_once_and_the_new_ring_follows() {
    let daemon = TestDaemon::start();
    let proxy = Proxy::healthy(daemon.address.tcp());
    let mut follower = Follower::new(at(&proxy.url()));
    let old = follower.until(|event| if let Event::Hello(hello) = event { Some(hello.epoch) } else { None });
    let last = (0..3).map(|_| follower.sample().seq).last().unwrap();
    proxy.set_target(None);
    let daemon = daemon.kill_and_restart();
    daemon.wait_for(2);
    // The connection breaks again after the gap was told, several times.
    let mut breaks = 0;
    proxy.set_faults(move || {
        breaks += 1;
        if breaks < 9 { Fault::Cut { after: 700 + 40 * breaks } } else { Fault::None }
    });
    proxy.set_target(Some(daemon.address.tcp()));
    let mut gaps = Vec::new();
    let first = follower.until(|event| match event {
        Event::Gap(gap) => {
            gaps.push(gap);
            None
        }
        Event::Sample(sample) if !gaps.is_empty() => Some(sample.seq),
        _ => None,
    });
    let [Gap { epoch, from_seq, to_seq: None, reason: GapReason::Restarted }] = gaps[..] else { panic!("{gaps:?}") };
    // It may have read on before the daemon was killed.
    assert!(epoch == old && from_seq > last && first == 1, "{gaps:?}");
}

#[test]
fn what_was_evicted_meanwhile_is_told_exactly() {
    let room = room_for(50);
    let pour = Pour::with(|config: &mut Config| config.history.max_bytes = room);
    pour.publish(10);
    let proxy = Proxy::healthy(pour.address.tcp());
    let mut follower = Follower::new(at(&proxy.url()));
    let mut account = Account::from(pour.hub.epoch(), 1);
    for _ in 0..10 {
        account.sample(&follower.sample());
    }
    proxy.cut();
    pour.publish(500);
    while account.next <= pour.newest() {
        match follower.next().unwrap() {
            Event::Sample(sample) => account.sample(&sample),
            Event::Gap(gap) => account.message(&Message::Gap(gap)),
            _ => {}
        }
    }
    assert_eq!(account.missing() + account.seen, 510);
    assert!(account.missing() > 400);
}

#[test]
fn what_was_damaged_on_its_way_is_not_passed_on() {
    let pour = Pour::new();
    pour.publish(50);
    let whole = {
        let mut feed = pour.feed("history=all", "hostcast.v1.compact");
        feed.hello();
        feed.past()
    };
    for at_byte in (0..3_000).step_by(101) {
        let mut faults = [Fault::Corrupt { at: at_byte }].into_iter();
        let proxy = Proxy::start(pour.address.tcp(), move || faults.next().unwrap_or(Fault::None));
        let mut follower = Follower::new(at(&proxy.url()).patience(Duration::from_millis(300)));
        let samples: Vec<_> = (0..50).map(|_| follower.sample()).collect();
        assert_eq!(samples, whole, "byte {at_byte}");
    }
}

/// Random faults, one for each connection, while samples are published in bursts and the ring keeps but some of them.
fn follows_through(seed: u64) {
    let mut random = Random::new(seed);
    let room = room_for(30 + random.below(200) as usize);
    let pour = Pour::with(|config| {
        config.history.max_bytes = room;
        config.server.heartbeat = Duration::from_millis(100);
    });
    pour.publish(1);
    let (mut faults, bad) = (Random::new(seed + 1), 3 + random.below(8));
    let mut connections = 0;
    let proxy = Proxy::start(pour.address.tcp(), move || {
        connections += 1;
        if connections > bad { Fault::None } else { Fault::random(&mut faults, 12_000) }
    });
    let mut follower = Follower::new(at(&proxy.url()).patience(Duration::from_millis(150)));
    // From its first hello on, everything is due.
    let first = follower.until(|event| if let Event::Hello(hello) = event { Some(hello.oldest_seq) } else { None });
    let mut account = Account::from(pour.hub.epoch(), first);
    let mut bursts = 20 + random.below(20);
    while bursts > 0 || account.next <= pour.newest() {
        if bursts > 0 && (account.next > pour.newest() || random.below(4) == 0) {
            pour.publish(random.below(60));
            bursts -= 1;
            continue;
        }
        match follower.next().unwrap() {
            Event::Sample(sample) => {
                account.sample(&sample);
                pour.check(&[sample]);
            }
            Event::Gap(gap) => account.message(&Message::Gap(gap)),
            _ => {}
        }
    }
    let due = pour.newest() + 1 - first;
    assert_eq!((account.next, account.seen + account.missing()), (pour.newest() + 1, due), "seed {seed}");
}

#[test]
fn whatever_the_line_does_nothing_is_lost_untold_and_nothing_comes_twice() {
    let seeds = std::sync::atomic::AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                loop {
                    let seed = seeds.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if seed >= 200 {
                        return;
                    }
                    follows_through(seed);
                }
            });
        }
    });
}

/// A server that answers each connection with these bytes, and how often it was asked.
fn canned(answer: &'static [u8]) -> (SocketAddr, std::sync::mpsc::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (asked, asks) = std::sync::mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4 << 10];
            let _ = stream.read(&mut request);
            // Before whoever asked may go on.
            if asked.send(()).is_err() {
                return;
            }
            let _ = stream.write_all(answer);
        }
    });
    (address, asks)
}

#[test]
fn who_is_refused_does_not_come_back_and_says_why() {
    for (answer, why) in [
        (&b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"[..], "401 (a token is needed"),
        (
            b"HTTP/1.1 403 Forbidden\r\nContent-Length: 7\r\n\r\nnot you",
            "403 (this token may not read the stream): not you",
        ),
    ] {
        let (address, asks) = canned(answer);
        let mut follower = Follower::new(at(&format!("ws://{address}")));
        let refusal = follower.refusal();
        assert!(refusal.contains(why), "{refusal}");
        assert_eq!(asks.try_iter().count(), 1);
    }
    let pour = Pour::new();
    let mut follower = Follower::new(at(&format!("ws://{}", pour.address)).metrics("system.cqu"));
    let refusal = follower.refusal();
    assert!(refusal.contains("400") && refusal.contains("no metric begins with \\\"system.cqu\\\""), "{refusal}");
}

#[test]
fn who_is_not_served_for_now_comes_back() {
    let (address, asks) = canned(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nfull");
    let mut follower = Follower::new(at(&format!("ws://{address}")));
    for _ in 0..3 {
        assert_eq!(follower.lost().to_string(), "answered 503 instead of the stream: full");
    }
    assert!(asks.try_iter().count() >= 3);
    let (address, _asks) = canned(b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n");
    assert!(matches!(Follower::new(at(&format!("ws://{address}"))).lost(), Lost::Garbled(_)));
}

#[test]
fn when_the_daemon_stops_its_wish_is_honoured() {
    let mut daemon = TestDaemon::start();
    let mut follower =
        Follower::new(at(&format!("ws://{}", daemon.address)).backoff(Duration::from_millis(1), PATIENCE));
    follower.sample();
    daemon.signal(rustix::process::Signal::TERM);
    let (why, retry_in) = follower.until(|event| match event {
        Event::Lost { why, retry_in } => Some((why, retry_in)),
        _ => None,
    });
    assert_eq!(why.to_string(), "the server closed with 1001: shutting_down");
    // Around the second that the daemon asks for, and not the millisecond of the client's own.
    assert!((Duration::from_millis(500)..Duration::from_millis(1_500)).contains(&retry_in), "{retry_in:?}");
    daemon.wait();
}

#[test]
fn only_what_is_asked_for_comes() {
    let daemon = TestDaemon::start();
    let builder =
        at(&format!("ws://{}", daemon.address)).metrics("system.cpu.load_average").every(Duration::from_secs(1));
    let mut follower = Follower::new(builder);
    let ids = follower.until(|event| match event {
        Event::Schema(schema) => Some(schema.series.into_iter().map(|series| series.id).collect::<Vec<_>>()),
        _ => None,
    });
    assert_eq!(ids, ["1m", "5m", "15m"].map(|span| format!("system.cpu.load_average.{span}")));
    let folded = follower.sample();
    assert!(folded.samples.is_some() && folded.min.is_some() && folded.max.is_some());
}
