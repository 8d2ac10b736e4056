//! A server under load: started, watched from `/proc`, and stopped again.

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Write as _},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use crate::Scale;

pub(crate) struct Target {
    process: Process,
    address: SocketAddr,
    path: &'static str,
    config: Option<PathBuf>,
}

/// What one round showed.
pub(crate) struct Measured {
    pub(crate) cpu_us_per_delivery: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) kib_per_subscriber: f64,
    pub(crate) frame_bytes: usize,
    pub(crate) deliveries: f64,
}

impl Target {
    pub(crate) fn hostcast(scale: &Scale) -> io::Result<Self> {
        let config = std::env::temp_dir().join(format!("hostcast-fanout-{}.toml", std::process::id()));
        fs::write(
            &config,
            format!(
                "sampler.interval = \"{}ms\"\nserver.listen = \"127.0.0.1:0\"\nserver.limits.max_connections = 20000\n",
                scale.interval.as_millis()
            ),
        )?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_hostcast"));
        command.args(["serve", "--log-level", "error", "--config"]).arg(&config);
        Self::start(command, "/api/v1/stream?history=none&metrics=system.cpu,system.memory", Some(config))
    }

    pub(crate) fn floor(scale: &Scale, frame_bytes: usize) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("floor");
        command.args([scale.subscribers, scale.interval.as_millis() as usize, frame_bytes].map(|n| n.to_string()));
        Self::start(command, "/", None)
    }

    fn start(command: Command, path: &'static str, config: Option<PathBuf>) -> io::Result<Self> {
        let mut process = Process::start(command)?;
        let line = process.line()?;
        let address = line.trim_start_matches("dashboard at http://").trim_end_matches('/');
        Ok(Self { address: address.parse().map_err(io::Error::other)?, process, path, config })
    }

    /// Puts the load on it and counts for `span`.
    pub(crate) fn measure(mut self, scale: &Scale, span: Duration) -> io::Result<Measured> {
        let resident_before = self.process.resident_kib()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["load", &self.address.to_string(), &scale.subscribers.to_string(), self.path]);
        let mut load = Process::start(command)?;
        if load.line()? != "ready" {
            return Err(io::Error::other("the load generator did not start"));
        }
        let before = self.process.cpu_us()?;
        load.say(&span.as_secs_f64().to_string())?;
        let line = load.line()?;
        let spent = self.process.cpu_us()? - before;
        let resident = self.process.resident_kib()?;
        let figures: Vec<f64> = line.split(' ').filter_map(|figure| figure.parse().ok()).collect();
        let [deliveries, p50_us, p99_us, _max, bytes] = figures[..] else {
            return Err(io::Error::other(format!("the load generator said {line:?}")));
        };
        self.process.stop();
        Ok(Measured {
            cpu_us_per_delivery: spent / deliveries,
            p50_us,
            p99_us,
            kib_per_subscriber: (resident - resident_before) / scale.subscribers as f64,
            frame_bytes: (bytes / deliveries) as usize,
            deliveries,
        })
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Some(config) = &self.config {
            let _ = fs::remove_file(config);
        }
    }
}

/// A child that is ended when it is dropped.
struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Process {
    fn start(mut command: Command) -> io::Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("a child has no pipes"));
        };
        Ok(Self { child, input, output: BufReader::new(output) })
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    fn say(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.input, "{line}")
    }

    /// CPU time of all threads, in microseconds: the scheduler's own count, not ticks.
    fn cpu_us(&self) -> io::Result<f64> {
        let mut nanos = 0.0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let text = fs::read_to_string(task?.path().join("schedstat"))?;
            nanos += text.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok()).unwrap_or(0.0);
        }
        Ok(nanos / 1e3)
    }

    fn resident_kib(&self) -> io::Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        kib.ok_or_else(|| io::Error::other("no VmRSS"))
    }

    fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}
