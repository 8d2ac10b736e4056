//! Recordings of CSV: each part is one table, and says what lines of JSON say.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use hostcast::protocol::GapReason;
use serde_json::{Value, json};

use crate::support::{
    Pour, Random, TestDaemon, eventually, program,
    recorder::{FORMS, Recorder, lines, position, report, samples, target},
    schema, skipped,
};

/// The parts of a host as everyday tools put them together, `zstd -dc` and `cat`, oldest first.
fn tables(host: &Path) -> Vec<String> {
    let mut files: Vec<PathBuf> = fs::read_dir(host).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let stem =
        |path: &Path| path.file_name().unwrap().to_str().unwrap().split_once(".csv").map(|(stem, _)| stem.to_owned());
    let mut stems: Vec<_> = files.iter().filter_map(|path| stem(path)).collect();
    stems.dedup();
    let text = |stem: &String| {
        let archive = File::open(host.join(format!("{stem}.csv.zst")));
        let mut text = archive.map(|archive| zstd::decode_all(archive).unwrap()).unwrap_or_default();
        text.extend(fs::read(host.join(format!("{stem}.csv"))).unwrap_or_default());
        String::from_utf8(text).unwrap()
    };
    stems.iter().map(text).collect()
}

/// What Python's own reader of CSV finds: how many rows, how many cells in each, and how often the first cell is what.
fn python(table: &str) -> Option<(usize, Vec<usize>, Value)> {
    let code = "import csv, sys, json, io, collections\n\
                rows = list(csv.reader(io.TextIOWrapper(sys.stdin.buffer, newline='')))\n\
                print(json.dumps([len(rows), sorted({len(row) for row in rows}), collections.Counter(row[0] for row in rows)]))";
    let mut child =
        Command::new("python3").args(["-c", code]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
    child.stdin.take().unwrap().write_all(table.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

fn run(arguments: &[&str], folder: &Path) -> String {
    let output = Command::new(program()).arg(arguments[0]).arg(folder).args(&arguments[1..]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_recording_of_csv_says_what_one_of_json_says_also_if_it_was_killed() {
    let daemon = TestDaemon::start();
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let targets = [target("web-1", &format!("ws://{}", daemon.address))];
    let mut recorders: Vec<_> =
        folders.iter().zip(FORMS).map(|(folder, form)| Recorder::with(folder.path(), &targets, form)).collect();
    let mut random = Random::new(11);
    for _ in 0..12 {
        thread::sleep(Duration::from_millis(random.below(300)));
        recorders[1].kill();
        recorders[1] = Recorder::with(folders[1].path(), &targets, FORMS[1]);
    }
    for recorder in &mut recorders {
        recorder.wait_for("web-1", 30);
        assert_eq!(recorder.stop(), Some(0));
    }
    let hosts = folders.each_ref().map(|folder| folder.path().join("web-1"));
    let [lines, rows] = hosts.each_ref().map(|host| samples(host));
    for (line, row) in lines.iter().zip(&rows) {
        assert_eq!(line.json, row.json);
    }
    let reports = hosts.each_ref().map(|host| report(host));
    assert!(reports.iter().all(hostcast::recording::Report::is_whole), "{reports:?}");
    let per_sample = reports.map(|report| report.values / report.samples);
    assert_eq!(per_sample[0], per_sample[1]);

    // Of what both have.
    let (from, to) = (lines[0].json["time"].to_string(), lines[25].json["time"].to_string());
    let range = ["--from", from.as_str(), "--to", to.as_str()];
    for flags in [
        &["export"][..],
        &["export", "--metrics", "system.cpu"],
        &["export", "--format", "csv"],
        &["export", "--every", "1s"],
    ] {
        let [of_lines, of_rows] = folders.each_ref().map(|folder| run(&[flags, &range].concat(), folder.path()));
        assert!(of_lines == of_rows && of_lines.lines().count() > 2, "{flags:?}\n{of_lines}\n{of_rows}");
    }
    let [of_lines, of_rows] = folders.each_ref().map(|folder| {
        let replay = crate::replay::Replay::of(folder.path(), &range);
        ["/api/v1/samples?last=all", "/api/v1/schema"].map(|path| replay.get(path))
    });
    assert_eq!(of_lines[0]["samples"], of_rows[0]["samples"]);
    assert_eq!(of_lines[0]["samples"].as_array().unwrap().len(), 25);
    assert_eq!(of_lines[1]["series"], of_rows[1]["series"]);
}

#[test]
fn each_part_is_a_table_that_python_reads_and_other_series_begin_another() {
    let mut pour = Pour::new();
    let folder = tempfile::tempdir().unwrap();
    let host = folder.path().join("web-1");
    let targets = [target("web-1", &format!("ws://{}", pour.address))];
    // Enough for a frame.
    pour.publish(6_000);
    let mut recorder = Recorder::with(folder.path(), &targets, FORMS[1]);
    recorder.wait_for("web-1", 6_000);
    for (revision, cores) in [(2, 3), (3, 0), (4, 2)] {
        pour.schema = schema(revision, cores);
        pour.publish(100);
        recorder.wait_for("web-1", pour.newest());
    }
    // Two changes at once, which it reads in one go.
    recorder.kill();
    for (revision, cores) in [(5, 4), (6, 1)] {
        pour.schema = schema(revision, cores);
        pour.publish(100);
    }
    let mut recorder = Recorder::with(folder.path(), &targets, FORMS[1]);
    recorder.wait_for("web-1", pour.newest());
    assert_eq!(recorder.stop(), Some(0));

    let report = report(&host);
    assert!(report.is_whole() && report.samples == 6_500, "{report:?}");
    for line in lines(&host).iter().filter(|line| line["type"] == "sample") {
        let (seq, values) = (line["seq"].as_u64().unwrap(), line["values"].as_object().unwrap());
        let expected = [3, 4, 1, 3, 5, 2][(seq.saturating_sub(5_901) / 100) as usize];
        assert_eq!((values.len(), &values["system.uptime"]), (expected, &json!(seq)), "{line}");
    }
    let tables = tables(&host);
    let expected = [(6_000, 3), (100, 4), (100, 1), (100, 3), (100, 5), (100, 2)];
    assert_eq!(tables.len(), expected.len());
    for (table, (samples, values)) in tables.iter().zip(expected) {
        let Some((rows, cells, types)) = python(table) else { return skipped("there is no python3") };
        assert_eq!(cells, [11 + values]);
        assert_eq!((types["type"].as_u64(), types["sample"].as_u64()), (Some(1), Some(samples)), "{types}");
        let hellos = types["hello"].as_u64().unwrap();
        assert!(hellos >= 1 && rows as u64 == 1 + samples + hellos, "{types}");
        assert!(table.starts_with("type,host,epoch,") && table.lines().nth(1).unwrap().starts_with("hello,web-1,"));
    }
}

#[test]
fn a_restart_that_a_recorder_hears_of_at_its_start_takes_no_table_of_its_own() {
    let daemon = TestDaemon::start();
    let folder = tempfile::tempdir().unwrap();
    let host = folder.path().join("web-1");
    let recorder_of = |daemon: &TestDaemon| {
        Recorder::with(folder.path(), &[target("web-1", &format!("ws://{}", daemon.address))], FORMS[1])
    };
    let mut recorder = recorder_of(&daemon);
    recorder.wait_for("web-1", 3);
    recorder.kill();
    let old = position(&host).unwrap().epoch;
    let daemon = daemon.kill_and_restart();
    let mut recorder = recorder_of(&daemon);
    eventually("the new ring is recorded", || {
        position(&host).is_some_and(|position| position.epoch != old && position.seq >= 3)
    });
    assert_eq!(recorder.stop(), Some(0));
    let report = report(&host);
    assert!(report.is_sound() && report.gaps[&GapReason::Restarted].count == 1, "{report:?}");
    for table in tables(&host) {
        let header = table.lines().next().unwrap();
        assert!(header.contains(",system.uptime"), "{header}");
    }
}

#[test]
fn the_standard_output_gets_no_table() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "[record]\nformat = \"csv\"\n").unwrap();
    let config = ["--config", file.path().to_str().unwrap()];
    for format in [&["--format", "csv"], &config] {
        let mut command = Command::new(program());
        let output = command.args(["record", "web-1", "--output", "-"]).args(format).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("use --format ndjson, or let --output name a folder"), "{said}");
    }
}
