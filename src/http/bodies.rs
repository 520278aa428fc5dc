//! Reads the body of a request, within its time and the bytes that all bodies may hold, before anything is done with
//! it.

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use axum::body::Body;
use axum::body::Bytes;
use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header;
use axum::middleware::Next;
use axum::response::Response;
use http_body_util::BodyExt;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;

use crate::http::backlog::Backlog;
use crate::http::budget::Budget;
use crate::http::budget::Held;
use crate::http::connections::Connection;
use crate::http::connections::Phase;
use crate::http::meter::Refused;
use crate::http::problem::Problem;

/// What a line takes beside its bytes while it is checked and appended, at most: the sentence of a refused one.
const LINE_BYTES: usize = 512;
const KIB: usize = 1024;

/// Work that takes memory: so much of it at a time as the permits allow, one for each KiB.
#[derive(Clone, Debug)]
pub(super) struct Workspace {
    permits: Arc<Semaphore>,
    kib: usize,
}

impl Workspace {
    pub(super) fn new(bytes: usize) -> Self {
        let kib = (bytes / KIB).clamp(1, Semaphore::MAX_PERMITS);
        Self {
            permits: Arc::new(Semaphore::new(kib)),
            kib,
        }
    }

    /// Waits until so much may be used; what takes more than all of it has all of it for itself.
    pub(super) async fn enter(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let kib = (bytes / KIB + 1).min(self.kib);
        let permits = Arc::clone(&self.permits).acquire_many_owned(u32::try_from(kib).ok()?);
        permits.await.ok()
    }
}

/// How bodies are read.
#[derive(Clone)]
pub(super) struct Reading {
    pub(super) backlog: Backlog,
    pub(super) bytes_max: usize,
    pub(super) lines_max: usize,
    pub(super) timeout: Duration,
    pub(super) budget: Budget,
    pub(super) workspace: Workspace,
}

/// What a body holds until the work on it has ended.
#[derive(Debug)]
pub(super) struct HeldBody {
    _held: Held,
    _workspace: Option<OwnedSemaphorePermit>,
}

pub(super) async fn receive(
    State(reading): State<Reading>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let (mut parts, mut body) = request.into_parts();
    let connection = parts.extensions.get::<Arc<Connection>>().cloned();
    let enter = |phase| {
        if let Some(connection) = &connection {
            connection.enter(phase);
        }
    };
    enter(Phase::Body);
    let began = Instant::now();
    let read = tokio::time::timeout(reading.timeout, read(&reading, &parts.headers, &mut body));
    let read = read.await.unwrap_or_else(|_| Err(late(reading.timeout)));
    if read.is_err() && !parts.headers.contains_key(header::EXPECT) {
        let left = reading.timeout.saturating_sub(began.elapsed());
        let discarded = discard(&mut body, reading.bytes_max.saturating_mul(2));
        // A client that is too slow for that loses its answer.
        tokio::time::timeout(left, discarded).await.unwrap_or(());
    }
    enter(Phase::Work);
    let (bytes, held) = read?;
    // Again, as a body may take long.
    reading.backlog.check()?;
    let lines = lines_up_to(&bytes, reading.lines_max);
    if lines > reading.lines_max {
        let detail = format!(
            "the body has more lines than http.body_lines_max ({}), send fewer events at a time",
            reading.lines_max
        );
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail).because(Refused::BodyLines));
    }
    let bytes_of_work = bytes.len() + lines * LINE_BYTES;
    parts.extensions.insert(Arc::new(HeldBody {
        _held: held,
        _workspace: reading.workspace.enter(bytes_of_work).await,
    }));
    Ok(next
        .run(Request::from_parts(parts, Body::from(bytes)))
        .await)
}

fn late(timeout: Duration) -> Problem {
    let detail = format!(
        "the body did not arrive within http.body_timeout ({timeout:?}); nothing was accepted"
    );
    Problem::new(StatusCode::REQUEST_TIMEOUT, detail).because(Refused::BodyTimeout)
}

async fn read(
    reading: &Reading,
    headers: &HeaderMap,
    body: &mut Body,
) -> Result<(Bytes, Held), Problem> {
    reading.backlog.check()?;
    let too_large = || {
        let detail = "the body is larger than http.body_bytes_max, send fewer events at a time";
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail).because(Refused::BodyBytes)
    };
    let said = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let bytes_max = u64::try_from(reading.bytes_max).unwrap_or(u64::MAX);
    if said.is_some_and(|said| said > bytes_max) {
        return Err(too_large());
    }
    let mut held = reading.budget.empty();
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| {
            let detail = "the body could not be read to its end";
            Problem::new(StatusCode::BAD_REQUEST, detail)
        })?;
        let Ok(data) = frame.into_data() else {
            // Trailers.
            continue;
        };
        if bytes.len() + data.len() > reading.bytes_max {
            return Err(too_large());
        }
        if !held.grow(data.len()) {
            let detail = "the bodies of all requests hold http.bodies_bytes_max: try again later";
            let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail);
            return Err(problem.because(Refused::Bodies));
        }
        bytes.extend_from_slice(&data);
    }
    Ok((Bytes::from(bytes), held))
}

/// Reads what comes of a body that is refused, and keeps nothing of it: a client that still sends when the connection ends
/// does not see its answer.
async fn discard(body: &mut Body, bytes_max: usize) {
    let mut bytes = 0;
    while let (true, Some(Ok(frame))) = (bytes < bytes_max, body.frame().await) {
        bytes += frame.data_ref().map_or(0, Bytes::len);
    }
}

/// Lines that are not blank; no further ones are counted once there are more than `max`.
fn lines_up_to(body: &[u8], max: usize) -> usize {
    body.split(|byte| *byte == b'\n')
        .filter(|line| !line.trim_ascii().is_empty())
        .take(max.saturating_add(1))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_as_they_are_taken_and_no_further_than_one_beyond_the_limit() {
        for (body, expected) in [
            ("", 0),
            ("\n \r\n", 0),
            ("a", 1),
            ("a\n\nb\n", 2),
            ("a\nb\nc", 3),
            ("a\nb\nc\nd\ne", 3),
        ] {
            assert_eq!(lines_up_to(body.as_bytes(), 2), expected, "{body:?}");
        }
    }
}
