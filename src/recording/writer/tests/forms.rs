//! What a recording of CSV says is what one of NDJSON says, and a change from one to the other loses nothing.

use proptest::prelude::*;

use super::*;
use crate::{
    protocol::GapReason,
    recording::{RecordedGap, Retention},
    sample::{Missed, MissedReason},
};

fn parts(folder: &Path) -> Vec<(u32, Form)> {
    Part::list(folder).unwrap().into_iter().map(|part| (part.number, part.form)).collect()
}

/// All of a part, as `zstd -dc` and `cat` have it.
fn text_of(folder: &Path, part: &Part) -> String {
    let mut text = Vec::new();
    if let Ok(mut file) = File::open(part.archive(folder)) {
        for frame in archive::whole_frames(&file).unwrap() {
            text.extend(archive::text(&archive::read_frame(&mut file, &frame).unwrap()).unwrap());
        }
    }
    text.extend(fs::read(part.newest(folder)).unwrap_or_default());
    String::from_utf8(text).unwrap()
}

#[test]
fn other_series_begin_a_new_part_with_a_header_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (columns(Form::Csv, &["a"]), columns(Form::Csv, &["a", "b"]));
    let mut writer = Writer::open(folder.path(), ONE_PART).unwrap();
    append(&mut writer, &one, 1..MANY);
    append(&mut writer, &two, MANY..MANY + 5);
    append(&mut writer, &two, MANY + 5..MANY + 7);
    drop(writer);
    // Whoever is started again goes on under the same header.
    append(&mut Writer::open(folder.path(), ONE_PART).unwrap(), &two, MANY + 7..MANY + 9);
    append(&mut Writer::open(folder.path(), ONE_PART).unwrap(), &one, MANY + 9..MANY + 11);
    assert_eq!(parts(folder.path()), [1, 2, 3].map(|number| (number, Form::Csv)));
    for (part, columns) in Part::list(folder.path()).unwrap().iter().zip([&one, &two, &one]) {
        let text = text_of(folder.path(), part);
        assert!(text.as_bytes().starts_with(&head(columns)), "{part:?}");
        assert_eq!(text.matches("type,host,").count(), 1, "{part:?}");
    }
    assert!(seqs(folder.path()).into_iter().eq(1..MANY + 11));
    assert!(verify(folder.path()).unwrap().is_whole());
}

#[test]
fn another_form_begins_a_new_part_wherever_the_old_one_was_torn() {
    for [old, new] in [[Form::Ndjson, Form::Csv], [Form::Csv, Form::Ndjson]] {
        let [before, after] = [old, new].map(|form| columns(form, &["system.uptime"]));
        let folder = tempfile::tempdir().unwrap();
        append(&mut Writer::open(folder.path(), ONE_PART).unwrap(), &before, 1..4);
        let path = newest(folder.path());
        let whole = fs::read(&path).unwrap();
        for length in 0..=whole.len() {
            for file in fs::read_dir(folder.path()).unwrap() {
                fs::remove_file(file.unwrap().path()).unwrap();
            }
            fs::write(&path, &whole[..length]).unwrap();
            let mut writer = Writer::open(folder.path(), ONE_PART).unwrap();
            let last = writer.ledger().position().map_or(0, |position| position.seq);
            append(&mut writer, &after, last + 1..6);
            drop(writer);
            assert!(seqs(folder.path()).into_iter().eq(1..6), "{length}");
            assert!(verify(folder.path()).unwrap().is_whole(), "{length}");
            assert!(!path.exists(), "what is left of it is an archive");
            assert_eq!(parts(folder.path()).last().unwrap().1, new);
            // And back again.
            append(&mut Writer::open(folder.path(), ONE_PART).unwrap(), &before, 6..8);
            assert!(seqs(folder.path()).into_iter().eq(1..8), "{length}");
        }
    }
}

