//! One line of a recording: a sample or a gap as `hostcast.v1.json` streams it, with `host` and `epoch` besides, so that
//! it means the same wherever it ends up. A `hello` stands at the head of each part and before each new epoch.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::ledger::Record;
use crate::{
    protocol::{Epoch, Gap, GapReason, Hello, LARGEST_NUMBER, Number, SchemaMessage, WireSample, WireValues},
    sample::Missed,
};

/// Samples that are missing from a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedGap {
    /// The epoch that the numbers belong to.
    pub epoch: Epoch,
    /// The first sample that is missing.
    pub from_seq: u64,
    /// The last one; `None` if how many an old ring still took is unknown.
    pub to_seq: Option<u64>,
    /// Why.
    pub reason: GapReason,
}

impl From<Gap> for RecordedGap {
    fn from(Gap { epoch, from_seq, to_seq, reason }: Gap) -> Self {
        Self { epoch, from_seq, to_seq, reason }
    }
}

/// The series of a host, as they are written: `"id":`, one after the other.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Columns {
    keys: Box<str>,
    ends: Box<[u32]>,
}

impl From<&SchemaMessage> for Columns {
    fn from(schema: &SchemaMessage) -> Self {
        let mut keys = Vec::new();
        let ends = schema.series.iter().map(|series| {
            write(&mut keys, &series.id);
            keys.push(b':');
            keys.len() as u32
        });
        let ends = ends.collect();
        // What serde_json writes is text.
        Self { keys: String::from_utf8(keys).unwrap_or_default().into(), ends }
    }
}

impl Columns {
    fn keys(&self) -> impl Iterator<Item = &str> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let key = &self.keys[start..end as usize];
            start = end as usize;
            key
        })
    }
}

/// Appends a sample, whose values fit the columns.
pub fn push_sample(line: &mut Vec<u8>, host: &str, epoch: Epoch, columns: &Columns, sample: &WireSample) {
    #[derive(Serialize)]
    #[serde(tag = "type", rename = "sample")]
    struct Head<'a> {
        host: &'a str,
        epoch: Epoch,
        seq: u64,
        time: u64,
        elapsed_ms: Number,
        #[serde(skip_serializing_if = "Option::is_none")]
        missed: Option<Missed>,
    }
    let WireSample { seq, time, elapsed_ms, missed, .. } = *sample;
    write(line, &Head { host, epoch, seq, time, elapsed_ms: Number(elapsed_ms), missed });
    // The object goes on with what it is all about.
    line.pop();
    line.extend(b",\"values\":{");
    let values = match &sample.values {
        WireValues::Positional(values) => values.as_slice(),
        // The client yields no others.
        WireValues::Named(_) => &[],
    };
    for (index, (key, value)) in columns.keys().zip(values).enumerate() {
        if index > 0 {
            line.push(b',');
        }
        line.extend(key.as_bytes());
        write(line, &value.map(Number));
    }
    line.extend(b"}}\n");
}

/// Appends a gap.
pub fn push_gap(line: &mut Vec<u8>, host: &str, gap: &RecordedGap) {
    #[derive(Serialize)]
    #[serde(tag = "type", rename = "gap")]
    struct GapLine<'a> {
        host: &'a str,
        #[serde(flatten)]
        gap: &'a RecordedGap,
    }
    write(line, &GapLine { host, gap });
    line.push(b'\n');
}

/// Appends what the daemon said about itself.
pub fn push_hello(line: &mut Vec<u8>, host: &str, hello: &Hello) {
    #[derive(Serialize)]
    #[serde(tag = "type", rename = "hello")]
    struct HelloLine<'a> {
        host: &'a str,
        epoch: Epoch,
        hello: &'a Hello,
    }
    write(line, &HelloLine { host, epoch: hello.epoch, hello });
    line.push(b'\n');
}

fn write(line: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(line, value).expect("plain data with string keys always has a JSON form");
}

