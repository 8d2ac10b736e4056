//! Where the dashboard may look, and who may show it within another page. Both end up in its `Content-Security-Policy`,
//! so an address is held to what cannot be mistaken for anything else there.

use super::{
    section::Section,
    tree::{Value, quoted},
};

/// A page with more daemons than this would be a fleet's, and that is another program.
const MOST_ADDRESSES: usize = 64;

/// `[dashboard]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DashboardConfig {
    /// The dashboards of other daemons that this one shows, too: `https://name:port/path/`.
    pub hosts: Vec<String>,
    /// The pages that may show this dashboard in a frame: `https://name:port`.
    pub frame_ancestors: Vec<String>,
}

pub(super) fn dashboard(section: &mut Section<'_, '_>) -> DashboardConfig {
    DashboardConfig {
        hosts: addresses(section, "hosts", "https://web2.example:7117/", |path| {
            path.starts_with('/') && path.ends_with('/')
        }),
        frame_ancestors: addresses(section, "frame_ancestors", "https://wiki.example", str::is_empty),
    }
}

fn addresses(
    section: &mut Section<'_, '_>,
    key: &'static str,
    example: &str,
    path_is_right: fn(&str) -> bool,
) -> Vec<String> {
    let expected = format!("an address like \"{example}\"");
    let parse = |value: &Value| {
        let text = super::parse::string(value, &expected)?;
        if is_address(text, path_is_right) {
            Ok(text.to_owned())
        } else {
            Err(format!("expected {expected}, found {}", quoted(text)))
        }
    };
    let mut found = Vec::new();
    for (address, at) in section.list(key, &expected, parse).unwrap_or_default() {
        if found.contains(&address) {
            section.problem(key, &at, &format!("{address} is there twice"));
        } else if found.len() == MOST_ADDRESSES {
            section.problem(key, &at, &format!("at most {MOST_ADDRESSES} addresses"));
        } else {
            found.push(address);
        }
    }
    found
}

fn is_address(text: &str, path_is_right: fn(&str) -> bool) -> bool {
    let Some(rest) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else { return false };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let is_host = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
    let is_path = |c: char| c.is_ascii_alphanumeric() || "/.-_~".contains(c);
    !authority.is_empty() && authority.chars().all(is_host) && path.chars().all(is_path) && path_is_right(path)
}
