//! The command line: what may be typed, and its help.

mod export;
mod outcome;
mod reach;
mod record;
mod replay;
mod verify;
mod watch;

use std::{env, path::PathBuf};

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;

pub use self::{
    export::ExportArgs,
    outcome::{Failure, complain, print},
    record::RecordArgs,
    replay::ReplayArgs,
    verify::VerifyArgs,
    watch::WatchArgs,
};
use crate::{
    config::{Flag, Source},
    token::Scope,
};

/// Streams live host metrics, history first, to any number of WebSocket subscribers.
#[derive(Debug, Parser)]
#[command(name = "hostcast", version = env!("HOSTCAST_VERSION"), after_help = HELP, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Sample this host and serve what was measured
    #[command(after_help = SERVE_HELP)]
    Serve(ServeArgs),
    /// Make, list and revoke the tokens that clients show, where server.auth is "token"
    #[command(after_help = TOKEN_HELP)]
    Token(TokenArgs),
    /// Tell what is wrong with a configuration, or print what it adds up to
    #[command(after_help = CHECK_HELP)]
    Check(CheckArgs),
    /// Follow daemons elsewhere and keep what they stream
    #[command(after_help = record::HELP)]
    Record(RecordArgs),
    /// Show what daemons elsewhere stream, in a terminal or as lines
    #[command(after_help = watch::HELP)]
    Watch(WatchArgs),
    /// Tell whether a recording is whole
    #[command(after_help = verify::HELP)]
    Verify(VerifyArgs),
    /// Write a range of a recording for other programs
    #[command(after_help = export::HELP)]
    Export(ExportArgs),
    /// Serve a recording as if it were live
    #[command(after_help = replay::HELP)]
    Replay(ReplayArgs),
    /// Print what makes a shell complete these commands and flags
    Completions(CompletionsArgs),
}

/// `hostcast serve`
#[derive(Debug, Args)]
pub struct ServeArgs {
    #[arg(
        long,
        short,
        value_name = "FILE",
        help = "Configuration file [default: $HOSTCAST_CONFIG, else /etc/hostcast/config.toml if it exists]"
    )]
    config: Option<PathBuf>,
    #[command(flatten)]
    overrides: Overrides,
}

/// `hostcast check`
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Configuration file [default: the one that `hostcast serve` would use]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// The same, as `hostcast serve` takes it
    #[arg(long, short, value_name = "FILE", conflicts_with = "file")]
    config: Option<PathBuf>,
    /// Print the effective configuration as TOML: defaults, file, environment and flags together
    #[arg(long)]
    pub print: bool,
    #[command(flatten)]
    overrides: Overrides,
}

/// `hostcast token`
#[derive(Debug, Args)]
pub struct TokenArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: TokenCommand,
    #[arg(
        long,
        short,
        global = true,
        value_name = "FILE",
        help = "Configuration file, for server.token_file [default: the one that `hostcast serve` would use]"
    )]
    config: Option<PathBuf>,
}

/// What can be done with tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token and print it: it cannot be shown again
    Add {
        /// What it is called, to be told from the others
        name: String,
        /// What it allows: read (samples) or status (the daemon's own state); may be repeated
        #[arg(long = "scope", value_name = "SCOPE", default_value = "read")]
        scopes: Vec<Scope>,
    },
    /// List the tokens: names, scopes and dates
    List,
    /// Forget a token
    Revoke {
        /// What it is called
        name: String,
    },
}

impl TokenArgs {
    /// Where the configuration comes from.
    pub fn source(&self) -> Source {
        Source::find(self.config.clone(), env::vars_os().collect(), Vec::new())
    }
}

/// `hostcast completions`
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell that is to read it
    shell: Shell,
}

/// Flags that win over the file and the environment. The configuration checks them, so that they get its messages.
#[derive(Debug, Args)]
struct Overrides {
    #[arg(
        long,
        value_name = "ADDR",
        help = "Where to listen: IP:port, [IPv6]:port or unix:/path; may be repeated [default: 127.0.0.1:7117]"
    )]
    listen: Vec<String>,
    /// Time between two samples, 100ms to 1h [default: 1s]
    #[arg(long, value_name = "DURATION")]
    interval: Option<String>,
    /// How far back a subscriber may ask [default: 15m]
    #[arg(long, value_name = "DURATION")]
    window: Option<String>,
    /// error, warn, info, debug or trace [default: info]
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
}

impl ServeArgs {
    /// Where the configuration comes from.
    pub fn source(self) -> Source {
        self.overrides.source(self.config)
    }
}

impl CheckArgs {
    /// Where the configuration comes from.
    pub fn source(self) -> Source {
        self.overrides.source(self.file.or(self.config))
    }
}

impl CompletionsArgs {
    /// The script for the shell.
    pub fn script(&self) -> Vec<u8> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "hostcast", &mut script);
        script
    }
}

