//! `segstream state export`: every customer, from the stores of stopped instances or from the changelog of running ones.

use std::collections::BinaryHeap;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use crate::cli::common::SettingsArgs;
use crate::cli::exit::CallError;
use crate::cli::exit::Failed;
use crate::cli::output_file::Named;
use crate::cli::reading::StoppedStores;
use crate::cli::reading::stores;
use crate::cli::records::changelog;
use crate::cli::records::reading;
use crate::cli::state::as_of::AsOfArgs;
use crate::cli::state::as_of::Later;
use crate::cli::state::as_of::warn_of_clocks_ahead;
use crate::cli::state::output::Output;
use crate::config::settings::Settings;
use crate::domain::ids::CustomerId;
use crate::domain::time::Timestamp;
use crate::engine::policy::Policy;
use crate::engine::policy::Rules;
use crate::engine::state::definition::Definition;
use crate::engine::state::record::CustomerRecord;
use crate::model::segment_model::SegmentModel;
use crate::store::partition::PartitionStore;
use crate::view::as_of::AsOf;
use crate::view::csv::CsvExport;
use crate::view::csv::Texts;
use crate::view::export::export_line;

/// The formats of an export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// JSON Lines: an object a line.
    #[default]
    Jsonl,
    /// CSV with a header; the same columns whatever the customers have.
    Csv,
}

#[derive(Debug, clap::Args)]
pub(super) struct ExportArgs {
    /// Read the compacted changelog of a running deployment on Kafka instead.
    #[arg(long)]
    changelog: bool,
    #[command(flatten)]
    as_of: AsOfArgs,
    /// JSON Lines or CSV.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// With `--format csv`: write texts as they are. Else one that a spreadsheet would take for a formula gets an
    /// apostrophe before it.
    #[arg(long)]
    csv_raw: bool,
    /// Where the customers go, instead of standard output: a file that is there whole or not at all, for its owner only.
    #[arg(long)]
    out: Option<PathBuf>,
}

impl ExportArgs {
    /// How texts are written; `None` for JSON Lines.
    fn csv(&self) -> Result<Option<Texts>, CallError> {
        match (self.format, self.csv_raw) {
            (Format::Csv, false) => Ok(Some(Texts::Guarded)),
            (Format::Csv, true) => Ok(Some(Texts::Raw)),
            (Format::Jsonl, false) => Ok(None),
            (Format::Jsonl, true) => {
                let problem = "--csv-raw is for --format csv, and --format is jsonl".to_owned();
                Err(CallError(problem))
            }
        }
    }
}

type Records<'a> = Box<dyn Iterator<Item = anyhow::Result<(CustomerId, CustomerRecord)>> + 'a>;

/// The customers of one partition.
struct Source<'a> {
    clock: Option<Timestamp>,
    /// Reads them from the first one, ascending by id.
    records: Box<dyn Fn() -> Records<'a> + 'a>,
}

impl<'a> Source<'a> {
    fn of_store(store: &'a PartitionStore) -> Self {
        Self {
            clock: store.checkpoint().and_then(|last| last.clock),
            records: Box::new(|| {
                Box::new(store.records().filter_map(|entry| match entry {
                    Ok((customer_id, entry)) => Some(Ok((customer_id, entry.into_record()?))),
                    Err(error) => Some(Err(error.into())),
                }))
            }),
        }
    }
}

/// Exports all customers.
///
/// # Errors
/// If the state cannot be read, a customer was evaluated after the instant that was asked for, or the output fails.
pub(super) fn run(
    args: &ExportArgs,
    sources: &SettingsArgs,
    by_directory: &[Settings],
) -> anyhow::Result<()> {
    let csv = args.csv()?;
    let [settings, ..] = by_directory else {
        return Ok(());
    };
    let to_file = args.out.as_deref().filter(|path| *path != Path::new("-"));
    if let Some(path) = to_file {
        for settings in by_directory {
            sources.check_output(Named::new("--out", path), settings)?;
        }
    }
    let out = Output::open(to_file)?;
    if args.changelog {
        let snapshot = changelog(settings)?;
        let (model, policy) = reading(settings, &snapshot.definition)?;
        let partitions = snapshot.partitions.iter();
        let sources = partitions.map(|partition| Source {
            clock: partition.clock,
            records: Box::new(|| Box::new(partition.records.iter().cloned().map(Ok))),
        });
        return export(sources.collect(), args, csv, (&model, &policy), out);
    }
    let (all, model, policy) = stopped(settings, by_directory)?;
    let stores = all.iter().flat_map(|stores| stores.iter());
    let sources = stores.map(|store| Source::of_store(store));
    export(sources.collect(), args, csv, (&model, &policy), out)
}

