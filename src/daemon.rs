//! The composition root: the only place that knows everyone. It puts the parts together, starts
//! them, and stops them in the reverse order.

mod reload;
mod report;

use std::{
    io::{self, Write as _},
    sync::Arc,
    time::Duration,
};

use tokio::{runtime, sync::mpsc};
use tracing::{error, info, warn};

pub use self::reload::Reload;
use self::{
    reload::{Parts, requested},
    report::{Vitals, report},
};
use crate::{
    collector::{self, Scheduled},
    config::{Auth, Config, Listen, ServerConfig, Source},
    descriptors,
    hub::Hub,
    logging::Log,
    sample::Host,
    sampler::Sampler,
    server::{Secrets, Server, ServerError, Tls, TlsError},
    service::{Inherited, News, ServiceManager},
    signals::{Orders, Received},
    token::{TokenFile, TokenFileError, Tokens},
    vital::OnDeath,
};

/// HTTP and handshakes are all that tokio does here; the stream has threads of its own.
const RUNTIME_THREADS: usize = 2;

/// A daemon that samples and has its ports, but serves nobody yet.
#[derive(Debug)]
pub struct Daemon {
    server: Server,
    vitals: Vitals,
    sampler: Sampler,
    deaths: mpsc::UnboundedReceiver<String>,
    /// The configuration in force.
    config: Config,
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
    /// Something that the configuration names cannot be used.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The sampler's thread could not be started.
    #[error("cannot start the sampler's thread")]
    Sampler(#[source] io::Error),
    /// A thread that the daemon cannot do without has ended: a bug.
    #[error("stopped because a part of it died: {0}")]
    Died(String),
}

/// A file that the configuration names cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The tokens.
    #[error(transparent)]
    Tokens(#[from] TokenFileError),
    /// The certificate or its key.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl DaemonError {
    /// Whether starting again will not help before somebody has changed the configuration.
    pub fn is_for_good(&self) -> bool {
        matches!(self, Self::Server(ServerError::Open(_)) | Self::Secret(_))
    }
}

/// Runs a daemon until SIGTERM or SIGINT, and reads its configuration again from `source` with each SIGHUP.
pub fn serve(
    source: &Source,
    config: &Config,
    log: &Log,
    inherited: Inherited,
    manager: ServiceManager,
) -> Result<(), DaemonError> {
    let mut builder = runtime::Builder::new_multi_thread();
    builder.worker_threads(RUNTIME_THREADS).thread_name("http").enable_all();
    let runtime = builder.build().map_err(DaemonError::Start)?;
    let (_orders, Received { stop, reload }) = Orders::listen().map_err(DaemonError::Start)?;
    let reload = Reload { requested: reload, source, log };
    let ended = runtime.block_on(async {
        let daemon = Daemon::bind(config, inherited)?;
        announce(config, daemon.addresses());
        daemon
            .run(manager, Some(reload), async {
                // An error means that the signal thread is gone, and then nobody can tell us to stop.
                let _ = stop.await;
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
    /// Takes the ports, or those that were handed over instead, and starts to sample. Must be called within a tokio
    /// runtime.
    pub fn bind(config: &Config, inherited: Inherited) -> Result<Self, DaemonError> {
        let collectors = collector::enabled(&config.collectors, config.sampler.interval);
        Self::with_collectors(config, inherited, collector::read_host(), collectors)
    }

    /// The same with other collectors than the configuration's, and the host that they are of.
    pub fn with_collectors(
        config: &Config,
        inherited: Inherited,
        host: Host,
        collectors: Vec<Scheduled>,
    ) -> Result<Self, DaemonError> {
        let (died, deaths) = mpsc::unbounded_channel();
        let on_death = OnDeath::new(move |last_words| {
            // If nobody listens, the daemon is stopping anyway.
            let _ = died.send(last_words);
        });
        let config = with_room_for_connections(config.clone());
        let limits = &config.server.limits;
        info!("up to {} connections, {} from one address", limits.max_connections, limits.max_connections_per_address);
        if !inherited.is_empty() && config.server.listen != ServerConfig::default().listen {
            warn!("server.listen is not used: the service manager has handed over where to listen");
        }
        if collectors.is_empty() {
            warn!("every collector is off: the samples will be empty");
        }
        for line in collector::hidden() {
            warn!("{line}");
        }
        let hub = Hub::new(&config.history);
        let prepared = Sampler::prepare(config.sampler.interval, collectors);
        let status = prepared.status();
        let secrets = read_secrets(&config.server)?;
        let server = Server::bind(&config, secrets, inherited, hub.clone(), host, Arc::clone(&status), &on_death)?;
        let vitals = Vitals { hub: hub.clone(), sampler: status, server: server.handle() };
        let sampler = prepared.start(hub, &on_death).map_err(DaemonError::Sampler)?;
        Ok(Self { server, vitals, sampler, deaths, config })
    }

    /// Where it listens, with the ports that the kernel chose where it was asked to.
    pub fn addresses(&self) -> &[Listen] {
        self.server.addresses()
    }

    /// Serves until `shutdown` resolves, and returns when everyone has gone or the grace period is over. The manager is
    /// told how it goes.
    pub async fn run(
        self,
        manager: ServiceManager,
        reload: Option<Reload<'_>>,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), DaemonError> {
        let Self { server, vitals, sampler, mut deaths, mut config } = self;
        let manager = Arc::new(manager);
        let (hub, handle, addresses) = (vitals.hub.clone(), server.handle(), server.addresses().to_vec());
        let reporter = tokio::spawn(report(Arc::clone(&manager), vitals));
        let mut death = None;
        let end = async {
            let parts = Parts { addresses: &addresses, hub: &hub, sampler: &sampler, server: &handle };
            tokio::pin!(shutdown);
            loop {
                tokio::select! {
                    () = &mut shutdown => break,
                    // The sender lives as long as the threads that hold it, so this is never `None` here.
                    last_words = deaths.recv() => {
                        death = last_words;
                        break;
                    }
                    Some(reload) = requested(reload.as_ref()) => reload.run(&mut config, &parts, &manager),
                }
            }
            reporter.abort();
            manager.tell(&[News::Stopping, News::Status("stopping")]);
            config.server.shutdown_grace
        };
        server.run(end).await;
        sampler.stop(config.server.shutdown_grace);
        match death.or_else(|| deaths.try_recv().ok()) {
            None => Ok(()),
            Some(last_words) => {
                error!("{last_words}");
                Err(DaemonError::Died(last_words))
            }
        }
    }
}

/// What the configuration names and does not hold.
pub(crate) fn read_secrets(config: &ServerConfig) -> Result<Secrets, SecretError> {
    let tls = config.tls.as_ref().map(Tls::read).transpose()?;
    if config.auth != Auth::Token {
        return Ok(Secrets { tokens: Tokens::default(), tls });
    }
    let tokens = TokenFile(&config.token_file).read()?;
    if tokens.iter().next().is_none() {
        let file = config.token_file.display();
        warn!("there are no tokens in {file}, so nobody may read: `hostcast token add NAME` makes one");
    }
    Ok(Secrets { tokens, tls })
}

/// The same configuration, with no more connections than there can be descriptors.
pub(crate) fn with_room_for_connections(mut config: Config) -> Config {
    let limits = &mut config.server.limits;
    let room = descriptors::raise_limit();
    if room < limits.max_connections {
        let wanted = limits.max_connections;
        warn!("open files are limited to {room} connections, below server.limits.max_connections = {wanted}");
        limits.max_connections = room;
    }
    config
}

/// Tells a person where the dashboard is, and warns of what everyone could reach.
pub(crate) fn announce(config: &Config, addresses: &[Listen]) {
    let scheme = if config.server.tls.is_some() { "https" } else { "http" };
    let base = &config.server.base_path;
    for listen in addresses {
        let line = match listen {
            Listen::Tcp(address) => format!("dashboard at {scheme}://{address}{base}/"),
            Listen::Unix(path) => format!("listening on unix:{}", path.display()),
        };
        // The daemon does not need anyone to read this.
        let _ = writeln!(io::stdout(), "{line}");
        info!(%listen, "serving");
        if let Listen::Tcp(address) = listen
            && !address.ip().is_loopback()
        {
            match config.server.auth {
                Auth::Token if config.server.tls.is_some() => {}
                Auth::Token => {
                    warn!(%listen, "tokens cross the network in the clear: set server.tls, or put TLS in front");
                }
                _ => warn!(
                    %listen,
                    "everyone who can reach this address can read this host's metrics: server.auth is \"none\""
                ),
            }
        }
    }
}
