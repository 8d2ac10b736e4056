//! Temperature sensors, from sysinfo.

use std::time::Duration;

use sysinfo::{Component, Components};

use super::{CollectError, Collector, Fill, Shape, background::Background, devices::natural_order};
use crate::{metric, sample::Series};

/// How often to look for sensors that were plugged in or out: listing costs several files for each
/// sensor, reading costs one.
const RELIST: Duration = Duration::from_mins(1);

/// A sensor that does not answer for this long has failed.
const PATIENCE: Duration = Duration::from_secs(5);

/// Sensors are devices, some behind a slow bus or on a failing disk, so the sampler does not wait
/// for them: see [`Background`].
pub(super) struct Temperature {
    sensors: Option<Background<Vec<Reading>>>,
    series: Vec<Series>,
}

/// What one sensor said.
struct Reading {
    series: Series,
    degrees: Option<f64>,
}

impl Temperature {
    pub(super) fn new() -> Self {
        Self { sensors: None, series: Vec::new() }
    }

    fn ask(&mut self, now: Duration) -> Result<Vec<Reading>, CollectError> {
        let sensors = match &mut self.sensors {
            Some(sensors) => sensors,
            none => {
                let mut sensors = Sensors::new();
                let started = Background::start("sensors", move |now| sensors.read(now));
                let failed = |error| CollectError::Failed(format!("cannot start a thread: {error}"));
                none.insert(started.map_err(failed)?)
            }
        };
        sensors.ask(now).map_err(|owed| {
            if owed < PATIENCE {
                CollectError::Pending
            } else {
                CollectError::Failed(format!("sensors have not answered for {} s", owed.as_secs()))
            }
        })
    }
}

impl Collector for Temperature {
    fn name(&self) -> &'static str {
        "temperature"
    }

    fn collect(&mut self, fill: &mut Fill) -> Result<Shape, CollectError> {
        let readings = self.ask(fill.now())?;
        let same = self.series.iter().eq(readings.iter().map(|reading| &reading.series));
        self.series.clear();
        for Reading { series, degrees } in readings {
            self.series.push(series);
            fill.push(degrees);
        }
        if self.series.is_empty() {
            return Err(CollectError::Unavailable("no temperature sensors".to_owned()));
        }
        Ok(if same { Shape::Same } else { Shape::Changed })
    }

    fn series(&self) -> &[Series] {
        &self.series
    }
}

/// sysinfo's list of sensors.
struct Sensors {
    list: Components,
    listed: Option<Duration>,
}

impl Sensors {
    fn new() -> Self {
        Self { list: no_sensors(), listed: None }
    }

    fn read(&mut self, now: Duration) -> Vec<Reading> {
        if self.listed.is_some_and(|listed| now.saturating_sub(listed) < RELIST) {
            self.list.iter_mut().for_each(Component::refresh);
        } else {
            self.listed = Some(now);
            // A new list, since sysinfo keeps the old reading of a sensor that stays but has none now.
            self.list = no_sensors();
            self.list.refresh(true);
            self.list.sort_by(|a, b| natural_order(id(a), id(b)));
        }
        let series =
            |sensor: &Component| Series::new(metric::TEMPERATURE, [("hw.id", id(sensor)), ("hw.name", sensor.label())]);
        let reading =
            |sensor: &Component| Reading { series: series(sensor), degrees: sensor.temperature().map(f64::from) };
        self.list.iter().map(reading).collect()
    }
}

fn id(sensor: &Component) -> &str {
    sensor.id().unwrap_or_else(|| sensor.label())
}

fn no_sensors() -> Components {
    // Creating an empty list cannot fail on Linux.
    Components::new().expect("sysinfo supports Linux")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::tests::in_mount_namespace;
    use rustix::mount::{MountFlags, mount};
    use std::{fs, path::Path};

    /// Asks as the sampler does, until there is an answer.
    fn answer(collector: &mut Temperature, fill: &mut Fill) -> Result<Shape, CollectError> {
        loop {
            match collector.collect(fill) {
                Err(CollectError::Pending) => {}
                answer => return answer,
            }
        }
    }

    #[test]
    fn a_sensor_that_does_not_answer_keeps_nobody_waiting() {
        let (release, released) = std::sync::mpsc::channel::<()>();
        let sensors = Background::start("sensors", move |_| {
            // Until the test has seen enough.
            let _ = released.recv();
            Vec::new()
        });
        let mut temperature = Temperature { sensors: sensors.ok(), series: Vec::new() };
        let result = temperature.collect(&mut Fill::new(Duration::ZERO, 0));
        assert!(matches!(result, Err(CollectError::Pending)));
        drop(release);
        let result = answer(&mut temperature, &mut Fill::new(Duration::ZERO, 0));
        assert!(matches!(result, Err(CollectError::Unavailable(_))));
    }

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
            let shape = answer(&mut temperature, &mut fill).ok();
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
        let sensors = Background::start("sensors", |_| Vec::new()).expect("a thread");
        let mut temperature = Temperature { sensors: Some(sensors), series: Vec::new() };
        for second in [1, 2, 100] {
            let result = answer(&mut temperature, &mut Fill::new(Duration::from_secs(second), 4));
            assert!(matches!(result, Err(CollectError::Unavailable(_))));
            assert!(temperature.series().is_empty());
        }
    }

    #[test]
    fn each_sensor_of_this_host_has_a_series_and_a_plausible_value() {
        let mut temperature = Temperature::new();
        for (second, shape) in [(1, Shape::Changed), (2, Shape::Same), (100, Shape::Same)] {
            let mut fill = Fill::new(Duration::from_secs(second), 4);
            match answer(&mut temperature, &mut fill) {
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
