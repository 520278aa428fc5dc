//! The pages under docs/ say what the program does: examples are valid, and lists are complete and name nothing
//! that is not there.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::body::to_bytes;
use axum::http::Request;
use axum::http::StatusCode;
use clap::CommandFactory;
use jsonschema::Validator;
use segstream::cli::Cli;
use segstream::cli::http_meter::HttpMeter;
use segstream::config::store::Engine;
use segstream::domain::change::ChangeKind;
use segstream::domain::change::ChangeReason;
use segstream::domain::change::SegmentChange;
use segstream::domain::churn::RiskBand;
use segstream::domain::event::Channel;
use segstream::domain::event::EventBody;
use segstream::domain::event::EventType;
use segstream::domain::event::RejectReason;
use segstream::domain::event::parse::parse;
use segstream::domain::ids::CustomerId;
use segstream::domain::ids::ModelVersion;
use segstream::domain::ids::SegmentId;
use segstream::domain::topic::Topic;
use segstream::engine::verdict::Outcome;
use segstream::http::DeadLetters;
use segstream::http::EventIntake;
use segstream::http::LettersAsked;
use segstream::http::LettersLookup;
use segstream::http::Lookup;
use segstream::http::Queries;
use segstream::http::Receipt;
use segstream::http::Services;
use segstream::http::meter::Closed;
use segstream::http::meter::Holding;
use segstream::http::meter::Meter;
use segstream::http::meter::Refused;
use segstream::http::meter::Uncounted;
use segstream::http::router::Limits;
use segstream::http::router::router;
use segstream::http::token::Token;
use segstream::telemetry::metrics::DescribedModel;
use segstream::telemetry::metrics::Metrics;
use segstream::telemetry::observe;
use segstream::view::dead_letter::DeadLetterView;
use segstream::view::dead_letter::DeadLettersView;
use segstream::view::segments::SegmentsView;
use serde_json::Value;
use serde_json::json;
use tower::ServiceExt;

use crate::engine::garbage;
use crate::support;

/// When the examples arrive.
const RECORD_TIME: &str = "2026-11-21T00:00:00Z";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn page(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// The bodies of the page's blocks of a language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}");
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() == fence {
            let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            found.push(body.join("\n"));
        }
    }
    found
}

/// The text below a heading, down to the next one of any level.
fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let start = text
        .match_indices(heading)
        .find(|(at, _)| {
            let ends = text[at + heading.len()..].starts_with('\n');
            ends && (*at == 0 || text[..*at].ends_with('\n'))
        })
        .unwrap_or_else(|| panic!("no heading {heading:?}"));
    let body = &text[start.0 + heading.len()..];
    let end = ["\n# ", "\n## ", "\n### "]
        .iter()
        .filter_map(|next| body.find(next))
        .min();
    &body[..end.unwrap_or(body.len())]
}

/// Rows of the page's tables, cell by cell, without headers and rulers.
fn rows(text: &str) -> Vec<Vec<&str>> {
    let lines: Vec<&str> = text.lines().collect();
    let is_ruler = |line: &str| line.starts_with("| ---");
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let is_header = lines.get(at + 1).is_some_and(|next| is_ruler(next));
        if line.starts_with("| ") && !is_ruler(line) && !is_header {
            found.push(line.trim_matches('|').split('|').map(str::trim).collect());
        }
    }
    found
}

/// What stands between backticks.
fn names(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// Names in the first cells of a section's table.
fn first_names(text: &str) -> BTreeSet<&str> {
    let rows = rows(text);
    let first = rows.iter().filter_map(|row| row.first().copied());
    first.flat_map(names).collect()
}

fn set<'a>(names: impl IntoIterator<Item = &'a str>) -> BTreeSet<&'a str> {
    names.into_iter().collect()
}

fn schema(name: &str) -> Validator {
    let text = page(&format!("docs/schemas/{name}.schema.json"));
    jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap()
}

fn problems(schema: &Validator, value: &Value) -> Vec<String> {
    schema
        .iter_errors(value)
        .map(|error| format!("{}: {error}", error.instance_path))
        .collect()
}

