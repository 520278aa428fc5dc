//! The resources.

use axum::Extension;
use axum::Json;
use axum::extract::Path;
use axum::extract::State;
use axum::extract::rejection::PathRejection;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::Html;
use axum::response::IntoResponse;
use axum::response::Response;
use serde_json::json;

use crate::http::Lookup;
use crate::http::Services;
use crate::http::limits::Slot;
use crate::http::limits::blocking;
use crate::http::problem::Problem;

const PAGE: &str = "<!doctype html><title>segstream</title><h1>segstream</h1><ul>\
<li><a href=/metrics>/metrics</a><li><a href=/livez>/livez</a><li><a href=/readyz>/readyz</a>\
<li><a href=/v1/segments>/v1/segments</a><li>/v1/customers/{id}<li>/v1/changes?partition=0<li>/v1/dead-letters?partition=0<li>POST /v1/events</ul>";

pub(super) async fn page() -> Html<&'static str> {
    Html(PAGE)
}

pub(super) async fn alive() -> &'static str {
    "alive\n"
}

pub(super) async fn ready(State(services): State<Services>) -> Response {
    let waiting = services.queries.waiting_for();
    if waiting.is_empty() {
        return "ready\n".into_response();
    }
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "partitions are being restored",
    )
    .with(json!({"waiting_for": waiting}))
    .into_response()
}

pub(super) async fn metrics(State(services): State<Services>) -> Response {
    match services.queries.metrics() {
        Ok(page) => (
            [(
                header::CONTENT_TYPE,
                "text/plain; version=0.0.4; charset=utf-8",
            )],
            page,
        )
            .into_response(),
        Err(error) => Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error).into_response(),
    }
}

pub(super) async fn segments(
    State(services): State<Services>,
    Extension(slot): Extension<Slot>,
) -> Result<Response, Problem> {
    let queries = services.queries;
    let segments = blocking(slot, move || Ok(queries.segments())).await?;
    Ok(Json(segments).into_response())
}

pub(super) async fn customer(
    State(services): State<Services>,
    Extension(slot): Extension<Slot>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let Path(customer_id) = path.map_err(|_| {
        let detail = "the customer id in the path must be percent-encoded UTF-8";
        Problem::new(StatusCode::BAD_REQUEST, detail)
    })?;
    let queries = services.queries;
    let found = blocking(slot, move || queries.customer(&customer_id)).await?;
    match found {
        Lookup::Found(customer) => {
            // The members of this answer are sorted by name.
            let sorted = Json(json!(customer));
            Ok(([(header::CACHE_CONTROL, "no-store")], sorted).into_response())
        }
        Lookup::Unknown => Err(Problem::new(
            StatusCode::NOT_FOUND,
            "no customer of this id is known",
        )),
        Lookup::Restoring => Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the customer's partition is being restored",
        )),
    }
}

pub(super) async fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is nothing here")
}

pub(super) async fn wrong_method() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "this resource does not have that method",
    )
}
