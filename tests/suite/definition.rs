//! What decides the state is fixed with it: other settings are refused with both values, and two instances of
//! different settings never begin together.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::process::Output;
use std::sync::Arc;

use serde_json::Value;
use serde_json::json;
use tempfile::TempDir;

use segstream::domain::ids::Partition;
use segstream::domain::ids::Source;
use segstream::domain::money::Currency;
use segstream::domain::money::Decimal;
use segstream::domain::money::Exchange;
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
use crate::support::replaying::exported;
use crate::support::replaying::program;
use crate::support::replaying::replay;
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

/// The facts of the log that a commit changes.
fn written(life: &Life) -> [(u64, Option<u64>); 2] {
    [0, 1].map(|number| {
        let facts = life.log.member().facts(Partition(number));
        let facts = facts.unwrap().unwrap();
        let group_offset = facts.sources[&Source::Events].group_offset;
        (facts.changelog_end, group_offset)
    })
}

#[test]
fn nothing_is_committed_before_every_partition_is_open() {
    let root = tempfile::tempdir().unwrap();
    let of_both = life(root.path(), support::policy());
    of_both.log.append(vec![purchase()], None).unwrap();
    let mut of_zero = worker(&of_both, &[Partition(0)]);
    for _ in 0..5 {
        of_zero.turn().unwrap();
    }
    let store = tempfile::tempdir().unwrap();
    let before = written(&of_both);
    drop(of_zero);
    let same = of_both.beside(store.path(), support::policy());
    same.shared.control.gate.close(2);
    let mut of_one = worker(&same, &[Partition(1)]);
    for _ in 0..10 {
        of_one.turn().unwrap();
    }
    assert_eq!(written(&of_both), before, "partition 0 is not open");
    let mut of_zero = worker(&same, &[Partition(0)]);
    for _ in 0..10 {
        of_zero.turn().unwrap();
        of_one.turn().unwrap();
    }
    let [zero, one] = written(&of_both).map(|(_, offset)| offset.unwrap());
    assert_eq!(zero + one, 1, "the purchase is taken once");
}

/// Every file below a directory with its content.
fn content(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(content(&path));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            all.insert(path, bytes);
        }
    }
    all
}

fn orders(place: &Path, name: &str, numbers: std::ops::Range<usize>, members: &Value) -> PathBuf {
    let lines = numbers.map(|number| {
        let mut order = json!({
            "event_id": format!("e-{number}"), "type": "order.completed", "customer_id": format!("c-{number}"),
            "occurred_at": format!("2026-05-{:02}T12:00:00Z", 1 + number % 28), "order_id": format!("o-{number}"),
            "currency": "USD", "revenue": "10.00", "channel": "web",
        });
        let members = members.as_object().unwrap().clone();
        order.as_object_mut().unwrap().extend(members);
        format!("{order}\n")
    });
    let path = place.join(name);
    std::fs::write(&path, lines.collect::<String>()).unwrap();
    path
}

fn run_to_end(root: &Path, settings: &[&str]) -> Output {
    let store = format!("store.directory={}", root.join("store").display());
    let mut run = program();
    run.args(["run", "--until-caught-up", "--json", "--set", &store]);
    run.args(["--set", "http.address=127.0.0.1:0"]);
    run.args(settings).output().unwrap()
}

/// A model that is the shipped one under another version.
fn other_model(place: &Path) -> String {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/retail-6.json");
    let shipped = std::fs::read_to_string(shipped).unwrap();
    let path = place.join("other.json");
    let other = shipped.replacen("\"retail-6\"", "\"other\"", 1);
    std::fs::write(&path, &other).unwrap();
    let set = format!("model.path={}", path.display());
    // The program says which fingerprint it should have.
    let refused = program().args(["config", "check", "--set", &set]).output();
    let refused = String::from_utf8(refused.unwrap().stderr).unwrap();
    let [before, after] = [1, 3].map(|place| refused.split('"').nth(place).unwrap());
    std::fs::write(&path, other.replace(before, after)).unwrap();
    set
}

