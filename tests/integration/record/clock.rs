//! Wall clocks that are set while it records.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use crate::support::{
    Clock, TestDaemon, program,
    recorder::{Recorder, position, report, samples, target},
};

#[test]
fn a_clock_that_is_set_on_either_side_loses_and_doubles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let ours = tempfile::tempdir().unwrap();
    let theirs = tempfile::tempdir().unwrap();
    let (Some(ours), Some(theirs)) = (Clock::in_folder(ours.path()), Clock::in_folder(theirs.path())) else { return };
    let wrap = |_: &Path| {
        let mut command = Command::new(program());
        theirs.govern(&mut command);
        command
    };
    let daemon = TestDaemon::launch("[sampler]\ninterval = \"100ms\"\n", wrap, "127.0.0.1:0");
    let mut command = Command::new(program());
    ours.govern(&mut command);
    command.args([
        "record",
        &target("web-1", &format!("ws://{}", daemon.address)),
        "--rotate-every",
        "30m",
        "--output",
    ]);
    let mut recorder = Recorder::run(command.arg(folder.path()).stdin(Stdio::null()), folder.path());
    let host = folder.path().join("web-1");
    recorder.wait_for("web-1", 5);
    for (clock, step) in
        [(&theirs, "+1h"), (&ours, "+1h"), (&theirs, "-1h"), (&ours, "-1h"), (&theirs, "+0"), (&ours, "+0")]
    {
        clock.set(step);
        let newest = position(&host).unwrap().seq;
        recorder.wait_for("web-1", newest + 8);
    }
    // Started again, it goes on: neither its clock nor the daemon's has a say in that.
    ours.set("-1h");
    recorder.kill();
    let mut recorder = Recorder::run(&mut command, folder.path());
    let newest = position(&host).unwrap().seq;
    recorder.wait_for("web-1", newest + 8);
    assert_eq!(recorder.stop(), Some(0));

    let report = report(&host);
    assert!(report.is_whole(), "{report:?}");
    let times: Vec<_> = samples(&host).iter().map(|sample| sample.json["time"].as_i64().unwrap()).collect();
    let steps = times.windows(2).map(|pair| (pair[1] - pair[0]) as f64 / 3_600_000.0);
    let steps: Vec<_> = steps.map(f64::round).filter(|hours| *hours != 0.0).collect();
    assert_eq!(steps, [1.0, -2.0, 1.0]);
    // Each step of the recorder's own clock has begun a part: they stay in their order all the same.
    let parts = std::fs::read_dir(&host).unwrap().filter(|entry| !entry.as_ref().unwrap().path().ends_with(".lock"));
    assert!(parts.count() >= 5);
    let output = Command::new(program()).arg("verify").arg(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}
