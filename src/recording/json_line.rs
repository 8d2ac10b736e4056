//! A line of JSON: a sample or a gap as `hostcast.v1.json` streams it, with `host` and `epoch` besides, so that it means
//! the same wherever it ends up.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::line::{Fields, InvalidLine, Line, RecordedGap, SampleValues};
use crate::{
    protocol::{Epoch, Number, SchemaMessage, WireSample, WireValues},
    sample::Missed,
};

/// The series of a host, as they are written: `"id":`, one after the other.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Keys {
    text: Box<str>,
    ends: Box<[u32]>,
}

impl From<&SchemaMessage> for Keys {
    fn from(schema: &SchemaMessage) -> Self {
        let mut keys = Vec::new();
        let ends = schema.series.iter().map(|series| {
            write(&mut keys, &series.id);
            keys.push(b':');
            keys.len() as u32
        });
        let ends = ends.collect();
        // What serde_json writes is text.
        Self { text: String::from_utf8(keys).unwrap_or_default().into(), ends }
    }
}

impl Keys {
    fn iter(&self) -> impl Iterator<Item = &str> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let key = &self.text[start..end as usize];
            start = end as usize;
            key
        })
    }
}

/// What stands before the values of a sample.
#[derive(Clone, Copy, Serialize)]
#[serde(tag = "type", rename = "sample")]
pub(super) struct Head<'a> {
    pub(super) host: &'a str,
    pub(super) epoch: Epoch,
    pub(super) seq: u64,
    pub(super) time: u64,
    pub(super) elapsed_ms: Number,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) missed: Option<Missed>,
}

impl Head<'_> {
    /// Appends it, up to where the object of values begins.
    pub(super) fn push(&self, line: &mut Vec<u8>) {
        write(line, self);
        // The object goes on with what it is all about.
        line.pop();
        line.extend(b",\"values\":");
    }
}

/// Appends a sample, whose values fit the keys.
pub(super) fn push_sample(line: &mut Vec<u8>, host: &str, epoch: Epoch, keys: &Keys, sample: &WireSample) {
    let WireSample { seq, time, elapsed_ms, missed, .. } = *sample;
    Head { host, epoch, seq, time, elapsed_ms: Number(elapsed_ms), missed }.push(line);
    line.push(b'{');
    for (index, (key, value)) in keys.iter().zip(positional(sample)).enumerate() {
        if index > 0 {
            line.push(b',');
        }
        line.extend(key.as_bytes());
        write(line, &value.map(Number));
    }
    line.extend(b"}}\n");
}

/// The values in the order of the schema.
pub(super) fn positional(sample: &WireSample) -> &[Option<f64>] {
    match &sample.values {
        WireValues::Positional(values) => values,
        // The client yields no others.
        WireValues::Named(_) => &[],
    }
}

/// Appends a gap.
pub(super) fn push_gap(line: &mut Vec<u8>, host: &str, gap: &RecordedGap) {
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
pub(super) fn push_hello(line: &mut Vec<u8>, host: &str, epoch: Epoch, hello: &(impl Serialize + ?Sized)) {
    #[derive(Serialize)]
    #[serde(tag = "type", rename = "hello")]
    struct HelloLine<'a, H: ?Sized> {
        host: &'a str,
        epoch: Epoch,
        hello: &'a H,
    }
    write(line, &HelloLine { host, epoch, hello });
    line.push(b'\n');
}

/// Appends plain data.
pub(super) fn write(line: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    serde_json::to_writer(line, value).expect("plain data with string keys always has a JSON form");
}

/// Reads a line, with or without its end.
pub(super) fn parse(line: &[u8]) -> Result<Line<'_>, InvalidLine> {
    serde_json::from_slice::<Fields<'_>>(line)?.line()
}

impl<'de: 'a, 'a> Deserialize<'de> for SampleValues<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&RawValue>::deserialize(deserializer).map(Self::Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        protocol::{GapReason, LARGEST_NUMBER, Message},
        recording::Record,
    };

    fn keys() -> Keys {
        let schema = r#"{"type":"schema","revision":1,"series":[
            {"id":"system.uptime","name":"system.uptime","unit":"s","attributes":{}},
            {"id":"system.filesystem.limit{system.filesystem.mountpoint=/a\"b}","name":"x","unit":"By","attributes":{}},
            {"id":"system.cpu.utilization","name":"x","unit":"1","attributes":{}}]}"#;
        let Ok(Message::Schema(schema)) = Message::parse(schema.as_bytes()) else { panic!("that is a schema") };
        Keys::from(&schema)
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
        push_sample(&mut line, "web-1", epoch, &keys(), &sample());
        let expected = r#"{"type":"sample","host":"web-1","epoch":"00000000000000ff","seq":7,"time":1795371870960,"elapsed_ms":999.6,"values":{"system.uptime":12,"system.filesystem.limit{system.filesystem.mountpoint=/a\"b}":null,"system.cpu.utilization":0.1234}}"#;
        assert_eq!(String::from_utf8(line.clone()).unwrap(), format!("{expected}\n"));
        let Ok(Line::Sample { seq: 7, values: SampleValues::Object(values), .. }) = parse(&line) else { panic!() };
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
            assert_eq!(parse(&line).unwrap().record(), Record::Gap(gap));
        }
    }

    #[test]
    fn numbers_that_no_sample_has_are_refused_so_that_the_others_can_be_reckoned_with() {
        let is_read = |field: &str, number: &str| {
            let mut line = serde_json::json!({"type": "sample", "host": "a", "epoch": "00000000000000ff", "seq": 1, "time": 1,
                "elapsed_ms": 1.0, "missed": {"ticks": 1, "reason": "late"}, "values": {}});
            *line.pointer_mut(field).unwrap() = number.parse().unwrap();
            parse(line.to_string().as_bytes()).is_ok()
        };
        for field in ["/seq", "/time", "/elapsed_ms", "/missed/ticks"] {
            assert!(is_read(field, "9007199254740992"), "{field}");
            assert!(!is_read(field, "9007199254740994"), "{field}");
            assert!(!is_read(field, "18446744073709551615"), "{field}");
        }
        assert!(!is_read("/elapsed_ms", "-1.0"));
        let gap = |from: u64, to: u64| {
            let gap = format!(
                r#"{{"type":"gap","epoch":"00000000000000ff","from_seq":{from},"to_seq":{to},"reason":"slow"}}"#
            );
            parse(gap.as_bytes()).is_ok()
        };
        assert!(gap(1, LARGEST_NUMBER) && !gap(1, u64::MAX) && !gap(u64::MAX, 1));
    }

    #[test]
    fn half_a_line_is_no_line() {
        let mut line = Vec::new();
        push_sample(&mut line, "web-1", "00000000000000ff".parse().unwrap(), &keys(), &sample());
        // All but the line's end, without which it is whole.
        for end in 0..line.len() - 1 {
            assert!(parse(&line[..end]).is_err(), "{end}");
        }
    }
}
