//! Verifies that a store can be trusted: reads all of it, and compares it with the log.

use std::collections::BTreeSet;

use crate::codec;
use crate::codec::CodecError;
use crate::codec::stored::Group;
use crate::codec::stored::StoreCheckpoint;
use crate::domain::ids::CustomerId;
use crate::domain::time::Timestamp;
use crate::domain::time::earlier;
use crate::store::database::Database;
use crate::store::deadlines::Deadlines;
use crate::store::dirty::Layers;
use crate::store::exchange::OpenError;
use crate::store::exchange::PageBytes;
use crate::store::exchange::Scanned;
use crate::store::pages::PageKeys;
use crate::store::wipe_reason::WipeReason;

/// The facts of the log that a store must agree with.
#[derive(Clone, Debug)]
pub struct Expected {
    /// Identity of the log.
    pub lineage: String,
    /// First offset of the changelog that is still there.
    pub changelog_start: u64,
    /// End of the changelog.
    pub changelog_end: u64,
    /// A store that was last complete before this instant may have missed tombstones that the log has deleted;
    /// `None` where that does not depend on time.
    pub current_since: Option<Timestamp>,
    /// So may one that was complete up to a lower offset.
    pub tombstones_from: u64,
}

impl Expected {
    /// Whether a store was made from this log.
    pub(super) fn is_its_log(&self, stored: &StoreCheckpoint) -> bool {
        // A changelog that has had records never ends at 0 again: it was made anew.
        let is_anew = self.changelog_end == 0 && stored.changelog_next > 0;
        is_same_lineage(&stored.lineage, &self.lineage) && !is_anew
    }

    /// Whether these bytes are the checkpoint of a store that was made from another log.
    pub(super) fn is_of_another_log(&self, checkpoint: &[u8]) -> bool {
        let stored = codec::partition::decode_store(checkpoint);
        stored.is_ok_and(|stored| !self.is_its_log(&stored))
    }

    /// Why a store does not agree with the log from which it was made; `None` if it does.
    pub(super) fn misfit(&self, stored: &StoreCheckpoint) -> Option<WipeReason> {
        let in_log = self.changelog_start..=self.changelog_end;
        let reach = stored.changelog_reach.max(stored.changelog_next);
        if reach > self.changelog_end || !in_log.contains(&stored.changelog_next) {
            Some(WipeReason::OffsetOutOfRange)
        } else if stored.caught_up_at < self.current_since
            || stored.changelog_next < self.tombstones_from
        {
            Some(WipeReason::TooOld)
        } else {
            None
        }
    }
}

/// On Kafka a lineage is the cluster's id and a topic. A cluster that did not say its id may be the same one.
fn is_same_lineage(stored: &str, expected: &str) -> bool {
    if stored == expected {
        return true;
    }
    match (stored.split_once('/'), expected.split_once('/')) {
        (Some((cluster, topic)), Some((other_cluster, other_topic))) => {
            topic == other_topic && (cluster.is_empty() || other_cluster.is_empty())
        }
        _ => false,
    }
}

/// What a store holds.
#[derive(Default)]
pub(super) struct Verified {
    pub(super) stored: StoreCheckpoint,
    pub(super) keys: PageKeys,
    pub(super) deadlines: Deadlines,
    /// Customers of whose entries a part is missing.
    pub(super) incomplete: BTreeSet<CustomerId>,
}

impl Verified {
    /// Adds what a page holds.
    fn take_page(&mut self, key: &[u8], page: &PageBytes) -> Result<(), CodecError> {
        let found = &mut self.stored;
        self.keys.insert(key.to_vec());
        found.digest = found.digest.wrapping_add(page.digest(key));
        let mut earliest: Option<Timestamp> = None;
        for entry in page.entries()? {
            let (id, stored) = entry?;
            found.records += 1;
            let layers = Layers {
                stored: Some(stored),
                ..Layers::default()
            };
            if layers.head().is_none() || layers.lacks_a_part()? {
                self.incomplete.insert(CustomerId::new(id));
            }
            let Some(summary) = layers.summary()? else {
                continue;
            };
            earliest = earlier(earliest, summary.deadline);
            found.deadlines += u64::from(summary.deadline.is_some());
            if let Some(group) = Group::of(&summary) {
                *found.customers.entry(group).or_default() += 1;
            }
        }
        self.deadlines.set_page(key, earliest);
        Ok(())
    }
}

/// Reads every entry and compares checksums, the digest of all records, the counts, and, where there is a log,
/// the place in it. It also collects the keys of the pages and the deadlines.
pub(super) fn verify(
    database: &Database,
    expected: Option<&Expected>,
) -> Result<Verified, OpenError> {
    let mut verified = Verified::default();
    let mut stored = None;
    for scanned in database.scan() {
        match scanned.map_err(OpenError::of)? {
            Scanned::Checkpoint(bytes) => {
                let found = codec::partition::decode_store(&bytes).map_err(unusable)?;
                if expected.is_some_and(|expected| !expected.is_its_log(&found)) {
                    return Err(OpenError::OtherLog);
                }
                // What its entries need, such as the names of numbers, may be missing from the rest of the changelog.
                if expected.is_some() && bytes.first() != Some(&codec::FORMAT) {
                    return Err(OpenError::Unusable(WipeReason::Format));
                }
                stored = Some(found);
            }
            Scanned::Page { key, bytes } => {
                verified.take_page(&key, &bytes).map_err(unusable)?;
            }
            Scanned::Unknown => return Err(OpenError::Unusable(WipeReason::Digest)),
        }
    }
    let found = &mut verified.stored;
    let Some(stored) = stored else {
        // A store without a checkpoint was never written to, or has lost it.
        if found.records > 0 {
            return Err(OpenError::Unusable(WipeReason::Digest));
        }
        found.lineage = expected.map_or_else(String::new, |expected| expected.lineage.clone());
        return Ok(verified);
    };
    if let Some(reason) = expected.and_then(|expected| expected.misfit(&stored)) {
        return Err(OpenError::Unusable(reason));
    }
    let has_changed = (stored.records, stored.digest) != (found.records, found.digest);
    if database.has_digest() && has_changed {
        return Err(OpenError::Unusable(WipeReason::Digest));
    }
    *found = StoreCheckpoint {
        customers: std::mem::take(&mut found.customers),
        deadlines: found.deadlines,
        ..stored
    };
    Ok(verified)
}

fn unusable(error: CodecError) -> OpenError {
    OpenError::Unusable(match error {
        CodecError::Newer { .. } | CodecError::Format { .. } => WipeReason::Format,
        CodecError::Checksum
        | CodecError::Content
        | CodecError::Missing
        | CodecError::Unnamed { .. } => WipeReason::Checksum,
    })
}
