//! Time alone, against a scan by the engine's own rule: every segment and band that an hourly look finds, and
//! nothing else, at the very millisecond.
//!
//! `SEGSTREAM_TEST_SEED=n` replays one customer.

use crate::support;
use std::collections::BTreeMap;

use crate::support::Chance;
use crate::support::at;
use segstream::domain::change::SegmentChange;
use segstream::domain::churn::ChurnDefinition;
use segstream::domain::churn::RiskBand;
use segstream::domain::event::parse::parse;
use segstream::domain::ids::Partition;
use segstream::domain::ids::Position;
use segstream::domain::ids::Source;
use segstream::domain::time::BusinessZone;
use segstream::domain::time::Timestamp;
use segstream::engine::assignment::evaluate;
use segstream::engine::commands::Delivered;
use segstream::engine::commands::decide;
use segstream::engine::elapse::elapse;
use segstream::engine::policy::Policy;
use segstream::engine::policy::Rules;
use segstream::engine::risk::RiskPath;
use segstream::engine::state::entry::Entry;
use segstream::engine::state::record::CustomerRecord;
use segstream::model::artifact::Artifact;
use segstream::model::artifact::ArtifactFeature;
use segstream::model::artifact::ArtifactMargin;
use segstream::model::artifact::ArtifactSegment;
use segstream::model::artifact::Transform;
use segstream::model::segment_model::SegmentModel;
use segstream::model_files;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
const CUSTOMERS: u64 = 600;

fn unit(chance: &mut Chance) -> f64 {
    chance.below(1 << 30) as f64 / f64::from(1 << 30)
}

/// A model of features that stand still, grow, jump at midnights and at new years.
fn random_model(chance: &mut Chance) -> SegmentModel {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models/retail-6.json");
    let mut artifact: Artifact = model_files::load_artifact(&path).unwrap();
    let feature = |name: &str, window_days, cap, transform, mean: f64, standard_deviation: f64| {
        ArtifactFeature {
            name: name.to_owned(),
            transform,
            window_days,
            cap,
            median: mean,
            mean: transform.apply(mean),
            standard_deviation,
        }
    };
    let all = [
        feature(
            "recency_days",
            None,
            Some(60.0),
            Transform::Identity,
            30.0,
            20.0,
        ),
        feature("recency_days", None, None, Transform::Log1p, 30.0, 1.1),
        feature(
            "tenure_days",
            None,
            Some(400.0),
            Transform::Log1p,
            200.0,
            0.9,
        ),
        feature(
            "total_spending",
            Some(30),
            None,
            Transform::Identity,
            80.0,
            70.0,
        ),
        feature("orders", Some(90), None, Transform::Identity, 3.0, 2.0),
        feature(
            "average_order_value",
            Some(30),
            None,
            Transform::Log1p,
            40.0,
            0.8,
        ),
        feature("age", None, None, Transform::Identity, 45.0, 3.0),
        feature("frequency", None, None, Transform::Identity, 4.0, 3.0),
    ];
    let mut features: BTreeMap<String, ArtifactFeature> = BTreeMap::new();
    for _ in 0..=chance.below(6) {
        let one = &all[chance.below(all.len() as u64) as usize];
        features.insert(one.name.clone(), one.clone());
    }
    artifact.features = features.into_values().collect();
    let k = 2 + chance.below(5) as usize;
    artifact.segments = (0..k)
        .map(|number| ArtifactSegment {
            id: format!("s-{number}"),
            name: format!("S {number}"),
            description: String::new(),
            size: 1,
            share: 0.0,
            centroid: artifact
                .features
                .iter()
                .map(|_| 4.0 * unit(chance) - 2.0)
                .collect(),
            profile: artifact
                .features
                .iter()
                .map(|feature| (feature.name.clone(), 0.0))
                .collect(),
            quartiles: BTreeMap::new(),
        })
        .collect();
    artifact.training.k = k;
    artifact.margin = ArtifactMargin {
        squared: [0.0, 0.02][chance.below(2) as usize],
        distance: [0.0, 0.05][chance.below(2) as usize],
    };
    artifact.fingerprint = artifact.compute_fingerprint().unwrap();
    SegmentModel::from_artifact(&artifact).unwrap()
}

fn random_policy(chance: &mut Chance) -> Policy {
    let mut policy = support::policy();
    let zones = ["UTC", "Europe/Berlin", "America/New_York", "America/Havana"];
    policy.zone = BusinessZone::named(zones[chance.below(4) as usize]).unwrap();
    policy.horizon_days = [20, 730][chance.below(2) as usize];
    policy.churn.definition = [
        ChurnDefinition::NoPurchaseWithin { horizon_days: 90.0 },
        ChurnDefinition::NotAlive,
        ChurnDefinition::Silence { days: 45 },
    ][chance.below(3) as usize];
    policy
}

