//! `hostcast export`: a range of a recording for other programs, folded or not, in memory that does not grow with it.

use std::{
    fs::{self, File},
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
};

use hostcast::{
    protocol::Epoch,
    recording::{Columns, Compressor, Form, Head, Record, Rotation, Writer},
    sample::Series,
};
use serde_json::{Value, json};

use crate::support::{TestDaemon, program, recorder::Recorder};

fn export(folder: &Path, flags: &[&str]) -> Vec<u8> {
    let Output { status, stdout, stderr } =
        Command::new(program()).arg("export").arg(folder).args(flags).output().unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    stdout
}

fn exported_lines(folder: &Path, flags: &[&str]) -> Vec<Value> {
    let text = export(folder, flags);
    text.split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

/// A recording of one host, sample by sample: of `count`, one each second, with a gap in the middle.
fn recording(count: u64) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let host = folder.path().join("web-1");
    fs::create_dir(&host).unwrap();
    let mut file = std::io::BufWriter::new(File::create(host.join("000001-20261122T235959Z.ndjson")).unwrap());
    let epoch = "00000000000000aa";
    for seq in 1..=count {
        if seq == count / 2 {
            writeln!(
                file,
                r#"{{"type":"gap","host":"web-1","epoch":"{epoch}","from_seq":{seq},"to_seq":{seq},"reason":"slow"}}"#
            )
            .unwrap();
            continue;
        }
        let (time, half, third) =
            (BEGINNING + seq * 1000, seq as f64 / 2.0, if seq % 3 == 0 { "0.25" } else { "null" });
        writeln!(
            file,
            r#"{{"type":"sample","host":"web-1","epoch":"{epoch}","seq":{seq},"time":{time},"elapsed_ms":1000,"values":{{"system.uptime":{half},"system.cpu.utilization{{cpu.mode=user}}":{third}}}}}"#
        )
        .unwrap();
    }
    folder
}

const BEGINNING: u64 = 1_795_392_000_000;

#[test]
fn what_is_folded_on_export_is_what_the_daemon_folds() {
    let daemon = TestDaemon::start();
    let folder = tempfile::tempdir().unwrap();
    let mut recorder = Recorder::start(folder.path(), &[format!("host=ws://{}", daemon.address)]);
    recorder.wait_for("host", 35);
    let theirs = daemon.get("/api/v1/samples?last=all&every=1s").json();
    assert_eq!(recorder.stop(), Some(0));
    let ours = exported_lines(folder.path(), &["--every", "1s"]);
    let theirs = theirs["samples"].as_array().unwrap();
    assert!(theirs.len() >= 2);
    // The recorder may have stopped within the daemon's last bucket, and what it has of that is a row, too.
    for (ours, theirs) in ours.iter().zip(theirs).take(theirs.len() - 1) {
        for field in ["seq", "time", "samples", "missed", "min", "max"] {
            assert_eq!(ours[field], theirs[field], "{field}");
        }
        // What was rounded before it was folded may differ in the last digit.
        let elapsed_ms = |one: &Value| one["elapsed_ms"].as_f64().unwrap();
        assert!((elapsed_ms(ours) - elapsed_ms(theirs)).abs() < 1.0);
        let max = &theirs["max"];
        for (id, value) in theirs["values"].as_object().unwrap() {
            let (ours, theirs) = (ours["values"][id].as_f64(), value.as_f64());
            assert_eq!(ours.is_some(), theirs.is_some(), "{id}");
            let (ours, theirs) = (ours.unwrap_or_default(), theirs.unwrap_or_default());
            let decimals = Series::from_id(id).unwrap().metric.unit.decimals();
            let last_digit = 0.1_f64.powi(decimals.cast_signed());
            let largest = max[id].as_f64().unwrap_or_default();
            assert!((ours - theirs).abs() <= 2.0 * last_digit + largest * 2e-3, "{id}: {ours} for {theirs}");
        }
    }
}

#[test]
fn folding_keeps_peaks_and_gaps_and_goes_across_neither_gap_nor_end() {
    let folder = recording(20);
    let lines = exported_lines(folder.path(), &["--every", "10s"]);
    let told: Vec<_> =
        lines.iter().map(|line| json!([line["type"], line["seq"], line["samples"], line["from_seq"]])).collect();
    let sample = |seq: u64, samples: u64| json!(["sample", seq, samples, null]);
    assert_eq!(
        told,
        [sample(9, 9), json!(["gap", null, null, 10]), sample(19, 9), sample(20, 1)],
        "BEGINNING + 10 s begins a span"
    );
    assert_eq!(lines[0]["min"]["system.uptime"], 0.5);
    assert_eq!(lines[0]["max"]["system.uptime"], 4.5);
    assert_eq!(lines[0]["values"]["system.uptime"], 2.5);
    assert_eq!(lines[0]["values"]["system.cpu.utilization{cpu.mode=user}"], 0.25, "of what was read");
    assert_eq!(lines[3]["values"]["system.cpu.utilization{cpu.mode=user}"], Value::Null);

    let table =
        String::from_utf8(export(folder.path(), &["--every", "10s", "--format", "csv", "--metrics", "system.uptime"]))
            .unwrap();
    let rows: Vec<_> = table.lines().collect();
    assert_eq!(
        rows[0],
        "host,epoch,seq,time,elapsed_ms,missed_ticks,samples,system.uptime,system.uptime min,system.uptime max"
    );
    assert_eq!(rows[1], "web-1,00000000000000aa,9,1795392000000,9000,0,9,2.5,0.5,4.5");
    assert_eq!(rows.len(), 4);
}

