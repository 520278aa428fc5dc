//! The engine's promises: garbage stops nothing, order and batches leave no trace, prediction is
//! the nearest centroid.

use crate::support;
use std::collections::BTreeMap;

use crate::support::Life;
use crate::support::Sizing;
use proptest::prelude::*;
use segstream::config::store::Engine;
use segstream::domain::ids::Partition;
use segstream::domain::ids::Position;
use segstream::domain::ids::Source;
use segstream::engine::verdict::Outcome;
use segstream::faults::Faults;
use segstream::log::embedded::InputRecord;

const SIZING: Sizing = Sizing {
    commit_records: 50,
    flush_records: 100,
    flush_bytes: 1 << 30,
    engine: Engine::Fjall,
    flushes_in_background: false,
    page_bytes: 2048,
    cache_bytes: 1 << 20,
};

pub(crate) fn order(customer: &str, number: u64, at: &str, cents: u64) -> Vec<u8> {
    serde_json::json!({
        "event_id": format!("{customer}-{number}"), "type": "order.completed", "occurred_at": at,
        "customer_id": customer, "order_id": format!("{customer}-o-{number}"), "currency": "USD",
        "revenue": format!("{}.{:02}", cents / 100, cents % 100), "channel": "web",
        "products": [{"category": "wine", "quantity": 1, "price": "1.00"}],
    })
    .to_string()
    .into_bytes()
}

pub(crate) fn input(key: Option<&[u8]>, payload: &[u8]) -> InputRecord {
    InputRecord::new(
        Some(support::at("2026-06-01T00:00:00Z")),
        key.map(<[u8]>::to_vec),
        payload.to_vec(),
    )
}

/// Everything a broken producer may send, each with the reason it must be given.
pub(crate) fn garbage() -> Vec<(InputRecord, &'static str)> {
    let valid = |change: (&str, &str)| {
        let text = String::from_utf8(order("c-x", 1, "2026-05-01T00:00:00Z", 100)).unwrap();
        assert!(text.contains(change.0), "{}", change.0);
        input(Some(b"c-x"), text.replace(change.0, change.1).as_bytes())
    };
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    vec![
        (input(None, b""), "unreadable"),
        (input(Some(b"c-x"), b"\xff\xfe\x01"), "unreadable"),
        (input(Some(b"c-x"), &vec![b'x'; 10_000_000]), "unreadable"),
        (input(Some(b"c-x"), b"[1,2]"), "unreadable"),
        (input(Some(b"c-x"), b"{\"type\":"), "unreadable"),
        (
            input(Some(b"c-x"), b"\0\0\0\0\x01abc"),
            "schema_registry_format",
        ),
        (input(Some(b"c-x"), deep.as_bytes()), "type"),
        (valid(("\"1.00\"", "NaN")), "unreadable"),
        (
            valid(("\"revenue\":\"1.00\"", "\"revenue\":\"NaN\"")),
            "revenue",
        ),
        (valid(("\"revenue\":\"1.00\"", "\"revenue\":-1")), "revenue"),
        (
            valid(("\"revenue\":\"1.00\"", "\"revenue\":1e300")),
            "revenue",
        ),
        (
            valid(("\"revenue\":\"1.00\"", "\"revenue\":[1]")),
            "revenue",
        ),
        (
            valid(("\"type\":\"order.completed\"", "\"type\":7")),
            "type",
        ),
        (
            valid(("\"type\":\"order.completed\"", "\"type\":\"order.lost\"")),
            "type",
        ),
        (
            valid(("2026-05-01T00:00:00Z", "2126-05-01T00:00:00Z")),
            "future",
        ),
        (
            valid(("2026-05-01T00:00:00Z", "1026-05-01T00:00:00Z")),
            "too_old",
        ),
        (valid(("2026-05-01T00:00:00Z", "yesterday")), "occurred_at"),
        (
            valid(("\"customer_id\":\"c-x\"", "\"customer_id\":{}")),
            "customer_id",
        ),
        (
            valid(("\"customer_id\":\"c-x\"", "\"customer_id\":\"c-y\"")),
            "key_mismatch",
        ),
        (valid(("\"USD\"", "\"dollars\"")), "currency"),
        (valid(("\"USD\"", "\"XTS\"")), "unknown_currency"),
        (valid(("\"web\"", "\"door\"")), "channel"),
        (valid(("[{", "{\"a\":[{")), "unreadable"),
        (
            valid(("\"order_id\":\"c-x-o-1\"", "\"order_id\":\"\"")),
            "order_id",
        ),
        (
            input(None, &order("c-x", 2, "2026-05-01T00:00:00Z", 1)),
            "key_mismatch",
        ),
        (
            input(Some(b"c-z"), &order("c-x", 3, "2026-05-01T00:00:00Z", 1)),
            "key_mismatch",
        ),
    ]
}

