//! Buckets: samples of one span of wall time, folded into mean, minimum and maximum.
//!
//! A 10 Hz sampler can so serve viewers who want one message a second, and every peak is still seen.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use crate::sample::{Missed, MissedReason, Sample, Schema, unix_ms};

/// Cuts wall time into spans of equal length, counted from the Unix epoch, so that the buckets of
/// all hosts and of all views lie alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Buckets {
    every: Duration,
}

/// What was read within one span, by one schema.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// The newest sample in it.
    pub seq: u64,
    /// Where the span begins.
    pub time: SystemTime,
    /// How many samples are in it.
    pub samples: u64,
    /// The time that they cover together.
    pub elapsed: Duration,
    /// Ticks that were not taken, before any of them.
    pub missed: Option<Missed>,
    /// What the values stand for.
    pub schema: Arc<Schema>,
    /// For each series the mean of its readings, each weighted by the time it covers: the mean of a
    /// rate, times `elapsed`, is what has passed. NaN where there was no reading.
    pub mean: Box<[f64]>,
    /// The smallest reading of each series.
    pub min: Box<[f64]>,
    /// The largest reading of each series.
    pub max: Box<[f64]>,
}

impl Buckets {
    /// Spans of `every`, which must not be zero.
    pub fn new(every: Duration) -> Self {
        assert!(!every.is_zero(), "the query parser admits no empty spans");
        Self { every }
    }

    /// The length of a span.
    pub fn every(&self) -> Duration {
        self.every
    }

    /// Folds the leading samples that belong together. `None` if there are none, or if the last of
    /// `samples` still belongs to them: then more may come.
    pub fn first<'a>(&self, samples: impl IntoIterator<Item = &'a Arc<Sample>>) -> Option<Bucket> {
        let mut samples = samples.into_iter();
        let first = samples.next()?;
        let mut fold = Fold::new(first, self.start(first));
        for sample in samples {
            if !self.are_together(first, sample) {
                return Some(fold.finish());
            }
            fold.add(sample);
        }
        None
    }

    /// Whether two samples belong to the same bucket. A clock that was set apart, or another schema,
    /// begins a new one.
    pub fn are_together(&self, one: &Sample, other: &Sample) -> bool {
        self.start(one) == self.start(other) && one.reading.schema.revision == other.reading.schema.revision
    }

    fn start(&self, sample: &Sample) -> SystemTime {
        let every_ms = self.every.as_millis() as u64;
        let start_ms = unix_ms(sample.reading.time) / every_ms * every_ms;
        SystemTime::UNIX_EPOCH + Duration::from_millis(start_ms)
    }
}

/// Folds samples as they come, for those who do not hold them.
#[derive(Debug)]
pub struct Folding {
    buckets: Buckets,
    open: Option<(Arc<Sample>, Fold)>,
}

impl Folding {
    /// Nothing has come yet.
    pub fn new(buckets: Buckets) -> Self {
        Self { buckets, open: None }
    }

    /// Takes the next sample; the bucket before, if this one begins another.
    pub fn push(&mut self, sample: Arc<Sample>) -> Option<Bucket> {
        if let Some((first, fold)) = &mut self.open
            && self.buckets.are_together(first, &sample)
        {
            fold.add(&sample);
            return None;
        }
        let closed = self.finish();
        let fold = Fold::new(&sample, self.buckets.start(&sample));
        self.open = Some((sample, fold));
        closed
    }

    /// The bucket that is open: nothing more comes, or nothing that belongs to it.
    pub fn finish(&mut self) -> Option<Bucket> {
        self.open.take().map(|(_, fold)| fold.finish())
    }
}

/// A bucket while it is being filled: `mean` holds sums.
#[derive(Debug)]
struct Fold {
    bucket: Bucket,
    /// The time that the readings of each series cover.
    weights: Box<[f64]>,
}

impl Fold {
    fn new(first: &Sample, time: SystemTime) -> Self {
        let width = first.reading.values.len();
        let bucket = Bucket {
            seq: first.seq,
            time,
            samples: 0,
            elapsed: Duration::ZERO,
            missed: None,
            schema: Arc::clone(&first.reading.schema),
            mean: vec![0.0; width].into(),
            min: vec![f64::NAN; width].into(),
            max: vec![f64::NAN; width].into(),
        };
        let mut fold = Self { bucket, weights: vec![0.0; width].into() };
        fold.add(first);
        fold
    }

    fn add(&mut self, sample: &Sample) {
        let (bucket, reading) = (&mut self.bucket, &sample.reading);
        bucket.seq = sample.seq;
        bucket.samples += 1;
        bucket.elapsed = bucket.elapsed.saturating_add(reading.elapsed);
        bucket.missed = together(bucket.missed, reading.missed);
        let weight = reading.elapsed.as_secs_f64();
        for (column, &value) in reading.values.iter().enumerate().filter(|(_, value)| !value.is_nan()) {
            bucket.mean[column] += value * weight;
            self.weights[column] += weight;
            // Both ignore NaN, which stands for "none yet".
            bucket.min[column] = bucket.min[column].min(value);
            bucket.max[column] = bucket.max[column].max(value);
        }
    }

    fn finish(mut self) -> Bucket {
        for (mean, weight) in self.bucket.mean.iter_mut().zip(&self.weights) {
            // No reading: 0 / 0 is NaN, which is what a missing value is.
            *mean /= weight;
        }
        self.bucket
    }
}

