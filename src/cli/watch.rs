//! `hostcast watch`

use std::{
    env,
    io::{self, IsTerminal as _},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use clap::Args;

use super::{
    complain,
    reach::{Reach, Target},
    record::Section,
};
use crate::{
    client::History,
    watch::{Form, Watch, WatchError, watch},
};

/// `hostcast watch`
#[derive(Debug, Args)]
pub struct WatchArgs {
    #[arg(
        value_name = "[NAME=]URL",
        required_unless_present = "config",
        help = "The daemons: ws://HOST:PORT, wss://HOST or HOST, each with a name of its own as NAME=URL"
    )]
    hosts: Vec<Target>,
    /// A TOML file with a section `[record]`, as `hostcast record` takes it: its hosts, and how they are reached
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A line a sample, as where the standard output is no terminal
    #[arg(long, conflicts_with = "json")]
    plain: bool,
    /// Each message as a line of JSON, with its host
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

/// Enough to fill a sparkline.
const HISTORY: History = History::Last(Duration::from_mins(1));
/// As clap has it.
const WRONG_USAGE: u8 = 2;

impl WatchArgs {
    /// Watches until it is told to stop.
    pub fn run(self) -> Result<ExitCode, WatchError> {
        match self.watch() {
            Ok(wanted) => watch(wanted).map(|()| ExitCode::SUCCESS),
            Err(wrong) => {
                complain(&format!("hostcast: {wrong}"));
                Ok(ExitCode::from(WRONG_USAGE))
            }
        }
    }

    fn watch(self) -> Result<Watch, String> {
        let file = self.config.as_deref().map(Section::read).transpose()?.unwrap_or_default();
        let mut targets = self.hosts;
        targets.extend(file.targets()?);
        let hosts = self.reach.over(file.reach).clients(targets, HISTORY)?;
        let lines = match (self.json, self.plain) {
            (true, _) => Some(Form::Json),
            (_, true) => Some(Form::Plain),
            _ => (!has_screen()).then_some(Form::Plain),
        };
        Ok(Watch { hosts, lines })
    }
}

/// Whether there is a screen to draw on, and someone at its keys.
fn has_screen() -> bool {
    let is_dumb = env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    io::stdout().is_terminal() && io::stdin().is_terminal() && !is_dumb
}

pub(super) const HELP: &str = "\
Examples:
  hostcast watch web-1 web-2           all hosts in a table; enter shows one in full, ? the keys
  hostcast watch db=wss://db.example.org --token-file token
  hostcast watch --config /etc/hostcast/record.toml
  hostcast watch web-1 --plain         a line a sample
  hostcast watch web-1 web-2 --json | jq 'select(.type == \"sample\") | .values'

Exit codes: 0 stopped when asked to, or nobody reads on, 1 failed, 2 wrong usage";
