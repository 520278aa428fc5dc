//! A process of the version that wrote format 3, as far as it leaves something behind: what its transactions write
//! to the changelog, and its stores.

use std::collections::BTreeMap;
use std::path::Path;

use segstream::codec::changelog;
use segstream::codec::changelog::Put;
use segstream::codec::changelog::Said;
use segstream::codec::entry;
use segstream::codec::key::StateKey;
use segstream::codec::part::Part;
use segstream::codec::partition;
use segstream::codec::stored::StoreCheckpoint;
use segstream::domain::aggregate::PurchaseSpan;
use segstream::domain::categories::OTHER_CATEGORY;
use segstream::domain::churn::RiskBand;
use segstream::domain::ids::CustomerId;
use segstream::domain::ids::ModelVersion;
use segstream::domain::ids::Partition;
use segstream::domain::ids::SegmentId;
use segstream::domain::ids::Source;
use segstream::domain::ledger::ChannelCounts;
use segstream::domain::ledger::Totals;
use segstream::domain::money::Money;
use segstream::domain::profile::Profile;
use segstream::domain::time::Day;
use segstream::domain::time::Timestamp;
use segstream::engine::state::checkpoint::Checkpoint;
use segstream::engine::state::chunk::ChunkNumber;
use segstream::engine::state::record::CustomerRecord;
use segstream::engine::state::remembered::RememberedEvents;
use segstream::engine::state::table::DefinitionTable;
use segstream::log::StateRecord;
use segstream::log::Transaction;
use segstream::pipeline::Shared;
use segstream::pipeline::partitions::Phase;
use serde::Serialize;
use twox_hash::XxHash3_64;

use super::process::model;
use crate::support::open_database;

const FORMAT: u8 = 3;
const NO_DEADLINE_MS: i64 = i64::MAX;
/// Of the store: its own checkpoint, and the first page of customers.
const STORE_KEY: &[u8] = b"s";
const PAGE_KEY: &[u8] = b"c";

#[derive(Serialize)]
struct RecordBytes {
    offset_next: u64,
    evaluated_at: Timestamp,
    aggregate: AggregateBytes,
    remembered: RememberedBytes,
    sequence: u64,
    assignment: Option<AssignedBytes>,
    band: Option<RiskBand>,
}

#[derive(Serialize)]
struct AggregateBytes {
    ledger: LedgerBytes,
    purchases: Option<PurchaseSpan>,
    profile: Profile,
    greatest_event_day: Option<Day>,
}

#[derive(Serialize)]
struct LedgerBytes {
    days: Vec<(Day, Totals)>,
    /// By day, or of the folded days, and by the place of the name.
    category_spend: Vec<(Option<Day>, u8, Money)>,
    category_names: Vec<String>,
    folded: Totals,
}

#[derive(Serialize)]
struct RememberedBytes {
    events: Vec<u8>,
    floor: Option<Timestamp>,
}

#[derive(Serialize)]
struct AssignedBytes {
    segment_id: SegmentId,
    model_version: ModelVersion,
    since: Timestamp,
}

#[derive(Serialize)]
struct CheckpointBytes {
    offset_next: u64,
    clock: Option<Timestamp>,
    record_time_max: Option<Timestamp>,
    model_version: String,
    model_fingerprint: String,
    transactions: u64,
}

#[derive(Serialize)]
struct GroupBytes {
    segment_id: SegmentId,
    band: Option<RiskBand>,
}

#[derive(Serialize)]
struct StoreBytes {
    checkpoint: Option<CheckpointBytes>,
    changelog_next: u64,
    changelog_reach: u64,
    caught_up_at: Option<Timestamp>,
    lineage: String,
    records: u64,
    digest: u64,
    customers: Vec<(GroupBytes, u64)>,
    deadlines: u64,
}

/// The names of the numbers in the entries of a schedule.
pub fn names() -> DefinitionTable {
    let mut names = DefinitionTable::default();
    names.add(model()).unwrap();
    names
}

