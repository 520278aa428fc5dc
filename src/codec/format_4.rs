//! Entries of format 4: one value a customer, with every purchase day, the spend by category of each, and every
//! remembered event. Records of format 3 have the same parts.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;

use crate::codec::bytes::take;
use crate::codec::bytes::timestamp;
use crate::codec::frame;
use crate::codec::frame::CodecError;
use crate::codec::head::band_of;
use crate::codec::head::deadline_of_milliseconds;
use crate::codec::stored::Group;
use crate::codec::stored::StoreCheckpoint;
use crate::domain::aggregate::CustomerAggregate;
use crate::domain::aggregate::PurchaseSpan;
use crate::domain::categories::Categories;
use crate::domain::ids::ModelVersion;
use crate::domain::ids::SegmentId;
use crate::domain::ids::Source;
use crate::domain::ledger::Ledger;
use crate::domain::ledger::Totals;
use crate::domain::money::Money;
use crate::domain::offsets::AppliedOffsets;
use crate::domain::profile::Profile;
use crate::domain::profile::SharedProfile;
use crate::domain::time::Day;
use crate::domain::time::Timestamp;
use crate::engine::state::checkpoint::Checkpoint;
use crate::engine::state::chunk::ChunkNumber;
use crate::engine::state::definition::Definition;
use crate::engine::state::entry::Entry;
use crate::engine::state::layout::Layout;
use crate::engine::state::record::Assigned;
use crate::engine::state::record::CustomerRecord;
use crate::engine::state::record::RecordSummary;
use crate::engine::state::remembered::Floor;
use crate::engine::state::remembered::RememberedEvent;
use crate::engine::state::remembered::RememberedEvents;
use crate::engine::state::remembered::RememberedId;
use crate::engine::state::table::DefinitionTable;
use crate::engine::state::table::ModelNumber;
use crate::engine::state::table::SegmentNumber;

/// The format byte.
pub const FORMAT: u8 = 4;
/// The place of a category that is none of the named ones.
const OTHER: u8 = u8::MAX;
/// Stands for no segment.
const NO_NUMBER: u32 = u32::MAX;
const OLD_KEY: u8 = 1;
/// Of the header behind the frame.
const HEADER_BYTES: usize = 51;

/// Purchases by day, as they were written.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct LedgerBytes {
    days: Vec<(Day, Totals)>,
    /// By day, or of the days before all of those for `None`, and by the place of the category's name.
    category_spend: Vec<(Option<Day>, u8, Money)>,
    category_names: Vec<String>,
    folded: Totals,
}

/// An aggregate of format 3, as it was written.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct AggregateBytes {
    ledger: LedgerBytes,
    purchases: Option<PurchaseSpan>,
    profile: Profile,
    greatest_event_day: Option<Day>,
}

/// Remembered events, as they were written: one run of bytes, and the floor.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct RememberedBytes {
    events: Vec<u8>,
    floor: Option<Timestamp>,
}

/// What a record of format 3 or 4 is made of, besides its header.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) aggregate: AggregateBytes,
    pub(super) remembered: RememberedBytes,
}

impl Parts {
    /// Puts them into a record.
    pub(super) fn restore(self, record: &mut CustomerRecord) -> Result<(), CodecError> {
        let AggregateBytes {
            ledger,
            purchases,
            profile,
            greatest_event_day,
        } = self.aggregate;
        let mut lifetime = ledger.folded;
        for (_, totals) in &ledger.days {
            lifetime.add(totals);
        }
        let categories = ledger.categories()?;
        record.layout = Layout {
            needs_chunk: true,
            ..Layout::default()
        };
        let mut kept = Ledger::with_lifetime(lifetime);
        for (day, totals) in &ledger.days {
            kept.restore_day(*day, totals);
            record.layout.add_sum(ChunkNumber::HEAD, *day, totals);
        }
        record.aggregate = CustomerAggregate {
            ledger: kept,
            categories,
            purchases,
            profile: SharedProfile::new(profile),
            greatest_event_day,
        };
        record.remembered = self.remembered.restore()?;
        Ok(())
    }
}

