//! What a deployment must show once all of its input is committed: the oracle's fold of the input topic, compared
//! with the output topics, the state, and what each instance answers.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::SocketAddr;

use segstream::domain::time::Timestamp;
use segstream::engine::policy::Rules;
use segstream::log::OutputRecord;
use segstream::pipeline::outputs;
use segstream::pipeline::partition::clock::ClockMode;
use segstream::view::export::export_line;
use serde_json::Value;

use crate::PARTITIONS;
use crate::deployment::Deployment;
use crate::deployment::wait_until;
use crate::group;
use crate::scraper::get;
use crate::support;
use crate::support::TOPIC;
use crate::support::cluster::committed_on;
use crate::support::cluster::events_on;
use crate::support::simulation::oracle;

/// The settings under which the oracle folds, which differ from the defaults.
pub const SETTINGS: [&str; 1] = ["churn.band_changes=true"];

/// An instance that runs.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// The instance's store.
    pub instance: &'a str,
    pub address: SocketAddr,
}

/// The fold of a deployment's input.
pub struct Expected {
    fold: oracle::Expected,
    /// What `state export --as-of evaluated` prints.
    pub export: String,
    /// Gauges that count customers, by name and labels; none that is 0.
    gauges: BTreeMap<String, i64>,
}

impl Expected {
    /// Folds all of the input as it is now; each clock stands at the greatest record time of its partition.
    pub fn of(deployment: &Deployment) -> Self {
        let events = deployment.topic("events");
        let inputs = events_on(&deployment.brokers, &events, PARTITIONS);
        let fold = oracle::fold(
            (&inputs, &[]),
            ClockMode::Event,
            None,
            oracle::Deletions::default(),
        );
        let (model, policy) = (support::model(), support::policy());
        let mut export = String::new();
        let mut gauges: BTreeMap<String, i64> = BTreeMap::new();
        for (id, record) in &fold.records {
            let rules = Rules {
                policy: &policy,
                model: &model,
            };
            let line = export_line(id, record, record.evaluated_at, rules);
            export.push_str(&serde_json::to_string(&line).unwrap());
            export.push('\n');
            let mut counts = Vec::new();
            if let Some(segment) = record.segment_id() {
                counts.push(format!("segstream_customers{{segment=\"{segment}\"}}"));
                if let Some(band) = record.band {
                    let labels = format!("band=\"{}\",segment=\"{segment}\"", band.as_str());
                    counts.push(format!("segstream_churn_risk_customers{{{labels}}}"));
                }
            }
            if record.deadline.is_some() {
                counts.push("segstream_deadlines_pending".to_owned());
            }
            for name in counts {
                *gauges.entry(name).or_default() += 1;
            }
        }
        assert!(!fold.changes.is_empty() && !fold.dead_letters.is_empty());
        Self {
            fold,
            export,
            gauges,
        }
    }

    /// Waits until all of the input is committed, and for each thing that can be seen of it in a running
    /// deployment. What is wrong for a moment of a rebalance may become right; what stays wrong fails.
    pub fn wait_for(&self, deployment: &Deployment, members: &[Member<'_>]) {
        wait_until("all of the input is committed", || {
            group::is_caught_up(deployment)
        });
        wait_until("the changelog has the fold's state", || {
            deployment.changelog() == self.export
        });
        wait_until("each partition is one instance's", || {
            owned_partitions(members) == (0..PARTITIONS).map(i64::from).collect::<Vec<_>>()
        });
        wait_until("the gauges equal a recount", || {
            gauges(members) == self.gauges
        });
        for id in self.fold.records.keys() {
            let line = self.line_of(id);
            wait_until(&format!("{id} is shown by an instance"), || {
                is_shown(members, id, &line)
            });
        }
        for line in deployment.changelog_by_clock().lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let id = line["customer_id"].as_str().unwrap();
            wait_until(&format!("{id} is shown as it is exported"), || {
                is_shown_as_exported(members, id, &line)
            });
        }
        self.assert_outputs(deployment);
    }

