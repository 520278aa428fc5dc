//! One intake: a line gets the same verdict through `replay` and through POST, and POST takes it exactly when that verdict
//! is neither rejected nor unsupported.
//!
//! 100,000 generated lines go through `replay`, and 10,000 of them through POST. `SEGSTREAM_TEST_LINES=n` makes it n and a
//! tenth of n, `SEGSTREAM_TEST_SEED=n` replays one.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::body::to_bytes;
use axum::http::Request;
use axum::http::StatusCode;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256Plus;
use segstream::cli::compose::AnyLog;
use segstream::cli::dead_letters::service::LogDeadLetters;
use segstream::cli::services::CommittedState;
use segstream::cli::services::LogIntake;
use segstream::config::store::Engine;
use segstream::engine::verdict::Outcome;
use segstream::faults::Faults;
use segstream::http::Services;
use segstream::http::meter::Uncounted;
use segstream::http::router::Limits;
use segstream::http::router::router;
use segstream::log::embedded::EmbeddedLog;
use serde_json::Value;
use serde_json::json;
use tower::ServiceExt;

use crate::events;
use crate::support::Life;
use crate::support::Sizing;

const PARTITIONS: u32 = 3;
const SIZING: Sizing = Sizing {
    commit_records: 500,
    flush_records: 100_000,
    flush_bytes: 1 << 30,
    engine: Engine::Fjall,
    flushes_in_background: false,
    page_bytes: 2048,
    cache_bytes: 1 << 24,
};
/// A problem document lists so many refused lines.
const LINES_LISTED: usize = 100;

/// A line without the white space around it, as it is stored.
fn trimmed(line: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| b" \t\r\n".contains(byte);
    let begin = line.iter().position(|byte| !is_blank(byte)).unwrap();
    let end = line.iter().rposition(|byte| !is_blank(byte)).unwrap();
    &line[begin..=end]
}

/// Why lines are refused, by the line.
type Reasons = BTreeMap<Vec<u8>, String>;

/// What `segstream replay` says of a file of these lines: the dead letters that are not late, and how many there are.
fn replayed(root: &Path, lines: &[Vec<u8>]) -> (Reasons, u64) {
    let (input, store) = (root.join("lines.jsonl"), root.join("store"));
    std::fs::write(&input, lines.join(&b'\n')).unwrap();
    let settings = [
        format!("store.directory={}", store.display()),
        format!("embedded.partitions={PARTITIONS}"),
        // As those of the other engine.
        "events.customer_ids_ignored=null,test".to_owned(),
    ];
    let mut command = Command::new(env!("CARGO_BIN_EXE_segstream"));
    // A generated instant may be of any year.
    command.args(["replay", "--allow-future", "--format", "jsonl", "--json"]);
    // It is for this test to say which are rejected.
    command.args(["--max-rejected", "1000000000"]);
    command.arg("--input").arg(&input);
    for setting in settings {
        command.args(["--set", &setting]);
    }
    let output = command.output().unwrap();
    let messages = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{messages}");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let verdicts = summary["verdicts"].as_object().unwrap();
    let total: u64 = verdicts.values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(total, lines.len() as u64, "one verdict each: {summary}");
    let count = |outcome: Outcome| {
        verdicts
            .get(outcome.as_str())
            .map_or(0, |count| count.as_u64().unwrap())
    };
    let refused = count(Outcome::Rejected) + count(Outcome::Unsupported);

    let log = root.join("store-log");
    let log = EmbeddedLog::open(&log, PARTITIONS, Faults::none()).unwrap();
    let mut reasons = Reasons::new();
    let mut letters = 0;
    for letter in log.dead_letters() {
        let record = letter.unwrap().2;
        let mut headers = record.headers.iter();
        let (_, reason) = headers.find(|(name, _)| name == "reason").unwrap();
        let reason = String::from_utf8(reason.clone().unwrap()).unwrap();
        if reason == Outcome::Late.as_str() {
            continue;
        }
        letters += 1;
        let value = record.value.unwrap();
        let before = reasons.insert(value, reason.clone());
        assert!(before.is_none_or(|before| before == reason));
    }
    assert_eq!(letters, refused, "a dead letter each: {summary}");
    (reasons, refused)
}

/// An engine that takes events over HTTP.
struct Server {
    life: Life,
    router: Router,
    runtime: tokio::runtime::Runtime,
}

