//! Tests of the whole program, in one binary.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test, in helpers too")]

mod config;
