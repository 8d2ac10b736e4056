//! A model check of what happens between the sampler, the lanes and those who come and go: the hub, the view, the
//! mailbox and the subscriber are the real ones, and a scheduler runs their threads in every order, or in thousands.
//!
//! Only what belongs to the kernel is stood in for: an eventfd by a channel for one, other events by mail. So the loop of
//! a lane is here once more, in the order of the real one, but without its clock, and with sockets that are never full.

#![expect(clippy::unwrap_used, reason = "what fails here fails the check")]

mod wakeups;

use std::{
    io::{ErrorKind, Read},
    os::unix::net::UnixStream,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use shuttle::{
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

use super::{
    Socket, StreamStats,
    mailbox::Mailbox,
    subscriber::{Subscriber, Turn},
};
use crate::{
    config::{HistoryConfig, Limits},
    history::Position,
    hub::{Hub, Start},
    metric,
    protocol::{Encoding, Hello, HelloHost, Message, MetricFilter},
    sample::{Reading, Schema, Series},
    server::{
        connections::Connections,
        view::{HistoryReader, View},
        views::{Views, Wishes},
    },
};

enum Mail {
    Join {
        socket: UnixStream,
        start: Start,
        heard: SyncSender<()>,
    },
    /// Epoll would tell that a client has closed.
    Hangup,
    Stop,
}

#[derive(Clone)]
struct Scene {
    hub: Hub,
    view: Arc<View>,
    mailbox: Arc<Mailbox<Mail>>,
}

fn schema() -> Arc<Schema> {
    Arc::new(Schema { revision: 1, series: vec![Series::new(metric::UPTIME, [])] })
}

fn publish(hub: &Hub, schema: &Arc<Schema>) {
    let seq = hub.next_seq();
    let moment = Duration::from_millis(seq);
    let time = SystemTime::UNIX_EPOCH + moment;
    let values = [seq as f64].into();
    let elapsed = Duration::from_millis(1);
    assert_eq!(hub.publish(Reading { time, moment, elapsed, missed: None, schema: Arc::clone(schema), values }), seq);
}

/// A mailbox, and what its lane waits for.
fn mailbox<M>(next: Option<&Arc<Mailbox<M>>>) -> (Arc<Mailbox<M>>, Receiver<()>) {
    let (wake, woken) = sync_channel(1);
    let wake = move || {
        // Where it is full, the lane has yet to wake.
        let _ = wake.try_send(());
    };
    (Arc::new(Mailbox::new(wake, next.cloned())), woken)
}

impl Scene {
    fn set(max_history_bytes: u64, max_backlog: usize) -> (Self, Receiver<()>) {
        let hub = Hub::new(&HistoryConfig { window: Duration::from_hours(1), max_bytes: max_history_bytes });
        let (encoding, metrics) = (Encoding::Compact, MetricFilter::all());
        let wishes = Wishes { encoding, metrics, buckets: None, is_compressed: false };
        let view = Views::new(hub.clone(), max_backlog as u64).get(wishes).unwrap();
        let (mailbox, woken) = mailbox(None);
        let listener = Arc::clone(&mailbox);
        hub.on_publish(move || listener.publish());
        (Self { hub, view, mailbox }, woken)
    }

    /// As `Worker::run`.
    fn lane(&self, woken: &Receiver<()>) {
        let (connections, stats, now) = (Connections::new(&Limits::default()), StreamStats::default(), Instant::now());
        let mut subscribers: Vec<(Subscriber, SyncSender<()>)> = Vec::new();
        loop {
            woken.recv().unwrap();
            let published = self.mailbox.take_published();
            let mut unfinished = Vec::new();
            for mail in self.mailbox.open() {
                match mail {
                    Mail::Join { socket, start, heard } => {
                        socket.set_nonblocking(true).unwrap();
                        let socket = Socket::Unix(mio::net::UnixStream::from_std(socket));
                        let joined = self.hub.join(start).unwrap();
                        let (protocol, server) = Hello::protocol_and_server();
                        let hello = Message::Hello(Hello {
                            protocol,
                            server,
                            host: HelloHost::default(),
                            epoch: joined.epoch,
                            interval_ms: 1,
                            oldest_seq: joined.oldest_seq,
                            next_seq: joined.next_seq,
                            heartbeat_ms: 1,
                            replay: None,
                        });
                        let (slot, view) = (connections.admit(None).unwrap(), Arc::clone(&self.view));
                        unfinished.push(subscribers.len());
                        subscribers.push((
                            Subscriber::new(socket, slot, view, &joined, &hello, Box::new(|| true), now),
                            heard,
                        ));
                    }
                    Mail::Hangup => {}
                    Mail::Stop => return,
                }
            }
            if published {
                for (subscriber, _) in &mut subscribers {
                    if subscriber.is_up_to_date() {
                        subscriber.write(now, &stats);
                    }
                }
            }
            for key in unfinished {
                while subscribers[key].0.write(now, &stats) == Turn::Yields {}
            }
            subscribers.retain_mut(|(subscriber, heard)| {
                // Where that is no news, its reader will look all the same.
                let _ = heard.try_send(());
                let is_gone = subscriber.read(&mut [0; 16], now) == Turn::Gone;
                if is_gone {
                    self.mailbox.has_left();
                }
                !is_gone
            });
        }
    }

    /// A client that leaves once it has heard of sample `leave_at`, and resumes; it ends when it knows of `last`.
    fn client(&self, start: Start, leave_at: u64, last: u64) -> Account {
        let mut account = Account::default();
        self.listen(start, &mut account, leave_at);
        self.mailbox.send(Mail::Hangup);
        let position = Position { epoch: self.hub.epoch(), seq: account.next.unwrap() - 1 };
        self.listen(Start::After(position), &mut account, last);
        self.mailbox.send(Mail::Hangup);
        account
    }

    fn listen(&self, start: Start, account: &mut Account, until: u64) {
        let (mut ours, socket) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let (heard, news) = sync_channel(1);
        self.mailbox.comes();
        self.mailbox.send(Mail::Join { socket, start, heard });
        let mut bytes = Vec::new();
        loop {
            // If it is never told of the last sample, then all wait, and the scheduler says so.
            news.recv().unwrap();
            match ours.read_to_end(&mut bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                other => panic!("{other:?}"),
            }
            take_messages(&mut bytes, |message| account.message(message, start));
            if account.next.is_some_and(|next| next > until) {
                return;
            }
        }
    }
}

fn take_messages(bytes: &mut Vec<u8>, mut each: impl FnMut(&Message)) {
    while let [_, length, rest @ ..] = &bytes[..] {
        let (start, length) = match length {
            126 => (4, usize::from(u16::from_be_bytes([rest[0], rest[1]]))),
            short => (2, usize::from(*short)),
        };
        each(&Message::parse(&bytes[start..start + length]).unwrap());
        bytes.drain(..start + length);
    }
}

/// Each sample exactly once and in order, or a gap that names exactly what is missing, also across a resume.
#[derive(Debug, Default)]
struct Account {
    next: Option<u64>,
    missing: u64,
}

impl Account {
    fn message(&mut self, message: &Message, start: Start) {
        match message {
            Message::Hello(hello) => {
                self.next.get_or_insert(if start == Start::Live { hello.next_seq } else { hello.oldest_seq });
            }
            Message::History(chunk) => chunk.samples.iter().for_each(|sample| self.sample(sample.seq)),
            Message::Sample(sample) => self.sample(sample.seq),
            Message::Gap(gap) => {
                assert_eq!(Some(gap.from_seq), self.next, "{gap:?}");
                let next = gap.to_seq.unwrap() + 1;
                assert!(next > gap.from_seq, "{gap:?}");
                self.missing += next - gap.from_seq;
                self.next = Some(next);
            }
            Message::Schema(_) => {}
            other => panic!("{other:?}"),
        }
    }

    fn sample(&mut self, seq: u64) {
        assert_eq!(Some(seq), self.next);
        self.next = Some(seq + 1);
    }
}

/// Two clients come, leave and resume while a sampler publishes. Returns how many samples they were told are missing.
fn come_and_go(max_history_bytes: u64, max_backlog: usize) -> u64 {
    const SAMPLES: u64 = 5;
    let (scene, woken) = Scene::set(max_history_bytes, max_backlog);
    let clients = [(Start::All, 1), (Start::Live, 3)].map(|(start, leave_at)| {
        let scene = scene.clone();
        thread::spawn(move || scene.client(start, leave_at, SAMPLES))
    });
    let sampler = thread::spawn({
        let (hub, schema) = (scene.hub.clone(), schema());
        move || (0..SAMPLES).for_each(|_| publish(&hub, &schema))
    });
    let end = thread::spawn({
        let mailbox = Arc::clone(&scene.mailbox);
        move || {
            let missing = clients.map(|client| client.join().unwrap().missing).iter().sum();
            mailbox.send(Mail::Stop);
            missing
        }
    });
    scene.lane(&woken);
    sampler.join().unwrap();
    end.join().unwrap()
}

const PLENTY: usize = 1 << 20;

#[test]
fn in_thousands_of_orders_nobody_misses_a_sample() {
    let run = || assert_eq!(come_and_go(PLENTY as u64, PLENTY), 0);
    shuttle::check_random(run, 1_000);
    shuttle::check_pct(run, 1_000, 3);
}

#[test]
fn in_thousands_of_orders_whoever_is_too_slow_is_told_exactly_what_is_missing() {
    static WITH_GAPS: AtomicU64 = AtomicU64::new(0);
    // Whoever is two samples behind loses them, and the ring holds little more than the newest.
    let run = || {
        if come_and_go(1, 1) > 0 {
            WITH_GAPS.fetch_add(1, Ordering::Relaxed);
        }
    };
    shuttle::check_random(run, 1_000);
    shuttle::check_pct(run, 1_000, 3);
    let with_gaps = WITH_GAPS.load(Ordering::Relaxed);
    assert!((1..2_000).contains(&with_gaps), "{with_gaps}");
}

/// The real ring and one who joins it, in every order there is.
#[test]
fn in_every_order_whoever_joins_sees_each_sample_once() {
    const SAMPLES: u64 = 2;
    for start in [Start::All, Start::Live] {
        shuttle::check_dfs(
            move || {
                let hub = Hub::new(&HistoryConfig { window: Duration::from_hours(1), max_bytes: 1 });
                let sampler = thread::spawn({
                    let (hub, schema) = (hub.clone(), schema());
                    move || (0..SAMPLES).for_each(|_| publish(&hub, &schema))
                });
                let joined = hub.join(start).unwrap();
                let mut cursor = joined.cursor;
                assert!(cursor <= joined.next_seq);
                let mut take = || {
                    let run = hub.run(cursor, PLENTY);
                    if let Some(lost) = &run.lost {
                        assert_eq!(*lost.start(), cursor);
                        cursor = lost.end() + 1;
                    }
                    for sample in &run.samples {
                        assert_eq!(sample.seq, cursor);
                        cursor += 1;
                    }
                    assert!(run.reaches_newest);
                };
                take();
                sampler.join().unwrap();
                take();
                assert_eq!(cursor, SAMPLES + 1);
            },
            None,
        );
    }
}

/// Two lanes that want the same piece of history may both make it, and neither loses anything by that.
#[test]
fn in_thousands_of_orders_lanes_that_read_the_same_history_see_each_sample_once() {
    const SAMPLES: u64 = 3;
    let run = || {
        let (scene, _woken) = Scene::set(PLENTY as u64, PLENTY);
        let publish_all = {
            let (hub, schema) = (scene.hub.clone(), schema());
            move |count| (0..count).for_each(|_| publish(&hub, &schema))
        };
        publish_all(SAMPLES - 1);
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let view = Arc::clone(&scene.view);
                thread::spawn(move || {
                    let _reader = HistoryReader::new(&view);
                    let (mut account, mut cursor) = (Account { next: Some(1), missing: 0 }, 1);
                    loop {
                        let chunk = view.history(cursor);
                        take_messages(&mut chunk.frame.to_vec(), |message| account.message(message, Start::All));
                        assert_eq!(account.next, Some(chunk.next_seq));
                        cursor = chunk.next_seq;
                        if chunk.complete {
                            return cursor;
                        }
                    }
                })
            })
            .collect();
        let sampler = thread::spawn(move || publish_all(1));
        for reader in readers {
            assert!((SAMPLES..=SAMPLES + 1).contains(&reader.join().unwrap()));
        }
        sampler.join().unwrap();
        assert_eq!(scene.view.history(1).next_seq, SAMPLES + 1);
    };
    shuttle::check_random(run, 2_000);
    shuttle::check_pct(run, 2_000, 3);
}
