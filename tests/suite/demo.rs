//! The demo: two years of history in which customers of all six segments join, pause and come back, a shop that stays so
//! while it runs, and events that are posted to it by hand.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::process::Child;
use std::process::ChildStderr;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use segstream::cli::services::LogIntake;
use segstream::cli::services::ShopIntake;
use segstream::cli::shop::ShopClock;
use segstream::cli::shop::opened_before;
use segstream::cli::shop::shop_of_demo;
use segstream::config::store::Engine;
use segstream::domain::time::DAY_MS;
use segstream::domain::time::Timestamp;
use segstream::faults::Faults;
use segstream::http::EventIntake;
use segstream::log::embedded::InputRecord;
use segstream::pipeline::partition::clock::WallClock;
use segstream::simulate::Shop;
use segstream::simulate::ShopEvent;
use serde_json::Value;
use serde_json::json;

use crate::support;
use crate::support::Life;
use crate::support::Sizing;

const PATIENCE: Duration = Duration::from_secs(120);
const PARTITIONS: u32 = 3;
const SIZING: Sizing = Sizing {
    commit_records: 1000,
    flush_records: 1_000_000,
    flush_bytes: 1 << 30,
    engine: Engine::Fjall,
    flushes_in_background: false,
    page_bytes: 2048,
    cache_bytes: 1 << 24,
};
/// The wall clock at the start of the demo.
const STARTED: &str = "2026-11-28T05:30:00Z";
/// Customers of the shop whose changes are looked at.
const CUSTOMERS: u32 = 1000;
/// After the history a demo at 2 days a second is looked at after 30 s and after 2 minutes.
const LATER_DAYS: [i64; 3] = [0, 60, 240];

fn started() -> Timestamp {
    support::at(STARTED)
}

/// What a shop has sent up to so many days after its history.
fn feed(customers: u32, seed: u64, days_after: i64) -> Vec<ShopEvent> {
    let end = started().plus_milliseconds(days_after * DAY_MS);
    shop_of_demo(customers, seed, opened_before(started()))
        .take_while(|event| event.record_time <= end)
        .collect()
}

#[test]
fn the_history_of_a_seed_is_the_same_every_time_and_small_enough_to_be_made_at_once() {
    let history = feed(5000, 1, 0);
    // 5,750 customers on average with about 18 orders in two years, and a profile each.
    assert!(
        (80_000..=130_000).contains(&history.len()),
        "{}",
        history.len()
    );
    assert_eq!(history, feed(5000, 1, 0));
    assert_ne!(history.len(), feed(5000, 2, 0).len());
    let first = history.first().unwrap().record_time;
    let last = history.last().unwrap().record_time;
    assert!(started().days_since(last) < 0.1, "{last}");
    let history_days = started().days_since(first);
    assert!((729.0..=730.0).contains(&history_days), "{history_days}");
}

/// A step of a customer, from the change records.
struct Step {
    at: Timestamp,
    segment: String,
    previous: Option<String>,
    reason: String,
}

/// The changes of a shop through the engine, by customer.
fn steps(customers: u32, seed: u64) -> BTreeMap<String, Vec<Step>> {
    let folder = tempfile::tempdir().unwrap();
    let mut life = Life::begin(folder.path(), PARTITIONS, SIZING, &Faults::none());
    let end_days = LATER_DAYS.into_iter().max().unwrap();
    let records = feed(customers, seed, end_days)
        .into_iter()
        .map(|event| InputRecord::new(Some(event.record_time), event.key, event.payload));
    life.log.append(records.collect(), None).unwrap();
    life.run_to_end().unwrap();
    let mut steps: BTreeMap<String, Vec<Step>> = BTreeMap::new();
    for change in life.changes() {
        let change: Value = serde_json::from_str(&change).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let previous = change["previous"]["segment_id"].as_str();
        let step = Step {
            at: support::at(change["occurred_at"].as_str().unwrap()),
            segment: text(&change["current"]["segment_id"]),
            previous: previous.map(str::to_owned),
            reason: text(&change["reason"]),
        };
        let customer = text(&change["customer_id"]);
        steps.entry(customer).or_default().push(step);
    }
    steps
}

