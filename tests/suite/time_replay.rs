//! What time alone changes: the engine against an oracle that knows only the raw events and scans
//! every hour. First the oracle itself against cases worked by hand, then CDNOW through the program
//! as a user runs it, then simulated shops with late events where the clocks change.
//!
//! `SEGSTREAM_TEST_SEED=n` replays one shop; `SEGSTREAM_TEST_LONG=1` takes all customers of CDNOW
//! and more shops.

use crate::support;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Instant;

use crate::support::Chance;
use crate::support::Life;
use crate::support::Sizing;
use crate::time_oracle::Change;
use crate::time_oracle::Churn;
use crate::time_oracle::ChurnMethod;
use crate::time_oracle::DAY_MS;
use crate::time_oracle::Delivery;
use crate::time_oracle::Fit;
use crate::time_oracle::HOUR_MS;
use crate::time_oracle::Model;
use crate::time_oracle::Replayed;
use crate::time_oracle::Settings;
use crate::time_oracle::at;
use crate::time_oracle::noon_of;
use crate::time_oracle::replay;
use crate::time_oracle::scaled_features;
use segstream::config::store::Engine;
use segstream::domain::churn::ChurnDefinition;
use segstream::domain::churn::ChurnPolicy;
use segstream::domain::time::BusinessZone;
use segstream::domain::time::Timestamp;
use segstream::engine::policy::Policy;
use segstream::engine::verdict::Outcome;
use segstream::faults::Faults;
use segstream::log::embedded::InputRecord;
use segstream::model::artifact::Artifact;
use segstream::model::segment_model::SegmentModel;
use serde_json::Value;
use serde_json::json;

/// Defaults of `churn.horizon_days`, `churn.medium` and `churn.high`.
const HORIZON_DAYS: f64 = 273.0;
const MEDIUM: f64 = 0.6;
const HIGH: f64 = 0.8;
/// Risks of two computations agree to this.
const RISK_TOLERANCE: f64 = 1e-9;

fn is_long() -> bool {
    std::env::var("SEGSTREAM_TEST_LONG").is_ok_and(|value| value == "1")
}

// The oracle itself.

/// A purchase that is recorded when it happens.
fn bought(number: u64, at: &str) -> Delivery {
    order(number, at, at)
}

fn order(number: u64, recorded_at: &str, occurred_at: &str) -> Delivery {
    Delivery {
        record_time_ms: at(recorded_at),
        body: json!({
            "event_id": format!("e-{number}"), "type": "order.completed",
            "occurred_at": occurred_at, "customer_id": "c-1",
            "order_id": format!("o-{number}"), "currency": "USD", "revenue": "5.00",
            "channel": "web",
        }),
    }
}

fn update(number: u64, recorded_at: &str, occurred_at: &str, profile: Value) -> Delivery {
    Delivery {
        record_time_ms: at(recorded_at),
        body: json!({
            "event_id": format!("e-{number}"), "type": "customer.updated",
            "occurred_at": occurred_at, "customer_id": "c-1", "profile": profile,
        }),
    }
}

/// A model of one feature with segments `near` and `far` at the given coordinates.
fn model_of(feature: Value, margin_distance: f64, centroids: [f64; 2]) -> Model {
    Model::from_artifact(&json!({
        "features": [feature],
        "margin": {"squared": 0.0, "distance": margin_distance},
        "segments": [
            {"id": "near", "centroid": [centroids[0]]},
            {"id": "far", "centroid": [centroids[1]]},
        ],
    }))
}

fn recency(mean: f64, standard_deviation: f64) -> Value {
    json!({
        "name": "recency_days", "transform": "identity", "median": 0.0, "mean": mean,
        "standard_deviation": standard_deviation,
    })
}

fn orders_within(window_days: i64) -> Value {
    json!({
        "name": "orders", "transform": "identity", "window_days": window_days, "median": 0.0,
        "mean": 0.0, "standard_deviation": 1.0,
    })
}

/// A model that never moves anybody: one constant feature.
fn motionless() -> Model {
    model_of(
        json!({
            "name": "frequency", "transform": "identity", "median": 0.0, "mean": 0.0,
            "standard_deviation": 1.0,
        }),
        0.0,
        [1.0, 1e6],
    )
}

fn settings(model: Model, churn: Option<Churn>, zone: &str, until: &str) -> Settings {
    Settings {
        model,
        churn,
        zone: zone.to_owned(),
        until_ms: at(until),
    }
}

fn churn(method: ChurnMethod, medium: f64, high: f64) -> Option<Churn> {
    Some(Churn {
        method,
        medium,
        high,
    })
}

/// Instant, reason and segment of each change of the only customer.
fn moves(deliveries: &[Delivery], settings: &Settings) -> Vec<(String, String, String)> {
    let changes = replay(deliveries, settings).changes.remove("c-1");
    let of = |change: Change| {
        (
            text_of(change.occurred_at_ms),
            change.reason,
            change.segment_id,
        )
    };
    changes.unwrap_or_default().into_iter().map(of).collect()
}

/// Instant, reason and band of each change of the only customer.
fn bands(deliveries: &[Delivery], settings: &Settings) -> Vec<(i64, String, String)> {
    let changes = replay(deliveries, settings).changes.remove("c-1");
    let of = |change: Change| (change.occurred_at_ms, change.reason, change.band.unwrap());
    changes.unwrap().into_iter().map(of).collect()
}

fn text_of(instant_ms: i64) -> String {
    Timestamp::from_milliseconds(instant_ms)
        .unwrap()
        .to_string()
}

