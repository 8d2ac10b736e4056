//! Environment variables `HOSTCAST_<SECTION>_<KEY>` as a layer of the configuration.

use std::{collections::BTreeMap, ffi::OsString};

use super::{
    read,
    suggest::nearest,
    tree::{Origin, Table, Value, key_name, overlay},
};

const PREFIX: &str = "HOSTCAST_";
const LABELS: &str = "HOSTCAST_LABELS_";
/// Names the file, and is none of its keys.
pub(super) const FILE: &str = "HOSTCAST_CONFIG";

/// Lays the variables over the tree. Answers with warnings on those that have no effect: a variable that is not known
/// must not stop the daemon, for Kubernetes sets `HOSTCAST_PORT` and more for a service named `hostcast`.
pub(super) fn lay(variables: &[(OsString, OsString)], tree: &mut Table) -> Result<Vec<String>, Vec<String>> {
    let known = names();
    let mut warnings = Vec::new();
    let mut problems = Vec::new();
    let mut found = Vec::new();
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX) && *name != FILE) else { continue };
        let label = name.strip_prefix(LABELS).filter(|label| !label.is_empty()).map(str::to_lowercase);
        let path: Vec<String> = match (known.get(name), label) {
            (Some(path), _) => path.split('.').map(str::to_owned).collect(),
            (None, Some(label)) => vec!["labels".to_owned(), label],
            (None, None) => {
                warnings.push(unknown(name, &known));
                continue;
            }
        };
        let Some(value) = value.to_str() else {
            let origin = Origin::Environment(name.to_owned());
            problems.push(format!("{origin}: {}: not valid UTF-8", key_path(&path)));
            continue;
        };
        found.push((path, name.to_owned(), value.to_owned()));
    }
    // A collector's switch comes before its settings; beyond that the order of the environment must not matter.
    found.sort_by(|(a, ..), (b, ..)| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
    for (path, name, value) in found {
        let origin = Origin::Environment(name);
        if !overlay(tree, &path, &origin, Value::Text(value)) {
            let parent = key_path(&path[..path.len() - 1]);
            warnings.push(format!("{origin}: has no effect, because {parent} is false"));
        }
    }
    if problems.is_empty() { Ok(warnings) } else { Err(problems) }
}

/// Every variable that is known, and the path of its key. The reader itself is asked, so that none can be forgotten.
fn names() -> BTreeMap<String, String> {
    let variable = |path: &String| format!("{PREFIX}{}", path.to_uppercase().replace('.', "_"));
    read::known_paths().into_iter().map(|path| (variable(&path), path)).collect()
}

fn key_path(path: &[String]) -> String {
    path.iter().map(|key| key_name(key)).collect::<Vec<_>>().join(".")
}

fn unknown(name: &str, known: &BTreeMap<String, String>) -> String {
    let candidates = || known.keys().map(String::as_str);
    let tail = &name[PREFIX.len() - 1..];
    let near = nearest(name, candidates()).or_else(|| candidates().find(|known| known.ends_with(tail)));
    let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
    format!("{}: unknown, ignored{hint}", Origin::Environment(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lay_over(variables: &[(&str, &str)]) -> (Table, Vec<String>) {
        let variables: Vec<_> = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let mut tree = Table::new();
        let warnings = lay(&variables, &mut tree).unwrap();
        (tree, warnings)
    }

    #[test]
    fn each_key_has_a_variable_of_its_own() {
        assert_eq!(names().len(), read::known_paths().len());
        assert!(names().contains_key("HOSTCAST_SERVER_LIMITS_MAX_CONNECTIONS_PER_ADDRESS"));
        assert!(names().contains_key("HOSTCAST_COLLECTORS_FILESYSTEM_EXCLUDE_TYPES"));
    }

    #[test]
    fn what_kubernetes_sets_is_a_warning() {
        let (tree, warnings) =
            lay_over(&[("HOSTCAST_PORT", "tcp://10.0.0.1:7117"), ("HOSTCAST_SERVICE_HOST", "10.0.0.1")]);
        assert!(tree.is_empty());
        assert_eq!(warnings[0], "environment variable HOSTCAST_PORT: unknown, ignored");
        assert_eq!(warnings.len(), 2);
    }

    #[test]
    fn a_near_miss_gets_a_suggestion() {
        let (_, warnings) = lay_over(&[("HOSTCAST_SAMPLER_INTERVALL", "1s"), ("HOSTCAST_INTERVAL", "1s")]);
        for warning in warnings {
            assert!(warning.ends_with("did you mean HOSTCAST_SAMPLER_INTERVAL?"), "{warning}");
        }
    }

    #[test]
    fn settings_of_a_collector_that_is_off_leave_it_off() {
        let (_, warnings) = lay_over(&[("HOSTCAST_COLLECTORS_CPU_EVERY", "2s"), ("HOSTCAST_COLLECTORS_CPU", "false")]);
        assert_eq!(
            warnings,
            ["environment variable HOSTCAST_COLLECTORS_CPU_EVERY: has no effect, because collectors.cpu is false"]
        );
    }
}
