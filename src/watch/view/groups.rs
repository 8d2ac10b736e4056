//! What belongs together in the full view of a host. What no group knows is shown, too: a later daemon may measure more.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use ratatui::{
    style::Stylize as _,
    text::{Line, Span},
};

use super::meter::bar;
use crate::{protocol::SeriesText, units, watch::readings::Readings};

type Lines = Vec<Line<'static>>;

/// The readings of a host, of which each is shown once.
pub(super) struct Sheet<'a> {
    by_name: BTreeMap<&'a str, Vec<(&'a SeriesText, Option<f64>)>>,
    shown: RefCell<BTreeSet<&'a str>>,
}

impl<'a> Sheet<'a> {
    /// Where they are not fresh, which series there are is all that is known.
    pub(super) fn new(readings: &'a Readings, is_fresh: bool) -> Self {
        let mut by_name: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (series, value) in readings.all() {
            by_name.entry(&*series.name).or_default().push((series, value.filter(|_| is_fresh)));
        }
        Self { by_name, shown: RefCell::default() }
    }

    fn all(&self, name: &str) -> &[(&'a SeriesText, Option<f64>)] {
        let Some((name, all)) = self.by_name.get_key_value(name) else { return &[] };
        self.shown.borrow_mut().insert(name);
        all
    }

    /// The one with exactly these attributes.
    pub(super) fn one(&self, name: &str, attributes: &[(&str, &str)]) -> Option<f64> {
        let fits = |(series, _): &&(&SeriesText, Option<f64>)| {
            series.attributes.len() == attributes.len() && has(series, attributes)
        };
        self.all(name).iter().find(fits).and_then(|(_, value)| *value)
    }

    /// The different values of an attribute, in the order of the series.
    fn values_of(&self, name: &str, key: &str) -> Vec<&'a str> {
        let mut values = Vec::new();
        for (series, _) in self.all(name) {
            if let Some(value) = series.attributes.get(key).map(String::as_str).filter(|value| !values.contains(value))
            {
                values.push(value);
            }
        }
        values
    }

    /// The first one that has these attributes, whatever others it has.
    fn with(&self, name: &str, attributes: &[(&str, &str)]) -> Option<f64> {
        self.all(name).iter().find(|(series, _)| has(series, attributes)).and_then(|(_, value)| *value)
    }
}

fn has(series: &SeriesText, attributes: &[(&str, &str)]) -> bool {
    attributes.iter().all(|(key, value)| series.attributes.get(*key).is_some_and(|is| is == value))
}

const CPU: &str = "system.cpu.utilization";
const CORE: &str = "cpu.logical_number";
/// A core's number, its bar and its percentage.
const CORE_WIDTH: u16 = 26;
const CORE_BAR: u16 = 12;

pub(super) fn cpu(sheet: &Sheet, width: u16) -> Lines {
    let mut lines = Vec::new();
    let modes = sheet.values_of(CPU, "cpu.mode");
    let share = |mode: &&str| format!("{mode} {}", units::percent(sheet.one(CPU, &[("cpu.mode", mode)])));
    lines.extend(modes.chunks(4).map(|modes| text(&modes.iter().map(share).collect::<Vec<_>>())));
    let cores: Vec<_> =
        sheet.all(CPU).iter().filter_map(|(series, value)| Some((series.attributes.get(CORE)?, *value))).collect();
    let in_a_row = (width.saturating_sub(2) / CORE_WIDTH).clamp(1, 8);
    for row in cores.chunks(in_a_row.into()) {
        let mut line = Line::from("");
        for (core, busy) in row {
            line.push_span(format!("  {core:>3} "));
            line.push_span(bar(*busy, CORE_BAR));
            line.push_span(Span::raw(format!(" {:>7}", units::percent(*busy))));
        }
        lines.push(line);
    }
    if sheet.all("system.cpu.load_average.1m").is_empty() {
        return lines;
    }
    let load = ["1m", "5m", "15m"].map(|span| units::load(sheet.one(&format!("system.cpu.load_average.{span}"), &[])));
    lines.push(text(&[format!("load {}", load.join(" "))]));
    lines
}

pub(super) fn memory(sheet: &Sheet) -> Lines {
    let of = |name: &str, key: &str| {
        let states = sheet.values_of(name, key);
        let parts = states.iter().map(|state| format!("{state} {}", units::bytes(sheet.one(name, &[(key, state)]))));
        parts.collect::<Vec<_>>()
    };
    let mut memory = of("system.memory.usage", "system.memory.state");
    memory.push(format!("of {}", units::bytes(sheet.one("system.memory.limit", &[]))));
    let mut lines = vec![text(&memory)];
    let mut rest = Vec::new();
    if !sheet.all("system.linux.memory.available").is_empty() {
        let available = units::bytes(sheet.one("system.linux.memory.available", &[]));
        rest.push(format!("available {available}"));
    }
    let swap = of("system.paging.usage", "system.paging.state");
    if !swap.is_empty() {
        rest.push(format!("swap {}", swap.join("  ")));
    }
    if !rest.is_empty() {
        lines.push(text(&rest));
    }
    lines
}

