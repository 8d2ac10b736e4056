//! Reading the configuration again while everything runs. What is right takes effect without anyone losing anything;
//! of what is wrong nothing does.

use std::sync::Arc;

use tokio::sync::Notify;
use tracing::{error, info, warn};

use super::{read_secrets, with_room_for_connections};
use crate::{
    collector,
    config::{Config, Listen, Loaded, Source},
    hub::Hub,
    logging::Log,
    sampler::Sampler,
    server::{Handle, Secrets},
    service::{News, ServiceManager},
};

/// The keys that only a restart can change.
const NEED_RESTART: [&str; 1] = ["server.listen"];

/// When to read the configuration again, and where.
pub struct Reload<'a> {
    /// Woken for each request. Requests that come while one is under way become one.
    pub requested: Arc<Notify>,
    /// Where the configuration comes from.
    pub source: &'a Source,
    /// Whose level may change.
    pub log: &'a Log,
}

/// The parts that take a new configuration.
pub(super) struct Parts<'a> {
    /// Where it listens.
    pub(super) addresses: &'a [Listen],
    pub(super) hub: &'a Hub,
    pub(super) sampler: &'a Sampler,
    pub(super) server: &'a Handle,
}

/// Returns once the configuration shall be read again; `None` at once where it never will be.
pub(super) async fn requested<'a, 'b>(reload: Option<&'a Reload<'b>>) -> Option<&'a Reload<'b>> {
    let reload = reload?;
    reload.requested.notified().await;
    Some(reload)
}

impl Reload<'_> {
    /// Reads the configuration, and puts it in force if it is right.
    pub(super) fn run(&self, in_force: &mut Config, parts: &Parts<'_>, manager: &ServiceManager) {
        manager.tell(&[News::Reloading]);
        let loaded = self.source.load().map_err(|invalid| invalid.problems().to_vec());
        let loaded = loaded.and_then(|Loaded { config, warnings }| {
            // What it listens at stays as it is, whatever the file says of that now.
            for address in parts.addresses {
                config.server.auth.allows(address).map_err(|open| vec![format!("server.auth: {open}")])?;
            }
            let secrets = read_secrets(&config.server).map_err(|error| vec![error.to_string()])?;
            Ok((config, secrets, warnings))
        });
        let status = match loaded {
            Ok((config, secrets, warnings)) => {
                for warning in warnings {
                    warn!("{warning}");
                }
                self.apply(in_force, config, secrets, parts)
            }
            Err(problems) => {
                for problem in &problems {
                    error!("{problem}");
                }
                error!("the configuration is wrong: the old one stays in force");
                let status = format!("the configuration is wrong, the old one stays in force: {}", problems[0]);
                parts.server.note_reload(|report| {
                    report.refused += 1;
                    report.problems = problems;
                });
                status
            }
        };
        manager.tell(&[News::Ready, News::Status(&status)]);
    }

    fn apply(&self, in_force: &mut Config, mut config: Config, secrets: Secrets, parts: &Parts<'_>) -> String {
        config = with_room_for_connections(config);
        let mut changed = in_force.changed_keys(&config);
        let needs_restart: Vec<_> = changed.extract_if(.., |key| NEED_RESTART.contains(&key.as_str())).collect();
        config.server.listen.clone_from(&in_force.server.listen);
        let has_other_tokens = secrets.tokens != parts.server.tokens();
        // Whether a certificate is another one is not asked: it costs nothing to take it.
        if !changed.is_empty() || has_other_tokens || secrets.tls.is_some() {
            self.log.set_level(config.log.level);
            parts.hub.set_bounds(&config.history);
            if config.sampler != in_force.sampler || config.collectors != in_force.collectors {
                let interval = config.sampler.interval;
                parts.sampler.retune(interval, collector::enabled(&config.collectors, interval));
            }
            parts.server.apply(&config, secrets, &changed);
            *in_force = config;
        }
        changed.extend(has_other_tokens.then(|| "tokens".to_owned()));
        let what = if changed.is_empty() { "nothing has changed".to_owned() } else { changed.join(", ") };
        info!("read the configuration again: {what}");
        if !needs_restart.is_empty() {
            warn!("takes effect only with a restart: {}", needs_restart.join(", "));
        }
        parts.server.note_reload(|report| {
            report.applied += 1;
            report.problems.clear();
            report.needs_restart = needs_restart;
        });
        format!("reloaded: {what}")
    }
}
