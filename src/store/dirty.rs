//! A customer's entry as far as it is not on disk, and the entry that it makes with what is on disk.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;

use crate::codec::CodecError;
use crate::codec::entry;
use crate::codec::entry::Head;
use crate::codec::part::Part;
use crate::codec::part::PartChange;
use crate::domain::ids::CustomerId;
use crate::domain::time::Timestamp;
use crate::engine::state::record::RecordSummary;
use crate::store::stored::Stored;

/// Memory that a record takes beyond its id and its encoded bytes, estimated: its slot in the table, its place in the
/// deadline index and in the order of a flush, and what the allocator adds.
const RECORD_OVERHEAD_BYTES: usize = 160;
/// Memory that the first part of a record takes beyond its bytes, estimated.
const PARTS_OVERHEAD_BYTES: usize = 400;
/// The same of a further part.
const PART_OVERHEAD_BYTES: usize = 48;

/// Records by customer.
pub(super) type DirtyRecords = HashMap<CustomerId, DirtyRecord, foldhash::fast::RandomState>;

/// The change of a customer's entry.
#[derive(Clone, Debug, Default)]
pub(super) struct EntryChange {
    /// The head; the one that there is stays for `None`.
    pub(super) head: Option<HeadChange>,
    /// Parts that were made, changed, or deleted for `None`.
    pub(super) parts: Vec<PartChange>,
}

/// The change of a head.
#[derive(Clone, Debug)]
pub(super) enum HeadChange {
    /// This one.
    Put(Head),
    /// There is none: the customer is unknown.
    Delete,
}

impl HeadChange {
    /// What is counted of the new head.
    pub(super) fn summary(&self) -> Option<RecordSummary> {
        match self {
            Self::Put(head) => Some(head.summary),
            Self::Delete => None,
        }
    }
}

/// What is not on disk of a customer's entry. Head and parts are as their keys in the changelog: each has the newest value
/// that was said of it, and a part stays until it is deleted. Hundreds of thousands may be held, most of them without
/// parts, so a record takes three words.
#[derive(Clone, Debug, Default)]
pub(super) struct DirtyRecord {
    /// Empty for a head that is deleted.
    head: Option<Box<[u8]>>,
    parts: Option<Box<DirtyParts>>,
}

#[derive(Clone, Debug, Default)]
struct DirtyParts {
    parts: BTreeMap<Part, Option<Arc<[u8]>>>,
    /// Memory of the parts, estimated.
    bytes: usize,
}

impl DirtyRecord {
    /// Takes a change over.
    pub(super) fn take(&mut self, change: EntryChange) {
        match change.head {
            Some(HeadChange::Put(head)) => self.head = Some(head.bytes.into_boxed_slice()),
            Some(HeadChange::Delete) => self.head = Some(Box::default()),
            None => {}
        }
        if change.parts.is_empty() {
            return;
        }
        let known = self.parts.get_or_insert_default();
        for (part, bytes) in change.parts {
            known.bytes += part_bytes(bytes.as_deref());
            if let Some(replaced) = known.parts.insert(part, bytes) {
                known.bytes -= part_bytes(replaced.as_deref());
            }
        }
    }

    /// The head, as far as it is here; nothing inside for one that is deleted here.
    pub(super) fn head(&self) -> Option<Option<&[u8]>> {
        let head = self.head.as_deref()?;
        Some((!head.is_empty()).then_some(head))
    }

    /// The head is here, or is deleted here.
    pub(super) fn has_head(&self) -> bool {
        self.head.is_some()
    }

    /// The deadline, as far as the head is here.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        // Heads are encoded by this process, or were decoded when they were read from the changelog.
        entry::deadline_of(self.head()??).ok().flatten()
    }

    /// Parts that this layer says something of; nothing inside for a deleted one.
    fn parts(&self) -> impl Iterator<Item = (Part, Option<&[u8]>)> {
        let parts = self.parts.iter().flat_map(|known| &known.parts);
        parts.map(|(part, bytes)| (*part, bytes.as_deref()))
    }

    /// A part that this layer says something of.
    fn part(&self, part: Part) -> Option<Option<&[u8]>> {
        let known = self.parts.as_ref()?;
        known.parts.get(&part).map(Option::as_deref)
    }

    /// Its memory, estimated.
    pub(super) fn memory_bytes(&self, id_bytes: usize) -> usize {
        let head = self.head.as_ref().map_or(0, |head| head.len());
        let parts = self.parts.as_ref();
        let parts = parts.map_or(0, |known| PARTS_OVERHEAD_BYTES + known.bytes);
        RECORD_OVERHEAD_BYTES + id_bytes + head + parts
    }
}

