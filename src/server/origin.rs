//! Where the samples come from: the host itself, or a recording.

use std::sync::Arc;

use crate::{protocol::Replay, sampler::SamplerStatus};

/// See the module.
#[derive(Debug)]
pub enum Origin {
    /// They are taken now, and this is how that goes.
    Sampler(Arc<SamplerStatus>),
    /// They were taken some time ago.
    Replay(Replay),
}

impl Origin {
    /// What subscribers are told of a replay.
    pub(super) fn replay(&self) -> Option<Replay> {
        match self {
            Self::Sampler(_) => None,
            Self::Replay(replay) => Some(*replay),
        }
    }
}

impl From<Arc<SamplerStatus>> for Origin {
    fn from(sampler: Arc<SamplerStatus>) -> Self {
        Self::Sampler(sampler)
    }
}
