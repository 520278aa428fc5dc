//! When a store is trusted, waited for, or thrown away and made again.

use crate::support;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::support::at;
use segstream::codec;
use segstream::codec::changelog::Put;
use segstream::codec::part::Part;
use segstream::codec::part::PartChange;
use segstream::domain::ids::CustomerId;
use segstream::domain::ids::Partition;
use segstream::domain::ids::Source;
use segstream::domain::offsets::AppliedOffsets;
use segstream::domain::time::Timestamp;
use segstream::engine::state::checkpoint::Checkpoint;
use segstream::engine::state::chunk::Chunk;
use segstream::engine::state::chunk::ChunkNumber;
use segstream::engine::state::entry::Entry;
use segstream::engine::state::record::CustomerRecord;
use segstream::engine::state::seal::Sealing;
use segstream::engine::state::table::DefinitionTable;
use segstream::faults::Faults;
use segstream::store::Error;
use segstream::store::database::Options;
use segstream::store::directory::StoreDirectory;
use segstream::store::memory::Advance;
use segstream::store::memory::Before;
use segstream::store::memory::Update;
use segstream::store::owner::OwnerEpoch;
use segstream::store::partition::PartitionStore;
use segstream::store::sled_pages::SledOptions;
use segstream::store::verification::Expected;
use segstream::store::wipe_reason::WipeReason;

const PARTITION: Partition = Partition(0);

/// Both databases, with small pages.
fn databases() -> [Options; 2] {
    let sled = SledOptions {
        cache_bytes: 1 << 20,
        page_bytes: 1000,
    };
    [Options::Sled(sled), support::small_tree(10)]
}

/// The log as it was when the store was made: its changelog ends at 10.
fn expected() -> Expected {
    Expected {
        lineage: "cluster/state".to_owned(),
        changelog_start: 0,
        changelog_end: 10,
        current_since: None,
        tombstones_from: 0,
    }
}

fn open(
    database: &Options,
    root: &Path,
    expected: &Expected,
) -> (PartitionStore, Option<WipeReason>) {
    let directory = StoreDirectory::open(root, "test", Duration::from_secs(30)).unwrap();
    PartitionStore::open(&directory, PARTITION, expected, database, Faults::none()).unwrap()
}

/// The record of a customer after so many changes.
pub(crate) fn update(customer_id: &str, sequence: u64) -> Update {
    let record = CustomerRecord {
        sequence,
        ..CustomerRecord::default()
    };
    let table = &mut DefinitionTable::default();
    let encoded = codec::entry::encode(
        &mut Entry::Live(Box::new(record)),
        table,
        Sealing::default(),
    )
    .unwrap();
    Update {
        customer_id: CustomerId::new(customer_id),
        put: Some(Put::Entry(encoded.head)),
        parts: Vec::new(),
        before: Before::Unknown,
    }
}

pub(crate) fn checkpoint_at(offset: u64) -> Checkpoint {
    Checkpoint {
        offsets: AppliedOffsets::default().with(Source::Events, offset),
        ..Checkpoint::default()
    }
}

pub(crate) fn to(
    checkpoint: Option<Checkpoint>,
    changelog_next: u64,
    caught_up_at: Option<Timestamp>,
) -> Advance {
    Advance {
        checkpoint,
        changelog_next,
        caught_up_at,
        ..Advance::default()
    }
}

/// A store of one customer that was current at noon.
fn made(database: &Options, root: &Path) {
    let (store, wiped) = open(database, root, &expected());
    assert_eq!(wiped, None);
    let noon = Some(at("2026-01-01T12:00:00Z"));
    store
        .apply(
            OwnerEpoch::default(),
            vec![update("c", 0)],
            to(Some(Checkpoint::default()), 10, noon),
        )
        .unwrap();
    store.flush(OwnerEpoch::default()).unwrap();
}

