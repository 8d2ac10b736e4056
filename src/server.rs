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
mod in_force;
mod items;
mod listener;
mod origin;
mod page;
mod patience;
mod problem;
mod query;
mod respond;
mod routes;
mod samples;
mod status;
mod stream;
mod tls;
mod view;
mod views;

use std::{
    io,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hyper::{Method, Request, body::Incoming, server::conn::http1, service::service_fn};
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
    in_force::{Current, InForce, stream_settings},
    listener::{Accepted, Listener},
    patience::Patient,
    stream::Streams,
    views::Views,
};
pub use self::{
    handle::Handle,
    listener::BindError,
    origin::Origin,
    status::ReloadReport,
    tls::{Tls, TlsError},
};
use crate::{
    clock::boottime,
    config::{Config, Listen, OpenToOthers},
    hub::Hub,
    sample::Host,
    service::Inherited,
    token::{Proof, Tokens},
    vital::OnDeath,
};

/// The most that a request's head may be: browsers send far less, and each connection may hold one.
const MAX_HEAD_BYTES: usize = 16 << 10;

/// Refused connections that are told why at the same time, each for a second at most.
const REFUSALS_AT_A_TIME: usize = 64;

/// What the configuration names and does not hold, read from the files.
#[derive(Debug, Default)]
pub struct Secrets {
    /// Who may read, where tokens are asked for.
    pub tokens: Tokens,
    /// How TCP is encrypted, if it is.
    pub tls: Option<Tls>,
}

/// A server that has its ports and serves nobody yet.
#[derive(Debug)]
pub struct Server {
    listeners: Vec<Listener>,
    addresses: Vec<Listen>,
    context: Arc<Context>,
    on_death: OnDeath,
}

