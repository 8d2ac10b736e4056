use super::*;
use crate::{
    protocol::{Epoch, Hello, SchemaMessage, SeriesText, WireSample, WireValues},
    recording::{Found, Line, Reader, verify},
};

mod forms;
mod repair;

/// Of both forms: what is promised is promised for each.
fn both() -> [Columns; 2] {
    Form::ALL.map(|form| columns(form, &["system.uptime"]))
}

fn columns(form: Form, ids: &[&str]) -> Columns {
    let series = |id: &&str| SeriesText {
        id: (*id).into(),
        name: (*id).into(),
        unit: "1".into(),
        attributes: std::collections::BTreeMap::new(),
        interval_ms: None,
    };
    Columns::new(form, &SchemaMessage { revision: 1, series: ids.iter().map(series).collect() })
}

fn sample_line(columns: &Columns, seq: u64) -> (Record, Vec<u8>) {
    sample_of(columns, hello().epoch, seq)
}

fn sample_of(columns: &Columns, epoch: Epoch, seq: u64) -> (Record, Vec<u8>) {
    let sample = WireSample {
        seq,
        time: seq,
        elapsed_ms: 1000.0,
        missed: None,
        samples: None,
        values: WireValues::Positional(vec![Some(seq as f64)]),
        min: None,
        max: None,
    };
    let mut line = Vec::new();
    columns.push_sample(&mut line, "h", epoch, &sample);
    (Record::Sample { epoch, seq }, line)
}

fn hello() -> Hello {
    let text = r#"{"protocol":"hostcast.v1","server":"hostcast/0.1.0","host":{"name":"h","os":"Linux","kernel":"6.1",
        "cpus":2,"boot_id":"","labels":{"site":"fra1"}},"epoch":"00000000000000ff","interval_ms":1000,
        "oldest_seq":1,"next_seq":1,"heartbeat_ms":5000}"#;
    serde_json::from_str(text).unwrap()
}

fn hello_line(columns: &Columns) -> Vec<u8> {
    let mut line = Vec::new();
    columns.push_hello(&mut line, "h", &hello());
    line
}

/// What a part begins with.
fn head(columns: &Columns) -> Vec<u8> {
    [&*columns.header(), &hello_line(columns)].concat()
}

/// Nobody's test meets midnight.
const ONE_PART: Rotation = Rotation { every: Duration::MAX, size: u64::MAX };

fn append(writer: &mut Writer, columns: &Columns, seqs: std::ops::Range<u64>) {
    let lines: Vec<_> = seqs.map(|seq| sample_line(columns, seq)).collect();
    let lines = lines.iter().map(|(record, line)| (*record, line.as_slice()));
    let head = Head { columns, hello: &hello_line(columns) };
    writer.append(head, lines, &mut Compressor::new().unwrap()).unwrap();
}

/// The numbers of all samples, as a reader finds them.
fn seqs(folder: &Path) -> Vec<u64> {
    let (mut reader, mut seqs) = (Reader::open(folder).unwrap(), Vec::new());
    while let Some(found) = reader.read().unwrap() {
        match found {
            Found::Line(_, Line::Sample { seq, .. }) => seqs.push(seq),
            Found::Line(..) => {}
            problem => panic!("{problem:?}"),
        }
    }
    seqs
}

fn newest(folder: &Path) -> PathBuf {
    Part::list(folder).unwrap().last().unwrap().newest(folder)
}

fn archive_of(folder: &Path) -> PathBuf {
    Part::list(folder).unwrap().last().unwrap().archive(folder)
}

/// Long enough to be sealed a few times.
const MANY: u64 = 16_000;

#[test]
fn what_was_appended_is_read_and_appending_goes_on_where_it_ended() {
    for columns in both() {
        let folder = tempfile::tempdir().unwrap();
        for start in (1..MANY).step_by(1_000) {
            let mut writer = Writer::open(folder.path(), ONE_PART).unwrap();
            assert_eq!(writer.ledger().position().map_or(0, |position| position.seq), start - 1);
            // With a few that are there already.
            append(&mut writer, &columns, start.saturating_sub(10).max(1)..start + 1_000);
        }
        assert!(seqs(folder.path()).into_iter().eq(1..=MANY));
        assert!(archive_of(folder.path()).exists());
        let report = verify(folder.path()).unwrap();
        assert!(report.is_whole(), "{report:?}");
        assert_eq!((report.samples, report.values, report.rate()), (MANY, MANY, Some(1e3)));
        assert!(report.bytes * 2 < report.bytes_of_lines, "{report:?}");
    }
}

#[test]
fn a_recording_is_written_by_one_alone() {
    let folder = tempfile::tempdir().unwrap();
    let _writer = Writer::open(folder.path(), ONE_PART).unwrap();
    assert!(matches!(Writer::open(folder.path(), ONE_PART), Err(WriteError::Busy(_))));
}

#[test]
fn a_torn_line_is_cut_wherever_it_was_torn() {
    for columns in both() {
        let folder = tempfile::tempdir().unwrap();
        append(&mut Writer::open(folder.path(), ONE_PART).unwrap(), &columns, 1..4);
        let whole = fs::read(newest(folder.path())).unwrap();
        for length in 0..whole.len() {
            for tail in [&b""[..], &[0; 100]] {
                fs::write(newest(folder.path()), [&whole[..length], tail].concat()).unwrap();
                let mut writer = Writer::open(folder.path(), ONE_PART).unwrap();
                let last = writer.ledger().position().map_or(0, |position| position.seq);
                append(&mut writer, &columns, last + 1..6);
                drop(writer);
                assert!(seqs(folder.path()).into_iter().eq(1..6), "{length}");
                assert!(fs::read(newest(folder.path())).unwrap().starts_with(&head(&columns)), "{length}");
            }
        }
    }
}