    fn line_of(&self, id: &str) -> Value {
        let (model, policy) = (support::model(), support::policy());
        let rules = Rules {
            policy: &policy,
            model: &model,
        };
        let record = &self.fold.records[id];
        serde_json::to_value(export_line(id, record, record.evaluated_at, rules)).unwrap()
    }

    /// The stores of stopped instances: all customers, counted right.
    pub fn assert_stores(&self, deployment: &Deployment, instances: &[&str]) {
        let export = deployment.export(instances);
        let lines = (export.lines().count(), self.export.lines().count());
        assert!(
            export == self.export,
            "{lines:?} customers are in the stores and in the fold"
        );
        assert!(
            deployment.stores_by_clock(instances) == deployment.changelog_by_clock(),
            "the stores as of their clocks are the changelog as of them"
        );
        let mut found: BTreeMap<String, i64> = BTreeMap::new();
        for instance in instances {
            // It fails where the counts that are kept along are wrong.
            let counts = deployment.text(instance, &["state", "recount"]);
            let counts: Value = serde_json::from_str(&counts).unwrap();
            let mut add = |name: String, count: &Value| {
                *found.entry(name).or_default() += count.as_i64().unwrap();
            };
            for (segment, count) in counts["segments"].as_object().unwrap() {
                add(
                    format!("segstream_customers{{segment=\"{segment}\"}}"),
                    count,
                );
            }
            for (segment, bands) in counts["churn_risk"].as_object().unwrap() {
                for (band, count) in bands.as_object().unwrap() {
                    let labels = format!("band=\"{band}\",segment=\"{segment}\"");
                    add(format!("segstream_churn_risk_customers{{{labels}}}"), count);
                }
            }
            add(
                "segstream_deadlines_pending".to_owned(),
                &counts["deadlines"],
            );
        }
        found.retain(|_, count| *count != 0);
        assert_eq!(found, self.gauges, "a recount of the stores");
    }

    /// Every change and every dead letter once, and the latest change of each customer.
    pub fn assert_outputs(&self, deployment: &Deployment) {
        let events = deployment.topic("events");
        let read = |kind: &str| {
            let records = committed_on(&deployment.brokers, &deployment.topic(kind), PARTITIONS);
            records.into_iter().map(|(_, record)| record)
        };
        let mut changes: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for record in read("changes") {
            changes
                .entry(key_of(&record))
                .or_default()
                .push(json_of(&record));
        }
        let expected = self.fold.changes.iter().map(|(id, changes)| {
            let records = changes.iter().map(|change| {
                json_of(&outputs::change_record(change, &events, Timestamp::default()).unwrap())
            });
            (id.clone(), records.collect())
        });
        let expected: BTreeMap<String, Vec<Value>> = expected.collect();
        for (id, found) in &changes {
            assert_eq!(Some(found), expected.get(id), "changes of {id}");
        }
        assert_eq!(changes.len(), expected.len(), "customers with changes");
        let current: BTreeMap<String, Value> = read("current")
            .map(|record| (key_of(&record), json_of(&record)))
            .collect();
        let latest = expected.iter().map(|(id, changes)| {
            let last = changes.last().unwrap().clone();
            (id.clone(), last)
        });
        assert!(current == latest.collect(), "the latest changes");
        self.assert_dead_letters(&events, read("letters"));
    }

    fn assert_dead_letters(&self, events: &str, letters: impl Iterator<Item = OutputRecord>) {
        let mut expected: Vec<OutputRecord> = self.fold.dead_letters.values().cloned().collect();
        for letter in &mut expected {
            let (_, topic) = letter
                .headers
                .iter_mut()
                .find(|(name, _)| name == "source_topic")
                .unwrap();
            assert_eq!(topic.as_deref(), Some(TOPIC.as_bytes()));
            *topic = Some(events.as_bytes().to_vec());
        }
        let sorted = |letters: Vec<OutputRecord>| {
            let all = letters.into_iter().map(|letter| {
                let number = |name: &str| {
                    let (_, value) = letter
                        .headers
                        .iter()
                        .find(|(found, _)| found == name)
                        .unwrap();
                    String::from_utf8_lossy(value.as_deref().unwrap())
                        .parse::<u64>()
                        .unwrap()
                };
                let place = (number("source_partition"), number("source_offset"));
                (place, letter.key, letter.value, letter.headers)
            });
            let mut all: Vec<_> = all.collect();
            all.sort();
            all
        };
        let (found, expected) = (sorted(letters.collect()), sorted(expected));
        assert_eq!(found.len(), expected.len(), "dead letters");
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found, expected, "a dead letter");
        }
    }
}