#[test]
fn every_example_of_an_event_is_accepted_and_fits_the_schema() {
    let (text, schema) = (page("docs/EVENTS.md"), schema("event"));
    let examples = blocks(&text, "json");
    let mut types = BTreeSet::new();
    for example in &examples {
        let parsed = parse(
            example.as_bytes(),
            support::at(RECORD_TIME),
            &support::intake(),
        );
        let event = parsed.unwrap_or_else(|invalid| panic!("{example}\n{}", invalid.detail));
        let event_type = event.body.event_type().as_str();
        types.insert(event_type);
        let heading = format!("## {event_type}");
        assert!(section(&text, &heading).contains(example.as_str()));
        let is_processed = !matches!(event.body, EventBody::NotProcessed(_));
        let says_so = !section(&text, &heading).contains("Not processed by this version");
        assert_eq!(is_processed, says_so, "{event_type}");
        let value: Value = serde_json::from_str(example).unwrap();
        assert_eq!(problems(&schema, &value), Vec::<String>::new(), "{example}");
    }
    let all = EventType::ALL.map(EventType::as_str);
    assert_eq!(types, set(all), "an example a type");
    assert_eq!(first_names(section(&text, "## Types")), set(all));
}

#[test]
fn every_reject_reason_and_every_verdict_is_explained() {
    let text = page("docs/EVENTS.md");
    let reasons = set(RejectReason::ALL.map(RejectReason::as_str));
    assert_eq!(first_names(section(&text, "## Reject reasons")), reasons);
    let outcomes = set(Outcome::ALL.map(Outcome::as_str));
    assert_eq!(first_names(section(&text, "## Verdicts")), outcomes);
    for channel in Channel::ALL {
        let name = format!("`{}`", channel.as_str());
        assert!(section(&text, "## order.completed").contains(&name));
    }
}

/// A schema cannot know rates, caps, clocks, keys, or what is no JSON at all.
const BEYOND_A_SCHEMA: [&str; 5] = [
    "key_mismatch",
    "unknown_currency",
    "future",
    "too_old",
    "unreadable",
];

#[test]
fn the_schema_refuses_what_the_parser_refuses_where_a_schema_can_tell() {
    let schema = schema("event");
    let mut refused = BTreeSet::new();
    for (bad, reason) in garbage() {
        let Ok(value) = serde_json::from_slice::<Value>(bad.payload.as_deref().unwrap()) else {
            continue;
        };
        let is_over_the_cap = value["revenue"]
            .as_f64()
            .is_some_and(|revenue| revenue > 1e18);
        if BEYOND_A_SCHEMA.contains(&reason) && value.is_object() || is_over_the_cap {
            assert_eq!(problems(&schema, &value), Vec::<String>::new(), "{value}");
        } else {
            assert!(!schema.is_valid(&value), "{reason}: {value}");
            refused.insert(reason);
        }
    }
    assert!(refused.len() >= 7, "{refused:?}");
}

