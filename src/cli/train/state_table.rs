//! The rows of a state: the features of every customer as of an instant.

use crate::domain::feature_source::FeatureSource;
use crate::domain::features::FeatureReader;
use crate::domain::ids::CustomerId;
use crate::domain::time::Timestamp;
use crate::engine::policy::Policy;
use crate::engine::state::record::CustomerRecord;
use crate::learn::preparation::TrainingRow;
use crate::learn::preparation::TrainingTable;

pub(super) fn table_of(
    records: &[(CustomerId, CustomerRecord)],
    features: &[(String, Option<u32>)],
    as_of: Timestamp,
    policy: &Policy,
) -> TrainingTable {
    let sources: Vec<(FeatureSource, Option<u32>)> = features
        .iter()
        .map(|(name, days)| (FeatureSource::named(name), *days))
        .collect();
    let row = |(id, record): &(CustomerId, CustomerRecord)| {
        let aggregate = &record.aggregate;
        let mut reader = FeatureReader::new(aggregate, as_of, &policy.zone, policy.base_currency);
        let values = sources.iter();
        TrainingRow {
            id: id.as_str().to_owned(),
            values: values
                .map(|(source, days)| reader.raw_value(source, *days))
                .collect(),
        }
    };
    TrainingTable {
        columns: features.iter().map(|(name, _)| name.clone()).collect(),
        rows: records.iter().map(row).collect(),
        reference_year: Some(policy.zone.year_of(as_of)),
        ..TrainingTable::default()
    }
}
