//! Traffic of network interfaces, from `/proc/net/dev`.
//!
//! The parser is ours: procfs refuses the whole table if one interface has a name that is not
//! UTF-8, or that holds what Unicode (and not the kernel) takes for a space; and on an old kernel it
//! takes a counter that is glued to the name (`eth0:123`) for a part of the name.

use std::borrow::Cow;

use super::{
    CollectError, Collector, Counter, Fill, Shape,
    devices::{Roster, Selection, natural_order},
    source::KeptFile,
};
use crate::{
    config::NetworkConfig,
    metric::{self, Metric},
    sample::Series,
};

/// What is published of each interface, with the column that it stands in.
const COLUMNS: [(&Metric, &str, usize); 8] = [
    (metric::NETWORK_IO, "receive", 0),
    (metric::NETWORK_IO, "transmit", 8),
    (metric::NETWORK_PACKETS, "receive", 1),
    (metric::NETWORK_PACKETS, "transmit", 9),
    (metric::NETWORK_DROPPED, "receive", 3),
    (metric::NETWORK_DROPPED, "transmit", 11),
    (metric::NETWORK_ERRORS, "receive", 2),
    (metric::NETWORK_ERRORS, "transmit", 10),
];

pub(super) struct Network {
    dev: KeptFile,
    selection: Selection,
    interfaces: Roster<[Counter; COLUMNS.len()]>,
    series: Option<Vec<Series>>,
}

impl Network {
    pub(super) fn new(config: &NetworkConfig) -> Self {
        let exclude = config.exclude.clone();
        Self {
            dev: KeptFile::new("/proc/net/dev"),
            selection: Selection::new(move |name| !exclude.matches(name)),
            interfaces: Roster::new(),
            series: None,
        }
    }
}

impl Collector for Network {
    fn name(&self) -> &'static str {
        "network"
    }

    fn collect(&mut self, fill: &mut Fill) -> Result<Shape, CollectError> {
        let mut interfaces = match parse(self.dev.read()?) {
            Ok(interfaces) => interfaces,
            Err(what) => return Err(self.dev.odd(&what)),
        };
        interfaces.retain(|interface| self.selection.wants(&interface.name));
        interfaces.sort_by(|a, b| natural_order(&a.name, &b.name));
        // Only names that are not UTF-8 can look the same.
        interfaces.dedup_by(|a, b| a.name == b.name);

        let names = interfaces.iter().map(|interface| &*interface.name);
        let changed = self.interfaces.set(names) || self.series.is_none();
        let now = fill.now();
        for (interface, counters) in interfaces.iter().zip(self.interfaces.states()) {
            for (counter, count) in counters.iter_mut().zip(interface.counts) {
                fill.push(counter.rate(now, count));
            }
        }
        if !changed {
            return Ok(Shape::Same);
        }
        self.series = Some(self.interfaces.names().flat_map(series).collect());
        Ok(Shape::Changed)
    }

    fn series(&self) -> &[Series] {
        self.series.as_deref().unwrap_or_default()
    }
}

fn series(name: &str) -> [Series; COLUMNS.len()] {
    COLUMNS.map(|(metric, direction, _)| {
        Series::new(metric, [("network.interface.name", name), ("network.io.direction", direction)])
    })
}

/// One line of the table.
#[derive(Debug, PartialEq)]
struct Interface<'a> {
    name: Cow<'a, str>,
    /// In the order of [`COLUMNS`].
    counts: [u64; COLUMNS.len()],
}

/// Every interface; or what is wrong with the first line that is not one.
fn parse(table: &[u8]) -> Result<Vec<Interface<'_>>, String> {
    let lines = table.split(|byte| *byte == b'\n').skip(2).filter(|line| !line.is_empty());
    lines.map(|line| parse_line(line).ok_or_else(|| format!("`{}`", String::from_utf8_lossy(line)))).collect()
}

