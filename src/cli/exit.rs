//! Exit codes, and which error means which.

use crate::bus;
use crate::dataset;
use crate::engine::policy::LedgerTooShort;
use crate::model::kmeans;
use crate::model::training;
use crate::model_files;
use crate::pipeline;
use crate::store;

/// The exit codes of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitCode {
    /// The work failed.
    Failed = 1,
    /// The call or the settings are wrong.
    Call = 2,
    /// The data is wrong.
    Data = 3,
    /// The surroundings are wrong.
    Surroundings = 4,
}

/// The call or the settings are wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CallError(pub String);

/// The work failed, for a reason that needs no cause.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failed(pub String);

/// The code of an error: the first of its causes that decides.
#[must_use]
pub fn code_of(error: &anyhow::Error) -> ExitCode {
    error
        .chain()
        .find_map(code_of_cause)
        .unwrap_or(ExitCode::Failed)
}

fn code_of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<ExitCode> {
    if cause.is::<CallError>() || cause.is::<LedgerTooShort>() {
        return Some(ExitCode::Call);
    }
    if cause.is::<dataset::Error>()
        || cause.is::<training::Error>()
        || cause.is::<kmeans::Error>()
        || cause.is::<model_files::Error>()
    {
        return Some(ExitCode::Data);
    }
    if let Some(bus::Error::Unusable { .. }) = cause.downcast_ref() {
        return Some(ExitCode::Surroundings);
    }
    if let Some(store::Error::Held { .. }) = cause.downcast_ref() {
        return Some(ExitCode::Surroundings);
    }
    match cause.downcast_ref() {
        Some(
            pipeline::Error::OtherModel { .. }
            | pipeline::Error::OffsetWithoutCheckpoint { .. }
            | pipeline::Error::InputOutOfRange { .. },
        ) => Some(ExitCode::Surroundings),
        Some(_) | None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_error_has_its_code() {
        let empty = dataset::Error::Empty { path: "x".into() };
        let held = pipeline::Error::from(store::Error::Held { path: "x".into() });
        for (error, code) in [
            (
                anyhow::Error::from(CallError("x".to_owned())),
                ExitCode::Call,
            ),
            (
                anyhow::Error::from(empty).context("reading"),
                ExitCode::Data,
            ),
            (anyhow::Error::from(held), ExitCode::Surroundings),
            (
                anyhow::Error::from(Failed("x".to_owned())),
                ExitCode::Failed,
            ),
        ] {
            assert_eq!(code_of(&error), code, "{error:#}");
        }
    }
}
