//! Temperature sensors, from sysinfo.

use std::time::Duration;

use sysinfo::Components;

use super::{CollectError, Collector, Fill, Shape, devices::natural_order};
use crate::{metric, sample::Series};

/// How often to look for sensors that were plugged in or out: listing costs several files for each
/// sensor, reading costs one.
const RELIST: Duration = Duration::from_mins(1);

pub(super) struct Temperature {
    sensors: Components,
    listed: Option<Duration>,
    list: fn() -> Components,
    series: Vec<Series>,
}

impl Temperature {
    pub(super) fn new() -> Self {
        Self { sensors: no_sensors(), listed: None, list, series: Vec::new() }
    }

    /// Whether the sensors are others than before.
    fn relist(&mut self, now: Duration) -> bool {
        self.listed = Some(now);
        // A new list, since sysinfo keeps the old reading of a sensor that stays but has none now.
        self.sensors = (self.list)();
        self.sensors.sort_by(|a, b| natural_order(id(a), id(b)));
        let series: Vec<_> = self
            .sensors
            .iter()
            .map(|sensor| Series::new(metric::TEMPERATURE, [("hw.id", id(sensor)), ("hw.name", sensor.label())]))
            .collect();
        let changed = series != self.series;
        self.series = series;
        changed
    }
}

impl Collector for Temperature {
    fn name(&self) -> &'static str {
        "temperature"
    }

    fn collect(&mut self, fill: &mut Fill) -> Result<Shape, CollectError> {
        let now = fill.now();
        let fresh = self.listed.is_some_and(|listed| now.saturating_sub(listed) < RELIST);
        let changed = if fresh {
            self.sensors.iter_mut().for_each(sysinfo::Component::refresh);
            false
        } else {
            self.relist(now)
        };
        if self.sensors.is_empty() {
            return Err(CollectError::Unavailable("no temperature sensors".to_owned()));
        }
        for sensor in &self.sensors {
            fill.push(sensor.temperature().map(f64::from));
        }
        Ok(if changed { Shape::Changed } else { Shape::Same })
    }

    fn series(&self) -> &[Series] {
        &self.series
    }
}

fn id(sensor: &sysinfo::Component) -> &str {
    sensor.id().unwrap_or_else(|| sensor.label())
}

fn no_sensors() -> Components {
    // Creating an empty list cannot fail on Linux.
    Components::new().expect("sysinfo supports Linux")
}

fn list() -> Components {
    let mut sensors = no_sensors();
    sensors.refresh(true);
    sensors
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::tests::in_mount_namespace;
    use rustix::mount::{MountFlags, mount};
    use std::{fs, path::Path};

    #[test]
    fn sensors_come_go_and_fail() {
        in_mount_namespace("temperature::tests::sensors_come_go_and_fail", with_sensors_of_our_own);
    }

    fn with_sensors_of_our_own() {
        mount("sensors", "/sys/class", "tmpfs", MountFlags::empty(), None).expect("a tmpfs");
        let chip = |number: u32| Path::new("/sys/class/hwmon").join(format!("hwmon{number}"));
        let add = |number, reading| {
            fs::create_dir_all(chip(number)).expect("a directory");
            fs::write(chip(number).join("name"), format!("chip{number}\n")).expect("written");
            fs::write(chip(number).join("temp1_input"), reading).expect("written");
        };
        let mut temperature = Temperature::new();
        let mut collect = |second| {
            let mut fill = Fill::new(Duration::from_secs(second), 4);
            let shape = temperature.collect(&mut fill).ok();
            let ids: Vec<_> =
                temperature.series().iter().map(|series| series.attributes["hw.id"].to_string()).collect();
            (shape, ids.join(" "), fill.into_values().into_vec())
        };
        let two = || "hwmon2_1 hwmon10_1".to_owned();

        assert_eq!(collect(0), (None, String::new(), vec![]));
        add(10, "41500\n");
        add(2, "-3000\n");
        assert_eq!(collect(59), (None, String::new(), vec![]));
        assert_eq!(collect(60), (Some(Shape::Changed), two(), vec![-3.0, 41.5]));
        add(2, "7000\n");
        add(10, "no reading\n");
        let (shape, ids, values) = collect(70);
        assert_eq!((shape, ids, values[0].to_bits()), (Some(Shape::Same), two(), 7f64.to_bits()));
        assert!(values[1].is_nan());
        assert!(collect(120).2[1].is_nan(), "missing after a new list as well, not the old reading");
        fs::remove_dir_all(chip(2)).expect("removed");
        assert!(collect(130).2[0].is_nan());
        add(10, "50000\n");
        assert_eq!(collect(180), (Some(Shape::Changed), "hwmon10_1".to_owned(), vec![50.0]));
    }

    #[test]
    fn a_host_without_sensors_is_no_failure_and_has_no_series() {
        let mut temperature = Temperature { list: no_sensors, ..Temperature::new() };
        for second in [1, 2, 100] {
            let result = temperature.collect(&mut Fill::new(Duration::from_secs(second), 4));
            assert!(matches!(result, Err(CollectError::Unavailable(_))));
            assert!(temperature.series().is_empty());
        }
    }

    #[test]
    fn each_sensor_of_this_host_has_a_series_and_a_plausible_value() {
        let mut temperature = Temperature::new();
        for (second, shape) in [(1, Shape::Changed), (2, Shape::Same), (100, Shape::Same)] {
            let mut fill = Fill::new(Duration::from_secs(second), 4);
            match temperature.collect(&mut fill) {
                Err(CollectError::Unavailable(_)) => println!("skipped: this host has no sensors"),
                result => {
                    assert_eq!(result.expect("readable"), shape);
                    assert_eq!(fill.len(), temperature.series().len());
                    for value in fill.into_values().iter().filter(|value| !value.is_nan()) {
                        assert!((-100.0..200.0).contains(value), "{value}");
                    }
                }
            }
        }
    }
}
