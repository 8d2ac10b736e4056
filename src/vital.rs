//! Threads without which the daemon is nothing. One that panics is a bug of ours: it must end the
//! daemon with a reason, never leave it half alive.

use std::{
    any::Any,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::{self, JoinHandle},
};

/// Called with a thread's name and its last words.
#[derive(Clone)]
pub struct OnDeath(Arc<dyn Fn(String) + Send + Sync>);

impl OnDeath {
    /// Has `told` called, on the dying thread, for each thread that dies.
    pub fn new(told: impl Fn(String) + Send + Sync + 'static) -> Self {
        Self(Arc::new(told))
    }

    /// Tells of a death.
    pub fn tell(&self, last_words: String) {
        (self.0)(last_words);
    }
}

impl std::fmt::Debug for OnDeath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OnDeath")
    }
}

/// Starts a named thread. It may return when it was told to; it must not panic.
pub fn spawn(name: &str, on_death: &OnDeath, body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    let (named, on_death) = (name.to_owned(), on_death.clone());
    thread::Builder::new().name(name.into()).spawn(move || {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(body)) {
            on_death.tell(format!("thread {named:?} panicked: {}", message(&*panic)));
        }
    })
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
