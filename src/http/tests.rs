//! The router as a client sees it, on answers made up here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::body::to_bytes;
use axum::http::HeaderMap;
use axum::http::Request;
use axum::http::StatusCode;
use serde_json::Value;
use serde_json::json;
use serde_json::value::to_raw_value;
use tokio::sync::Notify;
use tower::ServiceExt;

use crate::domain::time::Timestamp;
use crate::http::ChangesLookup;
use crate::http::DeadLetters;
use crate::http::EventIntake;
use crate::http::LettersAsked;
use crate::http::LettersLookup;
use crate::http::Lookup;
use crate::http::PublishedChanges;
use crate::http::Queries;
use crate::http::Receipt;
use crate::http::RefusedLine;
use crate::http::Services;
use crate::http::meter::Closed;
use crate::http::meter::Holding;
use crate::http::meter::Meter;
use crate::http::meter::Refused;
use crate::http::meter::Uncounted;
use crate::http::router::Limits;
use crate::http::router::router;
use crate::http::router::router_with;
use crate::http::token::Token;
use crate::view::changes::ChangeAt;
use crate::view::changes::ChangesView;
use crate::view::customer::CustomerView;
use crate::view::dead_letter::DeadLetterView;
use crate::view::dead_letter::DeadLettersView;
use crate::view::dead_letter::LetterRecord;
use crate::view::export::ExportLine;
use crate::view::segments::SegmentView;
use crate::view::segments::SegmentsView;

const TOKEN: &str = "open-sesame";
const BODY_BYTES_MAX: usize = 4096;
const BODY_LINES_MAX: usize = 500;
const ANSWERS_BYTES_MAX: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Default)]
struct Shelf {
    waiting: Vec<String>,
    is_broken: bool,
}

impl Queries for Shelf {
    fn customer(&self, customer_id: &str) -> Result<Lookup, String> {
        match customer_id {
            "c-1" | "a/b ü" => Ok(Lookup::Found(Box::new(CustomerView {
                line: ExportLine {
                    customer_id: customer_id.to_owned(),
                    ..ExportLine::default()
                },
                ..CustomerView::default()
            }))),
            "c-moving" => Ok(Lookup::Restoring),
            "c-broken" => Err("the disk is gone".to_owned()),
            _ => Ok(Lookup::Unknown),
        }
    }

    fn segments(&self) -> SegmentsView {
        let segment = SegmentView {
            id: "dormant".to_owned(),
            name: "Dormant".to_owned(),
            description: String::new(),
            share: 0.25,
            profile: BTreeMap::from([("orders".to_owned(), 1.5)]),
            customers: 0,
        };
        SegmentsView {
            model_version: "m-1".to_owned(),
            trained_at: "2026-11-01T02:00:00.000Z".to_owned(),
            segments: vec![segment],
        }
    }

    fn metrics(&self) -> Result<String, String> {
        if self.is_broken {
            Err("no metrics".to_owned())
        } else {
            Ok("up 1\n".to_owned())
        }
    }

    fn waiting_for(&self) -> Vec<String> {
        self.waiting.clone()
    }
}

/// Two partitions; each change says where it stands.
struct Published;

impl PublishedChanges for Published {
    fn changes(&self, partition: u32, from: u64, limit: usize) -> Result<ChangesLookup, String> {
        if partition >= 2 {
            return Ok(ChangesLookup::NoPartition { partitions: 2 });
        }
        if from > 5000 {
            return Ok(ChangesLookup::PastEnd { end: 5000 });
        }
        let offset_next = from + limit as u64;
        let changes = (from..offset_next).map(|offset| ChangeAt {
            offset,
            change: to_raw_value(&json!({"at": offset})).unwrap(),
        });
        Ok(ChangesLookup::Found(ChangesView {
            partition,
            partitions: 2,
            offset_next,
            end: 5000,
            changes: changes.collect(),
        }))
    }
}

/// Two partitions; the first has the offsets 5 to 9, of which the first says what was asked for, and the other one is busy.
struct Letters;

