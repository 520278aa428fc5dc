//! Records on disk: those of neighbouring customers share an entry of the database, a page. A write
//! to the database costs about the same for one record as for thirty, and the database's own overhead
//! a record is paid once a page.
//!
//! A page's key is the smallest customer id it may hold; it holds all up to the next page's key. The
//! first page's key is the empty id, so there is a page for every customer once there is any.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Bound;

use sled::IVec;

use crate::codec;
use crate::codec::CodecError;
use crate::codec::format_3;
use crate::codec::format_4;
use crate::domain::ids::CustomerId;
use crate::domain::time::Timestamp;
use crate::domain::time::earlier;
use crate::store::dirty::DirtyRecord;
use crate::store::dirty::Layers;
use crate::store::stored::RECORD_LENGTH_BYTES;
use crate::store::stored::Stored;
use crate::store::stored::split_length;
use crate::store::stored::stored_bytes;

/// What the key of a page of customers begins with.
pub(super) const CUSTOMER_PREFIX: u8 = b'c';

/// A page that grows beyond this is split.
pub const PAGE_BYTES: usize = 8192;

const ID_LENGTH_BYTES: usize = 2;

/// A customer's id and the bytes of the entry.
type Entry<'a> = (&'a str, &'a [u8]);

/// The entries of one page, ascending by the bytes of the customer id.
#[derive(Clone, Debug)]
pub(super) struct Page<'a> {
    rest: &'a [u8],
    /// Whether entries have parts; those of older formats have not.
    has_parts: bool,
}

impl<'a> Page<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, CodecError> {
        let (format, rest) = bytes.split_first().ok_or(CodecError::Content)?;
        let has_parts = match *format {
            codec::FORMAT => true,
            format_4::FORMAT | format_3::FORMAT => false,
            found => return Err(CodecError::Format { found }),
        };
        Ok(Self { rest, has_parts })
    }

    /// A page of one format.
    fn new_of(bytes: &'a [u8], format: u8) -> Result<Self, CodecError> {
        match bytes.first() {
            Some(found) if *found != format => Err(CodecError::Format { found: *found }),
            Some(_) | None => Self::new(bytes),
        }
    }

    /// The entry of a customer.
    pub(super) fn find(mut self, customer_id: &str) -> Result<Option<Stored<'a>>, CodecError> {
        while let Some((id, bytes)) = self.read_entry()? {
            if id >= customer_id {
                let found = (id == customer_id).then(|| self.stored(bytes));
                return found.transpose();
            }
        }
        Ok(None)
    }

    fn stored(&self, bytes: &'a [u8]) -> Result<Stored<'a>, CodecError> {
        if self.has_parts {
            return Stored::read(bytes);
        }
        Ok(Stored::of_head(bytes))
    }

    /// The earliest deadline of its records.
    pub(super) fn earliest_deadline(self) -> Result<Option<Timestamp>, CodecError> {
        let mut earliest: Option<Timestamp> = None;
        for entry in self {
            let (_, stored) = entry?;
            let deadline = stored.head.map(codec::entry::deadline_of).transpose()?;
            earliest = earlier(earliest, deadline.flatten());
        }
        Ok(earliest)
    }

    fn read_entry(&mut self) -> Result<Option<Entry<'a>>, CodecError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let (id_length, rest) = split_length::<ID_LENGTH_BYTES>(self.rest)?;
        let (id, rest) = rest
            .split_at_checked(id_length)
            .ok_or(CodecError::Content)?;
        let (record_length, rest) = split_length::<RECORD_LENGTH_BYTES>(rest)?;
        let (record, rest) = rest
            .split_at_checked(record_length)
            .ok_or(CodecError::Content)?;
        let id = std::str::from_utf8(id).map_err(|_| CodecError::Content)?;
        self.rest = rest;
        Ok(Some((id, record)))
    }
}

impl<'a> Iterator for Page<'a> {
    type Item = Result<(&'a str, Stored<'a>), CodecError>;

