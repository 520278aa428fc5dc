//! `segstream churn fit`: fits the churn model to the purchase days of customers.

mod answer;
mod args;
mod artifact;
mod data;
mod file;
mod fitted;
mod holdout;
mod purchases;
mod sample;
mod state;

use std::io::Write;

use crate::cli::churn::answer::answer;
use crate::cli::churn::answer::print;
use crate::cli::churn::answer::print_written;
use crate::cli::churn::args::FitArgs;
use crate::cli::churn::artifact::with_churn;
use crate::cli::churn::fitted::fit_both;
use crate::cli::churn::fitted::observations;
use crate::cli::churn::fitted::until;
use crate::cli::output_file;
use crate::cli::output_file::Named;
use crate::model_files;

const OUT: &str = "--out";

/// Fits the churn model.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Fit the MBG/NBD and BG/NBD models to the purchase days of customers.
    Fit(Box<FitArgs>),
}

/// Runs the command.
///
/// # Errors
/// If the call or the data is wrong.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let Command::Fit(args) = &args.command;
    run_fit(args)
}

fn run_fit(args: &FitArgs) -> anyhow::Result<()> {
    if let Some(out) = &args.out {
        output_file::check(Named::new(OUT, out), &args.data.inputs())?;
        args.data.check_output(Named::new(OUT, out))?;
    }
    let artifact = args
        .model
        .as_deref()
        .map(model_files::load_artifact)
        .transpose()?;
    let data = args.data.read()?;
    let until = until(args, &data)?;
    let observations = observations(&data, until)?;
    let fits = fit_both(args, &data, until, &observations)?;
    let is_fitted = fits.require(args.method.family(), &data.source);
    let written = match (artifact, &args.out) {
        (Some(artifact), Some(out)) if is_fitted.is_ok() => {
            let fitted = (&*fits.fitted, &*observations);
            let artifact = with_churn(artifact, args, &data, until, fitted)?;
            let text = model_files::to_text(out, &artifact)?;
            output_file::write(Named::new(OUT, out), text.as_bytes())?;
            Some(artifact)
        }
        _ => None,
    };
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(
            out,
            "{}",
            answer(args, &data, until, &fits, written.as_ref())
        )?;
        return is_fitted;
    }
    print(&mut out, args, &data, until, &fits)?;
    if let (Some(artifact), Some(path)) = (&written, &args.out) {
        print_written(&mut out, artifact, path)?;
    }
    is_fitted
}
