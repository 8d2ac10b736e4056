//! Load average and uptime.

use super::{CollectError, Collector, Fill, Shape, source::KeptFile};
use crate::{metric, sample::Series};

pub(super) struct Load {
    loadavg: KeptFile,
    series: Vec<Series>,
}

impl Load {
    pub(super) fn new() -> Self {
        Self { loadavg: KeptFile::new("/proc/loadavg"), series: Vec::new() }
    }
}

impl Collector for Load {
    fn name(&self) -> &'static str {
        "load"
    }

    fn collect(&mut self, fill: &mut Fill) -> Result<Shape, CollectError> {
        let text = self.loadavg.read()?;
        let averages = parse(text).ok_or_else(|| self.loadavg.odd("no three averages"))?;
        for average in averages {
            fill.push(average);
        }
        fill.push(fill.now().as_secs_f64());
        if !self.series.is_empty() {
            return Ok(Shape::Same);
        }
        self.series =
            [metric::LOAD_1M, metric::LOAD_5M, metric::LOAD_15M, metric::UPTIME].map(|m| Series::new(m, [])).into();
        Ok(Shape::Changed)
    }

    fn series(&self) -> &[Series] {
        &self.series
    }
}

/// The averages over 1, 5 and 15 minutes. Ours, since procfs cuts them to 32 bits and refuses the
/// line if what follows them is odd.
fn parse(text: &[u8]) -> Option<[f64; 3]> {
    let mut averages = std::str::from_utf8(text).ok()?.split_ascii_whitespace().map(|word| word.parse().ok());
    Some([averages.next()??, averages.next()??, averages.next()??])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn averages_are_the_first_three() {
        assert_eq!(parse(b"0.52 1.07 12.96 3/412 9911\n"), Some([0.52, 1.07, 12.96]));
        assert_eq!(parse(b"0.52 1.07 12.96 3/412 9911 and more\n"), Some([0.52, 1.07, 12.96]));
    }

    #[test]
    fn a_truncated_line_has_none() {
        assert_eq!(parse(b"0.52 1.07"), None);
        assert_eq!(parse(b""), None);
    }

    #[test]
    fn uptime_is_the_moment_of_the_tick() {
        let mut load = Load::new();
        let mut fill = Fill::new(Duration::from_millis(1_500), 4);
        assert_eq!(load.collect(&mut fill).expect("a load average"), Shape::Changed);
        assert_eq!(load.series().len(), fill.len());
        assert!((fill.into_values()[3] - 1.5).abs() < 1e-9);
        assert_eq!(load.collect(&mut Fill::new(Duration::ZERO, 4)).expect("a load average"), Shape::Same);
    }
}
