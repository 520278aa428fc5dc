//! The call of `replay`.

use std::path::PathBuf;

use crate::cli::common::SettingsArgs;
use crate::cli::common::parse_instant;
use crate::cli::target::Target;
use crate::dataset::replay;
use crate::domain::time::Timestamp;

/// Replays historical purchases as events.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  segstream replay --input cdnow_master.txt --format cdnow --to embedded"
)]
pub struct Args {
    /// The file to read.
    #[arg(long)]
    pub(super) input: PathBuf,
    /// Format of the file.
    #[arg(long, value_enum)]
    pub(super) format: replay::Format,
    /// Where the events go: `embedded` runs the whole engine in this process, kafka://TOPIC only sends
    /// them.
    #[arg(long, default_value = "embedded", value_parser = parse_target)]
    pub(super) to: Target<Embedded>,
    /// Events a second, such as 2000 or 2000/s; as fast as they are accepted if absent.
    #[arg(long, value_parser = parse_rate)]
    pub(super) rate: Option<f64>,
    /// When all events are processed, move every partition's clock to this instant, RFC 3339, and evaluate the
    /// customers who are due by then. Without it, deadlines after a partition's last event stay pending.
    #[arg(long, value_parser = parse_instant)]
    pub(super) advance_to: Option<Timestamp>,
    /// Take rows whose record time is more than 24 hours ahead of the wall clock. Every later event of the state is then
    /// evaluated as of that time, for good.
    #[arg(long)]
    pub(super) allow_future: bool,
    /// Print the summary as JSON.
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) settings: SettingsArgs,
}

/// The whole engine, in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Embedded;

fn parse_target(text: &str) -> Result<Target<Embedded>, String> {
    Target::parse(text, |text| match text {
        "embedded" => Ok(Embedded),
        _ => Err(format!("{text:?} is neither embedded nor kafka://TOPIC")),
    })
}

fn parse_rate(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix("/s").unwrap_or(text);
    match number.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(rate),
        Ok(_) | Err(_) => Err(format!(
            "{text:?} is not a number of events a second above 0, such as 2000 or 2000/s"
        )),
    }
}