impl LedgerBytes {
    fn categories(&self) -> Result<Categories, CodecError> {
        let names = self.category_names.iter();
        let mut named: Vec<(Arc<str>, Money)> = names
            .map(|name| (Arc::from(name.as_str()), Money::ZERO))
            .collect();
        let mut other: Option<Money> = None;
        for (_, place, spend) in &self.category_spend {
            let sum = match *place {
                OTHER => other.get_or_insert_default(),
                place => {
                    let found = named.get_mut(usize::from(place));
                    &mut found.ok_or(CodecError::Content)?.1
                }
            };
            *sum = sum.plus(*spend);
        }
        Ok(Categories::from_sums(named, other))
    }
}

impl RememberedBytes {
    fn restore(&self) -> Result<RememberedEvents, CodecError> {
        let mut bytes = self.events.as_slice();
        let mut events = Vec::new();
        while !bytes.is_empty() {
            events.push(RememberedEvent {
                id: read_id(&mut bytes)?,
                purchase: None,
                chunk: ChunkNumber::HEAD,
            });
        }
        let floor = self.floor.map(|occurred_at| Floor {
            occurred_at,
            event_hash: 0,
        });
        Ok(RememberedEvents::restore(events, floor))
    }
}

/// Instant and hash, then whether there is an order, and its hash.
fn read_id(bytes: &mut &[u8]) -> Result<RememberedId, CodecError> {
    let occurred_at = timestamp(i64::from_le_bytes(take(bytes)?))?;
    let event_hash = u64::from_le_bytes(take(bytes)?);
    let order_hash = match take(bytes)? {
        [0] => None,
        [1] => Some(u64::from_le_bytes(take(bytes)?)),
        [_] => return Err(CodecError::Content),
    };
    Ok(RememberedId {
        occurred_at,
        event_hash,
        order_hash,
    })
}

/// Decodes an entry with the table of its numbers; the entry and its summary.
///
/// # Errors
/// If the bytes are of another format or damaged, or a number is not in the table.
pub fn decode(bytes: &[u8], table: &DefinitionTable) -> Result<(Entry, RecordSummary), CodecError> {
    let content = frame::checked_of(bytes, FORMAT)?;
    let (header, rest) = content
        .split_at_checked(HEADER_BYTES)
        .ok_or(CodecError::Content)?;
    let header = Header::read(header)?;
    let entry = match header.tag {
        0 => Entry::Live(Box::new(decode_record(header, rest, table)?)),
        1 => Entry::Moved(frame::whole(rest)?),
        2 => Entry::Suppressed(frame::whole(rest)?),
        _ => return Err(CodecError::Content),
    };
    Ok((entry, header.summary()?))
}

/// A definition table, as it was written.
#[derive(Debug, Serialize, Deserialize)]
struct TableBytes {
    models: Vec<ModelVersion>,
    segments: Vec<SegmentId>,
    definition: Definition,
}

impl TableBytes {
    fn restore(self) -> DefinitionTable {
        DefinitionTable::of_format_4(self.models, self.segments, self.definition)
    }
}

/// The checkpoint of a store, as it was written.
#[derive(Debug, Serialize, Deserialize)]
struct StoreBytes {
    checkpoint: Option<Checkpoint>,
    has_old_checkpoint: bool,
    table: TableBytes,
    changelog_next: u64,
    changelog_reach: u64,
    caught_up_at: Option<Timestamp>,
    lineage: String,
    records: u64,
    digest: u64,
    customers: BTreeMap<Group, u64>,
    deadlines: u64,
}

/// Decodes a definition table.
///
/// # Errors
/// If the bytes are of another format or damaged.
pub fn decode_table(bytes: &[u8]) -> Result<DefinitionTable, CodecError> {
    let table: TableBytes = frame::whole(frame::checked_of(bytes, FORMAT)?)?;
    Ok(table.restore())
}

/// Decodes a store's checkpoint. A store of this format is read by commands, but a service makes it again.
///
/// # Errors
/// If the bytes are of another format or damaged.
pub fn decode_store(bytes: &[u8]) -> Result<StoreCheckpoint, CodecError> {
    let stored: StoreBytes = frame::whole(frame::checked_of(bytes, FORMAT)?)?;
    Ok(StoreCheckpoint {
        checkpoint: stored.checkpoint,
        has_old_checkpoint: stored.has_old_checkpoint,
        table: stored.table.restore(),
        changelog_next: stored.changelog_next,
        changelog_reach: stored.changelog_reach,
        caught_up_at: stored.caught_up_at,
        lineage: stored.lineage,
        records: stored.records,
        digest: stored.digest,
        customers: stored.customers,
        deadlines: stored.deadlines,
    })
}