#[test]
fn a_store_is_kept_only_where_it_fits_to_the_log() {
    for database in &databases() {
        for (change, reason) in [
            (None, None),
            (Some("cleaned"), Some(WipeReason::OffsetOutOfRange)),
            (Some("shortened"), Some(WipeReason::OffsetOutOfRange)),
            (Some("in time"), None),
            (Some("too late"), Some(WipeReason::TooOld)),
            (Some("with all tombstones"), None),
            (Some("without a tombstone"), Some(WipeReason::TooOld)),
        ] {
            let root = tempfile::tempdir().unwrap();
            made(database, root.path());
            let mut log = expected();
            match change {
                Some("cleaned") => (log.changelog_start, log.changelog_end) = (11, 20),
                Some("shortened") => log.changelog_end = 9,
                Some("in time") => log.current_since = Some(at("2026-01-01T12:00:00Z")),
                Some("too late") => log.current_since = Some(at("2026-01-01T12:00:00.001Z")),
                Some("with all tombstones") => log.tombstones_from = 10,
                Some("without a tombstone") => {
                    (log.tombstones_from, log.changelog_end) = (11, 20);
                }
                _ => {}
            }
            let (store, wiped) = open(database, root.path(), &log);
            assert_eq!(wiped, reason, "{change:?}");
            let is_kept = store.get("c").unwrap().is_some();
            assert_eq!(is_kept, reason.is_none(), "{change:?}");
            // One that is not kept is read again from the beginning.
            assert_eq!(store.changelog_next(), if is_kept { 10 } else { 0 });
        }
    }
}

#[test]
fn the_store_of_another_log_is_refused_and_kept() {
    for database in &databases() {
        let root = tempfile::tempdir().unwrap();
        made(database, root.path());
        let other = Expected {
            lineage: "another/state".to_owned(),
            ..expected()
        };
        let directory = StoreDirectory::open(root.path(), "test", Duration::from_secs(30)).unwrap();
        let opened = PartitionStore::open(&directory, PARTITION, &other, database, Faults::none());
        assert!(matches!(opened, Err(Error::OtherLog { .. })), "{opened:?}");
        drop((opened, directory));
        let (store, wiped) = open(database, root.path(), &expected());
        assert_eq!(wiped, None);
        assert!(store.get("c").unwrap().is_some());
    }
}

/// Files of somebody else in the directory of a partition, which is to be made anew because it cannot be trusted.
#[test]
fn a_partition_with_other_files_is_not_wiped() {
    for database in &databases() {
        let root = tempfile::tempdir().unwrap();
        made(database, root.path());
        let directory = StoreDirectory::open(root.path(), "test", Duration::from_secs(30)).unwrap();
        let precious = directory.partition_path(PARTITION).join("precious");
        std::fs::write(&precious, "").unwrap();
        assert!(matches!(
            directory.wipe(PARTITION),
            Err(Error::NotAStore { .. })
        ));
        let opened =
            PartitionStore::open(&directory, PARTITION, &expected(), database, Faults::none());
        assert!(matches!(opened, Err(Error::NotAStore { .. })), "{opened:?}");
        assert!(precious.exists());
    }
}

#[test]
fn a_store_that_was_never_current_is_not_taken_for_a_fresh_one() {
    for database in &databases() {
        let root = tempfile::tempdir().unwrap();
        let (store, _) = open(database, root.path(), &expected());
        store
            .apply(OwnerEpoch::default(), Vec::new(), to(None, 4, None))
            .unwrap();
        store.flush(OwnerEpoch::default()).unwrap();
        drop(store);
        let mut log = expected();
        log.current_since = Some(at("1990-01-01T00:00:00Z"));
        assert_eq!(
            open(database, root.path(), &log).1,
            Some(WipeReason::TooOld)
        );
    }
}

#[test]
fn a_held_directory_is_waited_for_and_not_wiped() {
    for database in &databases() {
        let root = tempfile::tempdir().unwrap();
        made(database, root.path());
        let held = StoreDirectory::open(root.path(), "test", Duration::ZERO).unwrap();
        let refused = StoreDirectory::open(root.path(), "test", Duration::ZERO);
        assert!(matches!(refused, Err(Error::Held { .. })));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| open(database, root.path(), &expected()));
            drop(held);
            let (store, wiped) = waiting.join().unwrap();
            assert_eq!(wiped, None);
            assert!(store.get("c").unwrap().is_some(), "nothing was wiped");
        });
    }
}

