//! Authorises requests that read or change customers, before the body is read: a request needs the token. Where none
//! is set, programs of this machine are allowed, but not pages that a browser on it has open.

use std::net::IpAddr;

use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header;
use axum::middleware::Next;
use axum::response::Response;
use subtle::ConstantTimeEq;

use crate::http::Services;
use crate::http::problem::Problem;

pub(super) async fn require_permission(
    State(services): State<Services>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    match &services.token {
        Some(token) if !carries(request.headers(), token) => Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "authorization must be Bearer and the token of http.token_file",
        )),
        None if !is_local(request.headers()) => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "without a token only requests to a loopback name that no web page of another origin \
             made are taken: set http.token_file",
        )),
        Some(_) | None => Ok(next.run(request).await),
    }
}

/// A browser sends the page's origin with requests that change something, and in `host` the name that it
/// resolved, which a page with a rebound name cannot hide. Other programs send no origin.
fn is_local(headers: &HeaderMap) -> bool {
    let text = |name| {
        headers
            .get(name)
            .map(|value: &HeaderValue| value.to_str().unwrap_or(""))
    };
    let host = text(header::HOST);
    let is_loopback = host.is_none_or(|host| {
        let name = host
            .rsplit_once(':')
            .filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
            .map_or(host, |(name, _)| name);
        let address = name.trim_start_matches('[').trim_end_matches(']');
        name.eq_ignore_ascii_case("localhost")
            || address
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    });
    let is_same_origin = text(header::ORIGIN)
        .is_none_or(|origin| origin.split_once("://").map(|(_, authority)| authority) == host);
    is_loopback && is_same_origin
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
