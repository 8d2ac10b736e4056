//! File descriptors: each connection takes one, and when there are none left nothing works.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

/// What the daemon needs for itself: kept files of `/proc`, epolls, listeners, logs, and room for
/// sensors and refusals.
const RESERVED: u64 = 128;

/// Raises this process's soft limit to the hard one, and returns how many connections that leaves
/// room for.
pub fn raise_limit() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: maximum, maximum };
    let limit = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum,
        Err(error) => {
            warn!(%error, "cannot raise the limit of open files to what is allowed");
            current
        }
    };
    // `None` is "no limit".
    limit.map_or(usize::MAX, |limit| usize::try_from(limit.saturating_sub(RESERVED)).unwrap_or(usize::MAX).max(1))
}
