//! Verifies that a store can be trusted: reads all of it, and compares it with the log.

use std::collections::BTreeSet;

use twox_hash::XxHash3_64;

use crate::codec;
use crate::codec::CodecError;
use crate::codec::stored::Group;
use crate::codec::stored::StoreCheckpoint;
use crate::domain::ids::CustomerId;
use crate::domain::time::Timestamp;
use crate::store::deadlines::Deadlines;
use crate::store::dirty::Layers;
use crate::store::pages::CUSTOMER_PREFIX;
use crate::store::pages::Page;
use crate::store::pages::PageKeys;

/// The key of the store's own checkpoint; pages of customers have the other prefix.
pub(super) const CHECKPOINT_KEY: &[u8] = b"s";
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
    /// `None` where the log keeps them for ever.
    pub current_since: Option<Timestamp>,
}

impl Expected {
    /// Why a store does not agree with the log; `None` if it does.
    pub(super) fn misfit(&self, stored: &StoreCheckpoint) -> Option<WipeReason> {
        let in_log = self.changelog_start..=self.changelog_end;
        let reach = stored.changelog_reach.max(stored.changelog_next);
        if stored.lineage != self.lineage {
            Some(WipeReason::Lineage)
        } else if reach > self.changelog_end || !in_log.contains(&stored.changelog_next) {
            Some(WipeReason::OffsetOutOfRange)
        } else if stored.caught_up_at < self.current_since {
            Some(WipeReason::TooOld)
        } else {
            None
        }
    }
}

/// Why a store was removed; also the metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WipeReason {
    /// It did not open, or panicked on opening.
    OpenFailed,
    /// A record or the checkpoint did not decode.
    Checksum,
    /// Written by another version.
    Format,
    /// Made from another log.
    Lineage,
    /// The changelog does not have its place any more, or not yet.
    OffsetOutOfRange,
    /// Records are missing, stale or too many.
    Digest,
    /// Its last flush was interrupted: its records are of two places in the changelog, which only a restore can mend.
    Unfinished,
    /// A part that an entry names is missing: in the middle of a restore, or although all of the changelog was read.
    Incomplete,
    /// It lagged for so long that the changelog has deleted tombstones that it missed.
    TooOld,
}

impl WipeReason {
    /// The metric label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenFailed => "open_failed",
            Self::Checksum => "checksum",
            Self::Format => "format",
            Self::Lineage => "lineage",
            Self::OffsetOutOfRange => "offset_out_of_range",
            Self::Digest => "digest",
            Self::Unfinished => "unfinished",
            Self::Incomplete => "incomplete",
            Self::TooOld => "too_old",
        }
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
    fn take_page(&mut self, key: &[u8], bytes: &[u8]) -> Result<(), CodecError> {
        let found = &mut self.stored;
        self.keys.insert(key.to_vec());
        found.digest = found.digest.wrapping_add(digest(key, bytes));
        for entry in Page::new(bytes)? {
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
            found.deadlines += u64::from(summary.deadline.is_some());
            if let Some(group) = Group::of(&summary) {
                *found.customers.entry(group).or_default() += 1;
            }
        }
        let earliest = Page::new(bytes).and_then(Page::earliest_deadline)?;
        self.deadlines.set_page(key, earliest);
        Ok(())
    }
}

/// Reads every entry and compares checksums, the digest of all records, the counts, and, where there is a log,
/// the place in it. It also collects the keys of the pages and the deadlines.
pub(super) fn verify(
    database: &sled::Db,
    expected: Option<&Expected>,
) -> Result<Verified, WipeReason> {
    let mut verified = Verified::default();
    let mut stored = None;
    for entry in database.iter() {
        let (key, bytes) = entry.map_err(|_| WipeReason::OpenFailed)?;
        if key == CHECKPOINT_KEY {
            // What its entries need, such as the names of numbers, may be missing from the rest of the changelog.
            if expected.is_some() && bytes.first() != Some(&codec::FORMAT) {
                return Err(WipeReason::Format);
            }
            stored = Some(codec::partition::decode_store(&bytes).map_err(wipe_reason)?);
            continue;
        }
        if key.first() != Some(&CUSTOMER_PREFIX) {
            return Err(WipeReason::Digest);
        }
        verified.take_page(&key, &bytes).map_err(wipe_reason)?;
    }
    let found = &mut verified.stored;
    let Some(stored) = stored else {
        // A store without a checkpoint was never written to, or has lost it.
        if found.records > 0 {
            return Err(WipeReason::Digest);
        }
        found.lineage = expected.map_or_else(String::new, |expected| expected.lineage.clone());
        return Ok(verified);
    };
    if let Some(reason) = expected.and_then(|expected| expected.misfit(&stored)) {
        return Err(reason);
    }
    if (stored.records, stored.digest) != (found.records, found.digest) {
        return Err(WipeReason::Digest);
    }
    *found = StoreCheckpoint {
        customers: std::mem::take(&mut found.customers),
        deadlines: found.deadlines,
        ..stored
    };
    Ok(verified)
}

fn wipe_reason(error: CodecError) -> WipeReason {
    match error {
        CodecError::Newer { .. } | CodecError::Format { .. } => WipeReason::Format,
        CodecError::Checksum
        | CodecError::Content
        | CodecError::Missing
        | CodecError::Unnamed { .. } => WipeReason::Checksum,
    }
}

pub(super) fn digest(key: &[u8], bytes: &[u8]) -> u64 {
    XxHash3_64::oneshot_with_seed(XxHash3_64::oneshot(key), bytes)
}
