//! What decides the state is fixed with it: other settings are refused with both values, and two instances of
//! different settings never begin together.

use std::path::Path;
use std::sync::Arc;

use segstream::domain::ids::Partition;
use segstream::domain::ids::Source;
use segstream::domain::time::BusinessZone;
use segstream::engine::policy::Policy;
use segstream::faults::Faults;
use segstream::log::WorkerLog;
use segstream::log::embedded::EmbeddedWorker;
use segstream::log::embedded::InputRecord;
use segstream::pipeline::Error;
use segstream::pipeline::worker::Worker;

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

fn life(root: &Path, policy: Policy) -> Life {
    let under = (support::model(), policy);
    Life::begin_under(root, 2, SIZING, &Faults::none(), under)
}

fn other_policies() -> Vec<(Policy, &'static str)> {
    let usual = support::policy;
    vec![
        (
            Policy {
                zone: BusinessZone::named("Europe/Berlin").unwrap(),
                ..usual()
            },
            "time.business_zone is UTC in the state and Europe/Berlin in the settings",
        ),
        (
            Policy {
                ledger_days: 900,
                ..usual()
            },
            "state.ledger_days is 800 in the state and 900 in the settings",
        ),
        (
            Policy {
                refund_days: 30,
                ..usual()
            },
            "state.refund_days is 60 in the state and 30 in the settings",
        ),
        (
            Policy {
                remembered_ids: 100,
                ..usual()
            },
            "deduplication.ids is 512 in the state and 100 in the settings",
        ),
        (
            Policy {
                assign_prospects: true,
                ..usual()
            },
            "assign_prospects is false in the state and true in the settings",
        ),
    ]
}

fn purchase() -> InputRecord {
    let payload = serde_json::json!({
        "event_id": "e-1", "type": "order.completed", "occurred_at": "2026-05-01T00:00:00Z", "customer_id": "c-1",
        "order_id": "o-1", "currency": "USD", "revenue": "10.00", "channel": "web",
    });
    InputRecord::new(
        Some(support::at("2026-05-01T00:00:00Z")),
        Some(b"c-1".to_vec()),
        payload.to_string().into_bytes(),
    )
}

#[test]
fn state_of_another_definition_is_refused_with_both_values() {
    let root = tempfile::tempdir().unwrap();
    let mut first = life(root.path(), support::policy());
    first.log.append(vec![purchase()], None).unwrap();
    first.run_to_end().unwrap();
    drop(first);
    for (policy, sentence) in other_policies() {
        let mut other = life(root.path(), policy);
        let error = other.run_to_end().unwrap_err();
        assert!(matches!(error, Error::OtherDefinition { .. }), "{error}");
        assert!(error.to_string().contains(sentence), "{error}");
    }
    life(root.path(), support::policy()).run_to_end().unwrap();
}

/// A worker of an instance that has some partitions.
fn worker(life: &Life, partitions: &[Partition]) -> Worker<EmbeddedWorker> {
    let mut log = life.log.worker(0, 1);
    let others: Vec<Partition> = (0..2)
        .map(Partition)
        .filter(|partition| !partitions.contains(partition))
        .collect();
    log.unassign(&others);
    Worker::new(log, Arc::clone(&life.shared))
}

#[test]
fn a_partition_without_state_waits_for_the_definition_of_partition_0() {
    let same = [(support::policy(), None)].into_iter();
    let others = other_policies().into_iter();
    for (policy, sentence) in same.chain(others.map(|(policy, text)| (policy, Some(text)))) {
        let (root, store) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let owner = life(root.path(), support::policy());
        let other = owner.beside(store.path(), policy);
        let group_offset = |partition| {
            let facts = owner.log.member().facts(partition).unwrap().unwrap();
            facts.sources[&Source::Events].group_offset
        };
        let mut of_one = worker(&other, &[Partition(1)]);
        for _ in 0..5 {
            of_one.turn().unwrap();
        }
        assert_eq!(group_offset(Partition(1)), None, "nothing is begun");
        let mut of_zero = worker(&owner, &[Partition(0)]);
        for _ in 0..5 {
            of_zero.turn().unwrap();
        }
        assert_eq!(group_offset(Partition(0)), Some(0), "partition 0 begins");
        let mut turns = (0..50).map(|_| of_one.turn());
        let error = turns.find_map(Result::err);
        match (sentence, error) {
            (None, None) => {
                assert_eq!(group_offset(Partition(1)), Some(0), "and the other follows");
            }
            (Some(sentence), Some(error)) => {
                assert!(error.to_string().contains(sentence), "{error}");
            }
            (expected, found) => panic!("{expected:?}, {found:?}"),
        }
    }
}
