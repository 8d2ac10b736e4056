//! The servers that are compared, each a process that was started and says where it listens.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    process::Command,
    time::Duration,
};

use tempfile::TempDir;

use crate::{
    nchan::{self, Publisher},
    process::Process,
};

/// What every view of the fan-out shows: a frame of about 300 bytes.
const FEW_SERIES: &str = "/api/v1/stream?history=none&metrics=system.cpu,system.memory";

pub(crate) struct Server {
    // Dropped before the process: it must not talk to one that is gone.
    _publisher: Option<Publisher>,
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    /// Where the stream is.
    pub(crate) path: String,
    /// With its configuration in it.
    _folder: Option<TempDir>,
}

impl Server {
    /// The daemon as users run it; `config` is added to its file.
    pub(crate) fn hostcast(interval: Duration, config: &str) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("config.toml");
        let interval_ms = interval.as_millis();
        fs::write(
            &file,
            format!(
                "sampler.interval = \"{interval_ms}ms\"\nserver.listen = \"127.0.0.1:0\"\n\
                 server.limits.max_connections = 20000\nserver.limits.max_connections_per_address = 20000\n{config}"
            ),
        )?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_hostcast"));
        command.args(["serve", "--log-level", "error", "--config"]).arg(&file);
        Ok(Self { _folder: Some(folder), ..Self::announced(Process::start(command)?, FEW_SERIES)? })
    }

    pub(crate) fn floor(subscribers: usize, interval: Duration, bytes: usize) -> io::Result<Self> {
        let arguments = [subscribers, interval.as_millis() as usize, bytes];
        Self::announced(Process::role("floor", arguments)?, "/")
    }

    /// nginx with nchan, to which this process publishes.
    pub(crate) fn nchan(interval: Duration, bytes: usize) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let (process, address) = nchan::start(folder.path())?;
        let publisher = Publisher::start(address, interval, bytes)?;
        let path = nchan::SUBSCRIBE.to_owned();
        Ok(Self { _publisher: Some(publisher), process, address, path, _folder: Some(folder) })
    }

    /// A daemon with a past; see [`crate::daemon`].
    pub(crate) fn with_past(samples: usize, path: &str) -> io::Result<Self> {
        Self::announced(Process::role("daemon", [samples])?, path)
    }

    /// A daemon that publishes when it is told; see [`crate::publish`].
    pub(crate) fn publisher(interval_ms: usize) -> io::Result<Self> {
        Self::announced(Process::role("publisher", [interval_ms])?, "/api/v1/stream?history=none")
    }

    /// A process whose first line says where it listens, as the daemon's does.
    fn announced(mut process: Process, path: &str) -> io::Result<Self> {
        let line = process.line()?;
        let address = line.trim_start_matches("dashboard at http://").trim_end_matches('/');
        let address = address.parse().map_err(|_| io::Error::other(format!("no address in {line:?}")))?;
        Ok(Self { _publisher: None, process, address, path: path.into(), _folder: None })
    }

    /// A load generator for this server, which has no subscribers yet.
    pub(crate) fn load(&self, subprotocol: &str) -> io::Result<Process> {
        Process::role("load", [&self.address.to_string(), &self.path, subprotocol])
    }

    /// The same, of subscribers who take what they get compressed.
    pub(crate) fn compressed_load(&self, subprotocol: &str) -> io::Result<Process> {
        Process::role("load", [&self.address.to_string(), &self.path, subprotocol, "compressed"])
    }

    /// Subscribers that all come at once, and are sure to get `samples` of history.
    pub(crate) fn storm(
        &self,
        subprotocol: &str,
        query: &str,
        subscribers: usize,
        samples: usize,
    ) -> io::Result<Process> {
        let path = format!("/api/v1/stream?{query}");
        Process::role(
            "storm",
            [&self.address.to_string(), &path, subprotocol, &subscribers.to_string(), &samples.to_string()],
        )
    }

    /// Subscribers that each stop at another sample of history.
    pub(crate) fn places(&self, subprotocol: &str, subscribers: usize) -> io::Result<Process> {
        let (epoch, oldest) = (self.status_of("/epoch")?, self.status("/history/oldest_seq")?);
        let epoch = epoch.as_str().unwrap_or_default();
        Process::role(
            "places",
            [&self.address.to_string(), epoch, subprotocol, &subscribers.to_string(), &oldest.to_string()],
        )
    }

    /// A number of the daemon's `/api/v1/status`.
    pub(crate) fn status(&self, pointer: &str) -> io::Result<f64> {
        let figure = self.status_of(pointer)?;
        figure.as_f64().ok_or_else(|| io::Error::other(format!("{pointer} of the status is {figure}")))
    }

    fn status_of(&self, pointer: &str) -> io::Result<serde_json::Value> {
        let mut connection = TcpStream::connect(self.address)?;
        let request = format!("GET /api/v1/status HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address);
        connection.write_all(request.as_bytes())?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let status: serde_json::Value = serde_json::from_str(body)?;
        status.pointer(pointer).cloned().ok_or_else(|| io::Error::other(format!("the status has no {pointer}")))
    }
}
