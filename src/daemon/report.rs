//! What the service manager is told while the daemon runs.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Notify, time::sleep};
use tracing::{error, info, warn};

use crate::{
    clock::Now,
    config::format_duration,
    hub::Hub,
    sampler::SamplerStatus,
    server::Handle,
    service::{News, ServiceManager},
};

/// How often the line for people is brought up to date, and the certificate's files are looked at: once for all that has
/// to be done now and then, because each waking costs more than what is done.
const STATUS_EVERY: Duration = Duration::from_secs(5);

/// What there is to tell of.
#[derive(Debug)]
pub(super) struct Vitals {
    pub(super) hub: Hub,
    pub(super) sampler: Arc<SamplerStatus>,
    pub(super) server: Handle,
}

/// Tells of the first sample, and from then on that there is progress, for as long as there is. That this runs at all
/// is a sign of life of the threads that do HTTP: it is a task of theirs.
pub(super) async fn report(manager: Arc<ServiceManager>, vitals: Vitals) {
    vitals.first_sample().await;
    let mut status = vitals.status();
    manager.tell(&[News::Ready, News::Status(&status)]);
    // Three times within its patience, so that one that comes late is not the last.
    let period = manager.watchdog().map_or(STATUS_EVERY, |patience| (patience / 3).min(STATUS_EVERY));
    let mut was_well = true;
    loop {
        sleep(period).await;
        let trouble = vitals.trouble();
        match &trouble {
            None => manager.tell(&[News::Alive]),
            Some(trouble) if was_well => error!("{trouble}: the watchdog is told nothing until that ends"),
            Some(_) => {}
        }
        if trouble.is_none() && !was_well {
            info!("there is progress again");
        }
        was_well = trouble.is_none();
        match vitals.server.renew_certificate() {
            None => {}
            Some(Ok(())) => info!("the files of server.tls have changed: the new certificate is in force"),
            Some(Err(error)) => warn!("{error}: the certificate that was in force stays so"),
        }
        let now = trouble.unwrap_or_else(|| vitals.status());
        if now != status {
            manager.tell(&[News::Status(&now)]);
            status = now;
        }
    }
}

impl Vitals {
    async fn first_sample(&self) {
        let published = Arc::new(Notify::new());
        let waker = Arc::clone(&published);
        self.hub.on_publish(move || waker.notify_one());
        while self.hub.newest().is_none() {
            published.notified().await;
        }
    }

    fn trouble(&self) -> Option<String> {
        let now = Now::read();
        if !self.sampler.is_fresh(now) {
            return Some(format!("no sample was taken for {} s", self.sampler.age(now).as_secs()));
        }
        (!self.server.has_moved()).then(|| "a thread of the stream does not move".to_owned())
    }

    fn status(&self) -> String {
        let interval = format_duration(self.sampler.interval());
        let sampling = match self.server.subscribers() {
            1 => format!("sampling every {interval}, 1 subscriber"),
            count => format!("sampling every {interval}, {count} subscribers"),
        };
        match self.server.reload_problem() {
            None => sampling,
            Some(problem) => format!("{sampling}; the configuration is wrong, an old one is in force: {problem}"),
        }
    }
}