#[test]
fn a_store_opened_as_it_was_left_shows_its_records() {
    for database in &databases() {
        let root = tempfile::tempdir().unwrap();
        made(database, root.path());
        let directory = StoreDirectory::open(root.path(), "test", Duration::ZERO).unwrap();
        let store = PartitionStore::open_as_left(&directory, PARTITION, database).unwrap();
        assert_eq!(store.records().count(), 1);
        assert_eq!(store.changelog_next(), 10);
    }
}

/// Records of a store, by customer, as sequences.
pub(crate) fn sequences(store: &PartitionStore) -> Vec<(String, u64)> {
    let records = store.records().map(Result::unwrap);
    records
        .map(|(id, entry)| (id.to_string(), entry.into_record().unwrap().sequence))
        .collect()
}

#[test]
fn a_flush_cut_between_two_pieces_leaves_a_store_that_is_trusted_and_lags() {
    for database in &databases() {
        let root = tempfile::tempdir().unwrap();
        let (store, _) = open(database, root.path(), &expected());
        let update_all = |sequence| (100..200).map(move |id| update(&format!("c{id}"), sequence));
        let at_four = Some(checkpoint_at(4));
        store
            .apply(
                OwnerEpoch::default(),
                update_all(1).collect(),
                to(at_four, 4, None),
            )
            .unwrap();
        store.flush(OwnerEpoch::default()).unwrap();
        let at_nine = Some(checkpoint_at(9));
        let more = update_all(2).chain([update("c", 1), update("d", 1)]);
        store
            .apply(OwnerEpoch::default(), more.collect(), to(at_nine, 9, None))
            .unwrap();
        assert!(
            !store.flush_chunk(OwnerEpoch::default(), 1).unwrap(),
            "a page is not all"
        );
        let middle = store
            .get("c150")
            .unwrap()
            .unwrap()
            .entry
            .into_record()
            .unwrap();
        assert_eq!(middle.sequence, 2, "readers see the new one throughout");
        assert_eq!(
            store.dirty_records(),
            102 - sequences(&store)
                .iter()
                .filter(|(_, sequence)| *sequence == 2)
                .count()
                - 1
        );
        drop(store);
        // A log that ends before the place of some records is another log, and a reader must refuse such a mixture.
        let directory = StoreDirectory::open(root.path(), "test", Duration::from_secs(30)).unwrap();
        let as_left = PartitionStore::open_as_left(&directory, PARTITION, database);
        assert!(matches!(
            as_left,
            Err(Error::Untrusted {
                reason: WipeReason::Unfinished,
                ..
            })
        ));
        drop((as_left, directory));
        let copy = tempfile::tempdir().unwrap();
        support::copy_directory(root.path(), copy.path());
        let shorter = Expected {
            changelog_end: 6,
            ..expected()
        };
        let reason = open(database, copy.path(), &shorter).1;
        assert_eq!(reason, Some(WipeReason::OffsetOutOfRange));
        // The place in the log is the old one, some records are newer, and all of it is trusted.
        let (store, wiped) = open(database, root.path(), &expected());
        assert_eq!(wiped, None);
        assert_eq!((store.changelog_next(), store.checkpoint()), (4, at_four));
        let found = sequences(&store);
        assert!(found.len() == 101 && found.is_sorted(), "{found:?}");
        assert!(found.iter().any(|(_, sequence)| *sequence == 2));
        assert!(
            found
                .iter()
                .any(|(id, sequence)| *sequence == 1 && id != "c")
        );
        // The log's tail again, by chunks.
        let tail = update_all(2).chain([update("c", 1), update("d", 1)]);
        store
            .apply(OwnerEpoch::default(), tail.collect(), to(at_nine, 9, None))
            .unwrap();
        while !store.flush_chunk(OwnerEpoch::default(), 1).unwrap() {}
        drop(store);
        let (store, wiped) = open(database, root.path(), &expected());
        assert_eq!(wiped, None);
        assert_eq!((store.changelog_next(), store.checkpoint()), (9, at_nine));
        let found = sequences(&store);
        assert_eq!(found.len(), 102);
        assert!(
            found
                .iter()
                .all(|(id, sequence)| *sequence == if id.len() == 1 { 1 } else { 2 })
        );
    }
}

