//! What a command leaves behind: its answer, or one line that says what failed, and an exit code.

use std::{
    error::Error,
    io::{self, Write as _},
    process::ExitCode,
};

use crate::config::InvalidConfig;

/// `EX_CONFIG` of sysexits.h: starting again will not help.
const WRONG_CONFIGURATION: u8 = 78;

/// What is told on the standard error, and the exit code.
#[derive(Debug)]
pub struct Failure(String, u8);

impl Failure {
    /// The error and what caused it, in one line.
    pub fn new(error: &(dyn Error + 'static)) -> Self {
        let chain: Vec<_> =
            std::iter::successors(Some(error), |&error| error.source()).map(ToString::to_string).collect();
        Self(format!("hostcast: {}", chain.join(": ")), 1)
    }

    /// The same, where starting again will not help.
    pub fn for_good(error: &(dyn Error + 'static)) -> Self {
        Self(Self::new(error).0, WRONG_CONFIGURATION)
    }

    /// Tells it.
    pub fn report(&self) -> ExitCode {
        complain(&self.0);
        ExitCode::from(self.1)
    }
}

impl From<InvalidConfig> for Failure {
    fn from(invalid: InvalidConfig) -> Self {
        Self(invalid.to_string(), WRONG_CONFIGURATION)
    }
}

/// Writes what was asked for to the standard output.
pub fn print(answer: &[u8]) -> Result<(), Failure> {
    io::stdout().write_all(answer).map_err(|error| Failure::new(&error))
}

/// Writes a line to the standard error. Unlike `eprintln!`, does not panic where nobody listens.
pub fn complain(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
