//! Rows under columns that are the same for all of them. The recording is read twice: first for its columns.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    io,
    path::PathBuf,
};

use super::{
    Exported, Selection, Taken,
    host::Host,
    read,
    rows::{Column, Kept, Row, Rows},
};
use crate::recording::{Line, Values};

/// What writes a table.
pub(super) trait Table {
    /// The labels of all hosts, and the ids of all series.
    fn begin(&mut self, labels: &BTreeSet<String>, ids: &[Box<str>]) -> io::Result<()>;
    /// A row, and for each of the ids where its value is.
    fn row(&mut self, row: &Row<'_>, sources: &[Option<usize>]) -> io::Result<()>;
    fn end(&mut self) -> io::Result<()>;
}

/// What stands before the values of each row.
pub(super) const HEAD: [&str; 6] = ["host", "epoch", "seq", "time", "elapsed_ms", "missed_ticks"];

/// What the column of this label is called.
pub(super) fn label_column(label: &str) -> String {
    format!("label.{label}")
}

/// What each series has of a bucket, as the columns are named.
pub(super) const FOLDED: [&str; 3] = ["", " min", " max"];

pub(super) fn export_table(hosts: &[PathBuf], selection: &Selection, table: &mut impl Table) -> io::Result<Exported> {
    let (labels, ids) = columns(hosts, selection)?;
    table.begin(&labels, &ids)?;
    let by_id: HashMap<&str, usize> = ids.iter().enumerate().map(|(index, id)| (&**id, index)).collect();
    let (mut sources, mut layout) = (vec![None; ids.len()], 0);
    let exported = Rows::read(hosts, selection, |kept| {
        let Kept::Row(row) = kept else { return Ok(()) };
        if layout != row.layout {
            layout = row.layout;
            sources.fill(None);
            for (source, Column { id, .. }) in row.columns.iter().enumerate() {
                if let Some(column) = by_id.get(&**id) {
                    sources[*column] = Some(source);
                }
            }
        }
        table.row(&row, &sources)
    })?;
    table.end()?;
    Ok(exported)
}

/// All labels, and all series that are wanted in the order in which they were met.
fn columns(hosts: &[PathBuf], selection: &Selection) -> io::Result<(BTreeSet<String>, Vec<Box<str>>)> {
    let (mut labels, mut ids, mut known) = (BTreeSet::new(), Vec::new(), HashSet::new());
    let (mut read_values, mut last) = (Values::default(), Host::default());
    read(hosts, selection, |host, _, line| {
        if last != *host {
            labels.extend(host.labels.keys().cloned());
            last = host.clone();
        }
        let Line::Sample { values, .. } = line else { return Ok(Taken::Whole) };
        let Ok(is_changed) = read_values.read(values) else { return Ok(Taken::Damaged) };
        if is_changed {
            for id in read_values.ids().iter().filter(|id| selection.wants(id)) {
                if known.insert(id.clone()) {
                    ids.push(id.clone());
                }
            }
        }
        Ok(Taken::Whole)
    })?;
    Ok((labels, ids))
}