/// The head of a record whose past lies in these chunks.
fn head_of(chunks: &[u32]) -> Option<Put> {
    let chunks = chunks.iter().map(|number| Chunk {
        number: ChunkNumber(*number),
        level: 0,
    });
    let mut record = CustomerRecord::default();
    record.layout.chunks = chunks.collect();
    let table = &mut DefinitionTable::default();
    let encoded = codec::entry::encode(
        &mut Entry::Live(Box::new(record)),
        table,
        Sealing::default(),
    );
    Some(Put::Entry(encoded.unwrap().head))
}

/// What a restore reads of a customer, record by record, with a flush after some of them.
#[test]
fn a_restored_entry_has_every_part_that_its_head_names_and_a_missing_one_is_noticed() {
    for database in &databases() {
        let part = |number: u32, text: Option<&str>| {
            let bytes = text.map(|text| Arc::from(text.as_bytes()));
            (None, vec![(Part::Chunk(ChunkNumber(number)), bytes)])
        };
        let head = |chunks: &[u32]| (head_of(chunks), Vec::new());
        type Read = (Option<Put>, Vec<PartChange>);
        let cases: [(&str, Vec<Read>, bool); 5] = [
            ("whole", vec![part(1, Some("a")), head(&[1])], true),
            (
                "merged",
                vec![
                    part(1, Some("a")),
                    head(&[1]),
                    part(2, Some("b")),
                    head(&[2]),
                    part(1, None),
                ],
                true,
            ),
            (
                "deleted and come again in one transaction",
                vec![
                    part(3, Some("a")),
                    head(&[3]),
                    part(1, Some("b")),
                    head(&[1]),
                    part(3, None),
                ],
                true,
            ),
            ("missing", vec![part(1, Some("a")), head(&[1, 2])], false),
            (
                "deleted",
                vec![part(1, Some("a")), part(1, None), head(&[1])],
                false,
            ),
        ];
        for (what, reads, is_complete) in cases {
            for flushed_after in 0..=reads.len() {
                let root = tempfile::tempdir().unwrap();
                let (store, _) = open(database, root.path(), &expected());
                for (place, (put, parts)) in reads.iter().cloned().enumerate() {
                    let update = Update {
                        customer_id: CustomerId::new("c"),
                        before: Before::Unknown,
                        put,
                        parts,
                    };
                    store
                        .apply(OwnerEpoch::default(), vec![update], to(None, 1, None))
                        .unwrap();
                    if place + 1 == flushed_after {
                        store.flush(OwnerEpoch::default()).unwrap();
                    }
                }
                let case = format!("{what}, flushed after {flushed_after}");
                assert_eq!(store.is_complete().unwrap(), is_complete, "{case}");
                store.flush(OwnerEpoch::default()).unwrap();
                assert_eq!(store.is_complete().unwrap(), is_complete, "{case}");
                drop(store);
                let (store, wiped) = open(database, root.path(), &expected());
                assert_eq!(wiped, None);
                assert_eq!(
                    store.is_complete().unwrap(),
                    is_complete,
                    "{case}, reopened"
                );
                assert!(store.clear(OwnerEpoch::default()).unwrap());
                assert!(store.is_complete().unwrap() && store.get("c").unwrap().is_none());
                drop(store);
                let (store, wiped) = open(database, root.path(), &expected());
                assert_eq!(
                    (wiped, store.changelog_next()),
                    (None, 0),
                    "{case}, cleared"
                );
            }
        }
    }
}

/// Every file of a directory and of those within it.
fn files(root: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let nested = paths.map(|path| {
        if path.is_dir() {
            files(&path)
        } else {
            vec![path]
        }
    });
    nested.flatten().collect()
}

