//! `hostcast verify` and `hostcast export`.

use std::{fs, process::Command};

use serde_json::Value;

use crate::support::{
    Pour, program,
    recorder::{FORMS, Recorder, samples, target},
    room_for,
};

#[test]
fn verify_tells_people_and_programs_and_its_exit_code_tells_scripts() {
    for (form, extension) in FORMS.into_iter().zip(["ndjson", "csv"]) {
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
        let mut recorder = Recorder::with(folder.path(), &targets, form);
        recorder.wait_for("web-1", 40);
        recorder.stop();
        let (code, table) = verify(false);
        assert_eq!(code, Some(0), "{table}");
        let cells: Vec<_> = table.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!((cells[0], cells[1], cells.last().copied()), ("web-1", "40", Some("nothing")), "{table}");

        pour.publish(500);
        let mut recorder = Recorder::with(folder.path(), &targets, form);
        recorder.wait_for("web-1", 540);
        recorder.stop();
        let (code, json) = verify(true);
        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(
            (code, &json["whole"], &json["hosts"][0]["gaps"]["down"]["count"]),
            (Some(3), &false.into(), &1.into())
        );

        let newest = fs::read_dir(folder.path().join("web-1")).unwrap().map(|entry| entry.unwrap().path());
        let newest = newest.into_iter().find(|path| path.extension().is_some_and(|end| end == extension)).unwrap();
        let mut text = fs::read(&newest).unwrap();
        let middle = text.len() / 2;
        text[middle] ^= 0x80;
        fs::write(&newest, text).unwrap();
        let (code, table) = verify(false);
        assert_eq!(code, Some(1), "{table}");
        assert!(table.contains("of a recording: "), "{table}");
    }
}

#[test]
fn a_range_is_exported_as_lines_and_as_a_table() {
    for form in FORMS {
        let pour = Pour::new();
        pour.publish(3_000);
        let folder = tempfile::tempdir().unwrap();
        let mut recorder = Recorder::with(folder.path(), &[target("web-1", &format!("ws://{}", pour.address))], form);
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
}