#[test]
fn another_form_begins_a_new_part_if_the_old_one_was_sealed_and_its_lines_not_removed() {
    for [old, new] in [[Form::Ndjson, Form::Csv], [Form::Csv, Form::Ndjson]] {
        let [before, after] = [old, new].map(|form| columns(form, &["system.uptime"]));
        let folder = tempfile::tempdir().unwrap();
        let mut writer = Writer::open(folder.path(), ONE_PART).unwrap();
        append(&mut writer, &before, 1..100);
        let (path, lines) = (newest(folder.path()), fs::read(newest(folder.path())).unwrap());
        writer.seal(&mut Compressor::new().unwrap()).unwrap();
        drop(writer);
        fs::write(&path, &lines).unwrap();
        append(&mut Writer::open(folder.path(), ONE_PART).unwrap(), &after, 90..120);
        assert!(seqs(folder.path()).into_iter().eq(1..120));
        assert!(!path.exists() && parts(folder.path()) == [(1, old), (2, new)]);
        let text = text_of(folder.path(), &Part::list(folder.path()).unwrap()[0]);
        assert!(text.as_bytes() == lines, "with one header, if it has any");
    }
}

#[test]
fn lines_of_a_seal_that_came_half_way_are_there_once_below_one_header() {
    for columns in both() {
        let folder = tempfile::tempdir().unwrap();
        append(&mut Writer::open(folder.path(), ONE_PART).unwrap(), &columns, 1..100);
        let lines = fs::read(newest(folder.path())).unwrap();
        // As if it had died between the first frame and the second.
        let half = lines.len() / 2 + memchr::memchr(b'\n', &lines[lines.len() / 2..]).unwrap() + 1;
        fs::write(archive_of(folder.path()), Compressor::new().unwrap().frame(&lines[..half]).unwrap()).unwrap();
        assert!(seqs(folder.path()).into_iter().eq(1..100), "a reader knows it too");
        append(&mut Writer::open(folder.path(), ONE_PART).unwrap(), &columns, 95..110);
        let appended: Vec<_> = (100..110).flat_map(|seq| sample_line(&columns, seq).1).collect();
        let text = text_of(folder.path(), &Part::list(folder.path()).unwrap()[0]);
        assert!(text.as_bytes() == [lines, appended].concat());
    }
}

#[test]
fn a_part_of_csv_is_one_table() {
    let folder = tempfile::tempdir().unwrap();
    let columns = columns(Form::Csv, &["a", "b{c=d,e=f}", "line\nbreak"]);
    let mut writer = Writer::open(folder.path(), ONE_PART).unwrap();
    for start in (1..MANY).step_by(1_000) {
        append(&mut writer, &columns, start..start + 1_000);
    }
    append(&mut writer, &columns, MANY + 1..MANY + 3);
    let parts = Part::list(folder.path()).unwrap();
    let text = text_of(folder.path(), &parts[0]);
    assert!(parts.len() == 1 && parts[0].archive(folder.path()).exists());
    let mut lines = text.lines();
    assert_eq!(lines.next().unwrap().as_bytes(), columns.header().strip_suffix(b"\n").unwrap());
    assert!(lines.next().unwrap().starts_with("hello,h,00000000000000ff,"));
    for (line, seq) in lines.zip(1..) {
        assert_eq!(line, format!("sample,h,00000000000000ff,{seq},{seq},1000,0,,,,,{seq},,"));
    }
}

#[test]
fn rows_without_their_header_are_told_of_and_left_as_they_are() {
    let columns = columns(Form::Csv, &["system.uptime"]);
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(folder.path(), ONE_PART).unwrap();
    for start in (1..2 * MANY).step_by(1_000) {
        append(&mut writer, &columns, start..start + 1_000);
    }
    append(&mut writer, &columns, 2 * MANY + 1..2 * MANY + 3);
    drop(writer);
    let (archive, plain) = (archive_of(folder.path()), newest(folder.path()));
    let frames = archive::whole_frames(&File::open(&archive).unwrap()).unwrap();
    assert!(frames.len() > 2 && plain.metadata().unwrap().len() > 0);
    let mut damaged = fs::read(&archive).unwrap();
    damaged[frames[0].end as usize / 2] ^= 0x10;
    fs::write(&archive, &damaged).unwrap();
    let report = verify(folder.path()).unwrap();
    // Each frame, and the newest lines.
    assert_eq!((report.samples, report.damaged), (0, frames.len() as u64 + 1), "{report:?}");
    assert!(report.problems[1].contains("without the header of their part"), "{report:?}");
    assert!(report.problems[1].contains(".csv.zst, byte "), "{report:?}");
    let lines = fs::read(&plain).unwrap();
    let mut writer = Writer::open(folder.path(), ONE_PART).unwrap();
    assert_eq!(writer.ledger().position(), None, "the daemon is asked for all that it holds");
    append(&mut writer, &columns, 100..200);
    drop(writer);
    assert_eq!(parts(folder.path()), [(1, Form::Csv), (2, Form::Csv)]);
    assert!(seqs_that_can_be_read(folder.path()).into_iter().eq(100..200));
    append(&mut Writer::open(folder.path(), ONE_PART).unwrap(), &columns, 150..210);
    assert!(seqs_that_can_be_read(folder.path()).into_iter().eq(100..210));
    assert!(fs::read(&archive).unwrap() == damaged && fs::read(&plain).unwrap() == lines);
}

