//! The records of a deployment: from the stores of a stopped instance, or from the changelog of a running
//! one.

use crate::cli::compose::connection;
use crate::cli::compose::policy;
use crate::cli::exit::CallError;
use crate::cli::exit::Failed;
use crate::cli::model_fit::load_model;
use crate::cli::reading::stores;
use crate::codec::CodecError;
use crate::codec::latest::LatestEntries;
use crate::config::bus::BusKind;
use crate::config::settings::Settings;
use crate::domain::ids::CustomerId;
use crate::domain::ids::Partition;
use crate::domain::time::Timestamp;
use crate::engine::policy::Policy;
use crate::engine::state::definition::Definition;
use crate::engine::state::entry::Entry;
use crate::engine::state::record::CustomerRecord;
use crate::log::kafka::KafkaLog;
use crate::log::kafka::StateReader;
use crate::model::segment_model::SegmentModel;

/// How often a partition of the changelog is read on where a part is missing.
const READS_MAX: usize = 5;

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
    let mut reader = log.state_reader()?;
    let mut snapshot = ChangelogSnapshot::default();
    for partition in (0..log.partitions()).map(Partition) {
        let Some((latest, entries)) = latest_of(&mut reader, partition)? else {
            continue;
        };
        let entries = entries.into_iter();
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

/// What the changelog holds of a partition, and its entries, ascending by customer.
type Latest = (LatestEntries, Vec<(CustomerId, Entry)>);

/// Reads what the changelog holds of a partition; `None` where it has no record.
fn latest_of(reader: &mut StateReader, partition: Partition) -> anyhow::Result<Option<Latest>> {
    let unreadable = |error| anyhow::Error::from(error).context("a record of the changelog");
    // The numbers of categories are those of a partition.
    let mut latest = LatestEntries::default();
    let (mut is_empty, mut read_to, mut reads) = (true, 0, 0);
    loop {
        reads += 1;
        let mut taken = Ok(());
        let next = reader.read_on(partition, read_to, |key, value| {
            is_empty = false;
            let took = latest.take(key, value.map(<[u8]>::to_vec));
            taken = std::mem::replace(&mut taken, Ok(())).and(took);
        })?;
        taken.map_err(unreadable)?;
        if is_empty {
            return Ok(None);
        }
        match latest.entries() {
            Ok(entries) => return Ok(Some((latest, entries))),
            // Compaction may remove a part while its entry is read. Then the entry that replaced it comes later.
            Err(CodecError::Missing) if next > read_to && reads < READS_MAX => read_to = next,
            Err(error) => return Err(unreadable(error)),
        }
    }
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
