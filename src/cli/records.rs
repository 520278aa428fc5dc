//! The records of a deployment: from the stores of a stopped instance, or from the changelog of a running
//! one.

use std::collections::BTreeMap;

use crate::cli::compose::connection;
use crate::cli::compose::policy;
use crate::cli::exit::CallError;
use crate::cli::exit::Failed;
use crate::cli::model_fit::load_model;
use crate::cli::reading::stores;
use crate::codec::latest::LatestEntries;
use crate::config::bus::BusKind;
use crate::config::settings::Settings;
use crate::domain::ids::CustomerId;
use crate::domain::ids::Partition;
use crate::domain::time::Timestamp;
use crate::engine::policy::Policy;
use crate::engine::state::definition::Definition;
use crate::engine::state::record::CustomerRecord;
use crate::log::kafka::KafkaLog;
use crate::model::segment_model::SegmentModel;

/// The state of a deployment.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// Every live customer, ascending by id: equal states give equal rows.
    pub records: Vec<(CustomerId, CustomerRecord)>,
    /// The definition that it was made under; empty where there is no state yet.
    pub definition: Definition,
}

/// The state of a running deployment.
#[derive(Debug, Default)]
pub struct ChangelogSnapshot {
    /// One for each partition with a record in the changelog.
    pub partitions: Vec<PartitionRecords>,
    /// The definition that it was made under; empty where there is no state yet.
    pub definition: Definition,
}

/// The customers of one partition.
#[derive(Debug)]
pub struct PartitionRecords {
    /// Its clock.
    pub clock: Option<Timestamp>,
    /// Every live customer, ascending by id.
    pub records: Vec<(CustomerId, CustomerRecord)>,
}

/// The model and the policy that the state was made under. Zone, currency and lengths are the state's own.
///
/// # Errors
/// If the settings have another model: a record's segment means something only in the model that assigned it.
pub fn reading(
    settings: &Settings,
    definition: &Definition,
) -> anyhow::Result<(SegmentModel, Policy)> {
    let model = load_model(settings)?;
    let given = (model.facts().version.as_str(), model.fingerprint());
    if let Some(made_by) = definition.model().filter(|made_by| *made_by != given) {
        return Err(CallError(format!(
            "the state was made by model {}, but the settings have {}, or another file of that name: give the model \
             of the state with --set model.path=FILE",
            made_by.0, given.0
        ))
        .into());
    }
    let policy = definition.policy(&policy(settings));
    let policy =
        policy.ok_or_else(|| Failed("the state's definition cannot be read".to_owned()))?;
    Ok((model, policy))
}

/// All of the compacted changelog: a consistent snapshot of a running deployment.
///
/// # Errors
/// If it cannot be read.
pub fn changelog(settings: &Settings) -> anyhow::Result<ChangelogSnapshot> {
    if settings.bus != BusKind::Kafka {
        let problem = "--changelog reads from Kafka: set kafka.brokers".to_owned();
        return Err(CallError(problem).into());
    }
    let log = KafkaLog::open(connection(settings, "state-export"))?;
    // The numbers of categories are those of a partition.
    let mut partitions: BTreeMap<Partition, LatestEntries> = BTreeMap::new();
    let mut problem = None;
    log.read_state(|partition, key, value| {
        let latest = partitions.entry(partition).or_default();
        if let Err(error) = latest.take(key, value.map(<[u8]>::to_vec)) {
            problem.get_or_insert(error);
        }
    })?;
    let unreadable = |error| anyhow::Error::from(error).context("a record of the changelog");
    if let Some(error) = problem {
        return Err(unreadable(error));
    }
    let mut snapshot = ChangelogSnapshot::default();
    for latest in partitions.into_values() {
        let entries = latest.entries().map_err(unreadable)?.into_iter();
        let live =
            entries.filter_map(|(customer_id, entry)| Some((customer_id, entry.into_record()?)));
        snapshot.partitions.push(PartitionRecords {
            clock: latest.clock,
            records: live.collect(),
        });
        snapshot.definition = latest.table.definition;
    }
    Ok(snapshot)
}

/// All records of a deployment.
///
/// # Errors
/// As [`stores`] and [`changelog`].
pub fn all_records(settings: &Settings, is_changelog: bool) -> anyhow::Result<Snapshot> {
    let mut snapshot = Snapshot::default();
    if is_changelog {
        let found = changelog(settings)?;
        let partitions = found.partitions.into_iter();
        snapshot.records = partitions.flat_map(|one| one.records).collect();
        snapshot.definition = found.definition;
        snapshot
            .records
            .sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
        return Ok(snapshot);
    }
    let stores = stores(settings)?;
    for store in stores.iter() {
        for entry in store.records() {
            let (customer_id, entry) = entry?;
            let record = entry.into_record().map(|record| (customer_id, record));
            snapshot.records.extend(record);
        }
        if store.checkpoint().is_some() {
            snapshot.definition = store.table().definition.clone();
        }
    }
    snapshot
        .records
        .sort_by(|(left, _), (right, _)| left.cmp(right));
    Ok(snapshot)
}
