//! The records of a deployment: from the stores of a stopped instance, or from the changelog of a running
//! one.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::cli::compose::Overrides;
use crate::cli::compose::Parts;
use crate::cli::compose::connection;
use crate::cli::compose::sizes;
use crate::cli::compose::store_directory;
use crate::cli::exit::CallError;
use crate::cli::exit::Failed;
use crate::config::settings::BusKind;
use crate::config::settings::Settings;
use crate::domain::ids::CustomerId;
use crate::domain::ids::Partition;
use crate::engine::record::CustomerRecord;
use crate::log::WorkerLog;
use crate::log::kafka::KafkaLog;
use crate::pipeline::partition::restore::Restore;
use crate::pipeline::partition::restore::Step;
use crate::store::codec;
use crate::store::codec::CodecError;
use crate::store::partition::PartitionStore;

fn restored(
    parts: &Parts,
    partition: Partition,
    log: &mut dyn WorkerLog,
) -> anyhow::Result<Arc<PartitionStore>> {
    let owner = parts.shared.partitions.take(partition);
    let displaced = || Failed(format!("partition {partition} is in use")).into();
    let mut restore = loop {
        match Restore::begin(owner, log, &parts.shared)? {
            Step::Done(restore) => break restore,
            Step::NotYet => {}
            Step::Displaced => return Err(displaced()),
        }
    };
    loop {
        match restore.advance(log, &parts.shared)? {
            Step::Done(()) => break,
            Step::NotYet => {}
            Step::Displaced => return Err(displaced()),
        }
    }
    restore.store().flush(owner.epoch())?;
    Ok(Arc::clone(restore.store()))
}

/// The stores of the directory, all of their records in sled. On the embedded bus the log's tail is
/// folded in first; on Kafka they are as the instance left them, the owned ones only.
///
/// # Errors
/// If there is no log, or a store is held or cannot be trusted.
pub fn stores(settings: &Settings) -> anyhow::Result<Vec<Arc<PartitionStore>>> {
    match settings.bus {
        BusKind::Embedded => {
            let (parts, log) = Parts::open_embedded(settings, &Overrides::default())?;
            let mut reader = log.worker(0, 1);
            let mut stores = Vec::new();
            for number in 0..log.partitions() {
                let store = restored(&parts, Partition(number), &mut reader)?;
                stores.push(store);
            }
            Ok(stores)
        }
        BusKind::Kafka => {
            let directory = store_directory(settings)?;
            let owned = directory.owned()?;
            let sizes = sizes(settings, u32::try_from(owned.len())?);
            let open = |partition: &Partition| {
                PartitionStore::open_as_left(&directory, *partition, sizes).map(Arc::new)
            };
            Ok(owned.iter().map(open).collect::<Result<_, _>>()?)
        }
    }
}

/// Every record of the compacted changelog, by customer: a consistent snapshot of a running deployment.
///
/// # Errors
/// If it cannot be read.
pub fn changelog(settings: &Settings) -> anyhow::Result<BTreeMap<CustomerId, CustomerRecord>> {
    if settings.bus != BusKind::Kafka {
        let problem = "--changelog reads from Kafka: set kafka.brokers".to_owned();
        return Err(CallError(problem).into());
    }
    let log = KafkaLog::open(connection(settings, "state-export"))?;
    let mut records = BTreeMap::new();
    let mut problem = None;
    log.read_state(|key, value| {
        let customer_id = match std::str::from_utf8(key) {
            Ok("") => return,
            Ok(text) => CustomerId::new(text),
            Err(_) => {
                problem.get_or_insert(CodecError::Content);
                return;
            }
        };
        match value.map(codec::decode_record) {
            Some(Ok(record)) => {
                records.insert(customer_id, record);
            }
            Some(Err(error)) => {
                problem.get_or_insert(error);
            }
            None => {
                records.remove(&customer_id);
            }
        }
    })?;
    match problem {
        Some(error) => Err(anyhow::Error::from(error).context("a record of the changelog")),
        None => Ok(records),
    }
}

/// All records, ascending by id: equal states give equal rows.
///
/// # Errors
/// As [`stores`] and [`changelog`], or if there is no log.
pub fn all_records(
    settings: &Settings,
    is_changelog: bool,
) -> anyhow::Result<Vec<(CustomerId, CustomerRecord)>> {
    if is_changelog {
        return Ok(changelog(settings)?.into_iter().collect());
    }
    if settings.bus == BusKind::Embedded && !settings.embedded.directory.exists() {
        let directory = settings.embedded.directory.display();
        let problem = format!("there is no log at {directory}: is store.directory right?");
        return Err(Failed(problem).into());
    }
    let mut records = Vec::new();
    for store in stores(settings)? {
        for entry in store.records() {
            records.push(entry?);
        }
    }
    records.sort_by(|(left, _), (right, _)| left.cmp(right));
    Ok(records)
}
