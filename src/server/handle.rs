//! What the daemon may ask of a server that runs, and tell it.

use std::sync::Arc;

use super::{Context, Secrets, Server, TlsError, in_force, in_force::InForce, status::ReloadReport};
use crate::{
    config::Config,
    protocol::{Message, Notice},
    token::Tokens,
};

/// Goes on to be of use while the server runs.
#[derive(Clone, Debug)]
pub struct Handle(Arc<Context>);

impl Server {
    /// A handle on this server, for when it runs.
    pub fn handle(&self) -> Handle {
        Handle(Arc::clone(&self.context))
    }
}

impl Handle {
    /// Subscribers right now.
    pub fn subscribers(&self) -> usize {
        self.0.streams.report().subscribers
    }

    /// Whether each thread of the stream has come round since the last call. It is woken for the next one.
    pub fn has_moved(&self) -> bool {
        self.0.streams.has_moved()
    }

    /// Puts another configuration in force, and tells every subscriber that these keys have changed. Whoever may not read any more is sent
    /// away.
    pub fn apply(&self, config: &Config, secrets: Secrets, changed: &[String]) {
        let context = &self.0;
        let in_force =
            InForce::new(config, context.in_force.get().host.host.clone(), secrets.tls, context.origin.replay());
        let notice = Message::Notice(Notice {
            reason: "config_reloaded".into(),
            changed: changed.to_vec(),
            interval_ms: Some(in_force.interval_ms()),
            heartbeat_ms: Some(in_force.heartbeat_ms()),
            // Whether they have changed or not: who reads slowly may get only the newest notice of several.
            labels: Some(in_force.host.labels.clone()),
            ..Notice::default()
        });
        context.access.apply(&config.server, secrets.tokens, &in_force.host.host.name);
        context.connections.set_limits(&config.server.limits);
        context.views.set_max_backlog(config.server.limits.max_backlog_bytes);
        // Before the notice goes out, so that whoever comes later than the notice has a hello that says the same.
        context.in_force.replace(in_force);
        let notice = (!changed.is_empty()).then(|| notice.to_text());
        context.streams.reconfigure(&in_force::stream_settings(config, context.origin.replay()), notice.as_deref());
        context.recheck.send_replace(());
    }

    /// Puts a renewed certificate in force; `None` where there is none. What is open goes on.
    pub fn renew_certificate(&self) -> Option<Result<(), TlsError>> {
        self.0.in_force.get().tls.as_ref()?.renew()
    }

    /// The tokens in force.
    pub fn tokens(&self) -> Tokens {
        self.0.access.tokens()
    }

    /// Has the status tell what came of reading the configuration again.
    pub fn note_reload(&self, note: impl FnOnce(&mut ReloadReport)) {
        note(&mut self.0.reload.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }

    /// The first thing that was wrong with the configuration when it was last read.
    pub fn reload_problem(&self) -> Option<String> {
        self.0.reload_report().problems.first().cloned()
    }
}
