//! Seals what lies in the head of a record.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::domain::purchase::PurchaseCategories;
use crate::engine::state::chunk::ChunkNumber;
use crate::engine::state::layout::DaySum;
use crate::engine::state::record::CustomerRecord;
use crate::engine::state::remembered::RememberedEvent;
use crate::engine::state::table::CATEGORY_NAMES_BYTES_MAX;

/// Most bytes of an event in a chunk without its categories: instant, flags, two hashes and spend.
const EVENT_BYTES: usize = 37;
/// Most bytes of a category of an event: its place and its spend.
const CATEGORY_BYTES: usize = 11;
/// Most bytes of the sum of a day.
const SUM_BYTES: usize = 36;

/// When the head of a record is sealed, and chunks are merged. What a record is does not depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealing {
    /// What lies in a head is sealed when it takes more room than this; an event of an order takes about 26 bytes. More:
    /// larger heads. Fewer: more chunks.
    pub tail_bytes_max: usize,
    /// A level is merged when it would have so many chunks. More: fewer bytes are written, and more keys are read.
    pub chunks_of_a_level: usize,
    /// Chunks are not merged into one whose events and sums may take more, so that the log takes each part. The sums by
    /// category come on top.
    pub merged_bytes_max: usize,
    /// What the names of categories in the table of a partition may take; further ones are written out in each entry.
    pub names_bytes_max: usize,
}

impl Default for Sealing {
    fn default() -> Self {
        Self {
            tail_bytes_max: 112,
            chunks_of_a_level: 8,
            merged_bytes_max: 64 * 1024,
            names_bytes_max: CATEGORY_NAMES_BYTES_MAX,
        }
    }
}

impl Sealing {
    /// For a log that takes records of state of at most `limit_bytes`. What is left is for the sums by category, and for
    /// what else a table holds.
    #[must_use]
    pub fn within(limit_bytes: u64) -> Self {
        let default = Self::default();
        let half_bytes = usize::try_from(limit_bytes / 2).unwrap_or(usize::MAX);
        Self {
            merged_bytes_max: default.merged_bytes_max.min(half_bytes),
            names_bytes_max: default.names_bytes_max.min(half_bytes),
            ..default
        }
    }
}

/// The number of a new chunk for what lies in the head of an abridged record, which the caller moves into it; `None` where
/// other chunks may have to be merged into it.
pub fn seal_alone(record: &mut CustomerRecord, sealing: Sealing) -> Option<ChunkNumber> {
    if record.layout.merges_next(sealing.chunks_of_a_level) {
        return None;
    }
    let (chunk, _) = record
        .layout
        .next_chunk(sealing.chunks_of_a_level, |_| true, |_| false);
    Some(chunk.number)
}

/// Moves everything that lies in the head of a record into a new chunk, and with it the chunks of each level that is full
/// and those whose events are forgotten, as far as they fit into it; the number of the chunk.
pub fn seal(record: &mut CustomerRecord, sealing: Sealing) -> ChunkNumber {
    let merges = record.layout.merges_next(sealing.chunks_of_a_level);
    let (sizes_bytes, remembered) = if merges {
        let events = record.remembered.events();
        let remembered = events.map(|event| event.chunk).collect();
        (sizes_bytes(record), remembered)
    } else {
        (BTreeMap::new(), BTreeSet::new())
    };
    let size_bytes = |number: &ChunkNumber| sizes_bytes.get(number).copied().unwrap_or(0);
    let head_bytes = size_bytes(&ChunkNumber::HEAD);
    let fit = |merged: &[ChunkNumber]| {
        let merged_bytes: usize = merged.iter().map(size_bytes).sum();
        head_bytes + merged_bytes <= sealing.merged_bytes_max
    };
    let are_forgotten = |number: &ChunkNumber| merges && !remembered.contains(number);
    let level = sealing.chunks_of_a_level;
    let (chunk, merged) = record.layout.next_chunk(level, fit, are_forgotten);
    record.remembered.move_into(chunk.number, &merged);
    record.layout.move_sums(chunk.number, &merged);
    record.layout.needs_chunk = false;
    chunk.number
}

/// What the events and sums of a whole record may take, by where they lie.
fn sizes_bytes(record: &CustomerRecord) -> BTreeMap<ChunkNumber, usize> {
    let mut sizes_bytes: BTreeMap<ChunkNumber, usize> = BTreeMap::new();
    for event in record.remembered.events() {
        *sizes_bytes.entry(event.chunk).or_default() += event_bytes(event);
    }
    let layout = &record.layout;
    // Those of earlier days are left out when they are moved.
    let is_kept = |sum: &&DaySum| layout.first_kept.is_none_or(|first| sum.day >= first);
    for sum in layout.sums.iter().filter(is_kept) {
        *sizes_bytes.entry(sum.chunk).or_default() += SUM_BYTES;
    }
    sizes_bytes
}

fn event_bytes(event: &RememberedEvent) -> usize {
    let purchase = event.purchase.as_ref();
    let categories = purchase.map_or(0, |purchase| match &purchase.categories {
        PurchaseCategories::None => 0,
        PurchaseCategories::Whole(_) => 1,
        PurchaseCategories::Each(each) => each.len(),
    });
    EVENT_BYTES + categories * CATEGORY_BYTES
}