#[test]
fn a_call_that_is_refused_has_written_nothing_to_the_log() {
    let root = tempfile::tempdir().unwrap();
    let place = root.path();
    let first = orders(place, "first.jsonl", 0..30, &json!({}));
    let second = orders(place, "second.jsonl", 30..60, &json!({}));
    let jsonl = ["--format", "jsonl"];
    let done = replay(place, &first, &jsonl);
    assert_eq!(
        (done.code, done.verdict("applied")),
        (0, 30),
        "{}",
        done.said()
    );
    let before = content(&place.join("store-log"));
    let model = other_model(place);
    let refusals: [(&[&str], i32, &str); 8] = [
        (
            &["--set", "time.business_zone=America/New_York"],
            4,
            "time.business_zone is UTC in the state",
        ),
        (
            &["--set", &model],
            4,
            "model.version is retail-6 in the state and other in the settings",
        ),
        (
            &["--set", "money.base_currency=EUR"],
            4,
            "money.base_currency is USD in the state",
        ),
        (
            &["--set", "deduplication.ids=300"],
            4,
            "deduplication.ids is",
        ),
        (
            &["--set", "assign_prospects=true"],
            4,
            "assign_prospects is false in the state",
        ),
        (&["--set", "churn.medium=0.5"], 4, "churn is"),
        (
            &["--advance-to", "2026-05-01T00:00:00Z"],
            2,
            "--advance-to 2026-05-01T00:00:00.000Z is before",
        ),
        (&["--set", "embedded.partitions=3"], 4, "partitions"),
    ];
    for (settings, code, sentence) in refusals {
        // Threads of workers are never twice in the same order.
        for _ in 0..3 {
            let refused = replay(place, &second, &[&jsonl, settings].concat());
            assert_eq!(refused.code, code, "{settings:?}: {}", refused.said());
            assert!(refused.errors.contains(sentence), "{}", refused.errors);
            assert!(content(&place.join("store-log")) == before, "{settings:?}");
        }
        let run = run_to_end(place, settings);
        let errors = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(code), "{errors}");
        assert!(!errors.contains("listening"), "{errors}");
        assert!(content(&place.join("store-log")) == before, "{settings:?}");
    }
    let done = replay(place, &second, &jsonl);
    assert_eq!(
        done.summary["verdicts"],
        json!({"applied": 30}),
        "{}",
        done.said()
    );
}

/// By hand: 3 orders of 10.00 pounds at 1.30 are 39.00 dollars, and one of 10.00 dollars is 10.00.
#[test]
fn a_rate_is_added_to_a_state_and_the_events_are_sent_again() {
    let root = tempfile::tempdir().unwrap();
    let place = root.path();
    let jsonl = ["--format", "jsonl"];
    let dollars = orders(place, "usd.jsonl", 0..1, &json!({"customer_id": "anna"}));
    let pounds = json!({"customer_id": "anna", "currency": "GBP"});
    let pounds = orders(place, "gbp.jsonl", 1..4, &pounds);
    assert_eq!(replay(place, &dollars, &jsonl).code, 0);
    let rejected = replay(place, &pounds, &jsonl);
    assert_eq!(
        (rejected.code, rejected.verdict("rejected")),
        (3, 3),
        "{}",
        rejected.said()
    );
    let mend = place.join("mend.jsonl");
    let mut export = program();
    export.args([
        "dead-letters",
        "export",
        "--reason",
        "unknown_currency",
        "--out",
    ]);
    export.arg(&mend).arg("--dir").arg(place.join("store"));
    let export = export.output().unwrap();
    assert!(
        export.status.success(),
        "{}",
        String::from_utf8_lossy(&export.stderr)
    );
    let with_rate = |rate| ["--format", "jsonl", "--set", rate];
    let again = replay(place, &mend, &with_rate("money.rates.GBP=1.30"));
    assert_eq!(again.code, 0, "{}", again.said());
    assert_eq!(again.summary["verdicts"], json!({"applied": 3}));
    let once = replay(place, &mend, &with_rate("money.rates.GBP=1.3"));
    assert_eq!(
        once.summary["verdicts"],
        json!({"duplicate": 3}),
        "{}",
        once.said()
    );
    // A rate for one more currency, and then one less or another one.
    let both = [
        "--set",
        "money.rates.GBP=1.30",
        "--set",
        "money.rates.CHF=1.1",
    ];
    assert!(run_to_end(place, &both).status.success());
    let changed = [
        "--set",
        "money.rates.GBP=1.31",
        "--set",
        "money.rates.CHF=1.1",
    ];
    let less = ["--set", "money.rates.GBP=1.30"];
    let refusals: [(&[&str], &str); 3] = [
        (
            &changed,
            "money.rates.GBP is 1.3 in the state and 1.31 in the settings; set",
        ),
        (
            &less,
            "money.rates.CHF is 1.1 in the state and none in the settings; set",
        ),
        (
            &[],
            "money.rates.CHF is 1.1 in the state and none in the settings; money.rates.GBP is 1.3 in the state",
        ),
    ];
    let log = content(&place.join("store-log"));
    for (settings, sentence) in refusals {
        let run = run_to_end(place, settings);
        let errors = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(4), "{errors}");
        assert!(errors.contains(sentence), "{errors}");
        assert!(content(&place.join("store-log")) == log, "{settings:?}");
    }
    let customers = exported(place, &both);
    assert_eq!(customers.len(), 1);
    let spending = &customers["anna"]["features"]["total_spending"];
    assert_eq!(spending.as_f64(), Some(49.0), "{customers:#?}");
}

