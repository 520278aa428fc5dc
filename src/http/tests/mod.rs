//! The router as a client sees it, on answers made up here.

mod answers;
mod limits;
mod reading;
mod rights;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
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
struct Basket(Mutex<Vec<String>>, AtomicU64, AtomicBool);

impl Basket {
    fn kept(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl EventIntake for Basket {
    fn is_open(&self) -> bool {
        !self.2.load(Ordering::Relaxed)
    }

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
    fn is_open(&self) -> bool {
        true
    }

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
