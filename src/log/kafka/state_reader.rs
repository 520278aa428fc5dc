//! Reads the state of a running deployment from its changelog, whole transactions at a time.

use std::sync::Arc;

use crate::domain::ids::Partition;
use crate::log::Error;
use crate::log::kafka::client::Connection;
use crate::log::kafka::metadata::MetadataClient;
use crate::log::kafka::reader::TopicReader;

/// Records taken at a time.
const CHUNK_RECORDS: usize = 4096;

/// Reads the changelog beside the workers that write it.
#[derive(Debug)]
pub struct StateReader {
    connection: Arc<Connection>,
    /// Asks for the ends, open transactions included.
    ends: MetadataClient,
    /// Asks for where the first open transaction begins.
    stable_ends: MetadataClient,
    reader: TopicReader,
}

impl StateReader {
    pub(super) fn new(connection: &Arc<Connection>) -> Result<Self, Error> {
        let failed = |error| connection.unusable(format!("no changelog: {error}"));
        Ok(Self {
            ends: MetadataClient::new(connection).map_err(failed)?,
            stable_ends: MetadataClient::of_stable_ends(connection).map_err(failed)?,
            reader: TopicReader::new(connection, &connection.topics.state).map_err(failed)?,
            connection: Arc::clone(connection),
        })
    }

    /// Hands the committed records of a partition from an offset on to `take`, key and value, in offset order: everything that was
    /// written before the call, and the rest of its transactions. It waits for transactions that were open then. Where the next call
    /// goes on.
    ///
    /// # Errors
    /// If the cluster does not answer.
    pub fn read_on(
        &mut self,
        partition: Partition,
        from: u64,
        mut take: impl FnMut(&[u8], Option<&[u8]>),
    ) -> Result<u64, Error> {
        let topic = &self.connection.topics.state;
        // A commit is answered before its end is written to every partition, so the first open transaction may be one that is
        // committed.
        let (start, end) = self.ends.watermarks_at_last(topic, partition)?;
        let next = self.read_to(partition, from.max(start), end, &mut take)?;
        // A transaction may have gone on behind that end. All of it is before the first one that is open now.
        let topic = &self.connection.topics.state;
        let (_, stable_end) = self.stable_ends.watermarks_at_last(topic, partition)?;
        self.read_to(partition, next, stable_end, &mut take)
    }

    fn read_to(
        &mut self,
        partition: Partition,
        from: u64,
        end: u64,
        take: &mut impl FnMut(&[u8], Option<&[u8]>),
    ) -> Result<u64, Error> {
        let mut next = from;
        loop {
            let place = (partition, next);
            let read = self
                .reader
                .read_changelog(&self.connection, place, CHUNK_RECORDS, end);
            let chunk = read?;
            for record in &chunk.records {
                take(&record.key, record.value.as_deref());
            }
            next = chunk.offset_next;
            if chunk.remaining == 0 {
                return Ok(next);
            }
            if chunk.records.is_empty() {
                // Ends the wait where the cluster or the topic is gone.
                let topic = &self.connection.topics.state;
                self.ends.watermarks_at_last(topic, partition)?;
            }
        }
    }
}
