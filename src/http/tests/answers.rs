//! Customers, pages and events.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::json;

use crate::http::router::router;
use crate::http::tests::BODY_BYTES_MAX;
use crate::http::tests::Notes;
use crate::http::tests::Shelf;
use crate::http::tests::TOKEN;
use crate::http::tests::call;
use crate::http::tests::get;
use crate::http::tests::limits;
use crate::http::tests::open;
use crate::http::tests::services;

#[tokio::test]
async fn a_customer_is_found_by_its_decoded_id() {
    let (router, _) = open();
    for (path, id) in [
        ("/v1/customers/c-1", "c-1"),
        ("/v1/customers/a%2Fb%20%C3%BC", "a/b ü"),
    ] {
        let answer = get(&router, path).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.json()["customer_id"], id);
        assert_eq!(answer.header("cache-control"), "no-store");
    }
}

#[tokio::test]
async fn every_way_to_miss_a_customer_is_a_problem() {
    let (router, _) = open();
    get(&router, "/v1/customers/nobody")
        .await
        .problem(StatusCode::NOT_FOUND);
    get(&router, "/v1/customers/%FF")
        .await
        .problem(StatusCode::BAD_REQUEST);
    get(&router, "/v1/customers/c-broken")
        .await
        .problem(StatusCode::INTERNAL_SERVER_ERROR);
    let moving = get(&router, "/v1/customers/c-moving").await;
    moving.problem(StatusCode::SERVICE_UNAVAILABLE);
    assert_ne!(moving.header("retry-after"), "");
}

#[tokio::test]
async fn unknown_paths_and_wrong_methods_are_problems() {
    let (router, _) = open();
    get(&router, "/v2").await.problem(StatusCode::NOT_FOUND);
    get(&router, "/v1/customers/")
        .await
        .problem(StatusCode::NOT_FOUND);
    for (method, path, allowed) in [
        ("GET", "/v1/events", "POST"),
        ("POST", "/v1/segments", "GET"),
        ("PUT", "/livez", "GET"),
    ] {
        let answer = call(&router, method, path, "").await;
        answer.problem(StatusCode::METHOD_NOT_ALLOWED);
        assert!(
            answer.header("allow").contains(allowed),
            "{path}: {:?}",
            answer.headers
        );
    }
}

#[tokio::test]
async fn pages_for_people_and_machines_answer() {
    let (router, _) = open();
    let metrics = get(&router, "/metrics").await;
    assert!(
        metrics
            .header("content-type")
            .starts_with("text/plain; version=0.0.4")
    );
    assert_eq!(metrics.text, "up 1\n");
    assert!(get(&router, "/").await.text.contains("/v1/segments"));
    assert_eq!(get(&router, "/livez").await.status, StatusCode::OK);
    assert_eq!(get(&router, "/readyz").await.status, StatusCode::OK);
    let segments = get(&router, "/v1/segments").await.json();
    assert_eq!(segments["segments"][0]["customers"], 0);
}

#[tokio::test]
async fn readiness_names_what_is_missing_and_broken_metrics_are_a_problem() {
    let (mut services, _) = services(None);
    let waiting = vec!["partition 3".to_owned()];
    services.queries = Arc::new(Shelf {
        waiting,
        is_broken: true,
    });
    let router = router(services, limits());
    let problem = get(&router, "/readyz")
        .await
        .problem(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(problem["waiting_for"], json!(["partition 3"]));
    get(&router, "/metrics")
        .await
        .problem(StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn one_event_or_one_a_line_is_accepted() {
    let (router, basket) = open();
    for (body, accepted) in [("{\"a\":1}", 1), ("{\"a\":1}\r\n\n {\"a\":2}\n", 2)] {
        let answer = call(&router, "POST", "/v1/events", body).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED);
        assert_eq!(answer.json(), json!({"accepted": accepted}));
    }
    assert_eq!(basket.kept(), ["{\"a\":1}", "{\"a\":1}", "{\"a\":2}"]);
}

#[tokio::test]
async fn one_event_over_several_lines_is_one_event() {
    let (router, basket) = open();
    let answer = call(&router, "POST", "/v1/events", "{\n  \"a\": 1\n}\n").await;
    assert_eq!(answer.json(), json!({"accepted": 1}));
    assert_eq!(basket.kept(), ["{\n  \"a\": 1\n}"]);
}

#[tokio::test]
async fn good_lines_are_kept_and_bad_ones_named_by_their_line_in_the_body() {
    let (router, basket) = open();
    // Line 2 is blank, so the bad event is the second one handed over and stands on line 3.
    let answer = call(&router, "POST", "/v1/events", "{\"a\":1}\n\nbad\n{\"a\":2}").await;
    let problem = answer.problem(StatusCode::BAD_REQUEST);
    assert_eq!(
        (&problem["accepted"], &problem["refused"]),
        (&json!(2), &json!(1))
    );
    let error = json!({"line": 3, "reason": "type", "detail": "type must be known"});
    assert_eq!(problem["errors"], json!([error]));
    assert_eq!(basket.kept().len(), 2);
}

#[tokio::test]
async fn a_hundred_refused_lines_are_listed_and_all_are_counted() {
    let (router, _) = open();
    let answer = call(&router, "POST", "/v1/events", "bad\n".repeat(101)).await;
    let problem = answer.problem(StatusCode::BAD_REQUEST);
    assert_eq!(problem["errors"].as_array().unwrap().len(), 100);
    assert_eq!(problem["refused"], 101);
}

#[tokio::test]
async fn empty_and_oversized_bodies_are_refused_whole() {
    let (router, basket) = open();
    for body in ["", " \r\n\n"] {
        call(&router, "POST", "/v1/events", body)
            .await
            .problem(StatusCode::BAD_REQUEST);
    }
    let line = "{}\n";
    let body = line.repeat(BODY_BYTES_MAX / line.len() + 1);
    call(&router, "POST", "/v1/events", body)
        .await
        .problem(StatusCode::PAYLOAD_TOO_LARGE);
    assert!(basket.kept().is_empty());
}

#[tokio::test]
async fn answers_are_counted_by_the_pattern_of_their_path_and_refusals_by_their_reason() {
    let (mut services, _) = services(Some(TOKEN));
    let notes = Arc::new(Notes::default());
    services.meter = notes.clone();
    let router = router(services, limits());
    for path in ["/livez", "/v1/customers/c-1", "/secret/c-1"] {
        get(&router, path).await;
    }
    let expected = ["/livez 2xx", "/v1/customers/{id} 4xx", "token", "other 4xx"];
    assert_eq!(*notes.0.lock().unwrap(), expected);
}
