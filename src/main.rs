//! The `hostcast` command: arguments, logging, exit code.

use std::{
    error::Error,
    io::{self, Write as _},
    process::ExitCode,
};

use clap::Parser as _;
use hostcast::{
    cli::{CheckArgs, Cli, Command, ServeArgs},
    config::{InvalidConfig, Loaded},
    daemon, logging,
};

/// `EX_CONFIG` of sysexits.h: starting again will not help.
const WRONG_CONFIGURATION: u8 = 78;

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(args) => serve(args),
        Command::Check(args) => check(args),
        Command::Record(args) => args.run().unwrap_or_else(|error| fail(&error)),
        Command::Export(args) => args.run().unwrap_or_else(|error| fail(&error)),
        Command::Verify(args) => args.run().unwrap_or_else(|error| fail(&error)),
    }
}

fn serve(args: ServeArgs) -> ExitCode {
    let Loaded { config, warnings } = match args.source().load() {
        Ok(loaded) => loaded,
        Err(invalid) => return refuse(&invalid),
    };
    let _log = logging::start(config.log.level);
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    match daemon::serve(&config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn check(args: CheckArgs) -> ExitCode {
    let print = args.print;
    let source = args.source();
    let Loaded { config, warnings } = match source.load() {
        Ok(loaded) => loaded,
        Err(invalid) => return refuse(&invalid),
    };
    for warning in warnings {
        complain(&format!("warning: {warning}"));
    }
    let answer = if print { config.to_toml() } else { format!("{source}: ok\n") };
    match io::stdout().write_all(answer.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn refuse(invalid: &InvalidConfig) -> ExitCode {
    complain(&invalid.to_string());
    ExitCode::from(WRONG_CONFIGURATION)
}

fn fail(error: &(dyn Error + 'static)) -> ExitCode {
    let chain: Vec<_> = std::iter::successors(Some(error), |&error| error.source()).map(ToString::to_string).collect();
    complain(&format!("hostcast: {}", chain.join(": ")));
    ExitCode::FAILURE
}

/// Unlike `eprintln!`, does not panic where nobody listens.
fn complain(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
