//! The end of a restore: what the log says of the partition now fits to its state, or is refused.

use crate::domain::ids::Position;
use crate::domain::ids::Source;
use crate::engine::state::checkpoint::Checkpoint;
use crate::engine::state::definition::Definition;
use crate::engine::state::last_record::LastRecord;
use crate::log::Delivery;
use crate::log::PartitionFacts;
use crate::log::ReadBack;
use crate::log::WorkerLog;
use crate::pipeline::Error;
use crate::pipeline::Shared;
use crate::pipeline::partition::restore::Restore;
use crate::store::wipe_reason::WipeReason;
use crate::telemetry::observe;

impl Restore {
    /// The checkpoint to go on from and the definition to run under; `None` where the log must be asked again first.
    pub(super) fn start(
        &mut self,
        log: &mut dyn WorkerLog,
        shared: &Shared,
    ) -> Result<Option<(Checkpoint, Definition)>, Error> {
        let Some(definition) = self.definition(log, shared)? else {
            return Ok(None);
        };
        // Where the changelog has moved since, another worker writes it, and what was read may lack what it replaced.
        let Some(facts) = log.facts(self.owner.partition())? else {
            return Ok(None);
        };
        let before = std::mem::replace(&mut self.facts, facts);
        let has_stood_still = before.changelog_end == self.facts.changelog_end
            && group_offsets(&before).eq(group_offsets(&self.facts));
        if !has_stood_still {
            self.search = None;
            return Ok(None);
        }
        // Tombstones that were to be read may have been removed meanwhile, after what they replace was read.
        let tombstones_from = self.facts.tombstones_from;
        if tombstones_from > self.tombstones_from && tombstones_from > self.begun_at {
            self.clear(shared, WipeReason::TooOld)?;
            return Ok(None);
        }
        if !self.store.is_complete()? {
            self.restore_in_full(shared)?;
            return Ok(None);
        }
        let checkpoint = self.checkpoint(shared, &definition)?;
        if !self.compare_sources(&checkpoint, log)? {
            return Ok(None);
        }
        shared.check_wall(self.owner.partition(), &checkpoint, self.is_at_start)?;
        Ok(Some((checkpoint, definition)))
    }

    /// The checkpoint to go on from, if the log still holds the records after it.
    fn checkpoint(&self, shared: &Shared, definition: &Definition) -> Result<Checkpoint, Error> {
        let partition = self.owner.partition();
        let facts = &self.facts;
        let mut group = group_offsets(facts).filter_map(|(_, offset)| offset);
        let mut checkpoint = match (self.store.checkpoint(), group.next()) {
            (Some(checkpoint), _) => checkpoint,
            (None, Some(group_offset)) => {
                return Err(Error::OffsetWithoutCheckpoint {
                    partition,
                    group_offset,
                });
            }
            (None, None) => Checkpoint {
                definition: definition.fingerprint(),
                ..Checkpoint::default()
            },
        };
        let is_new = self.store.checkpoint().is_none();
        for (source, facts) in &facts.sources {
            let is_unread = checkpoint.offsets.next(*source) == 0 && facts.group_offset.is_none();
            // A source that came after the state is read from its earliest record.
            if is_new || (is_unread && *source == Source::Transfers) {
                checkpoint.offsets = checkpoint.offsets.with(*source, facts.start);
            }
            let offset = checkpoint.offsets.next(*source);
            if facts.group_offset.is_some_and(|group| group != offset) {
                observe::offset_mismatch(&shared.metrics, partition.0);
            }
            if !(facts.start..=facts.end).contains(&offset) {
                return Err(Error::SourceOutOfRange {
                    partition,
                    of: *source,
                    offset,
                    start: facts.start,
                    end: facts.end,
                });
            }
        }
        Ok(checkpoint)
    }

    /// Whether the records that were folded last stand where they stood; `false` where the log must be asked again first. A topic that
    /// was made anew may be longer than the one that the state was made from.
    fn compare_sources(
        &mut self,
        checkpoint: &Checkpoint,
        log: &mut dyn WorkerLog,
    ) -> Result<bool, Error> {
        let partition = self.owner.partition();
        for (source, last) in checkpoint.last_records.each() {
            let facts = self.facts.sources.get(&source);
            let Some(facts) = facts else { continue };
            // The log reads one at a time, and may take some turns for each.
            if self.compared.contains(&(source, last)) {
                continue;
            }
            if last.offset < facts.start {
                tracing::info!(
                    partition = partition.0,
                    source = source.as_str(),
                    "the record that was processed last is removed from the topic: whether the topic was made anew cannot be told"
                );
                continue;
            }
            let position = Position {
                source,
                partition,
                offset: last.offset,
            };
            let is_same = match log.read_back(position)? {
                ReadBack::NotYet => return Ok(false),
                ReadBack::Unknown => true,
                ReadBack::Missing => false,
                ReadBack::Found {
                    record_time,
                    key,
                    value,
                } => {
                    let (key, value) = (key.as_deref(), value.as_deref());
                    LastRecord::of(last.offset, record_time, key, value) == last
                }
            };
            if !is_same {
                return Err(Error::OtherSource {
                    partition,
                    of: source,
                    offset: last.offset,
                });
            }
            self.compared.push((source, last));
        }
        Ok(true)
    }
}

/// What is kept of a delivery.
pub(super) fn last_record(delivery: &Delivery) -> LastRecord {
    LastRecord::of(
        delivery.position.offset,
        delivery.record_time,
        delivery.key.as_deref(),
        delivery.payload.as_deref(),
    )
}

/// The group's offset in each source.
pub(super) fn group_offsets(facts: &PartitionFacts) -> impl Iterator<Item = (Source, Option<u64>)> {
    let sources = facts.sources.iter();
    sources.map(|(source, facts)| (*source, facts.group_offset))
}
