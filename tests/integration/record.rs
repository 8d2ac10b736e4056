//! `hostcast record` and `hostcast verify`: what daemons stream is kept, whatever happens in between.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use hostcast::{
    protocol::{WireSample, WireValues},
    recording::{Found, Line, Reader, Reason, Record, Report, hosts, verify},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{Fault, Pour, Proxy, Random, TestDaemon, eventually, program, room_for};

/// A recorder with a folder; killed when it is dropped.
struct Recorder {
    child: Child,
    folder: PathBuf,
}

impl Recorder {
    fn start(folder: &Path, targets: &[String]) -> Self {
        Self::with(folder, targets, &[])
    }

    fn with(folder: &Path, targets: &[String], flags: &[&str]) -> Self {
        let mut command = Command::new(program());
        command.arg("record").args(targets).arg("--output").arg(folder).args(flags);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Self { child, folder: folder.into() }
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Tells it to stop; its exit code.
    fn stop(&mut self) -> Option<i32> {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let mut code = None;
        eventually("the recorder ends", || {
            let status = self.child.try_wait().unwrap();
            code = status.and_then(|status| status.code());
            status.is_some()
        });
        code
    }

    /// Waits until sample `seq` of the ring that is recorded now is there.
    fn wait_for(&self, host: &str, seq: u64) {
        let folder = self.folder.join(host);
        eventually(&format!("sample {seq} of {host} is recorded"), || {
            folder.is_dir() && samples(&folder).last().is_some_and(|last| last.seq >= seq)
        });
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of one host, as a reader finds them.
fn lines(folder: &Path) -> Vec<Value> {
    let (mut reader, mut lines) = (Reader::open(folder).unwrap(), Vec::new());
    while let Some(found) = reader.read().unwrap() {
        match found {
            Found::Line(line, _) => lines.push(serde_json::from_slice(line).unwrap()),
            // It is being written.
            Found::Torn(_) => {}
            Found::Damaged(why) => panic!("{why}"),
        }
    }
    lines
}

struct Recorded {
    seq: u64,
    json: Value,
}

fn samples(folder: &Path) -> Vec<Recorded> {
    let lines = lines(folder).into_iter().filter(|line| line["type"] == "sample");
    lines.map(|json| Recorded { seq: json["seq"].as_u64().unwrap(), json }).collect()
}

fn report(folder: &Path) -> Report {
    verify(folder).unwrap()
}

/// That what is recorded is what was published, and what is not is named.
fn accounts_for(folder: &Path, pour: &Pour) -> Report {
    let report = report(folder);
    assert!(report.is_sound(), "{report:?}");
    let (mut reader, mut next) = (Reader::open(folder).unwrap(), None);
    while let Some(found) = reader.read().unwrap() {
        let Found::Line(line, parsed) = found else { panic!("{found:?}") };
        let due = next.unwrap_or_else(|| match parsed.record() {
            Record::Sample { seq, .. } => seq,
            Record::Gap(gap) => gap.from_seq,
            Record::Hello { .. } => 0,
        });
        match parsed {
            Line::Sample { seq, .. } => {
                assert_eq!(seq, due);
                let sample: WireSample = serde_json::from_slice(line).unwrap();
                assert!(matches!(&sample.values, WireValues::Named(_)));
                pour.check(&[sample]);
                next = Some(seq + 1);
            }
            Line::Gap(gap) => {
                assert_eq!(gap.from_seq, due);
                next = Some(gap.to_seq.unwrap() + 1);
            }
            Line::Hello { .. } => {}
        }
    }
    assert_eq!(next, Some(pour.newest() + 1));
    report
}

fn target(name: &str, url: &str) -> String {
    format!("{name}={url}")
}

#[test]
fn a_recording_has_what_the_json_stream_has_with_host_and_epoch() {
    let daemon = TestDaemon::start();
    daemon.wait_for(5);
    let folder = tempfile::tempdir().unwrap();
    let mut recorder = Recorder::start(folder.path(), &[target("web-1", &format!("ws://{}", daemon.address))]);
    recorder.wait_for("web-1", 10);
    assert_eq!(recorder.stop(), Some(0));
    let mut feed = daemon.feed("history=all", "hostcast.v1.json");
    let epoch = feed.hello().epoch.to_string();
    let mut streamed = Vec::new();
    while streamed.len() < 10 {
        let message = feed.json();
        match message["type"].as_str().unwrap() {
            "history" => streamed.extend(message["samples"].as_array().unwrap().clone()),
            "sample" => streamed.push(message),
            _ => {}
        }
    }
    for (recorded, mut streamed) in samples(&folder.path().join("web-1")).into_iter().zip(streamed) {
        streamed["type"] = "sample".into();
        streamed["host"] = "web-1".into();
        streamed["epoch"] = epoch.clone().into();
        assert_eq!(recorded.json, streamed);
    }
    let first = lines(&folder.path().join("web-1")).remove(0);
    assert_eq!((&first["type"], &first["epoch"]), (&"hello".into(), &epoch.into()));
}

#[test]
fn killed_at_any_moment_and_started_again_it_has_every_sample_once() {
    let pour = Pour::new();
    pour.publish(100);
    let folder = tempfile::tempdir().unwrap();
    let targets = [target("web-1", &format!("ws://{}", pour.address))];
    let mut random = Random::new(7);
    for _ in 0..25 {
        let mut recorder = Recorder::start(folder.path(), &targets);
        let rope = pour.pour(1 + random.below(2_000));
        thread::sleep(Duration::from_millis(random.below(60)));
        recorder.kill();
        drop(rope);
    }
    let recorder = Recorder::start(folder.path(), &targets);
    recorder.wait_for("web-1", pour.newest());
    let report = accounts_for(&folder.path().join("web-1"), &pour);
    assert!(report.is_whole(), "{report:?}");
}

#[test]
fn a_daemon_that_is_killed_costs_a_gap_that_says_restarted() {
    let mut daemon = TestDaemon::start();
    let proxy = Proxy::healthy(daemon.address.tcp());
    let folder = tempfile::tempdir().unwrap();
    let host = folder.path().join("web-1");
    let recorder = Recorder::start(folder.path(), &[target("web-1", &proxy.url())]);
    for epochs in 1..=3 {
        eventually("samples of this ring are recorded", || {
            host.is_dir() && {
                let report = report(&host);
                report.epochs == epochs && report.samples > epochs * 3
            }
        });
        proxy.set_target(None);
        daemon = daemon.kill_and_restart();
        proxy.set_target(Some(daemon.address.tcp()));
    }
    eventually("the last gap is recorded", || report(&host).gaps.values().any(|gaps| gaps.count == 3));
    drop(recorder);
    let report = report(&host);
    assert!(report.is_sound(), "{report:?}");
    assert!(report.gaps.keys().eq([&Reason::Restarted]), "{report:?}");
}

#[test]
fn what_the_ring_lost_while_the_recorder_was_down_is_named_down() {
    let room = room_for(50);
    let pour = Pour::with(|config| config.history.max_bytes = room);
    pour.publish(40);
    let folder = tempfile::tempdir().unwrap();
    let targets = [target("web-1", &format!("ws://{}", pour.address))];
    let mut recorder = Recorder::start(folder.path(), &targets);
    recorder.wait_for("web-1", 40);
    recorder.kill();
    pour.publish(500);
    let recorder = Recorder::start(folder.path(), &targets);
    recorder.wait_for("web-1", 540);
    let report = accounts_for(&folder.path().join("web-1"), &pour);
    assert!(report.gaps.keys().eq([&Reason::Down]) && report.gaps[&Reason::Down].samples > 400, "{report:?}");
}

#[test]
fn whatever_the_line_does_the_recording_is_whole_or_says_what_is_missing() {
    const HOSTS: u64 = 40;
    let folder = tempfile::tempdir().unwrap();
    let mut lines = Vec::new();
    for seed in 0..HOSTS {
        let mut random = Random::new(seed);
        let room = room_for(100 + random.below(2_000) as usize);
        let pour = Pour::with(|config| {
            config.history.max_bytes = room;
            config.server.heartbeat = Duration::from_millis(200);
        });
        pour.publish(1);
        let (mut connections, bad) = (0, 1 + random.below(3));
        let mut faults = Random::new(seed + 1);
        let proxy = Proxy::start(pour.address.tcp(), move || {
            connections += 1;
            if connections > bad { Fault::None } else { Fault::random(&mut faults, 30_000) }
        });
        lines.push((pour, proxy, random));
    }
    let targets: Vec<_> =
        lines.iter().enumerate().map(|(n, (_, proxy, _))| target(&format!("host-{n}"), &proxy.url())).collect();
    let mut recorder = Recorder::start(folder.path(), &targets);
    for round in 0..12 {
        for (pour, _, random) in &mut lines {
            pour.publish(random.below(200));
        }
        if round % 4 == 3 {
            recorder.kill();
            recorder = Recorder::start(folder.path(), &targets);
        }
        thread::sleep(Duration::from_millis(100));
    }
    for (n, (pour, ..)) in lines.iter().enumerate() {
        let host = folder.path().join(format!("host-{n}"));
        eventually(&format!("all of host-{n} is accounted for"), || {
            let last = host.is_dir().then(|| self::lines(&host)).and_then(|mut lines| lines.pop());
            last.is_some_and(|line| line["seq"] == pour.newest())
        });
        accounts_for(&host, pour);
    }
    assert_eq!(hosts(folder.path()).unwrap().len() as u64, HOSTS);
}

#[test]
fn a_host_that_refuses_is_given_up_and_the_others_go_on() {
    let pour = Pour::new();
    pour.publish(5);
    let refusing = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                use std::io::Write as _;
                let mut stream = stream.unwrap();
                let _ = stream.read(&mut [0; 4 << 10]);
                let _ = stream.write_all(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
            }
        });
        address
    };
    let folder = tempfile::tempdir().unwrap();
    let (good, bad) = (target("good", &format!("ws://{}", pour.address)), target("bad", &format!("ws://{refusing}")));
    let mut recorder = Recorder::start(folder.path(), &[good, bad.clone()]);
    recorder.wait_for("good", 5);
    pour.publish(5);
    recorder.wait_for("good", 10);
    assert_eq!(recorder.stop(), Some(0));
    // Alone, it ends.
    let output = Command::new(program()).args(["record", &bad, "--output"]).arg(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("no host is left to record; the last one, bad: refused with 401"), "{said}");
}

