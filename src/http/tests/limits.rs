//! Slots, bytes, lines and time.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use axum::http::StatusCode;
use serde_json::json;
use tokio::sync::Notify;
use tower::ServiceExt;

use crate::http::router::Limits;
use crate::http::router::router;
use crate::http::tests::BODY_BYTES_MAX;
use crate::http::tests::BODY_LINES_MAX;
use crate::http::tests::Gate;
use crate::http::tests::PATIENCE;
use crate::http::tests::call;
use crate::http::tests::gated;
use crate::http::tests::get;
use crate::http::tests::limits;
use crate::http::tests::open;
use crate::http::tests::services;

#[tokio::test]
async fn a_full_server_turns_data_requests_away_and_stays_alive() {
    let (router, entered, release) = gated(PATIENCE);
    let busy = router.clone();
    let first = tokio::spawn(async move { call(&busy, "POST", "/v1/events", "{}").await });
    entered.notified().await;
    let second = call(&router, "POST", "/v1/events", "{}").await;
    second.problem(StatusCode::SERVICE_UNAVAILABLE);
    assert_ne!(second.header("retry-after"), "");
    assert_eq!(get(&router, "/livez").await.status, StatusCode::OK);
    release.send(()).unwrap();
    assert_eq!(first.await.unwrap().status, StatusCode::ACCEPTED);
    assert_eq!(get(&router, "/v1/segments").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_request_out_of_time_is_a_problem_and_its_work_keeps_the_slot() {
    let (router, _entered, release) = gated(Duration::from_millis(50));
    let late = call(&router, "POST", "/v1/events", "{}").await;
    late.problem(StatusCode::REQUEST_TIMEOUT);
    get(&router, "/v1/segments")
        .await
        .problem(StatusCode::SERVICE_UNAVAILABLE);
    release.send(()).unwrap();
}

#[tokio::test]
async fn events_beyond_the_backlog_are_refused_before_any_line_is_taken() {
    let (router, basket) = open();
    basket.1.store(1000, Ordering::Relaxed);
    let answer = call(&router, "POST", "/v1/events", "{}").await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    basket.1.store(1001, Ordering::Relaxed);
    // The body is larger than the limit, so the server does not read it.
    let body = "x".repeat(BODY_BYTES_MAX + 1);
    let answer = call(&router, "POST", "/v1/events", body).await;
    let problem = answer.problem(StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.header("retry-after"), "5");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("1001 events") && detail.contains("http.backlog_events_max are 1000"));
    assert_eq!(basket.kept().len(), 1);
}

#[tokio::test]
async fn events_are_refused_as_long_as_the_state_is_not_open() {
    let (router, basket) = open();
    basket.2.store(true, Ordering::Relaxed);
    let answer = call(&router, "POST", "/v1/events", "{}").await;
    let problem = answer.problem(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.header("retry-after"), "1");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("nothing was accepted"), "{detail}");
    assert_eq!(basket.kept().len(), 0);
    basket.2.store(false, Ordering::Relaxed);
    let answer = call(&router, "POST", "/v1/events", "{}").await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_body_of_too_many_lines_is_refused_whole() {
    let (router, basket) = open();
    let full = "{}\n\n".repeat(BODY_LINES_MAX);
    let answer = call(&router, "POST", "/v1/events", full.clone()).await;
    assert_eq!(answer.json(), json!({"accepted": BODY_LINES_MAX}));
    let answer = call(&router, "POST", "/v1/events", full + "{}").await;
    let problem = answer.problem(StatusCode::PAYLOAD_TOO_LARGE);
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("http.body_lines_max (500)"), "{detail}");
    assert_eq!(basket.kept().len(), BODY_LINES_MAX);
}

#[tokio::test]
async fn the_bytes_of_all_bodies_are_bounded_and_come_back() {
    let (release, released) = mpsc::channel();
    let entered = Arc::new(Notify::new());
    let intake = Gate {
        entered: Arc::clone(&entered),
        release: Mutex::new(released),
    };
    let (mut services, _) = services(None);
    services.intake = Some(Arc::new(intake));
    let limits = Limits {
        bodies_bytes_max: BODY_BYTES_MAX,
        ..limits()
    };
    let router = router(services, limits);
    let body = || format!("{{\"a\":\"{}\"}}", "x".repeat(BODY_BYTES_MAX - 100));
    let busy = router.clone();
    let first = tokio::spawn(async move { call(&busy, "POST", "/v1/events", body()).await });
    entered.notified().await;
    let second = call(&router, "POST", "/v1/events", body()).await;
    let problem = second.problem(StatusCode::SERVICE_UNAVAILABLE);
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("http.bodies_bytes_max"), "{detail}");
    release.send(()).unwrap();
    assert_eq!(first.await.unwrap().status, StatusCode::ACCEPTED);
    release.send(()).unwrap();
    let third = call(&router, "POST", "/v1/events", body()).await;
    assert_eq!(third.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn the_bytes_of_answers_that_nobody_reads_are_bounded_and_come_back() {
    let (services, _) = services(None);
    let limits = Limits {
        answers_bytes_max: 64 * 1024,
        ..limits()
    };
    let router = router(services, limits);
    let path = "/v1/changes?limit=1000";
    let request = Request::builder().uri(path).body(Body::empty()).unwrap();
    let unread = router.clone().oneshot(request).await.unwrap();
    // Its 1,000 changes have 31 to 35 bytes each with their comma, so one such answer fits and two do not.
    assert_eq!(unread.status(), StatusCode::OK);
    let second = get(&router, path).await;
    let problem = second.problem(StatusCode::SERVICE_UNAVAILABLE);
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("http.answers_bytes_max"), "{detail}");
    assert_eq!(get(&router, "/livez").await.status, StatusCode::OK);
    drop(unread);
    assert_eq!(get(&router, path).await.status, StatusCode::OK);
}
