//! Disks that are full, read-only, or whose folders go away.

use std::{fs, path::Path, thread, time::Duration};

use hostcast::protocol::GapReason;

use crate::support::{
    Pour, eventually,
    recorder::{FORMS, Recorder, accounts_for, samples, target},
    room_for, skipped,
};

#[test]
fn a_folder_that_is_removed_is_made_anew() {
    let pour = Pour::new();
    pour.publish(5);
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::start(folder.path(), &[target("web-1", &format!("ws://{}", pour.address))]);
    recorder.wait_for("web-1", 5);
    fs::remove_dir_all(folder.path().join("web-1")).unwrap();
    pour.publish(5);
    recorder.wait_for("web-1", 10);
    assert!(samples(&folder.path().join("web-1")).iter().map(|sample| sample.seq).eq(6..=10));
}

/// Unmounts when it is dropped, after everything that was declared later.
struct Mounted<'a>(&'a Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(self.0, rustix::mount::UnmountFlags::DETACH);
    }
}

/// A disk of 300 KiB with 150 KiB on it already, if we may mount one.
fn small_disk(folder: &Path) -> Option<Mounted<'_>> {
    if !rustix::process::geteuid().is_root() {
        skipped("only root can mount a small disk");
        return None;
    }
    let flags = rustix::mount::MountFlags::empty();
    rustix::mount::mount("tmpfs", folder, "tmpfs", flags, Some(c"size=300k")).unwrap();
    fs::write(folder.join("filler"), vec![0; 150 << 10]).unwrap();
    Some(Mounted(folder))
}

/// Publishes far more than the disk has room for, and as fast as the recorder follows.
fn fill(disk: &Path, pour: &Pour, bursts: usize) {
    for _ in 0..bursts {
        pour.publish(200);
        thread::sleep(Duration::from_millis(5));
    }
    // What does not fit is written whole or not at all, so there may be room for less than that.
    eventually("the disk is full", || {
        let free = rustix::fs::statvfs(disk).unwrap();
        free.f_bavail * free.f_frsize < 80 << 10
    });
    let last = samples(&disk.join("web-1")).last().map_or(0, |last| last.seq);
    assert!(last < pour.newest(), "all of it was written");
}

#[test]
fn a_disk_that_fills_costs_nothing_that_the_daemon_still_holds() {
    // A row is shorter than a line of JSON.
    for (form, bursts) in FORMS.into_iter().zip([20, 60]) {
        let folder = tempfile::tempdir().unwrap();
        let Some(_mounted) = small_disk(folder.path()) else { return };
        let pour = Pour::new();
        pour.publish(10);
        let recorder = Recorder::with(folder.path(), &[target("web-1", &format!("ws://{}", pour.address))], form);
        recorder.wait_for("web-1", 10);
        fill(folder.path(), &pour, bursts);
        fs::remove_file(folder.path().join("filler")).unwrap();
        recorder.wait_for("web-1", 1_000);
        rustix::mount::mount_remount(folder.path(), rustix::mount::MountFlags::empty(), c"size=20m").unwrap();
        recorder.wait_for("web-1", pour.newest());
        let report = accounts_for(&folder.path().join("web-1"), &pour);
        assert!(report.is_whole(), "{report:?}");
        drop(recorder);
    }
}

#[test]
fn what_neither_the_buffer_nor_the_ring_could_hold_while_the_disk_was_full_is_named_no_space() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_mounted) = small_disk(folder.path()) else { return };
    let room = room_for(1_000);
    let pour = Pour::with(|config| config.history.max_bytes = room);
    pour.publish(10);
    let targets = [target("web-1", &format!("ws://{}", pour.address))];
    let recorder = Recorder::with(folder.path(), &targets, &["--buffer", "1MiB"]);
    recorder.wait_for("web-1", 10);
    fill(folder.path(), &pour, 100);
    rustix::mount::mount_remount(folder.path(), rustix::mount::MountFlags::empty(), c"size=20m").unwrap();
    recorder.wait_for("web-1", pour.newest());
    let report = accounts_for(&folder.path().join("web-1"), &pour);
    let lost = report.gaps[&GapReason::NoSpace];
    assert!(lost.count == 1 && lost.samples > 1_000, "{report:?}");
    // The buffer was used before anything was given up.
    assert!(report.samples > 4_000, "{report:?}");
    drop(recorder);
}

#[test]
fn a_disk_that_is_read_only_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_mounted) = small_disk(folder.path()) else { return };
    let remount = |flags| rustix::mount::mount_remount(folder.path(), flags, c"").unwrap();
    remount(rustix::mount::MountFlags::RDONLY);
    let pour = Pour::new();
    pour.publish(10);
    let recorder = Recorder::start(folder.path(), &[target("web-1", &format!("ws://{}", pour.address))]);
    thread::sleep(Duration::from_millis(300));
    assert!(!folder.path().join("web-1").exists());
    remount(rustix::mount::MountFlags::empty());
    recorder.wait_for("web-1", 10);
    drop(recorder);
}
