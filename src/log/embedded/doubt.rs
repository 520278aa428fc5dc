//! Whether what is on disk is as it should be. All directories of a log share one doubt.

use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::log::Error;
use crate::log::embedded::errors::unusable;

/// The error since which nothing is written and nothing is removed any more.
#[derive(Clone, Debug, Default)]
pub(super) struct Doubt(Arc<Mutex<Option<String>>>);

impl Doubt {
    /// Doubts from now on.
    pub(super) fn raise(&self, error: &Error) {
        let mut doubt = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        doubt.get_or_insert_with(|| error.to_string());
    }

    /// Doubts if this is an error.
    pub(super) fn or_raise<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        if let Err(error) = &result {
            self.raise(error);
        }
        result
    }

    /// An error where there is a doubt.
    pub(super) fn check(&self, path: &Path) -> Result<(), Error> {
        let doubt = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(error) = &*doubt else { return Ok(()) };
        let problem = format!("nothing more is written to it after an error: {error}");
        Err(unusable(path, &problem))
    }
}
