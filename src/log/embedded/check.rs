//! Opening a log and checking all of it. Opening never removes anything: doubt is an error.

use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use uuid::Uuid;

use crate::domain::ids::Partition;
use crate::log::Error;
use crate::log::embedded::layout;
use crate::log::embedded::layout::BATCHES_KEY;
use crate::log::embedded::layout::Encoding;
use crate::log::embedded::layout::Ends;
use crate::log::embedded::layout::Kind;
use crate::log::embedded::layout::META_KEY;
use crate::log::embedded::layout::Meta;
use crate::log::embedded::layout::Tail;

/// sled's page cache for the log; reads are mostly of what was just written.
const CACHE_BYTES: u64 = 64 * 1024 * 1024;
/// A database dropped by this process lets its lock go a moment later; another process keeps it.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);
const LOCK_RETRY: Duration = Duration::from_millis(50);

pub(super) fn damaged(path: &str, what: &str) -> Error {
    Error::Unusable {
        path: path.to_owned(),
        problem: format!(
            "{what}: it is the only copy, so nothing was changed; restore it from a backup, or \
             point embedded.directory and store.directory elsewhere to begin anew"
        ),
    }
}

pub(super) fn open_database(path: &Path, name: &str) -> Result<sled::Db, Error> {
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        let config = sled::Config::new()
            .path(path)
            .mode(sled::Mode::HighThroughput)
            .cache_capacity(CACHE_BYTES)
            .flush_every_ms(None);
        match catch_unwind(AssertUnwindSafe(|| config.open())) {
            Ok(Ok(database)) => return Ok(database),
            Ok(Err(error)) if error.to_string().contains("could not acquire lock") => {
                if Instant::now() > deadline {
                    let problem = "another process holds it: stop it first".to_owned();
                    return Err(Error::Unusable {
                        path: name.to_owned(),
                        problem,
                    });
                }
                std::thread::park_timeout(LOCK_RETRY);
            }
            Ok(Err(error)) => return Err(damaged(name, &format!("it does not open ({error})"))),
            Err(_) => return Err(damaged(name, "opening it panics")),
        }
    }
}

/// Finds the identity and the tail of a log, or gives a new one its identity. `durable` is the
/// watermark: as many batches were acknowledged.
pub(super) fn check(
    database: &sled::Db,
    partitions: u32,
    durable: u64,
    name: &str,
) -> Result<(Meta, Tail), Error> {
    let Some(meta) = database.get(META_KEY)? else {
        if !database.is_empty() || durable > 0 {
            return Err(damaged(name, "its identity is missing"));
        }
        let meta = Meta {
            partitions,
            lineage: Uuid::new_v4().to_string(),
        };
        let bytes = layout::encode_meta(&meta)
            .ok_or_else(|| damaged(name, "its identity cannot be encoded"))?;
        database.insert(META_KEY, bytes)?;
        database.flush()?;
        let none = usize::try_from(partitions).unwrap_or(0);
        let tail = Tail {
            ends: vec![Ends::default(); none],
            batches: 0,
            format: layout::FORMAT,
        };
        return Ok((meta, tail));
    };
    let (format, meta) = check_meta(&meta, partitions, name)?;
    let batches: u64 = match database.get(BATCHES_KEY)? {
        Some(bytes) => layout::decode(Encoding::One, &bytes)
            .ok_or_else(|| damaged(name, "its count of batches is damaged"))?,
        None => 0,
    };
    if batches < durable {
        let lost = durable - batches;
        let what = format!("the last {lost} of {durable} batches that were acknowledged are gone");
        return Err(damaged(name, &what));
    }
    let ends = (0..partitions)
        .map(|number| check_partition(database, Partition(number), name))
        .collect::<Result<_, _>>()?;
    let tail = Tail {
        ends,
        batches,
        format,
    };
    Ok((meta, tail))
}

/// The format and the identity of a log that this version can read.
fn check_meta(bytes: &[u8], partitions: u32, name: &str) -> Result<(u8, Meta), Error> {
    let unusable = |problem| Error::Unusable {
        path: name.to_owned(),
        problem,
    };
    let (format, bytes) = bytes
        .split_first()
        .ok_or_else(|| damaged(name, "its identity is empty"))?;
    let known = layout::FORMAT_OLDEST..=layout::FORMAT;
    if !known.contains(format) {
        let (oldest, newest) = known.into_inner();
        return Err(unusable(format!(
            "it is of format {format}, and this version reads {oldest} to {newest}"
        )));
    }
    let meta: Meta = layout::decode(Encoding::One, bytes)
        .ok_or_else(|| damaged(name, "its identity is damaged"))?;
    if meta.partitions != partitions {
        return Err(unusable(format!(
            "it has {} partitions, and embedded.partitions is {partitions}: set it to {}",
            meta.partitions, meta.partitions
        )));
    }
    Ok((*format, meta))
}

/// The value of a key of a partition's ends, or the default one.
fn ends_at<T>(database: &sled::Db, kind: Kind, partition: Partition, name: &str) -> Result<T, Error>
where
    T: Default + serde::de::DeserializeOwned,
{
    match database.get(layout::partition_key(kind, partition))? {
        Some(bytes) => layout::decode(Encoding::One, &bytes).ok_or_else(|| {
            damaged(
                name,
                &format!("partition {partition}: its ends are damaged"),
            )
        }),
        None => Ok(T::default()),
    }
}

fn check_partition(database: &sled::Db, partition: Partition, name: &str) -> Result<Ends, Error> {
    let missing = |what: &str| damaged(name, &format!("partition {partition}: {what}"));
    let ends = Ends {
        main: ends_at(database, Kind::Ends, partition, name)?,
        transfers: ends_at(database, Kind::TransferEnds, partition, name)?,
    };
    for (kind, end) in ends.gapless() {
        let mut expected = 0;
        for entry in database.scan_prefix(layout::partition_key(kind, partition)) {
            let (key, bytes) = entry?;
            if layout::offset_of(&key) != Some(expected) || !layout::is_whole(&bytes) {
                return Err(missing("a record is missing or damaged"));
            }
            expected += 1;
        }
        if expected != end {
            return Err(missing("records are missing at the end"));
        }
    }
    let mut state_records = 0;
    for entry in database.scan_prefix(layout::partition_key(Kind::State, partition)) {
        let (key, bytes) = entry?;
        if layout::offset_of(&key).is_none_or(|offset| offset >= ends.main.state)
            || !layout::is_whole(&bytes)
        {
            return Err(missing("a state record is damaged"));
        }
        state_records += 1;
    }
    if state_records != ends.main.state_records {
        return Err(missing("state records are missing"));
    }
    Ok(ends)
}