/// What is wrong with an order, field by field, and what is right although it looks odd.
#[test]
fn the_schema_and_the_parser_agree_on_odd_values() {
    let schema = schema("event");
    let valid = json!({
        "event_id": "e-1", "type": "order.completed", "occurred_at": "2026-11-20T09:30:00Z",
        "customer_id": "c-1", "order_id": "o-1", "currency": "USD", "revenue": "1.00",
    });
    let updated = json!({
        "event_id": "p-1", "type": "customer.updated", "occurred_at": 1_795_167_000_000_i64,
        "customer_id": "c-1", "profile": {},
    });
    let refunded = json!({
        "event_id": "r-1", "type": "order.refunded", "occurred_at": "2026-11-20T09:30:00Z",
        "customer_id": "c-1", "order_id": "o-1", "currency": "USD", "refund_amount": "1.00",
    });
    let merged = json!({
        "event_id": "m-1", "type": "customer.merged", "occurred_at": "2026-11-20T09:30:00Z",
        "customer_id": "c-1", "merged_from": ["c-2"],
    });
    let odd = [
        (&refunded, "refund_amount", json!(0)),
        (&refunded, "refund_amount", json!("0.01")),
        (&refunded, "refund_amount", Value::Null),
        (&refunded, "refund_id", json!(7)),
        (&refunded, "refund_id", json!("")),
        (&refunded, "revenue", json!([])),
        (&merged, "merged_from", json!([])),
        (&merged, "merged_from", json!("c-2")),
        (&merged, "merged_from", json!([7])),
        (&merged, "merged_from", json!(["c\u{7f}2"])),
        (&merged, "merged_from", json!(["c-2", " "])),
        (&refunded, "refund_id", json!("r\n")),
        (&refunded, "refund_id", json!("\u{a0}")),
        (&merged, "merged_from", Value::Null),
        (&valid, "event_id", json!(7)),
        (&valid, "event_id", json!("x".repeat(129))),
        (&valid, "event_id", json!("")),
        (&valid, "event_id", json!(" ")),
        (&valid, "event_id", json!("e\u{85}")),
        (&valid, "customer_id", json!("\u{3000}")),
        (&valid, "customer_id", json!("c\0")),
        (&valid, "order_id", json!("\u{2003} ")),
        (&valid, "order_id", json!("o\t1")),
        (&valid, "occurred_at", json!("20261120T093000Z")),
        (&valid, "occurred_at", json!("2026-11-20T09:30Z")),
        (&valid, "occurred_at", json!("2026-11-20T09:30:00+0100")),
        (&valid, "occurred_at", json!("2026-11-20T09:30:00Z[UTC]")),
        (
            &valid,
            "occurred_at",
            json!("2026-11-20t09:30:00.1234567890z"),
        ),
        (&valid, "products", json!([["wine", 1, 2]])),
        (&valid, "revenue", json!("0.060000000000000005")),
        (&valid, "revenue", json!("5e-324")),
        (&valid, "event_id", Value::Null),
        (&valid, "type", json!("order.lost")),
        (&valid, "occurred_at", json!("2026-11-20")),
        (&valid, "occurred_at", json!("2026-11-20T09:30:00+01:00")),
        (&valid, "occurred_at", json!(1.5)),
        (&valid, "occurred_at", Value::Null),
        (&valid, "customer_id", json!(42)),
        (&valid, "customer_id", Value::Null),
        (&valid, "customer_id", json!("x".repeat(257))),
        (&valid, "is_guest", json!("yes")),
        (&valid, "is_guest", json!(true)),
        (&valid, "test", json!(1)),
        (&valid, "test", Value::Null),
        (&valid, "order_id", json!("")),
        (&valid, "order_id", json!(7)),
        (&valid, "currency", json!("usd")),
        (&valid, "revenue", json!("1,00")),
        (&valid, "revenue", json!("")),
        (&valid, "revenue", json!(-1)),
        (&valid, "revenue", json!("-0.00")),
        (&valid, "revenue", json!("1e3")),
        (&valid, "revenue", json!(true)),
        (&valid, "revenue", Value::Null),
        (&valid, "discount", json!("-1")),
        (&valid, "discount", json!(0)),
        (&valid, "coupon", json!(7)),
        (&valid, "coupon", json!("")),
        (&valid, "channel", json!("door")),
        (&valid, "channel", json!("")),
        (&valid, "channel", Value::Null),
        (&valid, "products", json!({})),
        (&valid, "products", json!([{"category": 7}])),
        (&valid, "products", json!([{"price": "x"}])),
        (&valid, "products", json!([{"sku": [1], "quantity": "0.5"}])),
        (&valid, "products", json!([null])),
        (&valid, "profile", json!(7)),
        (&valid, "merged_from", json!([])),
        (&valid, "unknown_field", json!([{}])),
        (&updated, "profile", Value::Null),
        (&updated, "profile", json!("x")),
        (&updated, "profile", json!({"birth_year": 1849})),
        (&updated, "profile", json!({"birth_year": "1979"})),
        (&updated, "profile", json!({"birth_year": 1979})),
        (&updated, "profile", json!({"income": "-1"})),
        (&updated, "profile", json!({"income": 1.5})),
        (&updated, "profile", json!({"joined_at": "soon"})),
        (&updated, "profile", json!({"attributes": {"": 1}})),
        (&updated, "profile", json!({"attributes": {"a": []}})),
        (&updated, "profile", json!({"attributes": {"a": 1e16}})),
        (
            &updated,
            "profile",
            json!({"attributes": {"a": -9_007_199_254_740_991_i64}}),
        ),
        (&updated, "profile", json!([1979])),
        (
            &updated,
            "profile",
            json!({"attributes": {"a": null, "b": ""}}),
        ),
        (&updated, "order_id", json!(7)),
        (&updated, "currency", json!(7)),
    ];
    for (event, field, value) in odd {
        let mut event = event.clone();
        event[field] = value;
        let text = event.to_string();
        let parsed = parse(
            text.as_bytes(),
            support::at(RECORD_TIME),
            &support::intake(),
        );
        let found = problems(&schema, &event);
        assert_eq!(
            parsed.is_ok(),
            found.is_empty(),
            "{event}\n{parsed:?}\n{found:?}"
        );
    }
    let mut without_an_id = valid.clone();
    without_an_id.as_object_mut().unwrap().remove("event_id");
    assert!(schema.is_valid(&without_an_id));
    without_an_id["order_id"] = Value::Null;
    assert!(!schema.is_valid(&without_an_id));
}