#[test]
fn the_standard_output_gets_the_same_lines() {
    let pour = Pour::new();
    pour.publish(500);
    let mut command = Command::new(program());
    command.args(["record", &target("web-1", &format!("ws://{}", pour.address)), "--output", "-"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let mut line = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(line()["type"], "hello");
    for seq in 1..=500 {
        assert_eq!(line()["seq"], seq);
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn hosts_and_options_can_stand_in_a_file() {
    let pour = Pour::new();
    pour.publish(5);
    let folder = tempfile::tempdir().unwrap();
    let (file, recording) = (folder.path().join("record.toml"), folder.path().join("recording"));
    let text = format!(
        "[record]\noutput = {:?}\nmetrics = \"system.uptime\"\n[record.hosts]\nweb-1 = \"ws://{}\"\n",
        recording.display().to_string(),
        pour.address
    );
    fs::write(&file, text).unwrap();
    let mut command = Command::new(program());
    command.args(["record", "--config"]).arg(&file).stderr(Stdio::null());
    let recorder = Recorder { child: command.spawn().unwrap(), folder: recording.clone() };
    recorder.wait_for("web-1", 5);
    assert_eq!(samples(&recording.join("web-1"))[0].json["values"], serde_json::json!({ "system.uptime": 1 }));
    fs::write(&file, "[record]\nkeep = \"5\"\n").unwrap();
    let output = Command::new(program()).args(["record", "--config"]).arg(&file).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("which has no unit"));
}

#[test]
fn labels_of_a_host_are_recorded_over_its_own_and_exported_with_each_line() {
    let daemon = TestDaemon::with("[sampler]\ninterval = \"100ms\"\n[labels]\nsite = \"fra1\"\nrole = \"db\"\n");
    let folder = tempfile::tempdir().unwrap();
    let (file, recording) = (folder.path().join("record.toml"), folder.path().join("recording"));
    let record = |site: &str| {
        let host = format!("{{ url = \"ws://{}\", labels = {{ site = {site:?} }} }}", daemon.address);
        fs::write(&file, format!("[record]\noutput = {recording:?}\n[record.hosts]\nweb-1 = {host}\n")).unwrap();
        let mut command = Command::new(program());
        command.args(["record", "--config"]).arg(&file).stderr(Stdio::null());
        Recorder { child: command.spawn().unwrap(), folder: recording.clone() }
    };
    let mut recorder = record("ams, \"2\"");
    recorder.wait_for("web-1", 5);
    recorder.stop();
    let moved = samples(&recording.join("web-1")).last().unwrap().seq + 1;
    // A change of the labels is a new hello, and holds for what follows it.
    record("lon").wait_for("web-1", moved + 3);
    let all = lines(&recording.join("web-1"));
    assert!(all.iter().all(|line| line["host"] == "web-1" && line["epoch"].is_string()), "{all:?}");
    assert_eq!(all[0]["hello"]["host"]["labels"], serde_json::json!({ "role": "db", "site": "ams, \"2\"" }));
    let export = |flags: &[&str]| {
        let output = Command::new(program()).arg("export").arg(&recording).args(flags).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stdout).unwrap()
    };
    let site_of = |seq: u64| if seq < moved { "ams, \"2\"" } else { "lon" };
    for flags in [&[][..], &["--metrics", "system.uptime"]] {
        for line in export(flags).lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            assert_eq!(line["labels"]["site"], site_of(line["seq"].as_u64().unwrap()));
            assert_eq!(line["host"], "web-1");
        }
    }
    let table = export(&["--format", "csv", "--metrics", "system.uptime"]);
    let (head, rows) = table.split_once('\n').unwrap();
    assert_eq!(head, "host,epoch,seq,time,elapsed_ms,missed_ticks,label.role,label.site,system.uptime");
    let first = rows.lines().next().unwrap();
    assert!(first.starts_with("web-1,") && first.contains(",db,\"ams, \"\"2\"\"\","), "{first}");
    assert!(rows.lines().last().unwrap().contains(",db,lon,"));
}

#[test]
fn a_folder_that_is_removed_is_made_anew() {
    let pour = Pour::new();
    pour.publish(5);
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::start(folder.path(), &[target("web-1", &format!("ws://{}", pour.address))]);
    recorder.wait_for("web-1", 5);
    fs::remove_dir_all(folder.path().join("web-1")).unwrap();
    pour.publish(5);
    recorder.wait_for("web-1", 10);
    assert!(samples(&folder.path().join("web-1")).iter().map(|sample| sample.seq).eq(6..=10));
}

#[test]
fn verify_tells_people_and_programs_and_its_exit_code_tells_scripts() {
    let room = room_for(50);
    let pour = Pour::with(|config| config.history.max_bytes = room);
    pour.publish(40);
    let folder = tempfile::tempdir().unwrap();
    let targets = [target("web-1", &format!("ws://{}", pour.address))];
    let verify = |json: bool| {
        let mut command = Command::new(program());
        command.arg("verify").arg(folder.path());
        if json {
            command.arg("--json");
        }
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let mut recorder = Recorder::start(folder.path(), &targets);
    recorder.wait_for("web-1", 40);
    recorder.stop();
    let (code, table) = verify(false);
    assert_eq!(code, Some(0), "{table}");
    let cells: Vec<_> = table.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!((cells[0], cells[1], cells.last().copied()), ("web-1", "40", Some("nothing")), "{table}");

    pour.publish(500);
    let mut recorder = Recorder::start(folder.path(), &targets);
    recorder.wait_for("web-1", 540);
    recorder.stop();
    let (code, json) = verify(true);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, &json["whole"], &json["hosts"][0]["gaps"]["down"]["count"]), (Some(3), &false.into(), &1.into()));

    let newest = fs::read_dir(folder.path().join("web-1")).unwrap().map(|entry| entry.unwrap().path());
    let newest = newest.into_iter().find(|path| path.extension().is_some_and(|end| end == "ndjson")).unwrap();
    let mut text = fs::read(&newest).unwrap();
    let middle = text.len() / 2;
    text[middle] ^= 0x80;
    fs::write(&newest, text).unwrap();
    let (code, table) = verify(false);
    assert_eq!(code, Some(1), "{table}");
    assert!(table.contains("no line of a recording"), "{table}");
}