impl Letters {
    fn letter(offset: u64, text: String) -> DeadLetterView {
        let value = text.into_bytes();
        let record = LetterRecord {
            partition: 0,
            offset,
            timestamp: Timestamp::default(),
            key: None,
            value: Some(&value),
            headers: &[],
        };
        DeadLetterView::shown(&record, 1000)
    }
}

impl DeadLetters for Letters {
    fn page(&self, asked: &LettersAsked) -> Result<LettersLookup<DeadLettersView>, String> {
        Ok(match asked.partition {
            0 if asked.from > 10 => LettersLookup::NotThere { start: 5, end: 10 },
            0 => LettersLookup::Found(DeadLettersView {
                partition: 0,
                partitions: 2,
                offset_next: 6,
                end: 10,
                dead_letters: vec![Self::letter(5, format!("{asked:?}"))],
            }),
            1 => LettersLookup::Busy,
            _ => LettersLookup::NoPartition { partitions: 2 },
        })
    }

    fn one(&self, partition: u32, offset: u64) -> Result<LettersLookup<DeadLetterView>, String> {
        Ok(match (partition, offset) {
            (0, 5..10) => LettersLookup::Found(Self::letter(offset, "one".to_owned())),
            (0, 77) => return Err("the disk is gone".to_owned()),
            (0, 78) => LettersLookup::NotThere { start: 0, end: 0 },
            (0, _) => LettersLookup::NotThere { start: 5, end: 10 },
            (1, _) => LettersLookup::Busy,
            _ => LettersLookup::NoPartition { partitions: 2 },
        })
    }
}

/// Refuses what contains `bad`, keeps the rest.
#[derive(Default)]
struct Basket(Mutex<Vec<String>>, AtomicU64);

impl Basket {
    fn kept(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl EventIntake for Basket {
    fn backlog(&self) -> u64 {
        self.1.load(Ordering::Relaxed)
    }

    fn accept(&self, lines: Vec<Vec<u8>>) -> Result<Receipt, String> {
        let mut receipt = Receipt::default();
        for (line, payload) in (1..).zip(lines) {
            let text = String::from_utf8_lossy(&payload).into_owned();
            if text.contains("bad") {
                let detail = "type must be known".to_owned();
                receipt.refused.push(RefusedLine {
                    line,
                    reason: "type",
                    detail,
                });
            } else {
                receipt.accepted += 1;
                self.0.lock().unwrap().push(text);
            }
        }
        Ok(receipt)
    }
}

/// Says that it was entered, then waits to be let go.
struct Gate {
    entered: Arc<Notify>,
    release: Mutex<mpsc::Receiver<()>>,
}

impl EventIntake for Gate {
    fn backlog(&self) -> u64 {
        0
    }

    fn accept(&self, lines: Vec<Vec<u8>>) -> Result<Receipt, String> {
        self.entered.notify_one();
        let released = self.release.lock().unwrap().recv_timeout(PATIENCE);
        released.map_err(|error| error.to_string())?;
        Ok(Receipt {
            accepted: lines.len(),
            refused: Vec::new(),
        })
    }
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// Every error has the shape of RFC 9457 and repeats its status.
    fn problem(&self, status: StatusCode) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], status.as_u16());
        for member in ["type", "title", "detail"] {
            assert!(problem[member].is_string(), "{member} of {problem}");
        }
        problem
    }
}

fn limits() -> Limits {
    Limits {
        body_bytes_max: BODY_BYTES_MAX,
        body_lines_max: BODY_LINES_MAX,
        body_timeout: PATIENCE,
        bodies_bytes_max: 4 * BODY_BYTES_MAX,
        answers_bytes_max: ANSWERS_BYTES_MAX,
        backlog_events_max: 1000,
        failed_login_delay: Duration::ZERO,
        timeout: PATIENCE,
    }
}

fn services(token: Option<&str>) -> (Services, Arc<Basket>) {
    let basket = Arc::new(Basket::default());
    let services = Services {
        queries: Arc::new(Shelf::default()),
        intake: Some(basket.clone()),
        changes: Some(Arc::new(Published)),
        dead_letters: Arc::new(Letters),
        token: token.map(|token| Arc::new(Token::new(token))),
        meter: Arc::new(Uncounted),
    };
    (services, basket)
}