/// The segment of each customer at an instant.
fn segments_at(steps: &BTreeMap<String, Vec<Step>>, at: Timestamp) -> BTreeMap<&str, &str> {
    let latest = |steps: &'_ Vec<Step>| steps.iter().rposition(|step| step.at <= at);
    steps
        .iter()
        .filter_map(|(id, steps)| Some((id.as_str(), steps[latest(steps)?].segment.as_str())))
        .collect()
}

fn at_the_end_and_later() -> [Timestamp; 3] {
    LATER_DAYS.map(|days| started().plus_milliseconds(days * DAY_MS))
}

fn shares_hold(steps: &BTreeMap<String, Vec<Step>>) {
    let mut before: BTreeMap<String, f64> = BTreeMap::new();
    for at in at_the_end_and_later() {
        let segments = segments_at(steps, at);
        let mut shares: BTreeMap<String, f64> = BTreeMap::new();
        for segment in segments.values() {
            *shares.entry((*segment).to_owned()).or_default() += 1.0 / segments.len() as f64;
        }
        println!("{at}: {} customers, {shares:?}", segments.len());
        assert_eq!(shares.len(), 6, "{at}: {shares:?}");
        for (segment, share) in &shares {
            assert!((0.05..=0.40).contains(share), "{at} {segment}: {share}");
            let moved = (share - before.get(segment).unwrap_or(share)).abs();
            assert!(moved < 0.05, "{at} {segment} has drifted by {moved}");
        }
        before = shares;
    }
}

fn time_moves_enough_customers(steps: &BTreeMap<String, Vec<Step>>) {
    let end = started().plus_milliseconds(LATER_DAYS[2] * DAY_MS);
    let by_time = |only_segments: bool| {
        let all = steps.values().flatten();
        all.filter(|step| step.at > started() && step.at <= end && step.reason == "time_passed")
            .filter(|step| !only_segments || step.previous.as_ref() != Some(&step.segment))
            .count() as f64
            / LATER_DAYS[2] as f64
    };
    println!(
        "a day, of {CUSTOMERS} customers: {} changes by time, {} of them of the segment",
        by_time(false),
        by_time(true)
    );
    // At 2 days a second, one change a second is 0.5 a day; a demo has five times as many customers.
    assert!(by_time(true) >= 0.5, "{}", by_time(true));
    assert!(by_time(false) >= by_time(true));
}

fn customers_lapse_and_come_back(steps: &BTreeMap<String, Vec<Step>>) {
    let (mut lapses, mut comebacks) = (0, 0);
    for steps in steps.values() {
        let moves: Vec<&Step> = steps
            .iter()
            .filter(|step| step.at > started() && step.previous.as_ref() != Some(&step.segment))
            .collect();
        lapses += moves
            .iter()
            .filter(|step| step.reason == "time_passed")
            .count();
        comebacks += moves
            .windows(2)
            .filter(|pair| pair[0].reason == "time_passed" && pair[1].reason == "purchase")
            .filter(|pair| pair[0].previous.as_ref() == Some(&pair[1].segment))
            .count();
    }
    println!("{lapses} lapses, {comebacks} comebacks");
    // Nearly half of the lapses of eight months end within them, as pauses last for two to five months; less a margin.
    assert!(comebacks * 4 >= lapses, "{lapses} {comebacks}");
    assert!(comebacks > 100, "{comebacks}");
}

