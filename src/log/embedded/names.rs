//! Names of the files of a log.

use std::path::Path;
use std::path::PathBuf;

const EXTENSION: &str = "segment";
/// The extension of a file that is to take the place of another one once it is whole.
pub(super) const UNFINISHED: &str = "new";

/// Which segments a file stands for: one, or several that were compacted into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    pub(super) first: u64,
    pub(super) last: u64,
}

impl Span {
    pub(super) fn one(number: u64) -> Self {
        Self {
            first: number,
            last: number,
        }
    }

    pub(super) fn file_name(self) -> String {
        format!("{:012}-{:012}.{EXTENSION}", self.first, self.last)
    }

    /// `None` if this is no name of a segment.
    pub(super) fn of_file(path: &Path) -> Option<Self> {
        if path.extension()? != EXTENSION {
            return None;
        }
        let (first, last) = path.file_stem()?.to_str()?.split_once('-')?;
        Some(Self {
            first: first.parse().ok()?,
            last: last.parse().ok()?,
        })
    }
}

/// Where a file is written that is to take the place of another one.
pub(super) fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(UNFINISHED);
    PathBuf::from(name)
}
