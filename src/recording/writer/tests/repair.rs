//! What a crash or a failing disk leaves is repaired, also where the daemon was restarted.

use std::ops::Range;

use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};

use super::*;
use crate::{protocol::GapReason, recording::RecordedGap};

type Lines = Vec<(Record, Vec<u8>)>;

fn epoch(ring: u64) -> Epoch {
    format!("{ring:016x}").parse().unwrap()
}

fn samples(columns: &Columns, ring: u64, seqs: Range<u64>) -> Lines {
    seqs.map(|seq| sample_of(columns, epoch(ring), seq)).collect()
}

fn hello_of(columns: &Columns, ring: u64) -> (Record, Vec<u8>) {
    let mut line = Vec::new();
    columns.push_hello(&mut line, "h", &Hello { epoch: epoch(ring), ..hello() });
    (Record::Hello { epoch: epoch(ring) }, line)
}

/// The end of a ring, and the hello of the next one.
fn restart(columns: &Columns, ring: u64, from_seq: u64) -> Lines {
    let gap = RecordedGap { epoch: epoch(ring), from_seq, to_seq: None, reason: GapReason::Restarted };
    let mut line = Vec::new();
    columns.push_gap(&mut line, "h", &gap);
    vec![(Record::Gap(gap), line), hello_of(columns, ring + 1)]
}

/// Appends lines, the part of which would begin with the hello of this ring.
fn append_lines(writer: &mut Writer, columns: &Columns, ring: u64, lines: &Lines) {
    let lines = lines.iter().map(|(record, line)| (*record, line.as_slice()));
    let head = Head { columns, hello: &hello_of(columns, ring).1 };
    writer.append(head, lines, &mut Compressor::new().unwrap()).unwrap();
}

/// All that can be read of samples and gaps.
fn records(folder: &Path) -> Vec<Record> {
    let (mut reader, mut records) = (Reader::open(folder).unwrap(), Vec::new());
    while let Some(found) = reader.read().unwrap() {
        if let Found::Line(_, line) = found {
            records.push(line.record());
        }
    }
    without_hellos(records)
}

fn without_hellos(mut records: Vec<Record>) -> Vec<Record> {
    records.retain(|record| !matches!(record, Record::Hello { .. }));
    records
}

fn records_of(lines: &Lines) -> Vec<Record> {
    without_hellos(lines.iter().map(|(record, _)| *record).collect())
}

#[test]
fn lines_that_were_sealed_and_not_removed_are_there_once_across_restarts_of_the_daemon() {
    for columns in both() {
        let folder = tempfile::tempdir().unwrap();
        let lines = [
            samples(&columns, 1, 1..6),
            restart(&columns, 1, 6),
            samples(&columns, 2, 1..10),
            restart(&columns, 2, 10),
            samples(&columns, 3, 1..4),
        ]
        .concat();
        append_lines(&mut Writer::open(folder.path(), ONE_PART).unwrap(), &columns, 1, &lines);
        let (plain, archive) = (newest(folder.path()), archive_of(folder.path()));
        let text = fs::read(&plain).unwrap();
        let begin = columns.header().len();
        for end in memchr::memchr_iter(b'\n', &text).map(|end| end + 1).filter(|end| *end > begin) {
            // As if it had died behind a frame of so many of them.
            fs::write(&archive, Compressor::new().unwrap().frame(&text[..end]).unwrap()).unwrap();
            fs::write(&plain, &text).unwrap();
            assert_eq!(records(folder.path()), records_of(&lines), "{end}: a reader knows it too");
            assert!(verify(folder.path()).unwrap().is_sound(), "{end}");
            let mut writer = Writer::open(folder.path(), ONE_PART).unwrap();
            append_lines(&mut writer, &columns, 3, &samples(&columns, 3, 2..6));
            // What stands in both files would stand in two frames then.
            writer.seal(&mut Compressor::new().unwrap()).unwrap();
            let expected = [records_of(&lines), records_of(&samples(&columns, 3, 4..6))].concat();
            assert_eq!(records(folder.path()), expected, "{end}");
            assert!(verify(folder.path()).unwrap().is_sound(), "{end}");
        }
    }
}

