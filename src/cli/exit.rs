//! Exit codes, and the errors that each stands for.

use std::collections::BTreeMap;
use std::io;

use crate::dataset;
use crate::dataset::ColumnError;
use crate::engine::policy::LedgerTooShort;
use crate::learn::churn::cohort::NotCovered;
use crate::learn::churn::fit::FitError;
use crate::learn::kmeans;
use crate::learn::training;
use crate::log;
use crate::model_files;
use crate::pipeline;
use crate::store;

/// The exit codes of docs/COMMAND_LINE.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitCode {
    /// The work failed.
    Failed = 1,
    /// The call or the settings are wrong.
    Call = 2,
    /// The data is wrong.
    Data = 3,
    /// The environment is wrong: the broker, the topics, rights, or the log and the store.
    Environment = 4,
    /// Another process has taken over this instance's id.
    Fenced = 5,
}

/// The call or the settings are wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CallError(pub String);

/// The work failed; the text is the whole reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failed(pub String);

/// What a command is to read is not there; the text says what.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotThere(pub String);

/// Data that a command was to use is wrong; the text says which.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WrongData(pub String);

/// The settings are right, and a file that they name may not be read; the text says which.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoRights(pub String);

/// More rows of a file were rejected than may be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{file}: {} rejected ({}), and --max-rejected allows {max}; {others}{first}",
    rows_were(*rejected),
    list(reasons)
)]
pub struct TooManyRejected {
    /// The file.
    pub file: String,
    /// How many.
    pub rejected: u64,
    /// How many for each reason.
    pub reasons: BTreeMap<String, u64>,
    /// How many may be.
    pub max: u64,
    /// What became of the other rows.
    pub others: &'static str,
    /// What is wrong with the first row that is no event, after a semicolon; empty where there is none.
    pub first: String,
}

fn rows_were(count: u64) -> String {
    if count == 1 {
        "1 row was".to_owned()
    } else {
        format!("{count} rows were")
    }
}

fn list(reasons: &BTreeMap<String, u64>) -> String {
    let each = reasons
        .iter()
        .map(|(reason, count)| format!("{reason} {count}"));
    each.collect::<Vec<_>>().join(", ")
}

/// The topics are not as the service needs them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the topics are wrong:\n  {}", .0.join("\n  "))]
pub struct WrongTopics(pub Vec<String>);

/// The exit code of an error: that of its first cause that has one.
#[must_use]
pub fn code_of(error: &anyhow::Error) -> ExitCode {
    if error.chain().any(is_of_surroundings) {
        return ExitCode::Environment;
    }
    error
        .chain()
        .find_map(code_of_cause)
        .unwrap_or(ExitCode::Failed)
}

