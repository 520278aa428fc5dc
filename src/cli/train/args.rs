//! The call of `train`.

use std::path::PathBuf;

use crate::cli::common::parse_instant;
use crate::cli::exit::CallError;
use crate::cli::model_version::parse_version;
use crate::cli::train::data::DataArgs;
use crate::cli::whole_number::whole_number;
use crate::domain::time::Timestamp;
use crate::learn::choice::ChooseK;
use crate::learn::recommendations::Range;

/// Segments by default.
const SEGMENTS: usize = 6;

/// Learns segments of customers and writes a model file.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  segstream train --input marketing_campaign.csv --out model.json --report report.html\n  segstream train --input customers.csv --format features --id customer --features visits,spend --k auto\n  segstream train --format state --dir /var/lib/segstream/store --out model.json"
)]
pub struct Args {
    #[command(flatten)]
    pub(super) data: DataArgs,
    /// Number of segments, or `auto`: the greatest silhouette decides; 6 if absent.
    #[arg(long, value_parser = parse_k)]
    k: Option<ChooseK>,
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
    #[arg(long, value_parser = whole_number::<u32>(1..=u32::MAX.into()))]
    pub(super) threads: Option<u32>,
    /// Where the model goes.
    #[arg(long, value_name = "FILE", default_value = "model.json")]
    pub(super) out: PathBuf,
    /// Where the report goes: one HTML page that shows the data and the segments and needs no network.
    #[arg(long, value_name = "FILE")]
    pub(super) report: Option<PathBuf>,
    /// Name of the model's version; made from the time of training if absent.
    #[arg(long = "model-version", alias = "version", value_name = "NAME", value_parser = parse_version)]
    pub(super) name: Option<String>,
    /// Time of training, RFC 3339; now if absent. Makes the files reproducible.
    #[arg(long, value_name = "INSTANT", value_parser = parse_instant)]
    pub(super) trained_at: Option<Timestamp>,
    /// Print the result as JSON.
    #[arg(long)]
    pub(super) json: bool,
}

impl Args {
    /// How the number of segments is chosen, and over which range numbers are compared.
    ///
    /// # Errors
    /// If there is no such range, or nothing to choose from in it.
    pub(super) fn choice(&self) -> Result<(ChooseK, Range), CallError> {
        let (k_min, k_max) = (self.k_min, self.k_max);
        if k_min > k_max {
            return Err(CallError(format!(
                "--k-min {k_min} is more than --k-max {k_max}"
            )));
        }
        let k = self.k.unwrap_or(ChooseK::Default(SEGMENTS));
        if k == ChooseK::Auto && k_max < 2 {
            return Err(CallError(format!(
                "--k auto needs a number of 2 or more to choose, and --k-max is {k_max}"
            )));
        }
        let range = Range {
            k_min: k_min as usize,
            k_max: k_max as usize,
        };
        Ok((k, range))
    }
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