fn parse_line(line: &[u8]) -> Option<Interface<'_>> {
    // The last colon: counters have none, and the names of old aliases do (`eth0:1`).
    let colon = line.iter().rposition(|byte| *byte == b':')?;
    let (name, numbers) = (line[..colon].trim_ascii(), std::str::from_utf8(&line[colon + 1..]).ok()?);
    let mut row = [0; 12];
    let mut numbers = numbers.split_ascii_whitespace();
    for cell in &mut row {
        *cell = numbers.next()?.parse().ok()?;
    }
    Some(Interface { name: String::from_utf8_lossy(name), counts: COLUMNS.map(|(_, _, column)| row[column]) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Patterns;
    use std::{fs, net::UdpSocket, time::Duration};

    const HEAD: &str = "Inter-|   Receive    |  Transmit\n face |bytes    packets\n";

    fn table(rows: &str) -> Vec<u8> {
        format!("{HEAD}{rows}").into_bytes()
    }

    #[test]
    fn columns_are_the_kernels() {
        let text = table("  eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n");
        assert_eq!(parse(&text), Ok(vec![Interface { name: "eth0".into(), counts: [1, 9, 2, 10, 4, 12, 3, 11] }]));
    }

    #[test]
    fn odd_names_and_layouts_are_understood() {
        let mut text =
            table("eth0:1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18\n  eth0:7: 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n");
        text.extend_from_slice("we{i}r=d,\u{2003}☃: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n".as_bytes());
        text.extend_from_slice(b"\xff\xfe: 18446744073709551615 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n");
        let found = parse(&text).expect("well-formed");
        let names: Vec<_> = found.iter().map(|interface| &*interface.name).collect();
        assert_eq!(names, ["eth0", "eth0:7", "we{i}r=d,\u{2003}☃", "\u{fffd}\u{fffd}"]);
        assert_eq!(found[0].counts[0], 1);
        assert_eq!(found[3].counts[0], u64::MAX);
    }

    #[test]
    fn a_truncated_or_garbled_line_is_named() {
        for row in ["eth0: 1 2 3", "eth0", "eth0: 1 2 3 x 5 6 7 8 9 10 11 12", "eth0: -1 2 3 4 5 6 7 8 9 10 11 12"] {
            assert!(parse(&table(row)).is_err_and(|what| what.contains(row)), "{row}");
        }
        assert_eq!(parse(b""), Ok(Vec::new()));
    }

    #[test]
    fn an_interface_that_comes_back_has_no_rate_at_first() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("dev");
        let mut network = Network::new(&NetworkConfig::default());
        network.dev = KeptFile::new(&path);
        let row = |name: &str, bytes: u32| format!("{name}: {bytes} 2 0 0 0 0 0 0 9 10 0 0 0 0 0 0\n");
        let mut collect = |second, rows: String| {
            fs::write(&path, table(&rows)).expect("written");
            let mut fill = Fill::new(Duration::from_secs(second), 16);
            let shape = network.collect(&mut fill).expect("well-formed");
            assert_eq!(network.series().len(), fill.len());
            (shape, fill.into_values())
        };
        assert_eq!(collect(1, row("eth0", 100) + &row("lo", 1) + &row("eth1", 5)).1.len(), 16);
        let (shape, values) = collect(2, row("eth0", 300));
        assert_eq!((shape, values[0]), (Shape::Changed, 200.0));
        let (shape, values) = collect(3, row("eth1", 9) + &row("eth0", 300));
        assert_eq!((shape, values[0]), (Shape::Changed, 0.0));
        assert!(values[8..].iter().all(|value| value.is_nan()));
        assert!(collect(4, row("eth1", 3) + &row("eth0", 300)).1[8].is_nan(), "a counter that went backwards");
    }

    /// Bytes and packets that lo received, straight from the kernel.
    fn truth() -> [u64; 2] {
        let text = fs::read_to_string("/proc/net/dev").expect("readable");
        let line = text.lines().find_map(|line| line.trim().strip_prefix("lo:")).expect("a loopback interface");
        let mut numbers = line.split_whitespace().map(|word| word.parse().expect("a number"));
        [numbers.next().expect("bytes"), numbers.next().expect("packets")]
    }

    #[test]
    fn agrees_with_the_kernel_about_known_traffic() {
        let every = NetworkConfig { every: None, exclude: Patterns::default() };
        let mut network = Network::new(&every);
        let collect = |network: &mut Network, second| {
            let mut fill = Fill::new(Duration::from_secs(second), 16);
            network.collect(&mut fill).expect("readable");
            fill.into_values()
        };
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let address = socket.local_addr().expect("its address");

        let t0 = truth();
        collect(&mut network, 1);
        let t1 = truth();
        for _ in 0..100 {
            socket.send_to(&[7; 1000], address).expect("sent");
            socket.recv(&mut [0; 1000]).expect("received");
        }
        let t2 = truth();
        let values = collect(&mut network, 2);
        let t3 = truth();

        let at = network
            .series()
            .iter()
            .position(|series| {
                &*series.id == "system.network.io{network.interface.name=lo,network.io.direction=receive}"
            })
            .expect("the loopback interface");
        for (value, way, sent) in [(values[at], 0, 100.0 * 1028.0), (values[at + 2], 1, 100.0)] {
            let (least, most) = ((t2[way] - t1[way]) as f64, (t3[way] - t0[way]) as f64);
            assert!((least..=most).contains(&value) && value >= sent, "{least} {value} {most}, sent {sent}");
        }
    }
}
