//! The entries of a store, one after the other.

use std::collections::VecDeque;
use std::fmt;
use std::path::Path;

use crate::codec;
use crate::codec::CodecError;
use crate::domain::ids::CustomerId;
use crate::engine::state::entry::Entry;
use crate::engine::state::table::DefinitionTable;
use crate::store::Error;
use crate::store::exchange::PageBytes;
use crate::store::exchange::Scan;
use crate::store::exchange::Scanned;

/// Every entry on disk, ascending by the bytes of the customer id.
pub struct Records<'a> {
    path: &'a Path,
    pages: Scan<'a>,
    table: DefinitionTable,
    /// Those of the page read last that were not handed out.
    ready: VecDeque<(CustomerId, Entry)>,
}

impl<'a> Records<'a> {
    pub(super) fn new(path: &'a Path, pages: Scan<'a>, table: DefinitionTable) -> Self {
        Self {
            path,
            pages,
            table,
            ready: VecDeque::new(),
        }
    }

    fn read(&mut self, page: &PageBytes) -> Result<(), CodecError> {
        for entry in page.entries()? {
            let (id, stored) = entry?;
            let head = stored.head.ok_or(CodecError::Missing)?;
            let (entry, _) =
                codec::entry::decode(head, &mut |part| stored.part(part), &self.table)?;
            self.ready.push_back((CustomerId::new(id), entry));
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
    type Item = Result<(CustomerId, Entry), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.ready.is_empty() {
            let path = self.path.to_owned();
            let page = match self.pages.next()? {
                Ok(Scanned::Page { bytes, .. }) => bytes,
                Ok(Scanned::Checkpoint(_) | Scanned::Unknown) => continue,
                Err(source) => return Some(Err(Error::Database { path, source })),
            };
            if let Err(source) = self.read(&page) {
                return Some(Err(Error::Record { path, source }));
            }
        }
        self.ready.pop_front().map(Ok)
    }
}