fn seqs_that_can_be_read(folder: &Path) -> Vec<u64> {
    let (mut reader, mut seqs) = (Reader::open(folder).unwrap(), Vec::new());
    while let Some(found) = reader.read().unwrap() {
        if let Found::Line(_, Line::Sample { seq, .. }) = found {
            seqs.push(seq);
        }
    }
    seqs
}

#[test]
fn a_value_that_is_no_number_is_damage_in_both_forms() {
    for columns in both() {
        let folder = tempfile::tempdir().unwrap();
        append(&mut Writer::open(folder.path(), ONE_PART).unwrap(), &columns, 1..6);
        let text = fs::read_to_string(newest(folder.path())).unwrap();
        for wrong in ["1e999", "true", "\"3\"", "[3]", "{}"] {
            let damaged = text.replace(":3}}\n", &format!(":{wrong}}}}}\n")).replace(",3\n", &format!(",{wrong}\n"));
            assert!(damaged.contains(wrong));
            fs::write(newest(folder.path()), damaged).unwrap();
            let report = verify(folder.path()).unwrap();
            assert_eq!(report.damaged, 1, "{wrong}: {report:?}");
        }
        fs::write(newest(folder.path()), text).unwrap();
        assert!(verify(folder.path()).unwrap().is_whole());
    }
}

#[test]
fn old_parts_of_either_form_are_removed() {
    let recording = tempfile::tempdir().unwrap();
    let host = recording.path().join("h");
    let mut writer = Writer::open(&host, ONE_PART).unwrap();
    for (number, columns) in (0..6).zip(both().iter().cycle()) {
        append(&mut writer, columns, number * 10 + 1..number * 10 + 11);
    }
    let retention = Retention { age: None, size: Some(1) };
    assert_eq!(retention.enforce(recording.path()).unwrap().parts, 5);
    assert!(seqs(&host).into_iter().eq(51..61));
}

/// What happens to a recorder.
#[derive(Clone, Debug)]
enum Step {
    Samples(Vec<([Option<f64>; 3], Option<Missed>)>),
    Gap(u64, GapReason),
    /// The daemon was restarted.
    Restart,
    /// From here on it has the first so many series.
    Series(usize),
    /// It is killed and started again.
    Again,
}

fn step() -> impl Strategy<Value = Step> {
    let value = prop_oneof![
        1 => Just(None),
        4 => any::<f64>().prop_filter_map("finite", |value| value.is_finite().then_some(Some(value))),
        2 => (-9_i32..1_000_000).prop_map(|value| Some(f64::from(value) / 1e4)),
    ];
    let reason = prop::sample::select(vec![MissedReason::Late, MissedReason::Suspended]);
    let missed = prop::option::weighted(0.2, (1..99_u64, reason).prop_map(|(ticks, reason)| Missed { ticks, reason }));
    let reasons = vec![GapReason::Evicted, GapReason::Slow, GapReason::Down, GapReason::NoSpace];
    prop_oneof![
        4 => prop::collection::vec((prop::array::uniform3(value), missed), 1..6).prop_map(Step::Samples),
        1 => (1..50_u64, prop::sample::select(reasons)).prop_map(|(samples, reason)| Step::Gap(samples, reason)),
        1 => Just(Step::Restart),
        1 => (0..=3_usize).prop_map(Step::Series),
        1 => Just(Step::Again),
    ]
}

