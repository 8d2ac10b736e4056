//! What a subscriber asked to see: a subprotocol, and a choice of metrics.

use crate::{
    metric,
    protocol::{Message, SchemaMessage, SeriesText},
    sample::{Schema, Series},
};

/// A subprotocol: how values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// `hostcast.v1.json`: self-describing, for people and scripts.
    Json,
    /// `hostcast.v1.compact`: positional, for the dashboard, recorders and fleets.
    Compact,
}

impl Encoding {
    /// The name in `Sec-WebSocket-Protocol`.
    pub const fn subprotocol(self) -> &'static str {
        match self {
            Self::Json => "hostcast.v1.json",
            Self::Compact => "hostcast.v1.compact",
        }
    }

    /// The first of the offered subprotocols that is ours.
    pub fn negotiate<'a>(offered: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let known = |name: &str| [Self::Json, Self::Compact].into_iter().find(|ours| ours.subprotocol() == name);
        offered.into_iter().find_map(known)
    }
}

/// Which series a subscriber wants, by the beginning of their id. Sorted, without repetitions, so
/// that two that mean the same are equal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct MetricFilter(Option<Vec<Box<str>>>);

/// No metric begins like this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", if prefix.is_empty() { "a name is empty; leave the parameter out for all metrics".into() } else {
    format!("no metric begins with {prefix:?}{}", suggestion.map(|name| format!("; did you mean {name:?}?")).unwrap_or_default())
})]
pub struct UnknownMetric {
    prefix: String,
    suggestion: Option<&'static str>,
}

impl MetricFilter {
    /// Everything.
    pub fn all() -> Self {
        Self(None)
    }

    /// Whether nothing is left out.
    pub fn is_all(&self) -> bool {
        self.0.is_none()
    }

    /// A comma-separated list of prefixes. Each must fit a metric that hostcast knows, whether or
    /// not this host has it.
    pub fn parse(list: &str) -> Result<Self, UnknownMetric> {
        let mut prefixes = Vec::new();
        for prefix in split_outside_braces(list) {
            let known = metric::ALL.iter().any(|metric| {
                let rest = prefix.strip_prefix(metric.name);
                metric.name.starts_with(prefix) || rest.is_some_and(|rest| rest.starts_with('{'))
            });
            if prefix.is_empty() || !known {
                return Err(UnknownMetric { prefix: prefix.into(), suggestion: closest_metric(prefix) });
            }
            prefixes.push(prefix.into());
        }
        prefixes.sort();
        // A longer prefix of one that is there already adds nothing.
        prefixes.dedup_by(|longer: &mut Box<str>, shorter| longer.starts_with(&**shorter));
        Ok(Self(Some(prefixes)))
    }

    /// Whether the series is wanted.
    pub fn wants(&self, series: &Series) -> bool {
        self.0.as_ref().is_none_or(|prefixes| prefixes.iter().any(|prefix| series.id.starts_with(&**prefix)))
    }
}

/// The commas within `{…}` belong to a series' id.
fn split_outside_braces(list: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_u32;
    list.split(move |c| {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    })
}

/// What was probably meant: `system.cpu` by `cpu`, or the name that looks most alike.
fn closest_metric(text: &str) -> Option<&'static str> {
    let within = |name: &'static str| Some(&name[..name.find(&format!(".{text}"))? + 1 + text.len()]);
    if let Some(prefix) = metric::ALL.iter().find_map(|metric| within(metric.name)).filter(|_| !text.is_empty()) {
        return Some(prefix);
    }
    let similarity = |name: &str| strsim::jaro_winkler(name, text);
    let closest =
        metric::ALL.iter().map(|metric| metric.name).max_by(|a, b| similarity(a).total_cmp(&similarity(b)))?;
    (similarity(closest) > 0.8).then_some(closest)
}

/// The chosen series of one schema, by their index in a sample's values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Projection {
    /// How values are written.
    pub encoding: Encoding,
    /// Positions of the chosen series in the schema, ascending.
    pub columns: Vec<usize>,
}

impl Projection {
    /// Applies a filter to a schema.
    pub fn new(encoding: Encoding, filter: &MetricFilter, schema: &Schema) -> Self {
        let wanted = |(index, series)| filter.wants(series).then_some(index);
        Self { encoding, columns: schema.series.iter().enumerate().filter_map(wanted).collect() }
    }

    /// The `schema` message for the chosen series.
    pub fn schema_message(&self, schema: &Schema) -> Message {
        let series = self.columns.iter().map(|&column| SeriesText::from(&schema.series[column])).collect();
        Message::Schema(SchemaMessage { revision: schema.revision, series })
    }
}

impl From<&Series> for SeriesText {
    fn from(series: &Series) -> Self {
        Self {
            id: series.id.to_string(),
            name: series.metric.name.into(),
            unit: series.metric.unit.symbol().into(),
            attributes: series.attributes.iter().map(|(key, value)| ((*key).into(), value.to_string())).collect(),
            interval_ms: series.interval_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_that_mean_the_same_are_equal() {
        let parse = |list| MetricFilter::parse(list).unwrap();
        assert_eq!(parse("system.memory,system.cpu"), parse("system.cpu,system.memory,system.cpu.utilization"));
    }

    #[test]
    fn a_series_can_be_named_with_its_attributes() {
        let filter = MetricFilter::parse("system.disk.io{disk.io.direction=read,system.device=vda}").unwrap();
        let series = |direction, device| {
            Series::new(metric::DISK_IO, [("disk.io.direction", direction), ("system.device", device)])
        };
        assert!(filter.wants(&series("read", "vda")));
        assert!(!filter.wants(&series("write", "vda")));
    }

    #[test]
    fn a_misspelt_metric_is_refused_with_a_suggestion() {
        let error = MetricFilter::parse("system.cpu.utilisation").unwrap_err();
        assert!(error.to_string().contains("did you mean \"system.cpu.utilization\"?"), "{error}");
        let error = MetricFilter::parse("cpu").unwrap_err();
        assert!(error.to_string().ends_with("did you mean \"system.cpu\"?"), "{error}");
        for list in ["", ",", "system.cpu,", "x", "system.cpu.utilizationx"] {
            assert!(MetricFilter::parse(list).is_err(), "{list:?}");
        }
    }

    #[test]
    fn the_first_known_subprotocol_is_chosen() {
        let negotiate = |offered: &[&str]| Encoding::negotiate(offered.iter().copied());
        assert_eq!(negotiate(&["chat", "hostcast.v1.compact", "hostcast.v1.json"]), Some(Encoding::Compact));
        assert_eq!(negotiate(&["chat"]), None);
    }
}
