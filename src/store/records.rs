//! The records of a store, one after the other.

use std::collections::VecDeque;
use std::fmt;
use std::path::Path;

use crate::domain::ids::CustomerId;
use crate::engine::record::CustomerRecord;
use crate::store::Error;
use crate::store::codec;
use crate::store::codec::CodecError;
use crate::store::pages::Page;

/// Every record on disk, ascending by the bytes of the customer id.
pub struct Records<'a> {
    path: &'a Path,
    pages: sled::Iter,
    /// Those of the page read last that were not handed out.
    ready: VecDeque<(CustomerId, CustomerRecord)>,
}

impl<'a> Records<'a> {
    pub(super) fn new(path: &'a Path, pages: sled::Iter) -> Self {
        Self {
            path,
            pages,
            ready: VecDeque::new(),
        }
    }

    fn read(&mut self, page: &[u8]) -> Result<(), CodecError> {
        for entry in Page::new(page)? {
            let (id, bytes) = entry?;
            let record = codec::decode_record(bytes)?;
            self.ready.push_back((CustomerId::new(id), record));
        }
        Ok(())
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
        while self.ready.is_empty() {
            let path = self.path.to_owned();
            let page = match self.pages.next()? {
                Ok((_, page)) => page,
                Err(source) => return Some(Err(Error::Database { path, source })),
            };
            if let Err(source) = self.read(&page) {
                return Some(Err(Error::Record { path, source }));
            }
        }
        self.ready.pop_front().map(Ok)
    }
}