#[test]
fn every_example_of_a_change_fits_the_schema_and_has_the_id_it_should() {
    let (text, schema) = (page("docs/CHANGES.md"), schema("change"));
    let examples = blocks(&text, "json");
    assert!(examples.len() >= 2);
    for example in &examples {
        let value: Value = serde_json::from_str(example).unwrap();
        assert_eq!(problems(&schema, &value), Vec::<String>::new(), "{example}");
        let field = |name: &str| value.pointer(name).and_then(Value::as_str).unwrap();
        let id = SegmentChange::derive_id(
            &CustomerId::new(field("/customer_id")),
            value["sequence"].as_u64().unwrap(),
            &SegmentId::new(field("/current/segment_id")),
            &ModelVersion::new(field("/model/version")),
        );
        assert_eq!(id.to_string(), field("/event_id"), "{example}");
    }
    let mut wrong: Value = serde_json::from_str(&examples[0]).unwrap();
    wrong.as_object_mut().unwrap().remove("previous");
    assert!(!schema.is_valid(&wrong), "a move has a segment before");
    for kind in [
        ChangeKind::Assigned,
        ChangeKind::Changed,
        ChangeKind::ChurnRiskChanged,
    ] {
        assert!(section(&text, "## Kinds").contains(kind.cloud_event_type()));
    }
    let reasons = [
        ChangeReason::Purchase,
        ChangeReason::Profile,
        ChangeReason::TimePassed,
    ];
    let explained = first_names(section(&text, "## Reasons and causes"));
    assert_eq!(explained, set(reasons.map(ChangeReason::as_str)));
}

/// Changes as the engine writes them: of purchases, of time, and of bands.
#[test]
fn what_the_engine_writes_fits_the_schema_and_every_field_is_explained() {
    let (text, schema) = (page("docs/CHANGES.md"), schema("change"));
    let explained = first_names(section(&text, "## Fields"));
    let directory = tempfile::tempdir().unwrap();
    let sizing = support::Sizing {
        commit_records: 50,
        flush_records: 100,
        flush_bytes: 1 << 30,
        engine: Engine::Fjall,
        flushes_in_background: false,
        page_bytes: 2048,
        cache_bytes: 1 << 20,
    };
    let faults = segstream::faults::Faults::none();
    let mut life = support::Life::begin(directory.path(), 2, sizing, &faults);
    for customer in 0..20 {
        let id = format!("c-{customer}");
        let event = json!({
            "event_id": "e-1", "type": "order.completed", "occurred_at": "2026-06-01T00:00:00Z",
            "customer_id": id, "order_id": "o-1", "currency": "USD", "revenue": 10 * customer,
        });
        let record = segstream::log::embedded::InputRecord::new(
            Some(support::at("2026-06-01T00:00:00Z")),
            Some(id.into_bytes()),
            event.to_string().into_bytes(),
        );
        life.log.append(vec![record], None).unwrap();
    }
    life.advance_to = Some(support::at("2027-06-01T00:00:00Z"));
    life.run_to_end().unwrap();
    let mut kinds = BTreeSet::new();
    for entry in life.log.changes() {
        let (_, _, record) = entry.unwrap();
        let value: Value = serde_json::from_slice(record.value.as_deref().unwrap()).unwrap();
        assert_eq!(problems(&schema, &value), Vec::<String>::new(), "{value}");
        kinds.insert(value["kind"].as_str().unwrap().to_owned());
        let fields = value.as_object().unwrap().keys().map(String::as_str);
        let unexplained: Vec<&str> = fields.filter(|field| !explained.contains(field)).collect();
        assert!(unexplained.is_empty(), "{unexplained:?}");
        for (name, _) in &record.headers {
            let header = format!("`{name}`");
            assert!(section(&text, "## Headers").contains(&header), "{header}");
        }
    }
    assert!(kinds.len() >= 2, "{kinds:?}");
}

