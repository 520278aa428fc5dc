//! As of when an export is: the clocks, the wall clock, the last evaluation, or an instant.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Stdio;

use segstream::domain::time::Timestamp;
use segstream::model::artifact::Artifact;
use segstream::model_files;
use segstream::pipeline::partition::clock::WallClock;
use serde_json::Value;
use serde_json::json;

use super::done;
use super::errors;
use super::export;
use super::one_customer;
use super::order;
use super::parsed;
use super::profile;
use super::replay;
use super::run;
use super::segstream;
use crate::support::Chance;
use crate::support::at;
use crate::support::serving::ready_address;
use crate::support::serving::wait_for;
use crate::time_oracle;
use crate::time_oracle::Delivery;

const ENGINES: [&str; 2] = ["store.engine=fjall", "store.engine=sled"];
const BERLIN: &str = "time.business_zone=Europe/Berlin";

fn deliveries(events: &[Value]) -> Vec<Delivery> {
    let mut all: Vec<Delivery> = events
        .iter()
        .map(|event| Delivery {
            record_time_ms: time_oracle::instant(&event["occurred_at"]),
            body: event.clone(),
        })
        .collect();
    all.sort_by_key(|delivery| delivery.record_time_ms);
    all
}

fn shipped_model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/retail-6.json")
}

/// The shipped model with another margin, written where the program reads it.
fn model_with_margin(folder: &Path, distance: f64) -> PathBuf {
    let mut artifact: Artifact = model_files::load_artifact(&shipped_model()).unwrap();
    artifact.margin.distance = distance;
    artifact.version = format!("margin-{distance}");
    artifact.fingerprint = artifact.compute_fingerprint().unwrap();
    let path = folder.join("model.json");
    std::fs::write(&path, serde_json::to_vec(&artifact).unwrap()).unwrap();
    path
}

