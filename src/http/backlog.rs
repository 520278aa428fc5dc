//! Refuses events while the log has too many that are not processed, before anything is read of them.

use std::sync::Arc;

use axum::extract::Request;
use axum::extract::State;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;

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

pub(super) async fn refuse_beyond(
    State(backlog): State<Backlog>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let waiting = backlog.intake.as_ref().map_or(0, |intake| intake.backlog());
    if waiting <= backlog.events_max {
        return Ok(next.run(request).await);
    }
    let detail = format!(
        "{waiting} events wait to be processed, allowed by http.backlog_events_max are {}: nothing was accepted, \
         try again later",
        backlog.events_max
    );
    let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, detail);
    Err(problem
        .because(Refused::Backlog)
        .retry_after(RETRY_AFTER_SECONDS))
}
