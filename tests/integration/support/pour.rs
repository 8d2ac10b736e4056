//! A real server in this process, with a test in the sampler's place: samples come as fast as the
//! test likes, and the test knows every value.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, SystemTime},
};

use hostcast::{
    config::{Config, Listen},
    hub::Hub,
    metric,
    protocol::{Message, WireSample, WireValues},
    sample::{Host, Reading, Sample, Schema, Series},
    sampler::Sampler,
    server::{Secrets, Server},
    service::Inherited,
    token::Tokens,
    vital::OnDeath,
};
use tokio::sync::oneshot;

use super::{Account, Address, Feed};

/// How many values a wide schema has: enough that a few hundred samples fill any socket.
pub(crate) const WIDE: usize = 400;

/// See the module. A sample's first value is its `seq`, the others follow from it, and each was
/// taken a millisecond after the one before.
pub(crate) struct Pour {
    pub(crate) hub: Hub,
    pub(crate) address: Address,
    pub(crate) schema: Arc<Schema>,
    stop: Option<oneshot::Sender<()>>,
    server: Option<JoinHandle<()>>,
}

/// `1 + cores` series.
pub(crate) fn schema(revision: u64, cores: usize) -> Arc<Schema> {
    let core = |number: usize| Series::new(metric::CPU_UTILIZATION, [("cpu.logical_number", &*number.to_string())]);
    let series = std::iter::once(Series::new(metric::UPTIME, [])).chain((0..cores).map(core)).collect();
    Arc::new(Schema { revision, series })
}

/// The reading that a `Pour` publishes as sample `seq`.
pub(crate) fn reading(seq: u64, schema: &Arc<Schema>) -> Reading {
    let values = (0..schema.series.len()).map(|column| value(seq, column)).collect();
    let moment = Duration::from_millis(seq);
    Reading {
        time: SystemTime::UNIX_EPOCH + moment,
        moment,
        elapsed: Duration::from_millis(1),
        missed: None,
        schema: Arc::clone(schema),
        values,
    }
}

/// What the history may take to hold this many of a `Pour`'s samples, before its schema is changed.
pub(crate) fn room_for(samples: usize) -> u64 {
    let sample = Sample { seq: 1, reading: reading(1, &schema(1, 2)) };
    (sample.footprint() * samples) as u64
}

fn value(seq: u64, column: usize) -> f64 {
    if column == 0 { seq as f64 } else { ((seq + column as u64) % 10_000) as f64 / 1e4 }
}

impl Pour {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(adjust: impl FnOnce(&mut Config)) -> Self {
        Self::with_secrets(Secrets::default(), adjust)
    }

    /// The same, for those who hold one of these tokens, where the configuration asks for them.
    pub(crate) fn with_tokens(tokens: Tokens, adjust: impl FnOnce(&mut Config)) -> Self {
        Self::with_secrets(Secrets { tokens, tls: None }, adjust)
    }