/// A line that was read; only what is asked for of its values is looked at.
#[derive(Debug)]
pub enum Line<'a> {
    /// One sample.
    Sample {
        /// Of which ring.
        epoch: Epoch,
        /// Its number in that.
        seq: u64,
        /// Unix milliseconds.
        time: u64,
        /// Measured time since the sample before.
        elapsed_ms: f64,
        /// Ticks before it that were not taken.
        missed: Option<Missed>,
        /// An object of numbers, by series.
        values: &'a RawValue,
    },
    /// What is missing.
    Gap(RecordedGap),
    /// Who speaks from here on.
    Hello {
        /// Its ring.
        epoch: Epoch,
        /// What it said.
        hello: &'a RawValue,
    },
}

/// A line that is none of a recording.
#[derive(Debug, thiserror::Error)]
pub enum InvalidLine {
    /// It is no JSON, or a field is of the wrong type.
    #[error("no line of a recording: {0}")]
    Json(#[from] serde_json::Error),
    /// A field is missing, its `type` is unknown, or a number is larger than any sample has.
    #[error("a line of type {0:?} without all that belongs to it, or with a number that no sample has")]
    Incomplete(String),
}

/// Every field of every line. serde's own way to tell the types apart would copy all values first.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    epoch: Epoch,
    seq: Option<u64>,
    time: Option<u64>,
    elapsed_ms: Option<f64>,
    missed: Option<Missed>,
    #[serde(borrow)]
    values: Option<&'a RawValue>,
    from_seq: Option<u64>,
    to_seq: Option<u64>,
    reason: Option<GapReason>,
    #[serde(borrow)]
    hello: Option<&'a RawValue>,
}

impl<'a> Line<'a> {
    /// Reads a line, with or without its end.
    pub fn parse(line: &'a [u8]) -> Result<Self, InvalidLine> {
        let fields: Fields<'a> = serde_json::from_slice(line)?;
        let (kind, epoch) = (fields.kind.clone(), fields.epoch);
        fields.line(epoch).ok_or_else(|| InvalidLine::Incomplete(kind.into_owned()))
    }

    /// What the ledger has to know of it.
    pub fn record(&self) -> Record {
        match *self {
            Self::Sample { epoch, seq, .. } => Record::Sample { epoch, seq },
            Self::Gap(gap) => Record::Gap(gap),
            Self::Hello { epoch, .. } => Record::Hello { epoch },
        }
    }
}

impl<'a> Fields<'a> {
    fn line(self, epoch: Epoch) -> Option<Line<'a>> {
        // From here on numbers can be reckoned with.
        let elapsed_ms = self.elapsed_ms.unwrap_or_default();
        let numbers = [self.seq, self.time, self.from_seq, self.to_seq, self.missed.map(|missed| missed.ticks)];
        if numbers.into_iter().flatten().any(|number| number > LARGEST_NUMBER)
            || !(0.0..=LARGEST_NUMBER as f64).contains(&elapsed_ms)
        {
            return None;
        }
        Some(match &*self.kind {
            "sample" => Line::Sample {
                epoch,
                seq: self.seq?,
                time: self.time?,
                elapsed_ms: self.elapsed_ms?,
                missed: self.missed,
                values: self.values?,
            },
            "gap" => {
                Line::Gap(RecordedGap { epoch, from_seq: self.from_seq?, to_seq: self.to_seq, reason: self.reason? })
            }
            "hello" => Line::Hello { epoch, hello: self.hello? },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Message;

    fn columns() -> Columns {
        let schema = r#"{"type":"schema","revision":1,"series":[
            {"id":"system.uptime","name":"system.uptime","unit":"s","attributes":{}},
            {"id":"system.filesystem.limit{system.filesystem.mountpoint=/a\"b}","name":"x","unit":"By","attributes":{}},
            {"id":"system.cpu.utilization","name":"x","unit":"1","attributes":{}}]}"#;
        let Ok(Message::Schema(schema)) = Message::parse(schema.as_bytes()) else { panic!("that is a schema") };
        Columns::from(&schema)
    }

