//! The names of series, which the hosts of a fleet have in common: kept once.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::recording::Columns;

/// Those that are in use.
#[derive(Debug, Default)]
pub(super) struct Names(Mutex<Vec<Weak<Columns>>>);

impl Names {
    /// The same columns, from whichever host had them first.
    pub(super) fn share(&self, columns: Columns) -> Arc<Columns> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|columns| columns.strong_count() > 0);
        if let Some(same) = known.iter().filter_map(Weak::upgrade).find(|known| **known == columns) {
            return same;
        }
        let columns = Arc::new(columns);
        known.push(Arc::downgrade(&columns));
        columns
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        protocol::{SchemaMessage, SeriesText},
        recording::Form,
    };

    fn columns(id: &str) -> Columns {
        let series = SeriesText {
            id: id.into(),
            name: id.into(),
            unit: "1".into(),
            attributes: std::collections::BTreeMap::new(),
            interval_ms: None,
        };
        Columns::new(Form::Ndjson, &SchemaMessage { revision: 1, series: vec![series] })
    }

    #[test]
    fn the_same_names_are_kept_once_and_only_as_long_as_someone_has_them() {
        let names = Names::default();
        let (first, second, other) = (names.share(columns("a")), names.share(columns("a")), names.share(columns("b")));
        assert!(Arc::ptr_eq(&first, &second) && !Arc::ptr_eq(&first, &other));
        drop((first, second));
        names.share(columns("c"));
        assert!(Arc::ptr_eq(&other, &names.share(columns("b"))));
        assert_eq!(names.0.lock().unwrap().iter().filter(|columns| columns.strong_count() > 0).count(), 1);
    }
}
