//! Takes one event, or one a line.

use axum::Extension;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::response::Response;
use serde_json::json;

use crate::domain::counted::counted;
use crate::domain::event::lines;
use crate::http::Receipt;
use crate::http::RefusedLine;
use crate::http::Services;
use crate::http::UNSUPPORTED;
use crate::http::limits::Slot;
use crate::http::limits::blocking;
use crate::http::problem::Problem;

/// Refused lines a document lists.
const REFUSED_LISTED_MAX: usize = 100;

pub(super) async fn accept(
    State(services): State<Services>,
    Extension(slot): Extension<Slot>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let body = body.map_err(|rejection| unreadable(&rejection))?;
    let Some(intake) = services.intake else {
        let detail = "events come in over Kafka: produce them to topics.events";
        return Err(Problem::new(StatusCode::NOT_FOUND, detail));
    };
    let receipt = blocking(slot, move || {
        let lines = lines(&body).map(|(number, line)| (number, line.to_vec()));
        let (numbers, payloads): (Vec<_>, Vec<_>) = lines.unzip();
        if payloads.is_empty() {
            return Ok(None);
        }
        let mut receipt = intake.accept(payloads)?;
        for refused in &mut receipt.refused {
            refused.line = number_in_body(refused.line, &numbers);
        }
        Ok(Some(receipt))
    });
    let Some(Receipt { accepted, refused }) = receipt.await? else {
        let detail = "the body is empty: send one JSON event, or one a line";
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
    };
    if refused.is_empty() {
        return Ok((StatusCode::ACCEPTED, Json(json!({"accepted": accepted}))).into_response());
    }
    Err(partly_refused(accepted, &refused))
}

fn partly_refused(accepted: usize, refused: &[RefusedLine]) -> Problem {
    let total = refused.len();
    let listed: Vec<_> = refused.iter().take(REFUSED_LISTED_MAX).collect();
    let number = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let detail = format!(
        "{} refused, {} accepted{}",
        counted(number(total), "event was", "events were"),
        counted(number(accepted), "was", "were"),
        match accepted {
            0 => "",
            1 => " and is kept",
            _ => " and are kept",
        }
    );
    let is_bad = refused.iter().any(|line| line.reason != UNSUPPORTED);
    let status = if is_bad {
        StatusCode::BAD_REQUEST
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    Problem::new(status, detail)
        .with(json!({"accepted": accepted, "refused": total, "errors": listed}))
}

fn unreadable(rejection: &BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        let detail = "the body is larger than http.body_bytes_max, send fewer events at a time";
        return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail);
    }
    Problem::new(
        StatusCode::BAD_REQUEST,
        "the body could not be read to its end",
    )
}

/// The intake numbers the lines that it was given; for the sender, blank lines count too.
fn number_in_body(handed: usize, numbers: &[usize]) -> usize {
    let number = handed.checked_sub(1).and_then(|index| numbers.get(index));
    number.copied().unwrap_or(handed)
}