/// Names and types of everything registered, with a sample of each.
fn exposed() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let metrics = Arc::new(Metrics::new(&["a"]).unwrap());
    metrics.describe_model(&DescribedModel {
        version: "m",
        k: 1,
        churn: "none",
        trained_at_ms: 0,
        silhouette: Some(0.5),
    });
    observe::verdicts(&metrics, "order.completed", "applied", 1);
    observe::transition(&metrics, None, "a", "purchase", 0.5);
    observe::customers_moved(&metrics, "a", Some(RiskBand::Low), 1);
    observe::lag(&metrics, 0, 1);
    observe::last_event(&metrics, 0, 1.0);
    observe::restore_started(&metrics, 0, 1);
    observe::cache_wiped(&metrics, 0, "digest");
    HttpMeter::new(Arc::clone(&metrics)).answered("/livez", "2xx");
    let page = metrics.render().unwrap();
    let mut exposed = BTreeMap::new();
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            exposed.insert(name.to_owned(), (kind.to_owned(), BTreeSet::new()));
        } else if let (false, Some((series, rest))) = (line.starts_with('#'), line.split_once('{'))
        {
            let of_histogram = ["_bucket", "_sum", "_count"]
                .iter()
                .filter_map(|suffix| series.strip_suffix(suffix))
                .find(|name| exposed.contains_key(*name));
            let name = of_histogram.unwrap_or(series);
            let labels = rest.split('}').next().unwrap().split(',');
            let labels = labels.map(|label| label.split('=').next().unwrap().to_owned());
            let found = &mut exposed.get_mut(name).unwrap().1;
            found.extend(labels.filter(|label| label != "le"));
        }
    }
    exposed
}

/// The names that the source registers, whether a sample shows or not.
fn registered() -> BTreeSet<String> {
    let files = ["mod", "deliveries", "http", "partitions", "model"];
    let source = files.map(|file| page(&format!("src/telemetry/metrics/{file}.rs")));
    let source = source.concat();
    let calls = [
        "new.counter(",
        "new.counters(",
        "new.gauge(",
        "new.gauges(",
        "new.optional_gauge(",
        "new.histogram(",
        "options(",
    ];
    let found = calls.iter().flat_map(|call| source.split(call).skip(1));
    found
        .map(|rest| format!("segstream_{}", rest.split('"').nth(1).unwrap()))
        .collect()
}

#[test]
fn every_metric_is_explained_with_its_type_and_labels_and_no_other() {
    let (text, exposed) = (page("docs/METRICS.md"), exposed());
    let of_the_service = exposed
        .keys()
        .filter(|name| name.starts_with("segstream_"))
        .cloned();
    assert_eq!(
        of_the_service.collect::<BTreeSet<String>>(),
        registered(),
        "a metric without a sample: make one in `exposed`"
    );
    let mut explained = BTreeMap::new();
    for row in rows(&text) {
        let [name, kind, labels, _, _] = row[..] else {
            panic!("{row:?}");
        };
        let labels = names(labels).into_iter().map(str::to_owned).collect();
        explained.insert(names(name)[0].to_owned(), (kind.to_owned(), labels));
    }
    // Which of the process's own there are depends on the system.
    explained.retain(|name, _| name.starts_with("segstream_") || exposed.contains_key(name));
    assert_eq!(explained, exposed);
    let wipes = page("src/store/wipe_reason.rs");
    let reasons = wipes.split("fn as_str").nth(1).unwrap();
    for reason in reasons
        .split('}')
        .next()
        .unwrap()
        .split('"')
        .skip(1)
        .step_by(2)
    {
        assert!(text.contains(&format!("`{reason}`")), "{reason}");
    }
    let reasons = Refused::ALL.map(Refused::as_str).into_iter();
    let reasons = reasons.chain(Closed::ALL.map(Closed::as_str));
    for reason in reasons.chain(Holding::ALL.map(Holding::as_str)) {
        assert!(text.contains(&format!("`{reason}`")), "{reason}");
    }
}

