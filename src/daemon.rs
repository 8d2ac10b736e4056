//! The composition root: the only place that knows everyone. It puts the parts together, starts
//! them, and stops them in the reverse order.

use std::{
    io::{self, Write as _},
    time::Duration,
};

use tokio::{runtime, sync::mpsc};
use tracing::{error, info, warn};

use crate::{
    collector::{self, Scheduled},
    config::{Config, Listen},
    descriptors,
    hub::Hub,
    protocol::HelloHost,
    sample::Host,
    sampler::Sampler,
    server::{Server, ServerError},
    signals::StopSignals,
    vital::OnDeath,
};

/// HTTP and handshakes are all that tokio does here; the stream has threads of its own.
const RUNTIME_THREADS: usize = 2;

/// A daemon that samples and has its ports, but serves nobody yet.
#[derive(Debug)]
pub struct Daemon {
    server: Server,
    sampler: Sampler,
    deaths: mpsc::UnboundedReceiver<String>,
    grace: Duration,
}

/// Why a daemon did not start, or stopped without being told to.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The async runtime or the signal thread could not be started.
    #[error("cannot start")]
    Start(#[source] io::Error),
    /// The server could not be started.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The sampler's thread could not be started.
    #[error("cannot start the sampler's thread")]
    Sampler(#[source] io::Error),
    /// A thread that the daemon cannot do without has ended: a bug.
    #[error("stopped because a part of it died: {0}")]
    Died(String),
}

/// Runs a daemon until SIGTERM or SIGINT.
pub fn serve(config: &Config) -> Result<(), DaemonError> {
    let mut builder = runtime::Builder::new_multi_thread();
    builder.worker_threads(RUNTIME_THREADS).thread_name("http").enable_all();
    let runtime = builder.build().map_err(DaemonError::Start)?;
    let (_signals, stopped) = StopSignals::listen().map_err(DaemonError::Start)?;
    let ended = runtime.block_on(async {
        let daemon = Daemon::bind(config)?;
        announce(daemon.addresses());
        daemon
            .run(async {
                // An error means that the signal thread is gone, and then nobody can tell us to stop.
                let _ = stopped.await;
            })
            .await
    });
    // Whoever has not gone by now was given the whole grace period.
    runtime.shutdown_timeout(Duration::ZERO);
    if ended.is_ok() {
        info!("stopped");
    }
    ended
}

impl Daemon {
    /// Takes the ports and starts to sample. Must be called within a tokio runtime.
    pub fn bind(config: &Config) -> Result<Self, DaemonError> {
        let collectors = collector::enabled(&config.collectors, config.sampler.interval);
        Self::with_collectors(config, collector::read_host(), collectors)
    }

    /// The same with other collectors than the configuration's, and the host that they are of.
    pub fn with_collectors(config: &Config, host: Host, collectors: Vec<Scheduled>) -> Result<Self, DaemonError> {
        let (died, deaths) = mpsc::unbounded_channel();
        let on_death = OnDeath::new(move |last_words| {
            // If nobody listens, the daemon is stopping anyway.
            let _ = died.send(last_words);
        });
        let config = &with_room_for_connections(config.clone());
        if collectors.is_empty() {
            warn!("every collector is off: the samples will be empty");
        }
        let hub = Hub::new(&config.history);
        let prepared = Sampler::prepare(config.sampler.interval, collectors);
        let host = HelloHost { host, labels: config.labels.clone() };
        let server = Server::bind(config, hub.clone(), host, prepared.status(), &on_death)?;
        let sampler = prepared.start(hub, &on_death).map_err(DaemonError::Sampler)?;
        Ok(Self { server, sampler, deaths, grace: config.server.shutdown_grace })
    }

    /// Where it listens, with the ports that the kernel chose where it was asked to.
    pub fn addresses(&self) -> &[Listen] {
        self.server.addresses()
    }

    /// Serves until `shutdown` resolves, and returns when everyone has gone or the grace period is over.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), DaemonError> {
        let Self { server, sampler, mut deaths, grace } = self;
        let mut death = None;
        let end = async {
            tokio::select! {
                () = shutdown => {}
                // The sender lives as long as the threads that hold it, so this is never `None` here.
                last_words = deaths.recv() => death = last_words,
            }
        };
        server.run(end, grace).await;
        sampler.stop(grace);
        match death.or_else(|| deaths.try_recv().ok()) {
            None => Ok(()),
            Some(last_words) => {
                error!("{last_words}");
                Err(DaemonError::Died(last_words))
            }
        }
    }
}

/// The same configuration, with no more connections than there can be descriptors.
fn with_room_for_connections(mut config: Config) -> Config {
    let limits = &mut config.server.limits;
    let room = descriptors::raise_limit();
    if room < limits.max_connections {
        let wanted = limits.max_connections;
        warn!("open files are limited to {room} connections, below server.limits.max_connections = {wanted}");
        limits.max_connections = room;
    }
    info!("up to {} connections, {} from one address", limits.max_connections, limits.max_connections_per_address);
    config
}

/// Tells a person where the dashboard is, and warns of what everyone could reach.
fn announce(addresses: &[Listen]) {
    for listen in addresses {
        let line = match listen {
            Listen::Tcp(address) => format!("dashboard at http://{address}/"),
            Listen::Unix(path) => format!("listening on unix:{}", path.display()),
        };
        // The daemon does not need anyone to read this.
        let _ = writeln!(io::stdout(), "{line}");
        info!(%listen, "serving");
        if let Listen::Tcp(address) = listen
            && !address.ip().is_loopback()
        {
            warn!(%listen, "everyone who can reach this address can read this host's metrics: there is no authentication yet");
        }
    }
}
