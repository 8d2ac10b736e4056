//! hostcast streams live host metrics, history first, to any number of WebSocket subscribers.
//!
//! The modules in reading order, which is the order in which the data flows:
//!
//! - [`metric`] is the table of what can be measured, [`sample`] the plain data of one tick.
//! - [`collector`] reads the host.
//!
//! Around them: [`cli`] is what may be typed, [`config`] what the daemon is told to do, [`logging`] where events go.

pub mod cli;
pub mod collector;
pub mod config;
pub mod logging;
pub mod metric;
pub mod sample;
