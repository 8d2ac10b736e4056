//! Who looks at what: one view for each choice, as long as someone has made it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    stream::Deflater,
    view::{Alive, Common, View},
};
use crate::{
    bucket::Buckets,
    hub::Hub,
    protocol::{Encoding, MetricFilter},
};

/// What makes one view different from another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Wishes {
    pub(crate) encoding: Encoding,
    pub(crate) metrics: MetricFilter,
    /// Where several samples are folded into one message.
    pub(crate) buckets: Option<Buckets>,
    /// Whether `permessage-deflate` was negotiated.
    pub(crate) is_compressed: bool,
}

impl Wishes {
    /// Whether nothing is left out and nothing folded.
    fn are_plain(&self) -> bool {
        self.metrics.is_all() && self.buckets.is_none()
    }
}

/// Every view that someone looks at.
#[derive(Debug)]
pub(crate) struct Views {
    hub: Hub,
    common: Arc<Common>,
    refusals: AtomicU64,
    in_use: Mutex<HashMap<Wishes, Weak<View>>>,
}

/// More different choices than this at a time are refused: each may hold a backlog. All metrics, as
/// they are, can always be had, so that nobody can keep the dashboard and the recorders out.
pub(super) const MAX_CHOICES: usize = 256;

/// Too many different views are being looked at.
#[derive(Debug, thiserror::Error)]
#[error(
    "{MAX_CHOICES} different choices of metrics and every are being streamed already: ask for one of those, or for all"
)]
pub(crate) struct TooManyViews;

impl Views {
    pub(crate) fn new(hub: Hub, max_backlog_bytes: u64) -> Self {
        let common = Common {
            max_backlog: AtomicU64::new(max_backlog_bytes),
            deflater: Deflater::default(),
            room: Arc::default(),
            alive: Alive::default(),
            encodings: AtomicU64::new(0),
        };
        Self { hub, common: Arc::new(common), refusals: AtomicU64::new(0), in_use: Mutex::default() }
    }

    /// Changes how much may wait for one subscriber, in every view.
    pub(crate) fn set_max_backlog(&self, bytes: u64) {
        self.common.max_backlog.store(bytes, Ordering::Relaxed);
    }

    /// The view of this kind, which is new if nobody else looks at it.
    pub(crate) fn get(&self, wishes: Wishes) -> Result<Arc<View>, TooManyViews> {
        let mut in_use = self.in_use.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(view) = in_use.get(&wishes).and_then(Weak::upgrade) {
            return Ok(view);
        }
        in_use.retain(|_, view| view.strong_count() > 0);
        if !wishes.are_plain() && in_use.keys().filter(|wishes| !wishes.are_plain()).count() >= MAX_CHOICES {
            self.refusals.fetch_add(1, Ordering::Relaxed);
            return Err(TooManyViews);
        }
        let view = Arc::new(View::new(wishes.clone(), self.hub.clone(), Arc::clone(&self.common)));
        in_use.insert(wishes, Arc::downgrade(&view));
        Ok(view)
    }

    /// Samples that were encoded since the start, in whatever view.
    pub(crate) fn encodings(&self) -> u64 {
        self.common.encodings.load(Ordering::Relaxed)
    }

    /// Subscribers that were refused since the start, because theirs would have been one view too many.
    pub(crate) fn refusals(&self) -> u64 {
        self.refusals.load(Ordering::Relaxed)
    }

    /// How many views are being looked at.
    pub(crate) fn count(&self) -> usize {
        let views = self.in_use.lock().unwrap_or_else(PoisonError::into_inner);
        views.values().filter(|view| view.strong_count() > 0).count()
    }
}
