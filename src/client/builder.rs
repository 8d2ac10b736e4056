//! What a client is to ask for, and how patient it is.

use std::{fs, path::PathBuf, time::Duration};

use super::{
    Client,
    failure::{Failure, Lost},
    tls::Tls,
    url::Url,
};
use crate::protocol::{Hello, Position};

/// How much of the past comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum History {
    /// Everything that the daemon still holds.
    All,
    /// What was taken within this time.
    Last(Duration),
    /// Nothing: from the next sample on.
    None,
}

/// Says what a [`Client`] is to do. Everything has a default.
#[derive(Clone, Debug)]
pub struct Builder {
    pub(super) url: Url,
    pub(super) since: Option<Position>,
    history: Option<History>,
    metrics: Option<String>,
    every: Option<Duration>,
    token_file: Option<PathBuf>,
    pub(super) tls: Option<Tls>,
    pub(super) may_compress: bool,
    pub(super) patience: Duration,
    pub(super) backoff: (Duration, Duration),
}

/// A token is a line of text; this is no key ring.
const MAX_TOKEN: u64 = 16 << 10;

impl Builder {
    pub(super) fn new(url: Url) -> Self {
        Self {
            url,
            since: None,
            history: None,
            metrics: None,
            every: None,
            token_file: None,
            tls: None,
            may_compress: true,
            patience: Duration::from_secs(10),
            backoff: (Duration::from_secs(1), Duration::from_mins(1)),
        }
    }

    /// Goes on after this position: everything that came after it, or a gap that names what is missing.
    #[must_use]
    pub fn since(mut self, position: Option<Position>) -> Self {
        self.since = position;
        self
    }

    /// How much of the past comes first, where there is no position to go on from. By default the server's choice,
    /// which is a minute.
    #[must_use]
    pub fn history(mut self, history: History) -> Self {
        self.history = Some(history);
        self
    }

    /// Only the series whose id begins with one of these, separated by commas.
    #[must_use]
    pub fn metrics(mut self, prefixes: impl Into<String>) -> Self {
        self.metrics = Some(prefixes.into());
        self
    }

    /// One sample for each span of this length, folded by the daemon.
    #[must_use]
    pub fn every(mut self, span: Duration) -> Self {
        self.every = Some(span);
        self
    }

    /// A file with a bearer token, which is read anew with each connection, so that it can be replaced.
    #[must_use]
    pub fn token_file(mut self, file: Option<PathBuf>) -> Self {
        self.token_file = file;
        self
    }

    /// Whom to trust behind `wss://`, and who we are; otherwise the system's authorities, and nobody in particular.
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Whether the server may compress what it sends; by default it may. A daemon does so for clients on other machines.
    #[must_use]
    pub fn compression(mut self, may_compress: bool) -> Self {
        self.may_compress = may_compress;
        self
    }

    /// How long the name, the connection and the handshake may take together, and how long the first message; 10 s by
    /// default. After that, two heartbeats of the daemon.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The span of the first wait before dialling again, and of the longest; a second and a minute by default. Each wait
    /// is a random part of its span.
    #[must_use]
    pub fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.backoff = (first, longest);
        self
    }

    /// The client.
    pub fn build(self) -> Client {
        Client::new(self)
    }

    /// The first sample of a stream that goes on from no position, where that is certain before it comes.
    pub(super) fn first_of(&self, hello: &Hello) -> Option<u64> {
        match self.history {
            Some(History::All) if self.every.is_none() => Some(hello.oldest_seq),
            Some(History::None) if self.every.is_none() => Some(hello.next_seq),
            _ => None,
        }
    }

    /// Path and query of the stream from this position on.
    pub(super) fn target(&self, position: Option<Position>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if let Some(position) = position {
            query.append_pair("since", &position.to_string());
        } else if let Some(history) = self.history {
            let history = match history {
                History::All => "all".into(),
                History::None => "none".into(),
                History::Last(span) => format!("{}ms", span.as_millis()),
            };
            query.append_pair("history", &history);
        }
        if let Some(metrics) = &self.metrics {
            query.append_pair("metrics", metrics);
        }
        if let Some(every) = self.every {
            query.append_pair("every", &format!("{}ms", every.as_millis()));
        }
        let (path, query) = (self.url.stream_path(), query.finish());
        if query.is_empty() { path } else { format!("{path}?{query}") }
    }

    /// The token, if there is to be one. A file that cannot be read now may come back.
    pub(super) fn token(&self) -> Result<Option<String>, Failure> {
        let Some(file) = &self.token_file else { return Ok(None) };
        let unusable = |why: String| Lost::Token { file: file.clone(), why };
        let is_short = fs::metadata(file).is_ok_and(|metadata| metadata.len() <= MAX_TOKEN);
        let text = fs::read_to_string(file).map_err(|error| unusable(error.to_string()))?;
        let token = text.trim();
        if !is_short || token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(unusable("it must hold one line without spaces: the token".into()).into());
        }
        Ok(Some(token.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builder() -> Builder {
        Client::builder("ws://x/proxied".parse().unwrap())
    }

    #[test]
    fn a_position_takes_the_place_of_history() {
        let wishes =
            builder().history(History::Last(Duration::from_secs(90))).metrics("system.cpu,system.disk.io{a=b}");
        assert_eq!(
            wishes.target(None),
            "/proxied/api/v1/stream?history=90000ms&metrics=system.cpu%2Csystem.disk.io%7Ba%3Db%7D"
        );
        let position = "00000000000000ff:7".parse().unwrap();
        assert_eq!(builder().target(Some(position)), "/proxied/api/v1/stream?since=00000000000000ff%3A7");
        assert_eq!(builder().target(None), "/proxied/api/v1/stream");
    }

    #[test]
    fn a_token_is_one_line_of_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        let token = || builder().token_file(Some(file.clone())).token().map_err(|failure| failure.to_string());
        assert!(token().unwrap_err().contains("No such file"));
        fs::write(&file, "s3cret\n").unwrap();
        assert_eq!(token(), Ok(Some("s3cret".into())));
        for wrong in ["", "\n", "two words", "a\r\nEvil: 1"] {
            fs::write(&file, wrong).unwrap();
            assert!(token().unwrap_err().contains("one line"), "{wrong:?}");
        }
    }
}