    fn next(&mut self) -> Option<Self::Item> {
        let taken = self.read_entry();
        if taken.is_err() {
            self.rest = &[];
        }
        let (id, bytes) = match taken.transpose()? {
            Ok(entry) => entry,
            Err(error) => return Some(Err(error)),
        };
        Some(self.stored(bytes).map(|stored| (id, stored)))
    }
}

fn entry_bytes((id, record): Entry<'_>) -> usize {
    ID_LENGTH_BYTES + id.len() + RECORD_LENGTH_BYTES + record.len()
}

fn push(page: &mut Vec<u8>, (id, record): Entry<'_>) -> Result<(), CodecError> {
    let id_length = u16::try_from(id.len()).map_err(|_| CodecError::Content)?;
    let record_length = u32::try_from(record.len()).map_err(|_| CodecError::Content)?;
    page.extend_from_slice(&id_length.to_le_bytes());
    page.extend_from_slice(id.as_bytes());
    page.extend_from_slice(&record_length.to_le_bytes());
    page.extend_from_slice(record);
    Ok(())
}

/// A page's key and bytes.
pub(super) type KeyAndPage = (Vec<u8>, Vec<u8>);

/// A page after it was changed.
#[derive(Debug, Default)]
pub(super) struct Merged {
    /// The first has the key of the old one.
    pub(super) pages: Vec<KeyAndPage>,
    /// Entries that were not there before, less those that are not there any more.
    pub(super) added: i64,
    /// The places among the changes of customers of whose entries a part is missing.
    pub(super) incomplete: Vec<usize>,
}

/// A customer, and what is not on disk of the entry.
pub(super) type Change<'a> = (&'a str, &'a DirtyRecord);

