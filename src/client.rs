//! Follows a daemon from elsewhere, and loses nothing on the way.
//!
//! A [`Client`] dials out, so that it can stand behind a firewall that lets nothing in. It yields typed [`Event`]s and
//! keeps going by itself: when the connection is lost it waits (exponentially, with full jitter, or as long as the
//! server has asked for), dials again and resumes where it stood. Between two events nothing is missing and nothing
//! comes twice, or an [`Event::Gap`] names exactly what is missing. A server that does not want it ends it, with a
//! [`Refused`] that says why.
//!
//! ```no_run
//! use hostcast::client::{Client, Event};
//!
//! # async fn follow() -> Result<(), Box<dyn std::error::Error>> {
//! let mut client = Client::connect("ws://web-1:7117")?;
//! loop {
//!     match client.next().await? {
//!         Event::Sample(sample) => println!("{}: {:?}", sample.seq, sample.values),
//!         Event::Gap(gap) => println!("missing: {gap:?}"),
//!         Event::Lost { why, retry_in } => println!("{why}; again in {retry_in:?}"),
//!         _ => {}
//!     }
//! }
//! # }
//! ```
//!
//! It speaks `hostcast.v1.compact`: the values of a sample stand in the order of the newest [`Event::Schema`]. Between
//! two messages it holds no buffers, so that one process can follow thousands of hosts.

use std::{collections::VecDeque, pin::Pin, time::Duration};

use tokio::time::{Instant, sleep_until, timeout};

use self::{
    backoff::Backoff,
    failure::Failure,
    session::{Session, Wire},
    track::Track,
};
pub use self::{
    builder::{Builder, History},
    failure::{Lost, Refused},
    proxy::Proxy,
    tls::{InvalidTls, Tls},
    url::{InvalidUrl, Url},
};
use crate::protocol::{
    Gap, Heartbeat, Hello, Message, Notice, PROTOCOL, Position, SchemaMessage, WireSample, WireValues,
};

mod backoff;
mod builder;
mod connect;
mod failure;
mod frames;
mod handshake;
mod inflate;
mod proxy;
mod session;
mod tls;
mod track;
mod url;

/// What happens while a daemon is followed.
#[derive(Debug)]
pub enum Event {
    /// A connection was made. Comes with each, and its epoch changes when the daemon was restarted.
    Hello(Box<Hello>),
    /// What the values of the following samples stand for. Comes with each connection, and when the series change.
    Schema(SchemaMessage),
    /// Samples that were taken and are not coming, and why.
    Gap(Gap),
    /// A sample, of the past or live; its values are positional.
    Sample(WireSample),
    /// The past is complete: the next sample is live.
    Live,
    /// What has changed in the daemon: see [`Hello::amend`].
    Notice(Notice),
    /// Nothing else was said for a while; the newest sample there is.
    Heartbeat(Heartbeat),
    /// There is no connection. The client comes back by itself.
    Lost {
        /// Why.
        why: Lost,
        /// When it dials again.
        retry_in: Duration,
    },
}

/// Follows one daemon. See the [module](self).
pub struct Client {
    plan: Builder,
    track: Track,
    backoff: Backoff,
    state: State,
    /// What came in one message and was not asked for yet.
    ready: VecDeque<Event>,
    /// How many values a sample has.
    columns: Option<usize>,
}

enum State {
    Waiting { until: Instant },
    Connecting(Pin<Box<dyn Future<Output = Result<Session, Failure>> + Send>>),
    Connected(Box<Session>),
    Refused(Refused),
}

/// A queue that has held more than this is given back.
const KEPT_EVENTS: usize = 4;

impl Client {
    /// Follows the daemon at `url`, with its default history and everything that it measures.
    ///
    /// Nothing is dialled before the first [`next`](Self::next), which must be called within a tokio runtime.
    pub fn connect(url: &str) -> Result<Self, InvalidUrl> {
        Ok(Self::builder(url.parse()?).build())
    }

    /// To say what is wanted first.
    pub fn builder(url: Url) -> Builder {
        Builder::new(url)
    }

    fn new(plan: Builder) -> Self {
        let (first, longest) = plan.backoff;
        Self {
            track: Track::new(plan.since),
            backoff: Backoff::new(first, longest),
            state: State::Waiting { until: Instant::now() },
            ready: VecDeque::new(),
            columns: None,
            plan,
        }
    }

    /// Where the daemon is.
    pub fn url(&self) -> &Url {
        &self.plan.url
    }

    /// The newest sample that was yielded, or named as missing: to go on from later, with [`Builder::since`].
    ///
    /// After a gap of a restart it is the beginning of the new ring.
    pub fn position(&self) -> Option<Position> {
        // What is ready but was not asked for yet has not been yielded.
        let unseen = self.ready.iter().find_map(|event| match event {
            Event::Sample(sample) => {
                let first = sample.seq + 1 - sample.samples.unwrap_or(1);
                self.track.position().map(|position| Position { seq: first - 1, ..position })
            }
            Event::Gap(gap) => Some(Position { epoch: gap.epoch, seq: gap.from_seq - 1 }),
            _ => None,
        });
        unseen.or(self.track.position())
    }

