//! `segstream config check`: every problem of the settings at once.

use std::io::Write;
use std::path::PathBuf;

use crate::cli::common::SettingsArgs;
use crate::cli::compose;

/// Checks the settings.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  segstream config check segstream.toml")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Check a settings file together with the environment.
    Check {
        /// The file; without it only defaults and environment are checked.
        file: Option<PathBuf>,
        /// One setting, such as `workers=2`.
        #[arg(long = "set", value_name = "KEY=VALUE")]
        set: Vec<String>,
    },
}

/// Runs the command.
///
/// # Errors
/// Lists every problem.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let Command::Check { file, set } = &args.command;
    let settings = SettingsArgs {
        config: file.clone(),
        set: set.clone(),
    }
    .load()?;
    let model = compose::load_model(&settings)?;
    compose::policy(&settings).check_model(&model)?;
    writeln!(std::io::stdout().lock(), "the settings are valid")?;
    Ok(())
}
