//! What HTTP and the command line answer of a customer and of the segments, to the byte.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::body::to_bytes;
use axum::http::Request;
use axum::http::StatusCode;
use segstream::cli::compose::AnyLog;
use segstream::cli::dead_letters::service::LogDeadLetters;
use segstream::cli::services::CommittedState;
use segstream::engine::policy::Rules;
use segstream::faults::Faults;
use segstream::http::Services;
use segstream::http::router::Limits;
use segstream::http::router::router;
use segstream::log::embedded::InputRecord;
use segstream::view::customer::customer_view;
use segstream::view::export::export_line;
use serde_json::json;
use tower::ServiceExt;

use crate::support;
use crate::support::Life;
use crate::support::Sizing;
use segstream::config::store::Engine;

const SIZING: Sizing = Sizing {
    commit_records: 50,
    flush_records: 100,
    flush_bytes: 1 << 30,
    engine: Engine::Fjall,
    flushes_in_background: false,
    page_bytes: 2048,
    cache_bytes: 1 << 20,
};

fn events() -> Vec<serde_json::Value> {
    vec![
        json!({
            "event_id": "p-1", "type": "customer.updated", "occurred_at": "2026-02-01T08:00:00Z", "customer_id": "c-1",
            "profile": {"birth_year": 1979, "income": "58138", "joined_at": "2024-02-27T00:00:00Z"},
        }),
        json!({
            "event_id": "e-1", "type": "order.completed", "occurred_at": "2026-03-01T09:30:00Z", "customer_id": "c-1",
            "order_id": "o-1", "currency": "USD", "revenue": "829.50", "coupon": "SUMMER", "channel": "store",
            "products": [{"category": "wine", "quantity": 3, "price": "140.00"}, {"category": "meat", "price": 200}],
        }),
        json!({
            "event_id": "e-2", "type": "order.completed", "occurred_at": "2026-05-20T09:30:00Z", "customer_id": "c-1",
            "order_id": "o-2", "currency": "USD", "revenue": "264", "channel": "web",
        }),
        json!({
            "event_id": "p-2", "type": "customer.updated", "occurred_at": "2026-02-01T08:00:00Z", "customer_id": "c-2",
            "profile": {"income": "31000"},
        }),
    ]
}

/// Two customers, one of whom has not bought anything yet.
fn ran(root: &Path) -> Life {
    let mut life = Life::begin(root, 1, SIZING, &Faults::none());
    let records = events().into_iter().map(|event| {
        InputRecord::new(
            Some(support::at("2026-06-01T00:00:00Z")),
            Some(event["customer_id"].as_str().unwrap().as_bytes().to_vec()),
            event.to_string().into_bytes(),
        )
    });
    life.log.append(records.collect(), None).unwrap();
    life.run_to_end().unwrap();
    life
}

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/answers");
    std::fs::read_to_string(path.join(name)).unwrap_or_default()
}

#[tokio::test]
async fn what_http_answers_of_a_customer_and_the_segments_is_the_same_to_the_byte() {
    let folder = tempfile::tempdir().unwrap();
    let life = ran(folder.path());
    let services = Services {
        queries: Arc::new(CommittedState {
            shared: Arc::clone(&life.shared),
            partitions: 1,
            owns_all: true,
        }),
        intake: None,
        changes: None,
        dead_letters: Arc::new(LogDeadLetters::new(AnyLog::Embedded(life.log.clone()))),
        token: None,
        meter: Arc::new(segstream::http::meter::Uncounted),
    };
    let limits = Limits {
        body_bytes_max: 4096,
        body_lines_max: 10,
        body_timeout: Duration::from_secs(10),
        bodies_bytes_max: 4096,
        answers_bytes_max: 1 << 20,
        backlog_events_max: 10,
        failed_login_delay: Duration::ZERO,
        timeout: Duration::from_secs(10),
    };
    let router = router(services, limits);
    for (path, name) in [
        ("/v1/customers/c-1", "customer.json"),
        ("/v1/customers/c-2", "prospect.json"),
        ("/v1/segments", "segments.json"),
    ] {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        let answer = router.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert_eq!(body, fixture(name).trim_end(), "{path}");
    }
}

/// The customer's next change is on 2026-06-19 (`tests/fixtures/answers/export.jsonl`), so it is due and not committed as
/// of the last two instants.
#[test]
fn http_and_an_export_say_the_same_as_of_any_instant() {
    let folder = tempfile::tempdir().unwrap();
    let life = ran(folder.path());
    let rules = Rules {
        policy: &life.shared.policy,
        model: &life.shared.model,
    };
    let records = life.records();
    for as_of in [
        "2026-06-01T00:00:00Z",
        "2026-06-19T04:36:34.721Z",
        "2026-06-19T04:36:34.722Z",
        "2027-01-01T00:00:00Z",
    ] {
        let as_of = support::at(as_of);
        for (id, record) in &records {
            let line = json!(export_line(id, record, as_of, rules));
            let mut view = json!(customer_view(id, record, as_of, rules));
            let is_due = line["next_change_at"].as_str().map(support::at) <= Some(as_of);
            assert_eq!(view["evaluated_at"], line["as_of"]);
            let answer = view.as_object_mut().unwrap();
            for more in [
                "segment",
                "runner_up",
                "explanation",
                "imputed",
                "next_change",
            ] {
                answer.remove(more);
            }
            answer.insert("evaluated_at".to_owned(), line["evaluated_at"].clone());
            if let Some(risk) = answer.get_mut("churn_risk") {
                risk.as_object_mut().unwrap().remove("basis");
            }
            assert_eq!(view, line, "{id} {as_of}");
            if id == "c-1" {
                assert_eq!(line["confidence"] == 0.0, is_due, "{line}");
                assert_eq!(line["segment_id"], "low-value-recent-young");
                assert_eq!(line["next_change_at"], "2026-06-19T04:36:34.722Z");
            }
        }
    }
}

#[test]
fn a_line_of_an_export_is_the_same_to_the_byte() {
    let folder = tempfile::tempdir().unwrap();
    let life = ran(folder.path());
    let (model, policy) = (&life.shared.model, &life.shared.policy);
    let records = life.records();
    let lines = records.iter().map(|(id, record)| {
        let rules = Rules { policy, model };
        let line = export_line(id, record, record.evaluated_at, rules);
        serde_json::to_string(&line).unwrap()
    });
    let lines: Vec<String> = lines.collect();
    assert_eq!(lines.join("\n"), fixture("export.jsonl").trim_end());
}
