//! `segstream train`: learns a model from customers, and writes a page that shows it.

mod answer;
mod args;
mod data;
mod dates;
mod state_table;

pub use crate::cli::train::args::Args;

use std::fs;
use std::io::Write;
use std::num::NonZero;

use anyhow::Context;

use crate::cli::exit::CallError;
use crate::cli::train::answer::answer;
use crate::cli::train::answer::print;
use crate::cli::train::dates::Dates;
use crate::domain::time::Timestamp;
use crate::learn::kmeans::FitOptions;
use crate::learn::recommendations::Range;
use crate::learn::training;
use crate::learn::training::Trained;
use crate::learn::training::TrainingOptions;
use crate::model_files;
use crate::pipeline::partition::clock::WallClock;
use crate::report;
use crate::report::ReportFacts;

/// Runs the command.
///
/// # Errors
/// If the call or the data is wrong.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let trained_at = match &args.trained_at {
        None => WallClock::system().now(),
        Some(text) => Timestamp::parse_rfc3339(text).ok_or_else(|| {
            CallError(format!("--trained-at {text:?} is not an RFC 3339 instant"))
        })?,
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
        currency: data.currency,
        known: Some(model_files::shipped_artifact()?),
    };
    let trained = training::train(&data.table, &options)
        .with_context(|| format!("{} cannot be learned from", options.source))?;
    model_files::check(&args.out, &trained.artifact)?;
    model_files::save(&args.out, &trained.artifact)?;
    if let Some(path) = &args.report {
        let page = report::render(&trained.analysis, &facts(&trained, &data.dates));
        fs::write(path, page).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", answer(args, &trained, &data.dates))?;
        return Ok(());
    }
    print(&mut out, args, &trained, &data.dates)?;
    Ok(())
}

fn spare_threads() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    cores.saturating_sub(1).max(1)
}

fn facts(trained: &Trained, dates: &Dates) -> ReportFacts {
    let facts = &trained.artifact.training;
    ReportFacts {
        title: "Customer segments".to_owned(),
        model_version: trained.artifact.version.clone(),
        trained_at: trained.artifact.trained_at.clone(),
        source: facts.source.clone(),
        dates: dates.sentence(),
        period: dates.period(),
        seed: facts.seed,
        runs: u64::try_from(facts.runs).unwrap_or(u64::MAX),
    }
}

fn version(trained_at: Timestamp) -> String {
    format!("m-{}", trained_at.as_milliseconds())
}