/// Every command below one, with the words that call it.
fn commands(command: &clap::Command, words: &str) -> Vec<(String, clap::Command)> {
    let mut all = vec![(words.to_owned(), command.clone())];
    for below in command.get_subcommands() {
        all.extend(commands(below, &format!("{words} {}", below.get_name())));
    }
    all
}

fn options(text: &str) -> BTreeSet<&str> {
    let words = text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '-'));
    words
        .filter_map(|word| word.strip_prefix("--"))
        .filter(|name| !name.is_empty() && !name.starts_with('-'))
        .collect()
}

#[test]
fn every_command_and_every_option_is_on_the_page_and_no_other() {
    let text = page("docs/COMMAND_LINE.md");
    let mut all = commands(&Cli::command(), "segstream");
    all.remove(0);
    let headings: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("## segstream "))
        .collect();
    let called = all.iter().map(|(words, _)| &words["segstream ".len()..]);
    assert_eq!(headings, called.collect::<BTreeSet<&str>>());
    for (words, command) in &all {
        let body = section(&text, &format!("## {words}"));
        let own = command.get_opts().filter_map(clap::Arg::get_long);
        let own: BTreeSet<&str> = own.collect();
        let table = rows(body);
        let first = table.iter().map(|row| row[0]);
        let listed: BTreeSet<&str> = first.flat_map(options).collect();
        assert_eq!(listed, own, "{words}");
    }
    let lines = rows(section(&text, "## Fields of an export"));
    let fields = lines.iter().flat_map(|row| names(row[0]));
    let fields: BTreeSet<&str> = fields.collect();
    let source = page("src/view/export.rs");
    let source = source.split("pub struct ExportLine {").nth(1).unwrap();
    let source = source.split("\n}").next().unwrap().lines();
    let declared = source.filter_map(|line| line.trim().strip_prefix("pub ")?.split_once(':'));
    assert_eq!(fields, declared.map(|(name, _)| name).collect());
}

struct Nothing;

impl Queries for Nothing {
    fn customer(&self, _customer_id: &str) -> Result<Lookup, String> {
        Ok(Lookup::Unknown)
    }

    fn segments(&self) -> SegmentsView {
        SegmentsView {
            model_version: String::new(),
            trained_at: String::new(),
            segments: Vec::new(),
        }
    }

    fn metrics(&self) -> Result<String, String> {
        Ok(String::new())
    }

    fn waiting_for(&self) -> Vec<String> {
        Vec::new()
    }
}

impl EventIntake for Nothing {
    fn is_open(&self) -> bool {
        true
    }

    fn backlog(&self) -> u64 {
        0
    }

    fn accept(&self, lines: Vec<Vec<u8>>) -> Result<Receipt, String> {
        Ok(Receipt {
            accepted: lines.len(),
            refused: Vec::new(),
        })
    }
}

impl DeadLetters for Nothing {
    fn page(&self, _asked: &LettersAsked) -> Result<LettersLookup<DeadLettersView>, String> {
        Ok(LettersLookup::NotThere { start: 0, end: 0 })
    }

    fn one(&self, _partition: u32, _offset: u64) -> Result<LettersLookup<DeadLetterView>, String> {
        Ok(LettersLookup::NotThere { start: 0, end: 0 })
    }
}

