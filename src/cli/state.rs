//! `segstream state`: reads the state of a stopped instance. On the embedded log, the end of the log is restored
//! into a copy of the store first, so a store that lags or was lost gives the same answers.

use std::collections::BTreeMap;
use std::collections::BinaryHeap;
use std::io::BufWriter;
use std::io::Write;
use std::path::PathBuf;

use crate::cli::changes;
use crate::cli::common::SettingsArgs;
use crate::cli::exit::Failed;
use crate::cli::reading::stores;
use crate::cli::records::changelog;
use crate::cli::records::reading;
use crate::codec::stored::Group;
use crate::config::settings::Settings;
use crate::domain::ids::CustomerId;
use crate::engine::policy::Policy;
use crate::engine::state::definition::Definition;
use crate::engine::state::record::CustomerRecord;
use crate::engine::state::table::DefinitionTable;
use crate::engine::state::table::SegmentNumber;
use crate::model::segment_model::SegmentModel;
use crate::view::export::export_line;

/// Reads the state of a stopped instance.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  segstream state export > customers.jsonl")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
    /// The store directory; the same as --set store.directory=DIR. `export` takes several.
    #[arg(long, global = true)]
    dir: Vec<PathBuf>,
    #[command(flatten)]
    settings: SettingsArgs,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print one customer as a JSON object.
    Get {
        /// The customer's id.
        id: String,
    },
    /// Print every customer as JSON Lines, sorted by the bytes of the id.
    Export {
        /// Read the compacted changelog of a running deployment on Kafka instead.
        #[arg(long)]
        changelog: bool,
    },
    /// Count customers by segment again, and compare with the counts that the stores keep.
    Recount,
    /// Print the change records as JSON Lines, by partition and offset; also beside a running instance.
    Changes,
}

fn preset(directory: Option<&PathBuf>) -> Vec<String> {
    let preset = directory.map(|dir| format!("store.directory={}", dir.display()));
    preset.into_iter().collect()
}

impl Args {
    /// The settings for each `--dir`; the settings alone where there is none.
    fn settings_by_directory(&self) -> anyhow::Result<Vec<Settings>> {
        if self.dir.is_empty() {
            return Ok(vec![self.settings.load()?]);
        }
        let directories = self.dir.iter();
        directories
            .map(|directory| self.settings.load_with(&preset(Some(directory))))
            .collect()
    }
}

/// Runs the command.
///
/// # Errors
/// If the state cannot be read, the customer is unknown, or the counts differ.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let settings = args.settings.load_with(&preset(args.dir.first()))?;
    args.settings.init_logging(&settings)?;
    match &args.command {
        Command::Get { id } => get(&settings, id),
        Command::Export { changelog } => export(args, &settings, *changelog),
        Command::Recount => recount(&settings),
        Command::Changes => changes::run(&settings),
    }
}

fn get(settings: &Settings, id: &str) -> anyhow::Result<()> {
    let mut found = None;
    let stores = stores(settings)?;
    for store in stores.iter() {
        if let Some(entry) = store.get(id)? {
            found = found.or(Some((entry.entry, store.table())));
        }
    }
    let unknown = || Failed("no customer of this id is known".to_owned());
    let (entry, table) = found.ok_or_else(unknown)?;
    let record = entry.into_record().ok_or_else(unknown)?;
    let (model, policy) = reading(settings, &table.definition)?;
    let line = export_line(id, &record, &model, &policy);
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &line)?;
    writeln!(out)?;
    Ok(())
}

type Source<'a> = Box<dyn Iterator<Item = anyhow::Result<(CustomerId, CustomerRecord)>> + 'a>;