#[test]
fn a_table_has_the_numbers_as_they_were_recorded_and_nothing_where_there_was_none() {
    let folder = recording(6);
    let table = String::from_utf8(export(folder.path(), &["--format", "csv"])).unwrap();
    let expected = "\
host,epoch,seq,time,elapsed_ms,missed_ticks,system.uptime,system.cpu.utilization{cpu.mode=user}
web-1,00000000000000aa,1,1795392001000,1000,0,0.5,
web-1,00000000000000aa,2,1795392002000,1000,0,1,
web-1,00000000000000aa,4,1795392004000,1000,0,2,
web-1,00000000000000aa,5,1795392005000,1000,0,2.5,
web-1,00000000000000aa,6,1795392006000,1000,0,3,0.25
";
    assert_eq!(table, expected);
}

#[test]
fn times_have_an_offset_or_none() {
    let folder = recording(6);
    for range in [
        ["--from", "2026-11-23T00:00:02Z", "--to", "2026-11-23T00:00:05Z"],
        ["--from", "2026-11-23T01:00:02+01:00", "--to", "2026-11-22T19:00:05-05:00"],
        ["--from", "1795392002000", "--to", "2026-11-23 00:00:05"],
    ] {
        let seqs: Vec<_> =
            exported_lines(folder.path(), &range).iter().filter_map(|line| line["seq"].as_u64()).collect();
        assert_eq!(seqs, [2, 4], "{range:?}");
    }
}

#[test]
fn memory_does_not_grow_with_the_recording() {
    let [few, many] = [10_000, 100_000].map(written);
    for flags in [&[][..], &["--format", "csv"], &["--every", "10s"], &["--metrics", "system.uptime"]] {
        let [few, many] = [&few, &many].map(|folder| peak_kib(folder.path(), flags));
        // The allocator's own ups and downs are less than a MiB. Whoever kept a sample's line of each would need 16 MiB.
        assert!(many < few + 1536, "{flags:?}: {few} KiB, then {many} KiB");
    }
}

