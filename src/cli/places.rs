//! Whether the directories of the embedded log and its store belong together. Nothing is opened and nothing is written.

use std::path::Path;

use crate::cli::exit::CallError;
use crate::config::settings::Settings;
use crate::disk::real;
use crate::log::embedded::EmbeddedLog;
use crate::store;
use crate::store::directory::StoreDirectory;

/// Refuses a store whose log is not there: the service would make a new log, and the store, which may be the last copy of
/// the state, would be removed as that of another log.
///
/// # Errors
/// If the two directories are one or within each other, if something else is in one of them, or if the log is missing.
pub(super) fn check(settings: &Settings) -> anyhow::Result<()> {
    let (store, log) = (&settings.store.directory, &settings.embedded.directory);
    let is_there = EmbeddedLog::is_there(log)?;
    let (real_store, real_log) = (real(store), real(log));
    let is_within = |inner: &Path, outer: &Path| inner.starts_with(outer);
    // A log that is there keeps its own names apart from that of the store.
    if is_within(&real_log, &real_store) || (!is_there && is_within(&real_store, &real_log)) {
        let (store, log) = (store.display(), log.display());
        return Err(CallError(format!(
            "store.directory {store} and embedded.directory {log} must be two directories, neither within the other"
        ))
        .into());
    }
    if !is_there && StoreDirectory::has_state(store)? {
        return Err(store::Error::WithoutLog {
            store: store.clone(),
            log: log.clone(),
        }
        .into());
    }
    Ok(())
}
