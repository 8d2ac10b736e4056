//! The whole daemon, as the process that users run: how soon it answers, what it costs while nobody
//! watches, and what it keeps in memory.
//!
//! The floor of the CPU figures is this same program, started as a process that wakes as often, reads
//! five files of `/proc` on kept descriptors, and does nothing with them. Both run side by side, and
//! the kernel's own accounting (`/proc/PID/task/*/schedstat`, in nanoseconds) is read for both.

mod measure;

use std::{
    env,
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::fs::FileExt,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use measure::{Figures, Goal, Row, Table, setting};
use serde_json::Value;

const STARTS: usize = 20;
/// CPU is counted over spans of this length: the collectors that are due every 10 s come as often in each.
const SPAN: Duration = Duration::from_secs(20);
/// When a process that was started has settled.
const SETTLED: Duration = Duration::from_secs(3);
/// What the first argument is in a process that serves as a floor; the second is its interval in milliseconds.
const AS_FLOOR: &str = "as-floor";

fn main() {
    let arguments: Vec<_> = env::args().skip(1).collect();
    if let [role, interval_ms, ..] = &arguments[..]
        && role == AS_FLOOR
    {
        return floor(Duration::from_millis(interval_ms.parse().expect("whole milliseconds")));
    }
    if !measure::is_wanted() {
        return;
    }
    println!("{}", start());
    let spans = setting("HOSTCAST_BENCH_MINUTES", 1) * 60 / SPAN.as_secs();
    println!("{}", idle(spans));
}

/// Wakes as the sampler does, and reads what a monitor cannot do without.
fn floor(interval: Duration) {
    let paths = ["/proc/stat", "/proc/loadavg", "/proc/meminfo", "/proc/diskstats", "/proc/net/dev"];
    let files = paths.map(|path| File::open(path).expect("Linux has this file"));
    let mut buffer = vec![0; 64 << 10];
    // Never used, so receiving from it is nothing but a wait.
    let (_stop, stopped) = mpsc::channel::<()>();
    let mut next = Instant::now();
    loop {
        next += interval;
        let _ = stopped.recv_timeout(next.saturating_duration_since(Instant::now()));
        for file in &files {
            file.read_at(&mut buffer, 0).expect("a file of /proc stays readable");
        }
    }
}

/// A process that ends with its handle.
struct Process(Child);

impl Process {
    fn floor(interval: Duration) -> Self {
        let program = env::current_exe().expect("a program knows where it is");
        let arguments = [AS_FLOOR.to_owned(), interval.as_millis().to_string()];
        Self(Command::new(program).args(arguments).spawn().expect("this program starts"))
    }

    fn cpu_seconds(&self) -> f64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.0.id())).expect("the process runs");
        let nanos = tasks.map(|task| {
            let text = fs::read_to_string(task?.path().join("schedstat"))?;
            Ok::<_, io::Error>(text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0.0))
        });
        nanos.map(|nanos| nanos.unwrap_or(0.0)).sum::<f64>() / 1e9
    }

    /// A line of `/proc/PID/status` that is in kB, in MiB.
    fn mebibytes(&self, key: &str) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).expect("the process runs");
        let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        let kibibytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
        kibibytes.expect("the kernel tells this of each process") / 1024.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A daemon with the default configuration, but for its port and its interval.
struct Daemon {
    process: Process,
    started: Instant,
    address: SocketAddr,
}

impl Daemon {
    fn start(interval: Duration) -> Self {
        let started = Instant::now();
        let interval = format!("{}ms", interval.as_millis());
        let mut child = Command::new(env!("CARGO_BIN_EXE_hostcast"))
            .args(["serve", "--config", "/dev/null", "--listen", "127.0.0.1:0", "--interval", &interval])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the daemon starts");
        // Whatever it says past its first line fits the pipe.
        let mut line = String::new();
        let stdout = child.stdout.as_mut().expect("stdout is a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("a readable pipe");
        let address = line.trim().split("http://").nth(1).and_then(|rest| rest.trim_end_matches('/').parse().ok());
        let process = Process(child);
        Self { process, started, address: address.unwrap_or_else(|| panic!("no address in {line:?}")) }
    }

    /// The body of the answer to a GET.
    fn get(&self, path: &str) -> io::Result<String> {
        let mut connection = TcpStream::connect(self.address)?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address);
        connection.write_all(request.as_bytes())?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        Ok(body.to_owned())
    }
}

