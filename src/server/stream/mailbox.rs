//! How a lane is told: of newcomers and of the end by mail, of a new sample by a flag. Whoever tells also wakes.
//!
//! To wake a thread costs more than all else that publishing does. So the sampler wakes one lane, and each lane the next.

use std::{
    fmt,
    sync::{Arc, PoisonError, atomic::Ordering},
};

use crate::sync::{AtomicBool, AtomicUsize, Mutex};

pub(super) struct Mailbox<M> {
    /// Has the lane look into this box, now or as soon as it waits again.
    wake: Box<dyn Fn() + Send + Sync>,
    mail: Mutex<Vec<M>>,
    /// Whether a sample was published since the lane last looked.
    published: AtomicBool,
    /// Subscribers in the lane and on their way there.
    load: AtomicUsize,
    /// Who is told after this one.
    next: Option<Arc<Mailbox<M>>>,
}

impl<M> Mailbox<M> {
    pub(super) fn new(wake: impl Fn() + Send + Sync + 'static, next: Option<Arc<Self>>) -> Self {
        Self {
            wake: Box::new(wake),
            mail: Mutex::new(Vec::new()),
            published: AtomicBool::new(false),
            load: AtomicUsize::new(0),
            next,
        }
    }

    /// Has the lane go through its round, whether or not there is something for it.
    pub(super) fn wake(&self) {
        (self.wake)();
    }

    pub(super) fn send(&self, mail: M) {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner).push(mail);
        (self.wake)();
    }

    pub(super) fn open(&self) -> Vec<M> {
        std::mem::take(&mut *self.mail.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells that a sample was published: free while nobody is here, nor with those who are told after.
    pub(super) fn publish(&self) {
        if self.load() > 0 {
            self.published.store(true, Ordering::Release);
            (self.wake)();
        } else {
            self.pass_on();
        }
    }

    /// Whether a sample was published since this was last asked; then the next one is told. To be asked before the samples
    /// are looked at: one that comes in between is told of again.
    pub(super) fn take_published(&self) -> bool {
        let published = self.published.swap(false, Ordering::Acquire);
        if published {
            self.pass_on();
        }
        published
    }

    fn pass_on(&self) {
        if let Some(next) = &self.next {
            next.publish();
        }
    }

    pub(super) fn load(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }

    /// A subscriber is on its way. To be told before it looks at the ring, so that no sample after that is kept from it.
    pub(super) fn comes(&self) {
        self.load.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn has_left(&self) {
        self.load.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<M> fmt::Debug for Mailbox<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox").field("load", &self.load()).finish_non_exhaustive()
    }
}