fn export(args: &Args, settings: &Settings, is_changelog: bool) -> anyhow::Result<()> {
    if is_changelog {
        let snapshot = changelog(settings)?;
        let (model, policy) = reading(settings, &snapshot.definition)?;
        let source: Source<'_> = Box::new(snapshot.records.into_iter().map(Ok));
        return write_sorted(vec![source], &model, &policy);
    }
    let mut all = Vec::new();
    let mut rules = reading(settings, &Definition::default())?;
    for settings in args.settings_by_directory()? {
        let stores = stores(&settings)?;
        for store in stores.iter() {
            if store.checkpoint().is_some() {
                rules = reading(&settings, &store.table().definition)?;
            }
        }
        all.push(stores);
    }
    let sources = all
        .iter()
        .flat_map(|stores| stores.iter())
        .map(|store| -> Source<'_> {
            let live = store.records().filter_map(|entry| match entry {
                Ok((customer_id, entry)) => Some(Ok((customer_id, entry.into_record()?))),
                Err(error) => Some(Err(error.into())),
            });
            Box::new(live)
        });
    write_sorted(sources.collect(), &rules.0, &rules.1)
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

fn write_sorted(
    mut sources: Vec<Source<'_>>,
    model: &SegmentModel,
    policy: &Policy,
) -> anyhow::Result<()> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut heads = BinaryHeap::new();
    let pull = |source: usize, sources: &mut Vec<Source<'_>>| -> anyhow::Result<Option<Head>> {
        let next = sources.get_mut(source).and_then(Iterator::next);
        Ok(next.transpose()?.map(|(customer_id, record)| Head {
            customer_id,
            record,
            source,
        }))
    };
    for source in 0..sources.len() {
        heads.extend(pull(source, &mut sources)?);
    }
    while let Some(head) = heads.pop() {
        if heads.peek().is_some_and(|other| *other == head) {
            let problem = "a customer is in two of the directories: is one of them a copy?";
            return Err(Failed(problem.to_owned()).into());
        }
        let id = head.customer_id.as_str();
        let line = export_line(id, &head.record, model, policy);
        serde_json::to_writer(&mut out, &line)?;
        writeln!(out)?;
        heads.extend(pull(head.source, &mut sources)?);
    }
    out.flush()?;
    Ok(())
}

/// Customers by segment, and by band of churn risk in it; records with a deadline.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    segments: BTreeMap<String, u64>,
    bands: BTreeMap<String, BTreeMap<&'static str, u64>>,
    deadlines: u64,
}

impl Counts {
    fn add(&mut self, group: Group, customers: u64, table: &DefinitionTable) -> Result<(), Failed> {
        let unnamed = || Failed(format!("no segment has the number {}", group.segment.0));
        let segment = table
            .segment(group.segment)
            .ok_or_else(unnamed)?
            .to_string();
        if let Some(band) = group.band {
            let bands = self.bands.entry(segment.clone()).or_default();
            *bands.entry(band.as_str()).or_default() += customers;
        }
        *self.segments.entry(segment).or_default() += customers;
        Ok(())
    }
}

fn recount(settings: &Settings) -> anyhow::Result<()> {
    let mut kept = Counts::default();
    let mut counted = Counts::default();
    let stores = stores(settings)?;
    for store in stores.iter() {
        let table = store.table();
        for (group, customers) in store.customers() {
            kept.add(group, customers, &table)?;
        }
        kept.deadlines += store.deadlines();
        for entry in store.records() {
            let record = entry?.1.into_record();
            // Aliases and suppressions are in no segment and have no deadline.
            let Some(record) = record else { continue };
            counted.deadlines += u64::from(record.deadline.is_some());
            if let Some(segment) = record.segment_id() {
                let group = Group {
                    segment: SegmentNumber::of(segment),
                    band: record.band,
                };
                counted.add(group, 1, &table)?;
            }
        }
    }
    let mut out = std::io::stdout().lock();
    let is_equal = counted == kept;
    let answer = serde_json::json!({
        "segments": counted.segments, "churn_risk": counted.bands, "deadlines": counted.deadlines,
        "kept": kept.segments, "kept_churn_risk": kept.bands, "kept_deadlines": kept.deadlines,
        "equal": is_equal,
    });
    writeln!(out, "{answer}")?;
    if is_equal {
        Ok(())
    } else {
        Err(Failed("the counts that the stores keep differ from the recount".to_owned()).into())
    }
}
