//! The last record of each source that a partition has folded. A source in which another record stands at its place is not
//! the one that the state was made from.

use serde::Deserialize;
use serde::Serialize;
use twox_hash::XxHash3_64;

use crate::domain::ids::Position;
use crate::domain::ids::Source;
use crate::domain::time::Timestamp;

/// What is kept of a record to know it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastRecord {
    /// Its offset.
    pub offset: u64,
    /// The log's timestamp; `None` if it has none.
    pub record_time: Option<Timestamp>,
    /// `XXH3` of its value, seeded with that of its key; null is as empty.
    pub hash: u64,
}

impl LastRecord {
    /// What is kept of a record.
    #[must_use]
    pub fn of(
        offset: u64,
        record_time: Option<Timestamp>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Self {
        let key_hash = XxHash3_64::oneshot(key.unwrap_or_default());
        Self {
            offset,
            record_time,
            hash: XxHash3_64::oneshot_with_seed(key_hash, value.unwrap_or_default()),
        }
    }
}

/// The last record of each source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(Source, LastRecord)>", into = "Vec<(Source, LastRecord)>")]
pub struct LastRecords([Option<LastRecord>; Source::ALL.len()]);

impl LastRecords {
    /// The last records, once another one of a source is folded.
    pub fn folded(&mut self, position: Position, last: LastRecord) {
        self.put(position.source, last);
    }

    /// Each source that has one.
    pub fn each(&self) -> impl Iterator<Item = (Source, LastRecord)> {
        let sources = Source::ALL.into_iter().zip(self.0);
        sources.filter_map(|(source, last)| Some((source, last?)))
    }

    fn put(&mut self, source: Source, last: LastRecord) {
        for (kept, known) in self.0.iter_mut().zip(Source::ALL) {
            if known == source {
                *kept = Some(last);
            }
        }
    }
}

impl From<Vec<(Source, LastRecord)>> for LastRecords {
    fn from(given: Vec<(Source, LastRecord)>) -> Self {
        let mut records = Self::default();
        for (source, last) in given {
            records.put(source, last);
        }
        records
    }
}

impl From<LastRecords> for Vec<(Source, LastRecord)> {
    fn from(records: LastRecords) -> Self {
        records.each().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_known_again_by_its_time_its_key_and_its_value() {
        let at = Timestamp::from_milliseconds(7);
        let of = |time, key: &str, value: Option<&str>| {
            LastRecord::of(3, time, Some(key.as_bytes()), value.map(str::as_bytes))
        };
        let known = of(at, "key", Some("value"));
        assert_eq!(known, of(at, "key", Some("value")));
        for other in [
            of(None, "key", Some("value")),
            of(at, "keyv", Some("alue")),
            of(at, "value", Some("key")),
            of(at, "key", None),
        ] {
            assert_ne!(known, other);
        }
    }
}
