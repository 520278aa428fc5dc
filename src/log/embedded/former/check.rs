//! Opening a log and checking all of it. Doubt is an error.

use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use crate::domain::ids::Partition;
use crate::log::Error;
use crate::log::embedded::errors::failed;
use crate::log::embedded::former::layout;
use crate::log::embedded::former::layout::BATCHES_KEY;
use crate::log::embedded::former::layout::Encoding;
use crate::log::embedded::former::layout::Ends;
use crate::log::embedded::former::layout::Former;
use crate::log::embedded::former::layout::Kind;
use crate::log::embedded::former::layout::META_KEY;
use crate::log::embedded::former::layout::Meta;
use crate::sled_opening;

/// sled's page cache for the log; reads are mostly of what was just written.
const CACHE_BYTES: u64 = 64 * 1024 * 1024;
/// A database that this process dropped releases its lock a moment later; another process keeps it.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);
const LOCK_RETRY: Duration = Duration::from_millis(50);

fn damaged(path: &str, what: &str) -> Error {
    crate::log::embedded::errors::damaged(Path::new(path), what)
}

/// Reads what may be so damaged that the database panics.
pub(super) fn caught<T>(path: &str, read: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let read = catch_unwind(AssertUnwindSafe(read));
    read.unwrap_or_else(|_| Err(damaged(path, "reading it panics")))
}

pub(super) fn open_database(path: &Path, name: &str) -> Result<sled::Db, Error> {
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        let config = sled::Config::new()
            .path(path)
            .mode(sled::Mode::HighThroughput)
            .cache_capacity(CACHE_BYTES)
            .flush_every_ms(None);
        match sled_opening::open(&config, path) {
            Ok(database) => return Ok(database),
            Err(sled_opening::Failure::Held) => {
                if Instant::now() > deadline {
                    let problem = "another process holds it: stop it first".to_owned();
                    return Err(Error::Unusable {
                        path: name.to_owned(),
                        problem,
                    });
                }
                std::thread::park_timeout(LOCK_RETRY);
            }
            Err(sled_opening::Failure::Refused(error)) => return Err(failed(path, error)),
            Err(sled_opening::Failure::Unusable(problem)) => return Err(damaged(name, &problem)),
        }
    }
}

/// Reads all of a log: that nothing is missing, and that every checksum is right. `durable` batches were acknowledged.
pub(super) fn check(
    database: &sled::Db,
    partitions: u32,
    durable: u64,
    name: &str,
) -> Result<Former, Error> {
    let Some(meta) = database.get(META_KEY)? else {
        return Err(damaged(name, "its identity is missing"));
    };
    let meta = check_meta(&meta, partitions, name)?;
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
    Ok(Former { meta, ends })
}

/// The format and the identity of a log that this version can read.
fn check_meta(bytes: &[u8], partitions: u32, name: &str) -> Result<Meta, Error> {
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
    Ok(meta)
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
