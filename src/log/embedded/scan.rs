//! Everything that a log holds, kind by kind.

use crate::domain::ids::Partition;
use crate::domain::ids::Position;
use crate::domain::ids::Source;
use crate::log::Error;
use crate::log::OutputRecord;
use crate::log::embedded::handle::EmbeddedLog;
use crate::log::embedded::layout;
use crate::log::embedded::layout::Kind;
use crate::log::embedded::records;
use crate::log::embedded::records::InputRecord;

impl EmbeddedLog {
    /// The input, by partition and offset.
    pub fn inputs(&self) -> impl Iterator<Item = Result<(Position, InputRecord), Error>> {
        self.records_of(Source::Events)
    }

    /// The transfers, by partition and offset.
    pub fn transfers(&self) -> impl Iterator<Item = Result<(Position, InputRecord), Error>> {
        self.records_of(Source::Transfers)
    }

    fn records_of(
        &self,
        source: Source,
    ) -> impl Iterator<Item = Result<(Position, InputRecord), Error>> + use<> {
        let records = self.scan(layout::kind_of(source), records::decode_input);
        records.map(move |found| {
            let (partition, offset, record) = found?;
            let position = Position {
                source,
                partition,
                offset,
            };
            Ok((position, record))
        })
    }

    /// The changes, by partition and offset.
    pub fn changes(&self) -> impl Iterator<Item = Result<(Partition, u64, OutputRecord), Error>> {
        self.scan(Kind::Change, records::decode_output)
    }

    /// The dead letters, by partition and offset.
    pub fn dead_letters(
        &self,
    ) -> impl Iterator<Item = Result<(Partition, u64, OutputRecord), Error>> {
        self.scan(Kind::DeadLetter, records::decode_output)
    }

    /// The latest change of each customer, by partition and key.
    pub fn current(&self) -> impl Iterator<Item = Result<OutputRecord, Error>> {
        let log = self.clone();
        let entries = self.0.database.scan_prefix([Kind::Current as u8]);
        entries.map(move |entry| {
            let (_, bytes) = entry?;
            records::decode_output(&bytes).ok_or_else(|| log.damaged("a latest change"))
        })
    }

    /// The records of a kind that has offsets, by partition and offset.
    fn scan<T>(
        &self,
        kind: Kind,
        decode: fn(&[u8]) -> Option<T>,
    ) -> impl Iterator<Item = Result<(Partition, u64, T), Error>> + use<T> {
        let log = self.clone();
        let partitions = (0..self.partitions()).map(Partition);
        partitions.flat_map(move |partition| {
            let log = log.clone();
            let prefix = layout::partition_key(kind, partition);
            let entries = log.0.database.scan_prefix(prefix);
            entries.map(move |entry| {
                let (key, bytes) = entry?;
                match (layout::offset_of(&key), decode(&bytes)) {
                    (Some(offset), Some(record)) => Ok((partition, offset, record)),
                    (None, _) | (_, None) => {
                        Err(log.damaged(&format!("a record of kind {kind:?}")))
                    }
                }
            })
        })
    }
}
