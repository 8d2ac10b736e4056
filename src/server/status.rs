//! What the daemon says about itself.

use std::sync::Arc;

use hyper::StatusCode;
use serde::Serialize;
use warp::reply::Response;

use super::{Context, Origin, access::AccessReport, respond, stream::StreamReport};
use crate::{
    clock::{Now, process_cpu_time},
    collector,
    history::Epoch,
    protocol::{Hello, HelloHost, MetricFilter, Replay},
    sample::{Series, unix_ms},
    sampler::StatusReport,
};

#[derive(Serialize)]
struct Status {
    server: String,
    host: HelloHost,
    epoch: Epoch,
    uptime_seconds: u64,
    process: Process,
    /// `None` where a recording is served.
    #[serde(skip_serializing_if = "Option::is_none")]
    sampler: Option<Sampler>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replay: Option<Replayed>,
    /// What a sandbox keeps from us.
    hidden: Vec<String>,
    history: History,
    stream: Stream,
    connections: Connections,
    access: AccessReport,
    reload: ReloadReport,
    /// The configuration in force, as TOML; not of a replay, where half of it is about taking samples.
    #[serde(skip_serializing_if = "Option::is_none")]
    config: Option<String>,
}

/// What of a recording is served.
#[derive(Clone, Copy, Serialize)]
struct Replayed {
    #[serde(flatten)]
    replay: Replay,
    /// The moment that is shown.
    time: u64,
}

/// What came of reading the configuration again.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ReloadReport {
    /// How often it was read again since the start and put in force.
    pub applied: u64,
    /// How often it was wrong, so that the old one stayed in force.
    pub refused: u64,
    /// What was wrong with it the last time.
    pub problems: Vec<String>,
    /// Keys that were changed and take effect only with a restart.
    pub needs_restart: Vec<String>,
}

/// The daemon's own cost.
#[derive(Serialize)]
struct Process {
    pid: u32,
    cpu_seconds: f64,
    resident_bytes: Option<u64>,
}

#[derive(Serialize)]
struct Sampler {
    interval_ms: u64,
    /// Time since the last tick.
    age_ms: u64,
    #[serde(flatten)]
    report: StatusReport,
}

#[derive(Serialize)]
struct History {
    samples: usize,
    bytes: usize,
    window_ms: u64,
    /// How far back it goes now.
    reach_ms: u64,
    oldest_seq: u64,
    next_seq: u64,
}

#[derive(Serialize)]
struct Stream {
    #[serde(flatten)]
    report: StreamReport,
    /// Different choices of subprotocol and metrics that are being streamed.
    views: usize,
    /// Subscribers refused since the start, because theirs would have been one view too many.
    views_refused: u64,
    /// Samples encoded since the start: each once for a view, however many look at it.
    samples_encoded: u64,
}

#[derive(Serialize)]
struct Connections {
    open: usize,
    refused_total: u64,
}

/// `/api/v1/status`
pub(crate) fn status(context: &Arc<Context>) -> Response {
    let now = Now::read();
    let in_force = context.in_force.get();
    let (samples, bytes) = context.hub.size();
    let (oldest_seq, next_seq) = context.hub.bounds();
    let (open, refused_total) = context.connections.count();
    let (_, server) = Hello::protocol_and_server();
    let ticks = match &context.origin {
        Origin::Sampler(status) => Some(Sampler {
            interval_ms: in_force.interval_ms(),
            age_ms: status.age(now).as_millis() as u64,
            report: status.report(),
        }),
        Origin::Replay(_) => None,
    };
    let time = context.hub.newest().map_or(0, |newest| unix_ms(newest.reading.time));
    let replay = in_force.replay.map(|replay| Replayed { replay, time });
    respond::json(
        StatusCode::OK,
        &Status {
            server,
            host: in_force.host.clone(),
            epoch: context.hub.epoch(),
            uptime_seconds: now.boottime.saturating_sub(context.started).as_secs(),
            process: Process {
                pid: std::process::id(),
                cpu_seconds: (process_cpu_time().as_secs_f64() * 1e3).round() / 1e3,
                resident_bytes: collector::own_resident_bytes(),
            },
            sampler: ticks,
            replay,
            // From a recording nothing is hidden that was not when it was made.
            hidden: if replay.is_some() { Vec::new() } else { collector::hidden() },
            history: History {
                samples,
                bytes,
                window_ms: in_force.history_window.as_millis() as u64,
                reach_ms: context.hub.reach().1.as_millis() as u64,
                oldest_seq,
                next_seq,
            },
            stream: Stream {
                report: context.streams.report(),
                views: context.views.count(),
                views_refused: context.views.refusals(),
                samples_encoded: context.views.encodings(),
            },
            connections: Connections { open, refused_total },
            access: context.access.report(),
            reload: context.reload_report(),
            config: in_force.replay.is_none().then(|| in_force.text.clone()),
        },
    )
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
    /// Time since the last tick.
    #[serde(skip_serializing_if = "Option::is_none")]
    age_ms: Option<u64>,
}

/// `/healthz`: 200 while the sampler ticks, 503 otherwise. A replay has none, and is well as long as it answers.
pub(crate) fn health(context: &Arc<Context>) -> Response {
    let now = Now::read();
    let Origin::Sampler(sampler) = &context.origin else {
        return respond::json(StatusCode::OK, &Health { status: "replay", age_ms: None });
    };
    let age_ms = Some(sampler.age(now).as_millis() as u64);
    if sampler.is_fresh(now) {
        respond::json(StatusCode::OK, &Health { status: "ok", age_ms })
    } else {
        respond::json(StatusCode::SERVICE_UNAVAILABLE, &Health { status: "stalled", age_ms })
    }
}

#[derive(Default, Serialize)]
struct SchemaDocument<'a> {
    revision: u64,
    series: Vec<&'a Series>,
}

/// `/api/v1/schema`: what can be had from this host now, with every name that it goes by.
pub(crate) fn schema(context: &Arc<Context>, filter: &MetricFilter) -> Response {
    let newest = context.hub.newest();
    let document = newest.as_ref().map_or_else(SchemaDocument::default, |newest| {
        let schema = &newest.reading.schema;
        let series = schema.series.iter().filter(|series| filter.wants(series)).collect();
        SchemaDocument { revision: schema.revision, series }
    });
    respond::json(StatusCode::OK, &document)
}
