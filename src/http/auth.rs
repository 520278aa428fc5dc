//! Authorises requests that read or change customers, before the body is read: a request needs the token. Where none
//! is set, programs of this machine are allowed, but not pages that a browser on it has open.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header;
use axum::middleware::Next;
use axum::response::Response;

use crate::http::Services;
use crate::http::connections::Connection;
use crate::http::connections::Phase;
use crate::http::meter::Refused;
use crate::http::problem::Problem;
use crate::http::token::Token;

/// What is asked of a request.
#[derive(Clone)]
pub(super) struct Guard {
    pub(super) services: Services,
    /// A wrong token is answered this much later, so that trying many takes long.
    pub(super) delay: Duration,
}

pub(super) async fn require_permission(
    State(guard): State<Guard>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let Some(token) = &guard.services.token else {
        return require_local(State(guard), request, next).await;
    };
    if carries(request.headers(), token) {
        return Ok(next.run(request).await);
    }
    let connection = request.extensions().get::<Arc<Connection>>();
    // Nothing is worked on meanwhile, so the connection may make room for another one.
    if let Some(connection) = connection {
        connection.enter(Phase::Idle);
    }
    tokio::time::sleep(guard.delay).await;
    let detail = "authorization must be Bearer and the token of this instance (http.token_file or http.token)";
    Err(Problem::new(StatusCode::UNAUTHORIZED, detail).because(Refused::Token))
}

/// Where there is no token, refuses what a page of a browser on this machine may have sent.
pub(super) async fn require_local(
    State(guard): State<Guard>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    if guard.services.token.is_some() || is_local(request.headers()) {
        return Ok(next.run(request).await);
    }
    let detail = "without a token only requests to a loopback name that no web page of another origin \
                  made are taken: set http.token_file";
    Err(Problem::new(StatusCode::FORBIDDEN, detail).because(Refused::Host))
}

/// A browser sends the page's origin with requests that change something, and in `host` the name that it
/// resolved, which a page with a rebound name cannot hide. With what a page only loads, such as a picture or a script, it
/// sends no origin, and says in `sec-fetch-site` whose page that is; a link that somebody follows is the reader's own
/// request. Other programs send none of them.
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
    let site = text(HeaderName::from_static("sec-fetch-site"));
    let mode = text(HeaderName::from_static("sec-fetch-mode"));
    let is_own_page = site.is_none_or(|site| ["same-origin", "none"].contains(&site));
    let is_followed = mode == Some("navigate");
    is_loopback && is_same_origin && (is_own_page || is_followed)
}

fn carries(headers: &HeaderMap, token: &Token) -> bool {
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, given)| given.trim());
    given.is_some_and(|given| token.is(given))
}
