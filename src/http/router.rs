//! The routes, and the limits of every request.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use axum::routing::post;
use tokio::sync::Semaphore;

use crate::http::Services;
use crate::http::answers::bound;
use crate::http::answers::count;
use crate::http::auth::Guard;
use crate::http::auth::require_local;
use crate::http::auth::require_permission;
use crate::http::backlog::Backlog;
use crate::http::bodies::Reading;
use crate::http::bodies::Workspace;
use crate::http::bodies::receive;
use crate::http::budget::Budget;
use crate::http::changes;
use crate::http::dead_letters;
use crate::http::events;
use crate::http::limits::admit;
use crate::http::limits::within_time;
use crate::http::meter::Holding;
use crate::http::resources;

/// The most requests for data that are processed at a time; further ones are refused.
const CONCURRENCY_MAX: usize = 256;
/// The bytes of bodies and changes on which work is done at a time. An event in work takes several times its bytes.
const WORKSPACE_BYTES: usize = 32 * 1024 * 1024;

/// Limits of a request.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest body.
    pub body_bytes_max: usize,
    /// Most lines of a body.
    pub body_lines_max: usize,
    /// Longest time of a body.
    pub body_timeout: Duration,
    /// Most bytes of all bodies together.
    pub bodies_bytes_max: usize,
    /// Most bytes of all answers that are not sent yet.
    pub answers_bytes_max: usize,
    /// Most events that may wait in the log.
    pub backlog_events_max: u64,
    /// How much later a wrong token is answered.
    pub failed_login_delay: Duration,
    /// Longest time of a request, without its body.
    pub timeout: Duration,
}

/// All paths.
pub fn router(services: Services, limits: Limits) -> Router {
    router_with(services, limits, CONCURRENCY_MAX)
}

pub(super) fn router_with(services: Services, limits: Limits, concurrency_max: usize) -> Router {
    let workspace = Workspace::new(WORKSPACE_BYTES);
    let answers = Budget::new(
        limits.answers_bytes_max,
        Holding::Answers,
        Arc::clone(&services.meter),
    );
    let meter = Arc::clone(&services.meter);
    let in_time = from_fn_with_state(limits.timeout, within_time);
    Router::new()
        .route("/", get(resources::page))
        .route("/livez", get(resources::alive))
        .route("/readyz", get(resources::ready))
        .route_layer(in_time)
        .merge(of_data(&services, &limits, &workspace, concurrency_max))
        .fallback(resources::not_found)
        .method_not_allowed_fallback(resources::wrong_method)
        .layer(DefaultBodyLimit::max(limits.body_bytes_max))
        .layer(Extension(workspace))
        .layer(from_fn_with_state(answers, bound))
        .layer(from_fn_with_state(meter, count))
        .with_state(services)
}

/// What shows or changes data. The last layer of a route is asked first.
fn of_data(
    services: &Services,
    limits: &Limits,
    workspace: &Workspace,
    concurrency_max: usize,
) -> Router<Services> {
    let slots = from_fn_with_state(Arc::new(Semaphore::new(concurrency_max)), admit);
    let in_time = from_fn_with_state(limits.timeout, within_time);
    let guard = Guard {
        services: services.clone(),
        delay: limits.failed_login_delay,
    };
    let with_permission = from_fn_with_state(guard.clone(), require_permission);
    let of_customers = Router::new()
        .route("/v1/customers/{id}", get(resources::customer))
        .route("/v1/changes", get(changes::changes))
        .route("/v1/dead-letters", get(dead_letters::list))
        .route(
            "/v1/dead-letters/{partition}/{offset}",
            get(dead_letters::show),
        )
        .route_layer(slots.clone())
        .route_layer(in_time.clone())
        .route_layer(with_permission.clone());
    let reading = Reading {
        backlog: Backlog {
            intake: services.intake.clone(),
            events_max: limits.backlog_events_max,
        },
        bytes_max: limits.body_bytes_max,
        lines_max: limits.body_lines_max,
        timeout: limits.body_timeout,
        budget: Budget::new(
            limits.bodies_bytes_max,
            Holding::Bodies,
            Arc::clone(&services.meter),
        ),
        workspace: workspace.clone(),
    };
    let of_events = Router::new()
        .route("/v1/events", post(events::accept))
        .route_layer(slots.clone())
        .route_layer(in_time.clone())
        .route_layer(from_fn_with_state(reading, receive))
        .route_layer(with_permission);
    let of_segments = Router::new()
        .route("/v1/segments", get(resources::segments))
        .route_layer(slots);
    Router::new()
        .route("/metrics", get(resources::metrics))
        .merge(of_segments)
        .route_layer(in_time)
        .route_layer(from_fn_with_state(guard, require_local))
        .merge(of_customers)
        .merge(of_events)
}
