use proptest::prelude::*;

use super::*;
use crate::{
    protocol::{GapReason, LARGEST_NUMBER, WireValues},
    recording::{Record, Values},
    sample::MissedReason,
};

const ODD: [&str; 6] = ["system.uptime", "a{b=c,d=e}", "with \"quotes\"", "\"in front", "two\r\nlines\u{0}", ""];

fn header(ids: &[&str]) -> Header {
    Header::new(ids.iter().map(|id| Box::from(*id)).collect())
}

fn epoch() -> Epoch {
    "00000000000000ff".parse().unwrap()
}

fn sample(values: &[Option<f64>]) -> WireSample {
    WireSample {
        seq: 7,
        time: 1_795_371_870_960,
        elapsed_ms: 999.6,
        missed: None,
        samples: None,
        values: WireValues::Positional(values.into()),
        min: None,
        max: None,
    }
}

fn hello() -> Hello {
    let text = r#"{"protocol":"hostcast.v1","server":"hostcast/0.1.0","host":{"name":"a\nb","os":"\"x\"","kernel":"6.1,2",
        "cpus":2,"boot_id":"","labels":{"site":"a, \"b\""}},"epoch":"00000000000000ff","interval_ms":1000,
        "oldest_seq":1,"next_seq":1,"heartbeat_ms":5000}"#;
    serde_json::from_str(text).unwrap()
}

/// A row of each kind.
fn rows(header: &Header) -> [Vec<u8>; 3] {
    let mut rows = [const { Vec::new() }; 3];
    let gap = RecordedGap { epoch: epoch(), from_seq: 8, to_seq: Some(9), reason: GapReason::NoSpace };
    push_sample(&mut rows[0], "web-1", epoch(), header, &sample(&[Some(12.0), None, Some(-1e-7), Some(0.0)]));
    push_gap(&mut rows[1], "web-1", header, &gap);
    push_hello(&mut rows[2], "web-1", header, &hello());
    rows
}

#[test]
fn rows_are_what_a_spreadsheet_takes() {
    let header = header(&["system.uptime", "system.cpu.utilization{cpu.mode=user,x=\"y\"}"]);
    let text = String::from_utf8(header.line().to_vec()).unwrap();
    assert_eq!(
        text,
        "type,host,epoch,seq,time,elapsed_ms,missed_ticks,missed_reason,to_seq,reason,hello,system.uptime,\
         \"system.cpu.utilization{cpu.mode=user,x=\"\"y\"\"}\"\n"
    );
    let [sample, gap, hello] = rows(&header).map(|row| String::from_utf8(row).unwrap());
    assert_eq!(sample, "sample,web-1,00000000000000ff,7,1795371870960,999.6,0,,,,,12,\n");
    assert_eq!(gap, "gap,web-1,00000000000000ff,8,,,,,9,no_space,,,\n");
    assert!(hello.starts_with("hello,web-1,00000000000000ff,,,,,,,,\"{\"\"protocol\"\":"), "{hello}");
    assert!(hello.ends_with("}\",,\n"), "{hello}");
}

#[test]
fn an_id_can_be_anything_and_the_header_is_one_line() {
    let header = header(&ODD);
    assert_eq!(header.line().iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count(), 1);
    assert_eq!(Header::parse(header.line()).unwrap(), header);
}

#[test]
fn what_is_written_is_read() {
    let header = header(&ODD);
    let [sample_row, gap_row, hello_row] = rows(&header);
    let Ok(Line::Sample { seq: 7, elapsed_ms, missed: None, values, .. }) = parse(&sample_row, &header) else {
        panic!()
    };
    assert_eq!(elapsed_ms.to_bits(), 999.6_f64.to_bits());
    let mut read = Values::default();
    assert!(read.read(&values).unwrap() && !read.read(&values).unwrap());
    assert!(read.ids().iter().map(|id| &**id).eq(ODD));
    let expected = [12.0, f64::NAN, -1e-7, 0.0, f64::NAN, f64::NAN].map(f64::to_bits);
    assert_eq!(read.numbers().iter().map(|number| number.to_bits()).collect::<Vec<_>>(), expected);

    for (to_seq, reason) in [(Some(9), GapReason::NoSpace), (None, GapReason::Restarted)] {
        let gap = RecordedGap { epoch: epoch(), from_seq: 8, to_seq, reason };
        let mut row = Vec::new();
        push_gap(&mut row, "web-1", &header, &gap);
        assert_eq!(parse(&row, &header).unwrap().record(), Record::Gap(gap));
    }
    assert!(matches!(parse(&gap_row, &header).unwrap(), Line::Gap(_)));
    let Ok(Line::Hello { hello: read, .. }) = parse(&hello_row, &header) else { panic!() };
    assert_eq!(serde_json::from_str::<Hello>(read.get()).unwrap(), hello());

    for reason in [MissedReason::Late, MissedReason::Suspended] {
        let late = WireSample { missed: Some(Missed { ticks: 3, reason }), ..sample(&[]) };
        let mut row = Vec::new();
        push_sample(&mut row, "web-1", epoch(), &header, &late);
        let Ok(Line::Sample { missed, .. }) = parse(&row, &header) else { panic!() };
        assert_eq!(missed, late.missed);
    }
}

