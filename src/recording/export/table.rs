//! Rows under columns that are the same for all of them. The recording is read twice: first for its columns.

use std::{
    collections::{HashMap, HashSet},
    io,
    path::PathBuf,
};

use super::{
    Exported, Selection, read,
    rows::{Column, Kept, Row, Rows},
};
use crate::recording::{Line, Values};

/// What writes a table.
pub(super) trait Table {
    /// The ids of all series.
    fn begin(&mut self, ids: &[Box<str>]) -> io::Result<()>;
    /// A row, and for each of the ids where its value is.
    fn row(&mut self, row: &Row<'_>, sources: &[Option<usize>]) -> io::Result<()>;
    fn end(&mut self) -> io::Result<()>;
}

/// What stands before the values of each row.
pub(super) const HEAD: [&str; 6] = ["host", "epoch", "seq", "time", "elapsed_ms", "missed_ticks"];

/// What each series has of a bucket, as the columns are named.
pub(super) const FOLDED: [&str; 3] = ["", " min", " max"];

pub(super) fn export_table(hosts: &[PathBuf], selection: &Selection, table: &mut impl Table) -> io::Result<Exported> {
    let ids = ids(hosts, selection)?;
    table.begin(&ids)?;
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

/// All series that are wanted, in the order in which they were met.
fn ids(hosts: &[PathBuf], selection: &Selection) -> io::Result<Vec<Box<str>>> {
    let (mut ids, mut known, mut read_values) = (Vec::new(), HashSet::new(), Values::default());
    read(hosts, selection, |_, _, line| {
        if let Line::Sample { values, .. } = line
            && read_values.read(values)?
        {
            for id in read_values.ids().iter().filter(|id| selection.wants(id)) {
                if known.insert(id.clone()) {
                    ids.push(id.clone());
                }
            }
        }
        Ok(())
    })?;
    Ok(ids)
}
