//! The `hostcast` command: arguments, logging, exit code.

use std::{
    error::Error,
    io::{self, Write as _},
    process::ExitCode,
};

use clap::Parser as _;
use hostcast::{
    cli::{CheckArgs, Cli, Command, ServeArgs, TokenArgs},
    config::{InvalidConfig, Loaded},
    daemon, logging,
    service::{Inherited, ServiceManager},
};

/// How a command that failed ends: with these lines, and this code.
struct Failure(String, u8);

const FAILED: u8 = 1;
/// `EX_CONFIG` of sysexits.h: starting again will not help.
const WRONG_CONFIGURATION: u8 = 78;

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(args) => serve(args),
        Command::Token(args) => token(args),
        Command::Check(args) => check(args),
        Command::Completions(args) => print(&args.script()),
    };
    let Err(Failure(lines, code)) = done else { return ExitCode::SUCCESS };
    complain(&lines);
    ExitCode::from(code)
}

fn serve(args: ServeArgs) -> Result<(), Failure> {
    let inherited = Inherited::take().map_err(|error| failure(&error, FAILED))?;
    let source = args.source();
    let Loaded { config, warnings } = source.load()?;
    let log = logging::start(config.log.level);
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let served = daemon::serve(&source, &config, &log, inherited, ServiceManager::from_environment());
    served.map_err(|error| failure(&error, if error.is_for_good() { WRONG_CONFIGURATION } else { FAILED }))
}

fn token(args: TokenArgs) -> Result<(), Failure> {
    let config = args.source().load()?.config;
    let answer = args.command.run(&config.server.token_file).map_err(|error| failure(&error, FAILED))?;
    print(answer.as_bytes())
}

fn check(args: CheckArgs) -> Result<(), Failure> {
    let (print_all, source) = (args.print, args.source());
    let Loaded { config, warnings } = source.load()?;
    for warning in warnings {
        complain(&format!("warning: {warning}"));
    }
    let answer = if print_all { config.to_toml() } else { format!("{source}: ok\n") };
    print(answer.as_bytes())
}

fn print(answer: &[u8]) -> Result<(), Failure> {
    io::stdout().write_all(answer).map_err(|error| failure(&error, FAILED))
}

fn failure(error: &(dyn Error + 'static), code: u8) -> Failure {
    let chain: Vec<_> = std::iter::successors(Some(error), |&error| error.source()).map(ToString::to_string).collect();
    Failure(format!("hostcast: {}", chain.join(": ")), code)
}

impl From<InvalidConfig> for Failure {
    fn from(invalid: InvalidConfig) -> Self {
        Self(invalid.to_string(), WRONG_CONFIGURATION)
    }
}

/// Unlike `eprintln!`, does not panic where nobody listens.
fn complain(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