/// The format byte, the checksum of the rest, and the rest.
fn framed(head: &[u8], content: &impl Serialize) -> Vec<u8> {
    let content = postcard::to_extend(content, head.to_vec()).unwrap();
    let mut bytes = vec![FORMAT];
    bytes.extend_from_slice(&crc32fast::hash(&content).to_le_bytes());
    bytes.extend_from_slice(&content);
    bytes
}

fn record_bytes(record: &CustomerRecord) -> Vec<u8> {
    let deadline_ms = record
        .deadline
        .map_or(NO_DEADLINE_MS, Timestamp::as_milliseconds);
    let content = RecordBytes {
        offset_next: record.applied.next(Source::Events),
        evaluated_at: record.evaluated_at,
        aggregate: AggregateBytes {
            ledger: ledger_bytes(record),
            purchases: record.aggregate.purchases,
            profile: Profile::clone(&record.aggregate.profile),
            greatest_event_day: record.aggregate.greatest_event_day,
        },
        remembered: remembered_bytes(&record.remembered),
        sequence: record.sequence,
        assignment: record.assignment.as_ref().map(|assigned| AssignedBytes {
            segment_id: assigned.segment_id.clone(),
            model_version: assigned.model_version.clone(),
            since: assigned.since,
        }),
        band: record.band,
    };
    framed(&deadline_ms.to_le_bytes(), &content)
}

/// Spend by category is of the folded days: the newer version does not keep that of each day.
fn ledger_bytes(record: &CustomerRecord) -> LedgerBytes {
    let ledger = &record.aggregate.ledger;
    let mut days: Vec<(Day, Totals)> = ledger
        .days()
        .map(|day| (day, ledger.totals_since(Some(day))))
        .collect();
    for place in 1..days.len() {
        let later = days[place].1;
        days[place - 1].1 = less(&days[place - 1].1, &later);
    }
    let by_name = record.aggregate.categories.by_name();
    let mut names = Vec::new();
    let mut category_spend = Vec::new();
    for (name, spend) in by_name {
        let place = if name == OTHER_CATEGORY {
            u8::MAX
        } else {
            names.push(name.to_owned());
            names.len() as u8 - 1
        };
        category_spend.push((None, place, spend));
    }
    let first = days.first().map(|(day, _)| *day);
    let kept = first.map_or_else(Totals::default, |first| ledger.totals_since(Some(first)));
    LedgerBytes {
        days,
        category_spend,
        category_names: names,
        folded: less(&ledger.totals_since(None), &kept),
    }
}

fn less(all: &Totals, part: &Totals) -> Totals {
    let mut orders = all.orders.each();
    for (count, less) in orders.iter_mut().zip(part.orders.each()) {
        *count -= less;
    }
    Totals {
        days: all.days - part.days,
        orders: ChannelCounts::from_each(orders),
        deal_orders: all.deal_orders - part.deal_orders,
        spend: Money(all.spend.0 - part.spend.0),
    }
}

fn remembered_bytes(remembered: &RememberedEvents) -> RememberedBytes {
    let mut events = Vec::new();
    for event in remembered.events() {
        events.extend_from_slice(&event.id.occurred_at.as_milliseconds().to_le_bytes());
        events.extend_from_slice(&event.id.event_hash.to_le_bytes());
        events.push(u8::from(event.id.order_hash.is_some()));
        if let Some(order_hash) = event.id.order_hash {
            events.extend_from_slice(&order_hash.to_le_bytes());
        }
    }
    RememberedBytes {
        events,
        floor: remembered.floor().map(|floor| floor.occurred_at),
    }
}

/// What the older version does not write, but the entries in its processes need: their tables, and their parts.
#[derive(Debug, Default)]
pub struct Behind {
    /// By process.
    tables: BTreeMap<(usize, Partition), DefinitionTable>,
    parts: BTreeMap<(Partition, CustomerId, Part), Vec<u8>>,
}