/// A recording of `count` samples as the recorder writes it: frames, and the newest lines.
fn written(count: u64) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(&folder.path().join("web-1"), Rotation::default()).unwrap();
    let mut compressor = Compressor::new().unwrap();
    let head = Head { columns: &Columns::none(Form::Ndjson), hello: b"" };
    let epoch: Epoch = "00000000000000aa".parse().unwrap();
    let seqs: Vec<_> = (1..=count).collect();
    for seqs in seqs.chunks(500) {
        let (mut text, mut ends) = (Vec::new(), Vec::new());
        for seq in seqs {
            let (time, uptime) = (BEGINNING + seq * 1000, seq / 2);
            let head = format!(r#"{{"type":"sample","host":"web-1","epoch":"{epoch}","seq":{seq},"time":{time}"#);
            let values = format!(r#"{{"system.uptime":{uptime},"system.cpu.utilization{{cpu.mode=user}}":0.25}}"#);
            writeln!(text, r#"{head},"elapsed_ms":1000,"values":{values}}}"#).unwrap();
            ends.push((*seq, text.len()));
        }
        let mut start = 0;
        let lines = ends.into_iter().map(|(seq, end)| {
            let line = &text[start..end];
            start = end;
            (Record::Sample { epoch, seq }, line)
        });
        writer.append(head, lines, &mut compressor).unwrap();
    }
    folder
}

/// The most memory that an export took.
fn peak_kib(folder: &Path, flags: &[&str]) -> u64 {
    let mut child =
        Command::new(program()).arg("export").arg(folder).args(flags).stdout(Stdio::piped()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let mut out = child.stdout.take().unwrap();
    let mut buffer = vec![0; 64 << 10];
    while std::io::Read::read(&mut out, &mut buffer).unwrap() > 0 {
        let line = fs::read_to_string(&status).unwrap_or_default();
        let line = line.lines().find_map(|line| line.strip_prefix("VmHWM:").map(str::trim).map(ToOwned::to_owned));
        peak = line.and_then(|line| line.strip_suffix(" kB")?.parse().ok()).unwrap_or(peak);
    }
    assert!(child.wait().unwrap().success());
    assert!(peak > 0);
    peak
}

#[cfg(not(feature = "parquet"))]
#[test]
fn a_program_without_parquet_says_how_to_get_it() {
    let folder = recording(6);
    let output =
        Command::new(program()).arg("export").arg(folder.path()).args(["--format", "parquet"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cargo build --release --features parquet"));
}

#[cfg(feature = "parquet")]
mod columns {
    use parquet::{
        file::reader::{FileReader, SerializedFileReader},
        record::{Field, Row},
    };

    use super::*;
    use crate::support::skipped;

    fn parquet(folder: &Path, flags: &[&str]) -> (tempfile::NamedTempFile, Vec<Row>) {
        let mut file = tempfile::NamedTempFile::with_suffix(".parquet").unwrap();
        file.write_all(&export(folder, &[&["--format", "parquet"], flags].concat())).unwrap();
        let reader = SerializedFileReader::new(file.reopen().unwrap()).unwrap();
        let rows = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        (file, rows)
    }

    /// As the CSV has it.
    fn text(field: &Field) -> String {
        match field {
            Field::Null => String::new(),
            Field::Str(text) => text.clone(),
            Field::Long(number) => number.to_string(),
            Field::Double(number) => number.to_string(),
            Field::TimestampMillis(millis) => millis.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn parquet_has_the_rows_and_columns_of_the_csv() {
        let folder = recording(3_000);
        for flags in [&[][..], &["--every", "7s"], &["--metrics", "system.cpu"]] {
            let csv = String::from_utf8(export(folder.path(), &[&["--format", "csv"], flags].concat())).unwrap();
            let (_, rows) = parquet(folder.path(), flags);
            let mut lines = csv.lines();
            let head: Vec<_> = rows[0].get_column_iter().map(|(name, _)| name.clone()).collect();
            assert_eq!(lines.next().unwrap(), head.join(","));
            let ours: Vec<_> = rows
                .iter()
                .map(|row| row.get_column_iter().map(|(_, field)| text(field)).collect::<Vec<_>>().join(","))
                .collect();
            assert_eq!(ours, lines.collect::<Vec<_>>());
        }
    }

    #[test]
    fn groups_of_rows_are_bounded() {
        let folder = written(139_999);
        let (file, rows) = parquet(folder.path(), &[]);
        assert_eq!(rows.len(), 139_999);
        let reader = SerializedFileReader::new(file.reopen().unwrap()).unwrap();
        let groups: Vec<_> =
            reader.metadata().row_groups().iter().map(parquet::file::metadata::RowGroupMetaData::num_rows).collect();
        assert_eq!(groups, [65_536, 65_536, 139_999 - 2 * 65_536]);
    }

    /// By those who will read it.
    #[test]
    fn python_reads_it() {
        let python = |code: &str, file: &Path| Command::new("python3").args(["-c", code]).arg(file).output();
        let has = python("import pyarrow.parquet", Path::new("")).is_ok_and(|output| output.status.success());
        if !has {
            skipped("python3 has no pyarrow");
            return;
        }
        let folder = recording(3_000);
        let (file, _) = parquet(folder.path(), &[]);
        let code = "import sys, pyarrow.parquet as p; t = p.read_table(sys.argv[1]); \
                    print(t.num_rows, [str(f.type) for f in t.schema], t['system.uptime'][2998].as_py(), \
                    t['time'][0].as_py().isoformat(), t['system.cpu.utilization{cpu.mode=user}'].null_count)";
        let Output { status, stdout, stderr } = python(code, file.path()).unwrap();
        assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
        assert_eq!(
            String::from_utf8(stdout).unwrap().trim(),
            "2999 ['string', 'string', 'int64', 'timestamp[ms, tz=UTC]', 'double', 'int64', 'double', 'double'] 1500.0 \
             2026-11-23T00:00:01+00:00 2000"
        );
    }
}

#[test]
fn a_line_whose_values_are_no_numbers_is_counted_and_what_follows_is_exported() {
    let folder = recording(20);
    let file = folder.path().join("web-1/000001-20261122T235959Z.ndjson");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace(r#""system.uptime":7,"#, r#""system.uptime":"a lot","#)).unwrap();
    let export = |flags: &[&str]| {
        let Output { status, stdout, stderr } =
            Command::new(program()).arg("export").arg(folder.path()).args(flags).output().unwrap();
        let stderr = String::from_utf8(stderr).unwrap();
        assert!(stderr.contains("1 places could not be read"), "{flags:?}: {stderr}");
        (status.code(), String::from_utf8(stdout).unwrap())
    };
    let (code, table) = export(&["--format", "csv"]);
    assert_eq!((code, table.lines().count()), (Some(1), 19), "a head, and all samples but that one: {table}");
    let (code, lines) = export(&["--every", "1m"]);
    let samples: Vec<u64> =
        lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).unwrap()["samples"].as_u64()).collect();
    // The gap is sample 10, the damage sample 14, and no bucket goes across either.
    assert_eq!((code, samples), (Some(1), vec![9, 3, 6]));
}
