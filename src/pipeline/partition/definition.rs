//! Under which definition a partition runs. State that exists is continued under its own. Where a partition has none yet, or
//! the settings have more rates, partition 0 decides, so that two instances of different settings never begin together.

use std::time::Instant;

use crate::codec::format_3;
use crate::codec::key::StateKey;
use crate::codec::partition::decode_table;
use crate::domain::ids::Partition;
use crate::engine::state::definition::Definition;
use crate::log::PartitionFacts;
use crate::log::WorkerLog;
use crate::pipeline::Error;
use crate::pipeline::Shared;

/// The partition that decides.
pub const DECIDING: Partition = Partition(0);
const CHUNK_RECORDS: usize = 1024;
/// How often its changelog is read on while it has no definition that fits.
const ASK_INTERVAL: std::time::Duration = std::time::Duration::from_millis(100);

/// Reads the definition that the changelog of partition 0 has, chunk by chunk.
#[derive(Debug, Default)]
pub struct DefinitionSearch {
    /// How far the changelog is read. The changelog is only appended to, so the reading goes on from there.
    next: u64,
    /// As of the reading under way.
    facts: Option<PartitionFacts>,
    /// The last definition up to there.
    found: Option<Definition>,
    ended_at: Option<Instant>,
    is_waiting_for_rates: bool,
}

impl DefinitionSearch {
    /// Reads on; the definition once the end of the changelog is reached and there is one.
    ///
    /// # Errors
    /// If the log cannot be read, or holds what is no state.
    pub fn advance(
        &mut self,
        log: &mut dyn WorkerLog,
        shared: &Shared,
    ) -> Result<Option<Definition>, Error> {
        let now = shared.monotonic.now();
        let is_soon = |ended: Instant| now.saturating_duration_since(ended) < ASK_INTERVAL;
        if self.ended_at.is_some_and(is_soon) {
            return Ok(None);
        }
        let facts = match self.facts.take() {
            Some(facts) => facts,
            None => match log.facts(DECIDING)? {
                Some(facts) => facts,
                None => return Ok(None),
            },
        };
        let from = self.next.max(facts.changelog_start);
        let chunk = log.read_changelog(DECIDING, from, CHUNK_RECORDS)?;
        for record in &chunk.records {
            let read = definition_in(&record.key, record.value.as_deref());
            let read = read.map_err(|source| Error::Changelog {
                partition: DECIDING,
                offset: record.offset,
                source,
            })?;
            self.found = read.or(self.found.take());
        }
        self.next = chunk.offset_next;
        if chunk.remaining > 0 {
            self.facts = Some(facts);
            return Ok(None);
        }
        self.ended_at = Some(now);
        Ok(self.found.clone())
    }

    /// Partition 0 runs without a rate of the settings; `true` the first time.
    pub fn wait_for_rates(&mut self) -> bool {
        !std::mem::replace(&mut self.is_waiting_for_rates, true)
    }
}

fn definition_in(
    key: &[u8],
    value: Option<&[u8]>,
) -> Result<Option<Definition>, crate::codec::CodecError> {
    let Some(value) = value else { return Ok(None) };
    match StateKey::decode(key)? {
        StateKey::Table => Ok(Some(decode_table(value)?.definition)),
        StateKey::OldCheckpoint => Ok(Some(format_3::decode_checkpoint(value)?.definition)),
        StateKey::Checkpoint | StateKey::Head(_) | StateKey::Part(..) | StateKey::OldRecord(_) => {
            Ok(None)
        }
    }
}
