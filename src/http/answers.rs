//! Counts requests and answers, and bounds the bytes of answers that are not sent yet.

use std::sync::Arc;

use axum::body::Body;
use axum::body::HttpBody;
use axum::body::to_bytes;
use axum::extract::MatchedPath;
use axum::extract::Request;
use axum::extract::State;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::response::Response;

use crate::http::budget::Budget;
use crate::http::budget::counted;
use crate::http::meter::Meter;
use crate::http::meter::Refused;
use crate::http::problem::Problem;

/// Smaller answers are not counted: there are at most as many as connections.
const SMALL_BYTES: u64 = 4096;

/// A request in progress.
struct Progress<'a>(&'a dyn Meter);

impl<'a> Progress<'a> {
    fn new(meter: &'a dyn Meter) -> Self {
        meter.requests_changed(1);
        Self(meter)
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        self.0.requests_changed(-1);
    }
}

pub(super) async fn count(
    State(meter): State<Arc<dyn Meter>>,
    request: Request,
    next: Next,
) -> Response {
    let progress = Progress::new(meter.as_ref());
    let path = request.extensions().get::<MatchedPath>().cloned();
    let answer = next.run(request).await;
    drop(progress);
    let class = match answer.status().as_u16() / 100 {
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    };
    meter.answered(path.as_ref().map_or("other", MatchedPath::as_str), class);
    if let Some(reason) = answer.extensions().get::<Refused>() {
        meter.refused(*reason);
    }
    answer
}

pub(super) async fn bound(
    State(budget): State<Budget>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let answer = next.run(request).await;
    // Every answer is whole when it gets here.
    let bytes = answer.body().size_hint().upper().unwrap_or(u64::MAX);
    if bytes <= SMALL_BYTES {
        return Ok(answer);
    }
    let mut held = budget.empty();
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    if !held.grow(bytes) {
        let detail =
            "answers that clients have not read hold http.answers_bytes_max: try again later";
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail);
        return Err(problem.because(Refused::Answers));
    }
    let (parts, body) = answer.into_parts();
    let whole = to_bytes(body, bytes)
        .await
        .map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok((parts, Body::from(counted(whole, held))).into_response())
}