/// What the routes share.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) hub: Hub,
    pub(crate) in_force: Current<InForce>,
    pub(crate) origin: Origin,
    pub(crate) views: Views,
    pub(crate) streams: Streams,
    pub(crate) access: Arc<Access>,
    /// Told when somebody may not read any more.
    pub(crate) recheck: watch::Sender<()>,
    pub(crate) connections: Connections,
    /// The newest `seq`, for those who follow over HTTP.
    pub(crate) published: watch::Sender<u64>,
    pub(crate) stopping: watch::Sender<bool>,
    /// When the daemon was started, on `CLOCK_BOOTTIME`.
    pub(crate) started: Duration,
    /// What came of reading the configuration again.
    pub(crate) reload: Mutex<ReloadReport>,
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
    /// Where it comes from; `None` is a Unix socket.
    pub(crate) ip: Option<IpAddr>,
    /// Whether it is encrypted up to here.
    pub(crate) is_encrypted: bool,
    /// Who asks, as far as that was proved: of each request.
    pub(crate) proof: Option<Proof>,
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
        secrets: Secrets,
        inherited: Inherited,
        hub: Hub,
        host: Host,
        origin: impl Into<Origin>,
        on_death: &OnDeath,
    ) -> Result<Self, ServerError> {
        let origin = origin.into();
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
        let settings = stream_settings(config, origin.replay());
        let streams = Streams::start(&hub, &settings, on_death).map_err(ServerError::Streams)?;
        let access = Access::new(&config.server, secrets.tokens, &host.name);
        let context = Arc::new(Context {
            in_force: Current::new(InForce::new(config, host, secrets.tls, origin.replay())),
            origin,
            views: Views::new(hub.clone(), limits.max_backlog_bytes),
            streams,
            access: Arc::new(access),
            recheck: watch::Sender::new(()),
            connections: Connections::new(limits),
            published: watch::Sender::new(0),
            stopping: watch::Sender::new(false),
            started: boottime(),
            reload: Mutex::default(),
            hub,
        });
        let follower = Arc::downgrade(&context);
        context.hub.on_publish(move || {
            if let Some(context) = follower.upgrade().filter(|context| context.published.receiver_count() > 0) {
                context.published.send_replace(context.hub.next_seq() - 1);
            }
        });
        Ok(Self { listeners, addresses, context, on_death: on_death.clone() })
    }

    /// Where it listens, with the ports that the kernel chose where it was asked to.
    pub fn addresses(&self) -> &[Listen] {
        &self.addresses
    }

    /// Serves until `shutdown` resolves, then says goodbye to everyone and waits for them to go, for at most the time
    /// that it resolves to.
    pub async fn run(self, shutdown: impl Future<Output = Duration>) {
        let Self { listeners, context, on_death, .. } = self;
        let mut accepting = JoinSet::new();
        for listener in listeners {
            accepting.spawn(accept_all(listener, Arc::clone(&context)));
        }
        let grace = tokio::select! {
            grace = shutdown => grace,
            // They end only by a panic.
            Some(ended) = accepting.join_next() => {
                on_death.tell(format!("a listener ended: {ended:?}"));
                Duration::ZERO
            }
        };
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

async fn accept_all(listener: Listener, context: Arc<Context>) {
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
                // One who expects TLS would not understand it.
                let is_plain = ip.is_none() || context.in_force.get().tls.is_none();
                if let Ok(permit) = Arc::clone(&refusals).try_acquire_owned()
                    && is_plain
                {
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
        let tls = context.in_force.get().tls.clone().filter(|_| ip.is_some());
        let peer = Peer { address, is_local, entrance, ip, is_encrypted: tls.is_some(), proof: None, slot };
        let context = Arc::clone(&context);
        let service = service.clone();
        match accepted {
            Accepted::Tcp(io, _) => match tls {
                Some(tls) => tokio::spawn(async move {
                    if let Some(io) = tls.handshake(io, &context, &peer.address).await {
                        serve(io, context, service, peer).await;
                    }
                }),
                None => tokio::spawn(serve(io, context, service, peer)),
            },
            Accepted::Unix(io) => tokio::spawn(serve(io, context, service, peer)),
        };
    }
}

/// Serves one connection until it ends or becomes a stream.
async fn serve<I, F>(io: I, context: Arc<Context>, service: TowerToHyperService<F>, peer: Peer)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    TowerToHyperService<F>: Clone
        + hyper::service::Service<Request<Incoming>, Response = warp::reply::Response, Error = std::convert::Infallible>,
    <TowerToHyperService<F> as hyper::service::Service<Request<Incoming>>>::Future: Send,
{
    let address = Arc::clone(&peer.address);
    let in_force = context.in_force.get();
    let (mut stopping, mut recheck) = (context.stopping.subscribe(), context.recheck.subscribe());
    let (access, header_timeout) = (Arc::clone(&context.access), in_force.header_timeout);
    // Who asked last, on this connection.
    let asking = Arc::new(Mutex::new(None));
    let asked = Arc::clone(&asking);
    let service = service_fn(move |mut request: Request<Incoming>| {
        let door = context.access.look_at(&request, peer.entrance, peer.ip);
        let mut peer = peer.clone();
        let (service, asking) = (service.clone(), Arc::clone(&asking));
        async move {
            match door {
                Door::Answered(answer) => Ok(answer),
                Door::Open(passed, proof) => {
                    peer.proof = proof;
                    let reads = !access::is_open(request.uri().path());
                    *asking.lock().unwrap_or_else(PoisonError::into_inner) = reads.then_some(proof);
                    request.extensions_mut().insert(peer);
                    let is_form = request.method() == Method::POST;
                    let answer = hyper::service::Service::call(&service, request);
                    let mut answer = if is_form {
                        // All that may take long is its body, and that gets no more time than a head.
                        let answer = timeout(header_timeout, answer).await;
                        answer.unwrap_or_else(|_| Ok(problem::took_too_long()))?
                    } else {
                        answer.await?
                    };
                    passed.mark(&mut answer);
                    Ok::<_, std::convert::Infallible>(answer)
                }
            }
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(in_force.header_timeout)
        // `nc -N` says that it has sent all, and still wants the answer.
        .half_close(true)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(Patient::new(io, in_force.stall_timeout)), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = loop {
        tokio::select! {
            ended = &mut connection => break Some(ended),
            // The only other outcome is that the sender is gone, and with it the daemon.
            _ = stopping.wait_for(|stopping| *stopping) => break None,
            _ = recheck.changed() => {
                let asked = *asked.lock().unwrap_or_else(PoisonError::into_inner);
                if asked.is_some_and(|proof| !access.still_allows(proof)) {
                    debug!(peer = %address, "closed the connection of one who may not read any more");
                    return;
                }
            }
        }
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
    pub(crate) fn reload_report(&self) -> ReloadReport {
        self.reload.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