fn assert_moves(found: &[(String, String, String)], expected: &[(&str, &str, &str)]) {
    let found: Vec<(&str, &str, &str)> = found
        .iter()
        .map(|(at, reason, segment)| (at.as_str(), reason.as_str(), segment.as_str()))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn by_recency_alone_a_customer_moves_a_millisecond_after_the_bisecting_plane() {
    let deliveries = [bought(1, "2021-01-01T12:00:00Z")];
    let until = "2022-01-01T00:00:00Z";
    // The plane between 0 and 4 is 2 deviations: 30 + 2 * 10 = 50 days after the purchase. On it
    // the distances are equal, and the customer stays.
    let plain = model_of(recency(30.0, 10.0), 0.0, [0.0, 4.0]);
    assert_moves(
        &moves(&deliveries, &settings(plain, None, "UTC", until)),
        &[
            ("2021-01-01T12:00:00.000Z", "purchase", "near"),
            ("2021-02-20T12:00:00.001Z", "time_passed", "far"),
        ],
    );
    // A margin of 1/8 deviation lies 1.25 days further, at 51.25 days: 18:00 of the next day.
    let held = model_of(recency(30.0, 10.0), 0.125, [0.0, 4.0]);
    assert_moves(
        &moves(&deliveries, &settings(held, None, "UTC", until)),
        &[
            ("2021-01-01T12:00:00.000Z", "purchase", "near"),
            ("2021-02-21T18:00:00.001Z", "time_passed", "far"),
        ],
    );
}

#[test]
fn a_capped_recency_moves_no_customer_beyond_its_cap() {
    let deliveries = [bought(1, "2021-01-01T12:00:00Z")];
    let mut capped = recency(30.0, 10.0);
    // The plane is at 50 days, as above.
    for (cap, moved) in [(50.0, false), (50.001, true)] {
        capped["cap"] = json!(cap);
        let model = model_of(capped.clone(), 0.0, [0.0, 4.0]);
        let found = moves(
            &deliveries,
            &settings(model, None, "UTC", "2031-01-01T00:00:00Z"),
        );
        assert_eq!(found.len(), 1 + usize::from(moved), "{cap}");
    }
}

#[test]
fn a_logarithm_of_tenure_moves_a_customer_where_it_is_worked_out_by_hand() {
    let deliveries = [
        update(
            1,
            "2021-01-01T00:00:00Z",
            "2021-01-01T00:00:00Z",
            json!({"joined_at": "2020-12-31T00:00:00Z"}),
        ),
        bought(2, "2021-01-02T12:00:00Z"),
    ];
    let tenure = json!({
        "name": "tenure_days", "transform": "log1p", "median": 0.0, "mean": 0.0,
        "standard_deviation": 1.0,
    });
    // The plane between 0 and 2 ln 8 is ln 8 = ln(1 + 7): 7 days after joining. The logarithm of
    // floating point may be off by a bit, that is by 2e-16 * 8 days, far below a millisecond.
    let model = model_of(tenure, 0.0, [0.0, 2.0 * 8_f64.ln()]);
    let found = replay(
        &deliveries,
        &settings(model, None, "UTC", "2022-01-01T00:00:00Z"),
    );
    let found = &found.changes["c-1"];
    assert_eq!(found.len(), 2);
    assert!(
        (found[1].occurred_at_ms - at("2021-01-07T00:00:00.001Z")).abs() <= 1,
        "{found:?}"
    );
    assert_eq!(
        found[1].previous,
        Some(("near".to_owned(), at("2021-01-02T12:00:00Z")))
    );
}

#[test]
fn a_day_leaves_a_window_at_the_local_midnight_after_the_clocks_changed() {
    // 30 days by the calendar: on 2021-03-28 Berlin goes from +01:00 to +02:00, on 2021-11-07
    // New York from -04:00 to -05:00. With days of 24 hours it would be 23:00Z and 04:00Z.
    for (zone, bought_at, left_at) in [
        (
            "Europe/Berlin",
            "2021-03-10T12:00:00.000Z",
            "2021-04-08T22:00:00.000Z",
        ),
        (
            "America/New_York",
            "2021-10-20T12:00:00.000Z",
            "2021-11-19T05:00:00.000Z",
        ),
        // Without a change of the clocks between.
        (
            "UTC",
            "2021-10-20T12:00:00.000Z",
            "2021-11-19T00:00:00.000Z",
        ),
    ] {
        let deliveries = [bought(1, bought_at)];
        let model = model_of(orders_within(30), 0.0, [1.0, 0.0]);
        assert_moves(
            &moves(
                &deliveries,
                &settings(model, None, zone, "2022-06-01T00:00:00Z"),
            ),
            &[
                (bought_at, "purchase", "near"),
                (left_at, "time_passed", "far"),
            ],
        );
    }
}

#[test]
fn age_steps_at_the_new_year_of_the_business_zone() {
    let deliveries = [
        bought(1, "2021-06-01T12:00:00Z"),
        update(
            2,
            "2021-06-02T12:00:00Z",
            "2021-06-02T12:00:00Z",
            json!({"birth_year": 1990}),
        ),
    ];
    let age = json!({
        "name": "age", "transform": "identity", "median": 40.0, "mean": 0.0,
        "standard_deviation": 1.0,
    });
    // 40 by the median, 31 when the year of birth is known, and 33 on 2023-01-01, which begins at
    // 05:00Z in New York. The plane is at 32.5.
    let model = model_of(age, 0.0, [30.0, 35.0]);
    assert_moves(
        &moves(
            &deliveries,
            &settings(model, None, "America/New_York", "2030-01-01T00:00:00Z"),
        ),
        &[
            ("2021-06-01T12:00:00.000Z", "purchase", "far"),
            ("2021-06-02T12:00:00.000Z", "profile", "near"),
            ("2023-01-01T05:00:00.000Z", "time_passed", "far"),
        ],
    );
}

#[test]
fn a_late_purchase_counts_from_its_arrival_on_and_in_its_own_day() {
    let first = bought(1, "2021-01-01T12:00:00Z");
    // Bought on the 6th, delivered on the 8th, and delivered again on the 9th.
    let late = order(2, "2021-01-08T09:00:00Z", "2021-01-06T15:00:00Z");
    let mut again = order(2, "2021-01-09T09:00:00Z", "2021-01-06T15:00:00Z");
    again.body["event_id"] = json!("e-3");
    let deliveries = [first, late, again];
    // The 1st leaves the 5 days on the 6th: none is left, until the 8th. One order is as far from 2
    // as from 0: without a segment the first of the two wins, with one it stays.
    let model = model_of(orders_within(5), 0.0, [2.0, 0.0]);
    assert_moves(
        &moves(
            &deliveries,
            &settings(model, None, "UTC", "2021-02-01T00:00:00Z"),
        ),
        &[
            ("2021-01-01T12:00:00.000Z", "purchase", "near"),
            ("2021-01-06T00:00:00.000Z", "time_passed", "far"),
        ],
    );
    // One order is one of 1, and the 6th leaves on the 11th.
    let model = model_of(orders_within(5), 0.0, [1.0, 0.0]);
    assert_moves(
        &moves(
            &deliveries,
            &settings(model, None, "UTC", "2021-02-01T00:00:00Z"),
        ),
        &[
            ("2021-01-01T12:00:00.000Z", "purchase", "near"),
            ("2021-01-06T00:00:00.000Z", "time_passed", "far"),
            ("2021-01-08T09:00:00.000Z", "purchase", "near"),
            ("2021-01-11T00:00:00.000Z", "time_passed", "far"),
        ],
    );
}

#[test]
fn a_purchase_ahead_of_its_record_counts_at_once_and_far_ahead_is_taken_as_now() {
    let model = model_of(recency(0.0, 1.0), 0.0, [0.0, 2.0]);
    // Recency is 0 until 12:04, so a day later it is 1: the plane. An hour ahead is clamped to 12:00.
    for (occurred_at, moved_at) in [
        ("2021-01-01T12:04:00Z", "2021-01-02T12:04:00.001Z"),
        ("2021-01-01T13:00:00Z", "2021-01-02T12:00:00.001Z"),
    ] {
        let deliveries = [order(1, "2021-01-01T12:00:00Z", occurred_at)];
        assert_moves(
            &moves(
                &deliveries,
                &settings(model.clone(), None, "UTC", "2021-02-01T00:00:00Z"),
            ),
            &[
                ("2021-01-01T12:00:00.000Z", "purchase", "near"),
                (moved_at, "time_passed", "far"),
            ],
        );
    }
}

/// The fit of the CDNOW sample: docs/TIME_AND_CHURN.md, Reference figures, MBG/NBD, with weeks of 7 days.
/// All digits are those with which the instants below were computed, in 40-digit arithmetic.
const PUBLISHED: Fit = Fit {
    r: 0.5248431591063001,
    alpha_days: 7.0 * 6.183085279576021,
    a: 0.8913593907322107,
    b: 1.614002240170325,
};

/// The first whole millisecond after so many days from an instant.
fn after(instant: &str, days: f64) -> i64 {
    at(instant) + (days * DAY_MS as f64).floor() as i64 + 1
}

#[test]
fn a_band_of_being_alive_changes_at_the_instant_of_the_closed_form() {
    let method = ChurnMethod::Alive { fit: PUBLISHED };
    let until = "2005-01-01T00:00:00Z";
    let settings = settings(motionless(), churn(method, 0.5, 0.8), "UTC", until);
    // One purchase, on 1997-01-01: P(alive) is 0.644 at once, 0.5 after 90.86984945141401 days
    // from midnight and 0.2 after 1839.1490829240668 (customer 00221 of the reference vectors).
    let once = [bought(1, "1997-01-01T12:00:00Z")];
    let medium_at = after("1997-01-01T00:00:00Z", 90.86984945141401);
    let high_at = after("1997-01-01T00:00:00Z", 1839.1490829240668);
    let expected = |at: i64, reason: &str, band: &str| (at, reason.to_owned(), band.to_owned());
    assert_eq!(
        bands(&once, &settings),
        [
            expected(at("1997-01-01T12:00:00Z"), "purchase", "low"),
            expected(medium_at, "time_passed", "medium"),
            expected(high_at, "time_passed", "high"),
        ]
    );
    // Bought again 55 days later: 0.5 after 155.73953971306696 days from the first midnight, 0.2
    // after 450.72556647615005 (customer 05461). A second event of that day changes nothing.
    let twice = [
        bought(1, "1997-01-22T12:00:00Z"),
        bought(2, "1997-03-18T12:00:00Z"),
        bought(3, "1997-03-18T13:00:00Z"),
    ];
    assert_eq!(
        bands(&twice, &settings),
        [
            expected(at("1997-01-22T12:00:00Z"), "purchase", "low"),
            expected(
                after("1997-01-22T00:00:00Z", 155.73953971306696),
                "time_passed",
                "medium"
            ),
            expected(
                after("1997-01-22T00:00:00Z", 450.72556647615005),
                "time_passed",
                "high"
            ),
        ]
    );
    // The closed form itself (docs/TIME_AND_CHURN.md, The instant of a band), for x = 1 and t_x = 55:
    // (alpha + t_x) e^delta - alpha.
    let log_odds_at_last = PUBLISHED.a.ln() - (PUBLISHED.b + 1.0).ln();
    for (probability, days) in [(0.5_f64, 155.73953971306696), (0.2, 450.72556647615005)] {
        let log_odds = ((1.0 - probability) / probability).ln();
        let delta = (log_odds - log_odds_at_last) / (PUBLISHED.r + 1.0);
        let found = (PUBLISHED.alpha_days + 55.0) * delta.exp() - PUBLISHED.alpha_days;
        assert!((found / days - 1.0).abs() < 1e-12, "{found} {days}");
    }
}

#[test]
fn a_band_of_buying_again_changes_at_the_reference_root() {
    // Twelve weeks. Customer 05309: bought on 1997-01-21 and 15 days later; the probability of a
    // purchase is 0.5 after 3.379327210618597 weeks and 0.2 after 15.368767908333092. After the
    // first purchase it is below 0.5 at once, and 0.2 only after 3.69344909816878 weeks.
    let method = ChurnMethod::Purchase {
        fit: PUBLISHED,
        horizon_days: 84.0,
    };
    let until = "1999-01-01T00:00:00Z";
    let settings = settings(motionless(), churn(method, 0.5, 0.8), "UTC", until);
    let deliveries = [
        bought(1, "1997-01-21T12:00:00Z"),
        bought(2, "1997-02-05T12:00:00Z"),
    ];
    let medium_at = after("1997-01-21T00:00:00Z", 7.0 * 3.379327210618597);
    let high_at = after("1997-01-21T00:00:00Z", 7.0 * 15.368767908333092);
    let found = bands(&deliveries, &settings);
    let expected = |at: i64, reason: &str, band: &str| (at, reason.to_owned(), band.to_owned());
    assert_eq!(
        found,
        [
            expected(at("1997-01-21T12:00:00Z"), "purchase", "medium"),
            expected(at("1997-02-05T12:00:00Z"), "purchase", "low"),
            expected(medium_at, "time_passed", "medium"),
            expected(high_at, "time_passed", "high"),
        ]
    );
    let kinds = replay(&deliveries, &settings)
        .changes
        .remove("c-1")
        .unwrap();
    let kinds: Vec<&str> = kinds.iter().map(|change| change.kind.as_str()).collect();
    let band_only = "churn_risk_changed";
    assert_eq!(kinds, ["assigned", band_only, band_only, band_only]);
}

#[test]
fn a_segment_and_a_band_that_change_together_are_one_record() {
    // Bought at midnight: the 30 days' window ends after 30 days, and so does 0.6 of 50 days of
    // silence; at 50 days it is high.
    let deliveries = [bought(1, "2021-01-01T00:00:00Z")];
    let settings = settings(
        model_of(orders_within(30), 0.0, [1.0, 0.0]),
        churn(ChurnMethod::Silence { days: 50.0 }, 0.6, 0.8),
        "UTC",
        "2022-01-01T00:00:00Z",
    );
    let found = replay(&deliveries, &settings)
        .changes
        .remove("c-1")
        .unwrap();
    let published: Vec<(String, &str, Option<&str>, Option<&str>)> = found
        .iter()
        .map(|change| {
            let bands = (change.band.as_deref(), change.previous_band.as_deref());
            (
                text_of(change.occurred_at_ms),
                change.kind.as_str(),
                bands.0,
                bands.1,
            )
        })
        .collect();
    let expected = |at: &str, kind, band, previous| (at.to_owned(), kind, Some(band), previous);
    assert_eq!(
        published,
        [
            expected("2021-01-01T00:00:00.000Z", "assigned", "low", None),
            expected("2021-01-31T00:00:00.000Z", "changed", "medium", Some("low")),
            expected(
                "2021-02-20T00:00:00.000Z",
                "churn_risk_changed",
                "high",
                Some("medium")
            ),
        ]
    );
}

// The comparison.

/// What a comparison saw.
#[derive(Debug, Default)]
struct Seen {
    changes: usize,
    moves_by_time: usize,
    bands_by_time: usize,
    /// A millisecond apart where rounding decides.
    within_rounding: usize,
}

impl Seen {
    fn by_time(&self) -> usize {
        self.moves_by_time + self.bands_by_time
    }

    fn print(&self, run: &str, expected: &Replayed) {
        eprintln!(
            "{run}: {} customers, {} changes, by time {} moves and {} bands alone, {} within \
             rounding; a daily scan evaluates {} times, {:.1} for one change by time",
            expected.changes.len(),
            self.changes,
            self.moves_by_time,
            self.bands_by_time,
            self.within_rounding,
            expected.customer_days,
            expected.customer_days as f64 / self.by_time().max(1) as f64,
        );
    }
}

/// The changes of JSON lines, by customer in the order of their sequence.
fn changes_of<'a>(lines: impl Iterator<Item = &'a str>) -> BTreeMap<String, Vec<Change>> {
    let records = support::cdnow::comparable_changes(lines);
    support::cdnow::assert_sequences(&records);
    let mut changes: BTreeMap<String, Vec<Change>> = BTreeMap::new();
    for record in &records {
        let customer = record["customer_id"].as_str().unwrap().to_owned();
        changes
            .entry(customer)
            .or_default()
            .push(Change::from_record(record));
    }
    for (customer, changes) in &changes {
        let mut since = 0;
        for change in changes {
            if let Some((_, published)) = &change.previous {
                assert_eq!(
                    *published, since,
                    "since when {customer} was there: {change:?}"
                );
            }
            if change.kind != "churn_risk_changed" {
                since = change.occurred_at_ms;
            }
        }
    }
    changes
}