#[test]
fn garbage_ends_in_a_dead_letter_each_and_good_customers_are_exact() {
    let directory = tempfile::tempdir().unwrap();
    let mut life = Life::begin(directory.path(), 3, SIZING, &Faults::none());
    let garbage = garbage();
    let mut expected = BTreeMap::new();
    for (number, (bad, _)) in (0..).zip(&garbage) {
        let customer = format!("good-{}", number % 5);
        let good = order(&customer, number, "2026-05-02T00:00:00Z", 150);
        let records = vec![input(Some(customer.as_bytes()), &good), bad.clone()];
        life.log.append(records, None).unwrap();
        expected
            .entry(customer)
            .and_modify(|orders| *orders += 1)
            .or_insert(1_u64);
    }
    life.run_to_end().unwrap();
    let counts = life.shared.tally.counts();
    assert_eq!(counts.events, 2 * garbage.len() as u64);
    assert_eq!(
        counts.verdicts.values().sum::<u64>(),
        counts.events,
        "one verdict each"
    );
    assert_eq!(counts.verdicts[&Outcome::Rejected], garbage.len() as u64);
    let mut letters: Vec<(Vec<u8>, String)> = Vec::new();
    for letter in life.log.dead_letters() {
        let record = letter.unwrap().2;
        let reason = record
            .headers
            .iter()
            .find(|(name, _)| name == "reason")
            .unwrap();
        let reason = String::from_utf8(reason.1.clone().unwrap()).unwrap();
        letters.push((record.value.unwrap(), reason));
    }
    let mut due: Vec<(Vec<u8>, String)> = garbage
        .into_iter()
        .map(|(bad, reason)| (bad.payload.unwrap(), reason.to_owned()))
        .collect();
    letters.sort();
    due.sort();
    for (letter, due) in letters.iter().zip(&due) {
        let start = String::from_utf8_lossy(&due.0[..due.0.len().min(200)]).into_owned();
        assert_eq!(letter.1, due.1, "{start}");
        assert!(letter.0 == due.0, "the original bytes of {start}");
    }
    assert_eq!(letters.len(), due.len());
    let records = life.records();
    assert_eq!(
        records.len(),
        expected.len(),
        "no customer but the good ones"
    );
    for (customer, orders) in expected {
        let totals = records[&customer].aggregate.ledger.totals_since(None);
        assert_eq!(
            (totals.orders.total(), totals.spend.0),
            (orders, 150 * orders as i64)
        );
    }
    life.assert_counts();
}

/// Events of one customer within the ledger, some repeated.
fn events() -> impl Strategy<Value = Vec<(u64, i64, u64)>> {
    prop::collection::vec((0..30_u64, 0..700_i64, 1..100_000_u64), 1..40)
}

fn fold(events: &[(u64, i64, u64)]) -> segstream::engine::state::record::CustomerRecord {
    let start = support::at("2024-01-01T00:00:00Z");
    let inputs: Vec<(Position, InputRecord)> = (0..)
        .zip(events)
        .map(|(offset, (number, day, cents))| {
            let at = start.plus_milliseconds(day * 86_400_000 + i64::try_from(*cents).unwrap());
            let mut record = input(
                Some(b"c-1"),
                &order("c-1", *number, &at.to_string(), *cents),
            );
            record.timestamp = Some(support::at("2026-01-01T00:00:00Z"));
            (
                Position {
                    source: Source::Events,
                    partition: Partition(0),
                    offset,
                },
                record,
            )
        })
        .collect();
    support::fold(&inputs, None).records.remove("c-1").unwrap()
}

proptest! {
    #[test]
    fn any_order_of_arrival_gives_the_same_aggregate(
        events in events(),
        keys in prop::collection::vec(any::<u64>(), 40),
    ) {
        // One event an id: which of two that claim the same id counts is up to arrival.
        let mut once: Vec<(u64, i64, u64)> = Vec::new();
        for event in events {
            if !once.iter().any(|known| known.0 == event.0) {
                once.push(event);
            }
        }
        let mut shuffled: Vec<_> = once.iter().copied().zip(keys).collect();
        shuffled.sort_by_key(|(_, key)| *key);
        let shuffled: Vec<_> = shuffled.into_iter().map(|(event, _)| event).collect();
        let (first, second) = (fold(&once), fold(&shuffled));
        prop_assert_eq!(first.aggregate, second.aggregate);
        prop_assert_eq!(first.remembered, second.remembered);
    }
}

