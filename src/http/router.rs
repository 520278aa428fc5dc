//! The routes, and the limits of every request.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use axum::routing::post;
use tokio::sync::Semaphore;

use crate::http::Services;
use crate::http::auth::require_permission;
use crate::http::changes;
use crate::http::events;
use crate::http::limits::admit;
use crate::http::limits::within_time;
use crate::http::resources;

/// The most requests for data that are processed at a time; further ones are refused.
const CONCURRENCY_MAX: usize = 256;

/// Limits of a request.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest body.
    pub body_bytes_max: usize,
    /// Longest time.
    pub timeout: Duration,
}

/// All paths.
pub fn router(services: Services, limits: Limits) -> Router {
    router_with(services, limits, CONCURRENCY_MAX)
}

pub(super) fn router_with(services: Services, limits: Limits, concurrency_max: usize) -> Router {
    let of_customers = Router::new()
        .route("/v1/customers/{id}", get(resources::customer))
        .route("/v1/changes", get(changes::changes))
        .route("/v1/events", post(events::accept))
        .route_layer(from_fn_with_state(services.clone(), require_permission));
    let slots = Arc::new(Semaphore::new(concurrency_max));
    let of_data = Router::new()
        .route("/v1/segments", get(resources::segments))
        .merge(of_customers)
        .route_layer(from_fn_with_state(slots, admit));
    Router::new()
        .route("/", get(resources::page))
        .route("/livez", get(resources::alive))
        .route("/readyz", get(resources::ready))
        .route("/metrics", get(resources::metrics))
        .merge(of_data)
        .fallback(resources::not_found)
        .method_not_allowed_fallback(resources::wrong_method)
        .layer(DefaultBodyLimit::max(limits.body_bytes_max))
        .layer(from_fn_with_state(limits.timeout, within_time))
        .with_state(services)
}