/// Spending and purchases of a segment's customers are about those of the segment in the model.
fn customers_resemble_their_segments(steps: &BTreeMap<String, Vec<Step>>) {
    let segments = segments_at(steps, started());
    let window_begin = opened_before(started());
    // By segment: customers, spending, orders of the web, orders of the store.
    let mut sums: BTreeMap<&str, [f64; 4]> = BTreeMap::new();
    for segment in segments.values() {
        sums.entry(segment).or_default()[0] += 1.0;
    }
    let mut seen = BTreeSet::new();
    for event in feed(CUSTOMERS, 1, 0) {
        let Ok(event) = serde_json::from_slice::<Value>(&event.payload) else {
            continue;
        };
        let Some(segment) = segments.get(event["customer_id"].as_str().unwrap()) else {
            continue;
        };
        let is_counted = event["type"] == "order.completed"
            && event["test"] != true
            && event["is_guest"] != true
            && seen.insert(event["event_id"].to_string());
        if !is_counted || support::at(event["occurred_at"].as_str().unwrap()) < window_begin {
            continue;
        }
        let sums = sums.get_mut(segment).unwrap();
        sums[1] += event["revenue"].as_str().unwrap().parse::<f64>().unwrap();
        sums[2] += f64::from(u8::from(event["channel"] == "web"));
        sums[3] += f64::from(u8::from(event["channel"] == "store"));
    }
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/models/retail-6.json");
    let model: Value = serde_json::from_str(&std::fs::read_to_string(model).unwrap()).unwrap();
    let deviation_of = |name: &str| {
        let mut features = model["features"].as_array().unwrap().iter();
        let feature = features.find(|feature| feature["name"] == name).unwrap();
        feature["standard_deviation"].as_f64().unwrap()
    };
    for segment in model["segments"].as_array().unwrap() {
        let [customers, sums @ ..] = sums[segment["id"].as_str().unwrap()];
        let names = ["total_spending", "web_purchases", "store_purchases"];
        for (name, sum) in names.into_iter().zip(sums) {
            let (mean, expected) = (sum / customers, segment["profile"][name].as_f64().unwrap());
            println!("{} {name}: {mean:.1}, model {expected:.1}", segment["id"]);
            // Well within the spread of a segment.
            assert!(
                (mean - expected).abs() < 0.5 * deviation_of(name),
                "{} {name}: {mean}, of the model {expected}",
                segment["id"]
            );
        }
    }
}

/// One run of the engine, looked at in four ways.
#[test]
fn a_shop_keeps_all_six_segments_while_customers_lapse_and_come_back() {
    let steps = steps(CUSTOMERS, 1);
    shares_hold(&steps);
    time_moves_enough_customers(&steps);
    customers_lapse_and_come_back(&steps);
    customers_resemble_their_segments(&steps);
}

#[test]
fn a_shop_of_another_seed_or_size_keeps_all_six_segments_too() {
    for (customers, seed) in [(400, 2), (500, 3), (700, 12_345)] {
        shares_hold(&steps(customers, seed));
    }
}

fn order(number: u32, occurred_at: Timestamp) -> Vec<u8> {
    let event = json!({
        "event_id": format!("by-hand-{number}"), "type": "order.completed", "occurred_at": occurred_at.to_string(),
        "customer_id": "by-hand", "order_id": format!("by-hand-{number}"), "currency": "USD", "revenue": "20.00",
    });
    event.to_string().into_bytes()
}