fn checkpoint_content(checkpoint: Checkpoint) -> CheckpointBytes {
    CheckpointBytes {
        offset_next: checkpoint.offsets.next(Source::Events),
        clock: checkpoint.clock,
        record_time_max: checkpoint.record_time_max,
        model_version: model().facts().version.to_string(),
        model_fingerprint: model().fingerprint().to_owned(),
        transactions: checkpoint.transactions,
    }
}

/// The transaction as the older version writes it when it takes effect: it has neither tables nor keys with a kind.
pub fn rewritten(process: usize, transaction: &Transaction, behind: &mut Behind) -> Transaction {
    let mut rewritten = transaction.clone();
    for commit in &mut rewritten.partitions {
        let records = std::mem::take(&mut commit.state).into_iter();
        let of = (process, commit.partition);
        commit.state = records
            .filter_map(|record| behind.rewrite(of, record))
            .collect();
    }
    rewritten
}

impl Behind {
    /// Takes note of the tables of a process's transaction.
    pub fn note_tables(&mut self, process: usize, transaction: &Transaction, shared: &Shared) {
        for commit in &transaction.partitions {
            let of = (process, commit.partition);
            if let Some(Phase::Running(store)) = shared.partitions.phase(commit.partition) {
                self.tables
                    .insert(of, DefinitionTable::clone(&store.table()));
            }
            for record in &commit.state {
                let key = StateKey::decode(&record.key).unwrap();
                if let (StateKey::Table, Some(bytes)) = (key, &record.value) {
                    let table = partition::decode_table(bytes).unwrap();
                    self.tables.insert(of, table);
                }
            }
        }
    }

    fn rewrite(
        &mut self,
        (process, partition): (usize, Partition),
        record: StateRecord,
    ) -> Option<StateRecord> {
        match (StateKey::decode(&record.key).unwrap(), &record.value) {
            (StateKey::Part(id, part), Some(bytes)) => {
                self.parts.insert((partition, id, part), bytes.clone());
                None
            }
            (StateKey::Part(..), None) => None,
            (StateKey::Head(id), Some(bytes)) => {
                let mut part = |part| {
                    let bytes = self.parts.get(&(partition, id.clone(), part));
                    bytes.map(Vec::as_slice)
                };
                let table = &self.tables[&(process, partition)];
                let (entry, _) = entry::decode(bytes, &mut part, table).unwrap();
                let bytes = record_bytes(&entry.into_record().unwrap());
                state_record(StateKey::OldRecord(id), Some(bytes))
            }
            (key, _) => state_record(key, record.value),
        }
    }
}

fn state_record(key: StateKey, value: Option<Vec<u8>>) -> Option<StateRecord> {
    let mut names = names();
    let (key, value) = match (key, value) {
        (StateKey::OldRecord(id), Some(bytes)) => (StateKey::OldRecord(id), bytes),
        (StateKey::Checkpoint, Some(bytes)) => {
            let checkpoint = partition::decode_checkpoint(&bytes).unwrap();
            let content = checkpoint_content(checkpoint);
            (StateKey::OldCheckpoint, framed(&[], &content))
        }
        (StateKey::Table, _) => return None,
        // The newer version removes the old keys that it replaces.
        (StateKey::OldRecord(_) | StateKey::OldCheckpoint, None) => return None,
        (key, value) => panic!("the older version writes no {key:?}: {value:?}"),
    };
    let key = key.encode();
    let read = changelog::read(&key, Some(value.clone()), &mut names).unwrap();
    assert!(
        matches!(
            read,
            Said::OldCheckpoint(_) | Said::Customer(_, Put::Entry(_))
        ),
        "what the older version writes reads as {read:?}"
    );
    Some(StateRecord {
        key,
        value: Some(value),
    })
}

