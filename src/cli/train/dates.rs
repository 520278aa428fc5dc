//! The dates of the data that a model is learned from, as far as they are known.

use serde::Serialize;

use crate::domain::ids::CustomerId;
use crate::domain::time::BusinessZone;
use crate::domain::time::Day;
use crate::domain::time::Timestamp;
use crate::engine::state::record::CustomerRecord;
use crate::learn::preparation::TrainingTable;

/// The column from which the dates of enrolment follow.
const TENURE: &str = "tenure_days";

/// First and last date, and what they are dates of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Dates {
    /// What has these dates; absent where the data has none.
    pub of: Option<&'static str>,
    /// The first date.
    pub first: Option<String>,
    /// The last date.
    pub last: Option<String>,
    /// The date as of which the values hold; absent where neither the data nor --as-of states it.
    pub as_of: Option<String>,
}

impl Dates {
    /// Of a file of features: it has none.
    pub(super) fn of_features(as_of: Option<Timestamp>) -> Self {
        Self {
            as_of: as_of.map(|instant| BusinessZone::UTC.day_of(instant).to_string()),
            ..Self::default()
        }
    }

    /// Of the marketing data: when its customers enrolled.
    pub(super) fn of_marketing(table: &TrainingTable, as_of: Timestamp, tenure_to: Day) -> Self {
        let place = table.columns.iter().position(|column| column == TENURE);
        let tenures = table
            .rows
            .iter()
            .filter_map(|row| row.values.get(place?).copied().flatten());
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "days between two dates"
        )]
        let days: Vec<u32> = tenures.map(|days| days as u32).collect();
        let day = |days: &u32| tenure_to.minus_days(*days).to_string();
        Self {
            of: Some("enrolments"),
            first: days.iter().max().map(day),
            last: days.iter().min().map(day),
            ..Self::of_features(Some(as_of))
        }
    }

    /// Of a state: its first and its last purchase.
    pub(super) fn of_state(
        records: &[(CustomerId, CustomerRecord)],
        as_of: Timestamp,
        zone: &BusinessZone,
    ) -> Self {
        let spans = || {
            records
                .iter()
                .filter_map(|(_, one)| one.aggregate.purchases)
        };
        let day = |instant: Timestamp| zone.day_of(instant).to_string();
        Self {
            of: Some("purchases"),
            first: spans().map(|span| span.first_at).min().map(day),
            last: spans().map(|span| span.last_at).max().map(day),
            as_of: Some(day(as_of)),
        }
    }

    /// The first and the last date in a few words.
    pub(super) fn period(&self) -> String {
        match (self.of, &self.first, &self.last) {
            (Some(of), Some(first), Some(last)) => format!("{of} {first} to {last}"),
            _ => "no dates".to_owned(),
        }
    }

    /// One sentence on what is known.
    pub(super) fn sentence(&self) -> String {
        let as_of = match &self.as_of {
            Some(day) => format!("the values are as of {day}"),
            None => "the date of its values is not known (--as-of gives it)".to_owned(),
        };
        match (self.of, &self.first, &self.last) {
            (Some(of), Some(first), Some(last)) => {
                format!("The data has {of} from {first} to {last}; {as_of}.")
            }
            _ => format!("The data has no dates; {as_of}."),
        }
    }
}