/// The error of the system that a cause is or holds.
fn io_kind(cause: &(dyn std::error::Error + 'static)) -> Option<io::ErrorKind> {
    let io = cause.downcast_ref::<io::Error>().map(io::Error::kind);
    let json = cause.downcast_ref::<serde_json::Error>();
    let csv = cause.downcast_ref::<csv::Error>().map(csv::Error::kind);
    io.or_else(|| json.and_then(serde_json::Error::io_error_kind))
        .or_else(|| match csv {
            Some(csv::ErrorKind::Io(io)) => Some(io.kind()),
            Some(_) | None => None,
        })
}

/// The machine refuses what the call, the settings and the data are right for: rights, a disk that is full or that may only
/// be read, or an address that is in use or another machine's.
fn is_of_surroundings(cause: &(dyn std::error::Error + 'static)) -> bool {
    io_kind(cause).is_some_and(|kind| {
        matches!(
            kind,
            io::ErrorKind::PermissionDenied
                | io::ErrorKind::ReadOnlyFilesystem
                | io::ErrorKind::StorageFull
                | io::ErrorKind::QuotaExceeded
                | io::ErrorKind::AddrInUse
                | io::ErrorKind::AddrNotAvailable
        )
    })
}

/// Whether the work ended because the reader of its output closed it.
#[must_use]
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let mut causes = error.chain();
    causes.any(|cause| io_kind(cause) == Some(io::ErrorKind::BrokenPipe))
}

/// What is wrong with a file because of the call.
fn is_of_call(error: &dataset::Error) -> bool {
    matches!(
        error,
        dataset::Error::NoTime { .. }
            | dataset::Error::OtherKind { .. }
            | dataset::Error::Column(
                ColumnError::UnknownName { .. }
                    | ColumnError::OrderIdsThere { .. }
                    | ColumnError::ColumnTaken { .. }
                    | ColumnError::TwoColumns { .. }
                    | ColumnError::AttributeOfFeature { .. }
            )
    )
}

fn code_of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<ExitCode> {
    if cause.is::<CallError>() || cause.is::<LedgerTooShort>() {
        return Some(ExitCode::Call);
    }
    if cause.downcast_ref().is_some_and(is_of_call) {
        return Some(ExitCode::Call);
    }
    // The temporary directory is no part of the data.
    if let Some(dataset::Error::Spool { .. }) = cause.downcast_ref() {
        return Some(ExitCode::Environment);
    }
    if cause.is::<WrongData>()
        || cause.is::<dataset::Error>()
        || cause.is::<training::Error>()
        || cause.is::<kmeans::Error>()
        || cause.is::<FitError>()
        || cause.is::<NotCovered>()
        || cause.is::<model_files::Error>()
        || cause.is::<TooManyRejected>()
    {
        return Some(ExitCode::Data);
    }
    if cause.is::<WrongTopics>() || cause.is::<NotThere>() || cause.is::<NoRights>() {
        return Some(ExitCode::Environment);
    }
    if let Some(log::Error::Fenced) = cause.downcast_ref() {
        return Some(ExitCode::Fenced);
    }
    if let Some(log::Error::Unusable { .. } | log::Error::Full { .. }) = cause.downcast_ref() {
        return Some(ExitCode::Environment);
    }
    if let Some(
        store::Error::Held { .. }
        | store::Error::Untrusted { .. }
        | store::Error::NotAStore { .. }
        | store::Error::OtherLog { .. }
        | store::Error::WithoutLog { .. }
        | store::Error::Full { .. },
    ) = cause.downcast_ref()
    {
        return Some(ExitCode::Environment);
    }
    match cause.downcast_ref() {
        Some(pipeline::Error::ClockBeyond { .. }) => Some(ExitCode::Call),
        Some(
            pipeline::Error::OtherDefinition { .. }
            | pipeline::Error::OffsetWithoutCheckpoint { .. }
            | pipeline::Error::IncompleteChangelog { .. }
            | pipeline::Error::SourceOutOfRange { .. }
            | pipeline::Error::OtherSource { .. }
            | pipeline::Error::Refused { .. }
            | pipeline::Error::WallClock { .. },
        ) => Some(ExitCode::Environment),
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
            (anyhow::Error::from(held), ExitCode::Environment),
            (
                anyhow::Error::from(pipeline::Error::from(log::Error::Full {
                    path: "x".to_owned(),
                    source: io::ErrorKind::StorageFull.into(),
                })),
                ExitCode::Environment,
            ),
            (
                anyhow::Error::from(store::Error::Full {
                    path: "x".into(),
                    source: io::Error::from(io::ErrorKind::QuotaExceeded).into(),
                })
                .context("reading"),
                ExitCode::Environment,
            ),
            (
                anyhow::Error::from(Failed("x".to_owned())),
                ExitCode::Failed,
            ),
            (
                anyhow::Error::from(dataset::Error::Io {
                    path: "x".into(),
                    source: io::ErrorKind::PermissionDenied.into(),
                }),
                ExitCode::Environment,
            ),
            (
                anyhow::Error::from(io::Error::from(io::ErrorKind::AddrInUse)).context("listening"),
                ExitCode::Environment,
            ),
            (
                serde_json::Error::io(io::ErrorKind::ReadOnlyFilesystem.into()).into(),
                ExitCode::Environment,
            ),
            (
                anyhow::Error::from(io::Error::from(io::ErrorKind::NotFound)),
                ExitCode::Failed,
            ),
        ] {
            assert_eq!(code_of(&error), code, "{error:#}");
        }
    }

    #[test]
    fn only_a_closed_output_is_a_broken_pipe() {
        let closed = || io::Error::from(io::ErrorKind::BrokenPipe);
        let full = io::Error::from(io::ErrorKind::StorageFull);
        for (error, expected) in [
            (anyhow::Error::from(closed()).context("writing"), true),
            (serde_json::Error::io(closed()).into(), true),
            (csv::Error::from(closed()).into(), true),
            (full.into(), false),
            (Failed("x".to_owned()).into(), false),
        ] {
            assert_eq!(is_broken_pipe(&error), expected, "{error:#}");
        }
    }
}