/// Puts entries, ascending by id, into a page or takes them out, and splits it where it would grow beyond
/// `page_bytes`. A page stays even when it is empty.
pub(super) fn merge(
    key: &[u8],
    old: Option<&[u8]>,
    new: &[Change<'_>],
    page_bytes: usize,
) -> Result<Merged, CodecError> {
    // A store of an older format is made again, never written to.
    let mut kept = old
        .map(|bytes| Page::new_of(bytes, codec::FORMAT))
        .transpose()?;
    let mut next_kept = || kept.as_mut().map_or(Ok(None), Page::read_entry);
    let mut entries: Vec<(&str, Cow<'_, [u8]>)> =
        Vec::with_capacity(new.len() + 2 * page_bytes / 256);
    let mut added = 0;
    let mut incomplete = Vec::new();
    let mut pending = next_kept()?;
    for (place, (id, dirty)) in new.iter().enumerate() {
        while let Some(known) = pending.filter(|known| known.0 < *id) {
            entries.push((known.0, Cow::Borrowed(known.1)));
            pending = next_kept()?;
        }
        let mut layers = Layers {
            dirty: [Some(dirty), None],
            stored: None,
        };
        if let Some(known) = pending.filter(|known| known.0 == *id) {
            added -= 1;
            layers.stored = Some(Stored::read(known.1)?);
            pending = next_kept()?;
        }
        if let Some(bytes) = stored_bytes(layers.head(), &layers.parts())? {
            added += 1;
            entries.push((*id, Cow::Owned(bytes)));
        }
        if layers.lacks_a_part()? {
            incomplete.push(place);
        }
    }
    while let Some(known) = pending {
        entries.push((known.0, Cow::Borrowed(known.1)));
        pending = next_kept()?;
    }
    let entries: Vec<Entry<'_>> = entries.iter().map(|(id, bytes)| (*id, &**bytes)).collect();
    let pages = split(key, &entries, page_bytes)?;
    Ok(Merged {
        pages,
        added,
        incomplete,
    })
}

/// Equal pages, with room to grow where there is more than one.
fn split(
    key: &[u8],
    entries: &[Entry<'_>],
    page_bytes: usize,
) -> Result<Vec<KeyAndPage>, CodecError> {
    let total: usize = entries.iter().copied().map(entry_bytes).sum();
    let room = if total <= page_bytes {
        total
    } else {
        let parts = total.div_ceil(page_bytes * 3 / 4);
        total.div_ceil(parts)
    };
    let mut pages = Vec::with_capacity(1 + total / room.max(1));
    let mut page = new_page(room);
    let mut page_key = key.to_vec();
    for entry in entries {
        if page.len() > 1 && page.len() + entry_bytes(*entry) > room + 1 {
            let key = std::mem::replace(&mut page_key, page_key_of(entry.0));
            pages.push((key, std::mem::replace(&mut page, new_page(room))));
        }
        push(&mut page, *entry)?;
    }
    pages.push((page_key, page));
    Ok(pages)
}

fn new_page(room: usize) -> Vec<u8> {
    let mut page = Vec::with_capacity(1 + room);
    page.push(codec::FORMAT);
    page
}

/// The key of a page that begins with a customer; of the first page for the empty id.
pub(super) fn page_key_of(customer_id: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(customer_id.len() + 1);
    key.push(CUSTOMER_PREFIX);
    key.extend_from_slice(customer_id.as_bytes());
    key
}

/// The customer to whom a key belongs that is a customer's own.
pub(super) fn customer_of(key: &[u8]) -> Result<&str, CodecError> {
    let id = match key.split_first() {
        Some((&CUSTOMER_PREFIX, id)) => id,
        _ => return Err(CodecError::Content),
    };
    std::str::from_utf8(id).map_err(|_| CodecError::Content)
}

/// The keys of all pages, in memory: the database finds a page by its own key for a fraction of what it
/// takes to find the greatest key below another.
#[derive(Clone, Debug, Default)]
pub(super) struct PageKeys(BTreeSet<Vec<u8>>);

impl PageKeys {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn insert(&mut self, key: Vec<u8>) {
        self.0.insert(key);
    }

    pub(super) fn extend(&mut self, keys: impl Iterator<Item = Vec<u8>>) {
        self.0.extend(keys);
    }

    /// The key of the page that holds a customer, if there is any page.
    pub(super) fn covering(&self, customer_id: &str) -> Option<&[u8]> {
        let key = page_key_of(customer_id);
        let upto = (Bound::Unbounded, Bound::Included(key.as_slice()));
        self.0.range::<[u8], _>(upto).next_back().map(Vec::as_slice)
    }

    /// The key of the page after that of this key.
    pub(super) fn next_after(&self, key: &[u8]) -> Option<&[u8]> {
        let after = (Bound::Excluded(key), Bound::Unbounded);
        self.0.range::<[u8], _>(after).next().map(Vec::as_slice)
    }

    /// How many of these ids, ascending, lie before the page after the one of this key.
    pub(super) fn count_before_next(&self, key: &[u8], ids: &[CustomerId]) -> usize {
        match self.next_after(key).and_then(<[u8]>::split_first) {
            Some((_, until)) => ids.partition_point(|id| id.as_str().as_bytes() < until),
            None => ids.len(),
        }
    }
}

/// The page that holds a customer according to the database alone, which may be ahead of or behind [`PageKeys`].
pub(super) fn covering(database: &sled::Db, customer_id: &str) -> sled::Result<Option<IVec>> {
    let first = [CUSTOMER_PREFIX].as_slice();
    let key = page_key_of(customer_id);
    let mut pages = database.range::<&[u8], _>(first..=key.as_slice());
    Ok(pages.next_back().transpose()?.map(|(_, page)| page))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::entry::Head;
    use crate::engine::state::record::RecordSummary;
    use crate::store::dirty::EntryChange;
    use crate::store::dirty::HeadChange;

    /// A head of an older format, which has no parts: its format byte and what is read of it here.
    fn head(text: &str) -> HeadChange {
        let mut bytes = vec![format_4::FORMAT];
        bytes.extend_from_slice(text.as_bytes());
        let summary = RecordSummary {
            segment: None,
            band: None,
            deadline: None,
            has_old_key: false,
        };
        HeadChange::Put(Head { bytes, summary })
    }

    fn dirty(head: HeadChange) -> DirtyRecord {
        let mut dirty = DirtyRecord::default();
        dirty.take(EntryChange {
            head: Some(head),
            parts: Vec::new(),
        });
        dirty
    }

    /// Merges heads, or deletes them for `None`.
    fn merged(old: Option<&Merged>, new: &[(&str, Option<&str>)], page_bytes: usize) -> Merged {
        let dirty: Vec<(&str, DirtyRecord)> = new
            .iter()
            .map(|(id, text)| (*id, dirty(text.map_or(HeadChange::Delete, head))))
            .collect();
        let changes: Vec<Change<'_>> = dirty.iter().map(|(id, dirty)| (*id, dirty)).collect();
        let old = old.map(|old| old.pages[0].1.as_slice());
        merge(b"c", old, &changes, page_bytes).unwrap()
    }

    fn read(merged: &Merged) -> Vec<(String, String)> {
        let pages = merged.pages.iter();
        let entries = pages.flat_map(|(_, bytes)| Page::new(bytes).unwrap());
        entries
            .map(|entry| {
                let (id, stored) = entry.unwrap();
                let text = std::str::from_utf8(&stored.head.unwrap()[1..]).unwrap();
                (id.to_owned(), text.to_owned())
            })
            .collect()
    }

    #[test]
    fn merged_pages_hold_the_newest_of_every_record_in_order() {
        let old = ["b", "d", "f"].map(|id| (id, Some("old")));
        let new = ["a", "d", "e", "g"].map(|id| (id, Some("new")));
        let first = merged(None, &old, 1000);
        assert_eq!((first.added, first.pages.len()), (3, 1));
        // Six entries of 2 + 1 + 4 + 4 + 4 bytes: beyond 60, two pages of 45; beyond 30, five of 18, which hold one
        // each.
        for (page_bytes, pages) in [(1000, 1), (90, 1), (60, 2), (30, 6)] {
            let merged = merged(Some(&first), &new, page_bytes);
            assert_eq!(merged.added, 3);
            assert_eq!(merged.pages.len(), pages, "{page_bytes}");
            assert_eq!(merged.pages[0].0, b"c");
            let expected = ["a new", "b old", "d new", "e new", "f old", "g new"].map(|text| {
                let (id, text) = text.split_once(' ').unwrap();
                (id.to_owned(), text.to_owned())
            });
            assert_eq!(read(&merged), expected);
        }
    }

    #[test]
    fn a_page_cut_anywhere_is_no_page_or_has_fewer_records() {
        let whole = merged(None, &[("b", Some("one")), ("d", Some("two"))], 1000);
        let whole = &whole.pages[0].1;
        for length in 0..whole.len() {
            let read = Page::new(&whole[..length]).and_then(Iterator::collect::<Result<Vec<_>, _>>);
            let is_boundary = length == 1 || length == 1 + 15;
            assert_eq!(read.is_ok(), is_boundary, "{length}");
        }
    }

    #[test]
    fn what_is_taken_out_of_a_page_is_gone_and_counted() {
        let first = merged(None, &[("b", Some("old")), ("d", Some("old"))], 1000);
        let taken = [("a", None), ("b", None), ("c", Some("new"))];
        let second = merged(Some(&first), &taken, 1000);
        assert_eq!(second.added, 0, "one came and one went");
        let ids: Vec<String> = read(&second).into_iter().map(|(id, _)| id).collect();
        assert_eq!(ids, ["c", "d"]);
        let empty = merged(Some(&second), &[("c", None), ("d", None)], 1000);
        assert_eq!((empty.added, empty.pages.len()), (-2, 1));
        assert!(read(&empty).is_empty());
    }
}