struct Answer {
    status: StatusCode,
    body: Value,
}

impl Server {
    fn begin(root: &Path) -> Self {
        let life = Life::begin(root, PARTITIONS, SIZING, &Faults::none());
        let shared = Arc::clone(&life.shared);
        let services = Services {
            queries: Arc::new(CommittedState {
                shared: Arc::clone(&shared),
                partitions: PARTITIONS,
                owns_all: true,
            }),
            intake: Some(Arc::new(LogIntake {
                log: life.log.clone(),
                shared,
            })),
            changes: None,
            dead_letters: Arc::new(LogDeadLetters::new(AnyLog::Embedded(life.log.clone()))),
            token: None,
            meter: Arc::new(Uncounted),
        };
        let minute = Duration::from_secs(60);
        let limits = Limits {
            body_bytes_max: 1 << 24,
            body_lines_max: 1 << 20,
            body_timeout: minute,
            bodies_bytes_max: 1 << 26,
            answers_bytes_max: 1 << 26,
            backlog_events_max: u64::MAX,
            failed_login_delay: Duration::ZERO,
            timeout: minute,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = { runtime }.worker_threads(1).enable_time().build().unwrap();
        Self {
            life,
            router: router(services, limits),
            runtime,
        }
    }

    fn post(&self, body: Vec<u8>) -> Answer {
        let request = Request::builder().method("POST").uri("/v1/events");
        let request = request.body(Body::from(body)).unwrap();
        self.runtime.block_on(async {
            let answer = self.router.clone().oneshot(request).await.unwrap();
            let status = answer.status();
            let body = to_bytes(answer.into_body(), 1 << 24).await.unwrap();
            let body = serde_json::from_slice(&body).unwrap();
            Answer { status, body }
        })
    }
}

/// What POST says of the same lines, which must be that: a receipt or a list of the refused, and after it the verdicts of
/// those that were taken.
fn assert_posted(root: &Path, lines: &[Vec<u8>], reasons: &Reasons) {
    let mut server = Server::begin(root);
    let mut accepted = 0;
    for lines in lines.chunks(LINES_LISTED) {
        let refused: Vec<(usize, &str)> = (1..)
            .zip(lines)
            .filter_map(|(number, line)| Some((number, reasons.get(trimmed(line))?.as_str())))
            .collect();
        let answer = server.post(lines.join(&b'\n'));
        let is_bad = refused.iter().any(|(_, reason)| *reason != "unsupported");
        let status = match refused.len() {
            0 => StatusCode::ACCEPTED,
            _ if is_bad => StatusCode::BAD_REQUEST,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        let shown: Vec<_> = lines
            .iter()
            .map(|line| String::from_utf8_lossy(line))
            .collect();
        let body = &answer.body;
        let none = Vec::new();
        let errors = body["errors"].as_array().unwrap_or(&none).iter();
        let said: Vec<(usize, &str)> = errors
            .map(|error| {
                let line = error["line"].as_u64().unwrap();
                (line as usize, error["reason"].as_str().unwrap())
            })
            .collect();
        assert_eq!(said, refused, "{shown:#?}");
        assert_eq!(answer.status, status, "{body}");
        let taken = lines.len() - refused.len();
        assert_eq!(body["accepted"], taken, "{body}");
        accepted += taken as u64;
    }
    server.life.run_to_end().unwrap();
    let counts = server.life.shared.tally.counts();
    assert_eq!(counts.events, accepted);
    let total: u64 = counts.verdicts.values().sum();
    assert_eq!(total, accepted, "one verdict each");
    for outcome in [Outcome::Rejected, Outcome::Unsupported] {
        let count = counts.verdicts.get(&outcome).copied().unwrap_or(0);
        assert_eq!(count, 0, "{outcome:?}");
    }
}

/// Each line with the reason for which both refuse it; none where both take it.
fn assert_judged(lines: &[(impl AsRef<[u8]>, Option<&str>)]) {
    let root = tempfile::tempdir().unwrap();
    let all: Vec<Vec<u8>> = lines
        .iter()
        .map(|(line, _)| line.as_ref().to_vec())
        .collect();
    let (reasons, _) = replayed(root.path(), &all);
    for (line, expected) in lines {
        let found = reasons.get(trimmed(line.as_ref())).map(String::as_str);
        let shown = String::from_utf8_lossy(line.as_ref());
        let shown: String = shown.chars().take(400).collect();
        assert_eq!(found, *expected, "replay of {shown:?}");
    }
    assert_posted(&root.path().join("posted"), &all, &reasons);
}

/// An order whose members are these, or else those of a right one.
fn order(number: usize, members: &[(&str, &str)]) -> String {
    let [event_id, order_id] = ["e", "o"].map(|kind| format!("\"{kind}-{number}\""));
    let mut all = BTreeMap::from([
        ("event_id", event_id.as_str()),
        ("type", r#""order.completed""#),
        ("occurred_at", r#""2026-05-31T12:00:00Z""#),
        ("customer_id", r#""c-1""#),
        ("order_id", order_id.as_str()),
        ("currency", r#""USD""#),
        ("revenue", "12.5"),
    ]);
    all.extend(members.iter().copied());
    let members: Vec<String> = all
        .iter()
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .collect();
    format!("{{{}}}", members.join(","))
}

/// A case each: one member of a right order, and the reason for which the order is refused.
fn assert_members(cases: &[(&str, &str, Option<&'static str>)]) {
    let lines: Vec<(String, Option<&str>)> = cases
        .iter()
        .enumerate()
        .map(|(number, (name, value, reason))| (order(number, &[(name, value)]), *reason))
        .collect();
    assert_judged(&lines);
}

/// RFC 8259 leaves open what a lone surrogate means. A text that is not read has no meaning here.
#[test]
fn a_field_that_is_not_read_may_hold_any_json() {
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_members(&[
        ("note", r#""\ud800""#, None),
        ("note", r#"{"a":["\udfff","\ud800\ud800"]}"#, None),
        ("n\\ud800te", "1", None),
        ("note", &deep(127), None),
        ("note", &deep(128), None),
        ("note", &deep(5_000), None),
        ("note", "1e999999", None),
        ("note", "-0.000000000000000000000000000000000001E+999", None),
        (
            "products",
            r#"[{"sku":"\ud83d","category":"wine","price":1,"\udc00":{}}]"#,
            None,
        ),
        (
            "products",
            &format!(r#"[{{"sku":{},"category":"wine","price":1}}]"#, deep(400)),
            None,
        ),
        // Where a text is read, it must be one.
        ("customer_id", r#""\ud800""#, Some("customer_id")),
        ("coupon", r#""\ud800""#, Some("discount")),
        ("products", r#"[{"category":"\ud800"}]"#, Some("products")),
        ("note", r#""\ud80""#, Some("unreadable")),
        ("note", "[1,]", Some("unreadable")),
    ]);
}

/// serde takes an array for a struct unless it is told not to.
#[test]
fn an_array_never_stands_for_an_object() {
    let updated = |profile: &str| {
        format!(
            r#"{{"event_id":"p","type":"customer.updated","occurred_at":"2026-05-31T12:00:00Z","customer_id":"c-1",
            "profile":{profile}}}"#
        )
        .replace('\n', " ")
    };
    assert_judged(&[
        (
            order(1, &[("products", r#"[["wine",1,2]]"#)]),
            Some("products"),
        ),
        (
            order(2, &[("products", r#"[{"category":"wine"},[]]"#)]),
            Some("products"),
        ),
        (
            order(3, &[("products", r#"[[null,null,"3.5"]]"#)]),
            Some("products"),
        ),
        (updated("[1980,50000]"), Some("profile")),
        (updated("[]"), Some("profile")),
        (
            updated(r#"{"birth_year":1980,"attributes":[["a",1]]}"#),
            Some("profile"),
        ),
        (
            r#"["e-9","order.completed","2026-05-31T12:00:00Z","c-1",false,"o-9","USD",1]"#
                .to_owned(),
            Some("unreadable"),
        ),
        (updated(r#"{"birth_year":1980}"#), None),
    ]);
}

#[test]
fn an_id_of_white_space_only_is_absent() {
    let lines = [
        ("event_id", r#"" ""#, None),
        ("event_id", r#""\u00a0\u3000""#, None),
        // Too many characters for an id, and none that counts.
        ("customer_id", &format!("\"{}\"", " ".repeat(300)), None),
        ("customer_id", "\"\u{2003}\u{2003}\"", None),
        ("customer_id", r#""\t\n""#, None),
        ("order_id", r#""  ""#, Some("order_id")),
        ("order_id", "\"\u{a0}\"", Some("order_id")),
    ];
    assert_members(&lines);
    let root = tempfile::tempdir().unwrap();
    let lines: Vec<Vec<u8>> = [r#"" ""#, r#""\u00a0""#, "\"\u{3000} \u{2003}\""]
        .iter()
        .map(|id| order(1, &[("customer_id", id)]).into_bytes())
        .collect();
    let mut server = Server::begin(root.path());
    let answer = server.post(lines.join(&b'\n'));
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    server.life.run_to_end().unwrap();
    let counts = server.life.shared.tally.counts();
    assert_eq!(counts.verdicts[&Outcome::Guest], 3);
}

/// The controls of Unicode: U+0000 to U+001F and U+007F to U+009F.
#[test]
fn a_control_character_in_an_id_is_refused() {
    assert_members(&[
        ("event_id", r#""e\n1""#, Some("event_id")),
        ("event_id", r#""\u0000""#, Some("event_id")),
        ("event_id", "\"e\u{7f}\"", Some("event_id")),
        ("customer_id", r#""c\u0000""#, Some("customer_id")),
        ("customer_id", r#""c-1\r""#, Some("customer_id")),
        ("customer_id", "\"c\u{85}1\"", Some("customer_id")),
        ("customer_id", "\"\u{9f}\"", Some("customer_id")),
        ("order_id", r#""o\t1""#, Some("order_id")),
        ("order_id", "\"o\u{80}\"", Some("order_id")),
        // Letters, marks and signs of any script.
        ("customer_id", "\"Käufer № 7\"", None),
        ("customer_id", "\"\u{a1}\u{ad}\u{200d}\u{1f6d2}\"", None),
    ]);
}

/// RFC 3339, 5.6, and whole milliseconds.
#[test]
fn an_instant_is_rfc_3339_or_milliseconds() {
    let mut cases = Vec::new();
    for right in [
        r#""2026-05-31T12:00:00Z""#,
        r#""2026-05-31t12:00:00z""#,
        r#""2026-05-31 12:00:00+02:00""#,
        r#""2026-05-31T12:00:00-00:00""#,
        r#""2026-05-31T12:00:00.5+23:59""#,
        r#""2026-05-31T12:00:00.123456789Z""#,
        r#""2026-05-31T12:00:00.12345678901234567890Z""#,
        r#""2016-12-31T23:59:60Z""#,
        "1780000000000",
    ] {
        cases.push(("occurred_at", right, None));
    }
    for wrong in [
        r#""20260531T120000Z""#,
        r#""2026-05-31T12:00Z""#,
        r#""2026-05-31T12Z""#,
        r#""2026-05-31T12:00:00+02""#,
        r#""2026-05-31T12:00:00+0200""#,
        r#""2026-05-31T12:00:00+02:00:30""#,
        r#""2026-05-31T12:00:00+24:00""#,
        r#""2026-05-31T12:00:00+02:60""#,
        r#""2026-05-31T12:00:00+02:00[Europe/Berlin]""#,
        r#""2026-05-31T12:00:00Z[u-ca=iso8601]""#,
        r#""2026-05-31T12:00:00,5Z""#,
        r#""2026-05-31T12:00:00.Z""#,
        r#""2026-05-31T12:00:00""#,
        r#""+002026-05-31T12:00:00Z""#,
        r#""2026-05-31T24:00:00Z""#,
        r#""2026-02-30T12:00:00Z""#,
        r#"" 2026-05-31T12:00:00Z""#,
        r#""1780000000000""#,
        "1780000000000.0",
        "1.78e12",
        "17800000000000000000000",
        "true",
        "[]",
    ] {
        cases.push(("occurred_at", wrong, Some("occurred_at")));
    }
    assert_members(&cases);
}

/// What binary floats leave behind; the expected cents are those of Python's `decimal`, rounded half to even.
#[test]
fn an_amount_is_counted_by_significant_digits() {
    let amount = |name, value: &'static str| (name, value, None);
    assert_members(&[
        amount("revenue", "0.060000000000000005"),
        amount("revenue", "5.551115123125783e-17"),
        amount("revenue", "0.00000000000000000000000000000000001"),
        amount("revenue", "10.000000000000000000000000000000000"),
        amount("discount", "2.7755575615628914e-17"),
        amount("discount", "1e300"),
        amount(
            "products",
            r#"[{"category":"a","quantity":0.30000000000000004,"price":3.3000000000000003}]"#,
        ),
        amount(
            "products",
            r#"[{"category":"a","quantity":123456789.123456789,"price":0.000000000123456789123456}]"#,
        ),
        ("revenue", "1.0000000000000000001", Some("revenue")),
        ("revenue", "1e300", Some("revenue")),
        ("revenue", "1000000000.01", Some("revenue")),
        (
            "products",
            r#"[{"category":"a","quantity":999999999999999999,"price":999999999999999999}]"#,
            Some("products"),
        ),
    ]);
}

/// Greater ones are no longer whole numbers everywhere, and their distances could be infinite.
#[test]
fn a_number_among_the_attributes_is_bounded() {
    let updated = |number: usize, profile: &str| {
        format!(
            r#"{{"event_id":"p-{number}","type":"customer.updated","occurred_at":"2026-05-31T12:00:00Z","customer_id":"c-1","profile":{profile}}}"#
        )
    };
    let cases = [
        (
            r#"{"attributes":{"a":9007199254740991,"b":-9007199254740991}}"#,
            None,
        ),
        (r#"{"attributes":{"a":5e-324,"b":-0.0}}"#, None),
        (r#"{"attributes":{"a":9007199254740993}}"#, Some("profile")),
        (r#"{"attributes":{"a":-1e16}}"#, Some("profile")),
        (r#"{"attributes":{"a":1e308}}"#, Some("profile")),
        (r#"{"attributes":{"a":1e999}}"#, Some("profile")),
        (r#"{"income":1e300}"#, Some("profile")),
        (r#"{"income":"50000.000000000000000001"}"#, Some("profile")),
        (r#"{"income":0.30000000000000004}"#, None),
        (r#"{"birth_year":1e3}"#, Some("profile")),
        (r#"{"birth_year":99999}"#, Some("profile")),
    ];
    let lines: Vec<(String, Option<&str>)> = (0..)
        .zip(cases)
        .map(|(number, (profile, reason))| (updated(number, profile), reason))
        .collect();
    assert_judged(&lines);
}

#[test]
fn white_space_that_json_does_not_have_makes_a_line_unreadable() {
    let lines: Vec<(String, Option<&str>)> = ["\u{c}", "\u{b}", "\u{a0}", "\u{feff}"]
        .iter()
        .enumerate()
        .flat_map(|(number, space)| {
            let line = order(number, &[]);
            [
                (format!("{line}{space}"), Some("unreadable")),
                (format!("{space}{line}"), Some("unreadable")),
                (format!(" \t{line}\r"), None),
            ]
        })
        .collect();
    assert_judged(&lines);
}

fn of_type(event_type: &str) -> String {
    json!({
        "event_id": event_type, "type": event_type, "occurred_at": "2026-05-31T12:00:00Z", "customer_id": "c-1",
        "order_id": "o-1", "currency": "USD", "refund_amount": 1, "merged_from": ["c-2"],
    })
    .to_string()
}

const UNSUPPORTED: [&str; 5] = [
    "order.refunded",
    "order.cancelled",
    "customer.merged",
    "customer.erased",
    "consent.updated",
];

#[test]
fn a_type_that_is_not_processed_is_refused_whoever_the_customer_is() {
    let mut lines = Vec::new();
    for event_type in UNSUPPORTED {
        let line = of_type(event_type);
        let of_guest = line.replace("\"customer_id\":\"c-1\"", "\"is_guest\":true");
        let of_test = line.replace("\"event_id\"", "\"test\":true,\"event_id\"");
        lines.extend([
            (line, Some("unsupported")),
            (of_guest, Some("unsupported")),
            (of_test, Some("unsupported")),
        ]);
    }
    for merged_from in [
        r#"["c\n2"]"#,
        r#"["c-2"," "]"#,
        r#"[["c-2"]]"#,
        r#"["c-2",null]"#,
    ] {
        let line = of_type("customer.merged").replace(r#"["c-2"]"#, merged_from);
        lines.push((line, Some("merged_from")));
    }
    lines.push((order(1, &[]), None));
    assert_judged(&lines);
}

#[test]
fn a_body_is_422_only_if_unsupported_types_are_its_sole_fault() {
    let root = tempfile::tempdir().unwrap();
    let server = Server::begin(root.path());
    let (good, bad) = (order(1, &[]), "{}".to_owned());
    for (lines, status, accepted) in [
        (
            vec![of_type("order.refunded")],
            StatusCode::UNPROCESSABLE_ENTITY,
            0,
        ),
        (
            vec![good.clone(), of_type("customer.erased"), good.clone()],
            StatusCode::UNPROCESSABLE_ENTITY,
            2,
        ),
        (vec![good.clone(), bad.clone()], StatusCode::BAD_REQUEST, 1),
        (
            vec![of_type("consent.updated"), bad, good.clone()],
            StatusCode::BAD_REQUEST,
            1,
        ),
        (vec![good.clone(), good], StatusCode::ACCEPTED, 2),
    ] {
        let before = server.life.log.inputs().count();
        let answer = server.post(lines.join("\n").into_bytes());
        assert_eq!(answer.status, status, "{}", answer.body);
        assert_eq!(answer.body["accepted"], accepted, "{}", answer.body);
        assert_eq!(
            server.life.log.inputs().count() - before,
            accepted,
            "what is kept"
        );
        if status != StatusCode::ACCEPTED {
            assert_eq!(answer.body["status"], status.as_u16());
            assert_eq!(answer.body["refused"], lines.len() - accepted);
        }
    }
    let answer = server.post(of_type("order.cancelled").into_bytes());
    let error = json!({
        "line": 1, "reason": "unsupported", "detail": "type: this version does not process order.cancelled",
    });
    assert_eq!(answer.body["errors"], json!([error]));
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// A generated line, most of them with ids of their own.
fn generated(seed: u64) -> Vec<u8> {
    let mut random = Xoshiro256Plus::seed_from_u64(seed);
    let mut line = events::event(&mut random);
    for (known, own) in [
        ("\"e-1\"", format!("\"e-{seed}\"")),
        ("\"o-1\"", format!("\"o-{seed}\"")),
        ("\"c-1\"", format!("\"c-{}\"", seed % 1000)),
        // The only currency of this engine; some lines keep another one.
        ("\"EUR\"", "\"USD\"".to_owned()),
        ("\"JPY\"", "\"USD\"".to_owned()),
    ] {
        let found = line
            .windows(known.len())
            .position(|part| part == known.as_bytes());
        if let Some(place) = found {
            line.splice(place..place + known.len(), own.into_bytes());
        }
    }
    for byte in &mut line {
        if *byte == b'\n' {
            *byte = b'\r';
        }
    }
    // A blank line is none.
    if line.iter().all(|byte| b" \t\r".contains(byte)) {
        line = b"0".to_vec();
    }
    line
}

#[test]
fn generated_lines_get_one_verdict_each_and_the_same_through_replay_and_post() {
    let chosen = number("SEGSTREAM_TEST_SEED");
    let count = number("SEGSTREAM_TEST_LINES").unwrap_or(100_000);
    let lines: Vec<Vec<u8>> = match chosen {
        Some(seed) => vec![generated(seed)],
        None => (0..count).map(generated).collect(),
    };
    let root = tempfile::tempdir().unwrap();
    let (reasons, refused) = replayed(root.path(), &lines);
    println!(
        "{refused} of {} are refused, for {:?}",
        lines.len(),
        reasons_used(&reasons)
    );
    if chosen.is_none() {
        assert!(
            refused > count / 4 && refused < count / 4 * 3,
            "{refused} of {count}"
        );
    }
    let posted = lines.len().div_ceil(10);
    let shown = std::panic::catch_unwind(|| {
        assert_posted(&root.path().join("posted"), &lines[..posted], &reasons);
    });
    if let Err(panic) = shown {
        eprintln!(
            "line n is SEGSTREAM_TEST_SEED=n cargo test --test suite intake::generated, from 0"
        );
        std::panic::resume_unwind(panic);
    }
}

fn reasons_used(reasons: &Reasons) -> BTreeMap<&str, usize> {
    let mut used = BTreeMap::new();
    for reason in reasons.values() {
        *used.entry(reason.as_str()).or_default() += 1;
    }
    used
}
