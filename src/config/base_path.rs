//! The path that everything is served below.

use std::{fmt, str::FromStr};

use super::tree::quoted;

/// Empty, or like `/hostcast`: without a slash at its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BasePath(String);

/// Where a path lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    /// Below the base path: what follows that, which begins with a slash.
    Below(&'a str),
    /// It is the base path itself, without a slash behind it.
    Itself,
    Elsewhere,
}

impl BasePath {
    /// It, as it stands before all other paths.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where the path of a request lies.
    pub(crate) fn place<'a>(&self, path: &'a str) -> Place<'a> {
        match path.strip_prefix(&self.0) {
            Some("") if !self.0.is_empty() => Place::Itself,
            Some(rest) if self.0.is_empty() || rest.starts_with('/') => Place::Below(rest),
            _ => Place::Elsewhere,
        }
    }
}

impl FromStr for BasePath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
        let is_segment = |part: &str| !matches!(part, "" | "." | "..") && part.chars().all(is_plain);
        let inner = text.trim_matches('/');
        if text.is_empty() {
            return Ok(Self::default());
        }
        if inner.is_empty() || !inner.split('/').all(is_segment) {
            let rule = "a path like \"/hostcast\", of letters, digits, \"-\", \".\", \"_\" and \"~\"";
            return Err(format!("expected {rule}, or \"\", found {}", quoted(text)));
        }
        if text != format!("/{inner}") {
            return Err(format!(
                "expected a path like \"/hostcast\", found {}; did you mean \"/{inner}\"?",
                quoted(text)
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for BasePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_path_reads_back_or_says_what_was_meant() {
        for text in ["", "/hostcast", "/hosts/web-1", "/~x/v1.2"] {
            assert_eq!(text.parse::<BasePath>().unwrap().to_string(), text);
        }
        let meant = "; did you mean \"/hostcast\"?";
        for text in ["hostcast", "/hostcast/", "//hostcast"] {
            assert!(text.parse::<BasePath>().unwrap_err().ends_with(meant), "{text}");
        }
        for text in ["/", "/a//b", "/../a", "/./a", "/a b", "/a?b", "/a%2Fb", "/ä", "https://a/b"] {
            assert!(text.parse::<BasePath>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_that_only_begins_like_it_is_elsewhere() {
        let base: BasePath = "/hostcast".parse().unwrap();
        for (path, place) in [
            ("/hostcast/", Place::Below("/")),
            ("/hostcast/api/v1/status", Place::Below("/api/v1/status")),
            ("/hostcast//x", Place::Below("//x")),
            ("/hostcast", Place::Itself),
            ("/hostcasts/", Place::Elsewhere),
            ("/", Place::Elsewhere),
            ("/x/hostcast/", Place::Elsewhere),
            ("//hostcast/", Place::Elsewhere),
            ("/HOSTCAST/", Place::Elsewhere),
        ] {
            assert_eq!(base.place(path), place, "{path}");
        }
        assert_eq!(BasePath::default().place("/healthz"), Place::Below("/healthz"));
    }
}
