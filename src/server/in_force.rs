//! What the configuration says about serving. It is replaced as a whole when the configuration is read again, so that
//! nobody sees half of a change.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use super::{page::Page, query::Spans, stream::Settings, tls::Tls};
use crate::{
    config::{Compression, Config},
    hub::Joined,
    protocol::{Hello, HelloHost, Message, Replay},
    sample::Host,
};

/// When a subscriber that was sent away may try again; it spreads that with jitter.
const RETRY_MS: u64 = 1_000;

/// Something that is read often and replaced now and then; clones are the same.
#[derive(Debug)]
pub(crate) struct Current<T>(Arc<RwLock<Arc<T>>>);

/// See the module.
#[derive(Debug)]
pub(crate) struct InForce {
    pub(crate) host: HelloHost,
    pub(crate) interval: Duration,
    pub(crate) heartbeat: Duration,
    pub(crate) history_window: Duration,
    pub(crate) compression: Compression,
    pub(crate) tls: Option<Tls>,
    /// How long a client may take to send the head of a request.
    pub(crate) header_timeout: Duration,
    /// How long it may take to read any of an answer.
    pub(crate) stall_timeout: Duration,
    pub(crate) page: Page,
    /// Where it is no host that is served, but a recording.
    pub(crate) replay: Option<Replay>,
    /// All of it, as TOML.
    pub(crate) text: String,
}

impl<T> Current<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(value))))
    }

    pub(crate) fn get(&self) -> Arc<T> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn replace(&self, value: T) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
    }
}

impl<T> Clone for Current<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl InForce {
    pub(crate) fn new(config: &Config, host: Host, tls: Option<Tls>, replay: Option<Replay>) -> Self {
        Self {
            host: HelloHost { host, labels: config.labels.clone() },
            interval: config.sampler.interval,
            heartbeat: config.server.heartbeat,
            history_window: config.history.window,
            compression: config.server.compression,
            tls,
            header_timeout: config.server.limits.header_timeout,
            stall_timeout: config.server.limits.stall_timeout,
            page: Page::new(&config.dashboard, replay.map(|_| (config.history.window, config.sampler.interval))),
            replay,
            text: config.to_toml(),
        }
    }

    /// What clients may fold samples to.
    pub(crate) fn spans(&self) -> Spans {
        Spans { interval: self.interval, window: self.history_window }
    }

    pub(crate) fn interval_ms(&self) -> u64 {
        self.interval.as_millis() as u64
    }

    pub(crate) fn heartbeat_ms(&self) -> u64 {
        self.heartbeat.as_millis() as u64
    }

    /// The first message to a subscriber.
    pub(crate) fn hello(&self, joined: &Joined) -> Message {
        let (protocol, server) = Hello::protocol_and_server();
        Message::Hello(Hello {
            protocol,
            server,
            host: self.host.clone(),
            epoch: joined.epoch,
            interval_ms: self.interval_ms(),
            oldest_seq: joined.oldest_seq,
            next_seq: joined.next_seq,
            heartbeat_ms: self.heartbeat_ms(),
            replay: self.replay,
        })
    }
}

/// The clockwork of the stream.
pub(super) fn stream_settings(config: &Config, replay: Option<Replay>) -> Settings {
    let limits = &config.server.limits;
    Settings {
        heartbeat: config.server.heartbeat,
        ping_interval: limits.ping_interval,
        stall_timeout: limits.stall_timeout,
        retry_ms: RETRY_MS,
        is_replay: replay.is_some(),
    }
}
