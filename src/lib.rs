//! hostcast streams live host metrics, history first, to any number of WebSocket subscribers.
//!
//! The modules in reading order, which is the order in which the data flows:
//!
//! - [`metric`] is the table of what can be measured, [`sample`] the plain data of one tick.
//! - [`collector`] reads the host, [`sampler`] ticks and asks the collectors.
//! - [`bucket`] folds samples into coarser ones, for those who want fewer messages.
//! - [`history`] is the ring, [`hub`] the place where the sampler and the subscribers meet.
//! - [`protocol`] is what goes over the wire, [`server`] sends it.
//! - [`daemon`] composes all of that, and stops it; [`signals`] tells it when.
//! - [`client`] is the other end: it dials out to a daemon elsewhere and follows it; [`recording`] keeps what it hears,
//!   [`watch`] shows it, and [`replay`] serves what was kept like a daemon.
//!
//! Around them: [`cli`] is what may be typed, [`config`] what the daemon is told to do, [`logging`]
//! where events go, [`token`] who may read, [`service`] the service manager, [`clock`] what time it is, [`time`] how
//! people write that, [`descriptors`] how many connections fit, [`vital`] the threads that must not die. `websocket` is
//! what both ends name the same, `units` how people read numbers. `sync` and `fuzzing` let the tests in.

pub mod bucket;
pub mod cli;
pub mod client;
pub mod clock;
pub mod collector;
pub mod config;
mod csv;
pub mod daemon;
pub mod descriptors;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod history;
pub mod hub;
pub mod logging;
pub mod metric;
pub mod protocol;
pub mod record;
pub mod recording;
pub mod replay;
pub mod sample;
pub mod sampler;
pub mod server;
pub mod service;
pub mod signals;
mod sync;
pub mod time;
pub mod token;
mod units;
pub mod vital;
pub mod watch;
mod websocket;
