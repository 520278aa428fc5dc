//! What the CDNOW file says of each customer, computed straight from it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;

/// What the file says of one customer, computed straight from it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Expected {
    orders: u64,
    days: BTreeSet<String>,
    cents: u64,
}

fn oracle(file: &Path) -> BTreeMap<String, Expected> {
    let text = std::fs::read_to_string(file).unwrap();
    let mut customers: BTreeMap<String, Expected> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let customer = customers.entry(fields[0].to_owned()).or_default();
        customer.orders += 1;
        customer.days.insert(format!(
            "{}-{}-{}",
            &fields[1][..4],
            &fields[1][4..6],
            &fields[1][6..]
        ));
        let (dollars, cents) = fields[3].split_once('.').unwrap();
        customer.cents += dollars.parse::<u64>().unwrap() * 100 + cents.parse::<u64>().unwrap();
    }
    customers
}

/// An export has the orders, days and cents of the file for each customer.
pub fn assert_oracle(export: &str, file: &Path) {
    let mut expected = oracle(file);
    // The figures of the data set's own page.
    assert_eq!(expected.len(), 23_570);
    assert_eq!(
        expected
            .values()
            .map(|customer| customer.cents)
            .sum::<u64>(),
        250_031_563
    );
    let mut previous = String::new();
    for line in export.lines() {
        let found: serde_json::Value = serde_json::from_str(line).unwrap();
        let id = found["customer_id"].as_str().unwrap().to_owned();
        assert!(
            previous.as_bytes() < id.as_bytes(),
            "sorted by the bytes of the id"
        );
        let customer = expected.remove(&id).unwrap();
        assert_eq!(found["orders"], customer.orders, "{id}");
        assert_eq!(found["purchase_days"], customer.days.len(), "{id}");
        let day = |field: &str| found[field].as_str().unwrap()[..10].to_owned();
        assert_eq!(
            &day("first_purchase_at"),
            customer.days.first().unwrap(),
            "{id}"
        );
        assert_eq!(
            &day("last_purchase_at"),
            customer.days.last().unwrap(),
            "{id}"
        );
        let spend = format!("{}.{:02}", customer.cents / 100, customer.cents % 100);
        assert_eq!(found["total_spending"], spend, "{id}");
        previous = id;
    }
    assert!(
        expected.is_empty(),
        "{} customers are missing",
        expected.len()
    );
}

/// Each customer's changes are numbered 1 to n, in the order given.
pub fn assert_sequences(changes: &[serde_json::Value]) {
    let mut latest: BTreeMap<String, u64> = BTreeMap::new();
    for change in changes {
        let sequence = latest.entry(change["customer_id"].to_string()).or_default();
        *sequence += 1;
        assert_eq!(change["sequence"], *sequence, "{change}");
    }
}

/// Changes by customer and sequence, without the wall time at which they were emitted.
pub fn comparable_changes<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<serde_json::Value> {
    let mut changes: Vec<serde_json::Value> = lines
        .map(|line| {
            let mut change: serde_json::Value = serde_json::from_str(line).unwrap();
            change.as_object_mut().unwrap().remove("emitted_at");
            change
        })
        .collect();
    changes.sort_by_key(|change| {
        (
            change["customer_id"].to_string(),
            change["sequence"].as_u64().unwrap(),
        )
    });
    changes
}