#[test]
fn a_row_without_all_its_cells_is_none() {
    let header = header(&ODD);
    for row in rows(&header) {
        // All but the end of the line and the last cell, which may be shorter than it was.
        let whole = row.iter().rposition(|byte| *byte == b',').unwrap();
        for end in 0..=whole {
            let why = parse(&row[..end], &header).unwrap_err();
            assert!(!matches!(why, InvalidLine::NoHeader), "{why}");
        }
    }
}

#[test]
fn what_is_wrong_with_a_row_is_said() {
    let header = header(&["a", "b"]);
    let row = |text: &str| parse(text.as_bytes(), &header).map(|_| ()).map_err(|error| error.to_string());
    let whole = "sample,web-1,00000000000000ff,7,1,1.5,0,,,,,12,\n";
    row(whole).unwrap();
    for (from, to, why) in [
        (",12,", ",12", "it has 12 cells, and its header 13"),
        (",12,", ",12,,", "it has 14 cells, and its header 13"),
        (",12,", ",1 2,", "\"1 2\" in the column \"a\""),
        (",12,", ",NaN,", "\"NaN\" in the column \"a\""),
        (",12,", ",12,1e999", "\"1e999\" in the column \"b\""),
        (",12,", ",\"12\",", "in the column \"a\""),
        ("sample", "simple", "type \"simple\""),
        ("sample", "gap", "type \"gap\""),
        ("00ff", "00fx", "\"00000000000000fx\" in the column \"epoch\""),
        (",7,", ",x,", "\"x\" in the column \"seq\""),
        (",7,", ",+7,", "\"+7\" in the column \"seq\""),
        (",7,", ",,", "type \"sample\""),
        (",7,", ",9007199254740993,", "a number that no sample has"),
        (",1.5,", ",-1.5,", "a number that no sample has"),
        (",1.5,", ",inf,", "\"inf\" in the column \"elapsed_ms\""),
        (",0,,", ",3,,", "\"3\" in the column \"missed_ticks\""),
        (",0,,", ",3,lazy,", "\"lazy\" in the column \"missed_reason\""),
        ("web-1", "\"web-1", "its quotes are wrong"),
        ("web-1", "\"web\"-1", "its quotes are wrong"),
    ] {
        let said = row(&whole.replacen(from, to, 1)).unwrap_err();
        assert!(said.contains(why), "{to}: {said}");
    }
    assert!(parse(&whole.as_bytes().iter().map(|byte| byte | 0x80).collect::<Vec<_>>(), &header).is_err());
    assert!(row(&whole.replacen(",7,", &format!(",{LARGEST_NUMBER},"), 1)).is_ok());
}

proptest! {
    #[test]
    fn any_ids_and_any_values_come_back(
        ids in prop::collection::vec(any::<String>(), 0..5),
        values in prop::collection::vec(prop::option::of(any::<f64>().prop_filter("finite", |value| value.is_finite())), 5),
    ) {
        let ids: Vec<_> = ids.iter().map(String::as_str).collect();
        let header = header(&ids);
        let read = Header::parse(header.line()).unwrap();
        prop_assert_eq!(&read, &header);
        prop_assert_eq!(memchr(b'\n', header.line()), Some(header.line().len() - 1));
        let mut row = Vec::new();
        push_sample(&mut row, "web-1", epoch(), &header, &sample(&values));
        let Ok(Line::Sample { values: SampleValues::Cells(cells), .. }) = parse(&row, &read) else { panic!() };
        let cells: Vec<_> = cells.iter().map(|(_, cell)| number::read(cell.as_bytes())).collect();
        prop_assert_eq!(cells, &values[..ids.len()]);
    }

    #[test]
    fn no_row_panics(row in "(sample|gap|hello)?[a-z0-9,\"{}.\\n-]{0,40}", cut in 0..13_usize) {
        let header = header(&["a", "b"]);
        let _ = parse(row.as_bytes(), &header);
        let _ = parse([row.as_str(), &",".repeat(cut)].concat().as_bytes(), &header);
        let _ = Header::parse(row.as_bytes());
    }
}
