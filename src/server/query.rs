//! What clients may put behind the `?`, checked at the border.

use std::{
    borrow::Cow,
    fmt::Display,
    str::FromStr,
    time::{Duration, SystemTime},
};

use super::problem::Problem;
use crate::{
    bucket::Buckets,
    config::{format_duration, parse_duration},
    history::Position,
    hub::Start,
    protocol::MetricFilter,
    time::EXAMPLES as TIME_EXAMPLES,
};

/// How much of the past a client gets that does not say.
const DEFAULT_HISTORY: Duration = Duration::from_mins(1);

/// The query of `/api/v1/stream`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct StreamQuery {
    pub(crate) start: Start,
    pub(crate) metrics: MetricFilter,
    /// One message for each span of this length.
    pub(crate) buckets: Option<Buckets>,
}

/// The query of `/api/v1/samples`.
#[derive(Debug, PartialEq)]
pub(crate) struct SamplesQuery {
    pub(crate) start: Start,
    /// Only samples taken at this time or later.
    pub(crate) since: Option<SystemTime>,
    /// Only samples taken before this time.
    pub(crate) until: Option<SystemTime>,
    pub(crate) metrics: MetricFilter,
    /// One row for each span of this length.
    pub(crate) buckets: Option<Buckets>,
    pub(crate) format: Format,
    /// Go on with each new sample.
    pub(crate) follow: bool,
}

/// How `/api/v1/samples` writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    #[default]
    Json,
    Ndjson,
    Csv,
}

/// `since` of `/api/v1/samples`: a position as in the stream, or a time.
enum Since {
    Position(Position),
    Time(SystemTime),
}

impl StreamQuery {
    pub(crate) fn parse(query: &str, spans: &Spans) -> Result<Self, Problem> {
        let mut parameters = Parameters::parse(query, &["history", "since", "metrics", "every"])?;
        let history = parameters.take("history", history)?;
        let since = parameters.take("since", parse::<Position>)?;
        let start = match (history, since) {
            (Some(_), Some(_)) => {
                return Err(Problem::parameter("history", "excludes since: a resume begins where it left off"));
            }
            (_, Some(position)) => Start::After(position),
            (history, None) => history.unwrap_or(Start::Within(DEFAULT_HISTORY)),
        };
        Ok(Self { start, metrics: parameters.metrics()?, buckets: parameters.buckets(spans)? })
    }
}

impl SamplesQuery {
    pub(crate) fn parse(query: &str, spans: &Spans) -> Result<Self, Problem> {
        let known = ["since", "until", "last", "metrics", "every", "format", "follow"];
        let mut parameters = Parameters::parse(query, &known)?;
        let since = parameters.take("since", since)?;
        let until = parameters.take("until", time)?;
        let last = parameters.take("last", history)?;
        let format = parameters.take("format", parse::<Format>)?.unwrap_or_default();
        let follow = parameters.take("follow", yes_or_no)?.unwrap_or(false);
        if follow && format == Format::Json {
            return Err(Problem::parameter("follow", "needs format=ndjson or format=csv: a JSON document has an end"));
        }
        if follow && until.is_some() {
            return Err(Problem::parameter("until", "excludes follow"));
        }
        if last.is_some() && (since.is_some() || until.is_some()) {
            return Err(Problem::parameter("last", "excludes since and until"));
        }
        let (start, since) = match since {
            Some(Since::Position(position)) => (Start::After(position), None),
            Some(Since::Time(time)) => (Start::All, Some(time)),
            None if until.is_some() => (Start::All, None),
            None => (last.unwrap_or(Start::Within(DEFAULT_HISTORY)), None),
        };
        let (metrics, buckets) = (parameters.metrics()?, parameters.buckets(spans)?);
        Ok(Self { start, since, until, metrics, buckets, format, follow })
    }
}

/// The query of `/api/v1/schema`.
pub(crate) fn schema_query(query: &str) -> Result<MetricFilter, Problem> {
    Parameters::parse(query, &["metrics"])?.metrics()
}

/// The query of a route that has no parameters.
pub(crate) fn no_query(query: &str) -> Result<(), Problem> {
    Parameters::parse(query, &[]).map(drop)
}

/// A query taken apart: every name known, none twice.
struct Parameters<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Parameters<'a> {
    fn parse(query: &'a str, known: &[&str]) -> Result<Self, Problem> {
        let mut parameters: Vec<(Cow<'a, str>, Cow<'a, str>)> = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if !known.contains(&&*name) {
                return Err(Problem::parameter(&name, unknown(known)));
            }
            if parameters.iter().any(|(earlier, _)| *earlier == name) {
                return Err(Problem::parameter(&name, "is given twice"));
            }
            parameters.push((name, value));
        }
        Ok(Self(parameters))
    }

    fn take<T, E: Display>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, E>) -> Result<Option<T>, Problem> {
        let Some(index) = self.0.iter().position(|(known, _)| known == name) else { return Ok(None) };
        let (_, value) = self.0.swap_remove(index);
        parse(&value).map(Some).map_err(|error| Problem::parameter(name, error))
    }

    fn buckets(&mut self, spans: &Spans) -> Result<Option<Buckets>, Problem> {
        let every = self.take("every", |value| {
            let every = parse_duration(value)?;
            let Spans { interval, window } = *spans;
            if every < interval {
                return Err(format!("must be at least the interval of the samples, {}", format_duration(interval)));
            }
            if every > window {
                return Err(format!("must be at most the window of the history, {}", format_duration(window)));
            }
            Ok(every)
        })?;
        Ok(every.map(Buckets::new))
    }

    fn metrics(&mut self) -> Result<MetricFilter, Problem> {
        Ok(self.take("metrics", MetricFilter::parse)?.unwrap_or(MetricFilter::all()))
    }
}

