//! The values of a sample as numbers, in the order in which they stand in its line.

use std::{borrow::Cow, fmt, sync::Arc};

use serde::{
    Deserialize,
    de::{DeserializeSeed, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    csv_line::Cells,
    line::{InvalidLine, SampleValues},
    number,
};

/// Reads line after line. Each names all its series, and nearly always the same ones as the line before.
#[derive(Debug)]
pub struct Values {
    ids: Arc<[Box<str>]>,
    numbers: Vec<f64>,
}

impl Default for Values {
    fn default() -> Self {
        Self { ids: Arc::new([]), numbers: Vec::new() }
    }
}

impl Values {
    /// The series of the line that was read last.
    pub fn ids(&self) -> &Arc<[Box<str>]> {
        &self.ids
    }

    /// Its values, one for each series; NaN is "no reading".
    pub fn numbers(&self) -> &[f64] {
        &self.numbers
    }

    /// Reads the values of a line. `true` if they are of other series than those before.
    pub fn read(&mut self, values: &SampleValues<'_>) -> Result<bool, InvalidLine> {
        self.numbers.clear();
        match values {
            SampleValues::Object(object) => self.read_object(object),
            SampleValues::Cells(cells) => self.read_cells(*cells),
        }
    }

    fn read_object(&mut self, object: &RawValue) -> Result<bool, InvalidLine> {
        let into = Into { known: &self.ids, numbers: &mut self.numbers };
        let others = into.deserialize(&mut serde_json::Deserializer::from_str(object.get()))?;
        let is_changed = others.is_some();
        if let Some(others) = others {
            self.ids = others.into();
        }
        Ok(is_changed)
    }

    fn read_cells(&mut self, cells: Cells<'_>) -> Result<bool, InvalidLine> {
        for (id, cell) in cells.iter() {
            let number = if cell.is_empty() { Some(f64::NAN) } else { number::read(cell.as_bytes()) };
            self.numbers.push(number.ok_or_else(|| InvalidLine::Cell { column: id.into(), cell: cell.into() })?);
        }
        if Arc::ptr_eq(&self.ids, cells.ids()) {
            return Ok(false);
        }
        // With those of the header itself, the next row is known at a glance.
        let before = std::mem::replace(&mut self.ids, Arc::clone(cells.ids()));
        Ok(before != self.ids)
    }
}

struct Into<'a> {
    known: &'a [Box<str>],
    numbers: &'a mut Vec<f64>,
}

impl<'de> DeserializeSeed<'de> for Into<'_> {
    type Value = Option<Vec<Box<str>>>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Into<'_> {
    /// The ids, unless they are those that are known.
    type Value = Option<Vec<Box<str>>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of numbers")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut others: Option<Vec<Box<str>>> = None;
        while let Some((Id(id), value)) = map.next_entry::<Id<'de>, Option<f64>>()? {
            let index = self.numbers.len();
            self.numbers.push(value.unwrap_or(f64::NAN));
            if others.is_none() && self.known.get(index).is_none_or(|known| **known != *id) {
                others = Some(self.known[..index].to_vec());
            }
            if let Some(others) = &mut others {
                others.push(id.into());
            }
        }
        let read = self.numbers.len();
        Ok(others.or_else(|| (read < self.known.len()).then(|| self.known[..read].to_vec())))
    }
}

/// Borrowed, unless it has an escape.
#[derive(Deserialize)]
struct Id<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.into()).unwrap()
    }

    #[test]
    fn a_change_of_the_series_is_told_and_nothing_else_is() {
        let mut values = Values::default();
        for (text, is_changed, ids, numbers) in [
            (r#"{"a":1,"b\"c":0.25}"#, true, &["a", "b\"c"][..], &[1.0, 0.25][..]),
            (r#"{"a":-2,"b\"c":3e2}"#, false, &["a", "b\"c"], &[-2.0, 300.0]),
            (r#"{"a":1}"#, true, &["a"], &[1.0]),
            (r#"{"a":1,"x":2}"#, true, &["a", "x"], &[1.0, 2.0]),
            (r#"{"y":1,"x":2}"#, true, &["y", "x"], &[1.0, 2.0]),
            ("{}", true, &[], &[]),
            ("{}", false, &[], &[]),
        ] {
            assert_eq!(values.read(&SampleValues::Object(&raw(text))).unwrap(), is_changed, "{text}");
            assert_eq!(values.ids().iter().map(|id| &**id).collect::<Vec<_>>(), ids);
            assert_eq!(values.numbers(), numbers);
        }
        values.read(&SampleValues::Object(&raw(r#"{"a":null}"#))).unwrap();
        assert!(values.numbers()[0].is_nan());
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [r#"{"a":"1"}"#, r#"{"a":[1]}"#, "[1]", "1"] {
            assert!(Values::default().read(&SampleValues::Object(&raw(text))).is_err(), "{text}");
        }
    }
}