fn are_equal(found: &Change, expected: &Change, seen: &mut Seen) -> bool {
    let apart_ms = (found.occurred_at_ms - expected.occurred_at_ms).abs();
    let is_rounding = apart_ms == 1 && expected.is_close_call;
    seen.within_rounding += usize::from(is_rounding);
    let previous = |change: &Change| change.previous.as_ref().map(|(segment, _)| segment.clone());
    let risks = (found.risk, expected.risk);
    (apart_ms == 0 || is_rounding)
        && found.kind == expected.kind
        && found.reason == expected.reason
        && found.segment_id == expected.segment_id
        && previous(found) == previous(expected)
        && found.band == expected.band
        && found.previous_band == expected.previous_band
        && found.method == expected.method
        && match risks {
            (None, None) => true,
            (Some(found), Some(expected)) => (found - expected).abs() <= RISK_TOLERANCE,
            _ => false,
        }
}

/// Every change equals the oracle's, none is missing, none is too many.
fn assert_equal(run: &str, found: &BTreeMap<String, Vec<Change>>, expected: &Replayed) -> Seen {
    let mut seen = Seen::default();
    let mut differing = Vec::new();
    let customers: BTreeSet<&String> = found.keys().chain(expected.changes.keys()).collect();
    let none = Vec::new();
    for customer in customers {
        let found = found.get(customer).unwrap_or(&none);
        let expected = expected.changes.get(customer).unwrap_or(&none);
        for change in expected {
            seen.changes += 1;
            let is_move = change.kind != "churn_risk_changed";
            seen.moves_by_time += usize::from(change.is_by_time() && is_move);
            seen.bands_by_time += usize::from(change.is_by_time() && !is_move);
        }
        let pairs = found.iter().zip(expected);
        let equal = pairs
            .take_while(|(found, expected)| are_equal(found, expected, &mut seen))
            .count();
        if equal < found.len().max(expected.len()) {
            differing.push(format!(
                "{customer}, change {equal}:\n  found    {}\n  expected {}",
                described(found.get(equal)),
                described(expected.get(equal)),
            ));
        }
    }
    seen.print(run, expected);
    assert!(
        differing.is_empty(),
        "{run}: {} of {} customers differ, such as\n{}",
        differing.len(),
        expected.changes.len(),
        differing[..differing.len().min(8)].join("\n")
    );
    // About 3 in 1,000 changes lie so near to an edge by chance; few of them need it.
    assert!(
        seen.within_rounding <= 2 + seen.changes / 1000,
        "{run}: {seen:?}"
    );
    assert!(
        seen.moves_by_time > 0 && seen.bands_by_time > 0,
        "{run}: {seen:?}"
    );
    seen
}

