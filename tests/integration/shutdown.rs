//! Starting that fails, and stopping: nobody is left without a word.

use std::{
    io::{BufRead, BufReader, PipeWriter, Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::net::UnixListener,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use hostcast::{
    collector::{CollectError, Collector, Fill, Scheduled, Shape},
    config::{Config, Listen},
    daemon::{Daemon, DaemonError},
    protocol::{Bye, Message},
    sample::Series,
    service::{Inherited, ServiceManager},
};
use rustix::{
    fs::OFlags,
    process::{Pid, Signal},
};

use crate::support::{Heard, Http, Pour, Raw, SUBPROTOCOLS, TestDaemon, WIDE, schema};

#[test]
fn everyone_is_told_before_the_daemon_goes() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut daemon = TestDaemon::start();
        daemon.wait_for(1);
        let mut feeds = SUBPROTOCOLS.map(|subprotocol| daemon.feed("history=all", subprotocol));
        for feed in &mut feeds {
            feed.hello();
        }
        let mut idle = daemon.http();
        assert_eq!(idle.get("/healthz").status, 200);
        let mut following = daemon.http();
        let (_, mut lines) = following.follow("/api/v1/samples?format=ndjson&follow=true");
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();

        daemon.signal(signal);
        for feed in &mut feeds {
            assert_eq!(feed.goodbye(), ("shutting_down".into(), Some(1_000), Some(1001)));
        }
        // The last chunk is there: the answer is whole, and so is its last line.
        let rest: Vec<String> = lines.lines().collect::<Result<_, _>>().unwrap();
        assert!(rest.iter().all(|line| Message::parse(line.as_bytes()).is_ok()), "{rest:?}");
        idle.wait_until_closed();
        let (status, stderr) = daemon.wait();
        assert_eq!(status.code(), Some(0), "{stderr}");
        TcpListener::bind(daemon.address.tcp()).unwrap();
    }
}

#[test]
fn an_answer_that_is_on_its_way_arrives_whole() {
    // As long as a slow machine needs to read all of it; nobody waits that long.
    let mut pour = Pour::with(|config| config.server.shutdown_grace = Duration::from_mins(1));
    // Far more than the sockets take.
    pour.schema = schema(1, WIDE);
    pour.publish(1_000);
    let mut http = Http::over(pour.address.connect_with_small_buffer(), &pour.address);
    let (_, mut rest) = http.follow("/api/v1/samples?last=all");
    let mut document = vec![0];
    rest.read_exact(&mut document).unwrap();
    let stopping = thread::spawn(move || pour.stop());
    rest.read_to_end(&mut document).unwrap();
    let document: serde_json::Value = serde_json::from_slice(&document).unwrap();
    assert_eq!(document["samples"].as_array().map(Vec::len), Some(1_000));
    stopping.join().unwrap();
}

#[test]
fn nobody_holds_it_beyond_the_grace_period() {
    let mut daemon = TestDaemon::with("[server]\nshutdown_grace = \"1s\"\n[server.limits]\nheader_timeout = \"1m\"\n");
    // One that will not answer a close, and one that never finishes its request.
    let mut silent = Raw::open(&daemon.address);
    let mut unfinished = daemon.address.connect();
    unfinished.write_all(b"GET / HTTP/1.1\r\nHost:").unwrap();
    daemon.get("/healthz");
    let started = Instant::now();
    daemon.signal(Signal::TERM);
    let (code, before) = silent.read_close();
    assert_eq!(code, Some(1001));
    assert_eq!(before, Some(Message::Bye(Bye { reason: "shutting_down".into(), retry_ms: Some(1_000) })));
    let (status, stderr) = daemon.wait();
    assert_eq!(status.code(), Some(0), "{stderr}");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut daemon = TestDaemon::with("[server]\nshutdown_grace = \"5m\"\n[server.limits]\nheader_timeout = \"1m\"\n");
    let mut unfinished = daemon.address.connect();
    unfinished.write_all(b"GET / HTTP/1.1\r\nHost:").unwrap();
    let mut feed = daemon.feed("history=none", "hostcast.v1.json");
    feed.hello();
    daemon.signal(Signal::TERM);
    feed.goodbye();
    daemon.signal(Signal::INT);
    assert_eq!(daemon.wait().0.code(), Some(128 + 2));
}

/// What `hostcast serve` says when it cannot listen there.
fn cannot_listen(listen: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hostcast"));
    command.args(["serve", "--log-level", "error", "--listen", listen]);
    let output = command.env_clear().env("HOSTCAST_SERVER_AUTH", "none").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stdout, b"");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    stderr
}

#[test]
fn where_it_cannot_listen_it_says_so_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert!(
        cannot_listen(&address).starts_with(&format!("hostcast: cannot listen on {address}: the address is in use"))
    );
    // Documentation addresses (RFC 5737) are on no host.
    assert!(cannot_listen("192.0.2.1:7117").contains("no interface of this host has that address"));
    let folder = tempfile::tempdir().unwrap();
    let missing = format!("unix:{}", folder.path().join("missing/hostcast.sock").display());
    assert!(cannot_listen(&missing).contains("the folder of the socket does not exist"));
    let file = folder.path().join("file");
    std::fs::write(&file, "not a socket").unwrap();
    cannot_listen(&format!("unix:{}", file.display()));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "not a socket", "what is not ours stays");
    let served = folder.path().join("served.sock");
    let _listener = UnixListener::bind(&served).unwrap();
    assert!(cannot_listen(&format!("unix:{}", served.display())).contains("in use"));
}

