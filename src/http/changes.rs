//! The published changes, page by page.

use axum::Extension;
use axum::Json;
use axum::extract::Query;
use axum::extract::State;
use axum::extract::rejection::QueryRejection;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;

use crate::http::ChangesLookup;
use crate::http::Services;
use crate::http::bodies::Workspace;
use crate::http::limits::Slot;
use crate::http::limits::blocking;
use crate::http::problem::Problem;

/// Changes in an answer where the request does not say.
const LIMIT: usize = 100;
/// Most changes in an answer.
const LIMIT_MAX: usize = 1000;
/// What a change takes while its answer is made, about.
const CHANGE_BYTES: usize = 4096;

pub(super) fn bad(detail: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, detail)
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Asked {
    partition: u32,
    from: u64,
    limit: usize,
}

/// The number that a parameter gives.
pub(super) fn number<T: std::str::FromStr>(
    name: &str,
    value: &str,
    allowed: &str,
) -> Result<T, Problem> {
    let parsed = value.parse();
    parsed.map_err(|_| bad(format!("{name} is {value:?}, allowed is {allowed}")))
}

impl Asked {
    fn read(parameters: &[(String, String)]) -> Result<Self, Problem> {
        let (mut partition, mut from, mut limit) = (0, 0, LIMIT);
        for (name, value) in parameters {
            match name.as_str() {
                "partition" => {
                    partition = number(name, value, "the number of a partition, from 0")?
                }
                "from" => from = number(name, value, "an offset, from 0")?,
                "limit" => {
                    let allowed = format!("1 to {LIMIT_MAX}");
                    limit = number(name, value, &allowed)?;
                    if !(1..=LIMIT_MAX).contains(&limit) {
                        return Err(bad(format!("limit is {limit}, allowed is {allowed}")));
                    }
                }
                _ => {
                    let detail = format!(
                        "{name:?} is not a parameter, allowed are partition, from and limit"
                    );
                    return Err(bad(detail));
                }
            }
        }
        Ok(Self {
            partition,
            from,
            limit,
        })
    }
}

pub(super) async fn changes(
    State(services): State<Services>,
    Extension(slot): Extension<Slot>,
    Extension(workspace): Extension<Workspace>,
    parameters: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(parameters) =
        parameters.map_err(|_| bad("the parameters must be percent-encoded UTF-8".to_owned()))?;
    let asked = Asked::read(&parameters)?;
    let Some(log) = services.changes else {
        let detail = "the changes are a topic of Kafka: read topics.changes";
        return Err(Problem::new(StatusCode::NOT_FOUND, detail));
    };
    let room = workspace.enter(asked.limit * CHANGE_BYTES).await;
    let read = move || log.changes(asked.partition, asked.from, asked.limit);
    match blocking(slot, read).await? {
        ChangesLookup::Found(view) => {
            let no_store = [(header::CACHE_CONTROL, "no-store")];
            let answer = (no_store, Json(view)).into_response();
            drop(room);
            Ok(answer)
        }
        ChangesLookup::PastEnd { end } => Err(bad(format!(
            "from is {}, which is past the end {end} of the partition: was the log made anew or restored?",
            asked.from
        ))),
        ChangesLookup::NoPartition { partitions } => Err(bad(format!(
            "partition is {}, allowed is 0 to {}",
            asked.partition,
            partitions.saturating_sub(1)
        ))),
    }
}