    /// The same, with what a daemon would have read from files.
    pub(crate) fn with_secrets(secrets: Secrets, adjust: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        config.server.listen = vec![Listen::Tcp(SocketAddr::from(([127, 0, 0, 1], 0)))];
        adjust(&mut config);
        let hub = Hub::new(&config.history);
        let status = Sampler::prepare(config.sampler.interval, Vec::new()).status();
        let (stop, stopped) = oneshot::channel();
        let (ready, address) = std::sync::mpsc::channel();
        let theirs = hub.clone();
        let server = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            runtime.block_on(async {
                let on_death = OnDeath::new(|last_words| panic!("{last_words}"));
                let server =
                    Server::bind(&config, secrets, Inherited::default(), theirs, Host::default(), status, &on_death)
                        .unwrap();
                ready.send(server.addresses().to_vec()).unwrap();
                let stopped = async {
                    let _ = stopped.await;
                    config.server.shutdown_grace
                };
                server.run(stopped).await;
            });
            runtime.shutdown_timeout(Duration::ZERO);
        });
        let [Listen::Tcp(address)] = address.recv().unwrap()[..] else { panic!("one TCP address was asked for") };
        Self { hub, address: Address::Tcp(address), schema: schema(1, 2), stop: Some(stop), server: Some(server) }
    }

    pub(crate) fn publish(&self, count: u64) {
        for _ in 0..count {
            let seq = self.hub.next_seq();
            assert_eq!(self.hub.publish(reading(seq, &self.schema)), seq, "only one may publish");
        }
    }

    pub(crate) fn newest(&self) -> u64 {
        self.hub.next_seq() - 1
    }

    /// Publishes without pause on another thread, but never more than `slack` ahead of the rope.
    pub(crate) fn pour(&self, slack: u64) -> Rope {
        let shared = Arc::new(Shared { limit: AtomicU64::new(self.newest() + slack), done: AtomicBool::new(false) });
        let (hub, schema, theirs) = (self.hub.clone(), Arc::clone(&self.schema), Arc::clone(&shared));
        let thread = thread::spawn(move || {
            while !theirs.done.load(Ordering::Relaxed) {
                let seq = hub.next_seq();
                if seq > theirs.limit.load(Ordering::Relaxed) {
                    thread::yield_now();
                } else {
                    assert_eq!(hub.publish(reading(seq, &schema)), seq, "only one may publish");
                }
            }
        });
        Rope { shared, slack, thread: Some(thread) }
    }

    pub(crate) fn feed(&self, query: &str, subprotocol: &str) -> Feed {
        Feed::open(&self.address, query, &[subprotocol])
    }

    /// That samples arrived as they were published.
    pub(crate) fn check(&self, samples: &[WireSample]) {
        for sample in samples {
            check(sample, &self.schema);
        }
    }

    /// Reads history and live, up to sample `last`, into the account.
    pub(crate) fn read_up_to(&self, last: u64, feed: &mut Feed, account: &mut Account) {
        while account.next <= last {
            let message = feed.message();
            match &message {
                Message::History(chunk) => self.check(&chunk.samples),
                Message::Sample(sample) => self.check(std::slice::from_ref(sample)),
                _ => {}
            }
            account.message(&message);
        }
    }

    /// Stops the server and waits for it.
    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(server) = self.server.take() {
            server.join().unwrap();
        }
    }
}

impl Drop for Pour {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(server) = self.server.take() {
            // A panic within a panic would hide the first one.
            let _ = server.join();
        }
    }
}

fn check(sample: &WireSample, schema: &Schema) {
    let seq = sample.seq;
    assert_eq!((sample.time, sample.elapsed_ms, sample.missed), (seq, 1.0, None));
    match &sample.values {
        WireValues::Positional(values) => {
            assert_eq!(values.len(), schema.series.len());
            for (column, arrived) in values.iter().enumerate() {
                assert_eq!(*arrived, Some(value(seq, column)), "sample {seq}, column {column}");
            }
        }
        WireValues::Named(values) => {
            assert_eq!(values.len(), schema.series.len());
            for (column, series) in schema.series.iter().enumerate() {
                assert_eq!(values[&*series.id], Some(value(seq, column)), "sample {seq}, {}", series.id);
            }
        }
    }
}

struct Shared {
    limit: AtomicU64,
    done: AtomicBool,
}

/// What a pouring thread hangs on.
pub(crate) struct Rope {
    shared: Arc<Shared>,
    slack: u64,
    thread: Option<JoinHandle<()>>,
}

impl Rope {
    /// Lets it go on up to its slack after `seq`.
    pub(crate) fn seen(&self, seq: u64) {
        self.shared.limit.fetch_max(seq + self.slack, Ordering::Relaxed);
    }
}

impl Drop for Rope {
    fn drop(&mut self) {
        self.shared.done.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic within a panic would hide the first one.
            let _ = thread.join();
        }
    }
}
