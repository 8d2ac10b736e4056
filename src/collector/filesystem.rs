//! Space on filesystems: the mount table, and `statvfs` of each.
//!
//! `statvfs` of a dead server or a failing disk may block for good. So it is called on a thread of
//! its own (see [`probe`]), and a mount that does not answer has no values while the others do.

use std::{io, path::Path};

use self::{
    mounts::Mount,
    probe::{Prober, Usage},
};
use super::{CollectError, Collector, Fill, Shape, source::KeptFile};
use crate::{config::FilesystemConfig, metric, sample::Series};

mod mounts;
mod probe;

pub(super) struct Filesystem {
    config: FilesystemConfig,
    mountinfo: KeptFile,
    prober: Prober,
    mounts: Option<Vec<Mounted>>,
    asked: u64,
    series: Vec<Series>,
}

/// A mount that is published, and what is known of it.
struct Mounted {
    mount: Mount,
    /// The question that has no answer yet: at most one at a time.
    pending: Option<u64>,
    /// The answer since the last reading. After a late one it is as old as one period at most,
    /// and is handed out once.
    answer: Option<io::Result<Usage>>,
}

impl Filesystem {
    pub(super) fn new(config: &FilesystemConfig) -> Self {
        Self {
            config: config.clone(),
            mountinfo: KeptFile::new("/proc/self/mountinfo"),
            prober: Prober::new(probe::statvfs),
            mounts: None,
            asked: 0,
            series: Vec::new(),
        }
    }

    /// Makes these the mounts; those that stay keep their question and their answer.
    fn set_mounts(&mut self, found: Vec<Mount>) -> Shape {
        let mut known = match &mut self.mounts {
            Some(mounts) if mounts.iter().map(|mounted| &mounted.mount).eq(&found) => return Shape::Same,
            mounts => mounts.take().unwrap_or_default(),
        };
        self.series = found.iter().flat_map(series).collect();
        let mounted = |mount| match known.iter().position(|mounted| mounted.mount == mount) {
            Some(at) => known.swap_remove(at),
            None => Mounted { mount, pending: None, answer: None },
        };
        self.mounts = Some(found.into_iter().map(mounted).collect());
        Shape::Changed
    }

    /// Asks for the usage of each mount, and takes the answers that come at once.
    fn probe(&mut self) -> io::Result<()> {
        let mounts = self.mounts.as_deref_mut().unwrap_or_default();
        for mounted in mounts.iter_mut().filter(|mounted| mounted.pending.is_none()) {
            self.asked += 1;
            mounted.pending = Some(self.asked);
            self.prober.ask(self.asked, &mounted.mount.path);
        }
        for answer in self.prober.answers()? {
            // None waits for an answer about a mount that has gone.
            if let Some(mounted) = mounts.iter_mut().find(|mounted| mounted.pending == Some(answer.question)) {
                mounted.pending = None;
                mounted.answer = Some(answer.usage);
            }
        }
        Ok(())
    }
}

impl Collector for Filesystem {
    fn name(&self) -> &'static str {
        "filesystem"
    }

    fn collect(&mut self, fill: &mut Fill) -> Result<Shape, CollectError> {
        let found = match mounts::parse(self.mountinfo.read()?) {
            Ok(mounts) => mounts::select(mounts, &self.config),
            Err(line) => return Err(self.mountinfo.odd(&line)),
        };
        let shape = self.set_mounts(found);
        if let Err(error) = self.probe() {
            fill.problem(format!("cannot start a thread to ask filesystems: {error}"));
        }
        for mounted in self.mounts.iter_mut().flatten() {
            let usage = match mounted.answer.take() {
                Some(Ok(usage)) => Some(usage),
                Some(Err(error)) => {
                    fill.problem(format!("cannot read {}: {error}", mounted.mount.path.display()));
                    None
                }
                None => {
                    fill.problem(format!("{} does not answer", mounted.mount.path.display()));
                    None
                }
            };
            fill.push(usage.map(|usage| usage.used as f64));
            fill.push(usage.map(|usage| usage.free as f64));
            fill.push(usage.map(|usage| usage.reserved as f64));
            fill.push(usage.map(|usage| (usage.used + usage.free + usage.reserved) as f64));
        }
        Ok(shape)
    }

    fn series(&self) -> &[Series] {
        &self.series
    }
}

fn series(mount: &Mount) -> [Series; 4] {
    let (device, path) = (("system.device", &*mount.source), Path::to_string_lossy(&mount.path));
    let place = ("system.filesystem.mountpoint", &*path);
    let usage = |state| Series::new(metric::FILESYSTEM_USAGE, [device, place, ("system.filesystem.state", state)]);
    [usage("used"), usage("free"), usage("reserved"), Series::new(metric::FILESYSTEM_LIMIT, [device, place])]
}

#[cfg(test)]
mod tests;
