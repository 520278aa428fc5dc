//! Named crash points at every step boundary of the shell, so that tests can stop the process there.
//!
//! In production the plan is empty and a crossing costs one comparison. A test's plan decides each
//! crossing: continue, crash (everything in memory is lost), or, at a commit, report an unknown
//! outcome.

use std::fmt;
use std::sync::Arc;

/// A place between two steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FaultPoint {
    /// An input batch is about to be written to the embedded log.
    AppendBefore,
    /// It is written but not flushed.
    AppendBeforeFlush,
    /// It is flushed but not acknowledged.
    AppendAfterFlush,
    /// Deliveries were polled, none is folded.
    Polled,
    /// A delivery was folded and staged.
    Staged,
    /// The transaction is complete and about to be committed.
    CommitBefore,
    /// It is written but not flushed.
    CommitBeforeFlush,
    /// It is durable but the worker does not know that.
    CommitAfterFlush,
    /// The worker knows of the commit and has not applied it to the store.
    Committed,
    /// The committed records are in the store's memory.
    Applied,
    /// A batch is about to be written to the store.
    StoreBefore,
    /// It is written but not flushed.
    StoreBeforeFlush,
    /// It is flushed.
    StoreAfterFlush,
    /// A chunk of the changelog was restored.
    Restored,
}

impl FaultPoint {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::AppendBefore,
        Self::AppendBeforeFlush,
        Self::AppendAfterFlush,
        Self::Polled,
        Self::Staged,
        Self::CommitBefore,
        Self::CommitBeforeFlush,
        Self::CommitAfterFlush,
        Self::Committed,
        Self::Applied,
        Self::StoreBefore,
        Self::StoreBeforeFlush,
        Self::StoreAfterFlush,
        Self::Restored,
    ];
}

/// What happens at a crossing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing.
    Continue,
    /// The process ends.
    Crash,
    /// The call fails and leaves open whether it took effect; only commits may fail so.
    Unknown,
}

/// The process "died" at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("injected fault at {point:?}")]
pub struct Fault {
    /// Where.
    pub point: FaultPoint,
    /// Whether only the outcome is unknown.
    pub is_unknown_outcome: bool,
}

type Plan = dyn Fn(FaultPoint) -> Decision + Send + Sync;

/// What happens at each crossing; nothing by default.
#[derive(Clone, Default)]
pub struct Faults(Option<Arc<Plan>>);

impl Faults {
    /// No faults.
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }

    /// Asks a plan at each crossing.
    #[must_use]
    pub fn planned(plan: impl Fn(FaultPoint) -> Decision + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(plan)))
    }

    /// Crosses a point.
    ///
    /// # Errors
    /// If the plan has a fault at this point.
    pub fn cross(&self, point: FaultPoint) -> Result<(), Fault> {
        let decision = self
            .0
            .as_ref()
            .map_or(Decision::Continue, |plan| plan(point));
        match decision {
            Decision::Continue => Ok(()),
            Decision::Crash => Err(Fault {
                point,
                is_unknown_outcome: false,
            }),
            Decision::Unknown => Err(Fault {
                point,
                is_unknown_outcome: true,
            }),
        }
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.0.is_some() {
            "Faults(planned)"
        } else {
            "Faults(none)"
        })
    }
}
