//! `hostcast record`

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use clap::Args;

pub(super) use self::file::Section;
use self::options::{DEFAULT_BUFFER, Options};
use super::reach::{Reach, Target};
use crate::{
    client::History,
    config::LogLevel,
    logging,
    record::{Host, Output, RecordError, Recording, record},
};

mod file;
mod options;

/// `hostcast record`
#[derive(Debug, Args)]
pub struct RecordArgs {
    #[arg(
        value_name = "[NAME=]URL",
        required_unless_present = "config",
        help = "The daemons: ws://HOST:PORT, wss://HOST or HOST, each with a name of its own as NAME=URL"
    )]
    hosts: Vec<Target>,
    /// A TOML file with a section [record]: the options below, and hosts. Flags win over it
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    options: Options,
}

/// As clap has it.
const WRONG_USAGE: u8 = 2;

impl RecordArgs {
    /// Records until it is told to stop.
    pub fn run(self) -> Result<ExitCode, RecordError> {
        match self.recording() {
            Ok((recording, level)) => {
                let log = logging::start(level);
                // Lines of JSON on the same terminal would be written over.
                let is_free = recording.output != Output::Stdout || !io::stdout().is_terminal();
                let board = log.board().filter(|_| is_free);
                record(Recording { board, ..recording }).map(|()| ExitCode::SUCCESS)
            }
            Err(wrong) => {
                // Where nobody listens, the exit code still says it.
                let _ = writeln!(io::stderr(), "hostcast: {wrong}");
                Ok(ExitCode::from(WRONG_USAGE))
            }
        }
    }

    fn recording(self) -> Result<(Recording, LogLevel), String> {
        let file = self.config.as_deref().map(Section::read).transpose()?.unwrap_or_default();
        let mut targets = self.hosts;
        targets.extend(file.targets()?);
        let (reach, options) = (self.reach.over(file.reach), self.options.over(file.options));
        let labels: Vec<_> = targets.iter().map(|target| target.own.labels.clone()).collect();
        let clients = reach.clients(targets, History::All)?;
        let host = |((name, builder), labels)| Host { name, builder, labels };
        let recording = Recording {
            hosts: clients.into_iter().zip(labels).map(host).collect(),
            output: options.output()?,
            buffer: options.buffer.unwrap_or(DEFAULT_BUFFER),
            board: None,
        };
        Ok((recording, options.log_level.unwrap_or(LogLevel::Info)))
    }
}

pub(super) const HELP: &str = "\
Examples:
  hostcast record web-1 --output /var/lib/hostcast
  hostcast record web-1=ws://10.0.0.1:7117 web-2=ws://10.0.0.2:7117 -o rec --keep 30d
  hostcast record web-1 --output - --since none | jq .values
  hostcast record --config /etc/hostcast/record.toml

Started again, it goes on where the recording ends. What the daemon did not hold any more is recorded as a gap.

Exit codes: 0 stopped when asked to, 1 failed, 2 wrong usage";
