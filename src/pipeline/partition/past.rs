//! Reading the past of an abridged record.

use crate::codec;
use crate::codec::CodecError;
use crate::codec::entry::Encoded;
use crate::codec::part::Part;
use crate::domain::ids::CustomerId;
use crate::domain::time::DAY_MS;
use crate::domain::time::Timestamp;
use crate::engine::commands::Delivered;
use crate::engine::commands::needs_past;
use crate::engine::policy::Rules;
use crate::engine::state::entry::Entry;
use crate::engine::state::record::CustomerRecord;
use crate::engine::state::seal::Sealing;
use crate::engine::state::table::DefinitionTable;
use crate::pipeline::Error;
use crate::pipeline::partitions::Owner;
use crate::store;
use crate::store::found::Found;
use crate::store::partition::PartitionStore;

/// Where the past of a partition's records lies.
#[derive(Clone, Copy, Debug)]
pub struct PastReader<'a> {
    /// The store.
    pub store: &'a PartitionStore,
    /// Its owner.
    pub owner: Owner,
}

impl PastReader<'_> {
    /// The committed entry of a customer, abridged where a delivery of an instant will probably not need more.
    ///
    /// # Errors
    /// As [`PastReader::complete`].
    pub fn load(
        self,
        customer_id: &str,
        at: Timestamp,
        rules: Rules<'_>,
    ) -> Result<Option<Found>, Error> {
        let since = abridged_since(at, rules);
        self.unless_displaced(self.store.get_abridged(customer_id, since))
    }

    /// The committed entries whose deadlines have come, as [`PastReader::load`] reads them, about `limit` of them.
    ///
    /// # Errors
    /// As [`PastReader::complete`].
    pub fn load_due(
        self,
        by: Timestamp,
        limit: usize,
        rules: Rules<'_>,
    ) -> Result<Vec<(CustomerId, Found)>, Error> {
        let since = abridged_since(by, rules);
        self.unless_displaced(self.store.due(by, limit, since))
    }

    /// The entry that a delivery is folded into. To the commands, a customer without one is the same as one of whom
    /// nothing is known.
    ///
    /// # Errors
    /// As [`PastReader::complete`].
    pub fn entry_for(
        self,
        entry: Option<Entry>,
        customer_id: &str,
        delivered: Delivered<'_>,
        rules: Rules<'_>,
        table: &mut DefinitionTable,
    ) -> Result<Entry, Error> {
        let new = || Entry::Live(Box::new(CustomerRecord::new_abridged()));
        let mut entry = entry.unwrap_or_else(new);
        if needs_past(&entry, delivered, rules) {
            self.complete(customer_id, &mut entry, table)?;
        }
        Ok(entry)
    }

    /// Makes an entry whole.
    ///
    /// # Errors
    /// If the past cannot be read. [`Error::Displaced`] where that is because another worker of the process has taken the
    /// partition over.
    pub fn complete(
        self,
        customer_id: &str,
        entry: &mut Entry,
        table: &mut DefinitionTable,
    ) -> Result<(), Error> {
        let Entry::Live(record) = entry else {
            return Ok(());
        };
        self.with_parts(customer_id, |part| {
            codec::abridged::complete(record, part, table)
        })
    }

    /// Encodes an entry; an abridged one is sealed where it has to be.
    ///
    /// # Errors
    /// As [`PastReader::complete`]; or if the entry cannot be encoded.
    pub fn encode(
        self,
        customer_id: &str,
        entry: &mut Entry,
        table: &mut DefinitionTable,
        sealing: Sealing,
    ) -> Result<Encoded, Error> {
        let failed = |source| Error::Encode(Box::new(source));
        let must_be_sealed = codec::abridged::must_be_sealed(entry, table, sealing);
        let sealed = match entry {
            Entry::Live(record) if must_be_sealed.map_err(failed)? => {
                Some(self.with_parts(customer_id, |part| {
                    codec::abridged::seal(record, part, table, sealing)
                })?)
            }
            Entry::Live(_) | Entry::Moved(_) | Entry::Suppressed(_) => None,
        };
        let mut encoded = codec::entry::encode(entry, table, sealing).map_err(failed)?;
        encoded.parts.extend(sealed);
        Ok(encoded)
    }

    fn with_parts<T>(
        self,
        customer_id: &str,
        read: impl for<'a> FnOnce(&mut dyn FnMut(Part) -> Option<&'a [u8]>) -> Result<T, CodecError>,
    ) -> Result<T, Error> {
        self.unless_displaced(self.store.with_parts(customer_id, read))
    }

    /// What was read. Where another worker has taken the partition over, it may be about to write it anew.
    fn unless_displaced<T>(self, read: Result<T, store::Error>) -> Result<T, Error> {
        if read.is_err() && self.store.owner() != self.owner.epoch() {
            return Err(Error::Displaced {
                partition: self.owner.partition(),
            });
        }
        Ok(read?)
    }
}

/// A record whose first purchase was before this instant is needed whole at another one, as a rule. The past is read where
/// it is needed, so this need not be exact.
fn abridged_since(at: Timestamp, rules: Rules<'_>) -> Timestamp {
    if !rules.policy.zone.has_days_in_order_since(at) {
        return Timestamp::MAX;
    }
    let window_days = rules.model.windows_days().first();
    window_days.map_or(Timestamp::MIN, |days| {
        let window_ms = i64::from(*days).saturating_mul(DAY_MS);
        at.plus_milliseconds(DAY_MS - window_ms)
    })
}