/// What moved, when: segment and band after it.
type Seen = (i64, String, Option<RiskBand>);

fn seen(change: &SegmentChange) -> Seen {
    (
        change.occurred_at.as_milliseconds(),
        change.current.segment_id.to_string(),
        change.churn_risk.map(|risk| risk.band),
    )
}

/// The rule as of an instant, with the segment held so far.
fn look(
    record: &CustomerRecord,
    held: usize,
    instant: Timestamp,
    rules: Rules<'_>,
) -> (usize, Option<RiskBand>) {
    let evaluation = evaluate(
        &record.aggregate,
        instant,
        rules.model,
        rules.policy,
        Some(held),
    );
    let path = RiskPath::of(&record.aggregate, rules.model, rules.policy);
    let band = path.map(|path| path.band_of(path.score(instant)));
    (evaluation.placement.segment, band)
}

/// Looks every hour, and a millisecond before it, as what time moved may jump back at a midnight; and goes back to the first millisecond where something is different.
fn scan(record: &CustomerRecord, until: Timestamp, rules: Rules<'_>) -> Vec<Seen> {
    let mut held = rules
        .model
        .segment_index(record.segment_id().unwrap())
        .unwrap();
    let mut band = record.band;
    let mut instant = record.evaluated_at;
    let mut found = Vec::new();
    while instant < until {
        let next_hour_ms = (instant.as_milliseconds() / HOUR_MS + 1) * HOUR_MS;
        let is_last_of_hour = instant.as_milliseconds() == next_hour_ms - 1;
        let next_ms = next_hour_ms - i64::from(!is_last_of_hour);
        let next = Timestamp::from_milliseconds(next_ms).unwrap().min(until);
        let mut now = look(record, held, next, rules);
        if now == (held, band) {
            instant = next;
            continue;
        }
        let (mut same, mut different) = (instant.as_milliseconds(), next.as_milliseconds());
        while different - same > 1 {
            let middle = i64::midpoint(same, different);
            let there = look(
                record,
                held,
                Timestamp::from_milliseconds(middle).unwrap(),
                rules,
            );
            if there == (held, band) {
                same = middle;
            } else {
                different = middle;
                now = there;
            }
        }
        instant = Timestamp::from_milliseconds(different).unwrap();
        (held, band) = now;
        let segment = rules.model.segments()[held].id.to_string();
        found.push((different, segment, band));
    }
    found
}

fn order(number: u64, at: Timestamp, chance: &mut Chance) -> String {
    let cents = 500 + chance.below(15_000);
    format!(
        r#"{{"event_id":"e-{number}","type":"order.completed","occurred_at":"{at}","customer_id":"c","order_id":"o-{number}","currency":"USD","revenue":"{}.{:02}"}}"#,
        cents / 100,
        cents % 100
    )
}

/// One customer through a year of purchases, then two years of silence; the evaluations by time, the changes
/// by time, and what each should have been.
fn live(seed: u64) -> (usize, usize) {
    let mut chance = Chance(seed);
    let (model, policy) = (random_model(&mut chance), random_policy(&mut chance));
    let rules = Rules {
        policy: &policy,
        model: &model,
    };
    let intake = support::intake();
    let mut record = CustomerRecord::default();
    let mut record_time =
        at("2025-01-10T00:00:00Z").plus_milliseconds(chance.below(30 * DAY_MS as u64) as i64);
    let purchases = 1 + chance.below(12);
    let (mut evaluations, mut moves) = (0, 0);
    for number in 0..=purchases {
        let is_profile = number == 1 && chance.below(2) == 0;
        let late_ms = chance.below(3) as i64 * chance.below(3 * DAY_MS as u64) as i64 / 2;
        let ahead_ms = i64::from(chance.below(4) == 0) * 200_000;
        let occurred_at =
            record_time.plus_milliseconds(if number % 2 == 0 { -late_ms } else { ahead_ms });
        let payload = if is_profile {
            format!(
                r#"{{"event_id":"p-{number}","type":"customer.updated","occurred_at":"{occurred_at}","customer_id":"c","profile":{{"birth_year":{},"joined_at":"2024-11-0{}T08:00:00Z"}}}}"#,
                1975 + chance.below(12),
                1 + chance.below(9)
            )
        } else {
            order(number, occurred_at, &mut chance)
        };
        let event = parse(payload.as_bytes(), record_time, &intake).unwrap();
        let before = record.clone();
        let position = Position {
            source: Source::Events,
            partition: Partition(0),
            offset: number,
        };
        let delivered = Delivered {
            event: &event,
            position,
            origin: position,
            record_time,
            clock: None,
        };
        let done = decide(Some(Entry::Live(Box::new(record))), "c", delivered, rules);
        record = done.entry.and_then(Entry::into_record).unwrap();
        if before.assignment.is_some() {
            let expected = scan(&before, record_time, rules);
            let by_time = |change: &&SegmentChange| change.reason.as_str() == "time_passed";
            let found: Vec<Seen> = done.changes.iter().filter(by_time).map(seen).collect();
            assert_eq!(found, expected, "seed {seed}, before event {number}");
            moves += found.len();
        }
        evaluations += done.time_evaluations;
        record_time = record_time.plus_milliseconds(chance.below(40 * DAY_MS as u64) as i64);
    }
    let end = record_time.plus_milliseconds(800 * DAY_MS);
    let expected = scan(&record, end, rules);
    let mut changes = Vec::new();
    evaluations += elapse(&mut record, "c", end, rules, &mut changes);
    let found: Vec<Seen> = changes.iter().map(seen).collect();
    assert_eq!(found, expected, "seed {seed}, in the silence");
    (evaluations, moves + found.len())
}

