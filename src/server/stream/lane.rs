//! A lane: one thread that owns a share of the subscribers' sockets, waits for all of them at once,
//! and writes shared frames to them.
//!
//! One epoll instance tells of new samples, of sockets that can be written again, and of clients
//! that sent something, so a subscriber needs no task, no timer and no read buffer of its own.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use mio::{Events, Interest, Poll, Token, Waker, event::Event};
use slab::Slab;
use tracing::debug;

use super::{
    Newcomer, StreamStats, frame,
    mailbox::Mailbox,
    subscriber::{Subscriber, Turn},
};
use crate::{
    hub::Hub,
    protocol::{Heartbeat, Message},
    sample::unix_ms,
    vital::{self, OnDeath},
};

const WAKER: Token = Token(usize::MAX);
const READ_BUFFER_BYTES: usize = 16 << 10;
/// How long those who have much to do are served at a stretch, before a new sample is looked for: a
/// crowd that reads history must not delay those who have caught up.
const SLICE: Duration = Duration::from_millis(5);

/// The clockwork of a stream.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The longest silence before a heartbeat.
    pub(crate) heartbeat: Duration,
    /// Time between two pings.
    pub(crate) ping_interval: Duration,
    /// How long a subscriber may read nothing.
    pub(crate) stall_timeout: Duration,
    /// When a subscriber that is sent away may try again; it spreads that with jitter.
    pub(crate) retry_ms: u64,
    /// Whether time stands where the newest sample is.
    pub(crate) is_replay: bool,
}

impl Settings {
    /// How often deadlines are looked at: often enough that none is late by more than a quarter.
    fn tick(&self) -> Duration {
        let shortest = self.heartbeat.min(self.ping_interval).min(self.stall_timeout);
        (shortest / 4).min(Duration::from_secs(1))
    }
}

/// The outside of a lane.
#[derive(Debug)]
pub(super) struct Lane {
    mailbox: Arc<Mailbox<Mail>>,
    pulse: Arc<Pulse>,
    thread: Option<JoinHandle<()>>,
}

/// Whether a lane goes on.
#[derive(Debug)]
struct Pulse {
    /// How often the lane has woken.
    rounds: AtomicU64,
    /// How often it had when somebody last asked.
    rounds_seen: AtomicU64,
}

#[derive(Debug)]
enum Mail {
    Join(Box<Newcomer>),
    /// Say goodbye to everyone, and to whoever still comes.
    Drain {
        reason: &'static str,
    },
    /// Go on by these settings, and tell everyone.
    Reconfigure {
        settings: Settings,
        notice: Option<Bytes>,
    },
    /// End now.
    Stop,
}

impl Lane {
    /// A lane that tells `next` of each sample that it is told of.
    pub(super) fn start(
        name: &str,
        next: Option<&Lane>,
        hub: Hub,
        settings: Settings,
        stats: Arc<StreamStats>,
        on_death: &OnDeath,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        let wake = move || {
            // Writing to an eventfd fails only when its counter is full, and then it is awake.
            let _ = waker.wake();
        };
        let mailbox = Arc::new(Mailbox::new(wake, next.map(|lane| Arc::clone(&lane.mailbox))));
        let pulse = Arc::new(Pulse { rounds: AtomicU64::new(1), rounds_seen: AtomicU64::new(0) });
        let worker = Worker {
            poll,
            mailbox: Arc::clone(&mailbox),
            pulse: Arc::clone(&pulse),
            hub,
            settings,
            stats,
            subscribers: Slab::new(),
            unfinished: VecDeque::new(),
            buffer: vec![0; READ_BUFFER_BYTES].into(),
            draining: None,
        };
        let thread = vital::spawn(name, on_death, move || worker.run())?;
        Ok(Self { mailbox, pulse, thread: Some(thread) })
    }

    /// Subscribers here and on their way here.
    pub(super) fn load(&self) -> usize {
        self.mailbox.load()
    }

    /// Whether it has woken since the last call. It is woken for the next one.
    pub(super) fn has_moved(&self) -> bool {
        let rounds = self.pulse.rounds.load(Ordering::Relaxed);
        let moved = self.pulse.rounds_seen.swap(rounds, Ordering::Relaxed) != rounds;
        self.mailbox.wake();
        moved
    }

