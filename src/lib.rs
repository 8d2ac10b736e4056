//! hostcast streams live host metrics, history first, to any number of WebSocket subscribers.
//!
//! The modules in reading order, which is the order in which the data flows:
//!
//! - [`metric`] is the table of what can be measured, [`sample`] the plain data of one tick.
//! - [`collector`] reads the host.

pub mod collector;
pub mod config;
pub mod metric;
pub mod sample;
