//! `hostcast record`: what daemons stream is kept, whatever happens in between.

use std::{
    fs,
    io::Read as _,
    process::{Command, Stdio},
    thread,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{
    Pour, TestDaemon, eventually, program,
    recorder::{FORMS, Recorder, lines, report, samples, target},
};

mod clock;
mod csv;
mod disk;
mod faults;
mod loss;
mod read;

#[test]
fn a_recording_has_what_the_json_stream_has_with_host_and_epoch() {
    for form in FORMS {
        let daemon = TestDaemon::start();
        daemon.wait_for(5);
        let folder = tempfile::tempdir().unwrap();
        let mut recorder = Recorder::with(folder.path(), &[target("web-1", &format!("ws://{}", daemon.address))], form);
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
}

#[test]
fn a_daemon_below_a_path_is_recorded_by_its_whole_address() {
    let pour = Pour::with(|config| config.server.base_path = "/hosts/web-1".parse().unwrap());
    pour.publish(5);
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::start(folder.path(), &[target("web-1", &format!("http://{}/hosts/web-1/", pour.address))]);
    recorder.wait_for("web-1", 5);
}

#[test]
fn a_host_that_refuses_disturbs_no_other() {
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
    let recorder = Recorder::run(&mut command, &recording);
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
        Recorder::run(command.args(["record", "--config"]).arg(&file), &recording)
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
fn labels_that_a_reload_has_changed_are_recorded_without_a_new_connection_and_exported() {
    let config = |interval: &str, site: &str| {
        format!("[sampler]\ninterval = \"{interval}\"\n[labels]\nsite = \"{site}\"\nrole = \"db\"\n")
    };
    let daemon = TestDaemon::with(&config("100ms", "fra1"));
    let folder = tempfile::tempdir().unwrap();
    let mut recorder = Recorder::start(folder.path(), &[target("web-1", &format!("ws://{}", daemon.address))]);
    recorder.wait_for("web-1", 3);
    daemon.reload(&config("150ms", "nbg1"));
    let host = folder.path().join("web-1");
    eventually("a sample of the new site", || {
        let lines = lines(&host);
        let hello = lines.iter().position(|line| line["hello"]["host"]["labels"]["site"] == "nbg1");
        hello.is_some_and(|hello| lines.len() > hello + 2)
    });
    assert_eq!(recorder.stop(), Some(0));
    assert!(!recorder.log().contains("again in"), "{}", recorder.log());

    let lines = lines(&host);
    let hellos: Vec<_> = lines.iter().filter(|line| line["type"] == "hello").collect();
    let told: Vec<_> =
        hellos.iter().map(|line| (&line["hello"]["host"]["labels"], &line["hello"]["interval_ms"])).collect();
    let labels = |site: &str| serde_json::json!({ "role": "db", "site": site });
    assert_eq!(told, [(&labels("fra1"), &100.into()), (&labels("nbg1"), &150.into())]);
    assert_eq!(hellos[0]["epoch"], hellos[1]["epoch"]);
    let report = report(&host);
    assert!(report.is_whole(), "{report:?}");

    let moved = lines.iter().position(|line| line["hello"]["host"]["labels"]["site"] == "nbg1").unwrap();
    let first = lines[moved + 1]["seq"].as_u64().unwrap();
    let output = Command::new(program()).arg("export").arg(folder.path()).output().unwrap();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let site = if line["seq"].as_u64().unwrap() < first { "fra1" } else { "nbg1" };
        assert_eq!(line["labels"], labels(site), "{line}");
    }
}
