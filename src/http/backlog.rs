//! Refuses events while the state is not open yet, or the log has too many that are not processed.

use std::sync::Arc;

use axum::http::StatusCode;

use crate::http::EventIntake;
use crate::http::meter::Refused;
use crate::http::problem::Problem;

/// Seconds after which a client may try again.
const RETRY_AFTER_SECONDS: u16 = 5;

/// The log, and how many events may wait in it.
#[derive(Clone)]
pub(super) struct Backlog {
    pub(super) intake: Option<Arc<dyn EventIntake>>,
    pub(super) events_max: u64,
}

impl Backlog {
    /// # Errors
    /// If the state is not open, or more events wait than may.
    pub(super) fn check(&self) -> Result<(), Problem> {
        let Some(intake) = &self.intake else {
            return Ok(());
        };
        if !intake.is_open() {
            let detail = "partitions are being restored: nothing was accepted, try again later";
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail));
        }
        let waiting = intake.backlog();
        if waiting <= self.events_max {
            return Ok(());
        }
        let detail = format!(
            "{waiting} events wait to be processed, allowed by http.backlog_events_max are {}: nothing was accepted, \
             try again later",
            self.events_max
        );
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, detail);
        Err(problem
            .because(Refused::Backlog)
            .retry_after(RETRY_AFTER_SECONDS))
    }
}
