//! `hostcast replay`: a recording, served like a daemon.
//!
//! What is served is read before anybody is let in, and held in memory: the whole of it as history, at its own times.
//! Where it is played, a part of it waits for its time. There is no sampler, and what the recording lacks are holes in
//! the ring, which subscribers are told of as gaps.

mod entries;
mod load;
mod play;

use std::{
    io::{self, Write as _},
    path::PathBuf,
    time::Duration,
};

use tokio::{runtime, sync::mpsc};
use tracing::error;

use self::play::Player;
pub use self::{
    entries::{Entries, Entry},
    load::{Loaded, Nothing, Range, load},
};
use crate::{
    config::{Config, HistoryConfig},
    daemon::{self, DaemonError},
    hub::Hub,
    protocol::Replay,
    server::{Origin, Server},
    service::Inherited,
    signals::{Orders, Received},
    time::format_millis,
    vital::OnDeath,
};

/// What came before the moment from which on a recording is played.
pub const HISTORY_BEFORE: Duration = Duration::from_hours(1);

/// What to replay, and how.
#[derive(Debug)]
pub struct Plan {
    /// The recording of one host.
    pub folder: PathBuf,
    /// Which part of it.
    pub range: Range,
    /// Bytes that its samples may take.
    pub max_bytes: usize,
    /// How many times as fast as it was taken; `None` has all of it there at once, and nothing comes.
    pub speed: Option<f64>,
}

/// A replay that did not start, or stopped without being told to.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The recording could not be read.
    #[error("{}", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// There is nothing to show.
    #[error(transparent)]
    Nothing(#[from] Nothing),
    /// The server could not be started, or a thread died.
    #[error(transparent)]
    Daemon(#[from] DaemonError),
}

/// Serves until SIGTERM or SIGINT.
pub fn serve(plan: &Plan, mut config: Config) -> Result<(), ReplayError> {
    let past = plan.speed.map(|_| HISTORY_BEFORE);
    let loaded = load(&plan.folder, plan.range, plan.max_bytes, past);
    let loaded = loaded.map_err(|error| ReplayError::Read(plan.folder.clone(), error))??;
    describe(plan, &loaded);
    let Loaded { host, interval, entries, .. } = loaded;
    let (from, to) = entries.ends().unwrap_or_default();
    let replay = Replay { from, to, speed: plan.speed.unwrap_or_default() };
    config.sampler.interval = interval;
    config.labels = host.labels;
    // All that was loaded is held: its bound was that of loading.
    config.history = HistoryConfig { window: entries.span().saturating_add(interval), max_bytes: u64::MAX };
    let hub = Hub::new(&config.history);
    let waiting = publish_past(&hub, entries, plan);

    let runtime = runtime::Builder::new_multi_thread().worker_threads(2).thread_name("http").enable_all().build();
    let runtime = runtime.map_err(DaemonError::Start)?;
    let (_orders, Received { stop, .. }) = Orders::listen().map_err(DaemonError::Start)?;
    let (died, mut deaths) = mpsc::unbounded_channel();
    let on_death = OnDeath::new(move |last_words| {
        // If nobody listens, everything is stopping anyway.
        let _ = died.send(last_words);
    });
    let ended = runtime.block_on(async {
        let config = daemon::with_room_for_connections(config);
        let secrets = daemon::read_secrets(&config.server).map_err(DaemonError::from)?;
        let origin = Origin::Replay(replay);
        let server = Server::bind(&config, secrets, Inherited::default(), hub.clone(), host.host, origin, &on_death);
        let server = server.map_err(DaemonError::from)?;
        let player = plan.speed.map(|speed| Player::start(waiting, speed, hub, &on_death)).transpose();
        let player = player.map_err(DaemonError::Start)?;
        daemon::announce(&config, server.addresses());
        let mut death = None;
        let grace = config.server.shutdown_grace;
        server
            .run(async {
                tokio::select! {
                    // An error means that the signal thread is gone, and then nobody can tell us to stop.
                    _ = stop => {}
                    last_words = deaths.recv() => death = last_words,
                }
                grace
            })
            .await;
        drop(player);
        match death {
            None => Ok(()),
            Some(last_words) => {
                error!("{last_words}");
                Err(DaemonError::Died(last_words))
            }
        }
    });
    runtime.shutdown_timeout(Duration::ZERO);
    Ok(ended?)
}

/// Has everything in the ring that is there from the beginning, and returns the rest.
fn publish_past(hub: &Hub, mut entries: Entries, plan: &Plan) -> Entries {
    let is_past = |time| plan.speed.is_none() || plan.range.from.is_some_and(|from| time < from);
    // Something is there from the beginning, so that there is a moment to begin at.
    let mut is_first = true;
    while entries.next_is_due().is_some_and(|(time, _)| is_first || is_past(time)) {
        if let Some(entry) = entries.pop() {
            hub.publish_behind(&entry.holes, entry.reading);
        }
        is_first = false;
    }
    entries
}

/// Tells a person what is served of what there is.
fn describe(plan: &Plan, loaded: &Loaded) {
    let Loaded { entries, is_cut, damaged, .. } = loaded;
    let (from, to) = entries.ends().unwrap_or_default();
    let (folder, from, to) = (plan.folder.display(), format_millis(from), format_millis(to));
    let mut lines = vec![format!("{folder}: {} samples, {from} to {to}", entries.len())];
    if *is_cut {
        let what = if plan.speed.is_some() { "after" } else { "before" };
        lines.push(format!(
            "what came {what} that does not fit: choose with --from and --to, or allow more with --memory"
        ));
    }
    let left_out = entries.left_out();
    if left_out.len() > 0 {
        let (count, some) = (left_out.len(), left_out.take(3).collect::<Vec<_>>().join(", "));
        lines.push(format!("{count} series are left out, which this version does not know: {some}"));
    }
    if *damaged > 0 {
        lines.push(format!("{damaged} places could not be read; hostcast verify tells which"));
    }
    for line in lines {
        // Whoever does not listen does not need it.
        let _ = writeln!(io::stderr(), "hostcast: {line}");
    }
}