    /// The next event. May be dropped while it waits, without losing one.
    ///
    /// An error is the end: the daemon does not want this client, and says why. Asked again, it says so again.
    pub async fn next(&mut self) -> Result<Event, Refused> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                if self.ready.is_empty() && self.ready.capacity() > KEPT_EVENTS {
                    self.ready = VecDeque::new();
                }
                return Ok(event);
            }
            let failure = match &mut self.state {
                State::Refused(refused) => return Err(refused.clone()),
                State::Waiting { until } => {
                    sleep_until(*until).await;
                    self.state = State::Connecting(Box::pin(dial(self.plan.clone(), self.track.position())));
                    continue;
                }
                State::Connecting(dialling) => match dialling.await {
                    Ok(session) => {
                        self.columns = None;
                        self.track.connected();
                        self.state = State::Connected(Box::new(session));
                        continue;
                    }
                    Err(failure) => failure,
                },
                State::Connected(session) => match session.next().await {
                    Ok(message) => match self.take(message) {
                        Ok(()) => continue,
                        Err(failure) => failure,
                    },
                    Err(failure) => failure,
                },
            };
            self.fail(failure);
        }
    }

    /// Turns a message into what is ready.
    fn take(&mut self, message: Message) -> Result<(), Failure> {
        match message {
            Message::Hello(hello) => {
                if hello.protocol != PROTOCOL {
                    return Err(Refused::Protocol(format!("it speaks {:?}", hello.protocol)).into());
                }
                self.track.hello(hello.epoch, self.plan.first_of(&hello));
                if let State::Connected(session) = &mut self.state {
                    session.expect_heartbeats(hello.heartbeat_ms);
                }
                self.ready.push_back(Event::Hello(Box::new(hello)));
            }
            Message::Schema(schema) => {
                self.columns = Some(schema.series.len());
                self.ready.push_back(Event::Schema(schema));
            }
            Message::Gap(gap) => {
                if self.track.gap(&gap)? {
                    self.ready.push_back(Event::Gap(gap));
                }
            }
            Message::History(chunk) => {
                self.ready.reserve_exact(chunk.samples.len() + 1);
                for sample in chunk.samples {
                    self.sample(sample)?;
                }
                if chunk.complete {
                    self.ready.push_back(Event::Live);
                }
            }
            Message::Sample(sample) => self.sample(sample)?,
            Message::Notice(notice) => {
                if let (State::Connected(session), Some(heartbeat_ms)) = (&mut self.state, notice.heartbeat_ms) {
                    session.expect_heartbeats(heartbeat_ms);
                }
                self.ready.push_back(Event::Notice(notice));
            }
            Message::Heartbeat(heartbeat) => self.ready.push_back(Event::Heartbeat(heartbeat)),
            // The close that follows ends the connection.
            Message::Bye(_) => {}
        }
        Ok(())
    }

    fn sample(&mut self, sample: WireSample) -> Result<(), Failure> {
        let fits = |values: &WireValues| match values {
            WireValues::Positional(values) => self.columns == Some(values.len()),
            WireValues::Named(_) => false,
        };
        let all = [Some(&sample.values), sample.min.as_ref(), sample.max.as_ref()];
        if !all.into_iter().flatten().all(fits) {
            return Err(Lost::garbled(format!("the values of sample {} do not fit the schema", sample.seq)).into());
        }
        self.track.sample(&sample)?;
        self.backoff.reset();
        self.ready.push_back(Event::Sample(sample));
        Ok(())
    }

    fn fail(&mut self, failure: Failure) {
        match failure {
            Failure::Refused(refused) => self.state = State::Refused(refused),
            Failure::Lost(why) => {
                let asked = if let State::Connected(session) = &self.state { session.retry() } else { None };
                let retry_in = self.backoff.next(asked);
                self.state = State::Waiting { until: Instant::now() + retry_in };
                self.ready.push_back(Event::Lost { why, retry_in });
            }
        }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("plan", &self.plan).field("track", &self.track).finish_non_exhaustive()
    }
}

/// Makes a way for bytes: straight or through a proxy, plain or encrypted.
async fn reach(plan: &Builder) -> Result<Box<dyn Wire>, Lost> {
    let url = &plan.url;
    let mut wire: Box<dyn Wire> = match Proxy::from_environment(url).map_err(Lost::Garbled)? {
        None => Box::new(connect::tcp(url.host(), url.port()).await?),
        Some(proxy) => {
            let mut stream = connect::tcp(proxy.host(), proxy.port()).await?;
            proxy.connect(&mut stream, url).await?;
            Box::new(stream)
        }
    };
    if url.is_secure() {
        let tls = plan.tls.clone().map_or_else(Tls::of_system, Ok).map_err(|error| Lost::Tls(error.to_string()))?;
        wire = Box::new(tls.wrap(wire, url.host()).await?);
    }
    Ok(wire)
}

/// Makes one connection, as far as the answer to the handshake.
async fn dial(plan: Builder, position: Option<Position>) -> Result<Session, Failure> {
    let connecting = async {
        let url = &plan.url;
        let mut wire = reach(&plan).await?;
        let token = plan.token()?;
        let request = handshake::Request {
            authority: &url.authority(),
            target: &plan.target(position),
            token: token.as_deref(),
            may_compress: plan.may_compress,
        };
        let opened = handshake::upgrade(&mut wire, request).await?;
        Ok(Session::new(wire, &opened, plan.patience)?)
    };
    timeout(plan.patience, connecting).await.unwrap_or_else(|_| Err(Lost::TimedOut(plan.patience).into()))
}