#[test]
fn an_event_posted_to_a_shop_has_the_shops_record_time_and_is_compared_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut life = Life::begin(folder.path(), PARTITIONS, SIZING, &Faults::none());
    let intake = || LogIntake {
        log: life.log.clone(),
        shared: Arc::clone(&life.shared),
    };
    // The wall clock of a test's engine stands at 2026-11-24: the shop is half a year ahead of it.
    let shop_now = support::at("2027-05-24T12:00:00Z");
    let shop = ShopIntake {
        intake: intake(),
        clock: ShopClock::new(shop_now),
    };
    let wall_now = support::at("2026-11-24T00:00:00Z");
    let two_days_ahead = shop_now.plus_milliseconds(2 * DAY_MS);
    let lines = vec![
        order(1, wall_now),
        order(2, shop_now),
        order(3, two_days_ahead),
    ];
    let receipt = shop.accept(lines).unwrap();
    assert_eq!(receipt.accepted, 2);
    let refused: Vec<(usize, &str)> = receipt
        .refused
        .iter()
        .map(|refused| (refused.line, refused.reason))
        .collect();
    assert_eq!(refused, [(3, "future")]);
    let counted = |reason| {
        let refused = &life.shared.metrics.http.events_refused;
        refused.with_label_values(&[reason]).get()
    };
    assert_eq!((counted("future"), counted("type")), (1, 0));
    // Without a shop, an event of the event clock has its own time.
    assert_eq!(
        intake().accept(vec![order(4, wall_now)]).unwrap().accepted,
        1
    );
    let times: Vec<Option<Timestamp>> = life
        .log
        .inputs()
        .map(|input| input.unwrap().1.timestamp)
        .collect();
    assert_eq!(times, [Some(shop_now), Some(shop_now), Some(wall_now)]);
    life.run_to_end().unwrap();
    let records = life.records();
    let record = &records["by-hand"];
    assert_eq!(record.evaluated_at, shop_now);
}

/// A demo in a process of its own, killed when it is dropped.
struct Demo {
    child: Child,
    messages: BufReader<ChildStderr>,
}

impl Demo {
    fn begin(arguments: &[&str]) -> Self {
        let mut child = command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let messages = BufReader::new(child.stderr.take().unwrap());
        Self { child, messages }
    }

    /// Reads messages up to the one that begins so, and returns its rest.
    fn rest_of(&mut self, beginning: &str) -> String {
        let mut read = Vec::new();
        loop {
            let mut line = String::new();
            if self.messages.read_line(&mut line).unwrap() == 0 {
                panic!("no {beginning:?} in {read:?}");
            }
            if let Some(rest) = line.strip_prefix(beginning) {
                return rest.trim().to_owned();
            }
            read.push(line);
        }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if self.child.try_wait().unwrap().is_none() {
            self.child.kill().unwrap();
            self.child.wait().unwrap();
        }
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_segstream"));
    command
        .arg("demo")
        .args(arguments)
        .args(["--set", "log.filter=warn"])
        .stdin(Stdio::null());
    command
}

/// The status and the body of an answer.
fn answer_of(address: &str, method: &str, path: &str, body: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
    )
    .unwrap();
    stream.write_all(body).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    (status, body.to_owned())
}

#[test]
fn an_event_posted_by_hand_to_a_running_demo_is_processed_at_once_and_the_customer_is_there() {
    let wall_at_start = WallClock::system().now();
    let mut demo = Demo::begin(&["--customers", "150", "--http", "127.0.0.1:0"]);
    let address = demo.rest_of("metrics  http://");
    let address = address.strip_suffix("/metrics").unwrap().to_owned();
    // Where the address is shown, the history is made: the shop's time is the wall clock's, and goes on.
    let now = WallClock::system().now();
    let (status, body) = answer_of(&address, "POST", "/v1/events", &order(1, now));
    assert_eq!(status, 202, "{body}");
    let begun = Instant::now();
    let customer = loop {
        let (status, body) = answer_of(&address, "GET", "/v1/customers/by-hand", b"");
        if status == 200 {
            break body;
        }
        assert_eq!(status, 404, "{body}");
        assert!(begun.elapsed() < PATIENCE, "the event is not processed");
        std::thread::park_timeout(Duration::from_millis(20));
    };
    let customer: Value = serde_json::from_str(&customer).unwrap();
    assert_eq!(customer["orders"], 1);
    assert_eq!(customer["total_spending"], "20.00");
    let partition = customer["partition"].as_u64().unwrap();
    let path = format!("/v1/changes?partition={partition}&limit=1000");
    let (mut from, mut is_there) = (0, false);
    while !is_there {
        let (status, body) = answer_of(&address, "GET", &format!("{path}&from={from}"), b"");
        assert_eq!(status, 200, "{body}");
        let page: Value = serde_json::from_str(&body).unwrap();
        let changes = page["changes"].as_array().unwrap();
        is_there = changes
            .iter()
            .any(|one| one["change"]["customer_id"] == "by-hand");
        from = page["offset_next"].as_u64().unwrap();
        assert!(
            is_there || !changes.is_empty(),
            "not in partition {partition}"
        );
    }
    let evaluated_at = support::at(customer["evaluated_at"].as_str().unwrap());
    assert!(evaluated_at > wall_at_start, "{evaluated_at}");
    assert!(customer["segment"]["id"].is_string(), "{customer}");
    let (status, body) = answer_of(&address, "GET", "/v1/segments", b"");
    assert_eq!(status, 200);
    let segments: Value = serde_json::from_str(&body).unwrap();
    for segment in segments["segments"].as_array().unwrap() {
        assert!(segment["customers"].as_u64().unwrap() > 0, "{segment}");
    }
    // The lines that it prints name every segment.
    let line = demo.rest_of("shop ");
    for segment in segments["segments"].as_array().unwrap() {
        assert!(line.contains(segment["id"].as_str().unwrap()), "{line}");
    }
}

