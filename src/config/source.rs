//! Finds the layers and loads them.

use std::{
    ffi::OsString,
    fmt, fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Config, environment, read,
    tree::{File, Node, Origin, Table, Value, overlay, quoted},
};

/// The file that is used where none is named, if it exists.
pub const SYSTEM_FILE: &str = "/etc/hostcast/config.toml";

/// No configuration is larger; what is larger is some other file.
const LARGEST_FILE: u64 = 1 << 20;

/// Where the configuration comes from. Loading it again reads a changed file, under the same environment and flags.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// The file, if any.
    pub file: Option<PathBuf>,
    /// The environment; variables that do not start with `HOSTCAST_` are ignored.
    pub environment: Vec<(OsString, OsString)>,
    /// Flags of the command line, which win over all else.
    pub flags: Vec<Flag>,
    /// What such a flag has by default, where this command has defaults of its own: all else wins over it.
    pub defaults: Vec<Flag>,
}

/// A flag that sets a key.
#[derive(Clone, Debug)]
pub struct Flag {
    /// As it is typed, such as `--interval`.
    pub name: &'static str,
    /// The path of its key, such as `sampler.interval`.
    pub key: &'static str,
    /// What was given; more than one value is a list.
    pub values: Vec<String>,
}

/// A configuration that is valid, and what should be said about it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// One line each on what was ignored.
    pub warnings: Vec<String>,
}

/// A configuration that cannot be used. Displayed as one line for each problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidConfig {
    problems: Vec<String>,
}

impl Source {
    /// The file that was named, by a flag or in `HOSTCAST_CONFIG`, or else the system's if it exists.
    pub fn find(named: Option<PathBuf>, environment: Vec<(OsString, OsString)>, flags: Vec<Flag>) -> Self {
        let in_environment = || {
            let (_, file) = environment.iter().find(|(name, _)| name == environment::FILE)?;
            (!file.is_empty()).then(|| PathBuf::from(file))
        };
        // A file that cannot be looked at is there: reading it says why it cannot be read.
        let of_system = || Some(PathBuf::from(SYSTEM_FILE)).filter(|file| file.try_exists().unwrap_or(true));
        let file = named.or_else(in_environment).or_else(of_system);
        Self { file, environment, flags, defaults: Vec::new() }
    }

    /// Reads every layer and checks it.
    pub fn load(&self) -> Result<Loaded, InvalidConfig> {
        let mut tree = match &self.file {
            Some(path) => parse_file(path).map_err(|problem| InvalidConfig { problems: vec![problem] })?,
            None => Table::new(),
        };
        let in_environment = environment::lay(&self.environment, &mut tree);
        for flag in &self.flags {
            flag.lay(&mut tree);
        }
        for default in &self.defaults {
            if !default.is_set(&tree) {
                default.lay(&mut tree);
            }
        }
        match (read::read(&tree), in_environment) {
            (Ok(config), Ok(warnings)) => Ok(Loaded { config, warnings }),
            (config, in_environment) => {
                let mut problems = config.err().unwrap_or_default();
                problems.extend(in_environment.err().unwrap_or_default());
                Err(InvalidConfig { problems })
            }
        }
    }
}

impl fmt::Display for Source {
    /// What a message calls it: the file, or the built-in defaults.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(path) => f.write_str(&file_name(path)),
            None => f.write_str("built-in defaults"),
        }
    }
}

impl Flag {
    /// Whether anything says what its key shall be.
    fn is_set(&self, tree: &Table) -> bool {
        let mut table = tree;
        for name in self.key.split('.') {
            match table.get(name).map(|node| &node.value) {
                None => return false,
                Some(Value::Table(inner)) => table = inner,
                Some(_) => return true,
            }
        }
        true
    }

    fn lay(&self, tree: &mut Table) {
        let origin = Origin::Flag(self.name);
        let value = match self.values.as_slice() {
            [] => return,
            [one] => Value::Text(one.clone()),
            several => {
                let node =
                    |text: &String| Node { key: origin.clone(), at: origin.clone(), value: Value::Text(text.clone()) };
                Value::Array(several.iter().map(node).collect())
            }
        };
        let path: Vec<_> = self.key.split('.').collect();
        overlay(tree, &path, &origin, value);
    }
}