#[tokio::test]
async fn every_route_is_on_the_page_and_every_route_of_the_page_answers() {
    let text = page("docs/HTTP.md");
    let source = page("src/http/router.rs");
    let calls = source.split(".route(").skip(1);
    let routes: BTreeSet<String> = calls
        .map(|call| {
            let (path, rest) = call.split_once("\",").unwrap();
            let path = path.trim_start().trim_start_matches('"');
            let method = rest.trim_start().split('(').next().unwrap().to_uppercase();
            format!("{method} {path}")
        })
        .collect();
    let headings: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .filter(|heading| heading.contains('/'))
        .map(str::to_owned)
        .collect();
    assert_eq!(headings, routes);
    let table = text.split("\n## ").next().unwrap();
    let listed = first_names(table).into_iter().map(str::to_owned);
    assert_eq!(listed.collect::<BTreeSet<String>>(), routes);
    let services = Services {
        queries: Arc::new(Nothing),
        intake: Some(Arc::new(Nothing)),
        changes: None,
        dead_letters: Arc::new(Nothing),
        token: Some(Arc::new(Token::new("secret"))),
        meter: Arc::new(Uncounted),
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
    for row in rows(table) {
        let (method, path) = names(row[0])[0].split_once(' ').unwrap();
        let path = path.replace("{id}", "c-1");
        let request = Request::builder().method(method).uri(path);
        let request = request.body(Body::from("{}")).unwrap();
        let answer = router.clone().oneshot(request).await.unwrap();
        let needs_a_token = answer.status() == StatusCode::UNAUTHORIZED;
        assert_eq!(needs_a_token, row[1] == "yes", "{row:?}");
        let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        assert!(!String::from_utf8_lossy(&body).contains("there is nothing here"));
    }
}

/// Files that git would keep, below a folder.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy();
        if name == "target" || name == ".git" {
            continue;
        }
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

fn with_extension<'a>(found: &'a [PathBuf], extension: &'a str) -> impl Iterator<Item = &'a Path> {
    let paths = found.iter().map(PathBuf::as_path);
    paths.filter(move |path| path.extension().is_some_and(|found| found == extension))
}

/// The anchor that a heading has.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter_map(|letter| match letter {
        ' ' => Some('-'),
        letter if letter.is_alphanumeric() || letter == '-' || letter == '_' => Some(letter),
        _ => None,
    });
    kept.collect()
}

/// Targets of the links of a page, outside code.
fn links(text: &str) -> Vec<&str> {
    let mut is_code = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        }
        if !is_code {
            let targets = line.split("](").skip(1);
            found.extend(targets.filter_map(|rest| rest.split(')').next()));
        }
    }
    found
}