impl Overrides {
    fn source(self, file: Option<PathBuf>) -> Source {
        let one = |name, key, value: Option<String>| Flag { name, key, values: value.into_iter().collect() };
        let flags = vec![
            Flag { name: "--listen", key: "server.listen", values: self.listen },
            one("--interval", "sampler.interval", self.interval),
            one("--window", "history.window", self.window),
            one("--log-level", "log.level", self.log_level),
        ];
        Source::find(file, env::vars_os().collect(), flags)
    }
}

const HELP: &str = "\
Examples:
  hostcast serve                       sample this host, dashboard at http://127.0.0.1:7117/
  hostcast check                       is the configuration right?
  hostcast watch web-1 web-2           what are these hosts doing?
  hostcast record web-1 -o recording   keep what the daemon on web-1 streams
  hostcast verify recording            is anything missing in it?
  hostcast replay recording            look at it, at http://127.0.0.1:7118/

Exit codes: 0 done, 1 failed, 2 wrong usage, 78 the configuration is wrong";

const SERVE_HELP: &str = "\
Examples:
  hostcast serve
  hostcast serve --interval 250ms --window 1h
  hostcast serve --listen 127.0.0.1:7117 --listen '[::1]:7117'
  hostcast serve --config ./config.toml --log-level debug
  HOSTCAST_SAMPLER_INTERVAL=5s HOSTCAST_COLLECTORS_DISK=false hostcast serve

Each key of the file can be set by a variable HOSTCAST_<SECTION>_<KEY>.
Stronger wins: built-in defaults < file < environment < flags.

Exit codes: 0 stopped when asked to, 1 failed, 2 wrong usage, 78 the configuration is wrong";

const TOKEN_HELP: &str = "\
Examples:
  hostcast token add wall              make one that may read samples
  hostcast token add admin --scope read --scope status
  hostcast token list
  hostcast token revoke wall

A daemon that runs knows of it after: systemctl reload hostcast

Exit codes: 0 done, 1 failed, 2 wrong usage, 78 the configuration is wrong";

const CHECK_HELP: &str = "\
Examples:
  hostcast check                       the configuration that `hostcast serve` would use
  hostcast check ./config.toml
  hostcast check --print > full.toml   every key, with defaults, environment and flags

Exit codes: 0 the configuration is right, 1 failed, 2 wrong usage, 78 the configuration is wrong";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_fit_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_names_the_file_that_is_looked_for() {
        let help = Cli::command().find_subcommand_mut("serve").unwrap().render_long_help().to_string();
        assert!(help.replace('\n', " ").contains(crate::config::SYSTEM_FILE), "{help}");
    }

    #[test]
    fn the_manual_names_every_command_and_flag() {
        let manual = include_str!("../docs/man/hostcast.1");
        let mut cli = Cli::command();
        cli.build();
        let has = |item: &str| manual.lines().any(|line| line.starts_with(".It ") && format!("{line} ").contains(item));
        for command in cli.get_subcommands() {
            let name = command.get_name();
            assert!(has(&format!(".It Cm {name} ")), "{name}");
            for flag in command.get_arguments().filter_map(clap::Arg::get_long) {
                assert!(has(&format!("Fl -{flag} ")), "{name} --{flag}");
            }
            for flag in command.get_arguments().filter_map(clap::Arg::get_short) {
                assert!(has(&format!("Fl {flag} ")), "{name} -{flag}");
            }
        }
    }

    #[test]
    fn check_takes_the_file_in_either_form() {
        for arguments in [["check", "a.toml"].as_slice(), &["check", "--config", "a.toml"], &["check", "-c", "a.toml"]]
        {
            let cli = Cli::try_parse_from([&["hostcast"], arguments].concat()).unwrap();
            let Command::Check(check) = cli.command else { unreachable!("it is check that was parsed") };
            assert_eq!(check.source().file, Some("a.toml".into()));
        }
        assert!(Cli::try_parse_from(["hostcast", "check", "--config", "a.toml", "b.toml"]).is_err());
    }

    #[test]
    fn each_flag_sets_a_key_that_exists() {
        let parse = |arguments: &[&str]| Cli::try_parse_from([&["hostcast", "check"], arguments].concat()).unwrap();
        let Command::Check(check) =
            parse(&["--listen=[::1]:1", "--interval=2s", "--window=2m", "--log-level=warn"]).command
        else {
            unreachable!("it is check that was parsed")
        };
        let source = Source { file: None, environment: Vec::new(), ..check.source() };
        let config = source.load().unwrap().config;
        assert_eq!(config.server.listen, ["[::1]:1".parse().unwrap()]);
        assert_eq!(config.sampler.interval.as_secs(), 2);
        assert_eq!(config.history.window.as_secs(), 120);
        assert_eq!(config.log.level.name(), "warn");
    }
}
