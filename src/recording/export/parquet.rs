//! A table in Apache Parquet. Rows are collected column by column and written in groups whose size is bounded, so that
//! memory does not grow with the recording.

use std::{
    collections::BTreeSet,
    io::{self, Write},
    sync::Arc,
};

use parquet::{
    basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical},
    data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type},
    errors::ParquetError,
    file::{
        properties::{EnabledStatistics, WriterProperties},
        writer::{SerializedFileWriter, SerializedRowGroupWriter},
    },
    schema::types::{PrimitiveTypeBuilder, Type, TypePtr},
};

use super::{
    rows::Row,
    table::{FOLDED, HEAD, Table, label_column},
};
use crate::protocol::rounded;

/// Values in a group, which is held until it is written: 18 MiB with what says which of them are missing.
const VALUES_PER_GROUP: usize = 2 << 20;
/// However many columns there are.
const LEAST_ROWS: usize = 1 << 10;
/// However few there are.
const MOST_ROWS: usize = 1 << 16;

pub(super) struct Parquet<W: Write + Send> {
    /// Until the columns are known.
    out: Option<W>,
    writer: Option<SerializedFileWriter<W>>,
    is_folded: bool,
    group: Group,
}

/// Rows that are not written yet.
#[derive(Default)]
struct Group {
    rows: usize,
    most_rows: usize,
    hosts: Vec<ByteArray>,
    epochs: Vec<ByteArray>,
    seqs: Vec<i64>,
    times: Vec<i64>,
    elapsed_ms: Vec<f64>,
    missed_ticks: Vec<i64>,
    /// For each label its values; empty where a host has none.
    labels: Vec<(String, Vec<ByteArray>)>,
    samples: Vec<i64>,
    series: Vec<Doubles>,
}

/// One column of values, of which some are missing.
#[derive(Default)]
struct Doubles {
    values: Vec<f64>,
    /// For each row 1, or 0 where there is no value.
    levels: Vec<i16>,
}

impl<W: Write + Send> Parquet<W> {
    pub(super) fn new(out: W, is_folded: bool) -> Self {
        Self { out: Some(out), writer: None, is_folded, group: Group::default() }
    }

    fn write_group(&mut self) -> io::Result<()> {
        if let (Some(writer), 1..) = (&mut self.writer, self.group.rows) {
            let mut columns = writer.next_row_group().map_err(io_error)?;
            self.group.write(&mut columns, self.is_folded).map_err(io_error)?;
            columns.close().map_err(io_error)?;
        }
        Ok(())
    }
}

impl<W: Write + Send> Table for Parquet<W> {
    fn begin(&mut self, labels: &BTreeSet<String>, ids: &[Box<str>]) -> io::Result<()> {
        self.group.labels = labels.iter().map(|label| (label.clone(), Vec::new())).collect();
        let per_series = if self.is_folded { FOLDED.len() } else { 1 };
        let columns = ids.len() * per_series;
        self.group.series.resize_with(columns, Doubles::default);
        self.group.most_rows = (VALUES_PER_GROUP / columns.max(1)).clamp(LEAST_ROWS, MOST_ROWS);
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_offset_index_disabled(true)
            .set_created_by(concat!("hostcast version ", env!("CARGO_PKG_VERSION")).into());
        let schema = schema(labels, ids, self.is_folded).map_err(io_error)?;
        if let Some(out) = self.out.take() {
            let writer = SerializedFileWriter::new(out, schema, Arc::new(properties.build()));
            self.writer = Some(writer.map_err(io_error)?);
        }
        Ok(())
    }

    fn row(&mut self, row: &Row<'_>, sources: &[Option<usize>]) -> io::Result<()> {
        let group = &mut self.group;
        group.rows += 1;
        group.hosts.push(row.host.name.as_str().into());
        group.epochs.push(row.epoch.to_string().as_str().into());
        group.seqs.push(row.seq.cast_signed());
        group.times.push(row.time.cast_signed());
        group.elapsed_ms.push(row.elapsed_ms);
        group.missed_ticks.push(row.missed.map_or(0, |missed| missed.ticks.cast_signed()));
        for (label, values) in &mut group.labels {
            values.push(row.host.labels.get(&*label).map_or("", String::as_str).into());
        }
        group.samples.extend(row.samples.map(u64::cast_signed));
        let all = [row.values, row.min, row.max];
        let kinds = if self.is_folded { &all[..] } else { &all[..1] };
        for (column, source) in group.series.chunks_mut(kinds.len()).zip(sources) {
            for (doubles, values) in column.iter_mut().zip(kinds) {
                let value = source.map(|source| (values[source], row.columns[source].decimals));
                let value = value.filter(|(value, _)| value.is_finite());
                doubles.levels.push(i16::from(value.is_some()));
                doubles.values.extend(value.map(|(value, decimals)| {
                    // What was not folded stands as it was recorded.
                    if self.is_folded { rounded(value, decimals) } else { value }
                }));
            }
        }
        if group.rows == group.most_rows { self.write_group() } else { Ok(()) }
    }

