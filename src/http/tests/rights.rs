//! Who may ask what.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use axum::http::StatusCode;

use crate::http::router::Limits;
use crate::http::router::router;
use crate::http::router::router_with;
use crate::http::tests::BODY_BYTES_MAX;
use crate::http::tests::TOKEN;
use crate::http::tests::call;
use crate::http::tests::get;
use crate::http::tests::limits;
use crate::http::tests::open;
use crate::http::tests::send;
use crate::http::tests::services;

#[tokio::test]
async fn the_token_guards_customers_and_events_and_nothing_else() {
    let (services, basket) = services(Some(TOKEN));
    assert!(!format!("{services:?}").contains(TOKEN));
    let router = router(services, limits());
    for path in ["/", "/livez", "/readyz", "/metrics", "/v1/segments"] {
        assert_eq!(get(&router, path).await.status, StatusCode::OK, "{path}");
    }
    for (method, path) in [("GET", "/v1/customers/c-1"), ("POST", "/v1/events")] {
        for given in [
            "",
            "Bearer ",
            "Bearer open-sesam",
            "Bearer open-sesame2",
            "Basic open-sesame",
        ] {
            let request = Request::builder().method(method).uri(path);
            let request = request
                .header("authorization", given)
                .body(Body::from("{}"));
            let answer = send(&router, request.unwrap()).await;
            answer.problem(StatusCode::UNAUTHORIZED);
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
        assert_eq!(
            call(&router, method, path, "{}").await.status,
            StatusCode::UNAUTHORIZED
        );
        assert!(basket.kept().is_empty());
        let request = Request::builder().method(method).uri(path);
        let request = request
            .header("authorization", "bearer open-sesame")
            .body(Body::from("{}"));
        assert!(send(&router, request.unwrap()).await.status.is_success());
    }
}

#[tokio::test]
async fn without_a_token_pages_of_other_origins_and_rebound_names_are_refused() {
    let (router, basket) = open();
    for (host, origin, is_taken) in [
        (Some("127.0.0.1:8080"), None, true),
        (Some("localhost:8080"), Some("http://localhost:8080"), true),
        (Some("[::1]:8080"), None, true),
        (None, None, true),
        (Some("127.0.0.1:8080"), Some("https://shop.example"), false),
        (Some("127.0.0.1:8080"), Some("null"), false),
        (Some("localhost:8080"), Some("http://localhost:3000"), false),
        (Some("shop.example:8080"), None, false),
        (Some("127.0.0.1.shop.example"), None, false),
    ] {
        let mut request = Request::builder().method("POST").uri("/v1/events");
        if let Some(host) = host {
            request = request.header("host", host);
        }
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        let before = basket.kept().len();
        let answer = send(&router, request.body(Body::from("{}")).unwrap()).await;
        if is_taken {
            assert_eq!(answer.status, StatusCode::ACCEPTED, "{host:?} {origin:?}");
        } else {
            answer.problem(StatusCode::FORBIDDEN);
        }
        let kept = basket.kept().len() - before;
        assert_eq!(kept, usize::from(is_taken), "{host:?} {origin:?}");
    }
}

/// By https://www.w3.org/TR/fetch-metadata/: a page that loads a script, a page of another port, a link that is followed, a
/// request of the page itself, an address that is typed, and a program that is no browser.
#[tokio::test]
async fn without_a_token_what_pages_of_other_origins_load_is_refused() {
    let (router, _) = open();
    for (site, mode, is_taken) in [
        (Some("cross-site"), Some("no-cors"), false),
        (Some("same-site"), Some("no-cors"), false),
        (Some("cross-site"), None, false),
        (Some("cross-site"), Some("navigate"), true),
        (Some("same-origin"), Some("cors"), true),
        (Some("none"), Some("navigate"), true),
        (None, None, true),
    ] {
        let mut request = Request::builder()
            .uri("/metrics")
            .header("host", "localhost:8080");
        for (name, value) in [("sec-fetch-site", site), ("sec-fetch-mode", mode)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        let answer = send(&router, request.body(Body::empty()).unwrap()).await;
        if is_taken {
            assert_eq!(answer.status, StatusCode::OK, "{site:?} {mode:?}");
        } else {
            answer.problem(StatusCode::FORBIDDEN);
        }
    }
}

#[tokio::test]
async fn the_token_is_asked_for_before_the_body_is_read() {
    let (services, _) = services(Some(TOKEN));
    let router = router(services, limits());
    let body = "x".repeat(BODY_BYTES_MAX + 1);
    call(&router, "POST", "/v1/events", body)
        .await
        .problem(StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn dead_letters_need_the_token_and_without_one_a_local_request() {
    for path in ["/v1/dead-letters", "/v1/dead-letters/0/5"] {
        let (with_token, _) = services(Some(TOKEN));
        let router = router(with_token, limits());
        get(&router, path).await.problem(StatusCode::UNAUTHORIZED);
        let request = Request::builder().uri(path);
        let request = request.header("authorization", "Bearer open-sesame");
        let answer = send(&router, request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::OK);
        let (open, _) = open();
        let foreign = Request::builder().uri(path).header("host", "example.com");
        let answer = send(&open, foreign.body(Body::empty()).unwrap()).await;
        answer.problem(StatusCode::FORBIDDEN);
        let call = call(&open, "POST", path, Body::empty()).await;
        call.problem(StatusCode::METHOD_NOT_ALLOWED);
    }
}

#[tokio::test]
async fn metrics_and_segments_are_for_this_machine_where_there_is_no_token() {
    let of_local = open().0;
    let (services, _) = services(Some(TOKEN));
    let of_all = router(services, limits());
    for path in ["/metrics", "/v1/segments"] {
        for (name, value) in [
            ("host", "shop.example:8080"),
            ("origin", "https://shop.example"),
        ] {
            let request = || {
                let request = Request::builder().uri(path).header(name, value);
                request.body(Body::empty()).unwrap()
            };
            let answer = send(&of_local, request()).await;
            answer.problem(StatusCode::FORBIDDEN);
            assert_eq!(send(&of_all, request()).await.status, StatusCode::OK);
        }
    }
}

#[tokio::test]
async fn failed_logins_wait_and_good_ones_do_not() {
    let (services, _) = services(Some(TOKEN));
    let limits = Limits {
        failed_login_delay: Duration::from_secs(3600),
        ..limits()
    };
    // One slot: a failed login holds none.
    let router = router_with(services, limits, 1);
    let request = |token: &str| {
        let request = Request::builder().uri("/v1/customers/c-1");
        let request = request.header("authorization", format!("Bearer {token}"));
        request.body(Body::empty()).unwrap()
    };
    let failed: Vec<_> = (0..100)
        .map(|_| {
            let (router, request) = (router.clone(), request("open-sesamf"));
            tokio::spawn(async move { send(&router, request).await.status })
        })
        .collect();
    tokio::task::yield_now().await;
    let good = send(&router, request(TOKEN)).await;
    assert_eq!(good.status, StatusCode::OK);
    assert!(failed.iter().all(|failed| !failed.is_finished()));
    failed.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_token_that_is_replaced_is_refused_from_then_on() {
    let (services, _) = services(Some(TOKEN));
    let token = Arc::clone(services.token.as_ref().unwrap());
    let router = router(services, limits());
    let status = async |given: &str| {
        let request = Request::builder().uri("/v1/customers/c-1");
        let request = request.header("authorization", format!("Bearer {given}"));
        send(&router, request.body(Body::empty()).unwrap())
            .await
            .status
    };
    assert_eq!(status(TOKEN).await, StatusCode::OK);
    token.replace("close-sesame");
    assert_eq!(status(TOKEN).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status("close-sesame").await, StatusCode::OK);
}