#[test]
fn an_hourly_scan_finds_the_changes_of_time_and_no_others() {
    let given = std::env::var("SEGSTREAM_TEST_SEED").ok();
    let seeds = match given.and_then(|text| text.parse::<u64>().ok()) {
        Some(seed) => seed..seed + 1,
        None => 0..CUSTOMERS,
    };
    let (mut evaluations, mut moves) = (0, 0);
    for seed in seeds {
        let lived = std::panic::catch_unwind(|| live(seed));
        match lived {
            Ok((looked, moved)) => {
                evaluations += looked;
                moves += moved;
            }
            Err(panic) => {
                eprintln!("replay: SEGSTREAM_TEST_SEED={seed} cargo test --test suite time");
                std::panic::resume_unwind(panic);
            }
        }
    }
    println!("{moves} changes by time, {evaluations} evaluations");
    assert!(moves > 0);
}

fn rules_of<'a>(policy: &'a Policy, model: &'a SegmentModel) -> Rules<'a> {
    Rules { policy, model }
}

fn taken(
    record: CustomerRecord,
    payload: &str,
    record_time: Timestamp,
    rules: Rules<'_>,
) -> CustomerRecord {
    let intake = support::intake();
    let event = parse(payload.as_bytes(), record_time, &intake).unwrap();
    let position = Position {
        source: Source::Events,
        partition: Partition(0),
        offset: record.applied.next(Source::Events),
    };
    let delivered = Delivered {
        event: &event,
        position,
        origin: position,
        record_time,
        clock: None,
    };
    let done = decide(Some(Entry::Live(Box::new(record))), "c", delivered, rules);
    done.entry.and_then(Entry::into_record).unwrap()
}

#[test]
fn a_prospect_who_is_not_assigned_any_more_waits_for_nothing() {
    let model = model_files::shipped_model().unwrap();
    let mut policy = support::policy();
    policy.assign_prospects = true;
    let born = r#"{"event_id":"p","type":"customer.updated","occurred_at":"2026-01-01T00:00:00Z","customer_id":"c","profile":{"birth_year":1980}}"#;
    let now = at("2026-01-01T00:00:00Z");
    let mut record = taken(
        CustomerRecord::default(),
        born,
        now,
        rules_of(&policy, &model),
    );
    assert!(record.deadline.is_some(), "age is a feature of the model");
    policy.assign_prospects = false;
    let rules = rules_of(&policy, &model);
    let mut changes = Vec::new();
    elapse(
        &mut record,
        "c",
        at("2030-01-01T00:00:00Z"),
        rules,
        &mut changes,
    );
    assert_eq!((record.deadline, changes.len()), (None, 0));
}

#[test]
fn at_the_end_of_time_nothing_is_waited_for() {
    let (model, policy) = (model_files::shipped_model().unwrap(), support::policy());
    let rules = rules_of(&policy, &model);
    let payload = order(1, at("2026-01-01T00:00:00Z"), &mut Chance(1));
    let mut record = taken(CustomerRecord::default(), &payload, Timestamp::MAX, rules);
    assert_eq!(record.deadline, None);
    let before = Timestamp::MAX.plus_milliseconds(-1000);
    record = taken(CustomerRecord::default(), &payload, before, rules);
    let mut changes = Vec::new();
    let evaluations = elapse(&mut record, "c", Timestamp::MAX, rules, &mut changes);
    assert!(evaluations <= 2, "{evaluations}");
    assert_eq!(record.deadline, None);
}
