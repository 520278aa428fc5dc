//! Who may see or change a customer. The token is asked for before any of the body is read.

use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header;
use axum::middleware::Next;
use axum::response::Response;
use subtle::ConstantTimeEq;

use crate::http::Services;
use crate::http::problem::Problem;

pub(super) async fn require_token(
    State(services): State<Services>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    match &services.token {
        Some(token) if !carries(request.headers(), token) => Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "authorization must be Bearer and the token of http.token_file",
        )),
        Some(_) | None => Ok(next.run(request).await),
    }
}

fn carries(headers: &HeaderMap, token: &str) -> bool {
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, given)| given.trim());
    given.is_some_and(|given| bool::from(given.as_bytes().ct_eq(token.as_bytes())))
}
