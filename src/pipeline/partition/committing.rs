//! What a transaction writes for a running partition, and what becomes visible once it is committed.

use crate::codec;
use crate::codec::key::StateKey;
use crate::domain::ids::CustomerId;
use crate::domain::time::Timestamp;
use crate::engine::state::checkpoint::Checkpoint;
use crate::engine::state::entry::Entry;
use crate::log::PartitionCommit;
use crate::log::StateRecord;
use crate::pipeline::Error;
use crate::pipeline::Shared;
use crate::pipeline::partition::past::PastReader;
use crate::pipeline::partition::pending::Pending;
use crate::pipeline::partition::pending::Replaced;
use crate::pipeline::partition::record_cache::Unstaged;
use crate::pipeline::partition::running::RunningPartition;
use crate::store::memory::Advance;
use crate::telemetry::observe;

impl RunningPartition {
    /// Empties the stage into what the transaction writes for this partition, and what becomes
    /// visible once it is committed. The checkpoint says that this was at `wall`.
    ///
    /// # Errors
    /// If a record cannot be encoded, or what is to be sealed with it cannot be read.
    pub fn assemble(&mut self, wall: Timestamp) -> Result<(PartitionCommit, Pending), Error> {
        let encode_error = |source| Error::Encode(Box::new(source));
        let mut staged = std::mem::take(&mut self.staged);
        staged.sort_unstable();
        let mut state = Vec::with_capacity(staged.len() + 1);
        let mut customers = Vec::with_capacity(staged.len());
        let past = PastReader {
            store: &self.store,
            owner: self.owner,
        };
        for customer_id in staged {
            let (table, sealing) = (&mut self.table, self.sealing);
            let id = customer_id.as_str();
            let encode = |entry: &mut Entry| past.encode(id, entry, table, sealing);
            let unstaged = self.cache.unstage(&customer_id, encode);
            let unstaged = unstaged?.ok_or(Error::NotWritten)?;
            customers.push(push_entry(&mut state, customer_id, unstaged));
        }
        self.cache.age();
        let has_new_table = self.table != *self.store.table() || self.is_new;
        let table = has_new_table.then(|| self.table.clone());
        if let Some(table) = &table {
            state.push(StateRecord {
                key: StateKey::Table.encode(),
                value: Some(codec::partition::encode_table(table).map_err(encode_error)?),
            });
        }
        let checkpoint = Checkpoint {
            offsets: self.offsets,
            clock: self.clock.now(),
            record_time_max: self.clock.record_time_max(),
            transactions: self.committed.transactions + 1,
            definition: self.table.definition.fingerprint(),
            wall: Some(wall),
            last_records: self.last_records,
        };
        let value = codec::partition::encode_checkpoint(checkpoint).map_err(encode_error)?;
        state.push(StateRecord {
            key: StateKey::Checkpoint.encode(),
            value: Some(value),
        });
        if self.store.has_old_checkpoint() {
            state.push(tombstone(&StateKey::OldCheckpoint));
        }
        let commit = PartitionCommit {
            partition: self.owner.partition(),
            offsets: self.offsets,
            state,
        };
        let pending = Pending {
            customers,
            checkpoint,
            has_fired: self.has_fired,
            table,
        };
        Ok((commit, pending))
    }

    /// The transaction is committed: readers see it, and the gauges count it. `false` where another worker of this
    /// process has taken the partition over since; then nothing was applied.
    ///
    /// # Errors
    /// If the store fails.
    pub fn apply(
        &mut self,
        (state, mut pending): (Vec<StateRecord>, Pending),
        changelog_next: u64,
        shared: &Shared,
    ) -> Result<bool, Error> {
        let wall = shared.wall.now();
        let updates = pending.updates(state)?;
        let advance = Advance {
            checkpoint: Some(pending.checkpoint),
            has_old_checkpoint: Some(false),
            table: pending.table,
            changelog_next,
            caught_up_at: Some(wall),
        };
        let applied = self.store.apply(self.owner.epoch(), updates, advance)?;
        let Some(deltas) = applied else {
            return Ok(false);
        };
        if self.is_new {
            shared.partitions.agree(&self.table.definition);
            self.is_new = false;
        }
        if self.has_taken {
            let seconds = wall.seconds_since(Timestamp::default());
            shared.partitions.observe(self.owner, |metrics, number| {
                observe::last_event(metrics, number, seconds);
            });
        }
        shared
            .partitions
            .count(self.owner, &deltas, &self.store.table());
        self.is_claimed = true;
        self.has_fired = false;
        self.has_taken = false;
        self.committed = pending.checkpoint;
        Ok(true)
    }
}

/// Appends everything that a transaction writes of a customer.
fn push_entry(
    state: &mut Vec<StateRecord>,
    customer_id: CustomerId,
    unstaged: Unstaged,
) -> Replaced {
    let (head, parts) = match unstaged.entry {
        Some(entry) => (Some(entry.head), entry.parts),
        None => (None, Vec::new()),
    };
    // A restore reads the parts before the head that names them.
    for (part, bytes) in &parts {
        state.push(StateRecord {
            key: StateKey::Part(customer_id.clone(), *part).encode(),
            value: Some(bytes.to_vec()),
        });
    }
    let after = head.as_ref().map(|head| head.summary);
    let place = state.len();
    state.push(StateRecord {
        key: StateKey::Head(customer_id.clone()).encode(),
        value: head.map(|head| head.bytes),
    });
    for part in &unstaged.dropped {
        state.push(tombstone(&StateKey::Part(customer_id.clone(), *part)));
    }
    if unstaged.before.is_some_and(|before| before.has_old_key) {
        // Else the old record stays in the compacted topic for ever.
        state.push(tombstone(&StateKey::OldRecord(customer_id.clone())));
    }
    let parts = parts.into_iter().map(|(part, bytes)| (part, Some(bytes)));
    let dropped = unstaged.dropped.into_iter().map(|part| (part, None));
    Replaced {
        customer_id,
        before: unstaged.before,
        after,
        parts: parts.chain(dropped).collect(),
        place,
    }
}

fn tombstone(key: &StateKey) -> StateRecord {
    StateRecord {
        key: key.encode(),
        value: None,
    }
}