#[test]
fn every_link_of_a_page_leads_to_a_file_and_a_heading() {
    let mut found = Vec::new();
    files(&root(), &mut found);
    let mut broken = Vec::new();
    let mut checked = 0;
    for path in with_extension(&found, "md") {
        let text = std::fs::read_to_string(path).unwrap();
        for link in links(&text) {
            if link.starts_with("http://") || link.starts_with("https://") {
                continue;
            }
            checked += 1;
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => path.to_owned(),
                file => path.parent().unwrap().join(file),
            };
            let has_heading = heading.is_empty()
                || std::fs::read_to_string(&target).is_ok_and(|text| {
                    let mut headings = text.lines().filter(|line| line.starts_with('#'));
                    headings.any(|line| anchor(line) == heading)
                });
            if !target.exists() || !has_heading {
                broken.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(checked > 40, "{checked} links");
}

/// Pages that a comment names, such as `docs/EVENTS.md`.
fn pages_named(comment: &str) -> Vec<&str> {
    let is_of_a_path = |letter: char| letter.is_ascii_alphanumeric() || "_-./".contains(letter);
    let words = comment.split(|letter: char| !is_of_a_path(letter));
    words
        .map(|word| word.trim_end_matches('.'))
        .filter(|word| word.len() > ".md".len() && word.ends_with(".md"))
        .collect()
}

/// Whose papers have numbered parts.
const AUTHORS: [&str; 3] = ["Vassilvitskii", "Stegun", "Nocedal"];

/// Whether a comment cites by a number, or a page in capitals without its ending: headings last longer than numbers,
/// and a path can be opened.
fn cites_loosely(comment: &str) -> bool {
    if AUTHORS.iter().any(|author| comment.contains(author)) {
        return false;
    }
    let words: Vec<&str> = comment.split_whitespace().collect();
    words.windows(2).any(|pair| {
        let (word, next) = (pair[0].trim_start_matches(['(', '`']), pair[1]);
        let is_numbered = next.starts_with(|letter: char| letter.is_ascii_digit());
        let is_part =
            ["section", "sections", "rule", "rules"].contains(&word.to_lowercase().as_str());
        let page = word.trim_end_matches([',', ':']);
        let is_capitals = page.len() > 5
            && page != word
            && page
                .chars()
                .all(|letter| letter.is_ascii_uppercase() || letter == '_');
        let goes_on = is_numbered || next.starts_with("section") || next.starts_with("rule");
        is_part && is_numbered || is_capitals && goes_on
    })
}

/// Whether a page has the heading that a citation begins with.
fn is_heading_of(text: &str, cited: &str) -> bool {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let mut names = headings.map(|line| line.trim_start_matches('#').trim());
    names.any(|name| cited.starts_with(name))
}

#[test]
fn no_comment_cites_a_page_that_is_not_in_the_repository() {
    let mut found = Vec::new();
    for folder in ["src", "tests", "benches", "bench"] {
        files(&root().join(folder), &mut found);
    }
    let mut broken = Vec::new();
    let mut cited = 0;
    for path in with_extension(&found, "rs") {
        let text = std::fs::read_to_string(path).unwrap();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (at, line) in lines.iter().enumerate() {
            let Some(comment) = line.find("//").map(|start| &line[start..]) else {
                continue;
            };
            let place = format!("{}:{}", path.display(), at + 1);
            if cites_loosely(comment) {
                broken.push(format!("{place}: cite a page and a heading: {comment}"));
            }
            // A citation may go on in the next line of the comment.
            let next = lines
                .get(at + 1)
                .map_or("", |next| next.trim_start_matches(['/', '!']));
            let both = format!("{comment}{next}");
            for name in pages_named(comment) {
                cited += 1;
                let Ok(text) = std::fs::read_to_string(root().join(name)) else {
                    broken.push(format!("{place}: there is no {name}"));
                    continue;
                };
                let after = both.split(name).nth(1).unwrap_or("");
                let heading = after
                    .strip_prefix(", ")
                    .filter(|rest| rest.starts_with(|letter: char| letter.is_ascii_uppercase()));
                if heading.is_some_and(|heading| !is_heading_of(&text, heading)) {
                    broken.push(format!("{place}: {name} has no such heading: {comment}"));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(cited > 20, "{cited} citations");
}

#[test]
fn a_loose_citation_is_noticed() {
    let page = "OTHERS";
    for text in ["section 2", "sections 2 and 3", "6.3", "rules 9 and 10"] {
        assert!(cites_loosely(&format!("// {page}, {text}.")), "{text}");
    }
    assert!(cites_loosely(&["// By rule", "3 of that page."].join(" ")));
    assert!(!cites_loosely(
        "// docs/EVENTS.md, Verdicts. Up to 24 hours, 5 minutes."
    ));
    let ending = ".md";
    let named = format!("//! See `docs/X{ending}` (a{ending}).");
    assert_eq!(pages_named(&named), ["docs/X.md", "a.md"]);
}

#[test]
fn the_page_of_the_topics_has_a_row_for_each_as_the_table_says() {
    let text = page("docs/TOPICS.md");
    let head = section(&text, "# Topics");
    let found = rows(head);
    assert_eq!(found.len(), Topic::ALL.len());
    for topic in Topic::ALL {
        let row = topic.row();
        let setting = format!("`{}`", row.setting);
        let mut of_setting = found.iter().filter(|cells| cells[1] == setting);
        let cells = of_setting.next().unwrap_or_else(|| panic!("{setting}"));
        match row.cleanup {
            Some(cleanup) => assert_eq!(cells[2], cleanup.as_str(), "{setting}"),
            None => assert!(cells[2].starts_with("yours"), "{setting}"),
        }
        assert_eq!(cells[0] == "none", row.is_optional, "{setting}");
    }
}