#[test]
fn a_unix_socket_serves_http_and_the_stream_and_goes_with_the_daemon() {
    let mut daemon = TestDaemon::on_unix_socket("[sampler]\ninterval = \"100ms\"\n");
    let socket = daemon.folder().join("hostcast.sock");
    assert_eq!(daemon.get("/healthz").status, 200);
    let mut feed = daemon.feed("history=all", "hostcast.v1.compact");
    feed.hello();
    let next = feed.past().last().map_or(1, |sample| sample.seq + 1);
    assert_eq!(feed.live().seq, next);
    assert!(socket.exists());
    daemon.signal(Signal::TERM);
    assert_eq!(feed.goodbye().2, Some(1001));
    assert_eq!(daemon.wait().0.code(), Some(0));
    assert!(!socket.exists());
}

#[test]
fn a_socket_file_that_was_left_behind_is_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("hostcast.sock");
    // Dropping a listener leaves its file, as a daemon does that is killed.
    drop(UnixListener::bind(&socket).unwrap());
    assert!(socket.exists());
    let listen = format!("unix:{}", socket.display());
    let daemon = TestDaemon::launch_in(folder, "", |_| Command::new(env!("CARGO_BIN_EXE_hostcast")), &listen);
    assert_eq!(daemon.get("/healthz").status, 200);
}

/// Works for its baseline, and dies at its first tick.
struct Mortal {
    readings: u32,
}

impl Collector for Mortal {
    fn name(&self) -> &'static str {
        "mortal"
    }

    fn collect(&mut self, _: &mut Fill) -> Result<Shape, CollectError> {
        self.readings += 1;
        assert!(self.readings < 2, "memento mori");
        Ok(Shape::Same)
    }

    fn series(&self) -> &[Series] {
        &[]
    }
}

#[test]
fn a_sampler_that_dies_takes_the_daemon_with_it_and_says_why() {
    let mut config = Config::default();
    config.sampler.interval = Duration::from_millis(100);
    config.server.listen = vec![Listen::Tcp("127.0.0.1:0".parse().unwrap())];
    let mortal = Scheduled { collector: Box::new(Mortal { readings: 0 }), every: None };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let ended = runtime.block_on(async {
        let host = hostcast::collector::read_host();
        let daemon = Daemon::with_collectors(&config, Inherited::default(), host, vec![mortal]).unwrap();
        daemon.run(ServiceManager::default(), None, std::future::pending()).await
    });
    let Err(DaemonError::Died(last_words)) = ended else { panic!("{ended:?}") };
    assert_eq!(last_words, "thread \"sampler\" panicked: memento mori");
}

#[test]
fn a_subscriber_who_joins_a_stopping_daemon_is_sent_away_too() {
    let mut daemon = TestDaemon::with("[server.limits]\nheader_timeout = \"10s\"\n");
    // The handshake begins before the signal, and is completed after it.
    let mut late = daemon.address.connect();
    let request = Raw::request(&daemon.address, "history=none");
    let (begin, end) = request.split_at(30);
    late.write_all(begin).unwrap();
    let mut feed = daemon.feed("history=none", "hostcast.v1.json");
    feed.hello();
    daemon.signal(Signal::TERM);
    while !matches!(feed.hear(), Heard::Ended) {}
    // It may be refused with a closed connection, but not left waiting.
    let _ = late.write_all(end);
    late.read_until_closed();
    assert_eq!(daemon.wait().0.code(), Some(0));
}

#[test]
fn a_log_that_nobody_takes_stops_neither_the_daemon_nor_its_end() {
    for full in [false, true] {
        let mut command = Command::new(crate::support::program());
        command.args(["serve", "--listen", "127.0.0.1:0", "--log-level", "debug"]).stdout(Stdio::piped());
        let (unread, written) = std::io::pipe().unwrap();
        if full {
            fill(&written);
        } else {
            drop(unread);
        }
        let mut daemon = command.stderr(written).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().trim_start_matches("dashboard at http://").trim_end_matches('/').to_owned();
        for _ in 0..20 {
            let mut client = TcpStream::connect(&address).unwrap();
            client.write_all(b"nonsense\r\n\r\n").unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        }
        let pid = Pid::from_child(&daemon);
        rustix::process::kill_process(pid, Signal::TERM).unwrap();
        assert_eq!(daemon.wait().unwrap().code(), Some(0));
    }
}

/// Until nothing more fits.
fn fill(pipe: &PipeWriter) {
    let flags = rustix::fs::fcntl_getfl(pipe).unwrap();
    rustix::fs::fcntl_setfl(pipe, flags | OFlags::NONBLOCK).unwrap();
    let mut pipe_ref = pipe;
    while pipe_ref.write(&[b'.'; 4096]).is_ok() {}
    rustix::fs::fcntl_setfl(pipe, flags).unwrap();
}

#[test]
fn a_daemon_leaves_the_socket_file_of_its_successor_alone() {
    let mut first = TestDaemon::on_unix_socket("");
    let path = first.folder().join("hostcast.sock");
    std::fs::remove_file(&path).unwrap();
    let _second = UnixListener::bind(&path).unwrap();
    first.signal(Signal::TERM);
    assert_eq!(first.wait().0.code(), Some(0));
    assert!(path.exists());
}
