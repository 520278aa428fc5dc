//! `segstream train`: from customers to a model, and a page that shows it.

use std::fs;
use std::io::Write;
use std::num::NonZero;
use std::path::PathBuf;

use anyhow::Context;
use serde_json::json;

use crate::cli::exit::CallError;
use crate::cli::training_data::DataArgs;
use crate::domain::time::Timestamp;
use crate::learn::analysis::Candidate;
use crate::learn::choice::ChooseK;
use crate::learn::choice::Range;
use crate::learn::kmeans::FitOptions;
use crate::learn::training;
use crate::learn::training::Trained;
use crate::learn::training::TrainingOptions;
use crate::model_files;
use crate::pipeline::clock::WallClock;
use crate::report;
use crate::report::ReportFacts;

/// Learns segments of customers: prepares, explores, chooses k, clusters, profiles and names.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  segstream train --input marketing_campaign.csv --out model.json --report report.html\n  segstream train --input customers.csv --format features --id customer --features visits,spend --k auto\n  segstream train --format state --dir /var/lib/segstream/store --out model.json"
)]
pub struct Args {
    #[command(flatten)]
    data: DataArgs,
    /// Number of segments, or `auto`: the greatest silhouette decides.
    #[arg(long, default_value = "6", value_parser = parse_k)]
    k: ChooseK,
    /// Fewest segments compared.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    k_min: u32,
    /// Most segments compared.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=64))]
    k_max: u32,
    /// Seed of the random starts and samples.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Random starts for each number of segments; 50 or more by the number of rows if absent.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    runs: Option<u32>,
    /// Threads; all cores but one if absent, so that a service beside it keeps one.
    #[arg(long)]
    threads: Option<NonZero<usize>>,
    /// Where the model goes.
    #[arg(long, default_value = "model.json")]
    out: PathBuf,
    /// Where a page goes that shows the data and the segments: one HTML file that needs no network.
    #[arg(long)]
    report: Option<PathBuf>,
    /// Name of the version; made from the time of training if absent.
    #[arg(long = "version")]
    name: Option<String>,
    /// Time of training, RFC 3339; makes the files reproducible.
    #[arg(long)]
    trained_at: Option<String>,
    /// Print what was learned as JSON.
    #[arg(long)]
    json: bool,
}

fn parse_k(text: &str) -> Result<ChooseK, String> {
    if text == "auto" {
        return Ok(ChooseK::Auto);
    }
    match text.parse() {
        Ok(k @ 1..=64) => Ok(ChooseK::Given(k)),
        Ok(_) | Err(_) => Err("it must be 1 to 64, or auto".to_owned()),
    }
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
    if args.k_min > args.k_max {
        let (k_min, k_max) = (args.k_min, args.k_max);
        return Err(CallError(format!("--k-min {k_min} is more than --k-max {k_max}")).into());
    }
    let data = args.data.read(trained_at)?;
    let options = TrainingOptions {
        features: data.features,
        choose: args.k,
        range: Range {
            k_min: args.k_min as usize,
            k_max: args.k_max as usize,
        },
        fit: FitOptions {
            k: 0,
            seed: args.seed,
            runs: args.runs.map(|runs| runs as usize),
            threads: args.threads.map_or_else(spare_threads, NonZero::get),
        },
        version: args.name.clone().unwrap_or_else(|| version(trained_at)),
        trained_at,
        as_of: data.as_of,
        source: data.source,
    };
    let trained = training::train(&data.table, &options)
        .with_context(|| format!("{} cannot be learned from", options.source))?;
    model_files::save(&args.out, &trained.artifact)?;
    if let Some(path) = &args.report {
        let page = report::render(&trained.analysis, &facts(&trained));
        fs::write(path, page).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", answer(args, &trained))?;
        return Ok(());
    }
    tell(&mut out, args, &trained)?;
    Ok(())
}

fn spare_threads() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    cores.saturating_sub(1).max(1)
}

fn facts(trained: &Trained) -> ReportFacts {
    let facts = &trained.artifact.training;
    ReportFacts {
        title: "Customer segments".to_owned(),
        model_version: trained.artifact.version.clone(),
        trained_at: trained.artifact.trained_at.clone(),
        source: facts.source.clone(),
        seed: facts.seed,
        runs: u64::try_from(facts.runs).unwrap_or(u64::MAX),
    }
}

fn answer(args: &Args, trained: &Trained) -> serde_json::Value {
    let facts = &trained.artifact.training;
    let segments = &trained.artifact.segments;
    let sizes: Vec<u64> = segments.iter().map(|segment| segment.size).collect();
    let names: Vec<&str> = segments
        .iter()
        .map(|segment| segment.name.as_str())
        .collect();
    json!({
        "version": trained.artifact.version, "k": facts.k, "inertia": facts.inertia,
        "silhouette": facts.silhouette, "rows": facts.rows, "rows_read": facts.rows_read,
        "rows_dropped": facts.rows_dropped, "sizes": sizes, "names": names, "out": args.out,
        "report": args.report, "preparation": trained.analysis.preparation,
        "choice": trained.analysis.choice,
    })
}

fn tell(out: &mut impl Write, args: &Args, trained: &Trained) -> std::io::Result<()> {
    let artifact = &trained.artifact;
    let facts = &artifact.training;
    let preparation = &trained.analysis.preparation;
    writeln!(out, "model {} in {}", artifact.version, args.out.display())?;
    if let Some(report) = &args.report {
        writeln!(out, "report in {}", report.display())?;
    }
    writeln!(
        out,
        "{} of {} rows, inertia {:.3}",
        facts.rows, facts.rows_read, facts.inertia
    )?;
    for (reason, noted) in &preparation.dropped {
        writeln!(out, "  left out, {reason}: {} ({})", noted.rows, noted.rule)?;
    }
    for (what, noted) in &preparation.noted {
        writeln!(out, "  noted, {what}: {} ({})", noted.rows, noted.rule)?;
    }
    writeln!(out, "{}", trained.analysis.choice.explanation)?;
    writeln!(
        out,
        "{:>4} {:>14} {:>12} {:>18} {:>15} {:>10}",
        "k", "inertia", "silhouette", "Calinski-Harabasz", "Davies-Bouldin", "stability"
    )?;
    for candidate in &trained.analysis.choice.candidates {
        tell_candidate(out, candidate)?;
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

fn tell_candidate(out: &mut impl Write, candidate: &Candidate) -> std::io::Result<()> {
    let shown = |value: Option<f64>, decimals: usize| {
        value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"))
    };
    writeln!(
        out,
        "{:>4} {:>14.3} {:>12} {:>18} {:>15} {:>10}",
        candidate.k,
        candidate.inertia,
        shown(candidate.silhouette, 3),
        shown(candidate.calinski_harabasz, 1),
        shown(candidate.davies_bouldin, 3),
        shown(candidate.stability, 2)
    )
}

fn version(trained_at: Timestamp) -> String {
    format!("m-{}", trained_at.as_milliseconds())
}
