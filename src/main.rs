//! The `hostcast` command: arguments, logging, exit code.

use std::process::ExitCode;

use clap::Parser as _;
use hostcast::{
    cli::{CheckArgs, Cli, Command, Failure, ServeArgs, TokenArgs, complain, print},
    config::Loaded,
    daemon, logging,
    service::{Inherited, ServiceManager},
};

/// Chosen by measurement: see docs/performance.md, "The allocator".
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(args) => serve(args).map(|()| ExitCode::SUCCESS),
        Command::Token(args) => token(args).map(|()| ExitCode::SUCCESS),
        Command::Check(args) => check(args).map(|()| ExitCode::SUCCESS),
        Command::Completions(args) => print(&args.script()).map(|()| ExitCode::SUCCESS),
        Command::Record(args) => args.run().map_err(|error| Failure::new(&error)),
        Command::Watch(args) => args.run().map_err(|error| Failure::new(&error)),
        Command::Export(args) => args.run().map_err(|error| Failure::new(&error)),
        Command::Replay(args) => args.run(),
        Command::Verify(args) => args.run().map_err(|error| Failure::new(&error)),
    };
    match done {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

fn serve(args: ServeArgs) -> Result<(), Failure> {
    let inherited = Inherited::take().map_err(|error| Failure::new(&error))?;
    let source = args.source();
    let Loaded { config, warnings } = source.load()?;
    let log = logging::start(config.log.level);
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let served = daemon::serve(&source, &config, &log, inherited, ServiceManager::from_environment());
    served.map_err(|error| if error.is_for_good() { Failure::for_good(&error) } else { Failure::new(&error) })
}

fn token(args: TokenArgs) -> Result<(), Failure> {
    let config = args.source().load()?.config;
    let answer = args.command.run(&config.server.token_file).map_err(|error| Failure::new(&error))?;
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
