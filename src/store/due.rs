//! The records of a store whose deadlines have come.

use crate::codec;
use crate::codec::CodecError;
use crate::domain::ids::CustomerId;
use crate::domain::time::Timestamp;
use crate::domain::time::earlier;
use crate::store::Error;
use crate::store::dirty::Layers;
use crate::store::exchange::PageBytes;
use crate::store::found::Found;
use crate::store::memory::Memory;
use crate::store::partition::PartitionStore;
use crate::store::partition::layers_over;

impl PartitionStore {
    /// Records that are due by then, as of the last transaction applied: about so many, the earliest
    /// pages first. They stay due until a transaction has moved their deadlines on. A record is abridged unless its first
    /// purchase was before `since`.
    ///
    /// # Errors
    /// If the database fails or a record is damaged.
    pub fn due(
        &self,
        by: Timestamp,
        limit: usize,
        since: Timestamp,
    ) -> Result<Vec<(CustomerId, Found)>, Error> {
        if self
            .earliest_deadline()
            .is_none_or(|earliest| earliest > by)
        {
            return Ok(Vec::new());
        }
        let mut memory = self.write();
        let mut due = Vec::new();
        for customer_id in memory.deadlines.due_dirty(by).take(limit) {
            let layers = memory.layers(customer_id.as_str());
            let page = self.page_below(&memory, &layers, customer_id.as_str())?;
            let is_stored = page.is_some();
            let layers = layers_over(layers, page.as_ref(), customer_id.as_str());
            let found =
                layers.and_then(|layers| Found::decode_abridged(&layers, &memory.table, since));
            let found = found.and_then(|found| found.ok_or(CodecError::Content));
            let found = found.map_err(|source| self.entry_error(source, is_stored))?;
            due.push((customer_id.clone(), found));
        }
        let mut after = None;
        while due.len() < limit
            && let Some(entry) = memory.deadlines.next_page(after.as_ref(), by)
        {
            let page = self.database.page(&memory.pages, &entry.1);
            let page = page.map_err(|source| self.database_error(source))?;
            let known = due.len();
            let later = page.map_or(Ok(None), |page| {
                due_of_page(&page, &memory, (by, since), &mut due)
            });
            let later = later.map_err(|source| self.entry_error(source, true))?;
            if due.len() == known {
                memory.deadlines.set_page(&entry.1, later);
            }
            after = Some(entry);
        }
        Ok(due)
    }
}

/// Adds the records of a page that are due and the newest of their customers; the earliest deadline of the
/// others.
fn due_of_page(
    page: &PageBytes,
    memory: &Memory,
    (by, since): (Timestamp, Timestamp),
    due: &mut Vec<(CustomerId, Found)>,
) -> Result<Option<Timestamp>, CodecError> {
    let mut later: Option<Timestamp> = None;
    for entry in page.entries()? {
        let (id, stored) = entry?;
        let deadline = stored.head.map(codec::entry::deadline_of).transpose()?;
        match deadline.flatten() {
            Some(deadline) if !memory.has_newer(id) => {
                if deadline <= by {
                    let layers = Layers {
                        stored: Some(stored),
                        ..memory.layers(id)
                    };
                    let found = Found::decode_abridged(&layers, &memory.table, since)?;
                    due.extend(found.map(|found| (CustomerId::new(id), found)));
                } else {
                    later = earlier(later, Some(deadline));
                }
            }
            _ => {}
        }
    }
    Ok(later)
}