#[test]
fn a_range_is_exported_as_lines_and_as_a_table() {
    let pour = Pour::new();
    pour.publish(3_000);
    let folder = tempfile::tempdir().unwrap();
    let mut recorder = Recorder::start(folder.path(), &[target("web-1", &format!("ws://{}", pour.address))]);
    recorder.wait_for("web-1", 3_000);
    recorder.stop();
    let export = |flags: &[&str]| {
        let output = Command::new(program()).arg("export").arg(folder.path()).args(flags).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stdout).unwrap()
    };
    // A sample's time is its number, in milliseconds.
    let range = ["--from", "1000", "--to", "1970-01-01T00:00:02Z"];
    let lines = export(&range);
    let all: Vec<_> = samples(&folder.path().join("web-1")).into_iter().map(|sample| sample.json).collect();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, all[999..1_999]);

    let few = export(&[&range[..], &["--metrics", "system.uptime"]].concat());
    let first: Value = serde_json::from_str(few.lines().next().unwrap()).unwrap();
    assert_eq!(first["values"], serde_json::json!({ "system.uptime": 1_000 }));
    assert_eq!(few.lines().count(), 1_000);

    let table = export(&[&range[..], &["--format", "csv"]].concat());
    let mut rows = table.lines();
    assert_eq!(
        rows.next().unwrap(),
        "host,epoch,seq,time,elapsed_ms,missed_ticks,system.uptime,system.cpu.utilization{cpu.logical_number=0},\
         system.cpu.utilization{cpu.logical_number=1}"
    );
    let epoch = pour.hub.epoch();
    assert_eq!(rows.next().unwrap(), format!("web-1,{epoch},1000,1000,1,0,1000,0.1001,0.1002"));
    assert_eq!(rows.count(), 999);
}

