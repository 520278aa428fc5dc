//! A store that is found damaged after it was verified: the next one that opens it makes it anew.

use crate::codec::CodecError;
use crate::store::Error;
use crate::store::exchange::BuildError;
use crate::store::exchange::DISTRUSTED_FILE;
use crate::store::exchange::DatabaseError;
use crate::store::partition::PartitionStore;

impl PartitionStore {
    /// Marks it as damaged.
    pub(super) fn distrust(&self) {
        // The error itself is reported. Without the mark the next process may meet it again.
        let _marked = std::fs::write(self.path.join(DISTRUSTED_FILE), []);
    }

    /// An entry cannot be read, of which something is on disk or nothing.
    pub(super) fn entry_error(&self, source: CodecError, is_stored: bool) -> Error {
        if is_stored {
            self.distrust();
        }
        Error::Record {
            path: self.path.clone(),
            source,
        }
    }

    pub(super) fn database_error(&self, source: DatabaseError) -> Error {
        if source.is_damage() {
            self.distrust();
        }
        Error::of_database(self.path.clone(), source)
    }

    pub(super) fn build_error(&self, error: BuildError) -> Error {
        match error {
            BuildError::Database(source) => self.database_error(source),
            BuildError::Content(source) => self.entry_error(source, true),
        }
    }
}
