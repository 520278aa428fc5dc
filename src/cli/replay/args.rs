//! The call of `replay`.

use std::path::PathBuf;

use crate::cli::common::SettingsArgs;
use crate::cli::common::parse_instant;
use crate::cli::order_args::OrderArgs;
use crate::cli::reading_args::ReadingArgs;
use crate::cli::target::Target;
use crate::cli::whole_number::whole_number;
use crate::dataset::replay;
use crate::domain::time::Timestamp;

/// Replays historical purchases as events.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  segstream replay --input cdnow_master.txt --format cdnow --to embedded\n  segstream replay \
                  --input lines.csv --format orders --lines sum --dry-run"
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
    /// End with exit code 3 when more rows than this were rejected. The others are taken in any case. An order that is
    /// rejected counts as all its rows. With kafka://, rows that are no events count.
    #[arg(long, default_value_t = 0, value_parser = whole_number::<u64>(0..=u64::MAX))]
    pub(super) max_rejected: u64,
    /// Print the summary as JSON.
    #[arg(long)]
    pub(super) json: bool,
    /// Say what was found and what would become of each row, with the first three events; write and send nothing.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// For `customers`: the instant, RFC 3339, as of which rows hold that state no time of their own.
    #[arg(long, value_name = "INSTANT", value_parser = parse_instant)]
    pub(super) as_of: Option<Timestamp>,
    #[command(flatten)]
    pub(super) orders: OrderArgs,
    #[command(flatten)]
    pub(super) reading: ReadingArgs,
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
