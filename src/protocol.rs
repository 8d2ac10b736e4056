//! Protocol v1: every message, in both directions.
//!
//! The server writes samples with [`SampleText`] (one pass, straight from the ring, only the series
//! that the subscriber asked for); everything else, and everything on the client's side, is a
//! [`Message`]. Both ends share these definitions, and a property test holds them together.

mod message;
mod projection;
mod sample_text;

pub use self::{
    message::{
        Bye, Heartbeat, Hello, HelloHost, HistoryChunk, Message, Notice, Replay, SchemaMessage, SeriesText, WireSample,
        WireValues,
    },
    projection::{Encoding, MetricFilter, Projection, UnknownMetric},
    sample_text::{BucketText, SampleText, rounded},
};

pub(crate) use self::{message::PROTOCOL, sample_text::Number};
/// The largest `seq`, and the largest time in milliseconds: what every reader of JSON can count. No daemon comes near it.
pub const LARGEST_NUMBER: u64 = 1 << 53;

// What messages are made of, for those who know the protocol and nothing of a daemon.
pub use crate::{
    history::{Epoch, Position},
    hub::{Gap, GapReason},
};

#[cfg(test)]
mod tests;
