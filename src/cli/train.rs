//! `segstream train`: from a table of customers to a model artifact.

use std::io::Write;
use std::path::PathBuf;

use serde_json::json;

use crate::cli::exit::CallError;
use crate::dataset::table;
use crate::dataset::table::Format;
use crate::dataset::table::MARKETING_WINDOW_DAYS;
use crate::domain::features::FeatureSource;
use crate::domain::time::Timestamp;
use crate::model::kmeans::FitOptions;
use crate::model::training;
use crate::model::training::TrainingOptions;
use crate::model_files;
use crate::pipeline::clock::WallClock;

const MARKETING_FEATURES: &str =
    "age,income,total_spending,web_purchases,store_purchases,recency_days";
const MARKETING_AS_OF: &str = "2014-06-30";

/// Learns segments from a table of customers.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  segstream train --input marketing_campaign.csv --out model.json"
)]
pub struct Args {
    /// The file to learn from.
    #[arg(long)]
    input: PathBuf,
    /// What is in it.
    #[arg(long, value_enum, default_value = "marketing")]
    format: Format,
    /// The column of ids, for `features`.
    #[arg(long)]
    id: Option<String>,
    /// The features, separated by commas.
    #[arg(long)]
    features: Option<String>,
    /// Number of segments.
    #[arg(long, default_value_t = 6)]
    k: usize,
    /// Seed of the random starts.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Random starts.
    #[arg(long, default_value_t = 50)]
    runs: usize,
    /// Where the model goes.
    #[arg(long, default_value = "model.json")]
    out: PathBuf,
    /// Name of the version; made from the time of training if absent.
    #[arg(long = "version")]
    name: Option<String>,
    /// Time of training, RFC 3339; makes the file reproducible.
    #[arg(long)]
    trained_at: Option<String>,
    /// Date as of which the values hold.
    #[arg(long)]
    as_of: Option<String>,
    /// Print what was learned as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// If the call or the data is wrong.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let trained_at = match &args.trained_at {
        None => WallClock::system().now(),
        Some(text) => Timestamp::parse_rfc3339(text)
            .ok_or_else(|| CallError(format!("--trained-at {text:?} is no RFC 3339 instant")))?,
    };
    let table = table::read(&args.input, args.format, args.id.as_deref())?;
    let options = TrainingOptions {
        features: features(args, &table.columns)?,
        fit: FitOptions {
            k: args.k,
            seed: args.seed,
            runs: args.runs.max(1),
        },
        version: args.name.clone().unwrap_or_else(|| version(trained_at)),
        trained_at,
        as_of: as_of(args, trained_at)?,
        source: args
            .input
            .file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
    };
    let artifact = training::train(&table, &options)?;
    model_files::save(&args.out, &artifact)?;
    let facts = &artifact.training;
    let mut out = std::io::stdout().lock();
    if args.json {
        let sizes: Vec<u64> = artifact
            .segments
            .iter()
            .map(|segment| segment.size)
            .collect();
        let names: Vec<&str> = artifact
            .segments
            .iter()
            .map(|segment| segment.name.as_str())
            .collect();
        let answer = json!({
            "version": artifact.version, "k": facts.k, "inertia": facts.inertia, "rows": facts.rows,
            "rows_read": facts.rows_read, "rows_dropped": facts.rows_dropped, "sizes": sizes,
            "names": names, "out": args.out,
        });
        writeln!(out, "{answer}")?;
        return Ok(());
    }
    writeln!(out, "model {} in {}", artifact.version, args.out.display())?;
    writeln!(
        out,
        "{} of {} rows, inertia {:.3}",
        facts.rows, facts.rows_read, facts.inertia
    )?;
    for (reason, rows) in &facts.rows_dropped {
        writeln!(out, "  left out for {reason}: {rows}")?;
    }
    for segment in &artifact.segments {
        writeln!(
            out,
            "{:<36} {:>7}  {}",
            segment.name, segment.size, segment.description
        )?;
    }
    Ok(())
}

fn version(trained_at: Timestamp) -> String {
    format!("m-{}", trained_at.as_milliseconds())
}

fn as_of(args: &Args, trained_at: Timestamp) -> anyhow::Result<Timestamp> {
    let text = match (&args.as_of, args.format) {
        (Some(text), _) => text.as_str(),
        (None, Format::Marketing) => MARKETING_AS_OF,
        (None, Format::Features) => return Ok(trained_at),
    };
    let instant = Timestamp::parse_rfc3339(&format!("{text}T00:00:00Z"));
    instant
        .ok_or_else(|| CallError(format!("--as-of {text:?} is no date such as 2014-06-30")).into())
}

fn features(args: &Args, columns: &[String]) -> anyhow::Result<Vec<(String, Option<u32>)>> {
    let names = match (&args.features, args.format) {
        (Some(names), _) => names.as_str(),
        (None, Format::Marketing) => MARKETING_FEATURES,
        (None, Format::Features) => {
            let message = format!("--features is missing: choose from {}", columns.join(", "));
            return Err(CallError(message).into());
        }
    };
    let window = |name: &str| {
        let is_windowed = FeatureSource::named(name).may_be_windowed();
        (args.format == Format::Marketing && is_windowed).then_some(MARKETING_WINDOW_DAYS)
    };
    let names = names.split(',').map(str::trim);
    Ok(names.map(|name| (name.to_owned(), window(name))).collect())
}