fn described(change: Option<&Change>) -> String {
    change.map_or_else(
        || "nothing".to_owned(),
        |change| format!("{} {change:?}", text_of(change.occurred_at_ms)),
    )
}

// CDNOW through the program.

const CDNOW_END: &str = "2000-01-01T00:00:00Z";

/// One way of running it.
struct Run {
    name: &'static str,
    window_days: u32,
    zone: &'static str,
    settings: &'static [&'static str],
    method: fn(Fit) -> ChurnMethod,
}

fn buying(fit: Fit) -> ChurnMethod {
    ChurnMethod::Purchase {
        fit,
        horizon_days: HORIZON_DAYS,
    }
}

fn alive(fit: Fit) -> ChurnMethod {
    ChurnMethod::Alive { fit }
}

fn silence(_: Fit) -> ChurnMethod {
    ChurnMethod::Silence { days: 90.0 }
}

fn runs() -> Vec<Run> {
    let usual = |name, window_days| Run {
        name,
        window_days,
        zone: "UTC",
        settings: &[],
        method: buying,
    };
    vec![
        usual("since ever", 0),
        usual("30 days", 30),
        usual("90 days", 90),
        usual("365 days", 365),
        Run {
            zone: "America/New_York",
            ..usual("90 days in New York", 90)
        },
        Run {
            settings: &["churn.method=silence", "churn.silence_days=90"],
            method: silence,
            ..usual("90 days, silence", 90)
        },
        Run {
            settings: &["churn.score=alive"],
            method: alive,
            ..usual("90 days, alive", 90)
        },
    ]
}

