//! What `hostcast check` says about files, variables and flags, and how `hostcast` answers on the command line.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use hostcast::config::{Config, SYSTEM_FILE, Source};

/// The program in an environment without variables of ours.
fn hostcast(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hostcast"));
    command.args(arguments).env_clear();
    command
}

fn run(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn configs(kind: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/configs").join(kind);
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

fn load(path: &Path) -> Result<Config, String> {
    let source = Source { file: Some(path.to_owned()), ..Source::default() };
    source.load().map(|loaded| loaded.config).map_err(|error| error.to_string())
}

/// A file with this text, and its folder, which goes when it is dropped.
fn file(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

fn printed(command: &mut Command) -> toml::Table {
    let (code, stdout, stderr) = run(command);
    assert_eq!(code, Some(0), "{stderr}");
    stdout.parse().unwrap()
}

#[test]
fn valid_files_are_read_and_print_to_the_same() {
    for path in configs("valid") {
        let config = load(&path).unwrap();
        let (_folder, printed) = file(&config.to_toml());
        assert_eq!(load(Path::new(&printed)).unwrap(), config, "{}", path.display());
    }
}

/// With `BLESS=1` the expected lines are written instead of compared.
#[test]
fn invalid_files_are_refused_with_these_lines() {
    for path in configs("invalid") {
        let name = path.file_name().unwrap().to_str().unwrap();
        let error = load(&path).expect_err(name);
        let lines = error.replace(path.to_str().unwrap(), name) + "\n";
        let golden = path.with_extension("stderr");
        if env::var_os("BLESS").is_some() {
            fs::write(&golden, lines).unwrap();
        } else {
            assert_eq!(lines, fs::read_to_string(&golden).unwrap_or_default(), "{name}");
        }
    }
}

#[test]
fn check_accepts_a_good_file() {
    let (_folder, path) = file("[sampler]\ninterval = \"2s\"\n");
    assert_eq!(run(&mut hostcast(&["check", &path])), (Some(0), format!("{path}: ok\n"), String::new()));
    let mut by_variable = hostcast(&["check"]);
    assert_eq!(run(by_variable.env("HOSTCAST_CONFIG", &path)), (Some(0), format!("{path}: ok\n"), String::new()));
}

#[test]
fn check_needs_no_file() {
    if Path::new(SYSTEM_FILE).exists() {
        return;
    }
    assert_eq!(run(&mut hostcast(&["check"])), (Some(0), "built-in defaults: ok\n".to_owned(), String::new()));
}

#[test]
fn a_wrong_configuration_ends_with_78_and_a_line_for_each_problem() {
    let (_folder, path) = file("[sampler]\nintervall = \"2s\"\n[log]\nlevel = \"loud\"\n");
    let lines = format!(
        "{path}:2:1: sampler.intervall: unknown key; did you mean \"interval\"?\n\
         {path}:4:9: log.level: expected one of \"error\", \"warn\", \"info\", \"debug\", \"trace\", found \"loud\"\n"
    );
    assert_eq!(run(&mut hostcast(&["check", &path])), (Some(78), String::new(), lines.clone()));
    assert_eq!(run(&mut hostcast(&["serve", "--config", &path])), (Some(78), String::new(), lines));
    let missing = "/no/such/file.toml: no such file\n".to_owned();
    assert_eq!(run(&mut hostcast(&["serve", "-c", "/no/such/file.toml"])), (Some(78), String::new(), missing));
}

#[test]
fn a_problem_names_the_variable_or_the_flag() {
    let (_folder, path) = file("");
    let mut check = hostcast(&["check", &path, "--listen", "[::1]:7117", "--listen", "localhost:7117"]);
    let (code, _, stderr) =
        run(check.env("HOSTCAST_SAMPLER_INTERVAL", "50ms").env("HOSTCAST_LABELS_SITE", "a\u{1b}[2J"));
    assert_eq!(code, Some(78));
    assert_eq!(
        stderr,
        "environment variable HOSTCAST_SAMPLER_INTERVAL: sampler.interval: \"50ms\" is too short: at least 100ms, \
         because the kernel counts CPU time in ticks of 10 ms\n\
         environment variable HOSTCAST_LABELS_SITE: labels.site: \"a\\u{1b}[2J\" has a control character\n\
         --listen: server.listen: expected an address like \"127.0.0.1:7117\", found \"localhost:7117\"; \
         did you mean \"127.0.0.1:7117\"?\n"
    );
}

#[test]
fn what_kubernetes_sets_is_only_a_warning() {
    let (_folder, path) = file("");
    let (code, stdout, stderr) = run(hostcast(&["check", &path]).env("HOSTCAST_PORT", "tcp://10.0.0.1:7117"));
    assert_eq!((code, stdout), (Some(0), format!("{path}: ok\n")));
    assert_eq!(stderr, "warning: environment variable HOSTCAST_PORT: unknown, ignored\n");
}

#[test]
fn stronger_layers_win() {
    let (_folder, path) = file("[sampler]\ninterval = \"2s\"\n[history]\nwindow = \"2m\"\n[log]\nlevel = \"warn\"\n");
    let mut check = hostcast(&["check", &path, "--print", "--log-level", "trace"]);
    check.env("HOSTCAST_HISTORY_WINDOW", "3m").env("HOSTCAST_LOG_LEVEL", "debug");
    let config = printed(&mut check);
    assert_eq!(config["server"]["heartbeat"].as_str(), Some("5s"), "the default");
    assert_eq!(config["sampler"]["interval"].as_str(), Some("2s"), "the file");
    assert_eq!(config["history"]["window"].as_str(), Some("3m"), "the environment");
    assert_eq!(config["log"]["level"].as_str(), Some("trace"), "the flag");
}

#[test]
fn variables_reach_lists_collectors_limits_and_labels() {
    let (_folder, path) =
        file("[collectors]\nload = false\ndisk = { exclude = [\"sd*\"] }\n[server]\nlisten = \"[::1]:1\"\n");
    let mut check = hostcast(&["check", &path, "--print"]);
    check
        .env("HOSTCAST_SERVER_LISTEN", "127.0.0.1:7117, unix:/run/hostcast.sock")
        .env("HOSTCAST_SERVER_LIMITS_MAX_CONNECTIONS", "5")
        .env("HOSTCAST_COLLECTORS_CPU", "false")
        .env("HOSTCAST_COLLECTORS_LOAD", "true")
        .env("HOSTCAST_COLLECTORS_LOAD_EVERY", "5s")
        .env("HOSTCAST_COLLECTORS_DISK", "true")
        .env("HOSTCAST_COLLECTORS_NETWORK_EXCLUDE", "")
        .env("HOSTCAST_LABELS_SITE", "fra1");
    let config = printed(&mut check);
    let listen: Vec<_> =
        config["server"]["listen"].as_array().unwrap().iter().filter_map(toml::Value::as_str).collect();
    assert_eq!(listen, ["127.0.0.1:7117", "unix:/run/hostcast.sock"]);
    assert_eq!(config["server"]["limits"]["max_connections"].as_integer(), Some(5));
    let collectors = &config["collectors"];
    assert_eq!(collectors["cpu"].as_bool(), Some(false));
    assert_eq!(collectors["load"]["every"].as_str(), Some("5s"));
    assert_eq!(collectors["disk"]["exclude"][0].as_str(), Some("sd*"), "turning on keeps the file's settings");
    assert_eq!(collectors["network"]["exclude"].as_array().map(Vec::len), Some(0));
    assert_eq!(config["labels"]["site"].as_str(), Some("fra1"));
}

#[test]
fn the_version_names_the_commit_where_it_is_known() {
    let (code, stdout, _) = run(&mut hostcast(&["--version"]));
    assert_eq!(code, Some(0));
    let rest = stdout.strip_prefix(concat!("hostcast ", env!("CARGO_PKG_VERSION"))).unwrap();
    let is_bracketed = rest.starts_with(" (") && rest.ends_with(")\n");
    assert!(rest == "\n" || is_bracketed, "{stdout}");
}

#[test]
fn each_help_has_examples_and_exit_codes() {
    for arguments in [&["--help"][..], &["serve", "--help"], &["check", "--help"], &["token", "--help"]] {
        let (code, stdout, _) = run(&mut hostcast(arguments));
        assert_eq!(code, Some(0));
        assert!(stdout.contains("Examples:\n  hostcast ") && stdout.contains("78 the configuration"), "{stdout}");
    }
}

#[test]
fn wrong_usage_ends_with_2() {
    for arguments in [&[][..], &["observe"], &["serve", "--colour"], &["check", "a", "b"]] {
        assert_eq!(run(&mut hostcast(arguments)).0, Some(2), "{arguments:?}");
    }
}

#[test]
fn an_address_that_others_can_reach_is_refused_in_one_line_that_says_what_to_do() {
    let (_folder, path) = file("");
    let line = |listen: &str| {
        format!(
            "--listen: server.listen: others can reach {listen}, and nothing asks who they are: set server.auth = \"token\" \
             and make one with `hostcast token add NAME`, or set \"none\" if everyone may read\n"
        )
    };
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.7:7117"] {
        for command in ["serve", "check"] {
            let mut refused = hostcast(&[command, "--config", &path, "--listen", listen]);
            assert_eq!(run(&mut refused), (Some(78), String::new(), line(listen)), "{command}");
        }
        for auth in ["token", "none"] {
            let mut allowed = hostcast(&["check", "--config", &path, "--listen", listen]);
            assert_eq!(run(allowed.env("HOSTCAST_SERVER_AUTH", auth)).0, Some(0));
        }
    }
}