/// Unmounts when it is dropped, after everything that was declared later.
struct Mounted<'a>(&'a Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(self.0, rustix::mount::UnmountFlags::DETACH);
    }
}

/// A disk of 300 KiB with 150 KiB on it already, if we may mount one.
fn small_disk(folder: &Path) -> Option<Mounted<'_>> {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root can mount a small disk");
        return None;
    }
    let flags = rustix::mount::MountFlags::empty();
    rustix::mount::mount("tmpfs", folder, "tmpfs", flags, Some(c"size=300k")).unwrap();
    fs::write(folder.join("filler"), vec![0; 150 << 10]).unwrap();
    Some(Mounted(folder))
}

/// Publishes far more than the disk has room for, and as fast as the recorder follows.
fn fill(disk: &Path, pour: &Pour, bursts: usize) {
    for _ in 0..bursts {
        pour.publish(200);
        thread::sleep(Duration::from_millis(5));
    }
    // What does not fit is written whole or not at all, so there may be room for less than that.
    eventually("the disk is full", || {
        let free = rustix::fs::statvfs(disk).unwrap();
        free.f_bavail * free.f_frsize < 80 << 10
    });
    let last = samples(&disk.join("web-1")).last().map_or(0, |last| last.seq);
    assert!(last < pour.newest(), "all of it was written");
}

