//! The changes of an instance that holds the embedded log, asked for over HTTP.

use crate::cli::instance::Instance;
use crate::domain::ids::Partition;
use crate::domain::time::Timestamp;
use crate::log::Error;
use crate::log::OutputRecord;
use crate::log::outputs::OutputChunk;
use crate::log::outputs::OutputReader;
use crate::log::outputs::PlacedRecord;
use crate::log::outputs::ReadLimit;
use crate::view::changes::ChangesView;

/// The changes of a running instance.
#[derive(Debug)]
pub struct RemoteChanges {
    instance: Instance,
    partitions: u32,
}

impl RemoteChanges {
    /// Asks the instance.
    ///
    /// # Errors
    /// If it does not answer, or refuses the token.
    pub fn open(instance: Instance) -> Result<Self, Error> {
        let mut changes = Self {
            instance,
            partitions: 0,
        };
        changes.partitions = changes.ask(Partition(0), 0, 1)?.partitions;
        Ok(changes)
    }

    fn ask(&self, partition: Partition, from: u64, limit: usize) -> Result<ChangesView, Error> {
        let path = format!("/v1/changes?partition={partition}&from={from}&limit={limit}");
        self.instance.ask(&path)
    }
}

impl OutputReader for RemoteChanges {
    fn partitions(&self) -> u32 {
        self.partitions
    }

    fn read(
        &mut self,
        partition: Partition,
        from: u64,
        limit: ReadLimit,
    ) -> Result<OutputChunk, Error> {
        let view = self.ask(partition, from, limit.records)?;
        let records = view.changes.iter().map(|change| PlacedRecord {
            offset: change.offset,
            // An answer has the value alone.
            record: OutputRecord {
                key: None,
                value: Some(change.change.get().as_bytes().to_vec()),
                headers: Vec::new(),
                timestamp: Timestamp::default(),
            },
        });
        Ok(OutputChunk {
            records: records.collect(),
            offset_next: view.offset_next,
            // It does not say what is still there.
            start: from,
            end: view.end,
        })
    }
}