fn segstream(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_segstream"));
    command.args(arguments).stdin(Stdio::null());
    command.args(["--set", "log.filter=warn"]);
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// The lines of the sample's customers, in a file of their own; all of them in a long run.
fn cdnow_input(master: &Path, folder: &Path) -> PathBuf {
    if is_long() {
        return master.to_owned();
    }
    let sample = include_str!("../fixtures/cdnow_calibration.csv");
    let rows = sample.lines().filter(|line| !line.starts_with('#'));
    let mut rows = rows.map(|line| line.split(',').collect::<Vec<_>>());
    let header = rows.next().unwrap();
    let column = header.iter().position(|name| *name == "master_id").unwrap();
    let ids: BTreeSet<&str> = rows.map(|fields| fields[column]).collect();
    // The size of the sample that the data set's page states.
    assert_eq!(ids.len(), 2357);
    let text = std::fs::read_to_string(master).unwrap();
    let is_kept = |line: &&str| {
        let customer = line.split_whitespace().next();
        customer.is_some_and(|customer| customer == "customer_id" || ids.contains(customer))
    };
    let kept: Vec<&str> = text.lines().filter(is_kept).collect();
    let input = folder.join("cdnow_sample.txt");
    std::fs::write(&input, kept.join("\n") + "\n").unwrap();
    input
}

/// The purchases as `replay --format cdnow` sends them: docs/COMMAND_LINE.md, Files.
fn cdnow_deliveries(input: &Path, zone: &str) -> Vec<Delivery> {
    let text = std::fs::read_to_string(input).unwrap();
    let mut noons: BTreeMap<&str, i64> = BTreeMap::new();
    let mut deliveries = Vec::new();
    for (line, fields) in (1..).zip(text.lines().map(str::split_whitespace)) {
        let fields: Vec<&str> = fields.collect();
        if fields.is_empty() || fields[0] == "customer_id" {
            continue;
        }
        let noon = *noons
            .entry(fields[1])
            .or_insert_with_key(|day| noon_of(day, zone));
        deliveries.push(Delivery {
            record_time_ms: noon,
            body: json!({
                "event_id": format!("cdnow-{line}"), "type": "order.completed",
                "occurred_at": text_of(noon), "customer_id": fields[0],
                "order_id": format!("cdnow-{line}"), "revenue": fields[3],
            }),
        });
    }
    // Stable: lines of one day stay in their order.
    deliveries.sort_by_key(|delivery| delivery.record_time_ms);
    deliveries
}

/// Trains on the state of a first replay and adds the churn fit; the models' files by window.
fn cdnow_models(input: &str, folder: &Path) -> BTreeMap<u32, PathBuf> {
    let store = folder.join("history").display().to_string();
    let directory = format!("store.directory={store}");
    segstream(&[
        "replay", "--input", input, "--format", "cdnow", "--to", "embedded", "--set", &directory,
    ]);
    let mut models = BTreeMap::new();
    for window_days in [0, 30, 90, 365] {
        let trained = folder.join(format!("trained-{window_days}.json"));
        let path = folder.join(format!("model-{window_days}.json"));
        segstream(&[
            "train",
            "--format",
            "state",
            "--dir",
            &store,
            "--features",
            "total_spending,orders,recency_days",
            "--window-days",
            &window_days.to_string(),
            "--k",
            "5",
            "--seed",
            "1",
            "--out",
            trained.to_str().unwrap(),
            "--model-version",
            &format!("cdnow-{window_days}"),
            "--trained-at",
            "1998-07-01T00:00:00Z",
        ]);
        segstream(&[
            "churn",
            "fit",
            "--input",
            input,
            "--format",
            "cdnow",
            "--until",
            "1997-09-30",
            "--model",
            trained.to_str().unwrap(),
            "--out",
            path.to_str().unwrap(),
        ]);
        models.insert(window_days, path);
    }
    models
}

/// Replays in a directory of its own; the summary and the changes' lines.
fn cdnow_replay(run: &Run, input: &str, model: &Path, store: &Path) -> (Value, String) {
    let assignments = [
        format!("store.directory={}", store.display()),
        format!("model.path={}", model.display()),
        format!("time.business_zone={}", run.zone),
        "churn.band_changes=true".to_owned(),
    ];
    let all = assignments.iter().map(String::as_str);
    let all: Vec<&str> = all.chain(run.settings.iter().copied()).collect();
    let settings: Vec<&str> = all.into_iter().flat_map(|one| ["--set", one]).collect();
    let replay = [
        "replay",
        "--input",
        input,
        "--format",
        "cdnow",
        "--to",
        "embedded",
        "--json",
        "--advance-to",
        CDNOW_END,
    ];
    let summary = segstream(&[&replay[..], &settings].concat());
    let changes = segstream(&[&["state", "changes"][..], &settings].concat());
    (serde_json::from_str(&summary).unwrap(), changes)
}

#[test]
fn every_change_of_cdnow_by_time_alone_is_the_oracles_to_the_millisecond() {
    let Some(master) = support::data_file("cdnow_master.txt") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let input = cdnow_input(&master, folder.path());
    let input_name = input.to_str().unwrap();
    let models = cdnow_models(input_name, folder.path());
    for (number, run) in runs().iter().enumerate() {
        let model = &models[&run.window_days];
        let artifact: Value =
            serde_json::from_str(&std::fs::read_to_string(model).unwrap()).unwrap();
        let method = (run.method)(Fit::from_artifact(&artifact));
        let model_of_oracle = Model::from_artifact(&artifact);
        let churn = churn(method, MEDIUM, HIGH);
        let settings = settings(model_of_oracle, churn, run.zone, CDNOW_END);
        let started = Instant::now();
        let expected = replay(&cdnow_deliveries(&input, run.zone), &settings);
        let oracle_took = started.elapsed();
        let store = folder.path().join(format!("run-{number}"));
        let started = Instant::now();
        let (summary, lines) = cdnow_replay(run, input_name, model, &store);
        let program_took = started.elapsed();
        let seen = assert_equal(run.name, &changes_of(lines.lines()), &expected);
        assert_eq!(summary["time_changes"], seen.by_time(), "{}", run.name);
        let evaluations = summary["time_evaluations"].as_f64().unwrap_or(f64::NAN);
        eprintln!(
            "{}: {} evaluations by time for {} changes by time, {:.3} each; a daily scan takes {:.1} \
             times as many; the oracle took {oracle_took:.1?}, the program {program_took:.1?}",
            run.name,
            summary["time_evaluations"],
            summary["time_changes"],
            evaluations / seen.by_time() as f64,
            expected.customer_days as f64 / evaluations,
        );
    }
}

// Simulated shops.

const SHOP_CUSTOMERS: u64 = 300;
const SHOP_PARTITIONS: u32 = 3;
/// From winter to the spring after the next: the clocks go forward, back and forward again.
const SHOP_BEGINS: &str = "2025-02-10T00:00:00Z";
const SHOP_DAYS: i64 = 425;
/// Time runs on over one more New Year and until the last day has left the longest window.
const SHOP_END: &str = "2027-06-01T00:00:00Z";
const SHOP_SIZING: Sizing = Sizing {
    commit_records: 40,
    flush_records: 200,
    flush_bytes: 1 << 30,
    engine: Engine::Fjall,
    flushes_in_background: false,
    page_bytes: 2048,
    cache_bytes: 1 << 20,
};

/// A fit of a busy shop, made up.
const SHOP_FIT: Fit = Fit {
    r: 0.7,
    alpha_days: 25.0,
    a: 0.8,
    b: 2.5,
};

/// One customer of a simulated shop, as events in the order of occurrence.
struct Shopper<'a> {
    chance: &'a mut Chance,
    id: String,
    deliveries: Vec<Delivery>,
}

