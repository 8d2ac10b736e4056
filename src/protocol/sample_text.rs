//! Writing samples: one pass over the values of the ring, no copy in between.

use std::time::Duration;

use serde::{
    Serialize, Serializer,
    ser::{SerializeMap, SerializeSeq, SerializeStruct},
};

use super::{Encoding, Projection};
use crate::{
    bucket::Bucket,
    sample::{Reading, Sample, Schema, unix_ms},
};

/// A sample as a projection shows it.
#[derive(Clone, Copy, Debug)]
pub struct SampleText<'a> {
    /// The sample.
    pub sample: &'a Sample,
    /// Which of its values, and how; made for the sample's own schema.
    pub projection: &'a Projection,
}

/// A bucket as a projection shows it: like a sample, with the smallest and the largest values besides.
#[derive(Clone, Copy, Debug)]
pub struct BucketText<'a> {
    /// The bucket.
    pub bucket: &'a Bucket,
    /// Which of its values, and how; made for the bucket's own schema.
    pub projection: &'a Projection,
}

impl SampleText<'_> {
    /// Appends the `sample` message to `text`.
    pub fn message(&self, text: &mut Vec<u8>) {
        write(text, &Typed(self));
    }

    /// Appends the sample as it stands in `history`.
    pub fn object(&self, text: &mut Vec<u8>) {
        write(text, &Untyped(self));
    }
}

impl BucketText<'_> {
    /// Appends the `sample` message to `text`.
    pub fn message(&self, text: &mut Vec<u8>) {
        write(text, &Typed(self));
    }

    /// Appends the bucket as it stands in `history`.
    pub fn object(&self, text: &mut Vec<u8>) {
        write(text, &Untyped(self));
    }
}

fn write(text: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(text, value).expect("writing numbers and known strings to memory cannot fail");
}

/// What is written as a sample.
trait Fields {
    fn fields<O: SerializeStruct>(&self, object: &mut O) -> Result<(), O::Error>;
}

impl Fields for SampleText<'_> {
    fn fields<O: SerializeStruct>(&self, object: &mut O) -> Result<(), O::Error> {
        let reading = &self.sample.reading;
        object.serialize_field("seq", &self.sample.seq)?;
        object.serialize_field("time", &unix_ms(reading.time))?;
        object.serialize_field("elapsed_ms", &millis(reading.elapsed))?;
        if let Some(missed) = &reading.missed {
            object.serialize_field("missed", missed)?;
        }
        let Reading { schema, values, .. } = reading;
        object.serialize_field("values", &Values { numbers: values, schema, projection: self.projection })
    }
}

impl Fields for BucketText<'_> {
    fn fields<O: SerializeStruct>(&self, object: &mut O) -> Result<(), O::Error> {
        let Bucket { seq, time, samples, elapsed, missed, schema, mean, min, max } = self.bucket;
        object.serialize_field("seq", seq)?;
        object.serialize_field("time", &unix_ms(*time))?;
        object.serialize_field("elapsed_ms", &millis(*elapsed))?;
        object.serialize_field("samples", samples)?;
        if let Some(missed) = missed {
            object.serialize_field("missed", missed)?;
        }
        for (key, values) in [("values", mean), ("min", min), ("max", max)] {
            object.serialize_field(key, &Values { numbers: values, schema, projection: self.projection })?;
        }
        Ok(())
    }
}

fn millis(elapsed: Duration) -> Number {
    Number::new(elapsed.as_secs_f64() * 1e3, 1)
}

/// For JSON it matters only that there are fields.
const SOME_FIELDS: usize = 1;

/// As it stands in `history`.
struct Untyped<'a, F>(&'a F);

impl<F: Fields> Serialize for Untyped<'_, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("sample", SOME_FIELDS)?;
        self.0.fields(&mut object)?;
        object.end()
    }
}

/// The same with its `type` in front.
struct Typed<'a, F>(&'a F);

impl<F: Fields> Serialize for Typed<'_, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("sample", SOME_FIELDS)?;
        object.serialize_field("type", "sample")?;
        self.0.fields(&mut object)?;
        object.end()
    }
}

/// One value for each chosen series.
struct Values<'a> {
    numbers: &'a [f64],
    schema: &'a Schema,
    projection: &'a Projection,
}

impl Values<'_> {
    fn number(&self, column: usize) -> Number {
        Number::new(self.numbers[column], self.schema.series[column].metric.unit.decimals())
    }
}

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Projection { encoding, columns } = self.projection;
        match encoding {
            Encoding::Json => {
                let mut object = serializer.serialize_map(Some(columns.len()))?;
                for &column in columns {
                    object.serialize_entry(&self.schema.series[column].id, &self.number(column))?;
                }
                object.end()
            }
            Encoding::Compact => {
                let mut array = serializer.serialize_seq(Some(columns.len()))?;
                for &column in columns {
                    array.serialize_element(&self.number(column))?;
                }
                array.end()
            }
        }
    }
}

/// A value cut to the decimals that mean something; NaN is null, and whole numbers have no point.
#[derive(Clone, Copy)]
pub(crate) struct Number(pub(crate) f64);

impl Number {
    fn new(value: f64, decimals: u32) -> Self {
        Self(rounded(value, decimals))
    }
}

/// The value to the given number of decimals.
pub fn rounded(value: f64, decimals: u32) -> f64 {
    let scale = f64::from(10_u32.pow(decimals));
    let scaled = value * scale;
    // Past 2^53 a double has no decimals to cut, and scaling up may overflow.
    if scaled.abs() < MAX_EXACT { scaled.round() / scale } else { value }
}

/// Up to here every whole number is a double of its own.
const MAX_EXACT: f64 = (1_u64 << 53) as f64;

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = self.0;
        if !value.is_finite() {
            serializer.serialize_none()
        } else if value.fract() == 0.0 && value.abs() < MAX_EXACT {
            serializer.serialize_i64(value as i64)
        } else {
            serializer.serialize_f64(value)
        }
    }
}
