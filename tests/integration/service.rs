//! The service manager's side: what it is told, and when, and what it hands over. A fake one is a socket like the real
//! one's.

use std::{
    io::{ErrorKind, Write as _},
    net::{TcpListener, TcpStream, UdpSocket},
    os::{
        fd::OwnedFd,
        unix::net::{UnixDatagram, UnixListener},
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use hostcast::{
    collector::{CollectError, Collector, Fill, Scheduled, Shape},
    config::{Config, Listen},
    daemon::Daemon,
    sample::Series,
    service::{Inherited, ServiceManager},
};
use rustix::process::Signal;

use crate::support::{Address, PATIENCE, TestDaemon, eventually, program};

/// What systemd listens with.
struct Manager {
    socket: UnixDatagram,
    folder: tempfile::TempDir,
}

impl Manager {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("notify")
    }

    /// A daemon that it starts, with a watchdog or without.
    fn start(&self, config: &str, watchdog: Option<Duration>) -> TestDaemon {
        let command = |_: &Path| {
            let mut command = Command::new(program());
            command.env("NOTIFY_SOCKET", self.path()).stdin(Stdio::null());
            if let Some(watchdog) = watchdog {
                command.env("WATCHDOG_USEC", watchdog.as_micros().to_string());
            }
            command
        };
        TestDaemon::launch(config, command, "127.0.0.1:0")
    }

    /// The assignments of the next message.
    fn hear(&self) -> Vec<String> {
        let mut message = [0; 4096];
        let length = self.socket.recv(&mut message).expect("the daemon has something to say");
        str::from_utf8(&message[..length]).unwrap().lines().map(str::to_owned).collect()
    }

    /// Returns once this was said, with what came with it.
    fn hear_of(&self, wanted: &str) -> Vec<String> {
        loop {
            let heard = self.hear();
            if heard.iter().any(|line| line.starts_with(wanted)) {
                return heard;
            }
        }
    }
}

#[test]
fn ready_means_that_the_port_accepts_and_a_sample_exists() {
    let manager = Manager::new();
    let mut daemon = manager.start("", None);
    assert_eq!(manager.hear(), ["READY=1", "STATUS=sampling every 1s, 0 subscribers"]);
    let samples = daemon.get("/api/v1/samples?last=all").json();
    assert!(samples["next_seq"].as_u64() >= Some(2), "{samples}");

    daemon.signal(Signal::TERM);
    assert_eq!(manager.hear_of("STOPPING=1"), ["STOPPING=1", "STATUS=stopping"]);
    assert!(daemon.wait().0.success());
}

#[test]
fn the_watchdog_is_fed_while_there_is_progress_and_the_status_counts_subscribers() {
    let manager = Manager::new();
    let daemon = manager.start("sampler.interval = \"100ms\"", Some(Duration::from_millis(300)));
    manager.hear_of("READY=1");
    let mut feed = daemon.feed("history=none", "hostcast.v1.json");
    feed.hello();
    manager.hear_of("STATUS=sampling every 100ms, 1 subscriber");
    for _ in 0..5 {
        manager.hear_of("WATCHDOG=1");
    }
}

#[test]
fn a_watchdog_that_is_meant_for_another_process_is_left_alone() {
    let manager = Manager::new();
    let command = |_: &Path| {
        let mut command = Command::new(program());
        command.env("NOTIFY_SOCKET", manager.path()).env("WATCHDOG_USEC", "100000").env("WATCHDOG_PID", "1");
        command
    };
    let _daemon = TestDaemon::launch("sampler.interval = \"100ms\"", command, "127.0.0.1:0");
    manager.hear_of("READY=1");
    // With the other's patience it would be told 40 times in this time, without it not once.
    manager.socket.set_read_timeout(Some(Duration::from_secs(4))).unwrap();
    assert_eq!(manager.socket.recv(&mut [0; 4096]).unwrap_err().kind(), ErrorKind::WouldBlock);
}

/// A source that stops answering when it is told to.
struct Hanging {
    may_hang: Arc<AtomicBool>,
    released: mpsc::Receiver<()>,
}

impl Collector for Hanging {
    fn name(&self) -> &'static str {
        "hanging"
    }

    fn collect(&mut self, _: &mut Fill) -> Result<Shape, CollectError> {
        if self.may_hang.swap(false, Ordering::Relaxed) {
            self.released.recv().unwrap();
        }
        Ok(Shape::Same)
    }

    fn series(&self) -> &[Series] {
        &[]
    }
}

