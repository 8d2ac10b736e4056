//! Writing samples: one pass over the values of the ring, no copy in between.

use serde::{
    Serialize, Serializer,
    ser::{SerializeMap, SerializeSeq, SerializeStruct},
};

use super::{Encoding, Projection};
use crate::sample::{Sample, unix_ms};

/// A sample as a projection shows it. Serialises to an object without a `type`, as it stands in
/// `history`; [`message`](Self::message) gives it one.
#[derive(Clone, Copy, Debug)]
pub struct SampleText<'a> {
    /// The sample.
    pub sample: &'a Sample,
    /// Which of its values, and how; made for the sample's own schema.
    pub projection: &'a Projection,
}

impl SampleText<'_> {
    /// Appends the `sample` message to `text`.
    pub fn message(&self, text: &mut Vec<u8>) {
        write(text, &Typed(*self));
    }

    /// Appends the sample as it stands in `history`.
    pub fn object(&self, text: &mut Vec<u8>) {
        write(text, self);
    }

    fn fields<O: SerializeStruct>(&self, object: &mut O) -> Result<(), O::Error> {
        let reading = &self.sample.reading;
        object.serialize_field("seq", &self.sample.seq)?;
        object.serialize_field("time", &unix_ms(reading.time))?;
        object.serialize_field("elapsed_ms", &Number::new(reading.elapsed.as_secs_f64() * 1e3, 1))?;
        if let Some(missed) = &reading.missed {
            object.serialize_field("missed", missed)?;
        }
        object.serialize_field("values", &Values(*self))
    }
}

fn write(text: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(text, value).expect("writing numbers and known strings to memory cannot fail");
}

impl Serialize for SampleText<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("sample", 5)?;
        self.fields(&mut object)?;
        object.end()
    }
}

/// The same with its `type` in front.
struct Typed<'a>(SampleText<'a>);

impl Serialize for Typed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("sample", 6)?;
        object.serialize_field("type", "sample")?;
        self.0.fields(&mut object)?;
        object.end()
    }
}

struct Values<'a>(SampleText<'a>);

impl Values<'_> {
    fn number(&self, column: usize) -> Number {
        let reading = &self.0.sample.reading;
        Number::new(reading.values[column], reading.schema.series[column].metric.unit.decimals())
    }
}

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Projection { encoding, columns } = self.0.projection;
        match encoding {
            Encoding::Json => {
                let series = &self.0.sample.reading.schema.series;
                let mut object = serializer.serialize_map(Some(columns.len()))?;
                for &column in columns {
                    object.serialize_entry(&series[column].id, &self.number(column))?;
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
struct Number(f64);

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
