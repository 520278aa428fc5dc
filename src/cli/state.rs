//! `segstream state`: looks into the state of a stopped instance. On the embedded bus the log's
//! tail is folded in first, so a store that lags or was lost shows the same.

use std::collections::BTreeMap;
use std::collections::BinaryHeap;
use std::io::BufWriter;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use crate::bus::Bus;
use crate::bus::embedded::EmbeddedLog;
use crate::bus::partitioner::partition_of;
use crate::cli::common::SettingsArgs;
use crate::cli::compose::Overrides;
use crate::cli::compose::Parts;
use crate::cli::customer_view::export_line;
use crate::cli::exit::Failed;
use crate::config::settings::Settings;
use crate::domain::ids::CustomerId;
use crate::domain::ids::Partition;
use crate::engine::record::CustomerRecord;
use crate::faults::Faults;
use crate::pipeline::Shared;
use crate::pipeline::restore::Restore;
use crate::store;
use crate::store::partition::PartitionStore;

/// Looks into the state of a stopped instance.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  segstream state export > customers.jsonl")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
    /// The store directory; the same as --set store.directory=DIR.
    #[arg(long, global = true)]
    dir: Option<PathBuf>,
    #[command(flatten)]
    settings: SettingsArgs,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// One customer as a JSON object.
    Get {
        /// The customer's id.
        id: String,
    },
    /// Every customer, JSON Lines sorted by the bytes of the id.
    Export,
    /// Counts customers by segment again and compares with the counts kept along.
    Recount,
    /// The change records of the embedded log, JSON Lines by partition and offset.
    Changes,
}

/// Runs the command.
///
/// # Errors
/// If the state cannot be read, the customer is unknown, or the counts differ.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let preset: Vec<String> = args
        .dir
        .iter()
        .map(|dir| format!("store.directory={}", dir.display()))
        .collect();
    let settings = args.settings.load_with(&preset)?;
    args.settings.init_logging(&settings)?;
    if !settings.embedded.directory.exists() {
        return Err(Failed(format!(
            "there is no log at {}: is store.directory right?",
            settings.embedded.directory.display()
        ))
        .into());
    }
    match &args.command {
        Command::Get { id } => get(&settings, id),
        Command::Export => export(&settings),
        Command::Recount => recount(&settings),
        Command::Changes => changes(&settings),
    }
}

fn restored(
    parts: &Parts,
    partition: Partition,
    bus: &mut dyn Bus,
) -> anyhow::Result<Arc<PartitionStore>> {
    let mut restore = Restore::begin(partition, bus, &parts.shared)?;
    while !restore.advance(bus, &parts.shared)? {}
    Ok(Arc::clone(restore.store()))
}

fn all_restored(parts: &Parts) -> anyhow::Result<Vec<Arc<PartitionStore>>> {
    let mut bus = parts.log.worker(0, 1);
    let partitions = 0..parts.log.partitions();
    partitions
        .map(|number| restored(parts, Partition(number), &mut bus))
        .collect()
}

fn get(settings: &Settings, id: &str) -> anyhow::Result<()> {
    let parts = Parts::open(settings, &Overrides::default())?;
    let partition = partition_of(id.as_bytes(), parts.log.partitions());
    let mut bus = parts.log.worker(0, 1);
    let store = restored(&parts, partition, &mut bus)?;
    let Some(record) = store.get(id)? else {
        return Err(Failed("no customer of this id is known".to_owned()).into());
    };
    let line = export_line(id, &record, &parts.shared.model, &parts.shared.policy);
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &line)?;
    writeln!(out)?;
    Ok(())
}

fn export(settings: &Settings) -> anyhow::Result<()> {
    let parts = Parts::open(settings, &Overrides::default())?;
    let stores = all_restored(&parts)?;
    for store in &stores {
        store.flush()?;
    }
    write_sorted(&stores, &parts.shared)
}

/// The next record of one store, ordered so that the heap's greatest is the smallest id.
struct Head {
    customer_id: CustomerId,
    record: CustomerRecord,
    source: usize,
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.customer_id == other.customer_id
    }
}
impl Eq for Head {}
impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Head {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.customer_id.cmp(&self.customer_id)
    }
}

fn write_sorted(stores: &[Arc<PartitionStore>], shared: &Shared) -> anyhow::Result<()> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut sources: Vec<_> = stores.iter().map(|store| store.records()).collect();
    let mut heads = BinaryHeap::new();
    let pull = |source: usize, sources: &mut Vec<_>| -> Result<Option<Head>, store::Error> {
        let records: Option<&mut store::partition::Records<'_>> = sources.get_mut(source);
        let next = records.and_then(Iterator::next).transpose()?;
        Ok(next.map(|(customer_id, record)| Head {
            customer_id,
            record,
            source,
        }))
    };
    for source in 0..sources.len() {
        heads.extend(pull(source, &mut sources)?);
    }
    while let Some(head) = heads.pop() {
        let id = head.customer_id.as_str();
        let line = export_line(id, &head.record, &shared.model, &shared.policy);
        serde_json::to_writer(&mut out, &line)?;
        writeln!(out)?;
        heads.extend(pull(head.source, &mut sources)?);
    }
    out.flush()?;
    Ok(())
}

fn recount(settings: &Settings) -> anyhow::Result<()> {
    let parts = Parts::open(settings, &Overrides::default())?;
    let mut kept: BTreeMap<String, u64> = BTreeMap::new();
    let mut counted: BTreeMap<String, u64> = BTreeMap::new();
    for store in all_restored(&parts)? {
        for (segment, customers) in store.customers_by_segment() {
            *kept.entry(segment).or_default() += customers;
        }
        store.flush()?;
        for entry in store.records() {
            let (_, record) = entry?;
            if let Some(segment) = record.segment_id() {
                *counted.entry(segment.to_string()).or_default() += 1;
            }
        }
    }
    let mut out = std::io::stdout().lock();
    let answer = serde_json::json!({"segments": counted, "kept": kept, "equal": counted == kept});
    writeln!(out, "{answer}")?;
    if counted == kept {
        Ok(())
    } else {
        Err(Failed("the counts kept along differ from the recount".to_owned()).into())
    }
}

fn changes(settings: &Settings) -> anyhow::Result<()> {
    let log = EmbeddedLog::open(
        &settings.embedded.directory,
        settings.embedded.partitions,
        Faults::none(),
    )?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    for entry in log.changes() {
        let (_, _, record) = entry?;
        out.write_all(&record.value)?;
        writeln!(out)?;
    }
    out.flush()?;
    Ok(())
}
