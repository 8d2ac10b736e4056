//! Real readings of this host, taken whenever they are wanted.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use hostcast::{
    collector::{self, Fill, Scheduled},
    config::CollectorsConfig,
    sample::{Reading, Schema, Series},
};

pub(crate) struct Host {
    collectors: Vec<Scheduled>,
    interval: Duration,
    schema: Arc<Schema>,
}

impl Host {
    /// Collectors as a sampler has them that ticks every `interval`.
    pub(crate) fn new(config: &CollectorsConfig, interval: Duration) -> Self {
        let collectors = collector::enabled(config, interval);
        Self { collectors, interval, schema: Arc::new(Schema { revision: 0, series: Vec::new() }) }
    }

    /// Reads everything, and dates it as told. Rates have a value from the second time on.
    pub(crate) fn read(&mut self, time: SystemTime, moment: Duration) -> Reading {
        let mut fill = Fill::new(moment, self.schema.series.len());
        let mut series: Vec<Series> = Vec::new();
        for scheduled in &mut self.collectors {
            if scheduled.collector.collect(&mut fill).is_ok() {
                series.extend_from_slice(scheduled.collector.series());
            }
        }
        if series != self.schema.series {
            self.schema = Arc::new(Schema { revision: self.schema.revision + 1, series });
        }
        let (elapsed, schema) = (self.interval, Arc::clone(&self.schema));
        Reading { time, moment, elapsed, missed: None, schema, values: fill.into_values() }
    }
}
