//! The state of a stopped instance, to be read: log and stores stay as they are, byte for byte, and nothing is made where
//! there is nothing. What a database writes when it is opened goes to copies, which are removed afterwards.

use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use crate::cli::compose::DIRECTORY_PATIENCE;
use crate::cli::compose::Parts;
use crate::cli::compose::database;
use crate::cli::exit::Failed;
use crate::cli::exit::NotThere;
use crate::cli::temporary_directory::READING;
use crate::cli::temporary_directory::TemporaryDirectory;
use crate::config::bus::BusKind;
use crate::config::settings::Settings;
use crate::domain::ids::Partition;
use crate::faults::Faults;
use crate::log;
use crate::log::WorkerLog;
use crate::log::embedded::EmbeddedLog;
use crate::log::embedded::EmbeddedOutputs;
use crate::log::outputs::OutputChunk;
use crate::log::outputs::OutputKind;
use crate::log::outputs::OutputReader;
use crate::log::outputs::ReadLimit;
use crate::pipeline::partition::restore::Restore;
use crate::pipeline::partition::restore::Step;
use crate::store;
use crate::store::directory::StoreDirectory;
use crate::store::partition::PartitionStore;
use crate::store::reading::StoppedDirectory;
use crate::telemetry::observe;

/// The stores of a stopped instance.
#[derive(Debug)]
pub struct StoppedStores {
    // Closed in this order, then the copies are removed.
    stores: Vec<Arc<PartitionStore>>,
    /// That of each store.
    partitions: Vec<Partition>,
    _parts: Option<Parts>,
    _held: Option<StoppedDirectory>,
    _copies: TemporaryDirectory,
}

impl Deref for StoppedStores {
    type Target = [Arc<PartitionStore>];

    fn deref(&self) -> &Self::Target {
        &self.stores
    }
}

impl StoppedStores {
    /// Each store with its partition.
    pub fn by_partition(&self) -> impl Iterator<Item = (Partition, &Arc<PartitionStore>)> {
        self.partitions.iter().copied().zip(&self.stores)
    }
}

/// The stores of `store.directory`. On the embedded log, the end of the log is restored into copies of them first. On Kafka
/// they are as the instance left them, and only those that it owned.
///
/// # Errors
/// If there is no log or, on Kafka, no store, or a store is held or cannot be trusted.
pub fn stores(settings: &Settings) -> anyhow::Result<StoppedStores> {
    let read = match settings.bus {
        BusKind::Embedded => beside_log(settings),
        BusKind::Kafka => as_left(settings),
    };
    let store = settings.store.directory.display();
    read.with_context(|| format!("cannot read the stores of {store}"))
}

/// The embedded log, for its changes or its dead letters.
///
/// # Errors
/// If there is none, or it cannot be read.
pub fn log(settings: &Settings, kind: OutputKind) -> anyhow::Result<ReadLog> {
    check_log(settings)?;
    let path = &settings.embedded.directory;
    let copies = EmbeddedLog::is_former(path)?
        .then(|| TemporaryDirectory::new(READING))
        .transpose()?;
    let log = open_log(settings, copies.as_ref())?;
    Ok(ReadLog {
        reader: log.reader(kind),
        _copies: copies,
    })
}

/// An embedded log that is only read.
#[derive(Debug)]
pub struct ReadLog {
    reader: EmbeddedOutputs,
    _copies: Option<TemporaryDirectory>,
}

impl OutputReader for ReadLog {
    fn partitions(&self) -> u32 {
        self.reader.partitions()
    }

    fn read(
        &mut self,
        partition: Partition,
        from: u64,
        limit: ReadLimit,
    ) -> Result<OutputChunk, log::Error> {
        self.reader.read(partition, from, limit)
    }
}

fn check_log(settings: &Settings) -> anyhow::Result<()> {
    let path = &settings.embedded.directory;
    if EmbeddedLog::is_there(path)? {
        return Ok(());
    }
    let problem = format!(
        "there is no log at {}: name the store directory with --dir, or set store.directory and embedded.directory",
        path.display()
    );
    Err(NotThere(problem).into())
}