/// Writes the stores of a directory into a copy of it as the older version leaves them. They are made anew: a file that
/// is cut must not go back to what the older version never wrote.
pub fn put_back_stores(root: &Path, into: &Path, partitions: u32) {
    for partition in 0..partitions {
        let name = format!("partition-{partition:05}");
        let (store, copy) = (root.join(&name), into.join(&name));
        if copy.is_dir() {
            std::fs::remove_dir_all(&copy).unwrap();
        }
        if store.is_dir() {
            put_back_store(&store, &copy);
        }
    }
}

/// Writes nothing for a store that cannot be read. The older version knew sled alone, so in place of a merge tree it has
/// a store that was never written.
fn put_back_store(store: &Path, copy: &Path) {
    if store.join("tree").exists() {
        drop(open_database(copy).unwrap());
        return;
    }
    let Ok(database) = open_database(store) else {
        return;
    };
    let Some(bytes) = database.get(STORE_KEY).unwrap() else {
        return;
    };
    let older = open_database(copy).unwrap();
    let stored = partition::decode_store(&bytes).unwrap();
    let pages = database.iter().map(Result::unwrap);
    let pages: Vec<(sled::IVec, sled::IVec)> = pages.filter(|(key, _)| key != STORE_KEY).collect();
    let mut page = vec![FORMAT];
    for (_, bytes) in pages {
        for (id, entry) in entries(&bytes) {
            let (head, parts) = head_and_parts(entry);
            let mut part = |part| parts.get(&part).copied();
            let (entry, _) = entry::decode(head, &mut part, &stored.table).unwrap();
            let entry = record_bytes(&entry.into_record().unwrap());
            page.extend_from_slice(&(id.len() as u16).to_le_bytes());
            page.extend_from_slice(id);
            page.extend_from_slice(&(entry.len() as u32).to_le_bytes());
            page.extend_from_slice(&entry);
        }
    }
    let digest = XxHash3_64::oneshot_with_seed(XxHash3_64::oneshot(PAGE_KEY), &page);
    let has_entries = page.len() > 1;
    if has_entries {
        older.insert(PAGE_KEY, page).unwrap();
    }
    let content = store_content(&stored, if has_entries { digest } else { 0 });
    older.insert(STORE_KEY, framed(&[], &content)).unwrap();
    older.flush().unwrap();
}

/// Ids and entries of a page.
fn entries(page: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut rest = &page[1..];
    let mut entries = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let (id, after) = after.split_at(usize::from(u16::from_le_bytes(*length)));
        let (length, after) = after.split_first_chunk::<4>().unwrap();
        let (entry, after) = after.split_at(u32::from_le_bytes(*length) as usize);
        entries.push((id, entry));
        rest = after;
    }
    entries
}

/// The head of an entry, and its parts.
fn head_and_parts(entry: &[u8]) -> (&[u8], BTreeMap<Part, &[u8]>) {
    let (head, mut rest) = run(entry);
    let mut parts = BTreeMap::new();
    while let Some((kind, after)) = rest.split_first() {
        let (number, after) = after.split_first_chunk::<4>().unwrap();
        let part = match kind {
            0 => Part::Profile,
            _ => Part::Chunk(ChunkNumber(u32::from_le_bytes(*number))),
        };
        let (bytes, after) = run(after);
        parts.insert(part, bytes);
        rest = after;
    }
    (head, parts)
}

fn run(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (length, rest) = bytes.split_first_chunk::<4>().unwrap();
    rest.split_at(u32::from_le_bytes(*length) as usize)
}

fn store_content(stored: &StoreCheckpoint, digest: u64) -> StoreBytes {
    let customers = stored.customers.iter().map(|(group, customers)| {
        let segment_id = stored.table.segment(group.segment).unwrap().clone();
        let band = group.band;
        (GroupBytes { segment_id, band }, *customers)
    });
    StoreBytes {
        checkpoint: stored.checkpoint.map(checkpoint_content),
        changelog_next: stored.changelog_next,
        changelog_reach: stored.changelog_reach,
        caught_up_at: stored.caught_up_at,
        lineage: stored.lineage.clone(),
        records: stored.records,
        digest,
        customers: customers.collect(),
        deadlines: stored.deadlines,
    }
}
