//! The records of a store, one after the other.

use std::fmt;
use std::path::Path;

use crate::domain::ids::CustomerId;
use crate::engine::record::CustomerRecord;
use crate::store::Error;
use crate::store::codec;
use crate::store::codec::CodecError;
use crate::store::verification::customer_id;

/// Every record on disk, ascending by the bytes of the customer id.
pub struct Records<'a> {
    path: &'a Path,
    entries: sled::Iter,
}

impl<'a> Records<'a> {
    pub(super) fn new(path: &'a Path, entries: sled::Iter) -> Self {
        Self { path, entries }
    }
}

impl fmt::Debug for Records<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Records")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Iterator for Records<'_> {
    type Item = Result<(CustomerId, CustomerRecord), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let (key, bytes) = match self.entries.next()? {
            Ok(entry) => entry,
            Err(source) => {
                let path = self.path.to_owned();
                return Some(Err(Error::Database { path, source }));
            }
        };
        let damaged = |source| Error::Record {
            path: self.path.to_owned(),
            source,
        };
        let record = codec::decode_record(&bytes).map_err(damaged);
        let customer_id = customer_id(&key).ok_or_else(|| damaged(CodecError::Content));
        Some(record.and_then(|record| Ok((customer_id?, record))))
    }
}
