//! Tests of the whole program, in one binary.
//!
//! Each file is a subject, and each test one promise. They wait for events and not for time, except
//! where time is what is promised, and they share nothing, so that they pass in any order and at once.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test, in helpers too")]

mod access;
mod allocator;
mod architecture;
mod attacks;
mod certificates;
mod client;
mod clients;
mod cloud;
mod compression;
mod config;
mod examples;
mod export;
mod fairness;
mod firewall;
mod folded;
mod handshake;
mod http;
mod limits;
mod operate;
mod page;
mod proxies;
mod record;
mod reload;
mod replay;
mod requests;
mod resume;
mod rfc6455;
mod samples;
mod sampling;
mod series;
mod service;
mod shutdown;
mod signs_of_life;
mod slow;
mod soak;
mod stream;
mod support;
mod system;
mod tls;
mod tokens;
mod units;
mod watch;