    pub(super) fn join(&self, newcomer: Newcomer) {
        self.mailbox.comes();
        self.mailbox.send(Mail::Join(Box::new(newcomer)));
    }

    pub(super) fn reconfigure(&self, settings: Settings, notice: Option<Bytes>) {
        self.mailbox.send(Mail::Reconfigure { settings, notice });
    }

    pub(super) fn drain(&self, reason: &'static str) {
        self.mailbox.send(Mail::Drain { reason });
    }

    /// What to call when a sample was published: free while nobody is here.
    pub(super) fn sample_listener(&self) -> impl Fn() + Send + Sync + 'static {
        let mailbox = Arc::clone(&self.mailbox);
        move || mailbox.publish()
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.mailbox.send(Mail::Stop);
        if let Some(thread) = self.thread.take() {
            // The only error is a panic, and `OnDeath` has told of that.
            let _ = thread.join();
        }
    }
}

/// The inside of a lane.
struct Worker {
    poll: Poll,
    mailbox: Arc<Mailbox<Mail>>,
    pulse: Arc<Pulse>,
    hub: Hub,
    settings: Settings,
    stats: Arc<StreamStats>,
    subscribers: Slab<Subscriber>,
    /// Who has more to do, and waits for a turn: above all those who read history.
    unfinished: VecDeque<usize>,
    /// Lent to whoever is being read from.
    buffer: Box<[u8]>,
    /// What to say to whoever still comes, once the daemon stops.
    draining: Option<&'static str>,
}

impl Worker {
    fn run(mut self) {
        let mut events = Events::with_capacity(1024);
        let mut next_tick = Instant::now() + self.settings.tick();
        loop {
            if let Err(error) = self.poll.poll(&mut events, self.timeout(next_tick)) {
                // epoll_wait fails otherwise only for a bad descriptor or pointer: a bug of ours.
                assert!(error.kind() == ErrorKind::Interrupted, "cannot wait for sockets: {error}");
                continue;
            }
            self.pulse.rounds.fetch_add(1, Ordering::Relaxed);
            // First of all, because it tells the next lane.
            let published = self.mailbox.take_published();
            let now = Instant::now();
            let mut woken = false;
            for event in &events {
                match event.token() {
                    WAKER => woken = true,
                    Token(key) => self.react(key, event, now),
                }
            }
            if woken && !self.open_mail(now) {
                return;
            }
            if published {
                self.write_to_all(now);
            }
            self.serve_unfinished(now);
            if now >= next_tick {
                self.tick(now);
                next_tick = now + self.settings.tick();
            }
        }
    }

    fn timeout(&self, next_tick: Instant) -> Option<Duration> {
        if !self.unfinished.is_empty() {
            Some(Duration::ZERO)
        } else if self.subscribers.is_empty() {
            None
        } else {
            Some(next_tick.saturating_duration_since(Instant::now()))
        }
    }

    /// `false` when the lane shall end.
    fn open_mail(&mut self, now: Instant) -> bool {
        for mail in self.mailbox.open() {
            match mail {
                Mail::Join(newcomer) => self.admit(*newcomer, now),
                Mail::Drain { reason } => {
                    self.draining = Some(reason);
                    for (_, subscriber) in &mut self.subscribers {
                        subscriber.say_bye(reason, self.settings.retry_ms, now);
                    }
                    self.write_to_all(now);
                }
                Mail::Reconfigure { settings, notice } => {
                    self.settings = settings;
                    for (_, subscriber) in &mut self.subscribers {
                        subscriber.reconsider(notice.clone(), now);
                    }
                    self.write_to_all(now);
                }
                Mail::Stop => return false,
            }
        }
        true
    }

