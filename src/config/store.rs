//! Settings of the store.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::reader::Reader;
use crate::config::reader::small;
use crate::config::units::DAY;

/// The database of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// sled.
    Sled,
    /// The merge tree of fjall.
    Fjall,
}

/// The store.
#[derive(Clone, Debug)]
pub struct Store {
    /// Its database.
    pub engine: Engine,
    /// Its directory.
    pub directory: PathBuf,
    /// Memory for clean records and pages, in total.
    pub cache_bytes: u64,
    /// Dirty records reach the disk after this time.
    pub flush_interval: Duration,
    /// The same after this many records.
    pub flush_records: usize,
    /// The same after this much memory.
    pub flush_bytes: usize,
    /// Pages that are written at once.
    pub flush_pages: usize,
}

pub(super) fn store(reader: &mut Reader) -> Option<Store> {
    let engines = [("fjall", Engine::Fjall), ("sled", Engine::Sled)];
    let engine = reader.one_of("store.engine", &engines);
    let directory = reader.name("store.directory").map(PathBuf::from);
    let cache_bytes = reader.bytes("store.cache_bytes", 1 << 20);
    let flush_interval = reader.duration("store.flush_interval", Duration::ZERO, DAY);
    let flush_records = reader
        .integer("store.flush_records", 0, u64::MAX)
        .and_then(small);
    let flush_bytes = reader.bytes("store.flush_bytes", 1).and_then(small);
    let flush_pages = reader
        .integer("store.flush_pages", 1, 100_000)
        .and_then(small);
    Some(Store {
        engine: engine?,
        directory: directory?,
        cache_bytes: cache_bytes?,
        flush_interval: flush_interval?,
        flush_records: flush_records?,
        flush_bytes: flush_bytes?,
        flush_pages: flush_pages?,
    })
}
