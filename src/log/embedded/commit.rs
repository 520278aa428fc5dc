//! Committing a transaction.

use crate::domain::ids::Source;
use crate::faults::FaultPoint;
use crate::log::Committed;
use crate::log::Error;
use crate::log::Output;
use crate::log::PartitionCommit;
use crate::log::Transaction;
use crate::log::embedded::handle::EmbeddedLog;
use crate::log::embedded::layout;
use crate::log::embedded::layout::Encoding;
use crate::log::embedded::layout::Ends;
use crate::log::embedded::layout::Kind;
use crate::log::embedded::layout::StoredState;
use crate::log::embedded::records::StoredOutput;

impl EmbeddedLog {
    /// Writes a transaction as one batch.
    pub(super) fn commit(&self, transaction: &Transaction) -> Result<Vec<Committed>, Error> {
        let inner = &*self.0;
        transaction
            .check()
            .map_err(|problem| self.unusable(&problem))?;
        let mut written = self.lock();
        let mut next = written.tail.ends.clone();
        let mut batch = sled::Batch::default();
        let mut committed = Vec::with_capacity(transaction.partitions.len());
        for part in &transaction.partitions {
            committed.push(self.stage_state(&mut batch, &mut next, part)?);
        }
        for output in &transaction.outputs {
            self.stage_output(&mut batch, &mut next, output)?;
        }
        self.apply(&mut written, batch, next)?;
        inner.faults.cross(FaultPoint::CommitBeforeFlush)?;
        self.flush(&mut written)?;
        inner.faults.cross(FaultPoint::CommitAfterFlush)?;
        Ok(committed)
    }

    fn stage_output(
        &self,
        batch: &mut sled::Batch,
        next: &mut [Ends],
        output: &Output,
    ) -> Result<(), Error> {
        let (topic, record) = (output.topic, &*output.record);
        let kind = layout::kind_of_output(topic).ok_or_else(|| {
            let setting = topic.row().setting;
            self.unusable(&format!("this log has no place for an output of {setting}"))
        })?;
        let partition = self.partition_of(record.key.as_deref(), record.value.as_deref());
        let ends = self.ends_of(next, partition)?;
        let place = match ends.output_mut(kind) {
            Some(end) => {
                let place = layout::offset_key(kind, partition, *end);
                *end += 1;
                place
            }
            // Compacted as it is written: one record a key.
            None => layout::named_key(kind, partition, record.key.as_deref().unwrap_or_default()),
        };
        batch.insert(place, self.encoded_record(&StoredOutput::from(record))?);
        Ok(())
    }

    fn stage_state(
        &self,
        batch: &mut sled::Batch,
        next: &mut [Ends],
        part: &PartitionCommit,
    ) -> Result<Committed, Error> {
        let partition = part.partition;
        let ends = self.ends_of(next, partition)?;
        for source in Source::ALL {
            let offset = part.offsets.next(source);
            let is_behind = ends.group(source).is_some_and(|group| offset < group);
            if is_behind || offset > ends.end(source) {
                let problem = "a transaction's offset is behind the group or past the end";
                return Err(self.unusable(problem));
            }
            *ends.group_mut(source) = Some(offset);
        }
        let end = &mut ends.main;
        for record in &part.state {
            let index = layout::named_key(Kind::StateIndex, partition, &record.key);
            match self.0.database.get(&index)? {
                Some(previous) => {
                    let offset: u64 = layout::decode(Encoding::One, &previous)
                        .ok_or_else(|| self.damaged("the changelog's index"))?;
                    batch.remove(layout::offset_key(Kind::State, partition, offset));
                }
                None => end.state_records += 1,
            }
            let stored = StoredState {
                key: &record.key,
                value: record.value.as_deref(),
            };
            let place = layout::offset_key(Kind::State, partition, end.state);
            batch.insert(place, self.encoded(&stored)?);
            batch.insert(index, self.encoded(&end.state)?);
            end.state += 1;
        }
        Ok(Committed {
            partition,
            changelog_next: end.state,
        })
    }
}
