//! Appending to the sources of a log.

use crate::domain::ids::Position;
use crate::domain::ids::Source;
use crate::faults::FaultPoint;
use crate::log::Error;
use crate::log::embedded::handle::EmbeddedLog;
use crate::log::embedded::layout;
use crate::log::embedded::layout::Encoding;
use crate::log::embedded::records::InputRecord;
use crate::log::embedded::records::StoredInput;

impl EmbeddedLog {
    /// Appends to the input, all or nothing. When it returns, the records survive power loss. With
    /// a cursor, how far the source has come is written in the same batch, or removed.
    ///
    /// # Errors
    /// If the database fails; then no record was acknowledged.
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
    /// If the database fails; then no record was acknowledged.
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
        let mut written = self.lock();
        let mut next = written.tail.ends.clone();
        let mut batch = sled::Batch::default();
        let mut positions = Vec::with_capacity(records.len());
        for record in records {
            let partition = self.partition_of(record.key.as_deref(), record.payload.as_deref());
            let end = self.ends_of(&mut next, partition)?.end_mut(source);
            let offset = *end;
            *end += 1;
            let place = layout::offset_key(layout::kind_of(source), partition, offset);
            batch.insert(place, self.encoded_record(&StoredInput::from(record))?);
            positions.push(Position {
                source,
                partition,
                offset,
            });
        }
        if let Some((source, line)) = cursor {
            match line {
                Some(line) => batch.insert(layout::cursor_key(source), self.encoded(&line)?),
                None => batch.remove(layout::cursor_key(source)),
            }
        }
        inner.faults.cross(FaultPoint::AppendBefore)?;
        self.apply(&mut written, batch, next)?;
        inner.faults.cross(FaultPoint::AppendBeforeFlush)?;
        self.flush(&mut written)?;
        inner.faults.cross(FaultPoint::AppendAfterFlush)?;
        drop(written);
        inner.appended.notify_all();
        Ok(positions)
    }

    /// How far a source was appended, if it was interrupted.
    ///
    /// # Errors
    /// If the database fails or the cursor is damaged.
    pub fn cursor(&self, source: &str) -> Result<Option<u64>, Error> {
        let found = self.0.database.get(layout::cursor_key(source))?;
        found
            .map(|bytes| {
                layout::decode(Encoding::One, &bytes).ok_or_else(|| self.damaged("a cursor"))
            })
            .transpose()
    }
}
