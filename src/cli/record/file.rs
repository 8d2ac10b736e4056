//! A file for `hostcast record`: one section, `[record]`, with the options and the hosts.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, de::DeserializeOwned};

use super::options::Options;
use crate::{
    cli::reach::{HostOptions, Reach, Target},
    client::{InvalidUrl, Url},
    config::{MOST_LABELS, check_label_name, check_label_value},
    recording::FolderName,
};

/// `[record]`
#[derive(Debug, Default)]
pub(in crate::cli) struct Section {
    pub(in crate::cli) reach: Reach,
    pub(super) options: Options,
    hosts: BTreeMap<String, Host>,
}

/// `name = "url"`, or `name = { url = "…", token_file = "…" }`
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected a URL, or a table with url, token_file, metrics and labels")]
enum Host {
    Url(String),
    Table(Table),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    url: String,
    token_file: Option<PathBuf>,
    metrics: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    record: toml::Spanned<toml::Table>,
}

impl Section {
    /// Reads a file. An error names the file, the line where that is known, and what to do.
    pub(in crate::cli) fn read(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::parse(&text).map_err(|why| format!("{}{why}", path.display()))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let place = |error: &toml::de::Error| {
            let line = error.span().map(|span| text[..span.start].matches('\n').count() + 1);
            let line = line.map(|line| format!(":{line}")).unwrap_or_default();
            format!("{line}: {}", error.message().trim().replace('\n', " "))
        };
        let File { record } = toml::from_str(text).map_err(|error| place(&error))?;
        let mut options = record.into_inner();
        let hosts = options.remove("hosts").map(toml::Value::try_into).transpose();
        let hosts = hosts.map_err(|error: toml::de::Error| format!(": record.hosts: {}", error.message()))?;
        let (reach, options) = options.into_iter().partition(|(key, _)| Reach::KEYS.contains(&&**key));
        Ok(Self { reach: read(reach)?, options: read(options)?, hosts: hosts.unwrap_or_default() })
    }

    pub(in crate::cli) fn targets(&self) -> Result<Vec<Target>, String> {
        self.hosts.iter().map(|(name, host)| target(name, host)).collect()
    }
}

fn read<T: DeserializeOwned>(options: toml::Table) -> Result<T, String> {
    let wrong = |error: toml::de::Error| format!(": record: {}", error.message().trim().replace('\n', " "));
    options.try_into().map_err(wrong)
}

fn target(name: &str, host: &Host) -> Result<Target, String> {
    let (url, own) = match host {
        Host::Url(url) => (url, HostOptions::default()),
        Host::Table(Table { url, token_file, metrics, labels }) => {
            (url, HostOptions { token_file: token_file.clone(), metrics: metrics.clone(), labels: labels.clone() })
        }
    };
    check(&own.labels).map_err(|error| format!("record.hosts.{name}.labels: {error}"))?;
    let url: Url = url.parse().map_err(|error: InvalidUrl| format!("record.hosts.{name}: {error}"))?;
    let name = FolderName::new(name).map_err(|error| format!("record.hosts: {error}"))?;
    Ok(Target { name, url, own })
}

fn check(labels: &BTreeMap<String, String>) -> Result<(), String> {
    if labels.len() > MOST_LABELS {
        return Err(format!("at most {MOST_LABELS} labels"));
    }
    for (key, value) in labels {
        check_label_name(key).and_then(|()| check_label_value(value)).map_err(|error| format!("{key:?}: {error}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_have_a_name_a_url_and_what_is_their_own() {
        let section = Section::parse(
            "[record]\noutput = \"rec\"\nkeep = \"30d\"\n[record.hosts]\nweb-1 = \"wss://web-1\"\n\
             db = { url = \"10.0.0.2\", token_file = \"/t\", labels = { site = \"ams\" } }\n",
        )
        .unwrap();
        let targets = section.targets().unwrap();
        let named: Vec<_> = targets.iter().map(|target| (target.name.as_str(), target.url.to_string())).collect();
        assert_eq!(named, [("db", "ws://10.0.0.2:7117".to_owned()), ("web-1", "wss://web-1:443".to_owned())]);
        assert_eq!(targets[0].own.token_file.as_deref(), Some(Path::new("/t")));
        assert_eq!(targets[0].own.labels["site"], "ams");
    }

    /// The annotated file, with everything in it that is commented out.
    fn annotated() -> String {
        let file = include_str!("../../../config/record.toml");
        let is_value = |line: &str| line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '));
        let lines = file.lines().map(|line| line.strip_prefix("# ").filter(|rest| is_value(rest)).unwrap_or(line));
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_annotated_file_has_every_option_and_two_hosts() {
        use clap::CommandFactory as _;

        let text = annotated();
        let section = Section::parse(&text).unwrap();
        assert_eq!(section.targets().unwrap().len(), 2);
        let mut cli = crate::cli::Cli::command();
        let record = cli.find_subcommand_mut("record").unwrap();
        for flag in record.get_arguments().filter_map(clap::Arg::get_long).filter(|flag| *flag != "config") {
            assert!(text.contains(&format!("\n{} = ", flag.replace('-', "_"))), "{flag}");
        }
        // As it is shipped, it says nothing: each default is that of the command.
        let shipped = Section::parse(include_str!("../../../config/record.toml")).unwrap();
        assert_eq!(format!("{:?}", shipped.options), format!("{:?}", Options::default()));
        assert_eq!(format!("{:?}", shipped.reach), format!("{:?}", Reach::default()));
    }

    #[test]
    fn a_mistake_is_told_with_what_to_do() {
        for (text, why) in [
            ("[recrod]\n", "unknown field `recrod`"),
            ("[record]\nkepe = \"30d\"\n", "unknown field `kepe`"),
            ("[record]\nkeep = \"30\"\n", "which has no unit"),
            ("[record]\nlog_level = \"loud\"\n", "one of error, warn"),
            ("[record]\nformat = \"xml\"\n", "unknown variant `xml`, expected `ndjson` or `csv`"),
            ("[record]\n[record.hosts]\nx = 5\n", "expected a URL"),
            ("[record\n", ":1: "),
        ] {
            let error = Section::parse(text).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
        for (text, why) in [
            ("x = \"ftp://x\"", "ws://"),
            ("\"a/b\" = \"x\"", "cannot be the name"),
            ("x = { url = \"x\", labels = { Site = \"ams\" } }", "record.hosts.x.labels: \"Site\": a label's name is"),
            ("x = { url = \"x\", labels = { site = \"a\\nb\" } }", "has a control character"),
        ] {
            let section = Section::parse(&format!("[record]\n[record.hosts]\n{text}\n")).unwrap();
            let error = section.targets().unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