/// The summary of an entry. Its checksum is compared.
///
/// # Errors
/// If the bytes are of another format or damaged.
pub fn summary_of(bytes: &[u8]) -> Result<RecordSummary, CodecError> {
    let content = frame::checked_of(bytes, FORMAT)?;
    let header = content.get(..HEADER_BYTES).ok_or(CodecError::Content)?;
    Header::read(header)?.summary()
}

#[derive(Clone, Copy, Debug)]
struct Header {
    deadline_ms: i64,
    tag: u8,
    flags: u8,
    evaluated_at_ms: i64,
    offset_next: u64,
    sequence: u64,
    segment: u32,
    model: u32,
    since_ms: i64,
    band: u8,
}

impl Header {
    fn read(mut bytes: &[u8]) -> Result<Self, CodecError> {
        let bytes = &mut bytes;
        let deadline_ms = i64::from_le_bytes(take(bytes)?);
        let [tag, flags] = take(bytes)?;
        let evaluated_at_ms = i64::from_le_bytes(take(bytes)?);
        let offset_next = u64::from_le_bytes(take(bytes)?);
        let sequence = u64::from_le_bytes(take(bytes)?);
        let segment = u32::from_le_bytes(take(bytes)?);
        let model = u32::from_le_bytes(take(bytes)?);
        let since_ms = i64::from_le_bytes(take(bytes)?);
        let [band] = take(bytes)?;
        Ok(Self {
            deadline_ms,
            tag,
            flags,
            evaluated_at_ms,
            offset_next,
            sequence,
            segment,
            model,
            since_ms,
            band,
        })
    }

    fn summary(self) -> Result<RecordSummary, CodecError> {
        Ok(RecordSummary {
            segment: (self.segment != NO_NUMBER).then_some(SegmentNumber(self.segment)),
            band: band_of(self.band)?,
            deadline: deadline_of_milliseconds(self.deadline_ms)?,
            has_old_key: self.flags & OLD_KEY != 0,
        })
    }
}

fn decode_record(
    header: Header,
    rest: &[u8],
    table: &DefinitionTable,
) -> Result<CustomerRecord, CodecError> {
    let mut record = CustomerRecord {
        applied: AppliedOffsets::default().with(Source::Events, header.offset_next),
        evaluated_at: timestamp(header.evaluated_at_ms)?,
        sequence: header.sequence,
        assignment: assigned(header, table)?,
        band: band_of(header.band)?,
        deadline: deadline_of_milliseconds(header.deadline_ms)?,
        ..CustomerRecord::default()
    };
    let mut parts = Parts::default();
    each_section(rest, |kind, content| {
        let aggregate = &mut parts.aggregate;
        match kind {
            1 => aggregate.ledger = frame::whole(content)?,
            2 => (aggregate.purchases, aggregate.greatest_event_day) = frame::whole(content)?,
            3 => aggregate.profile = frame::whole(content)?,
            4 => parts.remembered = frame::whole(content)?,
            5 => {
                let next = frame::whole(content)?;
                record.applied = record.applied.with(Source::Transfers, next);
            }
            _ => return Err(CodecError::Content),
        }
        Ok(())
    })?;
    parts.restore(&mut record)?;
    Ok(record)
}

fn assigned(header: Header, table: &DefinitionTable) -> Result<Option<Assigned>, CodecError> {
    if header.segment == NO_NUMBER {
        return Ok(None);
    }
    let (segment, model) = (SegmentNumber(header.segment), ModelNumber(header.model));
    super::head::assigned(segment, model, timestamp(header.since_ms)?, table).map(Some)
}

/// Calls `take` with the kind and the content of each section.
fn each_section(
    mut bytes: &[u8],
    mut each: impl FnMut(u8, &[u8]) -> Result<(), CodecError>,
) -> Result<(), CodecError> {
    while !bytes.is_empty() {
        let [kind] = take(&mut bytes)?;
        let length = u32::from_le_bytes(take(&mut bytes)?);
        let length = usize::try_from(length).map_err(|_| CodecError::Content)?;
        let (content, rest) = bytes.split_at_checked(length).ok_or(CodecError::Content)?;
        each(kind, content)?;
        bytes = rest;
    }
    Ok(())
}
