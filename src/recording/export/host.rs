//! Whose lines are exported: the name of a folder, and the labels that its newest `hello` has.

use std::{borrow::Cow, collections::BTreeMap, path::Path, sync::Arc};

use serde::Deserialize;
use serde_json::value::RawValue;

/// What tells the lines of one host from those of others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Host {
    pub(super) name: String,
    /// Shared, so that it is quickly seen that they are the same.
    pub(super) labels: Arc<BTreeMap<String, String>>,
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

impl Host {
    pub(super) fn of(folder: &Path) -> Self {
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Self { name, ..Self::default() }
    }

    /// What the host says of itself, and its recorder of it, from here on.
    pub(super) fn greet(&mut self, hello: &RawValue) {
        // One of a later version, without labels, is no reason to fail.
        let hello: Option<Hello> = serde_json::from_str(hello.get()).ok();
        self.labels = hello.map(|hello| hello.host.labels).unwrap_or_default().into();
    }

    /// A line with the labels in it. They stand behind the host, which stands behind the type.
    pub(super) fn label<'a>(&self, line: &'a [u8]) -> Cow<'a, [u8]> {
        let mut commas = line.iter().enumerate().filter(|(_, byte)| **byte == b',').map(|(index, _)| index);
        let Some(behind_host) = commas.nth(1).filter(|_| !self.labels.is_empty()) else { return line.into() };
        let labels = serde_json::to_string(&*self.labels).expect("plain data with string keys always has a JSON form");
        let (head, rest) = line.split_at(behind_host);
        [head, b",\"labels\":", labels.as_bytes(), rest].concat().into()
    }
}
