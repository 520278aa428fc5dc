//! What a log is: its format, its lineage, and the directories that it has.

use std::path::Path;

use serde::Deserialize;
use serde::Serialize;

use crate::log::Error;
use crate::log::embedded::errors::damaged;
use crate::log::embedded::errors::failed;
use crate::log::embedded::errors::unusable;
use crate::log::embedded::options::LogOptions;
use crate::log::embedded::retention::replace_file;

pub(super) const INPUT: &str = "input";
pub(super) const CHANGES: &str = "changes";
pub(super) const STATE: &str = "state";

/// Format of the log: 1 and 2 were sled databases.
const FORMAT: u8 = 3;
const IDENTITY: &str = "identity";

/// Identity of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    pub(super) partitions: u32,
    pub(super) lineage: String,
}

impl Identity {
    /// Refuses a log of another partition count than that of the settings.
    pub(super) fn check(&self, path: &Path, options: &LogOptions) -> Result<(), Error> {
        if self.partitions == options.partitions {
            return Ok(());
        }
        let problem = format!(
            "it has {} partitions, and embedded.partitions is {}: set it to {}",
            self.partitions, options.partitions, self.partitions
        );
        Err(unusable(path, &problem))
    }
}

/// Writes what a log is: its format, a checksum of all the rest, and the identity. Every later format begins so.
pub(super) fn write_identity(root: &Path, identity: &Identity) -> Result<(), Error> {
    let content = postcard::to_allocvec(identity);
    let content = content.map_err(|_| unusable(root, "its identity cannot be encoded"))?;
    let mut bytes = vec![FORMAT];
    bytes.extend(identity_checksum(FORMAT, &content).to_le_bytes());
    bytes.extend(content);
    replace_file(root, IDENTITY, &bytes)
}

/// Reads what a log is.
pub(super) fn read_identity(root: &Path) -> Result<Identity, Error> {
    let path = root.join(IDENTITY);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(damaged(&path, "it is missing"));
        }
        Err(error) => return Err(failed(&path, error)),
    };
    let parts = bytes.split_first();
    let parts = parts.and_then(|(format, rest)| Some((*format, rest.split_first_chunk::<4>()?)));
    let whole = parts.filter(|(format, (checksum, content))| {
        u32::from_le_bytes(**checksum) == identity_checksum(*format, content)
    });
    let (format, (_, content)) = whole.ok_or_else(|| damaged(&path, "it is damaged"))?;
    if format != FORMAT {
        let problem = format!("it is of format {format}, and this version reads {FORMAT}");
        return Err(unusable(root, &problem));
    }
    postcard::from_bytes(content).map_err(|_| damaged(&path, "it is damaged"))
}

fn identity_checksum(format: u8, content: &[u8]) -> u32 {
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&[format]);
    checksum.update(content);
    checksum.finalize()
}