#[test]
fn a_torn_frame_is_cut_and_its_lines_are_still_there() {
    for columns in both() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = Writer::open(folder.path(), ONE_PART).unwrap();
        append(&mut writer, &columns, 1..200);
        let before_seal = fs::read(newest(folder.path())).unwrap();
        assert!(
            (1..FRAME_TEXT / 8).contains(&before_seal.len()),
            "too little for a frame, however early the first is due"
        );
        append(&mut writer, &columns, 200..MANY);
        drop(writer);
        // As if it had died while it sealed the first lines.
        let whole = fs::read(archive_of(folder.path())).unwrap();
        for length in [0, 1, whole.len() / 2, whole.len() - 1] {
            fs::write(archive_of(folder.path()), &whole[..length]).unwrap();
            fs::write(newest(folder.path()), &before_seal).unwrap();
            let first_frames = whole_seqs(folder.path());
            let writer = Writer::open(folder.path(), ONE_PART).unwrap();
            assert_eq!(writer.ledger().position().unwrap().seq, first_frames.max(199));
            drop(writer);
            assert!(seqs(folder.path()).into_iter().eq(1..=first_frames.max(199)), "{length}");
        }
    }
}

/// The last sample in a whole frame.
fn whole_seqs(folder: &Path) -> u64 {
    last_position(folder, &Part::list(folder).unwrap()).unwrap().position().map_or(0, |position| position.seq)
}

#[test]
fn lines_that_were_sealed_and_not_removed_are_there_once() {
    for columns in both() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = Writer::open(folder.path(), ONE_PART).unwrap();
        append(&mut writer, &columns, 1..100);
        let lines = fs::read(newest(folder.path())).unwrap();
        writer.seal(&mut Compressor::new().unwrap()).unwrap();
        drop(writer);
        // As if it had died in between.
        fs::write(newest(folder.path()), &lines).unwrap();
        assert!(seqs(folder.path()).into_iter().eq(1..100), "a reader knows it too");
        let mut writer = Writer::open(folder.path(), ONE_PART).unwrap();
        append(&mut writer, &columns, 100..120);
        drop(writer);
        assert!(seqs(folder.path()).into_iter().eq(1..120));
    }
}

#[test]
fn a_new_part_begins_with_a_hello_and_the_position_is_found_across_parts() {
    for columns in both() {
        let folder = tempfile::tempdir().unwrap();
        let rotation = Rotation { size: 1, ..ONE_PART };
        for start in (1..MANY).step_by(1_000) {
            append(&mut Writer::open(folder.path(), rotation).unwrap(), &columns, start..start + 1_000);
        }
        append(&mut Writer::open(folder.path(), rotation).unwrap(), &columns, MANY + 1..MANY + 2);
        let parts = Part::list(folder.path()).unwrap();
        assert!(parts.len() > 2, "{parts:?}");
        assert!(fs::read(newest(folder.path())).unwrap().starts_with(&head(&columns)));
        assert!(seqs(folder.path()).into_iter().eq(1..=MANY + 1));
        // A part that was begun, and then nothing came.
        fs::write(newest(folder.path()), head(&columns)).unwrap();
        let last = whole_seqs(folder.path());
        assert_eq!(Writer::open(folder.path(), rotation).unwrap().ledger().position().unwrap().seq, last);
    }
}

#[test]
fn a_folder_that_is_removed_is_noticed() {
    for columns in both() {
        let folder = tempfile::tempdir().unwrap();
        let host = folder.path().join("web-1");
        let mut writer = Writer::open(&host, ONE_PART).unwrap();
        append(&mut writer, &columns, 1..4);
        fs::remove_dir_all(&host).unwrap();
        let (record, line) = sample_line(&columns, 4);
        let error = writer
            .append(
                Head { columns: &columns, hello: &hello_line(&columns) },
                [(record, line.as_slice())],
                &mut Compressor::new().unwrap(),
            )
            .unwrap_err();
        assert!(matches!(error, WriteError::Removed(_)));
        append(&mut Writer::open(&host, ONE_PART).unwrap(), &columns, 4..6);
        assert_eq!(seqs(&host), [4, 5]);
    }
}

#[test]
fn holes_duplicates_and_damage_are_found() {
    for columns in both() {
        let folder = tempfile::tempdir().unwrap();
        append(&mut Writer::open(folder.path(), ONE_PART).unwrap(), &columns, 1..4);
        let lines: Vec<_> = [1, 2, 2, 4, 5].into_iter().flat_map(|seq| sample_line(&columns, seq).1).collect();
        fs::write(newest(folder.path()), [&*columns.header(), &lines, b"{\"type\":\"sample\"}\nhalf"].concat())
            .unwrap();
        let report = verify(folder.path()).unwrap();
        assert_eq!((report.duplicates, report.holes, report.damaged, report.torn), (1, 1, 1, 1), "{report:?}");
        assert!(!report.is_sound() && !report.is_whole());
    }
}
