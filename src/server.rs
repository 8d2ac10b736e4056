//! The server: HTTP by warp inside our own accept loop, and the stream on sockets of its own.
//!
//! warp and hyper are used here and nowhere else.

mod access;
mod assets;
mod connections;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod handle;
mod handshake;
mod items;
mod listener;
mod patience;
mod problem;
mod query;
mod respond;
mod routes;
mod samples;
mod status;
mod stream;
mod view;
mod views;

use std::{io, sync::Arc, time::Duration};

use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::timeout,
};
use tracing::debug;

use self::{
    access::{Access, Door, Entrance},
    connections::{ConnectionSlot, Connections},
    listener::{Accepted, Listener},
    patience::Patient,
    query::Spans,
    stream::{Settings, Streams},
    views::Views,
};
pub use self::{handle::Handle, listener::BindError};
use crate::{
    clock::boottime,
    config::{Compression, Config, Listen, OpenToOthers},
    hub::{Hub, Joined},
    protocol::{Hello, HelloHost, Message},
    sampler::SamplerStatus,
    service::Inherited,
    vital::OnDeath,
};

/// The most that a request's head may be: browsers send far less, and each connection may hold one.
const MAX_HEAD_BYTES: usize = 16 << 10;
/// When a subscriber that was sent away may try again; it spreads that with jitter.
const RETRY_MS: u64 = 1_000;

/// Refused connections that are told why at the same time, each for a second at most.
const REFUSALS_AT_A_TIME: usize = 64;

/// A server that has its ports and serves nobody yet.
#[derive(Debug)]
pub struct Server {
    listeners: Vec<Listener>,
    addresses: Vec<Listen>,
    context: Arc<Context>,
    timeouts: Timeouts,
    on_death: OnDeath,
}

/// How long HTTP clients may take.
#[derive(Clone, Copy, Debug)]
struct Timeouts {
    /// To send the head of a request.
    header: Duration,
    /// To read any of an answer.
    stall: Duration,
}

/// What the routes share.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) hub: Hub,
    pub(crate) identity: Arc<Identity>,
    pub(crate) sampler: Arc<SamplerStatus>,
    pub(crate) views: Views,
    pub(crate) streams: Streams,
    pub(crate) access: Access,
    pub(crate) connections: Connections,
    /// The newest `seq`, for those who follow over HTTP.
    pub(crate) published: watch::Sender<u64>,
    pub(crate) stopping: watch::Sender<bool>,
    /// When the daemon was started, on `CLOCK_BOOTTIME`.
    pub(crate) started: Duration,
    pub(crate) history_window: Duration,
    pub(crate) compression: Compression,
}

/// Who speaks, as every `hello` says it.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) host: HelloHost,
    interval: Duration,
    heartbeat: Duration,
}

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    /// The address, as it stands in the log.
    pub(crate) address: Arc<str>,
    /// Whether it is on this machine, as far as the address tells: a proxy is, too.
    pub(crate) is_local: bool,
    /// Where it came in.
    pub(crate) entrance: Entrance,
    pub(crate) slot: ConnectionSlot,
}