/// Does these steps in a folder, and reads what is there then as lines of JSON. A `hello` that was just said is left out:
/// each part begins with one.
fn recorded(form_of: impl Fn(usize) -> Form, steps: &[Step]) -> Vec<String> {
    const IDS: [&str; 3] = ["system.uptime", "a{b=\"c\",d=e}", "two\nlines"];
    let folder = tempfile::tempdir().unwrap();
    let mut compressor = Compressor::new().unwrap();
    let mut writer = Writer::open(folder.path(), ONE_PART).unwrap();
    let (mut hello, mut ring, mut seq, mut series) = (hello(), 0xff_u64, 0, 1);
    for (index, step) in steps.iter().enumerate() {
        let columns = columns(form_of(index), &IDS[..series]);
        let mut hello_line = Vec::new();
        columns.push_hello(&mut hello_line, "h", &hello);
        let epoch = |ring: u64| -> Epoch { format!("{ring:016x}").parse().unwrap() };
        let mut lines = Vec::new();
        let mut push = |record: Record, write: &dyn Fn(&mut Vec<u8>)| {
            let mut line = Vec::new();
            write(&mut line);
            lines.push((record, line));
        };
        match step {
            Step::Samples(samples) => {
                for (values, missed) in samples {
                    seq += 1;
                    let values = WireValues::Positional(values[..series].to_vec());
                    let (time, elapsed_ms) = (seq * 1_000, 999.6);
                    let sample = WireSample {
                        seq,
                        time,
                        elapsed_ms,
                        missed: *missed,
                        samples: None,
                        values,
                        min: None,
                        max: None,
                    };
                    push(Record::Sample { epoch: epoch(ring), seq }, &|line| {
                        columns.push_sample(line, "h", epoch(ring), &sample);
                    });
                }
            }
            Step::Gap(samples, reason) => {
                let (from_seq, to_seq) = (seq + 1, Some(seq + samples));
                let gap = RecordedGap { epoch: epoch(ring), from_seq, to_seq, reason: *reason };
                push(Record::Gap(gap), &|line| columns.push_gap(line, "h", &gap));
                seq += samples;
            }
            // Nobody is told of the end of a ring that was never heard of.
            Step::Restart if writer.ledger().position().is_none() => {}
            Step::Restart => {
                let (from_seq, to_seq, reason) = (seq + 1, None, GapReason::Restarted);
                let gap = RecordedGap { epoch: epoch(ring), from_seq, to_seq, reason };
                push(Record::Gap(gap), &|line| columns.push_gap(line, "h", &gap));
                (ring, seq) = (ring + 1, 0);
                hello.epoch = epoch(ring);
                push(Record::Hello { epoch: epoch(ring) }, &|line| columns.push_hello(line, "h", &hello));
            }
            Step::Series(count) => series = *count,
            Step::Again => {
                drop(writer);
                writer = Writer::open(folder.path(), ONE_PART).unwrap();
            }
        }
        let head = Head { columns: &columns, hello: &hello_line };
        let lines = lines.iter().map(|(record, line)| (*record, line.as_slice()));
        writer.append(head, lines, &mut compressor).unwrap();
    }
    assert!(verify(folder.path()).unwrap().is_sound());
    let (mut reader, mut read, mut said) = (Reader::open(folder.path()).unwrap(), Vec::new(), None);
    while let Some(found) = reader.read().unwrap() {
        let Found::Line(text, line) = found else { panic!("{found:?}") };
        let json = String::from_utf8(text.json(&line).into_owned()).unwrap();
        if !matches!(line, Line::Hello { .. }) || said.replace(json.clone()).as_ref() != Some(&json) {
            read.push(json);
        }
    }
    read
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_is_recorded_reads_the_same_in_either_form(steps in prop::collection::vec(step(), 1..25), forms in any::<u32>()) {
        let lines = recorded(|_| Form::Ndjson, &steps);
        prop_assert_eq!(&recorded(|_| Form::Csv, &steps), &lines);
        // With another form now and then, too.
        let mixed = |index: usize| if forms >> (index % 32) & 1 == 0 { Form::Ndjson } else { Form::Csv };
        prop_assert_eq!(&recorded(mixed, &steps), &lines);
    }
}