/// What `every` lies between.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spans {
    /// The time between two samples.
    pub(crate) interval: Duration,
    /// How far the history goes back.
    pub(crate) window: Duration,
}

fn unknown(known: &[&str]) -> String {
    if known.is_empty() {
        "unknown parameter: this takes none".into()
    } else {
        format!("unknown parameter; known are {}", known.join(", "))
    }
}

fn parse<T: FromStr>(value: &str) -> Result<T, String>
where
    T::Err: Display,
{
    value.parse().map_err(|error: T::Err| format!("{error}, not {value:?}"))
}

fn yes_or_no(value: &str) -> Result<bool, String> {
    value.parse().map_err(|_| format!("expected true or false, not {value:?}"))
}

fn history(value: &str) -> Result<Start, String> {
    match value {
        "all" => Ok(Start::All),
        "none" => Ok(Start::Live),
        duration => match parse_duration(duration) {
            Ok(span) => Ok(Start::Within(span)),
            Err(_) => Err(format!("expected a duration such as 90s or 15m, all, or none, not {value:?}")),
        },
    }
}

fn since(value: &str) -> Result<Since, String> {
    if let Ok(position) = value.parse() {
        return Ok(Since::Position(position));
    }
    match time(value) {
        Ok(time) => Ok(Since::Time(time)),
        Err(_) => Err(format!("expected <epoch>:<seq>, or a time like {TIME_EXAMPLES}, not {value:?}")),
    }
}

fn time(value: &str) -> Result<SystemTime, String> {
    crate::time::parse(value).ok_or_else(|| format!("expected a time like {TIME_EXAMPLES}, not {value:?}"))
}

impl FromStr for Format {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "json" => Ok(Self::Json),
            "ndjson" => Ok(Self::Ndjson),
            "csv" => Ok(Self::Csv),
            _ => Err("expected json, ndjson or csv"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use warp::reply::Reply;

    use super::*;

    const SPANS: Spans = Spans { interval: Duration::from_millis(100), window: Duration::from_hours(1) };

    #[test]
    fn without_a_query_a_minute_of_everything_is_meant() {
        let query = StreamQuery::parse("", &SPANS).unwrap();
        assert_eq!(
            query,
            StreamQuery { start: Start::Within(DEFAULT_HISTORY), metrics: MetricFilter::all(), buckets: None }
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (query, parameter) in [
            ("histroy=1m", "histroy"),
            ("history=1", "history"),
            ("history=1m&history=2m", "history"),
            ("since=1", "since"),
            ("since=0123456789abcdef:-1", "since"),
            ("since=0123456789ABCDEF:1", "since"),
            ("since=0123456789abcdef:99999999999999999999", "since"),
            ("since=0123456789abcdef:1&history=1m", "history"),
            ("metrics=nonsense", "metrics"),
            ("every=10", "every"),
            ("every=0s", "every"),
            ("every=99ms", "every"),
            ("every=2h", "every"),
        ] {
            let problem = StreamQuery::parse(query, &SPANS).unwrap_err();
            assert_eq!(problem.into_response().status(), 400);
            let problem = StreamQuery::parse(query, &SPANS).unwrap_err();
            assert!(
                format!("{problem:?}").contains(&format!("parameter: Some({parameter:?})")),
                "{query}: {problem:?}"
            );
        }
    }

    #[test]
    fn samples_are_chosen_by_position_by_time_or_by_age() {
        let start =
            |query| SamplesQuery::parse(query, &SPANS).map(|query| (query.start, query.since, query.until)).unwrap();
        let at = |seconds| Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(start("last=5m"), (Start::Within(Duration::from_mins(5)), None, None));
        assert_eq!(start("since=1970-01-01T00:01:00Z"), (Start::All, at(60), None));
        assert_eq!(start("since=1970-01-01T01:01:00+01:00").1, at(60), "an unescaped plus is a space");
        assert_eq!(start("since=1970-01-01T01:01:00%2B01:00&until=1970-01-01T00:02:00-00:00").2, at(120));
        assert_eq!(start("since=60000&until=120000"), (Start::All, at(60), at(120)));
        assert!(matches!(start("since=0123456789abcdef:7").0, Start::After(Position { seq: 7, .. })));
        assert!(SamplesQuery::parse("last=5m&since=60000", &SPANS).is_err());
        assert!(SamplesQuery::parse("follow=true", &SPANS).is_err());
        assert!(SamplesQuery::parse("follow=true&format=csv", &SPANS).unwrap().follow);
    }

    proptest! {
        #[test]
        fn no_query_panics(query in ".*") {
            let _ = StreamQuery::parse(&query, &SPANS);
            let _ = SamplesQuery::parse(&query, &SPANS);
        }
    }
}