/// The server could not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// A place to listen at could not be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A socket that was handed over is none to accept at.
    #[error("cannot listen at a socket that was handed over")]
    Inherited(#[source] io::Error),
    /// A socket that was handed over is open to others.
    #[error(transparent)]
    Open(#[from] OpenToOthers),
    /// The kernel did not say where a listener is.
    #[error("cannot tell where a listener is")]
    Address(#[source] io::Error),
    /// The threads of the stream could not be started.
    #[error("cannot start the stream's threads")]
    Streams(#[source] io::Error),
}

impl Server {
    /// Takes the ports, or those that were handed over instead, and starts the stream's threads. Must be called within
    /// a tokio runtime.
    pub fn bind(
        config: &Config,
        inherited: Inherited,
        hub: Hub,
        host: HelloHost,
        sampler: Arc<SamplerStatus>,
        on_death: &OnDeath,
    ) -> Result<Self, ServerError> {
        let listeners: Vec<_> = if inherited.is_empty() {
            config.server.listen.iter().map(Listener::bind).collect::<Result<_, _>>()?
        } else {
            Listener::inherit(inherited).map_err(ServerError::Inherited)?
        };
        let addresses = listeners.iter().map(Listener::address).collect::<io::Result<_>>();
        let addresses = addresses.map_err(ServerError::Address)?;
        for address in &addresses {
            config.server.auth.allows(address)?;
        }
        let limits = &config.server.limits;
        let settings = Settings {
            heartbeat: config.server.heartbeat,
            ping_interval: limits.ping_interval,
            stall_timeout: limits.stall_timeout,
            retry_ms: RETRY_MS,
        };
        let streams = Streams::start(&hub, &settings, on_death).map_err(ServerError::Streams)?;
        let access = Access::new(&config.server, &host.host.name);
        let identity = Identity { host, interval: sampler.interval(), heartbeat: config.server.heartbeat };
        let context = Arc::new(Context {
            identity: Arc::new(identity),
            sampler,
            views: Views::new(hub.clone(), usize::try_from(limits.max_backlog_bytes).unwrap_or(usize::MAX)),
            streams,
            access,
            connections: Connections::new(limits),
            published: watch::Sender::new(0),
            stopping: watch::Sender::new(false),
            started: boottime(),
            history_window: config.history.window,
            compression: config.server.compression,
            hub,
        });
        let follower = Arc::downgrade(&context);
        context.hub.on_publish(move || {
            if let Some(context) = follower.upgrade().filter(|context| context.published.receiver_count() > 0) {
                context.published.send_replace(context.hub.next_seq() - 1);
            }
        });
        let timeouts = Timeouts { header: limits.header_timeout, stall: limits.stall_timeout };
        Ok(Self { listeners, addresses, context, timeouts, on_death: on_death.clone() })
    }

    /// Where it listens, with the ports that the kernel chose where it was asked to.
    pub fn addresses(&self) -> &[Listen] {
        &self.addresses
    }

    /// Serves until `shutdown` resolves, then says goodbye to everyone and waits for them to go, for
    /// at most `grace`.
    pub async fn run(self, shutdown: impl Future<Output = ()>, grace: Duration) {
        let Self { listeners, context, timeouts, on_death, .. } = self;
        let mut accepting = JoinSet::new();
        for listener in listeners {
            accepting.spawn(accept_all(listener, Arc::clone(&context), timeouts));
        }
        tokio::select! {
            () = shutdown => {}
            // They end only by a panic.
            Some(ended) = accepting.join_next() => on_death.tell(format!("a listener ended: {ended:?}")),
        }
        // When this returns the tasks are dropped, and their listeners with them: the ports are free.
        accepting.shutdown().await;
        context.stopping.send_replace(true);
        context.streams.drain("shutting_down");
        if timeout(grace, context.connections.all_gone()).await.is_err() {
            let (open, _) = context.connections.count();
            debug!(open, "connections were still open when the grace period ended");
        }
    }
}

async fn accept_all(listener: Listener, context: Arc<Context>, timeouts: Timeouts) {
    let service = TowerToHyperService::new(warp::service(routes::routes(&context)));
    let refusals = Arc::new(Semaphore::new(REFUSALS_AT_A_TIME));
    loop {
        let accepted = listener.accept().await;
        let (ip, entrance) = match &accepted {
            Accepted::Tcp(_, ends) => (Some(ends.client), Entrance::Ip(ends.ours)),
            Accepted::Unix(_) => (None, Entrance::UnixSocket),
        };
        let slot = match context.connections.admit(ip) {
            Ok(slot) => slot,
            Err(why) => {
                debug!(peer = ?ip, "refused a connection: {why}");
                // In a flood most are just closed: a refusal must not cost what an admission does.
                if let Ok(permit) = Arc::clone(&refusals).try_acquire_owned() {
                    tokio::spawn(async move {
                        connections::refuse(accepted, why).await;
                        drop(permit);
                    });
                }
                continue;
            }
        };
        let address = ip.map_or_else(|| "unix".into(), |ip| ip.to_string().into());
        let is_local = ip.is_none_or(|ip| ip.to_canonical().is_loopback());
        let peer = Peer { address, is_local, entrance, slot };
        let context = Arc::clone(&context);
        let service = service.clone();
        match accepted {
            Accepted::Tcp(io, _) => tokio::spawn(serve(io, context, service, peer, timeouts)),
            Accepted::Unix(io) => tokio::spawn(serve(io, context, service, peer, timeouts)),
        };
    }
}

/// Serves one connection until it ends or becomes a stream.
async fn serve<I, F>(io: I, context: Arc<Context>, service: TowerToHyperService<F>, peer: Peer, timeouts: Timeouts)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    TowerToHyperService<F>: Clone
        + hyper::service::Service<Request<Incoming>, Response = warp::reply::Response, Error = std::convert::Infallible>,
    <TowerToHyperService<F> as hyper::service::Service<Request<Incoming>>>::Future: Send,
{
    let address = Arc::clone(&peer.address);
    let mut stopping = context.stopping.subscribe();
    let service = service_fn(move |mut request: Request<Incoming>| {
        let door = context.access.look_at(&request, peer.entrance);
        request.extensions_mut().insert(peer.clone());
        let service = service.clone();
        async move {
            match door {
                Door::Answered(answer) => Ok(answer),
                Door::Open(passed) => {
                    let mut answer = hyper::service::Service::call(&service, request).await?;
                    passed.mark(&mut answer);
                    Ok::<_, std::convert::Infallible>(answer)
                }
            }
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(timeouts.header)
        // `nc -N` says that it has sent all, and still wants the answer.
        .half_close(true)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(Patient::new(io, timeouts.stall)), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => Some(ended),
        // The only other outcome is that the sender is gone, and with it the daemon.
        _ = stopping.changed() => None,
    };
    let ended = if let Some(ended) = ended {
        ended
    } else {
        connection.as_mut().graceful_shutdown();
        connection.await
    };
    if let Err(error) = ended {
        debug!(peer = %address, %error, "a connection ended badly");
    }
}

impl Context {
    /// What clients may fold samples to.
    pub(crate) fn spans(&self) -> Spans {
        Spans { interval: self.identity.interval, window: self.history_window }
    }

    pub(crate) fn interval_ms(&self) -> u64 {
        self.identity.interval.as_millis() as u64
    }
}

impl Identity {
    /// The first message to a subscriber.
    pub(crate) fn hello(&self, joined: &Joined) -> Message {
        let (protocol, server) = Hello::protocol_and_server();
        Message::Hello(Hello {
            protocol,
            server,
            host: self.host.clone(),
            epoch: joined.epoch,
            interval_ms: self.interval.as_millis() as u64,
            oldest_seq: joined.oldest_seq,
            next_seq: joined.next_seq,
            heartbeat_ms: self.heartbeat.as_millis() as u64,
        })
    }
}