fn artifact(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn oracle(model: &Path, zone: &str, until_ms: i64) -> time_oracle::Settings {
    time_oracle::Settings {
        model: time_oracle::Model::from_artifact(&artifact(model)),
        churn: None,
        zone: zone.to_owned(),
        until_ms,
    }
}

/// Squared distances to the segments, by id, of scaled values.
fn distances(model: &Path, scaled: &[f64]) -> BTreeMap<String, f64> {
    let artifact = artifact(model);
    let segments = artifact["segments"].as_array().unwrap().iter();
    let of = segments.map(|segment| {
        let centroid = segment["centroid"].as_array().unwrap().iter();
        let apart = scaled.iter().zip(centroid);
        let squared = apart.map(|(one, other)| (one - other.as_f64().unwrap()).powi(2));
        (
            segment["id"].as_str().unwrap().to_owned(),
            squared.sum::<f64>(),
        )
    });
    of.collect()
}

/// docs/TIME_AND_CHURN.md, The segment of a customer.
fn confidence_in(distances: &BTreeMap<String, f64>, segment: &str) -> f64 {
    let others = distances.iter().filter(|(id, _)| *id != segment);
    let other = others.map(|(_, squared)| *squared).fold(f64::MAX, f64::min);
    (1.0 - (distances[segment] / other).sqrt()).max(0.0)
}

fn text(instant_ms: i64) -> String {
    Timestamp::from_milliseconds(instant_ms)
        .unwrap()
        .to_string()
}

/// Windows by the calendar: 2024-06-15 and 730 days are 2026-06-15, 2026-05-20 and 730 days are 2028-05-19; these days
/// and the year 2027 begin in Berlin at 22:00Z and 23:00Z of the day before. 1093.50 = 829.50 + 264.
#[test]
fn features_are_recomputed_as_of_the_instant_and_segment_and_sequence_are_as_committed() {
    let root = tempfile::tempdir().unwrap();
    replay(root.path(), &one_customer(), &["--set", BERLIN]);
    let committed = &export(root.path(), "evaluated", &[])[0];
    let last = at("2026-05-20T09:30:00Z");
    for (as_of, spending, stores, webs, age) in [
        ("2026-05-20T09:30:00Z", 1093.5, 1.0, 1.0, 47.0),
        ("2026-05-20T09:30:00.001Z", 1093.5, 1.0, 1.0, 47.0),
        ("2026-06-14T21:59:59.999Z", 1093.5, 1.0, 1.0, 47.0),
        ("2026-06-14T22:00:00Z", 264.0, 0.0, 1.0, 47.0),
        ("2026-12-31T22:59:59.999Z", 264.0, 0.0, 1.0, 47.0),
        ("2027-01-01T00:00:00+01:00", 264.0, 0.0, 1.0, 48.0),
        ("2028-05-18T21:59:59.999Z", 264.0, 0.0, 1.0, 49.0),
        ("2028-05-18T22:00:00Z", 0.0, 0.0, 0.0, 49.0),
        ("2126-01-01T00:00:00Z", 0.0, 0.0, 0.0, 147.0),
    ] {
        let line = &export(root.path(), as_of, &[])[0];
        let instant = at(as_of);
        assert_eq!(line["as_of"], instant.to_string());
        let features = json!({
            "age": age, "income": 58138.0, "recency_days": instant.days_since(last), "store_purchases": stores,
            "total_spending": spending, "web_purchases": webs,
        });
        assert_eq!(line["features"], features, "{as_of}");
        let dated = [
            "as_of",
            "features",
            "confidence",
            "next_change_at",
            "churn_risk",
        ];
        for (field, value) in committed.as_object().unwrap() {
            assert!(
                dated.contains(&field.as_str()) || line[field] == *value,
                "{as_of}: {field}"
            );
        }
    }
}

/// Customers of all kinds: of one to five purchases in two years, some with a profile.
fn customers(chance: &mut Chance) -> Vec<Value> {
    let mut events = Vec::new();
    let first = time_oracle::at("2024-01-10T00:00:00Z");
    let mut number = 0;
    for customer in 0..14 {
        let id = format!("c-{customer}");
        if customer % 3 > 0 {
            number += 1;
            let mut event = profile(number, &id, &text(first + customer));
            event["profile"]["birth_year"] = json!(1950 + 4 * customer);
            event["profile"]["joined_at"] = json!("2023-05-05T00:00:00Z");
            events.push(event);
        }
        for _ in 0..=chance.below(5) {
            number += 1;
            let occurred_ms = first + chance.below(730 * 86_400_000) as i64;
            let revenue = format!("{}.{:02}", 5 + chance.below(900), chance.below(100));
            events.push(order(number, &id, &text(occurred_ms), &revenue));
        }
    }
    events.sort_by_key(|event| time_oracle::instant(&event["occurred_at"]));
    events
}

/// The oracle (`tests/support/time_oracle.rs`) knows the raw events and the rule, and nothing of the engine. The later of
/// two instants has changes that are due and not committed.
#[test]
fn confidence_and_next_change_are_those_of_an_independent_recount_also_where_a_change_is_due() {
    for (seed, zone, margin) in [
        (1, "UTC", 0.0),
        (2, "Europe/Berlin", 0.0),
        (3, "America/New_York", 0.3),
    ] {
        let root = tempfile::tempdir().unwrap();
        let model = model_with_margin(root.path(), margin);
        let events = customers(&mut Chance(seed));
        let settings = [
            format!("model.path={}", model.display()),
            format!("time.business_zone={zone}"),
        ];
        let settings: Vec<&str> = settings
            .iter()
            .flat_map(|one| ["--set", one.as_str()])
            .collect();
        replay(root.path(), &events, &settings);
        let committed = export(root.path(), "evaluated", &settings);
        let all = deliveries(&events);
        let clock_ms = all.last().unwrap().record_time_ms;
        let until = oracle(&model, zone, time_oracle::at("2029-06-01T00:00:00Z"));
        let changes = time_oracle::replay(&all, &until).changes;
        let (mut due, mut held) = (0, 0);
        for days in [0, 3, 40, 200, 500] {
            let as_of_ms = clock_ms + days * 86_400_000;
            let scaled = time_oracle::scaled_features(&all, &oracle(&model, zone, as_of_ms));
            for (line, before) in export(root.path(), &text(as_of_ms), &settings)
                .iter()
                .zip(&committed)
            {
                let id = line["customer_id"].as_str().unwrap();
                let segment = line["segment_id"].as_str().unwrap();
                let what = format!("seed {seed}, {days} days, {id}");
                assert_eq!(segment, before["segment_id"], "{what}");
                assert_eq!(line["sequence"], before["sequence"], "{what}");
                let distances = distances(&model, &scaled[id]);
                let expected = confidence_in(&distances, segment);
                let found = line["confidence"].as_f64().unwrap();
                assert!(
                    (found - expected).abs() < 1e-9,
                    "{what}: {found} {expected}"
                );
                let evaluated_ms = time_oracle::instant(&line["evaluated_at"]);
                let next = changes[id].iter().find(|change| {
                    change.kind != "churn_risk_changed" && change.occurred_at_ms > evaluated_ms
                });
                let horizon_ms = as_of_ms + 730 * 86_400_000;
                let next = next.filter(|next| next.occurred_at_ms <= horizon_ms);
                let found_ms = line.get("next_change_at").map(time_oracle::instant);
                match next {
                    Some(next) if next.is_close_call => {
                        assert!(
                            (found_ms.unwrap() - next.occurred_at_ms).abs() <= 1,
                            "{what}"
                        );
                    }
                    next => {
                        let next_ms = next.map(|next| next.occurred_at_ms);
                        assert_eq!(found_ms, next_ms, "{what}");
                    }
                }
                let nearest = distances.values().copied().fold(f64::MAX, f64::min);
                let is_due = found_ms.is_some_and(|at_ms| at_ms <= as_of_ms);
                due += u64::from(is_due && found == 0.0);
                held += u64::from(!is_due && nearest < distances[segment]);
            }
        }
        // The cases that this is about are among them.
        assert!(due > 5, "seed {seed}: {due}");
        assert!(margin == 0.0 || held > 0, "seed {seed}: {held}");
    }
}

#[test]
fn a_lapse_that_is_due_is_shown_without_confidence_until_it_is_committed() {
    for engine in ENGINES {
        let root = tempfile::tempdir().unwrap();
        let settings = ["--set", engine];
        replay(root.path(), &one_customer(), &settings);
        let before = &export(root.path(), "clock", &settings)[0];
        let lapses_ms = time_oracle::instant(&before["next_change_at"]);
        let (just_before, day_after) = (text(lapses_ms - 1), text(lapses_ms + 86_400_000));
        let early = &export(root.path(), &just_before, &settings)[0];
        // At the border both distances are equal.
        assert!(early["confidence"].as_f64().unwrap() < 1e-6, "{early}");
        for as_of in [text(lapses_ms), day_after.clone()] {
            let due = &export(root.path(), &as_of, &settings)[0];
            assert_eq!(due["confidence"], 0.0, "{engine} {as_of}");
            assert_eq!(due["segment_id"], before["segment_id"]);
            assert_eq!(due["sequence"], before["sequence"]);
            assert_eq!(due["next_change_at"], text(lapses_ms));
        }
        let mut catch_up = vec!["run", "--until-caught-up", "--advance-to", &day_after];
        catch_up.extend(["--set", "time.clock=event", "--set", "http.address="]);
        catch_up.extend(settings);
        done(root.path(), &catch_up);
        let lapsed = &export(root.path(), "clock", &settings)[0];
        assert_eq!(lapsed["as_of"], day_after);
        assert_eq!(lapsed["evaluated_at"], text(lapses_ms));
        assert_ne!(lapsed["segment_id"], before["segment_id"]);
        assert_eq!(
            lapsed["sequence"].as_u64(),
            before["sequence"].as_u64().map(|one| one + 1)
        );
        assert!(lapsed["confidence"].as_f64().unwrap() > 0.0, "{lapsed}");
        let due_then = &export(root.path(), "evaluated", &settings)[0];
        assert_eq!(due_then["as_of"], text(lapses_ms));
    }
}

/// By the days from the start of the first purchase day.
type Score<'a> = &'a dyn Fn(f64) -> f64;

/// The formulas of docs/TIME_AND_CHURN.md, Churn risk. With T from the start of 2024-06-15 in UTC, x = 1 and t_x = 704
/// days from then to 2026-05-20.
#[test]
fn churn_risk_is_that_of_the_instant_with_every_method() {
    let churn = &artifact(&shipped_model())["churn"];
    let number = |name: &str| churn[name].as_f64().unwrap();
    let (r, alpha, a, b) = (number("r"), number("alpha_days"), number("a"), number("b"));
    let alive = |t: f64| {
        let odds = a / (b + 1.0);
        1.0 / (1.0 + odds * ((alpha + t) / (alpha + 704.0)).powf(r + 1.0))
    };
    let buys = |t: f64| alive(t) * (1.0 - ((alpha + t) / (alpha + t + 273.0)).powf(r + 1.0));
    let silent = |t: f64| ((t - 704.0 - 9.5 / 24.0) / 90.0).min(1.0);
    let purchase = |t: f64| 1.0 - buys(t);
    let not_alive = |t: f64| 1.0 - alive(t);
    let methods: [(&[&str], &str, f64, Score<'_>); 3] = [
        (
            &["churn.method=silence", "churn.silence_days=90"],
            "silence",
            1.0,
            &silent,
        ),
        (&["churn.score=alive"], "mbg_nbd", 0.8, &not_alive),
        (&["churn.score=purchase"], "mbg_nbd", 0.8, &purchase),
    ];
    for (settings, method, high, score) in methods {
        let root = tempfile::tempdir().unwrap();
        let settings: Vec<&str> = settings.iter().flat_map(|one| ["--set", *one]).collect();
        replay(root.path(), &one_customer(), &settings);
        let mut bands = Vec::new();
        for as_of in [
            "2026-05-20T09:30:00Z",
            "2026-07-13T09:29:59.999Z",
            "2026-07-13T09:30:00Z",
            "2026-08-18T09:29:59.999Z",
            "2026-08-18T09:30:00Z",
            "2028-01-01T12:00:00Z",
            "2040-01-01T00:00:00Z",
        ] {
            let risk = &export(root.path(), as_of, &settings)[0]["churn_risk"];
            let age_days = at(as_of).days_since(at("2024-06-15T00:00:00Z"));
            let expected = score(age_days);
            let found = risk["score"].as_f64().unwrap();
            assert!(
                (found - expected).abs() < 1e-12,
                "{settings:?} {as_of}: {found} {expected}"
            );
            let band = match found {
                found if found >= high => "high",
                found if found >= 0.6 => "medium",
                _ => "low",
            };
            assert_eq!(risk["band"], band, "{settings:?} {as_of}");
            assert_eq!(risk["method"], method);
            bands.push(band);
        }
        assert_eq!(bands.last(), Some(&"high"), "{settings:?}");
        // 54 and 90 of 90 days after the purchase.
        let by_silence = ["low", "low", "medium", "medium", "high", "high", "high"];
        assert!(method != "silence" || bands == by_silence, "{bands:?}");
    }
    let root = tempfile::tempdir().unwrap();
    let off = ["--set", "churn.method=off"];
    replay(root.path(), &one_customer(), &off);
    let line = &export(root.path(), "2030-01-01T00:00:00Z", &off)[0];
    assert_eq!(line.get("churn_risk"), None);
}

/// A service that ends with the test, at once.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn answer(address: &str, id: &str) -> Option<Value> {
    let url = format!("http://{address}/v1/customers/{id}");
    let mut response = ureq::get(url).call().ok()?;
    let body = response.body_mut().read_to_string().ok()?;
    serde_json::from_str(&body).ok()
}

/// Every member of an export's line is in the answer of HTTP, where `evaluated_at` is the instant of the values.
fn assert_same(line: &Value, answer: &Value) {
    for (field, value) in line.as_object().unwrap() {
        match field.as_str() {
            "evaluated_at" => assert_eq!(answer[field], line["as_of"], "{answer}"),
            "churn_risk" => {
                let mut risk = answer[field].clone();
                risk.as_object_mut().unwrap().remove("basis");
                assert_eq!(risk, *value, "{answer}");
            }
            _ => assert_eq!(answer[field], *value, "{field}: {answer}"),
        }
    }
    let next = answer.get("next_change").map(|next| &next["at"]);
    assert_eq!(next, line.get("next_change_at"));
}

/// Three partitions whose clocks are months apart: each customer is as of its own.
#[test]
fn by_default_an_export_is_as_of_the_clock_of_each_partition_as_http_is() {
    for engine in ENGINES {
        let root = tempfile::tempdir().unwrap();
        let settings = ["--set", engine, "--set", "embedded.partitions=3"];
        let events = customers(&mut Chance(7));
        replay(root.path(), &events, &settings);
        let mut service = segstream(root.path(), &["run"]);
        service.args(settings);
        service.args(["--set", "http.address=127.0.0.1:0"]);
        service.args(["--set", "time.clock=event"]);
        let service = service.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let service = Service(service.unwrap());
        let address = ready_address(root.path());
        let answers: Vec<Value> = (0..14)
            .map(|number| {
                let id = format!("c-{number}");
                wait_for("answer", || answer(&address, &id))
            })
            .collect();
        drop(service);
        let lines = export(root.path(), "clock", &settings);
        assert_eq!(lines, export_default(root.path(), &settings), "the default");
        assert_eq!(lines.len(), answers.len());
        let by_id: BTreeMap<&str, &Value> = lines
            .iter()
            .map(|line| (line["customer_id"].as_str().unwrap(), line))
            .collect();
        let mut clocks = BTreeMap::new();
        for answer in &answers {
            let id = answer["customer_id"].as_str().unwrap();
            assert_same(by_id[id], answer);
            *clocks.entry(answer["as_of"].as_str().unwrap()).or_insert(0) += 1;
            let mut get = vec!["state", "get", id];
            get.extend(settings);
            let got = without_partition(serde_json::from_str(&done(root.path(), &get)).unwrap());
            assert_eq!(got, *by_id[id]);
            // The same instant asked for by itself.
            let as_of = answer["as_of"].as_str().unwrap();
            get.extend(["--as-of", as_of]);
            let got = without_partition(serde_json::from_str(&done(root.path(), &get)).unwrap());
            assert_eq!(got, *by_id[id]);
        }
        assert!(clocks.len() > 1, "{clocks:?}");
        let evaluated = export(root.path(), "evaluated", &settings);
        assert!(
            evaluated
                .iter()
                .all(|line| line["as_of"] == line["evaluated_at"])
        );
    }
}

/// One customer is shown with the partition, which a list of all does not repeat in each line.
fn without_partition(mut customer: Value) -> Value {
    let partition = customer.as_object_mut().unwrap().remove("partition");
    assert!(partition.unwrap().is_u64());
    customer
}

fn export_default(root: &Path, settings: &[&str]) -> Vec<Value> {
    let mut arguments = vec!["state", "export"];
    arguments.extend(settings);
    parsed(&done(root, &arguments))
}

#[test]
fn an_instant_before_an_evaluation_is_refused_before_anything_is_written() {
    let root = tempfile::tempdir().unwrap();
    let events = [
        order(1, "anna", "2026-01-10T00:00:00Z", "20"),
        order(2, "bert", "2026-02-20T12:00:00.500Z", "20"),
        order(3, "carl", "2026-02-20T12:00:00.500Z", "20"),
    ];
    replay(root.path(), &events, &[]);
    // By a deadline, after which the other two bought.
    let anna = &export(root.path(), "evaluated", &[])[0];
    let anna_ms = time_oracle::instant(&anna["evaluated_at"]);
    assert!(
        anna_ms < time_oracle::at("2026-02-20T12:00:00.500Z"),
        "{anna}"
    );
    let (by_anna, before_anna) = (text(anna_ms), text(anna_ms - 1));
    let out = root.path().join("customers.csv");
    let to_file = ["--out", out.to_str().unwrap()];
    let two = "2 customers were evaluated after it, the last one at 2026-02-20T12:00:00.500Z";
    let three = "3 customers were evaluated after it, the last one at 2026-02-20T12:00:00.500Z";
    for (as_of, is_allowed, said) in [
        ("2026-02-20T12:00:00.500Z", true, ""),
        ("2026-02-20T13:00:00.500+01:00", true, ""),
        ("2026-02-20T12:00:00.501Z", true, ""),
        ("2026-02-20T12:00:00.499Z", false, two),
        (&by_anna, false, two),
        (&before_anna, false, three),
        ("0001-01-01T00:00:00Z", false, three),
    ] {
        for extra in [
            &[][..],
            &["--format", "csv"],
            &["--dir", root.path().join("store").to_str().unwrap()],
            &to_file,
        ] {
            std::fs::write(&out, "as it was").unwrap();
            let mut arguments = vec!["state", "export", "--as-of", as_of];
            arguments.extend(extra);
            let output = run(root.path(), &arguments);
            let text = errors(&output);
            let code = if is_allowed { 0 } else { 2 };
            assert_eq!(output.status.code(), Some(code), "{as_of}: {text}");
            assert!(text.contains(said), "{as_of}: {text}");
            for id in ["anna", "bert", "carl"] {
                assert!(!text.contains(id), "ids are not for logs: {text}");
            }
            if !is_allowed {
                assert!(output.stdout.is_empty(), "{as_of}");
                assert_eq!(std::fs::read_to_string(&out).unwrap(), "as it was");
            }
        }
    }
    // Each customer has its own evaluation.
    for (id, as_of, code) in [
        ("anna", by_anna.as_str(), 0),
        ("anna", &before_anna, 2),
        ("bert", &by_anna, 2),
        ("nobody", "2026-01-10T00:00:00Z", 1),
    ] {
        let output = run(root.path(), &["state", "get", id, "--as-of", as_of]);
        assert_eq!(output.status.code(), Some(code), "{id} {}", errors(&output));
        assert_eq!(output.stdout.is_empty(), code != 0);
    }
}

#[test]
fn now_is_the_wall_clock_and_a_clock_that_is_ahead_of_it_is_that_clock() {
    let root = tempfile::tempdir().unwrap();
    replay(root.path(), &one_customer(), &[]);
    let before = WallClock::system().now();
    let line = &export(root.path(), "now", &[])[0];
    let as_of = at(line["as_of"].as_str().unwrap());
    assert!(before <= as_of && as_of <= WallClock::system().now());
    let last = at("2026-05-20T09:30:00Z");
    assert_eq!(line["features"]["recency_days"], as_of.days_since(last));
    let ahead = "2199-01-01T00:00:00.000Z";
    replay(root.path(), &one_customer(), &["--advance-to", ahead]);
    for command in [
        &["state", "export", "--as-of", "now"][..],
        &["state", "get", "c-1", "--as-of", "now"],
    ] {
        let output = run(root.path(), command);
        let line: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(line["as_of"], ahead);
        assert!(
            errors(&output).contains("ahead of the wall clock"),
            "{}",
            errors(&output)
        );
    }
    assert_eq!(export(root.path(), "clock", &[])[0]["as_of"], ahead);
}

#[test]
fn what_is_no_instant_is_named_with_what_is_allowed() {
    let root = tempfile::tempdir().unwrap();
    for text in [
        "yesterday",
        "NOW",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "01/02/2026",
        "1767225600",
        "-1d",
        "9999-12-31T23:59:59-14:00",
        "2026-02-30T00:00:00Z",
    ] {
        let as_of = format!("--as-of={text}");
        for command in [
            &["state", "export", as_of.as_str()][..],
            &["state", "get", "c-1", &as_of],
        ] {
            let output = run(root.path(), command);
            let said = errors(&output);
            assert_eq!(output.status.code(), Some(2), "{text}: {said}");
            for part in ["--as-of", text, "clock, now or evaluated", "RFC 3339"] {
                assert!(said.contains(part), "{text}: {said}");
            }
        }
    }
    let output = run(root.path(), &["state", "export", "--csv-raw"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(errors(&output).contains("--csv-raw is for --format csv"));
}
