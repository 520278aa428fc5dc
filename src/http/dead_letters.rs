//! The dead letters: page by page without what their records hold, or one with all of it.

use axum::Extension;
use axum::Json;
use axum::extract::Path;
use axum::extract::Query;
use axum::extract::State;
use axum::extract::rejection::PathRejection;
use axum::extract::rejection::QueryRejection;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use serde::Serialize;

use crate::http::LettersAsked;
use crate::http::LettersLookup;
use crate::http::Services;
use crate::http::bodies::Workspace;
use crate::http::changes::bad;
use crate::http::changes::number;
use crate::http::limits::Slot;
use crate::http::limits::blocking;
use crate::http::problem::Problem;
use crate::view::dead_letter::reasons;

/// Dead letters in an answer where the request does not say.
const LIMIT: usize = 100;
/// Most dead letters in an answer.
const LIMIT_MAX: usize = 1000;
/// What a part of the log takes while it is read, and a dead letter of a list while its answer is made, about.
const READ_BYTES: usize = 2 * 1024 * 1024;
const LISTED_BYTES: usize = 2048;
/// The same of records with their payloads, once decompressed and once in the answer.
const RECORDS_BYTES: usize = 24 * 1024 * 1024;

const PARTITION: &str = "the number of a partition, from 0";
const OFFSET: &str = "an offset, from 0";

impl LettersAsked {
    fn read(parameters: &[(String, String)]) -> Result<Self, Problem> {
        let mut asked = Self {
            partition: 0,
            from: 0,
            limit: LIMIT,
            reasons: Vec::new(),
            has_records: false,
        };
        for (name, value) in parameters {
            match name.as_str() {
                "partition" => asked.partition = number(name, value, PARTITION)?,
                "from" => asked.from = number(name, value, OFFSET)?,
                "limit" => {
                    let allowed = format!("1 to {LIMIT_MAX}");
                    asked.limit = number(name, value, &allowed)?;
                    if !(1..=LIMIT_MAX).contains(&asked.limit) {
                        let limit = asked.limit;
                        return Err(bad(format!("limit is {limit}, allowed is {allowed}")));
                    }
                }
                "reason" => asked.reasons.push(known_reason(value)?),
                "records" => asked.has_records = number(name, value, "true or false")?,
                _ => {
                    let detail = format!(
                        "{name:?} is not a parameter, allowed are partition, from, limit, reason and records"
                    );
                    return Err(bad(detail));
                }
            }
        }
        Ok(asked)
    }

    fn bytes_of_work(&self) -> usize {
        if self.has_records {
            RECORDS_BYTES
        } else {
            READ_BYTES + self.limit * LISTED_BYTES
        }
    }
}

fn known_reason(value: &str) -> Result<&'static str, Problem> {
    let known = reasons().find(|known| *known == value);
    known.ok_or_else(|| {
        let all: Vec<&str> = reasons().collect();
        bad(format!(
            "reason is {value:?}, allowed are {}",
            all.join(", ")
        ))
    })
}

pub(super) async fn list(
    State(services): State<Services>,
    Extension(slot): Extension<Slot>,
    Extension(workspace): Extension<Workspace>,
    parameters: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(parameters) =
        parameters.map_err(|_| bad("the parameters must be percent-encoded UTF-8".to_owned()))?;
    let asked = LettersAsked::read(&parameters)?;
    let (partition, from) = (asked.partition, asked.from);
    let _room = workspace.enter(asked.bytes_of_work()).await;
    let letters = services.dead_letters;
    let found = blocking(slot, move || letters.page(&asked)).await?;
    if let LettersLookup::NotThere { end, .. } = found {
        return Err(bad(format!(
            "from is {from}, which is past the end {end} of the partition: was the log made anew or restored?"
        )));
    }
    answer(found, partition, from)
}

pub(super) async fn show(
    State(services): State<Services>,
    Extension(slot): Extension<Slot>,
    Extension(workspace): Extension<Workspace>,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Result<Response, Problem> {
    let Path((partition, offset)) =
        path.map_err(|_| bad("the path must be percent-encoded UTF-8".to_owned()))?;
    let partition: u32 = number("partition", &partition, PARTITION)?;
    let offset: u64 = number("offset", &offset, OFFSET)?;
    let _room = workspace.enter(RECORDS_BYTES).await;
    let letters = services.dead_letters;
    let found = blocking(slot, move || letters.one(partition, offset)).await?;
    answer(found, partition, offset)
}

fn answer<T: Serialize>(
    found: LettersLookup<T>,
    partition: u32,
    offset: u64,
) -> Result<Response, Problem> {
    let status = match &found {
        LettersLookup::Found(_) => StatusCode::OK,
        LettersLookup::NotThere { .. } => StatusCode::NOT_FOUND,
        LettersLookup::NoPartition { .. } => StatusCode::BAD_REQUEST,
        LettersLookup::Busy => StatusCode::SERVICE_UNAVAILABLE,
    };
    match (found.problem(partition, offset), found) {
        (None, LettersLookup::Found(view)) => {
            Ok(([(header::CACHE_CONTROL, "no-store")], Json(view)).into_response())
        }
        (problem, _) => Err(Problem::new(status, problem.unwrap_or_default())),
    }
}
