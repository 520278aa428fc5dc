//! The changes of the embedded log, as a reader beside the workers sees them.

use crate::domain::ids::Partition;
use crate::log::Error;
use crate::log::changes::ChangesChunk;
use crate::log::changes::ChangesReader;
use crate::log::changes::PublishedChange;
use crate::log::embedded::handle::EmbeddedLog;
use crate::log::embedded::layout;
use crate::log::embedded::layout::Kind;
use crate::log::embedded::records;

impl EmbeddedLog {
    /// The end of a partition's changes, all of them on disk; `None` where there is no such partition.
    fn changes_end(&self, partition: Partition) -> Option<u64> {
        let written = self.lock();
        let number = usize::try_from(partition.0).ok()?;
        written.tail.ends.get(number).map(|ends| ends.main.changes)
    }
}

impl ChangesReader for EmbeddedLog {
    fn partitions(&self) -> u32 {
        Self::partitions(self)
    }

    fn read_changes(
        &mut self,
        partition: Partition,
        from: u64,
        limit: usize,
    ) -> Result<ChangesChunk, Error> {
        let Some(end) = self.changes_end(partition) else {
            return Err(self.unusable("it does not have the partition that was asked for"));
        };
        let mut chunk = ChangesChunk {
            changes: Vec::new(),
            offset_next: from,
            end,
        };
        let keys = [from.min(end), end];
        let [first, last] = keys.map(|offset| layout::offset_key(Kind::Change, partition, offset));
        for entry in self.0.database.range(first..last).take(limit) {
            let (key, bytes) = entry?;
            let offset = layout::offset_of(&key);
            let record = records::decode_output(&bytes);
            let (Some(offset), Some(record)) = (offset, record) else {
                return Err(self.damaged("a change"));
            };
            chunk.offset_next = offset + 1;
            chunk.changes.push(PublishedChange { offset, record });
        }
        Ok(chunk)
    }
}
