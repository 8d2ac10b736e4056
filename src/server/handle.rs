//! What the daemon may ask of a server that runs.

use std::sync::Arc;

use super::{Context, Server};

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
}