fn part_bytes(bytes: Option<&[u8]>) -> usize {
    PART_OVERHEAD_BYTES + bytes.map_or(0, <[u8]>::len)
}

/// All layers of a customer's entry, the newest first.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Layers<'a> {
    /// Not on disk, and not taken over by a flush; taken over by one.
    pub(super) dirty: [Option<&'a DirtyRecord>; 2],
    /// On disk.
    pub(super) stored: Option<Stored<'a>>,
}

impl<'a> Layers<'a> {
    /// What is on disk is needed too, to read the entry.
    pub(super) fn needs_stored(&self) -> bool {
        match self.head_in_memory() {
            None => true,
            Some(None) => false,
            Some(Some(head)) => match entry::parts_of(head) {
                Ok(mut named) => named.any(|part| self.part_in_memory(part).is_none()),
                Err(_) => true,
            },
        }
    }

    fn in_memory(&self) -> impl Iterator<Item = &'a DirtyRecord> {
        self.dirty.into_iter().flatten()
    }

    /// The head, as far as it is in memory; nothing inside for one that is deleted there.
    pub(super) fn head_in_memory(&self) -> Option<Option<&'a [u8]>> {
        self.in_memory().find_map(DirtyRecord::head)
    }

    fn part_in_memory(&self, part: Part) -> Option<Option<&'a [u8]>> {
        self.in_memory().find_map(|dirty| dirty.part(part))
    }

    /// The head; `None` for an unknown customer.
    pub(super) fn head(&self) -> Option<&'a [u8]> {
        match self.head_in_memory() {
            Some(newest) => newest,
            None => self.stored?.head,
        }
    }

    /// What is counted of the head.
    pub(super) fn summary(&self) -> Result<Option<RecordSummary>, CodecError> {
        self.head().map(entry::summary_of).transpose()
    }

    /// The bytes of a part.
    pub(super) fn part(&self, part: Part) -> Option<&'a [u8]> {
        match self.part_in_memory(part) {
            Some(newest) => newest,
            None => self.stored?.part(part),
        }
    }

    /// All parts, ascending. In the middle of a restore there may be some that only a later head names.
    pub(super) fn parts(&self) -> BTreeMap<Part, &'a [u8]> {
        let stored = self.stored.iter().flat_map(Stored::parts);
        let mut parts: BTreeMap<Part, &[u8]> = stored.collect();
        for dirty in self.dirty.into_iter().rev().flatten() {
            for (part, bytes) in dirty.parts() {
                match bytes {
                    Some(bytes) => parts.insert(part, bytes),
                    None => parts.remove(&part),
                };
            }
        }
        parts
    }

    /// A part that the head names is missing, or is an older one.
    pub(super) fn lacks_a_part(&self) -> Result<bool, CodecError> {
        self.head().map_or(Ok(false), |head| {
            entry::lacks_a_part(head, &mut |part| self.part(part))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::state::chunk::ChunkNumber;

    fn layer(parts: &[(u32, Option<&str>)], head: Option<HeadChange>) -> DirtyRecord {
        let parts = parts.iter().map(|(number, text)| {
            let bytes = text.map(|text| Arc::from(text.as_bytes()));
            (Part::Chunk(ChunkNumber(*number)), bytes)
        });
        let mut dirty = DirtyRecord::default();
        dirty.take(EntryChange {
            head,
            parts: parts.collect(),
        });
        dirty
    }

    #[test]
    fn the_newest_layer_that_says_something_of_a_part_decides() {
        let newest = layer(&[(1, Some("new")), (2, None)], None);
        let older = layer(
            &[(1, Some("old")), (2, Some("old")), (3, Some("old"))],
            None,
        );
        let layers = Layers {
            dirty: [Some(&newest), Some(&older)],
            stored: None,
        };
        let parts: Vec<&[u8]> = layers.parts().into_values().collect();
        assert_eq!(parts, [&b"new"[..], b"old"]);
        let part = |number| layers.part(Part::Chunk(ChunkNumber(number)));
        assert_eq!(
            [1, 2, 3, 4].map(part),
            [Some(&b"new"[..]), None, Some(b"old"), None]
        );
    }
}
