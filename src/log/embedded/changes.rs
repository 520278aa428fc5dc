//! The changes of the embedded log, as a reader beside the workers sees them.

use crate::domain::ids::Partition;
use crate::log::Error;
use crate::log::OutputRecord;
use crate::log::changes::ChangesChunk;
use crate::log::changes::ChangesReader;
use crate::log::changes::PublishedChange;
use crate::log::embedded::cursor::Cursor;
use crate::log::embedded::errors::damaged;
use crate::log::embedded::frame::Kind;
use crate::log::embedded::frame::Stream;
use crate::log::embedded::handle::EmbeddedLog;
use crate::log::embedded::records::Stored;

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
        if partition.0 >= Self::partitions(self) {
            return Err(self.unusable("it does not have the partition that was asked for"));
        }
        let end = self.ends_of(partition).changes;
        let stream = Stream {
            kind: Kind::Change,
            partition,
        };
        let log = &self.0.changes;
        let mut cursor = Cursor::new(stream, from.max(log.start(stream)));
        let mut chunk = ChangesChunk {
            changes: Vec::new(),
            offset_next: from,
            end,
        };
        while chunk.changes.len() < limit
            && let Some((offset, bytes)) = cursor.next(log, end)?
        {
            if bytes.is_empty() {
                continue;
            }
            let record = Stored::read(bytes).map(OutputRecord::from);
            let record = record.ok_or_else(|| {
                let what = format!("the change at offset {offset} is damaged");
                damaged(&log.directory, &what)
            })?;
            chunk.changes.push(PublishedChange { offset, record });
        }
        chunk.offset_next = cursor.position();
        Ok(chunk)
    }
}