#[test]
fn what_follows_a_damaged_frame_is_kept_though_the_daemon_was_restarted_in_it() {
    for columns in both() {
        let folder = tempfile::tempdir().unwrap();
        let mut compressor = Compressor::new().unwrap();
        let mut writer = Writer::open(folder.path(), ONE_PART).unwrap();
        append_lines(&mut writer, &columns, 1, &samples(&columns, 1, 1..6));
        writer.seal(&mut compressor).unwrap();
        append_lines(&mut writer, &columns, 1, &restart(&columns, 1, 6));
        append_lines(&mut writer, &columns, 2, &samples(&columns, 2, 1..10));
        writer.seal(&mut compressor).unwrap();
        append_lines(&mut writer, &columns, 2, &samples(&columns, 2, 10..13));
        drop(writer);
        let archive = archive_of(folder.path());
        let frames = archive::whole_frames(&File::open(&archive).unwrap()).unwrap();
        let mut damaged = fs::read(&archive).unwrap();
        damaged[usize::midpoint(frames[1].start as usize, frames[1].end as usize)] ^= 0x10;
        fs::write(&archive, &damaged).unwrap();
        let expected = [samples(&columns, 1, 1..6), samples(&columns, 2, 10..13)].concat();
        assert_eq!(records(folder.path()), records_of(&expected));
        let next = samples(&columns, 2, 13..15);
        append_lines(&mut Writer::open(folder.path(), ONE_PART).unwrap(), &columns, 2, &next);
        assert_eq!(records(folder.path()), records_of(&[expected, next].concat()));
    }
}

#[test]
fn the_oldest_part_may_begin_with_the_end_of_a_ring() {
    for columns in both() {
        let folder = tempfile::tempdir().unwrap();
        let lines = [restart(&columns, 1, 6), samples(&columns, 2, 1..4)].concat();
        append_lines(&mut Writer::open(folder.path(), ONE_PART).unwrap(), &columns, 2, &lines);
        append_lines(&mut Writer::open(folder.path(), ONE_PART).unwrap(), &columns, 2, &samples(&columns, 2, 3..6));
        let expected = [restart(&columns, 1, 6), samples(&columns, 2, 1..6)].concat();
        assert_eq!(records(folder.path()), records_of(&expected));
        let report = verify(folder.path()).unwrap();
        assert!(report.is_sound() && report.gaps[&GapReason::Restarted].count == 1, "{report:?}");
    }
}

#[test]
fn lines_that_were_sealed_and_cannot_be_removed_are_not_sealed_again() {
    for columns in both() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = Writer::open(folder.path(), ONE_PART).unwrap();
        append(&mut writer, &columns, 1..4);
        let path = newest(folder.path());
        // As many file systems have it, if they let us: what is there can be added to, and not cut.
        let file = File::open(&path).unwrap();
        let flags = ioctl_getflags(&file);
        let Ok(Ok(flags)) = flags.map(|flags| ioctl_setflags(&file, flags | IFlags::APPEND).map(|()| flags)) else {
            return;
        };
        let lines: Vec<_> = (4..MANY).map(|seq| sample_line(&columns, seq)).collect();
        let lines = lines.iter().map(|(record, line)| (*record, line.as_slice()));
        let head = Head { columns: &columns, hello: &hello_line(&columns) };
        let written = writer.append(head, lines, &mut Compressor::new().unwrap());
        ioctl_setflags(&file, flags).unwrap();
        let error = written.unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot write {}: ", path.display())), "{error}");
        drop(writer);
        assert!(seqs(folder.path()).into_iter().eq(1..MANY));
        // It is tried again with all of them.
        append(&mut Writer::open(folder.path(), ONE_PART).unwrap(), &columns, 4..MANY + 10);
        assert!(seqs(folder.path()).into_iter().eq(1..MANY + 10));
    }
}

#[test]
fn a_part_that_nothing_could_be_written_to_takes_no_number() {
    for columns in both() {
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..5 {
            // As far as one comes on a full disk.
            let mut writer = Writer::open(folder.path(), ONE_PART).unwrap();
            writer.rotate_if_due(&columns, &mut Compressor::new().unwrap()).unwrap();
            if writer.open.is_none() {
                writer.begin(&columns).unwrap();
            }
        }
        // Nor does one of which there is half a frame and half a header.
        fs::write(archive_of(folder.path()), [0x28, 0xB5]).unwrap();
        fs::write(newest(folder.path()), b"ty").unwrap();
        append(&mut Writer::open(folder.path(), ONE_PART).unwrap(), &columns, 1..4);
        let parts = Part::list(folder.path()).unwrap();
        assert!(parts.len() == 1 && parts[0].number == 1, "{parts:?}");
        assert!(seqs(folder.path()).into_iter().eq(1..4));
    }
}