fn summary_of(arguments: &[&str]) -> Value {
    let output = command(arguments).output().unwrap();
    let messages = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{messages}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_short_demo_ends_with_one_object_that_has_all_six_segments() {
    let summary = summary_of(&["--customers", "200", "--duration", "1s", "--json"]);
    let segments = summary["segments"].as_object().unwrap();
    assert_eq!(segments.len(), 6);
    for (segment, customers) in segments {
        assert!(customers.as_u64().unwrap() > 0, "{segment}: {summary}");
    }
    assert!(summary["time_changes"].as_u64().unwrap() > 0, "{summary}");
}

#[test]
fn a_demo_on_the_directory_of_an_earlier_one_goes_on_with_its_shop() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("shop");
    let directory = directory.to_str().unwrap();
    fn with<'a>(directory: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let mut arguments = vec!["--dir", directory, "--duration", "1s", "--json"];
        arguments.extend(more);
        arguments
    }
    let of = |more: &[&'static str]| with(directory, more);
    let first = summary_of(&of(&["--customers", "100"]));
    let second = summary_of(&of(&["--customers", "100"]));
    let count = |summary: &Value, name: &str| summary["verdicts"][name].as_u64().unwrap_or(0);
    // Two years against some days.
    assert!(second["events"].as_u64().unwrap() * 5 < first["events"].as_u64().unwrap());
    assert!(count(&second, "applied") > 0, "{second}");
    assert_eq!(count(&second, "late"), 0, "{second}");
    // Only the faults of the feed: 2 in 100 events, a quarter of which are repeated.
    assert!(count(&second, "duplicate") * 10 < count(&second, "applied").max(100));
    let customers = |summary: &Value| -> u64 {
        let counts = summary["segments"].as_object().unwrap().values();
        counts.map(|count| count.as_u64().unwrap()).sum()
    };
    assert!(customers(&second) >= customers(&first));
    for other in [
        &["--customers", "101"][..],
        &["--customers", "100", "--seed", "2"],
        &[],
    ] {
        let output = command(&of(other)).output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains("--customers 100 --seed 1"), "{message}");
        assert!(message.contains(directory), "{message}");
    }
}

