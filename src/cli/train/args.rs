//! The call of `train`.

use std::num::NonZero;
use std::path::PathBuf;

use crate::cli::common::parse_instant;
use crate::cli::train::data::DataArgs;
use crate::cli::whole_number::whole_number;
use crate::domain::time::Timestamp;
use crate::learn::choice::ChooseK;

/// Learns segments of customers and writes a model file.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  segstream train --input marketing_campaign.csv --out model.json --report report.html\n  segstream train --input customers.csv --format features --id customer --features visits,spend --k auto\n  segstream train --format state --dir /var/lib/segstream/store --out model.json"
)]
pub struct Args {
    #[command(flatten)]
    pub(super) data: DataArgs,
    /// Number of segments, or `auto`: the greatest silhouette decides.
    #[arg(long, default_value = "6", value_parser = parse_k)]
    pub(super) k: ChooseK,
    /// Fewest segments compared.
    #[arg(long, default_value_t = 2, value_parser = whole_number::<u32>(1..=64))]
    pub(super) k_min: u32,
    /// Most segments compared.
    #[arg(long, default_value_t = 10, value_parser = whole_number::<u32>(1..=64))]
    pub(super) k_max: u32,
    /// Seed of the random starts and samples.
    #[arg(long, default_value_t = 1, value_parser = whole_number::<u64>(0..=u64::MAX))]
    pub(super) seed: u64,
    /// Random starts for each number of segments; if absent, 50 or more, by the number of rows.
    #[arg(long, value_parser = whole_number::<u32>(1..=u32::MAX.into()))]
    pub(super) runs: Option<u32>,
    /// Threads; if absent, all cores but one, so that a service on the same machine keeps one.
    #[arg(long)]
    pub(super) threads: Option<NonZero<usize>>,
    /// Where the model goes.
    #[arg(long, value_name = "FILE", default_value = "model.json")]
    pub(super) out: PathBuf,
    /// Where the report goes: one HTML page that shows the data and the segments and needs no network.
    #[arg(long, value_name = "FILE")]
    pub(super) report: Option<PathBuf>,
    /// Name of the model's version; made from the time of training if absent.
    #[arg(long = "model-version", alias = "version", value_name = "NAME")]
    pub(super) name: Option<String>,
    /// Time of training, RFC 3339; now if absent. Makes the files reproducible.
    #[arg(long, value_parser = parse_instant)]
    pub(super) trained_at: Option<Timestamp>,
    /// Print the result as JSON.
    #[arg(long)]
    pub(super) json: bool,
}

fn parse_k(text: &str) -> Result<ChooseK, String> {
    if text == "auto" {
        return Ok(ChooseK::Auto);
    }
    match text.parse() {
        Ok(k @ 2..=64) => Ok(ChooseK::Given(k)),
        Ok(_) | Err(_) => Err("it must be a number of segments from 2 to 64, or auto".to_owned()),
    }
}