fn open() -> (Router, Arc<Basket>) {
    let (services, basket) = services(None);
    (router(services, limits()), basket)
}

fn gated(timeout: Duration) -> (Router, Arc<Notify>, mpsc::Sender<()>) {
    let (release, released) = mpsc::channel();
    let entered = Arc::new(Notify::new());
    let intake = Gate {
        entered: Arc::clone(&entered),
        release: Mutex::new(released),
    };
    let services = Services {
        queries: Arc::new(Shelf::default()),
        intake: Some(Arc::new(intake)),
        changes: None,
        dead_letters: Arc::new(Letters),
        token: None,
        meter: Arc::new(Uncounted),
    };
    let limits = Limits {
        timeout,
        ..limits()
    };
    (router_with(services, limits, 1), entered, release)
}

async fn send(router: &Router, request: Request<Body>) -> Answer {
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    Answer {
        status: parts.status,
        headers: parts.headers,
        text,
    }
}

async fn call(router: &Router, method: &str, path: &str, body: impl Into<Body>) -> Answer {
    let request = Request::builder().method(method).uri(path);
    send(router, request.body(body.into()).unwrap()).await
}

async fn get(router: &Router, path: &str) -> Answer {
    call(router, "GET", path, Body::empty()).await
}

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
async fn changes_come_from_where_the_request_says_and_a_bad_parameter_is_named() {
    let (router, _) = open();
    let answer = get(&router, "/v1/changes?partition=1&from=7&limit=2").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("cache-control"), "no-store");
    let expected = json!({
        "partition": 1, "partitions": 2, "offset_next": 9, "end": 5000,
        "changes": [{"offset": 7, "change": {"at": 7}}, {"offset": 8, "change": {"at": 8}}],
    });
    assert_eq!(answer.json(), expected);
    let default = get(&router, "/v1/changes").await.json();
    assert_eq!(default["partition"], 0);
    assert_eq!(default["changes"].as_array().unwrap().len(), 100);
    for (parameters, sentence) in [
        ("partition=2", "partition is 2, allowed is 0 to 1"),
        (
            "partition=-1",
            "partition is \"-1\", allowed is the number of a partition, from 0",
        ),
        ("from=x", "from is \"x\", allowed is an offset, from 0"),
        (
            "from=5001",
            "from is 5001, which is past the end 5000 of the partition: was the log made anew or restored?",
        ),
        ("limit=0", "limit is 0, allowed is 1 to 1000"),
        ("limit=1001", "limit is 1001, allowed is 1 to 1000"),
        (
            "after=1",
            "\"after\" is not a parameter, allowed are partition, from and limit",
        ),
    ] {
        let answer = get(&router, &format!("/v1/changes?{parameters}")).await;
        answer.problem(StatusCode::BAD_REQUEST);
        assert_eq!(answer.json()["detail"], sentence);
    }
}

#[tokio::test]
async fn changes_of_kafka_are_read_from_their_topic() {
    let (router, ..) = gated(PATIENCE);
    let answer = get(&router, "/v1/changes").await;
    answer.problem(StatusCode::NOT_FOUND);
    assert!(
        answer.json()["detail"]
            .as_str()
            .unwrap()
            .contains("topics.changes")
    );
}

