//! What is heard as lines: for people where there is no terminal, or raw for programs.

use std::io::{self, Write};

use serde::Serialize;

use super::{Heard, readings::Readings};
use crate::{
    client::Event,
    protocol::{Epoch, Heartbeat, Notice, SchemaMessage},
    recording::{self, Columns, RecordedGap},
    time, units,
};

/// How a line is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A line a sample, with what a row of the terminal shows.
    Plain,
    /// Each message as a line of JSON, with `host` and, where it has samples, `epoch`.
    Json,
}

/// Makes lines of what is heard.
pub(super) struct Lines<W> {
    form: Form,
    hosts: Vec<One>,
    out: W,
    text: Vec<u8>,
}

#[derive(Default)]
struct One {
    name: String,
    epoch: Option<Epoch>,
    columns: Columns,
    readings: Readings,
}

/// A message that has no form of its own in a recording.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Other<'a> {
    Schema {
        host: &'a str,
        #[serde(flatten)]
        message: &'a SchemaMessage,
    },
    Notice {
        host: &'a str,
        #[serde(flatten)]
        message: &'a Notice,
    },
    Heartbeat {
        host: &'a str,
        #[serde(flatten)]
        message: &'a Heartbeat,
    },
}

impl<W: Write> Lines<W> {
    pub(super) fn new(form: Form, names: impl IntoIterator<Item = String>, out: W) -> Self {
        let one = |name| One { name, ..One::default() };
        Self { form, hosts: names.into_iter().map(one).collect(), out, text: Vec::new() }
    }

    /// Takes an event in. What is to be told of trouble, for the standard error.
    pub(super) fn hear(&mut self, Heard { host, event }: Heard) -> Option<String> {
        let one = &mut self.hosts[host];
        match event {
            Ok(Event::Lost { why, retry_in }) => {
                return Some(format!("{}: {why}; again in {:.1} s", one.name, retry_in.as_secs_f64()));
            }
            Err(refused) => return Some(format!("{}: {refused}", one.name)),
            Ok(event) => match self.form {
                Form::Json => one.push_json(&event, &mut self.text),
                Form::Plain => one.push_plain(event, &mut self.text),
            },
        }
        None
    }

    /// Writes the lines that were made.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.write_all(&self.text)?;
        self.text.clear();
        self.out.flush()
    }
}

impl One {
    fn push_json(&mut self, event: &Event, text: &mut Vec<u8>) {
        let host = &*self.name;
        let other = match event {
            Event::Hello(hello) => {
                self.epoch = Some(hello.epoch);
                return self.columns.push_hello(text, host, hello);
            }
            Event::Sample(sample) => {
                // The client yields no sample before the hello.
                if let Some(epoch) = self.epoch {
                    self.columns.push_sample(text, host, epoch, sample);
                }
                return;
            }
            Event::Gap(gap) => return self.columns.push_gap(text, host, &RecordedGap::from(*gap)),
            Event::Schema(message) => {
                self.columns = Columns::new(recording::Form::Ndjson, message);
                Other::Schema { host, message }
            }
            Event::Notice(message) => Other::Notice { host, message },
            Event::Heartbeat(message) => Other::Heartbeat { host, message },
            Event::Live | Event::Lost { .. } => return,
        };
        serde_json::to_writer(&mut *text, &other).expect("plain data with string keys always has a JSON form");
        text.push(b'\n');
    }

    fn push_plain(&mut self, event: Event, text: &mut Vec<u8>) {
        let name = &self.name;
        let line = match event {
            Event::Schema(schema) => return self.readings.set_schema(schema),
            Event::Sample(sample) => {
                self.readings.take(&sample);
                let summary = self.readings.summary();
                format!(
                    "{}  {name}  cpu {:>6}  memory {:>6}  in {:>11}  out {:>11}\n",
                    time::format_millis(sample.time),
                    units::percent(summary.cpu),
                    units::percent(summary.memory),
                    units::bit_rate(summary.received),
                    units::bit_rate(summary.sent),
                )
            }
            Event::Gap(gap) => {
                let gap = RecordedGap::from(gap);
                let end = gap.to_seq.map_or("the end of that ring".into(), |to_seq| to_seq.to_string());
                format!("{name}  missing: {}:{} to {end} ({})\n", gap.epoch, gap.from_seq, gap.reason.name())
            }
            Event::Hello(_) | Event::Live | Event::Notice(_) | Event::Heartbeat(_) | Event::Lost { .. } => return,
        };
        text.extend(line.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{hello, sample, schema},
        *,
    };
    use crate::protocol::{Gap, GapReason};

    fn lines(form: Form) -> Vec<String> {
        let mut out = Vec::new();
        let mut lines = Lines::new(form, ["web-1".into()], &mut out);
        let gap =
            Gap { epoch: "0000000000000001".parse().unwrap(), from_seq: 2, to_seq: Some(4), reason: GapReason::Slow };
        let values = [Some(0.5), Some(300.0), Some(1000.0), Some(125.0), Some(250.0), None, None];
        for event in [
            hello(1),
            Event::Schema(schema()),
            Event::Sample(sample(1, &values)),
            Event::Live,
            Event::Gap(gap),
            Event::Sample(sample(5, &[None; 7])),
            Event::Heartbeat(Heartbeat { seq: 5, time: 7 }),
        ] {
            assert_eq!(lines.hear(Heard { host: 0, event: Ok(event) }), None);
        }
        lines.flush().unwrap();
        String::from_utf8(out).unwrap().lines().map(ToOwned::to_owned).collect()
    }

    #[test]
    fn a_line_for_people_has_what_a_row_has() {
        assert_eq!(
            lines(Form::Plain),
            [
                "2026-11-22T18:24:31Z  web-1  cpu 50.0 %  memory 30.0 %  in 1.00 kbit/s  out 2.00 kbit/s",
                "web-1  missing: 0000000000000001:2 to 4 (slow)",
                "2026-11-22T18:24:35Z  web-1  cpu      –  memory      –  in           –  out           –",
            ]
        );
    }

    #[test]
    fn every_message_is_a_line_of_json_with_its_host() {
        let lines: Vec<serde_json::Value> =
            lines(Form::Json).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let kinds: Vec<_> = lines.iter().map(|line| line["type"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["hello", "schema", "sample", "gap", "sample", "heartbeat"]);
        assert!(lines.iter().all(|line| line["host"] == "web-1"));
        assert!([0, 2, 3, 4].iter().all(|index| lines[*index]["epoch"] == "0000000000000001"));
        assert_eq!(lines[2]["values"]["system.cpu.utilization"], 0.5);
        assert_eq!(lines[4]["values"]["system.cpu.utilization"], serde_json::Value::Null);
        assert_eq!(lines[1]["series"][0]["id"], "system.cpu.utilization");
    }
}