#[test]
fn a_sampler_that_hangs_starves_the_watchdog() {
    let manager = Manager::new();
    let (release, released) = mpsc::channel();
    let may_hang = Arc::new(AtomicBool::new(false));
    let hanging = Hanging { may_hang: Arc::clone(&may_hang), released };
    let mut config = Config::default();
    config.sampler.interval = Duration::from_millis(100);
    config.server.listen = vec![Listen::Tcp("127.0.0.1:0".parse().unwrap())];
    let theirs = ServiceManager::at(manager.path().as_os_str(), Some(Duration::from_millis(300))).unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let daemon = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let collectors = vec![Scheduled { collector: Box::new(hanging), every: None }];
            let host = hostcast::collector::read_host();
            let daemon = Daemon::with_collectors(&config, Inherited::default(), host, collectors).unwrap();
            daemon.run(theirs, None, async { stopped.await.unwrap_or_default() }).await.unwrap();
        });
    });
    manager.hear_of("WATCHDOG=1");
    may_hang.store(true, Ordering::Relaxed);
    let trouble = manager.hear_of("STATUS=no sample was taken for ");
    assert!(!trouble.contains(&"WATCHDOG=1".to_owned()), "{trouble:?}");
    for _ in 0..3 {
        let heard = manager.hear();
        assert!(heard.len() == 1 && heard[0].starts_with("STATUS=no sample"), "{heard:?}");
    }
    release.send(()).unwrap();
    manager.hear_of("WATCHDOG=1");
    manager.hear_of("STATUS=sampling every 100ms");
    stop.send(()).unwrap();
    daemon.join().unwrap();
}

/// A daemon that gets this socket instead of opening one. A shell puts it where systemd would.
fn activate(config: &str, socket: impl Into<Stdio>) -> TestDaemon {
    let command = |_: &Path| {
        let mut shell = Command::new("sh");
        let script = "exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$@\"";
        shell.args(["-c", script, "sh"]).arg(program()).stdin(socket);
        shell
    };
    TestDaemon::launch(config, command, "127.0.0.1:0")
}

#[test]
fn a_socket_that_is_handed_over_is_served_and_stays_with_its_owner() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut daemon = activate("", OwnedFd::from(listener.try_clone().unwrap()));
    assert_eq!(daemon.address.tcp(), listener.local_addr().unwrap());
    assert_eq!(daemon.get("/api/v1/schema").status, 200);
    daemon.signal(Signal::TERM);
    let (status, log) = daemon.wait();
    assert!(status.success() && log.contains("server.listen is not used"), "{log}");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hostcast.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let mut daemon = activate("", OwnedFd::from(listener.try_clone().unwrap()));
    assert_eq!(daemon.get("/api/v1/schema").status, 200);
    daemon.signal(Signal::TERM);
    assert!(daemon.wait().0.success());
    assert!(path.exists(), "the file is the manager's");
}

#[test]
fn a_socket_that_cannot_be_served_is_refused_in_one_line() {
    let refused = |socket: OwnedFd| {
        let mut shell = Command::new("sh");
        let script = "exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$@\"";
        shell.args(["-c", script, "sh"]).arg(program()).args(["serve", "--log-level", "error"]);
        let output = shell.env("HOSTCAST_CONFIG", "/dev/null").stdin(socket).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let outer = TcpListener::bind("0.0.0.0:0").unwrap();
    let (code, line) = refused(OwnedFd::from(outer));
    assert!(code == Some(78) && line.starts_with("hostcast: others can reach 0.0.0.0:"), "{code:?} {line}");
    let (code, line) = refused(OwnedFd::from(UdpSocket::bind("127.0.0.1:0").unwrap()));
    assert!(code == Some(1) && line.starts_with("hostcast: LISTEN_FDS: socket 1 is none that"), "{code:?} {line}");
    let accepting = TcpListener::bind("127.0.0.1:0").unwrap();
    let connected = TcpStream::connect(accepting.local_addr().unwrap()).unwrap();
    let (code, line) = refused(OwnedFd::from(connected));
    assert!(code == Some(1) && line.contains("Accept= must be no"), "{code:?} {line}");
    assert_eq!(line.lines().count(), 1, "{line}");
}

#[test]
fn a_restart_refuses_no_connection_that_comes_to_a_handed_over_socket() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Address::Tcp(listener.local_addr().unwrap());
    let hand_over = || OwnedFd::from(listener.try_clone().unwrap());
    let mut daemon = activate("", hand_over());
    let (done, connected) = (AtomicBool::new(false), AtomicU64::new(0));
    let connect = || {
        while !done.load(Ordering::Relaxed) {
            // Panics where it is refused.
            let mut wire = address.connect();
            wire.write_all(b"GET /api/v1/schema HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
            connected.fetch_add(1, Ordering::Relaxed);
            // A daemon that stops may close it without an answer; the queue is never without one.
            wire.read_until_closed();
        }
    };
    let several_more = || {
        let before = connected.load(Ordering::Relaxed);
        eventually("several connections", || connected.load(Ordering::Relaxed) >= before + 20);
    };
    thread::scope(|scope| {
        let connecting = scope.spawn(connect);
        for _ in 0..5 {
            several_more();
            daemon.signal(Signal::TERM);
            assert!(daemon.wait().0.success());
            daemon = activate("", hand_over());
        }
        several_more();
        done.store(true, Ordering::Relaxed);
        connecting.join().unwrap();
    });
    assert_eq!(daemon.get("/healthz").status, 200);
}
