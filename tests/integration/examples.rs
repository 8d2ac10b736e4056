//! The examples are run, each where its runtime is: they follow, lose their connection, and resume.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc,
    thread,
};

use crate::support::{PATIENCE, Proxy, TestDaemon};

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

fn has(program: &str, arguments: &[&str]) -> bool {
    let found = Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success());
    if !found {
        println!("skipped: no {program} {arguments:?}");
    }
    found
}

#[test]
fn the_example_in_javascript_resumes() {
    let check = "process.exit(typeof WebSocket === 'function' ? 0 : 1)";
    let flags: [&[&str]; 2] = [&[], &["--experimental-websocket", "--no-warnings"]];
    if let Some(flags) = flags.into_iter().find(|flags| has("node", &[flags, &["-e", check][..]].concat())) {
        resumes(Command::new("node").args(flags).arg(example("follow.mjs")), "ws");
    }
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
