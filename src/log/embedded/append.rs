//! Appending to the sources of a log.

use std::collections::BTreeMap;

use crate::domain::ids::Partition;
use crate::domain::ids::Position;
use crate::domain::ids::Source;
use crate::faults::FaultPoint;
use crate::log::Error;
use crate::log::embedded::ends::Cursors;
use crate::log::embedded::ends::facts_bytes;
use crate::log::embedded::ends::facts_section;
use crate::log::embedded::ends::stream_of;
use crate::log::embedded::frame::Section;
use crate::log::embedded::handle::EmbeddedLog;
use crate::log::embedded::handle::Sources;
use crate::log::embedded::records::Content;
use crate::log::embedded::records::InputRecord;
use crate::log::embedded::records::Stored;

/// The records of a batch by partition.
type Contents = BTreeMap<Partition, Content>;

impl EmbeddedLog {
    /// Appends to the input, all or nothing. When it returns, the records survive power loss. With
    /// a cursor, how far the source has come is written in the same batch, or removed.
    ///
    /// # Errors
    /// If the disk fails; then no record was acknowledged.
    pub fn append(
        &self,
        records: Vec<InputRecord>,
        cursor: Option<(&str, Option<u64>)>,
    ) -> Result<Vec<Position>, Error> {
        self.append_to(Source::Events, &records, cursor)
    }

    /// Appends to the transfers, as [`Self::append`] does to the input.
    ///
    /// # Errors
    /// If the disk fails; then no record was acknowledged.
    pub fn append_transfers(&self, records: Vec<InputRecord>) -> Result<Vec<Position>, Error> {
        self.append_to(Source::Transfers, &records, None)
    }

    fn append_to(
        &self,
        source: Source,
        records: &[InputRecord],
        cursor: Option<(&str, Option<u64>)>,
    ) -> Result<Vec<Position>, Error> {
        let inner = &*self.0;
        // What takes time is done before the lock is taken.
        let (contents, mut positions) = self.contents(source, records)?;
        let contents = contents.into_iter();
        let sections =
            contents.map(|(partition, content)| content.into_section(stream_of(source, partition)));
        let sections: Option<Vec<Section>> = sections.collect();
        let mut sections = sections.ok_or_else(|| self.too_large())?;
        let cursor = cursor.map(|(name, line)| Cursors::from([(name.to_owned(), line)]));
        if let Some(cursor) = &cursor {
            sections.push(facts_section(cursor).ok_or_else(|| self.too_large())?);
        }
        let mut sources = self.lock_sources();
        inner.faults.cross(FaultPoint::AppendBefore)?;
        self.make_room_for_records(&mut sources)?;
        for position in &mut positions {
            position.offset += sources.writer.end(stream_of(source, position.partition));
        }
        sources.writer.write(sections)?;
        sources.cursors.extend(cursor.into_iter().flatten());
        sources.cursors.retain(|_, line| line.is_some());
        let written = inner.faults.cross(FaultPoint::AppendBeforeFlush);
        let written = written.map_err(Error::from);
        let durable = written.and_then(|()| {
            sources.writer.sync()?;
            sources.writer.acknowledge()
        });
        // A batch that is written may survive. Unless nothing can be written after it, readers see it.
        if inner.doubt.check(&inner.path).is_ok() {
            self.publish_sources(&sources.writer);
        }
        durable?;
        inner.faults.cross(FaultPoint::AppendAfterFlush)?;
        Ok(positions)
    }

    /// The records by partition, and the place of each, counted from the end of its partition.
    fn contents(
        &self,
        source: Source,
        records: &[InputRecord],
    ) -> Result<(Contents, Vec<Position>), Error> {
        let mut contents = Contents::new();
        let mut positions = Vec::with_capacity(records.len());
        for record in records {
            let partition = self.partition_of(record.key.as_deref(), record.payload.as_deref());
            let content = contents.entry(partition).or_default();
            positions.push(Position {
                source,
                partition,
                offset: content.offsets(),
            });
            content
                .push(&Stored::from(record))
                .ok_or_else(|| self.too_large())?;
        }
        Ok((contents, positions))
    }

    /// Begins another segment if this one is full.
    fn make_room_for_records(&self, sources: &mut Sources) -> Result<(), Error> {
        if sources.writer.is_full()? {
            let facts = facts_bytes(&sources.cursors).ok_or_else(|| self.too_large())?;
            sources.writer.roll(facts)?;
        }
        Ok(())
    }

    /// How far a source was appended, if it was interrupted.
    ///
    /// # Errors
    /// Never; for logs that have to ask.
    pub fn cursor(&self, source: &str) -> Result<Option<u64>, Error> {
        let sources = self.lock_sources();
        Ok(sources.cursors.get(source).copied().flatten())
    }
}
