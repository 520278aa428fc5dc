//! Where the streams of a partition end, and what the log knows besides records.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use crate::domain::ids::Partition;
use crate::domain::ids::Source;
use crate::domain::offsets::AppliedOffsets;
use crate::log::embedded::frame::Kind;
use crate::log::embedded::frame::Section;
use crate::log::embedded::frame::Stream;

/// The stream of a source.
pub(super) fn stream_of(source: Source, partition: Partition) -> Stream {
    let kind = match source {
        Source::Events => Kind::Event,
        Source::Transfers => Kind::Transfer,
    };
    Stream { kind, partition }
}

/// The group's offset in each source; none where nothing was committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct GroupOffsets {
    events: Option<u64>,
    transfers: Option<u64>,
}

impl GroupOffsets {
    pub(super) fn of(self, source: Source) -> Option<u64> {
        match source {
            Source::Events => self.events,
            Source::Transfers => self.transfers,
        }
    }

    pub(super) fn with(mut self, source: Source, offset: u64) -> Self {
        match source {
            Source::Events => self.events = Some(offset),
            Source::Transfers => self.transfers = Some(offset),
        }
        self
    }
}

/// What readers see of a partition: all of it is durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) sources: AppliedOffsets,
    pub(super) group: GroupOffsets,
    pub(super) changes: u64,
    pub(super) dead_letters: u64,
    pub(super) state: u64,
    pub(super) current: u64,
}

/// How far each source of a replay was appended, by its name; `None` where it has ended.
pub(super) type Cursors = BTreeMap<String, Option<u64>>;

/// What the state knows besides records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StateFacts {
    /// Number of the last batch of changes that belongs to a transaction.
    pub(super) changes_number: u64,
    /// By partition.
    pub(super) groups: BTreeMap<Partition, GroupOffsets>,
}

impl StateFacts {
    /// Takes over what a later batch says.
    pub(super) fn extend(&mut self, later: Self) {
        self.changes_number = later.changes_number;
        self.groups.extend(later.groups);
    }
}

/// Facts as they are stored; those of a new log are empty.
pub(super) fn read_facts<T: Default + serde::de::DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    if bytes.is_empty() {
        return Some(T::default());
    }
    postcard::from_bytes(bytes).ok()
}

/// The bytes of facts.
pub(super) fn facts_bytes<T: Serialize>(facts: &T) -> Option<Vec<u8>> {
    postcard::to_allocvec(facts).ok()
}

/// The section of a batch's facts.
pub(super) fn facts_section<T: Serialize>(facts: &T) -> Option<Section> {
    Section::new(Stream::FACTS, facts_bytes(facts)?, 1, 0)
}