/// The stores of all directories, and the model and the policy of their state.
fn stopped(
    settings: &Settings,
    by_directory: &[Settings],
) -> anyhow::Result<(Vec<StoppedStores>, SegmentModel, Policy)> {
    let mut all = Vec::new();
    let mut rules = reading(settings, &Definition::default())?;
    for settings in by_directory {
        let stores = stores(settings)?;
        for store in stores.iter() {
            if store.checkpoint().is_some() {
                rules = reading(settings, &store.table().definition)?;
            }
        }
        all.push(stores);
    }
    Ok((all, rules.0, rules.1))
}

fn export(
    sources: Vec<Source<'_>>,
    args: &ExportArgs,
    csv: Option<Texts>,
    (model, policy): (&SegmentModel, &Policy),
    mut out: Output,
) -> anyhow::Result<()> {
    let as_of = args.as_of.read();
    // Before anything is written, so that a part of an export never looks like all of it.
    check_instant(&sources, as_of)?;
    warn_of_clocks_ahead(as_of, sources.iter().map(|source| source.clock));
    let csv = csv.map(|texts| CsvExport::new(model, texts));
    if let Some(csv) = &csv {
        out.write_all(csv.header().as_bytes())?;
    }
    let rules = Rules { policy, model };
    for_each_by_id(&sources, |customer_id, record, clock| {
        let evaluated_at = record.evaluated_at;
        let Ok(as_of) = as_of.of(evaluated_at, clock) else {
            let mut later = Later::default();
            later.add(evaluated_at);
            return Ok(later.check(as_of)?);
        };
        let line = export_line(customer_id.as_str(), record, as_of, rules);
        match &csv {
            Some(csv) => out.write_all(csv.row(&line).as_bytes())?,
            None => {
                serde_json::to_writer(&mut out, &line)?;
                writeln!(out)?;
            }
        }
        Ok(())
    })?;
    out.finish()
}

fn check_instant(sources: &[Source<'_>], as_of: AsOf) -> anyhow::Result<()> {
    if !matches!(as_of, AsOf::At(_)) {
        return Ok(());
    }
    let mut later = Later::default();
    for source in sources {
        for record in (source.records)() {
            let evaluated_at = record?.1.evaluated_at;
            if as_of.of(evaluated_at, source.clock).is_err() {
                later.add(evaluated_at);
            }
        }
    }
    Ok(later.check(as_of)?)
}

/// The next record of one source, ordered so that the heap's greatest is the smallest id.
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

/// Every customer with its partition's clock, ascending by id.
fn for_each_by_id(
    sources: &[Source<'_>],
    mut each: impl FnMut(&CustomerId, &CustomerRecord, Option<Timestamp>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut readers: Vec<Records<'_>> = sources.iter().map(|source| (source.records)()).collect();
    let mut pull = |source: usize| -> anyhow::Result<Option<Head>> {
        let next = readers.get_mut(source).and_then(Iterator::next);
        Ok(next.transpose()?.map(|(customer_id, record)| Head {
            customer_id,
            record,
            source,
        }))
    };
    let mut heads = BinaryHeap::new();
    for source in 0..sources.len() {
        heads.extend(pull(source)?);
    }
    while let Some(head) = heads.pop() {
        if heads.peek().is_some_and(|other| *other == head) {
            let problem = "a customer is in two of the directories: is one of them a copy?";
            return Err(Failed(problem.to_owned()).into());
        }
        let clock = sources.get(head.source).and_then(|source| source.clock);
        each(&head.customer_id, &head.record, clock)?;
        heads.extend(pull(head.source)?);
    }
    Ok(())
}
