//! The changes and the dead letters of the embedded log, as a reader beside the workers sees them.

use crate::domain::ids::Partition;
use crate::log::Error;
use crate::log::OutputRecord;
use crate::log::embedded::cursor::Cursor;
use crate::log::embedded::errors::damaged;
use crate::log::embedded::frame::Kind;
use crate::log::embedded::frame::Stream;
use crate::log::embedded::handle::EmbeddedLog;
use crate::log::embedded::records::Stored;
use crate::log::outputs::OutputChunk;
use crate::log::outputs::OutputKind;
use crate::log::outputs::OutputReader;
use crate::log::outputs::PlacedRecord;
use crate::log::outputs::ReadLimit;

/// Reads the records of one kind.
#[derive(Clone, Debug)]
pub struct EmbeddedOutputs {
    log: EmbeddedLog,
    kind: OutputKind,
}

impl EmbeddedLog {
    /// A reader beside the workers.
    #[must_use]
    pub fn reader(&self, kind: OutputKind) -> EmbeddedOutputs {
        EmbeddedOutputs {
            log: self.clone(),
            kind,
        }
    }
}

impl OutputReader for EmbeddedOutputs {
    fn partitions(&self) -> u32 {
        self.log.partitions()
    }

    fn read(
        &mut self,
        partition: Partition,
        from: u64,
        limit: ReadLimit,
    ) -> Result<OutputChunk, Error> {
        if partition.0 >= self.log.partitions() {
            return Err(self
                .log
                .unusable("it does not have the partition that was asked for"));
        }
        let ends = self.log.ends_of(partition);
        let (kind, end) = match self.kind {
            OutputKind::Changes => (Kind::Change, ends.changes),
            OutputKind::DeadLetters => (Kind::DeadLetter, ends.dead_letters),
        };
        let stream = Stream { kind, partition };
        let log = &self.log.0.changes;
        let start = log.start(stream);
        let mut cursor = Cursor::new(stream, from.max(start));
        let (mut records, mut bytes_read) = (Vec::new(), 0_usize);
        while records.len() < limit.records
            && bytes_read < limit.bytes
            && let Some((offset, bytes)) = cursor.next(log, end)?
        {
            if bytes.is_empty() {
                continue;
            }
            bytes_read += bytes.len();
            let record = Stored::read(bytes).map(OutputRecord::from);
            let record = record.ok_or_else(|| {
                let what = format!("the record at offset {offset} of {stream:?} is damaged");
                damaged(&log.directory, &what)
            })?;
            records.push(PlacedRecord { offset, record });
        }
        Ok(OutputChunk {
            records,
            offset_next: cursor.position(),
            start,
            end,
        })
    }
}