fn together(one: Option<Missed>, other: Option<Missed>) -> Option<Missed> {
    let (Some(one), Some(other)) = (one, other) else { return one.or(other) };
    let suspended = [one.reason, other.reason].contains(&MissedReason::Suspended);
    Some(Missed {
        ticks: one.ticks.saturating_add(other.ticks),
        reason: if suspended { MissedReason::Suspended } else { MissedReason::Late },
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        metric,
        sample::{Reading, Series},
    };

    fn schema(revision: u64) -> Arc<Schema> {
        Arc::new(Schema { revision, series: vec![Series::new(metric::CPU_UTILIZATION, [])] })
    }

    fn sample(seq: u64, time_ms: u64, elapsed_ms: u64, value: f64) -> Arc<Sample> {
        Arc::new(Sample {
            seq,
            reading: Reading {
                time: SystemTime::UNIX_EPOCH + Duration::from_millis(time_ms),
                moment: Duration::from_millis(time_ms),
                elapsed: Duration::from_millis(elapsed_ms),
                missed: None,
                schema: schema(1),
                values: [value].into(),
            },
        })
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_peak_survives_its_bucket() {
        let values = [0.1, 0.9, 0.2, 0.0];
        let samples: Vec<_> = (0..).zip(values).map(|(n, value)| sample(n + 1, 5_000 + n * 300, 300, value)).collect();
        let bucket = Buckets::new(SECOND).first(&[&samples[..], &[sample(5, 6_000, 300, 0.0)]].concat()).unwrap();
        assert_eq!((bucket.seq, bucket.samples, unix_ms(bucket.time)), (4, 4, 5_000));
        assert_eq!((bucket.min[0], bucket.max[0]), (0.0, 0.9));
        assert!((bucket.mean[0] - 0.3).abs() < 1e-12);
    }

    #[test]
    fn a_bucket_is_not_closed_before_a_later_sample_is_there() {
        assert!(Buckets::new(SECOND).first(&[sample(1, 5_000, 100, 0.0), sample(2, 5_900, 900, 0.0)]).is_none());
        assert!(Buckets::new(SECOND).first([]).is_none());
    }

    #[test]
    fn the_mean_of_a_rate_accounts_for_all_that_passed() {
        let samples = [sample(1, 5_100, 100, 50.0), sample(2, 5_400, 300, 10.0), sample(3, 6_000, 600, 0.0)];
        let bucket = Buckets::new(SECOND).first(&samples).unwrap();
        assert!((bucket.mean[0] * bucket.elapsed.as_secs_f64() - (50.0 * 0.1 + 10.0 * 0.3)).abs() < 1e-9);
    }

    #[test]
    fn what_was_not_read_has_no_mean() {
        let samples = [sample(1, 5_000, 100, f64::NAN), sample(2, 5_100, 100, f64::NAN), sample(3, 6_000, 100, 1.0)];
        let bucket = Buckets::new(SECOND).first(&samples).unwrap();
        assert!(bucket.mean[0].is_nan() && bucket.min[0].is_nan() && bucket.max[0].is_nan());
    }

    #[test]
    fn another_schema_or_a_clock_that_was_set_begins_a_bucket() {
        let mut other = (*sample(2, 5_100, 100, 0.0)).clone();
        other.reading.schema = schema(2);
        let buckets = Buckets::new(SECOND);
        assert_eq!(buckets.first(&[sample(1, 5_000, 100, 0.0), Arc::new(other)]).unwrap().samples, 1);
        assert_eq!(buckets.first(&[sample(1, 5_000, 100, 0.0), sample(2, 1_000, 100, 0.0)]).unwrap().samples, 1);
    }

    proptest! {
        #[test]
        fn every_sample_is_in_exactly_one_bucket(
            steps in prop::collection::vec((0_u64..900, 0.0..1.0), 2..200), every_ms in 1_u64..3_000,
        ) {
            let mut time_ms = 0;
            let samples: Vec<_> = (1..).zip(&steps).map(|(seq, &(step, value))| {
                time_ms += step;
                sample(seq, time_ms, step, value)
            }).collect();
            let buckets = Buckets::new(Duration::from_millis(every_ms));
            let mut next = 0;
            while let Some(bucket) = buckets.first(&samples[next..]) {
                let end = next + bucket.samples as usize;
                prop_assert_eq!(bucket.seq, samples[end - 1].seq);
                let values = steps[next..end].iter().map(|(_, value)| *value);
                prop_assert!(bucket.max[0].to_bits() == values.clone().fold(f64::NAN, f64::max).to_bits());
                prop_assert!(bucket.min[0].to_bits() == values.fold(f64::NAN, f64::min).to_bits());
                prop_assert!(bucket.mean[0].is_nan() || (bucket.min[0] - 1e-9..=bucket.max[0] + 1e-9).contains(&bucket.mean[0]));
                next = end;
            }
            let mut folding = Folding::new(buckets);
            let mut folded: Vec<_> = samples.iter().filter_map(|sample| folding.push(Arc::clone(sample))).collect();
            let seqs: Vec<_> = folded.iter().map(|bucket| bucket.seq).collect();
            let closed = samples.windows(2).filter(|pair| !buckets.are_together(&pair[0], &pair[1])).map(|pair| pair[0].seq);
            prop_assert_eq!(seqs, closed.collect::<Vec<_>>());
            folded.extend(folding.finish());
            prop_assert_eq!(folded.iter().map(|bucket| bucket.samples).sum::<u64>(), samples.len() as u64);
            prop_assert!(samples[next..].iter().all(|sample| buckets.are_together(&samples[next], sample)));
        }
    }
}
