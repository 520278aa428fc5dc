//! Columns of times of the day beside one of days, which a till writes for one time.

use crate::dataset::convention::is_missing;
use crate::dataset::shape::Shape;
use crate::dataset::spool::Record;
use crate::dataset::spool::Tag;
use crate::dataset::written_time;

/// The columns that no format has asked for and that have had nothing but times of the day.
pub(super) struct TimesOfDay {
    columns: Vec<Candidate>,
}

struct Candidate {
    name: String,
    place: usize,
    has_times: bool,
}

impl TimesOfDay {
    pub(super) fn of(shape: &Shape) -> Self {
        let unread = shape.names.iter().filter(|name| name.kind.is_none());
        let columns = unread.map(|name| Candidate {
            name: name.name.clone(),
            place: name.place,
            has_times: false,
        });
        Self {
            columns: columns.collect(),
        }
    }

    /// Looks at a row.
    pub(super) fn see(&mut self, record: &Record) {
        self.columns.retain_mut(|column| {
            let Some(cell) = record.cells.get(column.place) else {
                return true;
            };
            if is_missing(None, &cell.text) {
                return true;
            }
            column.has_times = cell.tag == Tag::Time || written_time::is_time_of_day(&cell.text);
            column.has_times
        });
    }

    /// The first of them.
    pub(super) fn first(&self) -> Option<&str> {
        let column = self.columns.iter().find(|column| column.has_times);
        column.map(|column| column.name.as_str())
    }
}