/// A log of the former kind is read as a copy that is converted.
fn open_log(
    settings: &Settings,
    copies: Option<&TemporaryDirectory>,
) -> anyhow::Result<EmbeddedLog> {
    let (path, partitions) = (&settings.embedded.directory, settings.embedded.partitions);
    match copies {
        Some(copies) if EmbeddedLog::is_former(path)? => {
            let copy = copies.path.join("log");
            EmbeddedLog::copy_former(path, &copy)?;
            Ok(EmbeddedLog::open(&copy, partitions, Faults::none())?)
        }
        Some(_) | None => Ok(EmbeddedLog::open_to_read(path, partitions)?),
    }
}

fn hold(settings: &Settings) -> anyhow::Result<Option<StoppedDirectory>> {
    let root = &settings.store.directory;
    match StoppedDirectory::hold(root, Duration::ZERO) {
        Err(store::Error::Held { path }) => {
            observe::waiting_for_directory(&path, DIRECTORY_PATIENCE);
            Ok(StoppedDirectory::hold(root, DIRECTORY_PATIENCE)?)
        }
        held => Ok(held?),
    }
}

fn beside_log(settings: &Settings) -> anyhow::Result<StoppedStores> {
    check_log(settings)?;
    let held = hold(settings)?;
    let copies = TemporaryDirectory::new(READING)?;
    let of_copies = with_copies(settings, held.as_ref(), &copies.path)?;
    let log = open_log(settings, Some(&copies))?;
    let mut reader = log.worker(0, 1);
    let parts = Parts::open_to_read(&of_copies, log.clone())?;
    let partitions = (0..log.partitions()).map(Partition);
    let stores = partitions
        .clone()
        .map(|partition| restored(&parts, partition, &mut reader));
    Ok(StoppedStores {
        stores: stores.collect::<anyhow::Result<_>>()?,
        partitions: partitions.collect(),
        _parts: Some(parts),
        _held: held,
        _copies: copies,
    })
}

fn as_left(settings: &Settings) -> anyhow::Result<StoppedStores> {
    let Some(held) = hold(settings)? else {
        let path = settings.store.directory.display();
        let problem = format!("there is no store at {path}: is store.directory right?");
        return Err(NotThere(problem).into());
    };
    let copies = TemporaryDirectory::new(READING)?;
    let of_copies = with_copies(settings, Some(&held), &copies.path)?;
    let owned = held.owned()?;
    let database = database(settings, u32::try_from(owned.len())?);
    let root = &of_copies.store.directory;
    let directory = StoreDirectory::open(root, &settings.instance_id, DIRECTORY_PATIENCE)?;
    let stores = owned.iter().map(|partition| {
        PartitionStore::open_as_left(&directory, *partition, &database).map(Arc::new)
    });
    Ok(StoppedStores {
        stores: stores.collect::<Result<_, _>>()?,
        partitions: owned.clone(),
        _parts: None,
        _held: Some(held),
        _copies: copies,
    })
}

/// Copies the stores; the settings for the copies.
fn with_copies(
    settings: &Settings,
    held: Option<&StoppedDirectory>,
    copies: &Path,
) -> anyhow::Result<Settings> {
    let directory = copies.join("store");
    if let Some(held) = held {
        held.copy_to(&directory)?;
    }
    let mut of_copies = settings.clone();
    of_copies.store.directory = directory;
    Ok(of_copies)
}

fn restored(
    parts: &Parts,
    partition: Partition,
    log: &mut dyn WorkerLog,
) -> anyhow::Result<Arc<PartitionStore>> {
    let owner = parts.shared.partitions.take(partition);
    let displaced = || Failed(format!("partition {partition} is in use")).into();
    let mut restore = loop {
        match Restore::begin(owner, false, log, &parts.shared)? {
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
