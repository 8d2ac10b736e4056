//! The messages as plain data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Number;
use crate::{
    history::Epoch,
    hub::Gap,
    sample::{Host, Missed},
};

/// The name of this protocol in `hello`.
pub(crate) const PROTOCOL: &str = "hostcast.v1";

/// One message from the server to a client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Message {
    /// Who speaks; always first.
    Hello(Hello),
    /// What the values stand for.
    Schema(SchemaMessage),
    /// Samples that were taken and are not coming.
    Gap(Gap),
    /// A piece of the recent past.
    History(HistoryChunk),
    /// One live sample.
    Sample(WireSample),
    /// A sign of life in the absence of anything else.
    Heartbeat(Heartbeat),
    /// The daemon changed its ways.
    Notice(Notice),
    /// The server is about to close.
    Bye(Bye),
}

impl Message {
    /// The message as it goes over the wire.
    pub fn to_text(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("plain data with string keys always has a JSON form")
    }

    /// Reads a message; the error says what is wrong with the text, and where.
    pub fn parse(text: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text)
    }
}

/// `hello`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// `hostcast.v1`.
    pub protocol: String,
    /// The daemon's name and version, `hostcast/0.1.0`.
    pub server: String,
    /// The machine that the samples are of.
    pub host: HelloHost,
    /// The life of the ring that every `seq` of this connection belongs to.
    pub epoch: Epoch,
    /// Time between two ticks, in milliseconds.
    pub interval_ms: u64,
    /// The oldest sample on offer; equal to `next_seq` while there is none.
    pub oldest_seq: u64,
    /// The number that the next sample had when this client joined.
    pub next_seq: u64,
    /// The longest silence, in milliseconds, before the server sends a heartbeat.
    pub heartbeat_ms: u64,
    /// Where it is no host that speaks, but a recording.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<Replay>,
}

/// What of a recording is served, and how.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Replay {
    /// The time of its first sample, in milliseconds since the Unix epoch.
    pub from: u64,
    /// The time of its last one.
    pub to: u64,
    /// How many times as fast as they were taken samples come; 0 has all of them there at once, and none come.
    #[serde(serialize_with = "number")]
    pub speed: f64,
}

/// A whole number without a point.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn number<S: serde::Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    Number(*value).serialize(serializer)
}

/// The host of a `hello`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HelloHost {
    /// The machine.
    #[serde(flatten)]
    pub host: Host,
    /// The configuration's `[labels]`.
    pub labels: BTreeMap<String, String>,
}

impl Hello {
    /// The protocol's name and this build's version, for the fields of those names.
    pub fn protocol_and_server() -> (String, String) {
        (PROTOCOL.into(), concat!("hostcast/", env!("CARGO_PKG_VERSION")).into())
    }

    /// What a `notice` tells takes the place of what was said here.
    pub fn amend(&mut self, notice: &Notice) {
        self.interval_ms = notice.interval_ms.unwrap_or(self.interval_ms);
        self.heartbeat_ms = notice.heartbeat_ms.unwrap_or(self.heartbeat_ms);
        if let Some(labels) = &notice.labels {
            self.host.labels.clone_from(labels);
        }
    }
}

/// `schema`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SchemaMessage {
    /// Grows by one with each change of the series.
    pub revision: u64,
    /// In `hostcast.v1.compact` the order of every following sample's values.
    pub series: Vec<SeriesText>,
}

/// One series of a `schema`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeriesText {
    /// Name and attributes in one string, as in the values of `hostcast.v1.json`.
    pub id: String,
    /// The OpenTelemetry name of the metric.
    pub name: String,
    /// The unit, in UCUM.
    pub unit: String,
    /// What tells this series from its siblings.
    pub attributes: BTreeMap<String, String>,
    /// How far apart two readings are, where that is longer than the interval of `hello`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_ms: Option<u64>,
}

/// `history`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistoryChunk {
    /// Oldest first.
    pub samples: Vec<WireSample>,
    /// Whether this was the last chunk: what follows is live.
    pub complete: bool,
}

/// A sample as it arrives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WireSample {
    /// Position in the epoch.
    pub seq: u64,
    /// Wall-clock time, in milliseconds since the Unix epoch.
    pub time: u64,
    /// Measured time since the sample before, in milliseconds.
    pub elapsed_ms: f64,
    /// Ticks before this sample that were not taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed: Option<Missed>,
    /// How many samples were folded into this one, where `every` was asked for; `seq` is the newest of
    /// them and `time` the beginning of the span.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<u64>,
    /// The numbers; `None` is "no reading". Of a folded sample the means.
    pub values: WireValues,
    /// Of a folded sample the smallest readings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<WireValues>,
    /// Of a folded sample the largest readings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<WireValues>,
}

/// The values of a sample, in the form of the connection's subprotocol.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum WireValues {
    /// `hostcast.v1.compact`: in the order of the newest `schema`.
    Positional(Vec<Option<f64>>),
    /// `hostcast.v1.json`: by the series' id.
    Named(BTreeMap<String, Option<f64>>),
}

/// `heartbeat`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The newest sample there is; 0 before the first one.
    pub seq: u64,
    /// The server's wall clock, in milliseconds since the Unix epoch.
    pub time: u64,
}

/// `notice`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// What happened: `series_changed` or `config_reloaded`.
    pub reason: String,
    /// Ids of series that are new.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<String>,
    /// Ids of series that are gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
    /// Keys of the configuration that have changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<String>,
    /// The time between two samples from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_ms: Option<u64>,
    /// The longest silence from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat_ms: Option<u64>,
    /// All labels of the host from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
}

/// `bye`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bye {
    /// Why the server closes.
    pub reason: String,
    /// How long to wait before connecting again, in milliseconds; `None` where that is pointless.
    pub retry_ms: Option<u64>,
}