impl InvalidConfig {
    /// Each problem: where it is and what it is, on one line.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }
}

impl fmt::Display for InvalidConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problems.join("\n"))
    }
}

impl std::error::Error for InvalidConfig {}

fn parse_file(path: &Path) -> Result<Table, String> {
    let name = file_name(path);
    let text = read_file(path).map_err(|problem| format!("{name}: {problem}"))?;
    Arc::new(File { name, text }).parse()
}

fn read_file(path: &Path) -> Result<String, String> {
    let cannot = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "is a directory, not a file".to_owned(),
        _ => error.to_string(),
    };
    let mut bytes = Vec::new();
    fs::File::open(path).and_then(|file| file.take(LARGEST_FILE + 1).read_to_end(&mut bytes)).map_err(cannot)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err("larger than 1 MiB".to_owned());
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        format!("not valid UTF-8 in line {}", valid.split(|byte| *byte == b'\n').count())
    })
}

/// A path as it was given, unless it would break the line.
fn file_name(path: &Path) -> String {
    let name = path.display().to_string();
    if name.contains(char::is_control) { quoted(&name) } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_that_is_named_first_counts() {
        let find = |named: Option<&str>, variable: &str| {
            Source::find(named.map(PathBuf::from), vec![("HOSTCAST_CONFIG".into(), variable.into())], Vec::new()).file
        };
        assert_eq!(find(Some("flag.toml"), "variable.toml"), Some("flag.toml".into()));
        assert_eq!(find(None, "variable.toml"), Some("variable.toml".into()));
        let of_system = Path::new(SYSTEM_FILE).exists().then(|| SYSTEM_FILE.into());
        assert_eq!(find(None, ""), of_system);
    }

    #[test]
    fn loading_again_reads_a_changed_file_under_the_same_flags() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let flag = Flag { name: "--log-level", key: "log.level", values: vec!["debug".to_owned()] };
        let source = Source::find(Some(file.path().to_owned()), Vec::new(), vec![flag]);
        assert_eq!(source.load().unwrap().config.sampler.interval.as_secs(), 1);
        fs::write(&file, "sampler.interval = '2s'\nlog.level = 'warn'").unwrap();
        let config = source.load().unwrap().config;
        assert_eq!((config.sampler.interval.as_secs(), config.log.level.name()), (2, "debug"));
    }

    #[test]
    fn a_default_of_a_command_holds_where_neither_file_nor_flag_says_anything() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let listen =
            |port: &str| Flag { name: "--listen", key: "server.listen", values: vec![format!("127.0.0.1:{port}")] };
        let port = |text: &str, flags: Vec<Flag>| {
            fs::write(&file, text).unwrap();
            let source = Source {
                file: Some(file.path().to_owned()),
                flags,
                defaults: vec![listen("7118")],
                ..Source::default()
            };
            source.load().unwrap().config.server.listen[0].to_string()
        };
        for text in ["", "[server]\nheartbeat = '1s'", "log.level = 'warn'"] {
            assert_eq!(port(text, Vec::new()), "127.0.0.1:7118", "{text:?}");
        }
        // Also where it says what is the default of all others.
        assert_eq!(port("server.listen = '127.0.0.1:7117'", Vec::new()), "127.0.0.1:7117");
        assert_eq!(port("", vec![listen("7119")]), "127.0.0.1:7119");
    }

    #[test]
    fn a_variable_that_is_not_text_is_a_problem() {
        use std::os::unix::ffi::OsStringExt as _;
        let value = OsString::from_vec(vec![0xff]);
        let source = Source { environment: vec![("HOSTCAST_LABELS_SITE".into(), value)], ..Source::default() };
        let problem = "environment variable HOSTCAST_LABELS_SITE: labels.site: not valid UTF-8";
        assert_eq!(source.load().unwrap_err().problems(), [problem]);
    }
}
