//! The server: HTTP by warp inside our own accept loop, and the stream on sockets of its own.
//!
//! warp and hyper are used here and nowhere else.

mod accept;
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
mod neighbourhood;
mod origin;
mod page;
mod patience;
mod problem;
mod query;
mod refusal;
mod respond;
mod routes;
mod samples;
mod serve;
mod status;
mod stream;
mod tls;
mod view;
mod views;

use std::{
    io,
    sync::{Arc, Mutex, Once, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, task::JoinSet, time::timeout};
use tracing::debug;

use self::{
    accept::accept_all,
    access::Access,
    connections::Connections,
    in_force::{Current, InForce, stream_settings},
    listener::Listener,
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
    token::Tokens,
    vital::OnDeath,
};

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
    /// Said once: somebody takes a plain port for one with TLS.
    pub(crate) told_of_tls: Once,
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
            told_of_tls: Once::new(),
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

impl Context {
    pub(crate) fn reload_report(&self) -> ReloadReport {
        let mut report = self.reload.lock().unwrap_or_else(PoisonError::into_inner).clone();
        report.problems.extend(self.in_force.get().tls.as_ref().and_then(Tls::problem));
        report
    }
}
