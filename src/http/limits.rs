//! The limits of a request. Health and metrics are not limited, so that they answer under load too.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::extract::State;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;

use crate::http::bodies::HeldBody;
use crate::http::meter::Refused;
use crate::http::problem::Problem;

/// A slot of the limit of requests. Work outside the runtime may outlive a request that timed out, so the
/// work holds the slot itself.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    /// Given back when the last clone is dropped.
    _permit: Arc<OwnedSemaphorePermit>,
    /// The body stays in memory as long as the work on it.
    _body: Option<Arc<HeldBody>>,
}

/// Runs work that may block, away from the runtime's threads.
pub(super) async fn blocking<T: Send + 'static>(
    slot: Slot,
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, Problem> {
    let failed = |detail: String| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail);
    let done = tokio::task::spawn_blocking(move || {
        let outcome = work();
        drop(slot);
        outcome
    });
    done.await
        .map_err(|_| failed("the work ended unexpectedly".to_owned()))?
        .map_err(failed)
}

pub(super) async fn admit(
    State(slots): State<Arc<Semaphore>>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let Ok(permit) = slots.try_acquire_owned() else {
        let detail = "too many requests are in progress: try again later";
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail);
        return Err(problem.because(Refused::Requests));
    };
    let slot = Slot {
        _body: request.extensions_mut().remove(),
        _permit: Arc::new(permit),
    };
    request.extensions_mut().insert(slot);
    Ok(next.run(request).await)
}

pub(super) async fn within_time(
    State(timeout): State<Duration>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let answer = tokio::time::timeout(timeout, next.run(request)).await;
    answer.map_err(|_| {
        let detail = format!(
            "no answer within http.request_timeout ({timeout:?}); events may have been accepted, \
             sending them again with the same event_id is safe"
        );
        Problem::new(StatusCode::REQUEST_TIMEOUT, detail).because(Refused::RequestTimeout)
    })
}
