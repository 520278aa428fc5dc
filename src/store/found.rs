//! An entry as a store gives it.

use crate::codec;
use crate::codec::CodecError;
use crate::codec::part::Part;
use crate::domain::time::Timestamp;
use crate::engine::state::entry::Entry;
use crate::engine::state::record::RecordSummary;
use crate::engine::state::table::DefinitionTable;
use crate::store::dirty::Layers;

/// An entry of the store.
#[derive(Clone, Debug)]
pub struct Found {
    /// The entry.
    pub entry: Entry,
    /// What is counted of it.
    pub summary: RecordSummary,
    /// The parts that its head names.
    pub parts: Vec<Part>,
}

impl Found {
    /// Decodes an entry from its layers; `None` for an unknown customer.
    pub(super) fn decode(
        layers: &Layers<'_>,
        table: &DefinitionTable,
    ) -> Result<Option<Self>, CodecError> {
        let mut part = |part| layers.part(part);
        let head = layers.head();
        let found = head.map(|head| codec::entry::decode(head, &mut part, table));
        Ok(found.transpose()?.map(Self::of))
    }

    pub(super) fn decode_abridged(
        layers: &Layers<'_>,
        table: &DefinitionTable,
        since: Timestamp,
    ) -> Result<Option<Self>, CodecError> {
        let mut part = |part| layers.part(part);
        let head = layers.head();
        let found = head.map(|head| codec::entry::decode_abridged(head, &mut part, table, since));
        Ok(found.transpose()?.map(Self::of))
    }

    fn of((entry, summary): (Entry, RecordSummary)) -> Self {
        Self {
            parts: codec::entry::named_by(&entry),
            entry,
            summary,
        }
    }
}