/// The rates of the tests and one for the pound.
fn with_pounds(rate: &str) -> Exchange {
    let mut exchange = support::intake().exchange;
    let pound = Currency::parse("GBP").unwrap();
    exchange.rates.push((pound, Decimal::parse(rate).unwrap()));
    exchange
}

/// An instance that has added a rate has taken one of two partitions over, and is killed.
#[test]
fn a_partition_of_the_settings_before_is_continued_beside_one_that_has_the_new_rate() {
    let root = tempfile::tempdir().unwrap();
    let mut before = life(root.path(), support::policy());
    before.log.append(vec![purchase()], None).unwrap();
    before.run_to_end().unwrap();
    let store = tempfile::tempdir().unwrap();
    let after = before.beside_with(store.path(), support::policy(), with_pounds("1.30"));
    let mut of_zero = worker(&after, &[Partition(0)]);
    for _ in 0..5 {
        of_zero.turn().unwrap();
    }
    // The old settings could still continue partition 1, but not partition 0.
    let (one, both) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let old = before.beside(one.path(), support::policy());
    old.shared.control.gate.close(2);
    let facts = written(&before);
    let mut of_one = worker(&old, &[Partition(1)]);
    for _ in 0..5 {
        of_one.turn().unwrap();
    }
    let mut of_zero = worker(&old, &[Partition(0)]);
    let error = (0..5).find_map(|_| of_zero.turn().err()).unwrap();
    let sentence = "money.rates.GBP is 1.3 in the state and none in the settings";
    assert!(error.to_string().contains(sentence), "{error}");
    of_one.turn().unwrap();
    assert_eq!(written(&before), facts, "partition 1 is as it was");
    let mut last = before.beside_with(both.path(), support::policy(), with_pounds("1.30"));
    last.run_to_end().unwrap();
    assert_eq!(last.records().len(), 1);
}

/// Two instances of a group, each with a partition of its own, add the same currency at different rates. `is_begun`: partition 1 has
/// state.
#[test]
fn rates_that_are_added_are_those_of_partition_0_or_refused() {
    for is_begun in [false, true] {
        let root = tempfile::tempdir().unwrap();
        let stores = [(); 3].map(|()| tempfile::tempdir().unwrap());
        let [of_first, of_second, of_third] = &stores;
        let before = life(root.path(), support::policy());
        let begun = if is_begun { vec![0, 1] } else { vec![0] };
        let begun: Vec<Partition> = begun.into_iter().map(Partition).collect();
        let mut of_before = worker(&before, &begun);
        for _ in 0..10 {
            of_before.turn().unwrap();
        }
        drop(of_before);
        let facts = written(&before);
        let with = |store: &TempDir, rate| {
            before.beside_with(store.path(), support::policy(), with_pounds(rate))
        };
        let (first, second) = (with(of_first, "1.30"), with(of_second, "1.31"));
        let mut of_one = worker(&first, &[Partition(1)]);
        for _ in 0..10 {
            of_one.turn().unwrap();
        }
        assert_eq!(written(&before), facts, "partition 1 waits: {is_begun}");
        let mut of_zero = worker(&second, &[Partition(0)]);
        for _ in 0..10 {
            of_zero.turn().unwrap();
        }
        assert_ne!(written(&before)[0], facts[0], "partition 0 decides");
        let error = (0..500).find_map(|_| of_one.turn().err()).unwrap();
        let sentence = "money.rates.GBP is 1.31 in the state and 1.3 in the settings";
        assert!(error.to_string().contains(sentence), "{error}");
        assert_eq!(written(&before)[1], facts[1], "partition 1 is as it was");
        let third = with(of_third, "1.31");
        let mut of_one = worker(&third, &[Partition(1)]);
        let is_there = (0..500).any(|_| {
            of_one.turn().unwrap();
            written(&before)[1] != facts[1]
        });
        assert!(is_there, "partition 1 follows: {is_begun}");
    }
}