#[tokio::test]
async fn dead_letters_come_as_the_request_says_and_a_bad_parameter_is_named() {
    let (router, _) = open();
    let path = "/v1/dead-letters?partition=0&from=7&limit=2&reason=late&reason=type&records=true";
    let answer = get(&router, path).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("cache-control"), "no-store");
    let asked = |answer: &Answer| answer.json()["dead_letters"][0]["record"]["payload"].clone();
    let expected = "LettersAsked { partition: 0, from: 7, limit: 2, reasons: [\"late\", \"type\"], has_records: true }";
    assert_eq!(asked(&answer), expected);
    let default = get(&router, "/v1/dead-letters").await;
    let expected =
        "LettersAsked { partition: 0, from: 0, limit: 100, reasons: [], has_records: false }";
    assert_eq!(asked(&default), expected);
    for (parameters, sentence) in [
        ("partition=2", "partition is 2, allowed is 0 to 1"),
        (
            "partition=x",
            "partition is \"x\", allowed is the number of a partition, from 0",
        ),
        ("from=-1", "from is \"-1\", allowed is an offset, from 0"),
        (
            "from=11",
            "from is 11, which is past the end 10 of the partition",
        ),
        ("limit=0", "limit is 0, allowed is 1 to 1000"),
        ("limit=1001", "limit is 1001, allowed is 1 to 1000"),
        (
            "reason=curency",
            "reason is \"curency\", allowed are unreadable, ",
        ),
        (
            "records=yes",
            "records is \"yes\", allowed is true or false",
        ),
        (
            "after=1",
            "\"after\" is not a parameter, allowed are partition, from, limit, reason and records",
        ),
    ] {
        let answer = get(&router, &format!("/v1/dead-letters?{parameters}")).await;
        answer.problem(StatusCode::BAD_REQUEST);
        let json = answer.json();
        let detail = json["detail"].as_str().unwrap();
        assert!(detail.starts_with(sentence), "{detail}");
    }
    let busy = get(&router, "/v1/dead-letters?partition=1").await;
    busy.problem(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(busy.header("retry-after"), "1");
}

#[tokio::test]
async fn one_dead_letter_has_a_path_and_a_place_without_one_is_404() {
    let (router, _) = open();
    let answer = get(&router, "/v1/dead-letters/0/5").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.json()["record"]["payload"], "one");
    for (place, status, sentence) in [
        (
            "0/4",
            StatusCode::NOT_FOUND,
            "partition 0 has no dead letter at offset 4: its offsets are 5 to 9",
        ),
        (
            "0/78",
            StatusCode::NOT_FOUND,
            "partition 0 has no dead letters",
        ),
        (
            "0/77",
            StatusCode::INTERNAL_SERVER_ERROR,
            "the disk is gone",
        ),
        (
            "1/0",
            StatusCode::SERVICE_UNAVAILABLE,
            "the dead letters are being read or written: try again later",
        ),
        (
            "2/0",
            StatusCode::BAD_REQUEST,
            "partition is 2, allowed is 0 to 1",
        ),
        (
            "x/0",
            StatusCode::BAD_REQUEST,
            "partition is \"x\", allowed is the number of a partition, from 0",
        ),
        (
            "0/1.5",
            StatusCode::BAD_REQUEST,
            "offset is \"1.5\", allowed is an offset, from 0",
        ),
        (
            "0/%ff",
            StatusCode::BAD_REQUEST,
            "the path must be percent-encoded UTF-8",
        ),
    ] {
        let answer = get(&router, &format!("/v1/dead-letters/{place}")).await;
        answer.problem(status);
        assert_eq!(answer.json()["detail"], sentence, "{place}");
    }
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
async fn events_beyond_the_backlog_are_refused_before_any_line_is_taken() {
    let (router, basket) = open();
    basket.1.store(1000, Ordering::Relaxed);
    let answer = call(&router, "POST", "/v1/events", "{}").await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    basket.1.store(1001, Ordering::Relaxed);
    // Larger than a body may be: it is not even looked at.
    let body = "x".repeat(BODY_BYTES_MAX + 1);
    let answer = call(&router, "POST", "/v1/events", body).await;
    let problem = answer.problem(StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.header("retry-after"), "5");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("1001 events") && detail.contains("http.backlog_events_max are 1000"));
    assert_eq!(basket.kept().len(), 1);
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

/// Notes what is counted.
#[derive(Debug, Default)]
struct Notes(Mutex<Vec<String>>);

impl Meter for Notes {
    fn requests_changed(&self, _: i64) {}
    fn answered(&self, route: &str, class: &'static str) {
        self.0.lock().unwrap().push(format!("{route} {class}"));
    }
    fn refused(&self, reason: Refused) {
        self.0.lock().unwrap().push(reason.as_str().to_owned());
    }
    fn connection_opened(&self) {}
    fn connection_closed(&self, _: Closed) {}
    fn accept_failed(&self) {}
    fn bytes_changed(&self, _: Holding, _: i64) {}
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