fn key_of(record: &OutputRecord) -> String {
    String::from_utf8(record.key.clone().unwrap()).unwrap()
}

/// A change without the wall time at which it was emitted.
fn json_of(record: &OutputRecord) -> Value {
    let mut change: Value = serde_json::from_slice(record.value.as_deref().unwrap()).unwrap();
    change.as_object_mut().unwrap().remove("emitted_at");
    change
}

/// The lines of the instances' pages, as names with labels, and values.
fn samples(members: &[Member<'_>]) -> Vec<(String, i64)> {
    let mut samples = Vec::new();
    for member in members {
        let Ok(page) = get(member.address, "/metrics", &[]) else {
            continue;
        };
        for line in page.lines().filter(|line| !line.starts_with('#')) {
            let (name, value) = line.rsplit_once(' ').unwrap();
            // Seconds of a histogram are no whole numbers.
            if let Ok(value) = value.parse::<i64>() {
                samples.push((name.to_owned(), value));
            }
        }
    }
    samples
}

/// The partitions that the instances have metrics of, in order, as often as they have them.
fn owned_partitions(members: &[Member<'_>]) -> Vec<i64> {
    let lags = samples(members).into_iter().filter_map(|(name, _)| {
        let partition = name
            .strip_prefix("segstream_consumer_lag_records{partition=\"")?
            .strip_suffix("\"}")?;
        partition.parse().ok()
    });
    let mut partitions: Vec<i64> = lags.collect();
    partitions.sort_unstable();
    partitions
}

/// Gauges that count customers, summed over the instances.
fn gauges(members: &[Member<'_>]) -> BTreeMap<String, i64> {
    let names: BTreeSet<&str> = [
        "segstream_customers",
        "segstream_churn_risk_customers",
        "segstream_deadlines_pending",
    ]
    .into();
    let mut gauges: BTreeMap<String, i64> = BTreeMap::new();
    for (name, value) in samples(members) {
        let metric = name.split('{').next().unwrap_or_default();
        if names.contains(metric) {
            *gauges.entry(name).or_default() += value;
        }
    }
    gauges.retain(|_, count| *count != 0);
    gauges
}

/// Whether exactly one instance shows a customer, with every value of the export; HTTP calls the instant of the values
/// `evaluated_at` too, and says more of the churn risk.
fn is_shown_as_exported(members: &[Member<'_>], id: &str, line: &Value) -> bool {
    let answers = members
        .iter()
        .filter_map(|member| get(member.address, &format!("/v1/customers/{id}"), &[]).ok());
    let answers: Vec<Value> = answers
        .map(|answer| serde_json::from_str(&answer).unwrap())
        .collect();
    let [answer] = answers.as_slice() else {
        return false;
    };
    let mut fields = line.as_object().unwrap().iter();
    fields.all(|(field, value)| match field.as_str() {
        "evaluated_at" => answer[field] == line["as_of"],
        "churn_risk" => {
            let mut parts = value.as_object().unwrap().iter();
            parts.all(|(part, value)| answer[field][part] == *value)
        }
        _ => answer[field] == *value,
    })
}

/// Whether exactly one instance shows a customer, as it is.
fn is_shown(members: &[Member<'_>], id: &str, line: &Value) -> bool {
    let answers = members
        .iter()
        .filter_map(|member| get(member.address, &format!("/v1/customers/{id}"), &[]).ok());
    let answers: Vec<Value> = answers
        .map(|answer| serde_json::from_str(&answer).unwrap())
        .collect();
    let [answer] = answers.as_slice() else {
        return false;
    };
    ["customer_id", "sequence", "orders", "total_spending"]
        .iter()
        .all(|member| answer[member] == line[member])
}
