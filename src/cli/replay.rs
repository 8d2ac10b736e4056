//! `hostcast replay`

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;

use super::Failure;
use crate::{
    config::{Flag, Loaded, Source, parse_size},
    logging,
    recording::hosts,
    replay::{Plan, Range, ReplayError, serve},
    time,
};

/// `hostcast replay`
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// A recording, or the folder of one host in it
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Which host, where the recording has several
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// From this time on: 2026-01-31T12:00:00Z, 2026-01-31T13:00:00+01:00 or Unix milliseconds
    #[arg(long, value_name = "TIME", value_parser = time::parse_millis)]
    from: Option<u64>,
    /// Before this time
    #[arg(long, value_name = "TIME", value_parser = time::parse_millis)]
    to: Option<u64>,
    /// Play it so many times as fast as it was taken, 0.1 to 1000, from --from on; without, all of it is there at once
    #[arg(long, value_name = "N", value_parser = speed)]
    speed: Option<f64>,
    /// What its samples may take; of a longer recording the last part is shown
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = parse_size)]
    memory: u64,
    #[arg(
        long,
        value_name = "ADDR",
        help = "Where to listen: IP:port, [IPv6]:port or unix:/path; may be repeated [default: 127.0.0.1:7118]"
    )]
    listen: Vec<String>,
    /// A configuration file, for who may read: of it, `[server]` and `[dashboard]` are used
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Next to a daemon's own, because where hosts are recorded there is often a daemon, too.
const DEFAULT_LISTEN: &str = "127.0.0.1:7118";

/// As clap has it.
const WRONG_USAGE: u8 = 2;

impl ReplayArgs {
    /// Serves until it is told to stop.
    pub fn run(self) -> Result<ExitCode, Failure> {
        let folder = match choose(&self.folder, self.host.as_deref()) {
            Ok(folder) => folder,
            Err(Choice::Failed(error)) => return Err(Failure::new(&error)),
            Err(Choice::Wrong(why)) => {
                // Where nobody listens, the exit code still says it.
                let _ = writeln!(io::stderr(), "hostcast: {why}");
                return Ok(ExitCode::from(WRONG_USAGE));
            }
        };
        let listen = |values| vec![Flag { name: "--listen", key: "server.listen", values }];
        let (flags, defaults) = (listen(self.listen), listen(vec![DEFAULT_LISTEN.into()]));
        let source = Source { file: self.config, flags, defaults, ..Source::default() };
        let Loaded { config, warnings } = source.load()?;
        let _log = logging::start(config.log.level);
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        let plan = Plan {
            folder,
            range: Range { from: self.from, to: self.to },
            max_bytes: usize::try_from(self.memory).unwrap_or(usize::MAX),
            speed: self.speed,
        };
        serve(&plan, config).map(|()| ExitCode::SUCCESS).map_err(|error| match &error {
            ReplayError::Daemon(daemon) if daemon.is_for_good() => Failure::for_good(&error),
            _ => Failure::new(&error),
        })
    }
}

enum Choice {
    Failed(io::Error),
    Wrong(String),
}

/// The folder of the one host that is meant.
fn choose(folder: &Path, wanted: Option<&str>) -> Result<PathBuf, Choice> {
    let at = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", folder.display()));
    let hosts = hosts(folder).map_err(|error| Choice::Failed(at(error)))?;
    let name = |host: &PathBuf| host.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let names = || hosts.iter().map(name).collect::<Vec<_>>().join(", ");
    match (&hosts[..], wanted) {
        ([], _) => {
            let nothing = io::Error::new(io::ErrorKind::NotFound, "there is no recording in it");
            Err(Choice::Failed(at(nothing)))
        }
        ([host], None) => Ok(host.clone()),
        (_, None) => Err(Choice::Wrong(format!("there are several hosts in it, choose one with --host: {}", names()))),
        (_, Some(wanted)) => {
            let host = hosts.iter().find(|host| name(host) == wanted).cloned();
            host.ok_or_else(|| Choice::Wrong(format!("there is no host {wanted:?} in it, but: {}", names())))
        }
    }
}

fn speed(text: &str) -> Result<f64, String> {
    let speed = text.parse().ok().filter(|speed| (0.1..=1000.0).contains(speed));
    speed.ok_or_else(|| "expected a number from 0.1 to 1000".into())
}

pub(super) const HELP: &str = "\
Examples:
  hostcast replay recording                              all of it, at http://127.0.0.1:7118/
  hostcast replay recording --host web-1 --from 2026-11-22T01:00:00+01:00 --to 2026-11-22T05:00:00+01:00
  hostcast replay recording --from 2026-11-22T03:10:00Z --speed 10

Exit codes: 0 stopped when asked to, 1 failed, 2 wrong usage, 78 the configuration is wrong";
