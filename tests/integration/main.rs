//! Tests of the whole program, in one binary.
//!
//! Each file is a subject, and each test one promise. They wait for events and not for time, except
//! where time is what is promised, and they share nothing, so that they pass in any order and at once.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test, in helpers too")]

mod architecture;
mod client;
mod clients;
mod compression;
mod config;
mod examples;
mod firewall;
mod folded;
mod frames;
mod http;
mod limits;
mod record;
mod resume;
mod sampling;
mod shutdown;
mod signs_of_life;
mod slow;
mod stream;
mod support;
