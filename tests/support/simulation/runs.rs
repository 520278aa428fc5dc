//! Schedules one after the other, on all cores.

use std::collections::BTreeSet;
use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use tempfile::TempDir;

use super::Bug;
use super::Hits;
use super::Kind;
use super::schedule;

/// What schedules found.
#[derive(Debug, Default)]
pub struct Found {
    pub hits: Hits,
    /// The seeds of those that found something, and what.
    pub failed: Vec<(u64, String)>,
}

/// Which schedules run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    All,
    /// None begins once one has found something.
    UntilFound,
}

/// A schedule syncs often: in memory where there is such a place.
fn directory() -> TempDir {
    let in_memory = Path::new("/dev/shm");
    if in_memory.is_dir() {
        tempfile::tempdir_in(in_memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

/// Everything that may happen.
pub fn every_kind() -> BTreeSet<Kind> {
    Kind::ALL.into_iter().collect()
}

/// One schedule; what it found, if it found something.
pub fn run(seed: u64, enabled: &BTreeSet<Kind>, bug: Option<Bug>) -> Result<Hits, String> {
    let directory = directory();
    let root = directory.path();
    let run = catch_unwind(AssertUnwindSafe(|| schedule::run(seed, enabled, bug, root)));
    run.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| Some((*panic.downcast_ref::<&str>()?).to_owned()));
        let text = text.unwrap_or_default();
        let first = text.lines().next().unwrap_or_default();
        first.chars().take(120).collect()
    })
}

/// Runs schedules; `noted` hears of each that found something.
pub fn run_all(
    seeds: Range<u64>,
    enabled: &BTreeSet<Kind>,
    extent: Extent,
    noted: fn(u64, &str),
) -> Found {
    let next = AtomicU64::new(seeds.start);
    let found = Mutex::new(Found::default());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let has_failed = !found.lock().unwrap().failed.is_empty();
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || (has_failed && extent == Extent::UntilFound) {
                        return;
                    }
                    match run(seed, enabled, None) {
                        Ok(hits) => found.lock().unwrap().hits.add(&hits),
                        Err(what) => {
                            noted(seed, &what);
                            found.lock().unwrap().failed.push((seed, what));
                        }
                    }
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap();
    found.failed.sort_unstable();
    found
}