#[test]
fn any_split_into_batches_gives_the_same_records_and_changes() {
    let shop = segstream::simulate::Shop::new(segstream::simulate::ShopOptions {
        customers: 20,
        seed: 3,
        starts_at: support::at("2026-01-01T00:00:00Z"),
        days: Some(90),
        dirt: 0.2,
    });
    let feed: Vec<InputRecord> = shop
        .map(|event| InputRecord::new(Some(event.record_time), event.key, event.payload))
        .collect();
    let mut results = Vec::new();
    for commit_records in [1, 2, 7, 64, 100_000] {
        let directory = tempfile::tempdir().unwrap();
        let sizing = Sizing {
            commit_records,
            ..SIZING
        };
        let mut life = Life::begin(directory.path(), 2, sizing, &Faults::none());
        life.log.append(feed.clone(), None).unwrap();
        life.run_to_end().unwrap();
        let inputs: Vec<_> = life.log.inputs().map(Result::unwrap).collect();
        let expected = support::fold(&inputs, None);
        let mut changes = life.changes();
        changes.sort();
        assert_eq!(life.records(), expected.records);
        assert_eq!(life.shared.tally.counts().verdicts, expected.verdicts);
        results.push((life.records(), changes));
    }
    for pair in results.windows(2) {
        assert_eq!(pair[0], pair[1]);
    }
}

#[test]
fn predictions_for_the_marketing_data_are_the_nearest_centroids() {
    let Some(file) = support::data_file("marketing_campaign.csv") else {
        return;
    };
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/models/retail-6.json");
    let model: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(model).unwrap()).unwrap();
    // reference/marketing_kmeans.json, drop6, k = 6: the best inertia known is 5421.398.
    assert!(model["training"]["inertia"].as_f64().unwrap() <= 1.001 * 5421.398);
    assert_eq!(model["training"]["rows"], 2212);
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_segstream"))
        .args(["predict", "--json", "--input", file.to_str().unwrap()])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let predicted: BTreeMap<String, String> = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|row| {
            (
                row["id"].as_str().unwrap().to_owned(),
                row["segment_id"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    assert_eq!(predicted.len(), 2240, "one row out for each row in");
    let text = std::fs::read_to_string(file).unwrap();
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let mut compared = 0;
    let mut inertia = 0.0;
    for line in lines {
        let fields: Vec<&str> = line.split(',').collect();
        let field = |name: &str| fields[header.iter().position(|known| *known == name).unwrap()];
        let number = |name: &str| field(name).parse::<f64>().unwrap();
        // The rule of drop6: reference/marketing_kmeans.json.
        if field("Income").is_empty()
            || number("Year_Birth") < 1940.0
            || field("Income") == "666666"
        {
            continue;
        }
        let spending = [
            "Wines",
            "Fruits",
            "MeatProducts",
            "FishProducts",
            "SweetProducts",
            "GoldProds",
        ];
        let spending: f64 = spending
            .iter()
            .map(|name| number(&format!("Mnt{name}")))
            .sum();
        let values = [
            2014.0 - number("Year_Birth"),
            number("Income"),
            spending,
            number("NumWebPurchases"),
            number("NumStorePurchases"),
            number("Recency"),
        ];
        let distance = |segment: &serde_json::Value| -> f64 {
            (0..6)
                .map(|place| {
                    let feature = &model["features"][place];
                    let scaled = (values[place] - feature["mean"].as_f64().unwrap())
                        / feature["standard_deviation"].as_f64().unwrap();
                    (scaled - segment["centroid"][place].as_f64().unwrap()).powi(2)
                })
                .sum()
        };
        let segments = model["segments"].as_array().unwrap();
        let nearest = segments
            .iter()
            .min_by(|a, b| distance(a).total_cmp(&distance(b)))
            .unwrap();
        assert_eq!(
            predicted[field("ID")],
            nearest["id"].as_str().unwrap(),
            "{}",
            field("ID")
        );
        inertia += distance(nearest);
        compared += 1;
    }
    assert_eq!(compared, 2212);
    assert!(inertia <= 1.001 * 5421.398, "{inertia}");
}
