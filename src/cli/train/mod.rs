//! `segstream train`: learns a model from customers, and writes a page that shows it.

mod answer;
mod args;
mod data;
mod dates;
mod state_table;

pub use crate::cli::train::args::Args;
pub(super) use crate::cli::train::data::MARKETING_BY_DEFAULT;

use std::io::Write;
use std::num::NonZero;

use anyhow::Context;

use crate::cli::output_file;
use crate::cli::output_file::Named;
use crate::cli::reading_args::print_notes;
use crate::cli::train::answer::answer;
use crate::cli::train::answer::print;
use crate::cli::train::dates::Dates;
use crate::domain::time::Timestamp;
use crate::learn::kmeans::FitOptions;
use crate::learn::training;
use crate::learn::training::Trained;
use crate::learn::training::TrainingOptions;
use crate::model_files;
use crate::pipeline::partition::clock::WallClock;
use crate::report;
use crate::report::ReportFacts;

const OUT: &str = "--out";
const REPORT: &str = "--report";

/// Runs the command.
///
/// # Errors
/// If the call or the data is wrong.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let trained_at = args.trained_at;
    let trained_at = trained_at.unwrap_or_else(|| WallClock::system().now());
    let (choose, range) = args.choice()?;
    check_outputs(args)?;
    let report = args.report.as_deref();
    let report = report.map(|path| Named::new(REPORT, path));
    let outputs: Vec<Named<'_>> = [Named::new(OUT, &args.out)]
        .into_iter()
        .chain(report)
        .collect();
    let data = args.data.read(trained_at, &outputs)?;
    let options = TrainingOptions {
        features: data.features,
        choose,
        range,
        fit: FitOptions {
            k: 0,
            seed: args.seed,
            runs: args.runs.map(|runs| runs as usize),
            threads: args
                .threads
                .map_or_else(spare_threads, |threads| threads as usize),
        },
        version: args.name.clone().unwrap_or_else(|| version(trained_at)),
        trained_at,
        as_of: data.as_of,
        source: data.source,
        currency: data.currency,
        known: Some(model_files::shipped_artifact()?),
    };
    print_notes(&data.found)?;
    let trained = training::train(&data.table, &options)
        .with_context(|| format!("{} cannot be learned from", options.source))?;
    model_files::check(&args.out, &trained.artifact)?;
    let model = model_files::to_text(&args.out, &trained.artifact)?;
    let page = report.map(|_| report::render(&trained.analysis, &facts(&trained, &data.dates)));
    let contents = [Some(model), page].into_iter().flatten();
    let contents: Vec<String> = contents.collect();
    let written = outputs.iter().zip(&contents);
    let written = written.map(|(output, content)| (*output, content.as_bytes()));
    output_file::write_all(&written.collect::<Vec<_>>())?;
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", answer(args, &trained, &data.dates))?;
        return Ok(());
    }
    print(&mut out, args, &trained, &data.dates)?;
    Ok(())
}

/// Learning may take long, so what cannot be written is refused before it.
fn check_outputs(args: &Args) -> anyhow::Result<()> {
    let model = Named::new(OUT, &args.out);
    let input = args.data.input().map(|path| Named::new("--input", path));
    output_file::check(model, input.as_slice())?;
    let Some(report) = &args.report else {
        return Ok(());
    };
    let others: Vec<Named<'_>> = input.into_iter().chain([model]).collect();
    output_file::check(Named::new(REPORT, report), &others)
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
