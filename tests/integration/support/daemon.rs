//! The program itself, as an operator runs it.

use std::{
    ffi::OsStr,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread::{self, JoinHandle},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{Address, Feed, Http, Response, eventually};

/// A daemon with its own configuration; killed when it is dropped.
pub(crate) struct TestDaemon {
    child: Child,
    pub(crate) address: Address,
    stderr: Option<JoinHandle<String>>,
    folder: tempfile::TempDir,
}

impl TestDaemon {
    /// A daemon with the defaults, but at the fastest rate, on a port that the kernel chose.
    pub(crate) fn start() -> Self {
        Self::with("[sampler]\ninterval = \"100ms\"\n")
    }

    /// A daemon with this file, on a port that the kernel chose.
    pub(crate) fn with(config: &str) -> Self {
        Self::launch(config, |_| plain(), "127.0.0.1:0")
    }

    /// A daemon with this file, on a Unix socket in its folder.
    pub(crate) fn on_unix_socket(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listen = format!("unix:{}", folder.path().join("hostcast.sock").display());
        Self::launch_in(folder, config, |_| plain(), &listen)
    }

    /// A daemon whose command line begins as `wrap` says. It gets the daemon's folder.
    pub(crate) fn launch(config: &str, wrap: impl FnOnce(&Path) -> Command, listen: &str) -> Self {
        Self::launch_in(tempfile::tempdir().unwrap(), config, wrap, listen)
    }

    /// The same in a folder that is there already.
    pub(crate) fn launch_in(
        folder: tempfile::TempDir,
        config: &str,
        wrap: impl FnOnce(&Path) -> Command,
        listen: &str,
    ) -> Self {
        let file = folder.path().join("config.toml");
        std::fs::write(&file, config).unwrap();
        let mut command = wrap(folder.path());
        command.args([
            OsStr::new("serve"),
            "--config".as_ref(),
            file.as_os_str(),
            "--listen".as_ref(),
            listen.as_ref(),
        ]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let stderr = thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).unwrap();
            text
        });
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let dashboard = line
            .strip_prefix("dashboard at http")
            .map(|rest| rest.trim_start_matches('s'))
            .and_then(|rest| rest.strip_prefix("://"))
            .and_then(|rest| rest.strip_suffix("/\n"))
            // A base path may follow.
            .map(|rest| rest.split_once('/').map_or(rest, |(address, _)| address));
        let socket = line.strip_prefix("listening on unix:").and_then(|rest| rest.strip_suffix('\n'));
        let address = match (dashboard, socket) {
            (Some(address), _) => Address::Tcp(address.parse().unwrap()),
            (_, Some(path)) => Address::Unix(path.into()),
            (None, None) => panic!("{line:?}\n{}", stderr.join().unwrap()),
        };
        Self { child, address, stderr: Some(stderr), folder }
    }

    pub(crate) fn http(&self) -> Http {
        Http::connect(&self.address)
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.http().get(path)
    }

    pub(crate) fn status(&self) -> Value {
        self.get("/api/v1/status").json()
    }

    pub(crate) fn feed(&self, query: &str, subprotocol: &str) -> Feed {
        Feed::open(&self.address, query, &[subprotocol])
    }

    /// Returns once sample `seq` was taken.
    pub(crate) fn wait_for(&self, seq: u64) {
        let mut feed = self.feed("history=all", "hostcast.v1.compact");
        feed.hello();
        let newest = feed.past().last().map_or(0, |sample| sample.seq);
        for _ in newest..seq {
            feed.live();
        }
        feed.close();
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Changes its file and has it read that again.
    pub(crate) fn reload(&self, config: &str) {
        std::fs::write(self.folder.path().join("config.toml"), config).unwrap();
        self.signal(Signal::HUP);
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Waits for the end; the exit status and everything that it wrote to stderr.
    pub(crate) fn wait(&mut self) -> (ExitStatus, String) {
        let mut status = None;
        eventually("the daemon ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        (status.unwrap(), self.stderr.take().unwrap().join().unwrap())
    }

    /// Kills it without a word, and starts another one with the same file and a ring of its own.
    pub(crate) fn kill_and_restart(mut self) -> Self {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let config = std::fs::read_to_string(self.folder.path().join("config.toml")).unwrap();
        Self::with(&config)
    }
}

impl Drop for TestDaemon {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn plain() -> Command {
    let mut command = Command::new(program());
    command.stdin(Stdio::null());
    command
}

/// The program under test: the one that was built with the tests, unless `$HOSTCAST_BIN` names another.
pub(crate) fn program() -> PathBuf {
    std::env::var_os("HOSTCAST_BIN").map_or_else(|| env!("CARGO_BIN_EXE_hostcast").into(), PathBuf::from)
}
