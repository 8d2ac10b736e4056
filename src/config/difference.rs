//! What differs between two configurations.

use toml::Value;

use super::Config;

impl Config {
    /// The path of each key that has another value in `other`, as `hostcast check --print` would show it.
    pub fn changed_keys(&self, other: &Self) -> Vec<String> {
        let mut changed = Vec::new();
        compare("", &self.as_value(), &other.as_value(), &mut changed);
        changed
    }

    fn as_value(&self) -> Value {
        let table: toml::Table = self.to_toml().parse().expect("what is printed reads back: a test sees to it");
        Value::Table(table)
    }
}

fn compare(path: &str, before: &Value, after: &Value, changed: &mut Vec<String>) {
    let (Value::Table(old), Value::Table(new)) = (before, after) else {
        if before != after {
            changed.push(path.to_owned());
        }
        return;
    };
    let added = new.keys().filter(|key| !old.contains_key(*key));
    for key in old.keys().chain(added) {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match (old.get(key), new.get(key)) {
            (Some(old), Some(new)) => compare(&path, old, new, changed),
            _ => changed.push(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{CpuConfig, LogLevel};

    #[test]
    fn each_key_that_differs_is_named_and_no_other() {
        let before = Config::default();
        assert_eq!(before.changed_keys(&before), [""; 0]);
        let mut after = before.clone();
        after.log.level = LogLevel::Debug;
        after.labels.insert("site".into(), "fra1".into());
        after.collectors.cpu = Some(CpuConfig { modes: false, ..CpuConfig::default() });
        after.collectors.disk = None;
        let mut changed = before.changed_keys(&after);
        changed.sort();
        assert_eq!(changed, ["collectors.cpu.modes", "collectors.disk", "labels.site", "log.level"]);
    }
}
