//! `segstream dead-letters`: the records that were not processed, from the topic, from the embedded log, or, beside an
//! instance that holds that log, from the instance. docs/COMMAND_LINE.md, segstream dead-letters.

mod export;
mod filter;
mod list;
mod pages;
pub mod service;
mod show;
mod source;

use std::path::PathBuf;

use crate::cli::common::SettingsArgs;
use crate::cli::state::preset;

/// Lists, shows or exports the records that were not processed; also beside a running instance.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  segstream dead-letters list --reason currency
  segstream dead-letters show 0:17
  segstream dead-letters export --reason currency --out mend.jsonl")]
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
    /// Print a line each, by partition and offset: where, when, why and how large, without payload, key or customer.
    List(list::Args),
    /// Print one of them with its headers and its payload.
    Show(show::Args),
    /// Write the payloads as JSON Lines, to be mended and replayed.
    Export(export::Args),
}

/// Runs the command.
///
/// # Errors
/// If the call is wrong, the dead letters cannot be read, or a payload cannot be exported.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let settings = args.settings.load_with(&preset(args.dir.as_ref()))?;
    args.settings.init_logging(&settings)?;
    match &args.command {
        Command::List(list) => list::run(list, &settings),
        Command::Show(show) => show::run(show, &settings),
        Command::Export(export) => {
            export.check_output(&args.settings, &settings)?;
            export::run(export, &settings)
        }
    }
}