    fn admit(&mut self, newcomer: Newcomer, now: Instant) {
        let Newcomer { socket, slot, view, start, may_read, hello, early } = newcomer;
        let joined = match self.hub.join(start) {
            Ok(joined) => joined,
            Err(error) => {
                // The handshake has checked this position and positions do not shrink.
                debug!(%error, "a subscriber lost its position between handshake and join");
                self.left();
                return;
            }
        };
        let mut subscriber = Subscriber::new(socket, slot, view, &joined, &hello(&joined), may_read, now);
        subscriber.received(&early, now);
        let entry = self.subscribers.vacant_entry();
        let key = entry.key();
        let interests = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = self.poll.registry().register(subscriber.socket(), Token(key), interests) {
            debug!(%error, "a subscriber's socket cannot be waited for");
            self.left();
            return;
        }
        entry.insert(subscriber);
        self.stats.joined();
        // Since its handshake it may have lost that right.
        self.subscribers[key].reconsider(None, now);
        if let Some(reason) = self.draining {
            self.subscribers[key].say_bye(reason, self.settings.retry_ms, now);
        }
    }

    fn react(&mut self, key: usize, event: &Event, now: Instant) {
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            self.read(key, now);
        }
        match self.subscribers.get(key) {
            Some(subscriber) if subscriber.reads_history() => self.settle(key, Turn::Yields),
            _ => self.write(key, now),
        }
    }

    fn read(&mut self, key: usize, now: Instant) {
        let Some(subscriber) = self.subscribers.get_mut(key) else { return };
        let turn = subscriber.read(&mut self.buffer, now);
        self.settle(key, turn);
    }

    fn write(&mut self, key: usize, now: Instant) {
        let Some(subscriber) = self.subscribers.get_mut(key) else { return };
        let turn = subscriber.write(now, &self.stats);
        self.settle(key, turn);
    }

    /// Writes what is new. Who reads history has a turn coming; who is blocked is told of by its socket.
    fn write_live(&mut self, key: usize, now: Instant) {
        if self.subscribers.get(key).is_some_and(Subscriber::is_up_to_date) {
            self.write(key, now);
        }
    }

    fn write_to_all(&mut self, now: Instant) {
        for key in 0..self.subscribers.capacity() {
            self.write_live(key, now);
        }
    }

    fn serve_unfinished(&mut self, now: Instant) {
        let begun = Instant::now();
        while let Some(key) = self.unfinished.pop_front() {
            if let Some(subscriber) = self.subscribers.get_mut(key).filter(|subscriber| subscriber.is_unfinished) {
                subscriber.is_unfinished = false;
                self.read(key, now);
                self.write(key, now);
            }
            if begun.elapsed() >= SLICE {
                break;
            }
        }
    }

    fn tick(&mut self, now: Instant) {
        let heartbeat = self.heartbeat();
        for key in 0..self.subscribers.capacity() {
            // First every sample that the heartbeat may name: it must not run ahead of them.
            self.write_live(key, now);
            let Some(subscriber) = self.subscribers.get_mut(key) else { continue };
            let turn = subscriber.tick(now, &self.settings, &heartbeat);
            self.settle(key, turn);
            self.write_live(key, now);
        }
    }

    fn heartbeat(&self) -> Bytes {
        let newest = self.hub.newest().filter(|_| self.settings.is_replay);
        let time = newest.map_or_else(SystemTime::now, |newest| newest.reading.time);
        let message = Heartbeat { seq: self.hub.next_seq() - 1, time: unix_ms(time) };
        frame::text(&Message::Heartbeat(message).to_text())
    }

    fn settle(&mut self, key: usize, turn: Turn) {
        match turn {
            Turn::Waits => {}
            Turn::Yields => {
                if let Some(subscriber) = self.subscribers.get_mut(key)
                    && !std::mem::replace(&mut subscriber.is_unfinished, true)
                {
                    self.unfinished.push_back(key);
                }
            }
            Turn::Gone => {
                if let Some(gone) = self.subscribers.try_remove(key) {
                    self.stats.left();
                    self.left();
                    // Counted out before its client can see that. Epoll forgets a closed descriptor.
                    drop(gone);
                    if self.subscribers.is_empty() {
                        // What a crowd needed is given back when it has gone.
                        self.subscribers.shrink_to_fit();
                    }
                }
            }
        }
    }

    fn left(&self) {
        self.mailbox.has_left();
    }
}