    fn sample() -> WireSample {
        WireSample {
            seq: 7,
            time: 1_795_371_870_960,
            elapsed_ms: 999.6,
            missed: None,
            samples: None,
            values: WireValues::Positional(vec![Some(12.0), None, Some(0.1234)]),
            min: None,
            max: None,
        }
    }

    #[test]
    fn a_sample_stands_in_its_line_as_it_is_streamed_in_json_with_host_and_epoch() {
        let epoch = "00000000000000ff".parse().unwrap();
        let mut line = Vec::new();
        push_sample(&mut line, "web-1", epoch, &columns(), &sample());
        let expected = r#"{"type":"sample","host":"web-1","epoch":"00000000000000ff","seq":7,"time":1795371870960,"elapsed_ms":999.6,"values":{"system.uptime":12,"system.filesystem.limit{system.filesystem.mountpoint=/a\"b}":null,"system.cpu.utilization":0.1234}}"#;
        assert_eq!(String::from_utf8(line.clone()).unwrap(), format!("{expected}\n"));
        let Ok(Line::Sample { seq: 7, values, .. }) = Line::parse(&line) else { panic!("that is a sample") };
        assert!(values.get().starts_with(r#"{"system.uptime":12,"#));
    }

    #[test]
    fn a_gap_reads_back_with_its_reason() {
        let epoch = "00000000000000ff".parse().unwrap();
        for (to_seq, reason) in
            [(Some(9), GapReason::NoSpace), (Some(9), GapReason::Down), (None, GapReason::Restarted)]
        {
            let gap = RecordedGap { epoch, from_seq: 8, to_seq, reason };
            let mut line = Vec::new();
            push_gap(&mut line, "web-1", &gap);
            assert!(String::from_utf8_lossy(&line).contains(&format!("\"reason\":\"{}\"", reason.name())));
            assert_eq!(Line::parse(&line).unwrap().record(), Record::Gap(gap));
        }
    }

    #[test]
    fn numbers_that_no_sample_has_are_refused_so_that_the_others_can_be_reckoned_with() {
        let parse = |field: &str, number: &str| {
            let mut line = serde_json::json!({"type": "sample", "host": "a", "epoch": "00000000000000ff", "seq": 1, "time": 1,
                "elapsed_ms": 1.0, "missed": {"ticks": 1, "reason": "late"}, "values": {}});
            *line.pointer_mut(field).unwrap() = number.parse().unwrap();
            Line::parse(line.to_string().as_bytes()).is_ok()
        };
        for field in ["/seq", "/time", "/elapsed_ms", "/missed/ticks"] {
            assert!(parse(field, "9007199254740992"), "{field}");
            assert!(!parse(field, "9007199254740994"), "{field}");
            assert!(!parse(field, "18446744073709551615"), "{field}");
        }
        assert!(!parse("/elapsed_ms", "-1.0"));
        let gap = |from: u64, to: u64| {
            let gap = format!(
                r#"{{"type":"gap","epoch":"00000000000000ff","from_seq":{from},"to_seq":{to},"reason":"slow"}}"#
            );
            Line::parse(gap.as_bytes()).is_ok()
        };
        assert!(gap(1, LARGEST_NUMBER) && !gap(1, u64::MAX) && !gap(u64::MAX, 1));
    }

    #[test]
    fn half_a_line_is_no_line() {
        let mut line = Vec::new();
        push_sample(&mut line, "web-1", "00000000000000ff".parse().unwrap(), &columns(), &sample());
        // All but the line's end, without which it is whole.
        for end in 0..line.len() - 1 {
            assert!(Line::parse(&line[..end]).is_err(), "{end}");
        }
    }
}
