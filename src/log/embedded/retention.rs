//! Removing what was kept long enough: whole segments, from the first one on.

use std::path::Path;
use std::time::Duration;
use std::time::SystemTime;

use crate::log::Error;
use crate::log::embedded::acknowledged::number_bytes;
use crate::log::embedded::acknowledged::read_number;
use crate::log::embedded::base::Offsets;
use crate::log::embedded::errors::damaged;
use crate::log::embedded::errors::failed;
use crate::log::embedded::names::unfinished;
use crate::log::embedded::segments::SegmentLog;
use crate::log::embedded::segments::sync_directory;

/// Says which segment is the first one that must be there.
const NAME: &str = "first";

/// The number of the first segment that a directory must have.
pub(super) fn first_kept(directory: &Path) -> Result<u64, Error> {
    let path = directory.join(NAME);
    match std::fs::read(&path) {
        Ok(bytes) => read_number(&bytes).ok_or_else(|| damaged(&path, "it is damaged")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(1),
        Err(error) => Err(failed(&path, error)),
    }
}

/// Removes the complete segments that were written to for the last time longer than `kept` before `now`, as long as all
/// they hold is below `needed_from`. The number of bytes that it removed.
pub(super) fn remove_old(
    log: &SegmentLog,
    kept: Duration,
    now: SystemTime,
    needed_from: Option<&Offsets>,
) -> Result<u64, Error> {
    log.doubt.check(&log.directory)?;
    let segments = log.segments();
    let mut removed = Vec::new();
    for (segment, next) in segments.iter().zip(segments.iter().skip(1)) {
        let is_old = now
            .duration_since(segment.modified()?)
            .is_ok_and(|age| age > kept);
        let mut ends = next.base.ends.iter();
        let is_needed = needed_from.is_some_and(|needed_from| {
            ends.any(|(stream, end)| needed_from.get(stream).is_none_or(|from| from < end))
        });
        if !is_old || is_needed {
            break;
        }
        removed.push(segment);
    }
    let Some(last) = removed.last() else {
        return Ok(0);
    };
    // If the process dies after this, the next opening removes the rest.
    let first = last.span.last + 1;
    replace_file(&log.directory, NAME, &number_bytes(first))?;
    log.forget_before(first);
    for segment in &removed {
        let path = &segment.path;
        std::fs::remove_file(path).map_err(|source| failed(path, source))?;
    }
    sync_directory(&log.directory)?;
    Ok(removed.iter().map(|segment| segment.bytes()).sum())
}

/// Writes a small file in the place of an earlier one, at once.
pub(super) fn replace_file(directory: &Path, name: &str, bytes: &[u8]) -> Result<(), Error> {
    let path = directory.join(name);
    let new = unfinished(&path);
    let written = std::fs::write(&new, bytes);
    if written.is_err() {
        // It may have taken the room that is missing. What has failed is reported.
        let _removed = std::fs::remove_file(&new);
    }
    written.map_err(|source| failed(&new, source))?;
    let synced = std::fs::File::open(&new).and_then(|file| file.sync_all());
    synced.map_err(|source| failed(&new, source))?;
    std::fs::rename(&new, &path).map_err(|source| failed(&path, source))?;
    sync_directory(directory)
}