#[test]
fn a_demo_that_was_killed_while_it_made_its_history_is_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("shop");
    let of = |end: &'static [&'static str]| {
        let mut arguments = vec!["--customers", "2000", "--dir", directory.to_str().unwrap()];
        arguments.extend(end);
        arguments
    };
    let mut killed = Demo::begin(&of(&[]));
    killed.rest_of("making two years of history");
    drop(killed);
    let summary = summary_of(&of(&["--duration", "1s", "--json"]));
    let count = |name: &str| summary["verdicts"][name].as_u64().unwrap_or(0);
    assert!(count("applied") > 1000, "{summary}");
    // Only the faults of the feed.
    assert!(count("duplicate") * 50 < count("applied"), "{summary}");
    assert_eq!(count("late"), 0, "{summary}");
    // Every event of the history is there once: profiles and orders of the exported customers.
    let output = Command::new(env!("CARGO_BIN_EXE_segstream"))
        .args(["state", "export", "--set", "log.filter=warn", "--dir"])
        .arg(directory.join("store"))
        .args([
            "--set",
            &format!("embedded.directory={}", directory.join("log").display()),
        ])
        .args(["--set", "churn.band_changes=true"])
        .output()
        .unwrap();
    let export = String::from_utf8(output.stdout).unwrap();
    let orders: u64 = export
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["orders"]
                .as_u64()
                .unwrap()
        })
        .sum();
    let now = WallClock::system().now();
    let expected = orders_of(shop_of_demo(2000, 1, opened_before(now)), now);
    // Up to some days of the shop less or more, which are 0.2 % of the history each.
    let share = orders as f64 / expected as f64;
    assert!((0.97..=1.03).contains(&share), "{orders} of {expected}");
}

/// Orders of a shop up to an instant, each counted once.
fn orders_of(shop: Shop, until: Timestamp) -> u64 {
    let mut ids = BTreeSet::new();
    for event in shop.take_while(|event| event.record_time <= until) {
        let Ok(event) = serde_json::from_slice::<Value>(&event.payload) else {
            continue;
        };
        if event["type"] == "order.completed" && event["is_guest"] != true && event["test"] != true
        {
            ids.insert(event["event_id"].to_string());
        }
    }
    ids.len() as u64
}

#[test]
fn a_demo_refuses_a_directory_that_has_events_of_something_else() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let events = root.join("events.jsonl");
    std::fs::write(&events, order(1, started())).unwrap();
    let set = |key: &str, name: &str| format!("{key}={}", root.join(name).display());
    let replayed = Command::new(env!("CARGO_BIN_EXE_segstream"))
        .args(["replay", "--format", "jsonl", "--allow-future", "--input"])
        .arg(&events)
        .args(["--set", &set("store.directory", "store")])
        .args(["--set", &set("embedded.directory", "log")])
        .output()
        .unwrap();
    assert!(replayed.status.success());
    let output = command(&["--duration", "1s", "--dir", root.to_str().unwrap()])
        .output()
        .unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("name another directory"), "{message}");
}

#[test]
fn an_interrupt_during_the_history_ends_the_demo_promptly() {
    // So many customers have a history that takes minutes.
    let mut demo = Demo::begin(&["--customers", "200000"]);
    demo.rest_of("making two years of history");
    let begun = Instant::now();
    let killed = Command::new("kill")
        .args(["-INT", &demo.child.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    let status = demo.child.wait().unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_simulated_file_is_the_same_for_the_same_seed() {
    let folder = tempfile::tempdir().unwrap();
    let made = |name: &str, seed: &str| {
        let path = folder.path().join(name);
        simulate(&path, seed);
        std::fs::read(path).unwrap()
    };
    let first = made("a", "4");
    assert_eq!(first, made("b", "4"));
    assert_ne!(first, made("c", "5"));
    let text = String::from_utf8_lossy(&first);
    let joined = text.matches("-joined\"").count();
    // Some profiles come late or twice; nobody joins later than in the first days.
    assert!((100..=110).contains(&joined), "{joined}");
}

fn simulate(path: &Path, seed: &str) {
    let status = Command::new(env!("CARGO_BIN_EXE_segstream"))
        .args(["simulate", "--customers", "100", "--days", "60", "--seed"])
        .args([seed, "--out"])
        .arg(path)
        .status()
        .unwrap();
    assert!(status.success());
}
