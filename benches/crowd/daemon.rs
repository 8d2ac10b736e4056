//! A daemon with a past: put together of the same parts as the real one, but its ring has been filled
//! beforehand, since nobody wants to wait for a quarter of an hour.

use std::{
    future,
    io::{self, Write as _},
    sync::Arc,
    time::{Duration, SystemTime},
};

use hostcast::{
    clock::boottime,
    collector,
    config::{Config, Listen},
    hub::Hub,
    sampler::{Sampler, SamplerStatus},
    server::{Secrets, Server},
    service::Inherited,
    vital::OnDeath,
};

use crate::measure::host::Host;

pub(crate) const INTERVAL: Duration = Duration::from_secs(1);

/// Every collector that reads on the sampler's own thread: the others have series when they are ready,
/// and the past must have the same as the present.
pub(crate) fn config() -> Config {
    let mut config = Config::default();
    config.collectors.filesystem = None;
    config.collectors.temperature = None;
    config.server.listen = vec![Listen::Tcp(([127, 0, 0, 1], 0).into())];
    config.server.limits.max_connections = 20_000;
    config.server.limits.max_connections_per_address = 20_000;
    config
}

/// A daemon whose ring holds readings of this host, dated one interval apart up to now; from then on
/// its sampler goes on.
pub(crate) fn run(past_samples: usize) -> io::Result<()> {
    let mut config = config();
    config.history.window = config.history.window.max(INTERVAL * past_samples as u32);
    let hub = Hub::new(&config.history);
    let mut host = Host::new(&config.collectors, INTERVAL);
    let (time, moment) = (SystemTime::now(), boottime());
    for age in (1..=past_samples as u32).rev().map(|age| INTERVAL * age) {
        hub.publish(host.read(time - age, moment.saturating_sub(age)));
    }
    let sampler = Sampler::prepare(INTERVAL, collector::enabled(&config.collectors, INTERVAL));
    let status = sampler.status();
    // A daemon that lacks its sampler or its lanes would measure nothing.
    let on_death = OnDeath::new(|last_words| panic!("{last_words}"));
    let _sampler = sampler.start(hub.clone(), &on_death)?;
    serve(&config, hub, status, &on_death, |server| server.block_on(future::pending()))
}

/// Serves `hub` on threads of its own while `work` runs.
pub(crate) fn serve(
    config: &Config,
    hub: Hub,
    status: Arc<SamplerStatus>,
    on_death: &OnDeath,
    work: impl FnOnce(&tokio::runtime::Runtime) -> io::Result<()>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let host = collector::read_host();
    let server = {
        let _entered = runtime.enter();
        Server::bind(config, Secrets::default(), Inherited::default(), hub, host, status, on_death)
            .map_err(io::Error::other)?
    };
    if let [Listen::Tcp(address)] = server.addresses() {
        writeln!(io::stdout(), "dashboard at http://{address}/")?;
    }
    runtime.spawn(server.run(future::pending()));
    work(&runtime)
}