pub(super) fn pressure(sheet: &Sheet) -> Lines {
    const NAME: &str = "system.linux.pressure";
    let resources = sheet.values_of(NAME, "system.pressure.resource");
    let line = |resource: &&str| {
        let level = |level| {
            units::percent(
                sheet.with(NAME, &[("system.pressure.resource", resource), ("system.pressure.level", level)]),
            )
        };
        let full = if *resource == "cpu" { String::new() } else { format!("  full {:>7}", level("full")) };
        Line::raw(format!("  {resource:10} some {:>7}{full}", level("some")))
    };
    resources.iter().map(line).collect()
}

/// A table: a row for each of these devices, a number for each of these heads.
fn table<const N: usize>(devices: &[&str], heads: [&str; N], numbers: impl Fn(&str) -> [String; N]) -> Lines {
    if devices.is_empty() {
        return Vec::new();
    }
    let row = |name: &str, cells: &[&str]| {
        let cells: Vec<_> = cells.iter().map(|cell| format!("{cell:>10}")).collect();
        format!("  {name:11} {}", cells.join(" "))
    };
    let mut lines = vec![Line::raw(row("", &heads)).dim()];
    lines.extend(devices.iter().map(|device| Line::raw(row(device, &numbers(device).each_ref().map(String::as_str)))));
    lines
}

pub(super) fn network(sheet: &Sheet) -> Lines {
    let interfaces = sheet.values_of("system.network.io", "network.interface.name");
    table(&interfaces, ["↓ bit/s", "packets/s", "↑ bit/s", "packets/s", "dropped/s", "errors/s"], |interface| {
        let value = |name: &str, direction: &str| {
            sheet.with(name, &[("network.interface.name", interface), ("network.io.direction", direction)])
        };
        let both = |name: &str| value(name, "receive").zip(value(name, "transmit")).map(|(a, b)| a + b);
        [
            units::bits(value("system.network.io", "receive")),
            units::count(value("system.network.packet.count", "receive")),
            units::bits(value("system.network.io", "transmit")),
            units::count(value("system.network.packet.count", "transmit")),
            units::count(both("system.network.packet.dropped")),
            units::count(both("system.network.errors")),
        ]
    })
}

pub(super) fn disks(sheet: &Sheet) -> Lines {
    let devices = sheet.values_of("system.disk.io", "system.device");
    table(&devices, ["read", "reads/s", "written", "writes/s"], |device| {
        let value = |name: &str, direction: &str| {
            sheet.with(name, &[("system.device", device), ("disk.io.direction", direction)])
        };
        [
            units::byte_rate(value("system.disk.io", "read")),
            units::count(value("system.disk.operations", "read")),
            units::byte_rate(value("system.disk.io", "write")),
            units::count(value("system.disk.operations", "write")),
        ]
    })
}

pub(super) fn filesystems(sheet: &Sheet, width: u16) -> Lines {
    const MOUNT: &str = "system.filesystem.mountpoint";
    let mounts = sheet.values_of("system.filesystem.limit", MOUNT);
    let longest = mounts.iter().map(|mount| mount.chars().count()).max().unwrap_or(0).min(usize::from(width) / 3);
    let line = |mount: &&str| {
        let limit = sheet.with("system.filesystem.limit", &[(MOUNT, mount)]);
        let used = sheet.with("system.filesystem.usage", &[(MOUNT, mount), ("system.filesystem.state", "used")]);
        let share = used.zip(limit.filter(|limit| *limit > 0.0)).map(|(used, limit)| used / limit);
        let name: String = mount.chars().take(longest).collect();
        let numbers = format!(" {:>7}  {} of {}", units::percent(share), units::bytes(used), units::bytes(limit));
        Line::from(vec![Span::raw(format!("  {name:longest$} ")), bar(share, CORE_BAR), Span::raw(numbers)])
    };
    mounts.iter().map(line).collect()
}

pub(super) fn temperatures(sheet: &Sheet) -> Lines {
    let line = |(series, value): &(&SeriesText, Option<f64>)| {
        let name = ["hw.name", "hw.id"].iter().find_map(|key| series.attributes.get(*key)).unwrap_or(&series.id);
        Line::raw(format!("  {name:24} {:>8}", units::celsius(*value)))
    };
    sheet.all("hw.temperature").iter().map(line).collect()
}

pub(super) fn itself(sheet: &Sheet) -> Lines {
    let (cpu, memory) = ("hostcast.process.cpu.utilization", "hostcast.process.memory.usage");
    if sheet.all(cpu).is_empty() && sheet.all(memory).is_empty() {
        return Vec::new();
    }
    let cpu = units::percent(sheet.one(cpu, &[]));
    vec![text(&[format!("{cpu} of a core"), format!("{} of memory", units::bytes(sheet.one(memory, &[])))])]
}

/// What nobody has asked for.
pub(super) fn others(sheet: &Sheet) -> Lines {
    let shown = sheet.shown.borrow();
    let rest = sheet.by_name.iter().filter(|(name, _)| !shown.contains(**name));
    let line = |(series, value): &(&SeriesText, Option<f64>)| {
        Line::raw(format!("  {}  {}", series.id, units::with_unit(*value, &series.unit)))
    };
    rest.flat_map(|(_, all)| all.iter().map(line)).collect()
}

fn text(parts: &[String]) -> Line<'static> {
    Line::raw(format!("  {}", parts.join("  ")))
}