/// From exec to the first answer. The average of the host's CPUs since boot is never published, so
/// the first sample comes a second later: that wait is no part of this.
fn start() -> Table {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let there = listener.local_addr().expect("a bound listener has an address");
    let (mut measured, mut floor) = (Figures::default(), Figures::default());
    let millis = |since: Instant| since.elapsed().as_secs_f64() * 1e3;
    for _ in 0..STARTS {
        let daemon = Daemon::start(Duration::from_secs(1));
        daemon.get("/healthz").expect("the daemon answers");
        measured.push(millis(daemon.started));
        drop(daemon);

        let started = Instant::now();
        Command::new("/bin/true").status().expect("there is a /bin/true");
        drop(TcpStream::connect(there).expect("a connection to this process"));
        floor.push(millis(started));
    }
    let mut table = Table::new("start, ms");
    table.add(Row::new("exec to the first answer", measured).floor(floor).goal(Goal::AtMost(100.0)));
    table
}

/// A daemon and its floor, which live at the same time.
struct Idle {
    daemon: Daemon,
    floor: Process,
    cpu: Figures,
    floor_cpu: Figures,
}

impl Idle {
    fn start(interval: Duration) -> Self {
        let daemon = Daemon::start(interval);
        // Half an interval apart, so that neither finds the caches as the other has just left them.
        thread::sleep(interval / 2);
        let floor = Process::floor(interval);
        thread::sleep(SETTLED);
        Self { daemon, floor, cpu: Figures::default(), floor_cpu: Figures::default() }
    }

    /// Waits, and counts the CPU that both took meanwhile.
    fn run(&mut self, span: Duration) {
        let before = (Instant::now(), self.daemon.process.cpu_seconds(), self.floor.cpu_seconds());
        thread::sleep(span);
        let minutes = before.0.elapsed().as_secs_f64() / 60.0;
        self.cpu.push((self.daemon.process.cpu_seconds() - before.1) / minutes);
        self.floor_cpu.push((self.floor.cpu_seconds() - before.2) / minutes);
    }

    fn row(&self, what: &str) -> Row {
        Row::new(what, self.cpu.clone()).floor(self.floor_cpu.clone())
    }

    fn memory(&self, table: &mut Table, when: &str) {
        for (key, what) in [("VmRSS", "resident"), ("RssAnon", "of that its own"), ("RssFile", "of that mapped files")]
        {
            let [daemon, floor] =
                [&self.daemon.process, &self.floor].map(|process| Figures::from_iter([process.mebibytes(key)]));
            let row = Row::new(format!("{what}, {when}"), daemon).floor(floor);
            table.add(if key == "VmRSS" { row.goal(Goal::AtMost(8.0)) } else { row });
        }
    }

    /// What the daemon says of itself. Asked last, since an answer takes memory.
    fn account(&self, interval: Duration) -> Result<String, Box<dyn std::error::Error>> {
        let status: Value = serde_json::from_str(&self.daemon.get("/api/v1/status")?)?;
        let expected = (self.daemon.started.elapsed().as_secs_f64() / interval.as_secs_f64()).floor();
        let figure = |pointer| status.pointer(pointer).unwrap_or(&Value::Null);
        Ok(format!(
            "{} ticks at {interval:?}, {expected} (± 1) expected, {} missed; {} views, {} samples sent",
            figure("/sampler/ticks"),
            figure("/sampler/missed_late"),
            figure("/stream/views"),
            figure("/stream/samples_sent"),
        ))
    }
}

fn idle(spans: u64) -> Table {
    let slow = Duration::from_secs(1);
    let fast = Duration::from_millis(100);
    let mut memory = Table::new("memory with nobody watching, MiB");
    let mut cpu = Table::new("CPU with nobody watching, seconds a minute");
    let mut accounts = Vec::new();

    let mut idle = Idle::start(slow);
    for span in 1..=spans {
        idle.run(SPAN);
        let seconds = span * SPAN.as_secs();
        if span == spans || seconds == 300 {
            idle.memory(&mut memory, &format!("after {} min at 1 s", seconds / 60));
        }
    }
    cpu.add(idle.row("at 1 s, every default collector").goal(Goal::AtMost(0.025)));
    cpu.add(idle.row("the same").goal(Goal::TimesFloor(2.5)));
    accounts.push(idle.account(slow));
    drop(idle);

    let mut idle = Idle::start(fast);
    for _ in 0..3 {
        idle.run(SPAN / 2);
    }
    cpu.add(idle.row("at 100 ms, every default collector"));
    idle.memory(&mut memory, "after half a minute at 100 ms");
    accounts.push(idle.account(fast));

    println!("{memory}");
    for account in accounts {
        println!("{}", account.unwrap_or_else(|error| format!("no account: {error}")));
    }
    println!();
    cpu
}