    fn end(&mut self) -> io::Result<()> {
        self.write_group()?;
        match &mut self.writer {
            Some(writer) => writer.finish().map(drop).map_err(io_error),
            None => Ok(()),
        }
    }
}

impl Group {
    /// Writes all columns in the order of the schema, and forgets them.
    fn write<W: Write + Send>(
        &mut self,
        columns: &mut SerializedRowGroupWriter<'_, W>,
        is_folded: bool,
    ) -> Result<(), ParquetError> {
        write::<ByteArrayType, W>(columns, &mut self.hosts, None)?;
        write::<ByteArrayType, W>(columns, &mut self.epochs, None)?;
        write::<Int64Type, W>(columns, &mut self.seqs, None)?;
        write::<Int64Type, W>(columns, &mut self.times, None)?;
        write::<DoubleType, W>(columns, &mut self.elapsed_ms, None)?;
        write::<Int64Type, W>(columns, &mut self.missed_ticks, None)?;
        for (_, values) in &mut self.labels {
            write::<ByteArrayType, W>(columns, values, None)?;
        }
        if is_folded {
            write::<Int64Type, W>(columns, &mut self.samples, None)?;
        }
        for Doubles { values, levels } in &mut self.series {
            write::<DoubleType, W>(columns, values, Some(levels))?;
        }
        self.rows = 0;
        Ok(())
    }
}

fn write<T: DataType, W: Write + Send>(
    columns: &mut SerializedRowGroupWriter<'_, W>,
    values: &mut Vec<T::T>,
    levels: Option<&mut Vec<i16>>,
) -> Result<(), ParquetError> {
    let column = columns.next_column()?;
    let mut column = column.ok_or_else(|| ParquetError::General("more columns than the schema has".into()))?;
    column.typed::<T>().write_batch(values, levels.as_deref().map(Vec::as_slice), None)?;
    values.clear();
    levels.into_iter().for_each(Vec::clear);
    column.close()
}

fn required(name: &str, physical: Physical) -> PrimitiveTypeBuilder<'_> {
    Type::primitive_type_builder(name, physical).with_repetition(Repetition::REQUIRED)
}

/// The columns of the CSV, and their types.
fn schema(labels: &BTreeSet<String>, ids: &[Box<str>], is_folded: bool) -> Result<TypePtr, ParquetError> {
    let text = |name: &str| required(name, Physical::BYTE_ARRAY).with_logical_type(Some(LogicalType::String)).build();
    let integer = |name: &str| required(name, Physical::INT64).build();
    let moment = LogicalType::timestamp(true, TimeUnit::MILLIS);
    let [host, epoch, seq, time, elapsed_ms, missed_ticks] = HEAD;
    let mut columns = vec![
        text(host)?,
        text(epoch)?,
        integer(seq)?,
        required(time, Physical::INT64).with_logical_type(Some(moment)).build()?,
        required(elapsed_ms, Physical::DOUBLE).build()?,
        integer(missed_ticks)?,
    ];
    for label in labels {
        columns.push(text(&label_column(label))?);
    }
    if is_folded {
        columns.push(integer("samples")?);
    }
    for id in ids {
        for suffix in if is_folded { &FOLDED[..] } else { &FOLDED[..1] } {
            let name = format!("{id}{suffix}");
            let column = Type::primitive_type_builder(&name, Physical::DOUBLE).with_repetition(Repetition::OPTIONAL);
            columns.push(column.build()?);
        }
    }
    Ok(Arc::new(Type::group_type_builder("samples").with_fields(columns.into_iter().map(Arc::new).collect()).build()?))
}

fn io_error(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(error) => io::Error::other(error),
        error => io::Error::other(error.to_string()),
    }
}
