//! The examples are run, each where its runtime is: they follow, lose their connection, and resume.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc,
    thread,
};

use crate::support::{Fault, PATIENCE, Proxy, TestDaemon, eventually};

fn example(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
    let lines = std::fs::read_to_string(&path).unwrap().lines().count();
    assert!(lines <= 60, "{name} has {lines} lines");
    path
}

/// Its connections are cut again and again; every sample has its line, once and in order.
fn resumes(command: &mut Command, scheme: &str) {
    let daemon = TestDaemon::start();
    daemon.wait_for(5);
    let proxy = Proxy::healthy(daemon.address.tcp());
    command.arg(format!("{scheme}://{}", proxy.address)).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let (send, lines) = mpsc::channel();
    thread::spawn(move || stdout.lines().map_while(Result::ok).all(|line| send.send(line).is_ok()));
    for seq in 1.. {
        if seq > 40 && proxy.connections() >= 3 {
            break;
        }
        let line = lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no line for sample {seq}"));
        assert_eq!(line.split(' ').next(), Some(&*seq.to_string()), "{line}");
        if seq % 15 == 0 {
            proxy.cut();
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Each line falls silent after a while, of which it is said that it never does so for longer than a second.
fn leaves_a_silent_line_soon(command: &mut Command) {
    let daemon = TestDaemon::with("[sampler]\ninterval = \"100ms\"\n[server]\nheartbeat = \"1s\"\n");
    let proxy = Proxy::start(daemon.address.tcp(), || Fault::Stall { after: 2_500 });
    let mut child = command.arg(proxy.url()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // With the patience that is usual it would take longer than any test has.
    eventually("three lines were left", || proxy.connections() >= 4);
    child.kill().unwrap();
    child.wait().unwrap();
}

fn has(program: &str, arguments: &[&str]) -> bool {
    let found = Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success());
    if !found {
        println!("skipped: no {program} {arguments:?}");
    }
    found
}

#[test]
fn the_example_in_javascript_resumes() {
    if let Some(mut node) = node() {
        resumes(node.arg(example("follow.mjs")), "ws");
    }
}

#[test]
fn the_examples_believe_a_silence_of_three_heartbeats() {
    if let Some(mut node) = node() {
        leaves_a_silent_line_soon(node.arg(example("follow.mjs")));
    }
    if has("java", &["--version"]) {
        leaves_a_silent_line_soon(Command::new("java").arg(example("Follow.java")));
    }
}

/// A `Node.js` that has `WebSocket`.
fn node() -> Option<Command> {
    let check = "process.exit(typeof WebSocket === 'function' ? 0 : 1)";
    let flags: [&[&str]; 2] = [&[], &["--experimental-websocket", "--no-warnings"]];
    let flags = flags.into_iter().find(|flags| has("node", &[flags, &["-e", check][..]].concat()))?;
    let mut node = Command::new("node");
    node.args(flags);
    Some(node)
}

#[test]
fn the_example_in_java_resumes() {
    let path = example("Follow.java");
    if has("java", &["--version"]) {
        resumes(Command::new("java").arg(path), "ws");
    }
}

#[test]
fn the_example_in_shell_resumes() {
    let path = example("follow.sh");
    if has("curl", &["--version"]) && has("jq", &["--version"]) {
        resumes(Command::new("sh").arg(path), "http");
    }
}

#[test]
fn the_example_in_rust_resumes() {
    example("follow.rs");
    // Cargo builds the examples with the tests, beside the program.
    let built = crate::support::program().with_file_name("examples").join("follow");
    if built.exists() {
        resumes(&mut Command::new(built), "ws");
    } else {
        println!("skipped: {} was not built", built.display());
    }
}

#[test]
fn the_example_in_python_resumes() {
    let path = example("follow.py");
    if let Some(python) = crate::clients::python() {
        resumes(Command::new(python).arg(path), "ws");
    }
}
