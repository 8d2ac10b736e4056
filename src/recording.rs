//! What a recorder keeps on disk, and how it is read again.
//!
//! A recording is a folder with a folder for each host. In it are parts, `000001-20261122T205454Z`, each of them one
//! file or two: `.ndjson.zst` holds whole zstd frames, and `.ndjson` the newest lines, until there are enough of them
//! for a frame. So everyday tools read all of it, `zstd -dc` and `cat`, and what was written last is a plain line. A part
//! whose lines are rows of CSV ends in `.csv.zst` and `.csv`; a [`Form`] is all that differs.
//!
//! Nothing but the lines says how far the recording has come. [`Writer::open`] repairs what a crash has left (half a
//! line, half a frame, lines that stand in both files) and finds the position; [`Ledger`] admits a record only if it
//! is what comes next. So nothing can be there twice, and nothing is missing without a gap that says so.

mod archive;
mod check;
mod csv_line;
mod export;
mod folder;
mod form;
mod json_line;
mod ledger;
mod line;
mod number;
mod reader;
mod retention;
mod values;
mod verify;
mod writer;

pub use self::{
    archive::Compressor,
    export::{Exported, Format, Selection, export},
    folder::{FolderName, InvalidName, hosts},
    form::{Columns, Form, LineText},
    ledger::{Ledger, Record, Verdict},
    line::{Line, RecordedGap, SampleValues},
    reader::{Found, Reader},
    retention::{Retention, Retired},
    values::Values,
    verify::{Report, verify, verify_all},
    writer::{Head, Rotation, WriteError, Writer},
};