impl Shopper<'_> {
    fn between(&mut self, from: i64, to: i64) -> i64 {
        from + self.chance.below((to - from) as u64) as i64
    }

    fn has(&mut self, percent: u64) -> bool {
        self.chance.below(100) < percent
    }

    /// Most arrive within a minute, some days late, some ahead of the clock of the log.
    fn record_time_of(&mut self, occurred_at: i64) -> i64 {
        match self.chance.below(100) {
            0..=59 => self.between(occurred_at, occurred_at + 60_000),
            60..=84 => self.between(occurred_at, occurred_at + 3 * DAY_MS),
            85..=96 => self.between(occurred_at - 240_000, occurred_at),
            // Far ahead: clamped to the record time.
            _ => self.between(occurred_at - 3 * HOUR_MS, occurred_at - HOUR_MS),
        }
    }

    fn send(&mut self, occurred_at: i64, mut body: Value) {
        let number = self.deliveries.len();
        body["customer_id"] = json!(self.id);
        body["event_id"] = json!(format!("{}-{number}", self.id));
        body["occurred_at"] = json!(text_of(occurred_at));
        let record_time_ms = self.record_time_of(occurred_at);
        let delivery = Delivery {
            record_time_ms,
            body,
        };
        self.deliveries.push(delivery.clone());
        if self.has(4) {
            let mut again = delivery;
            again.record_time_ms = self.between(record_time_ms, record_time_ms + 2 * DAY_MS);
            if again.body.get("order_id").is_some() && self.has(50) {
                // The same order under another id, and with another amount.
                again.body["event_id"] = json!(format!("{}-{number}-again", self.id));
                again.body["revenue"] = json!("999.99");
            }
            self.deliveries.push(again);
        }
    }

    fn update(&mut self, occurred_at: i64) {
        let mut profile = json!({});
        if self.has(60) {
            profile["birth_year"] = json!(self.between(1940, 2005));
        }
        if self.has(60) {
            profile["income"] = json!(self.between(12_000, 90_000));
        }
        if self.has(60) {
            let joined_at = occurred_at - self.between(DAY_MS, 900 * DAY_MS);
            profile["joined_at"] = json!(text_of(joined_at));
        }
        self.send(
            occurred_at,
            json!({"type": "customer.updated", "profile": profile}),
        );
    }

    fn order(&mut self, occurred_at: i64) {
        let channels = [
            "web",
            "web",
            "web",
            "store",
            "catalog",
            "app",
            "marketplace",
            "phone",
            "unknown",
        ];
        let channel = channels[self.between(0, channels.len() as i64) as usize];
        let cents = self.between(0, 100) * self.between(1, 300);
        let number = self.deliveries.len();
        let mut body = json!({
            "type": "order.completed", "order_id": format!("{}-o-{number}", self.id),
            "currency": "USD", "revenue": format!("{}.{:02}", cents / 100, cents % 100),
            "channel": channel,
        });
        if self.has(20) {
            body["coupon"] = json!("SPRING");
        }
        if self.has(20) {
            body["discount"] = json!(["0", "0.00", "1.50"][self.between(0, 3) as usize]);
        }
        self.send(occurred_at, body);
    }

    fn live(&mut self) {
        let begins = at(SHOP_BEGINS);
        let ends = begins + SHOP_DAYS * DAY_MS;
        let mut now = begins + self.between(0, 200 * DAY_MS);
        if self.has(70) {
            self.update(now);
        }
        let mut pause = self.between(DAY_MS, 40 * DAY_MS);
        loop {
            now += self.between(1, 2 * pause);
            if now >= ends || self.has(5) {
                break;
            }
            match self.chance.below(100) {
                0..=9 => self.update(now),
                // Some change their habits.
                10..=14 => pause = self.between(DAY_MS, 40 * DAY_MS),
                _ => self.order(now),
            }
        }
    }
}