#[test]
fn a_disk_that_fills_costs_nothing_that_the_daemon_still_holds() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_mounted) = small_disk(folder.path()) else { return };
    let pour = Pour::new();
    pour.publish(10);
    let recorder = Recorder::start(folder.path(), &[target("web-1", &format!("ws://{}", pour.address))]);
    recorder.wait_for("web-1", 10);
    fill(folder.path(), &pour, 20);
    fs::remove_file(folder.path().join("filler")).unwrap();
    recorder.wait_for("web-1", 1_000);
    rustix::mount::mount_remount(folder.path(), rustix::mount::MountFlags::empty(), c"size=20m").unwrap();
    recorder.wait_for("web-1", pour.newest());
    let report = accounts_for(&folder.path().join("web-1"), &pour);
    assert!(report.is_whole(), "{report:?}");
    drop(recorder);
}

#[test]
fn what_neither_the_buffer_nor_the_ring_could_hold_while_the_disk_was_full_is_named_no_space() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_mounted) = small_disk(folder.path()) else { return };
    let room = room_for(1_000);
    let pour = Pour::with(|config| config.history.max_bytes = room);
    pour.publish(10);
    let targets = [target("web-1", &format!("ws://{}", pour.address))];
    let recorder = Recorder::with(folder.path(), &targets, &["--buffer", "1MiB"]);
    recorder.wait_for("web-1", 10);
    fill(folder.path(), &pour, 100);
    rustix::mount::mount_remount(folder.path(), rustix::mount::MountFlags::empty(), c"size=20m").unwrap();
    recorder.wait_for("web-1", pour.newest());
    let report = accounts_for(&folder.path().join("web-1"), &pour);
    let lost = report.gaps[&Reason::NoSpace];
    assert!(lost.count == 1 && lost.samples > 1_000, "{report:?}");
    // The buffer was used before anything was given up.
    assert!(report.samples > 4_000, "{report:?}");
    drop(recorder);
}

#[test]
fn a_disk_that_is_read_only_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_mounted) = small_disk(folder.path()) else { return };
    let remount = |flags| rustix::mount::mount_remount(folder.path(), flags, c"").unwrap();
    remount(rustix::mount::MountFlags::RDONLY);
    let pour = Pour::new();
    pour.publish(10);
    let recorder = Recorder::start(folder.path(), &[target("web-1", &format!("ws://{}", pour.address))]);
    thread::sleep(Duration::from_millis(300));
    assert!(!folder.path().join("web-1").exists());
    remount(rustix::mount::MountFlags::empty());
    recorder.wait_for("web-1", 10);
    drop(recorder);
}
