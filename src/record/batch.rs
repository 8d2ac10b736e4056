//! Lines of one host on their way to the disk.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use crate::recording::{Columns, Head, Record};

/// Lines on their way to the disk.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) host: usize,
    /// What its lines are written under. This and the next are those of its first line, once that is there.
    pub(super) columns: Arc<Columns>,
    /// The `hello` that a new part begins with.
    pub(super) hello: Arc<[u8]>,
    /// Each line's record, and where it ends.
    records: Vec<(Record, usize)>,
    pub(super) text: Vec<u8>,
    /// Their share of the budget, which is given back when they are written.
    pub(super) share: Option<OwnedSemaphorePermit>,
}

impl Batch {
    pub(super) fn new(host: usize) -> Self {
        let (columns, hello) = (Arc::default(), Arc::default());
        Self { host, columns, hello, records: Vec::new(), text: Vec::new(), share: None }
    }

    pub(super) fn head(&self) -> Head<'_> {
        Head { columns: &self.columns, hello: &self.hello }
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = (Record, &[u8])> {
        let mut start = 0;
        self.records.iter().map(move |(record, end)| {
            let line = &self.text[start..*end];
            start = *end;
            (*record, line)
        })
    }

    pub(super) fn end_line(&mut self, record: Record) {
        self.records.push((record, self.text.len()));
    }
}
