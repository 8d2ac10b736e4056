//! A range out of a recording, for other programs. Numbers are passed on as they were written.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{
    Deserialize,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    line::Line,
    reader::{Found, Reader},
};

/// What is wanted of a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// From this time on, in Unix milliseconds.
    pub from: Option<u64>,
    /// Before this time.
    pub to: Option<u64>,
    /// Series whose id begins with one of these; all, if there are none.
    pub metrics: Vec<String>,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Samples that were written.
    pub samples: u64,
    /// Lines or frames that could not be read, and so are missing.
    pub damaged: u64,
}

impl Selection {
    fn wants_time(&self, time: u64) -> bool {
        self.from.is_none_or(|from| time >= from) && self.to.is_none_or(|to| time < to)
    }

    fn wants(&self, id: &str) -> bool {
        self.metrics.is_empty() || self.metrics.iter().any(|prefix| id.starts_with(prefix))
    }
}

/// The members of an object in their order, with the text of each value.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of numbers")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::with_capacity(64);
                while let Some((Id(id), value)) = map.next_entry()? {
                    members.push((id, value));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

/// Borrowed, unless it has an escape.
#[derive(Deserialize)]
struct Id<'a>(#[serde(borrow)] Cow<'a, str>);

fn members(values: &RawValue) -> io::Result<Members<'_>> {
    Ok(serde_json::from_str(values.get())?)
}

/// Whose lines they are.
#[derive(Default)]
struct Host {
    name: String,
    /// What its newest `hello` says of it.
    labels: BTreeMap<String, String>,
}

/// What is looked at of a `hello`.
#[derive(Deserialize)]
struct Hello {
    host: Labelled,
}

#[derive(Deserialize)]
struct Labelled {
    labels: BTreeMap<String, String>,
}

/// Calls `each` with every sample and gap of these hosts that is wanted, and its host.
fn read(
    hosts: &[PathBuf],
    selection: &Selection,
    mut each: impl FnMut(&Host, &[u8], &Line<'_>) -> io::Result<()>,
) -> io::Result<Exported> {
    let mut exported = Exported::default();
    for folder in hosts {
        let mut host = Host { name: name_of(folder), ..Host::default() };
        let mut reader = Reader::open(folder)?;
        // A gap has no time of its own: it belongs to the sample before it.
        let mut is_within = selection.from.is_none();
        while let Some(found) = reader.read()? {
            match found {
                Found::Line(_, Line::Hello { hello, .. }) => {
                    // Without labels, a hello of a later version is none to fail for.
                    let hello: Option<Hello> = serde_json::from_str(hello.get()).ok();
                    host.labels = hello.map(|hello| hello.host.labels).unwrap_or_default();
                }
                Found::Line(text, line) => {
                    if let Line::Sample { time, .. } = &line {
                        is_within = selection.wants_time(*time);
                        exported.samples += u64::from(is_within);
                    }
                    if is_within {
                        each(&host, text, &line)?;
                    }
                }
                Found::Damaged(_) => exported.damaged += 1,
                // It is being written.
                Found::Torn(_) => {}
            }
        }
    }
    Ok(exported)
}

fn name_of(folder: &Path) -> String {
    folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Samples and gaps as lines of JSON, as they were recorded, and with the labels of their hosts.
pub fn export_ndjson(hosts: &[PathBuf], selection: &Selection, out: &mut impl Write) -> io::Result<Exported> {
    read(hosts, selection, |host, text, line| {
        let text = with_labels(host, text);
        match line {
            Line::Sample { values, .. } if !selection.metrics.is_empty() => {
                // The values stand last, so that the head can be passed on as it is.
                let head = text.len() - values.get().len() - b"}\n".len();
                out.write_all(&text[..head])?;
                let mut separator = "{";
                for (id, value) in members(values)?.0.iter().filter(|(id, _)| selection.wants(id)) {
                    write!(out, "{separator}{}:{}", serde_json::to_string(id)?, value.get())?;
                    separator = ",";
                }
                out.write_all(if separator == "{" { b"{}}\n" } else { b"}}\n" })
            }
            _ => out.write_all(&text),
        }
    })
}

/// The labels stand behind the host, which stands behind the type.
fn with_labels<'a>(host: &Host, text: &'a [u8]) -> Cow<'a, [u8]> {
    let mut commas = text.iter().enumerate().filter(|(_, byte)| **byte == b',').map(|(index, _)| index);
    let Some(behind_host) = commas.nth(1).filter(|_| !host.labels.is_empty()) else { return text.into() };
    let labels = serde_json::to_string(&host.labels).expect("plain data with string keys always has a JSON form");
    let (head, rest) = text.split_at(behind_host);
    [head, b",\"labels\":", labels.as_bytes(), rest].concat().into()
}

/// Samples as a table. The recording is read twice: first for its columns, so that they are the same in each row.
pub fn export_csv(hosts: &[PathBuf], selection: &Selection, out: &mut impl Write) -> io::Result<Exported> {
    let mut columns: HashMap<String, usize> = HashMap::new();
    let mut labels = BTreeSet::new();
    read(hosts, selection, |host, _, line| {
        if let Some(new) = host.labels.keys().find(|label| !labels.contains(*label)) {
            labels.insert(new.clone());
            labels.extend(host.labels.keys().cloned());
        }
        if let Line::Sample { values, .. } = line {
            for (id, _) in members(values)?.0 {
                if selection.wants(&id) && !columns.contains_key(&*id) {
                    let next = columns.len();
                    columns.insert(id.into_owned(), next);
                }
            }
        }
        Ok(())
    })?;
    let mut head = vec![""; columns.len()];
    for (id, column) in &columns {
        head[*column] = id;
    }
    write!(out, "host,epoch,seq,time,elapsed_ms,missed_ticks")?;
    for label in &labels {
        write!(out, ",label.{label}")?;
    }
    for id in head {
        write!(out, ",{}", quoted(id))?;
    }
    writeln!(out)?;
    let mut row: Vec<Option<String>> = Vec::new();
    read(hosts, selection, |host, _, line| {
        let Line::Sample { epoch, seq, time, elapsed_ms, missed, values } = line else { return Ok(()) };
        row.clear();
        row.resize(columns.len(), None);
        for (id, value) in members(values)?.0 {
            if let Some(column) = columns.get(&*id)
                && value.get() != "null"
            {
                row[*column] = Some(value.get().to_owned());
            }
        }
        let missed = missed.map_or(0, |missed| missed.ticks);
        write!(out, "{},{epoch},{seq},{time},{elapsed_ms},{missed}", host.name)?;
        for label in &labels {
            write!(out, ",{}", quoted(host.labels.get(label).map_or("", String::as_str)))?;
        }
        for value in &row {
            write!(out, ",{}", value.as_deref().unwrap_or_default())?;
        }
        writeln!(out)
    })
}

/// RFC 4180.
fn quoted(text: &str) -> Cow<'_, str> {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\"")).into()
    } else {
        text.into()
    }
}
