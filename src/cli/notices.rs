//! `segstream notices`: the licences of what is built into the program.

use std::io::Write;

/// Prints the names and licences of all software that is built into the program.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  segstream notices | less")]
pub struct Args {}

const NOTICES: &str = include_str!("../../THIRD_PARTY_NOTICES.txt");

/// Runs the command.
///
/// # Errors
/// Standard output could not be written.
pub fn run(Args {}: &Args) -> anyhow::Result<()> {
    std::io::stdout().lock().write_all(NOTICES.as_bytes())?;
    Ok(())
}
