//! Whether the values of a sample are what they should be, without making numbers of them.

use memchr::memchr2;

use super::{line::SampleValues, number};

/// Looks at the values of line after line. Each names all its series, and nearly always the same ones as the line before:
/// then all but the numbers is compared with that at once.
#[derive(Debug, Default)]
pub(super) struct Check {
    /// What stood before each value of the line before.
    before: Vec<u8>,
    ends: Vec<usize>,
}

impl Check {
    /// How many values there are; `None` if one of them is neither a finite number nor missing.
    pub(super) fn count(&mut self, values: &SampleValues<'_>) -> Option<u64> {
        match values {
            SampleValues::Object(object) => {
                let object = object.get().as_bytes();
                let count = self.count_as_before(object).or_else(|| self.count_anew(object));
                count.map(|count| count as u64)
            }
            // A row that has any others is none.
            SampleValues::Cells(cells) => Some(cells.ids().len() as u64),
        }
    }

    fn count_as_before(&self, object: &[u8]) -> Option<usize> {
        let (mut rest, mut start) = (object, 0);
        for &end in &self.ends {
            rest = rest.strip_prefix(&self.before[start..end])?;
            rest = &rest[length(rest)?..];
            start = end;
        }
        (rest == b"}" && !self.ends.is_empty()).then_some(self.ends.len())
    }

    /// Of anything that is JSON.
    fn count_anew(&mut self, object: &[u8]) -> Option<usize> {
        self.before.clear();
        self.ends.clear();
        let mut end = skip_spaces(object, 0);
        if object.get(end) != Some(&b'{') {
            return None;
        }
        if object.get(skip_spaces(object, end + 1)) == Some(&b'}') {
            return Some(0);
        }
        let mut start = 0;
        loop {
            // Behind a brace or a comma.
            let key = skip_spaces(object, end + 1);
            let colon = skip_spaces(object, string_end(object, key)?);
            let value = skip_spaces(object, colon + 1);
            self.before.extend(&object[start..value]);
            self.ends.push(self.before.len());
            start = value + length(object.get(value..)?)?;
            end = skip_spaces(object, start);
            match object.get(end)? {
                b',' => {}
                b'}' => return Some(self.ends.len()),
                _ => return None,
            }
        }
    }
}

/// How long the value is that a text begins with.
fn length(text: &[u8]) -> Option<usize> {
    match text.first()? {
        b'n' => text.starts_with(b"null").then_some(b"null".len()),
        _ => number::length(text),
    }
}

fn skip_spaces(text: &[u8], at: usize) -> usize {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    at + text.get(at..).map_or(0, |rest| rest.iter().take_while(|byte| is_space(byte)).count())
}

/// Where the string ends that begins here.
fn string_end(text: &[u8], at: usize) -> Option<usize> {
    if text.get(at) != Some(&b'"') {
        return None;
    }
    let mut at = at + 1;
    loop {
        at += memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::*;
    use crate::recording::Values;

    /// The same as it is said by those who make numbers of them.
    fn read(object: &RawValue) -> Option<u64> {
        let mut values = Values::default();
        values.read(&SampleValues::Object(object)).ok().map(|_| values.numbers().len() as u64)
    }

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.into()).unwrap()
    }

    #[test]
    fn what_can_be_read_is_counted_and_nothing_else() {
        let mut check = Check::default();
        for text in [
            "{}",
            "{ }",
            r#"{"a":1}"#,
            r#"{"a":null}"#,
            r#"{"a":-0.5e3,"b":2}"#,
            r#"{"a":1,"b":2}"#,
            r#"{"a":1,"b":"2"}"#,
            r#"{"a":1,"b":2}"#,
            r#"{"a":1}"#,
            r#"{"a":1,"b":2,"c":3}"#,
            r#"{"a:\"1,":1}"#,
            r#"{"\\":1,"b":true}"#,
            r#"{ "a" : 1 , "b":2 }"#,
            r#"{ "a" : 3 , "b":null }"#,
            r#"{"a":[1]}"#,
            r#"{"a":{"b":1}}"#,
            "[1]",
            "1",
            "null",
            r#""a""#,
            r#"{"a":1e999}"#,
            r#"{"a":1}"#,
            r#"{"a":1e999}"#,
            r#"{"a":nul}"#,
        ] {
            if let Ok(object) = RawValue::from_string(text.into()) {
                assert_eq!(check.count(&SampleValues::Object(&object)), read(&object), "{text}");
            }
        }
    }

    proptest! {
        #[test]
        fn line_after_line_it_counts_what_can_be_read(lines in prop::collection::vec(object(), 1..12)) {
            let mut check = Check::default();
            for line in &lines {
                let object = raw(line);
                prop_assert_eq!(check.count(&SampleValues::Object(&object)), read(&object), "{}", line);
            }
        }
    }

    fn object() -> impl Strategy<Value = String> {
        let value = prop_oneof![
            6 => any::<f64>().prop_map(|value| serde_json::to_string(&value).unwrap()),
            2 => Just("null".to_owned()),
            1 => prop::sample::select(vec!["true", "\"1\"", "[]", "1e400", "{}"]).prop_map(str::to_owned),
        ];
        prop::collection::vec((prop::sample::select(vec!["\"a\"", "\"b\\\"\"", "\"c{d=1,e:f}\""]), value), 0..4)
            .prop_map(|members| {
                let members: Vec<_> = members.iter().map(|(key, value)| format!("{key}:{value}")).collect();
                format!("{{{}}}", members.join(","))
            })
    }
}
