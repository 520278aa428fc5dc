//! `segstream simulate`: a shop's events as JSON Lines.

use std::fs::File;
use std::io::BufWriter;
use std::io::ErrorKind;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;

use crate::domain::time::Timestamp;
use crate::simulate::Shop;
use crate::simulate::ShopOptions;

/// The first day of the simulated shop.
pub const SHOP_STARTS_AT: &str = "2026-01-01T00:00:00Z";
/// Chance of a mishap an event in a real feed.
pub const DIRT_OF_A_REAL_FEED: f64 = 0.02;

/// Writes a simulated shop's events as JSON Lines.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  segstream simulate --customers 100 --days 30 --out events.jsonl"
)]
pub struct Args {
    /// Number of customers.
    #[arg(long, default_value_t = 1000)]
    customers: u32,
    /// Days the shop is open.
    #[arg(long, default_value_t = 90)]
    days: u32,
    /// Seed of all chance.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Without the dirt of a real feed.
    #[arg(long)]
    clean: bool,
    /// Where the events go; `-` is standard output.
    #[arg(long, default_value = "-")]
    out: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// If the output cannot be written; a reader that went away is no error.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let shop = Shop::new(ShopOptions {
        customers: args.customers,
        seed: args.seed,
        starts_at: Timestamp::parse_rfc3339(SHOP_STARTS_AT).unwrap_or_default(),
        days: Some(args.days),
        dirt: if args.clean { 0.0 } else { DIRT_OF_A_REAL_FEED },
    });
    let written = if args.out.as_os_str() == "-" {
        write(shop, std::io::stdout().lock())
    } else {
        let file = File::create(&args.out);
        write(
            shop,
            file.with_context(|| format!("cannot write {}", args.out.display()))?,
        )
    };
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

fn write(shop: Shop, out: impl Write) -> std::io::Result<()> {
    let mut out = BufWriter::new(out);
    for event in shop {
        out.write_all(&event.payload)?;
        out.write_all(b"\n")?;
    }
    out.flush()
}
