//! Everything that a log holds, kind by kind.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::ids::Partition;
use crate::domain::ids::Position;
use crate::domain::ids::Source;
use crate::log::Error;
use crate::log::OutputRecord;
use crate::log::embedded::cursor::Cursor;
use crate::log::embedded::ends::Ends;
use crate::log::embedded::ends::stream_of;
use crate::log::embedded::errors::damaged;
use crate::log::embedded::frame::Kind;
use crate::log::embedded::frame::Stream;
use crate::log::embedded::handle::EmbeddedLog;
use crate::log::embedded::records::InputRecord;
use crate::log::embedded::records::Stored;
use crate::log::embedded::segments::SegmentLog;

impl EmbeddedLog {
    /// The input, by partition and offset.
    pub fn inputs(&self) -> impl Iterator<Item = Result<(Position, InputRecord), Error>> + use<> {
        self.records_of(Source::Events)
    }

    /// The transfers, by partition and offset.
    pub fn transfers(
        &self,
    ) -> impl Iterator<Item = Result<(Position, InputRecord), Error>> + use<> {
        self.records_of(Source::Transfers)
    }

    fn records_of(
        &self,
        source: Source,
    ) -> impl Iterator<Item = Result<(Position, InputRecord), Error>> + use<> {
        let streams = self.streams(
            |partition| stream_of(source, partition),
            |ends| ends.sources.next(source),
        );
        let log = Arc::clone(&self.0.input);
        let records = streams.flat_map(move |(stream, end)| scan(&log, stream, end));
        records.map(move |found: Result<(Stream, u64, InputRecord), Error>| {
            let (stream, offset, record) = found?;
            let position = Position {
                source,
                partition: stream.partition,
                offset,
            };
            Ok((position, record))
        })
    }

    /// The changes, by partition and offset.
    pub fn changes(
        &self,
    ) -> impl Iterator<Item = Result<(Partition, u64, OutputRecord), Error>> + use<> {
        self.outputs(Kind::Change, &self.0.changes, |ends| ends.changes)
    }

    /// The dead letters, by partition and offset.
    pub fn dead_letters(
        &self,
    ) -> impl Iterator<Item = Result<(Partition, u64, OutputRecord), Error>> + use<> {
        self.outputs(Kind::DeadLetter, &self.0.changes, |ends| ends.dead_letters)
    }

    /// The latest change of each customer, by partition and key.
    pub fn current(&self) -> impl Iterator<Item = Result<OutputRecord, Error>> + use<> {
        let mut latest = BTreeMap::new();
        let mut error = None;
        for found in self.outputs(Kind::Current, &self.0.state, |ends| ends.current) {
            match found {
                Ok((partition, _, record)) => {
                    latest.insert((partition, record.key.clone()), record);
                }
                Err(found) => error = Some(found),
            }
        }
        let records = latest.into_values().map(Ok);
        records.chain(error.map(Err))
    }

    fn outputs(
        &self,
        kind: Kind,
        log: &Arc<SegmentLog>,
        end_of: fn(&Ends) -> u64,
    ) -> impl Iterator<Item = Result<(Partition, u64, OutputRecord), Error>> + use<> {
        let log = Arc::clone(log);
        let streams = self.streams(move |partition| Stream { kind, partition }, end_of);
        let records = streams.flat_map(move |(stream, end)| scan(&log, stream, end));
        records
            .map(|found| found.map(|(stream, offset, record)| (stream.partition, offset, record)))
    }

    /// A stream of each partition and where it ends now.
    fn streams(
        &self,
        stream_of: impl Fn(Partition) -> Stream,
        end_of: impl Fn(&Ends) -> u64,
    ) -> std::vec::IntoIter<(Stream, u64)> {
        let ends = self.lock_ends();
        let streams = (0..).map(Partition).zip(&*ends);
        let streams = streams.map(|(partition, ends)| (stream_of(partition), end_of(ends)));
        streams.collect::<Vec<_>>().into_iter()
    }
}

/// The records of a stream, without those of empty slots.
fn scan<T: for<'a> From<Stored<'a>>>(
    log: &Arc<SegmentLog>,
    stream: Stream,
    end: u64,
) -> impl Iterator<Item = Result<(Stream, u64, T), Error>> + use<T> {
    let log = Arc::clone(log);
    let mut cursor = Some(Cursor::new(stream, log.start(stream)));
    std::iter::from_fn(move || {
        loop {
            let (offset, bytes) = match cursor.as_mut()?.next(&log, end) {
                Ok(found) => found?,
                Err(error) => {
                    cursor = None;
                    return Some(Err(error));
                }
            };
            if bytes.is_empty() {
                continue;
            }
            let record = Stored::read(bytes).map(T::from);
            let record = record.ok_or_else(|| {
                let what = format!("the record at offset {offset} of {stream:?} is damaged");
                damaged(&log.directory, &what)
            });
            return Some(record.map(|record| (stream, offset, record)));
        }
    })
}