/// All deliveries of a shop, strictly ordered by record time.
fn shop(seed: u64) -> Vec<Delivery> {
    let mut chance = Chance(seed);
    let mut deliveries = Vec::new();
    for number in 0..SHOP_CUSTOMERS {
        let mut shopper = Shopper {
            chance: &mut chance,
            id: format!("shopper-{number}"),
            deliveries: Vec::new(),
        };
        shopper.live();
        deliveries.append(&mut shopper.deliveries);
    }
    deliveries.sort_by_key(|delivery| delivery.record_time_ms);
    let mut latest = 0;
    for delivery in &mut deliveries {
        delivery.record_time_ms = delivery.record_time_ms.max(latest + 1);
        latest = delivery.record_time_ms;
    }
    deliveries
}

/// Name, transform, window, cap and median of a feature.
type ShopFeature = (&'static str, &'static str, Option<u32>, Option<f64>, f64);

const SHOP_FEATURES: [ShopFeature; 7] = [
    ("age", "identity", None, None, 44.0),
    ("income", "identity", None, Some(80_000.0), 45_000.0),
    ("total_spending", "identity", Some(90), None, 100.0),
    ("web_purchases", "identity", Some(30), None, 0.0),
    ("orders", "identity", Some(365), None, 2.0),
    ("recency_days", "identity", None, Some(120.0), 30.0),
    ("tenure_days", "log1p", None, None, 200.0),
];

fn shop_artifact(scales: &[(f64, f64)], centroids: &[Vec<f64>]) -> Value {
    let features: Vec<Value> = SHOP_FEATURES
        .iter()
        .zip(scales)
        .map(
            |((name, transform, window_days, cap, median), (mean, deviation))| {
                let mut feature = json!({
                    "name": name, "transform": transform, "median": median, "mean": mean,
                    "standard_deviation": deviation,
                });
                if let Some(window_days) = window_days {
                    feature["window_days"] = json!(window_days);
                }
                if let Some(cap) = cap {
                    feature["cap"] = json!(cap);
                }
                feature
            },
        )
        .collect();
    let profile: BTreeMap<&str, f64> = SHOP_FEATURES
        .iter()
        .map(|(name, .., median)| (*name, *median))
        .collect();
    let segments: Vec<Value> = (1..)
        .zip(centroids)
        .map(|(number, centroid)| {
            json!({
                "id": format!("segment-{number}"), "name": format!("Segment {number}"),
                "description": "", "size": 1, "share": 0.2, "centroid": centroid,
                "profile": profile,
            })
        })
        .collect();
    json!({
        "format": 1, "version": "shop", "trained_at": SHOP_BEGINS, "features": features,
        "margin": {"squared": 0.0, "distance": 0.05}, "segments": segments,
        "training": {
            "source": "a simulated shop", "as_of": SHOP_BEGINS, "rows_read": 5,
            "rows_dropped": {}, "rows": 5, "k": centroids.len(), "inertia": 0.0, "seed": 0,
            "runs": 1,
        },
        "fingerprint": "",
    })
}

