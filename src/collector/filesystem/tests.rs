use super::*;
use crate::{collector::tests::in_mount_namespace, config::Patterns};
use std::{
    ffi::CString,
    fs::{self, File},
    io::{Read, Write},
    os::fd::AsRawFd,
    thread,
    time::{Duration, Instant},
};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

fn collect(filesystem: &mut Filesystem) -> (Shape, Vec<f64>, String) {
    let mut fill = Fill::new(Duration::ZERO, 16);
    let shape = filesystem.collect(&mut fill).expect("a mount table");
    assert_eq!(fill.len(), filesystem.series().len());
    let problem = fill.take_problem().unwrap_or_default();
    (shape, fill.into_values().into(), problem)
}

fn values_at<'a>(filesystem: &Filesystem, values: &'a [f64], place: &Path) -> &'a [f64] {
    let mounts = filesystem.mounts.as_deref().expect("a reading");
    let at = mounts.iter().position(|mounted| mounted.mount.path == place).expect("the mount");
    &values[4 * at..4 * at + 4]
}

#[test]
fn first_reading_has_the_values_of_this_host() {
    let everything =
        FilesystemConfig { every: None, exclude_types: Patterns::default(), exclude_mountpoints: Patterns::default() };
    let mut filesystem = Filesystem::new(&everything);
    let (shape, values, problem) = collect(&mut filesystem);
    assert_eq!(shape, Shape::Changed);
    let root = values_at(&filesystem, &values, Path::new("/"));
    let truth = probe::statvfs(Path::new("/")).expect("a root");
    assert!((root[0] - truth.used as f64).abs() < 256e6, "{root:?} {truth:?} {problem}");
    assert_eq!(root[..3].iter().sum::<f64>().to_bits(), root[3].to_bits());
}

#[test]
fn a_mount_that_fails_is_named_and_the_rest_has_values() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let table = dir.path().join("mountinfo");
    let good = "27 1 254:0 / / rw - ext4 /dev/vda rw\n";
    fs::write(&table, format!("{good}28 1 254:1 / /no/such/place rw - ext4 /dev/vdb rw\n")).expect("written");
    let mut filesystem = Filesystem::new(&FilesystemConfig::default());
    filesystem.mountinfo = KeptFile::new(&table);
    let (_, values, problem) = collect(&mut filesystem);
    assert!(problem.contains("/no/such/place") && !problem.contains('\n'), "{problem}");
    assert!(values_at(&filesystem, &values, Path::new("/")).iter().all(|value| !value.is_nan()));
    assert!(values_at(&filesystem, &values, Path::new("/no/such/place")).iter().all(|value| value.is_nan()));

    fs::write(&table, good).expect("written");
    let (shape, values, problem) = collect(&mut filesystem);
    assert_eq!((shape, values.len(), &*problem), (Shape::Changed, 4, ""));
    assert_eq!(collect(&mut filesystem).0, Shape::Same);
}

#[test]
fn a_hung_mount_does_not_stall_the_others() {
    if !Path::new("/dev/fuse").exists() {
        println!("skipped: no /dev/fuse");
        return;
    }
    in_mount_namespace("filesystem::tests::a_hung_mount_does_not_stall_the_others", beside_a_hung_mount);
}

fn beside_a_hung_mount() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (fine, hung) = (dir.path().join("fine"), dir.path().join("hung"));
    fs::create_dir(&fine).and_then(|()| fs::create_dir(&hung)).expect("mount points");
    mount("fine", &fine, "tmpfs", MountFlags::empty(), Some(c"size=8192k")).expect("a tmpfs");
    let server = File::options().read(true).write(true).open("/dev/fuse").expect("FUSE");
    let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", server.as_raw_fd());
    let options = CString::new(options).expect("a string");
    mount("nobody", &hung, "fuse", MountFlags::empty(), Some(&*options)).expect("a FUSE mount");

    let everything =
        FilesystemConfig { every: None, exclude_types: Patterns::default(), exclude_mountpoints: Patterns::default() };
    let mut filesystem = Filesystem::new(&everything);
    let mut reading = || {
        let start = Instant::now();
        let (_, values, problem) = collect(&mut filesystem);
        let took = start.elapsed();
        let fine = values_at(&filesystem, &values, &fine).to_vec();
        (took, fine, values_at(&filesystem, &values, &hung).to_vec(), problem)
    };

    let (mut read, limit) = (0, Instant::now() + Duration::from_secs(30));
    while read < 20 {
        assert!(Instant::now() < limit, "{read} readings in half a minute");
        let (took, fine, of_hung, problem) = reading();
        println!("a reading beside a hung mount took {took:?}");
        assert!(took < Duration::from_secs(2), "{took:?}");
        assert!(of_hung.iter().all(|value| value.is_nan()));
        // On a busy machine the others may not answer within the sampler's patience either.
        if !fine[3].is_nan() {
            assert_eq!(fine[3].to_bits(), f64::from(8192 << 10).to_bits(), "{problem}");
            assert!(problem.contains(&*hung.to_string_lossy()) && !problem.contains("fine"), "{problem}");
            read += 1;
        }
    }
    assert_eq!(threads_named("statvfs"), 2, "the one that hangs, and the one that took over");

    let serving = server.try_clone().expect("a descriptor");
    thread::spawn(move || serve(serving));
    let limit = Instant::now() + Duration::from_secs(10);
    loop {
        let (_, _, of_hung, _) = reading();
        if of_hung.iter().all(|value| !value.is_nan()) {
            assert_eq!(of_hung, [4096.0 * 60.0, 4096.0 * 30.0, 4096.0 * 10.0, 4096.0 * 100.0]);
            break;
        }
        assert!(Instant::now() < limit, "the mount answers, and is not used again");
        thread::sleep(Duration::from_millis(5));
    }
    unmount(&hung, UnmountFlags::DETACH).and_then(|()| unmount(&fine, UnmountFlags::DETACH)).expect("unmounted");
}

fn threads_named(name: &str) -> usize {
    let tasks = fs::read_dir("/proc/self/task").expect("threads").flatten();
    tasks.filter(|task| fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.trim() == name)).count()
}

/// The smallest FUSE server: has 100 blocks of 4096 bytes, 40 of them free, 30 for anybody.
fn serve(mut fuse: File) {
    let mut request = vec![0; 1 << 20];
    while let Ok(len) = fuse.read(&mut request) {
        let opcode = u32::from_ne_bytes(request[4..8].try_into().expect("a header"));
        let body = match opcode {
            // INIT: protocol 7.31, writes of up to 4096 bytes.
            26 => [7, 31, 0, 0, 0, 4096, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0].map(u32::to_ne_bytes).concat(),
            // STATFS
            17 => {
                let counts = [100, 40, 30, 10, 10].map(u64::to_ne_bytes).concat();
                [counts, [4096, 255, 4096, 0, 0, 0, 0, 0, 0, 0].map(u32::to_ne_bytes).concat()].concat()
            }
            _ => Vec::new(),
        };
        let error: i32 = if body.is_empty() { -38 } else { 0 };
        let length = (16 + body.len()) as u32;
        let mut reply = [length.to_ne_bytes(), error.to_ne_bytes()].concat();
        reply.extend_from_slice(&request[8..16.min(len)]);
        reply.extend_from_slice(&body);
        if fuse.write_all(&reply).is_err() {
            break;
        }
    }
}