/// What a store says of these customers, once it is opened; `None` where it was made anew.
fn said(database: &Options, root: &Path, ids: &[String]) -> Option<Result<Vec<u64>, Error>> {
    let (store, wiped) = open(database, root, &expected());
    // The tree begins anew by itself where it finds no trace of an older one.
    if wiped.is_some() || store.changelog_next() == 0 {
        assert!(store.records().next().is_none(), "{wiped:?}");
        return None;
    }
    let sequence = |id: &String| {
        let found = store
            .get(id)?
            .map(|found| found.entry.into_record().unwrap());
        Ok(found.map_or(0, |record| record.sequence))
    };
    Some(ids.iter().map(sequence).collect())
}

/// Cuts, changes and removes every file of a merge tree of several files, some of which were merged.
#[test]
fn a_damaged_merge_tree_says_nothing_wrong_and_is_made_anew() {
    let database = &databases()[1];
    let root = tempfile::tempdir().unwrap();
    let ids: Vec<String> = (100..160).map(|id| format!("c{id}")).collect();
    let (store, _) = open(database, root.path(), &expected());
    for sequence in 1..=5 {
        let updates = ids.iter().map(|id| update(id, sequence)).collect();
        let advance = to(Some(checkpoint_at(sequence)), sequence, None);
        store
            .apply(OwnerEpoch::default(), updates, advance)
            .unwrap();
        store.flush(OwnerEpoch::default()).unwrap();
    }
    drop(store);
    let whole = said(database, root.path(), &ids).unwrap().unwrap();
    assert_eq!(whole, vec![5; ids.len()]);
    let tree = root.path().join("partition-00000").join("tree");
    let (mut trials, mut made_anew) = (0, 0);
    for file in files(&tree) {
        let bytes = std::fs::read(&file).unwrap();
        let place = file.strip_prefix(root.path()).unwrap();
        let step = (bytes.len() / 23).max(1);
        let mut damaged: Vec<Option<Vec<u8>>> = vec![None];
        for at in (0..bytes.len()).step_by(step) {
            damaged.push(Some(bytes[..at].to_vec()));
            let mut changed = bytes.clone();
            changed[at] ^= 0x10;
            damaged.push(Some(changed));
        }
        for content in damaged {
            let copy = tempfile::tempdir().unwrap();
            support::copy_directory(root.path(), copy.path());
            let path = copy.path().join(place);
            match &content {
                Some(content) => std::fs::write(&path, content).unwrap(),
                None => std::fs::remove_file(&path).unwrap(),
            }
            trials += 1;
            match said(database, copy.path(), &ids) {
                None => made_anew += 1,
                Some(Ok(sequences)) => assert_eq!(sequences, whole, "{place:?}"),
                // Found when it was read: the next process makes it anew.
                Some(Err(_)) => {
                    assert!(said(database, copy.path(), &ids).is_none(), "{place:?}");
                    made_anew += 1;
                }
            }
        }
    }
    assert!(
        trials > 200 && made_anew * 2 > trials,
        "{made_anew} of {trials}"
    );
}

/// What another engine left is removed, and the log has all of it.
#[test]
fn a_store_of_the_other_engine_is_made_anew() {
    let [sled, fjall] = databases();
    for (before, after) in [(&sled, &fjall), (&fjall, &sled)] {
        let root = tempfile::tempdir().unwrap();
        made(before, root.path());
        let (store, wiped) = open(after, root.path(), &expected());
        assert_eq!(
            (wiped, store.changelog_next()),
            (Some(WipeReason::Format), 0)
        );
        drop(store);
        made(after, root.path());
    }
}

/// A process that dies while it writes leaves files that belong to no version of the tree.
#[test]
fn files_of_a_batch_that_was_not_finished_are_removed() {
    let database = &databases()[1];
    let root = tempfile::tempdir().unwrap();
    made(database, root.path());
    let tables = root.path().join("partition-00000/tree/tables");
    let known = files(&tables);
    std::fs::write(tables.join("77"), b"half of a file").unwrap();
    let (store, wiped) = open(database, root.path(), &expected());
    assert_eq!(wiped, None);
    assert!(store.get("c").unwrap().is_some());
    assert_eq!(files(&tables), known);
}