/// A model of the shop's customers in the middle of its time: five of them are the centroids.
fn shop_model(deliveries: &[Delivery], zone: &str, seed: u64) -> Value {
    let plain = shop_artifact(
        &[(0.0, 1.0); SHOP_FEATURES.len()],
        &[vec![0.0; SHOP_FEATURES.len()]],
    );
    let middle = &deliveries[..deliveries.len() / 2];
    let until = text_of(middle.last().unwrap().record_time_ms + 1);
    let settings = settings(Model::from_artifact(&plain), None, zone, &until);
    let rows: Vec<Vec<f64>> = scaled_features(middle, &settings).into_values().collect();
    let scale = |place: usize| {
        let values = || rows.iter().map(|row| row[place]);
        let mean = values().sum::<f64>() / rows.len() as f64;
        let squares: f64 = values().map(|value| (value - mean).powi(2)).sum();
        (mean, (squares / rows.len() as f64).sqrt())
    };
    let scales: Vec<(f64, f64)> = (0..SHOP_FEATURES.len()).map(scale).collect();
    let mut chance = Chance(seed ^ 0x5e65);
    let mut places = BTreeSet::new();
    while places.len() < 5 {
        places.insert(chance.below(rows.len() as u64) as usize);
    }
    let scaled = |place: &usize| {
        let pairs = rows[*place].iter().zip(&scales);
        pairs
            .map(|(value, (mean, deviation))| (value - mean) / deviation)
            .collect()
    };
    let centroids: Vec<Vec<f64>> = places.iter().map(scaled).collect();
    let mut artifact = shop_artifact(&scales, &centroids);
    artifact["churn"] = json!({
        "method": "mbg_nbd", "r": SHOP_FIT.r, "alpha_days": SHOP_FIT.alpha_days, "a": SHOP_FIT.a,
        "b": SHOP_FIT.b, "basis": "example", "source": "a simulated shop",
        "fitted_at": SHOP_BEGINS, "until": "2025-02-09", "customers": 5, "prior": "none",
        "log_likelihood": 0.0,
    });
    artifact
}

/// What churn is in the shop of a seed, for the oracle and for the engine.
fn shop_churn(seed: u64) -> (ChurnMethod, ChurnDefinition) {
    match seed % 3 {
        0 => (alive(SHOP_FIT), ChurnDefinition::NotAlive),
        1 => {
            let horizon_days = HORIZON_DAYS;
            let definition = ChurnDefinition::NoPurchaseWithin { horizon_days };
            (buying(SHOP_FIT), definition)
        }
        _ => {
            let definition = ChurnDefinition::Silence { days: 60 };
            (ChurnMethod::Silence { days: 60.0 }, definition)
        }
    }
}

fn shop_policy(zone: &str, definition: ChurnDefinition, seed: u64) -> Policy {
    let mut policy = support::policy();
    policy.zone = BusinessZone::named(zone).unwrap();
    policy.churn = ChurnPolicy {
        definition,
        medium: MEDIUM,
        high: HIGH,
        publishes_bands: true,
    };
    // How far ahead the engine works things out must never show.
    policy.horizon_days = if seed.is_multiple_of(2) { 20 } else { 730 };
    policy
}

/// An engine with a policy and a model of its own.
fn life_with(root: &Path, policy: Policy, artifact: &Value) -> Life {
    let mut artifact: Artifact = serde_json::from_value(artifact.clone()).unwrap();
    artifact.fingerprint = artifact.compute_fingerprint().unwrap();
    let model = Arc::new(SegmentModel::from_artifact(&artifact).unwrap());
    let under = (model, policy);
    let life = Life::begin_under(root, SHOP_PARTITIONS, SHOP_SIZING, &Faults::none(), under);
    Life {
        advance_to: Some(support::at(SHOP_END)),
        ..life
    }
}

fn input_of(delivery: &Delivery) -> InputRecord {
    let customer = delivery.body["customer_id"].as_str().unwrap();
    InputRecord::new(
        Timestamp::from_milliseconds(delivery.record_time_ms),
        Some(customer.as_bytes().to_vec()),
        delivery.body.to_string().into_bytes(),
    )
}

fn shops_equal_the_oracle(zone: &str) {
    let seed = std::env::var("SEGSTREAM_TEST_SEED").ok();
    let seeds = match seed.and_then(|seed| seed.parse().ok()) {
        Some(seed) => seed..seed + 1,
        None if is_long() => 1..21,
        None => 1..4,
    };
    for seed in seeds {
        eprintln!(
            "{zone}; replay: SEGSTREAM_TEST_SEED={seed} cargo test --test suite time_replay shops"
        );
        let deliveries = shop(seed);
        let artifact = shop_model(&deliveries, zone, seed);
        let (method, definition) = shop_churn(seed);
        let churn = churn(method, MEDIUM, HIGH);
        let settings = settings(Model::from_artifact(&artifact), churn, zone, SHOP_END);
        let expected = replay(&deliveries, &settings);
        let folder = tempfile::tempdir().unwrap();
        let mut life = life_with(
            folder.path(),
            shop_policy(zone, definition, seed),
            &artifact,
        );
        let inputs = deliveries.iter().map(input_of).collect();
        life.log.append(inputs, None).unwrap();
        life.run_to_end().unwrap();
        let verdicts = life.shared.tally.counts().verdicts;
        let known = [Outcome::Applied, Outcome::Duplicate];
        assert!(
            verdicts.keys().all(|verdict| known.contains(verdict)),
            "{verdicts:?}"
        );
        assert!(verdicts[&Outcome::Duplicate] > 0, "{verdicts:?}");
        let lines = life.changes();
        let found = changes_of(lines.iter().map(String::as_str));
        assert_equal(&format!("{zone}, seed {seed}"), &found, &expected);
        life.assert_counts();
    }
}

#[test]
fn shops_with_late_events_in_berlin_equal_the_oracle() {
    shops_equal_the_oracle("Europe/Berlin");
}

#[test]
fn shops_with_late_events_in_new_york_equal_the_oracle() {
    shops_equal_the_oracle("America/New_York");
}
