//! `segstream simulate`: writes a shop's events as JSON Lines or sends them to a topic, at once or as time passes.

use std::fs::File;
use std::io::BufWriter;
use std::io::Write;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;

use crate::cli::common::SettingsArgs;
use crate::cli::output_file::Named;
use crate::cli::output_file::OutputFile;
use crate::cli::shop::DIRT_OF_A_REAL_FEED;
use crate::cli::shop::SHOP_STARTS_AT;
use crate::cli::shop::parse_speed;
use crate::cli::shop::shop_time;
use crate::cli::target::Target;
use crate::cli::target::open_topic;
use crate::cli::whole_number::whole_number;
use crate::domain::time::DAY_MS;
use crate::domain::time::Timestamp;
use crate::pipeline::partition::clock::WallClock;
use crate::simulate::Shop;
use crate::simulate::ShopEvent;
use crate::simulate::ShopOptions;

/// The time of a shop that stays open moves on this often.
const CHUNK_DURATION: Duration = Duration::from_millis(50);

/// Writes a simulated shop's events as JSON Lines, or sends them to a topic.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  segstream simulate --customers 100 --days 30 --out events.jsonl\n  \
                  segstream simulate --days 730 --speed 6h/s --out kafka://retail.events.v1 --set \
                  kafka.brokers=127.0.0.1:9092"
)]
pub struct Args {
    /// Customers of the shop.
    #[arg(long, default_value_t = 1000, value_parser = whole_number::<u32>(1..=u32::MAX.into()))]
    customers: u32,
    /// Days that the shop is open; with --speed, days since it opened.
    #[arg(long, default_value_t = 90, value_parser = whole_number::<u32>(1..=36_525))]
    days: u32,
    /// Random seed.
    #[arg(long, default_value_t = 1, value_parser = whole_number::<u64>(0..=u64::MAX))]
    seed: u64,
    /// Without duplicates, delayed, test and malformed events and guests.
    #[arg(long)]
    clean: bool,
    /// Where the events go: a file, `-` for standard output, or kafka://TOPIC.
    #[arg(long, default_value = "-", value_parser = parse_target)]
    out: Target<Place>,
    /// The shop stays open until ctrl-c: its first day is --days before today, its time runs at this speed,
    /// such as 6h/s, until it has caught up with the clock, and then with the clock.
    #[arg(long, value_parser = parse_speed)]
    speed: Option<Duration>,
    #[command(flatten)]
    settings: SettingsArgs,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Output,
    File(String),
}

fn parse_target(text: &str) -> Result<Target<Place>, String> {
    Target::parse(text, |text| match text {
        "kafka://" => Err("kafka:// needs a topic: kafka://TOPIC".to_owned()),
        text if text.starts_with("kafka:") => {
            Err(format!("{text:?} is no topic: a topic is kafka://TOPIC"))
        }
        "-" => Ok(Place::Output),
        path => Ok(Place::File(path.to_owned())),
    })
}

/// Runs the command.
///
/// # Errors
/// If the output cannot be written.
pub fn run(args: &Args) -> anyhow::Result<()> {
    match &args.out {
        Target::Place(Place::Output) => write(args, std::io::stdout().lock()),
        Target::Place(Place::File(path)) => {
            let named = Named::new("--out", Path::new(path));
            args.settings.check_output(named, &args.settings.load()?)?;
            // A shop that stays open has no end at which its file is whole.
            if args.speed.is_some() {
                let file =
                    File::create(path).with_context(|| format!("cannot write --out {path}"))?;
                return write(args, file);
            }
            let mut file = OutputFile::begin(named)?;
            write(args, &mut file).with_context(|| file.cannot_write())?;
            file.finish()
        }
        Target::Kafka { topic } => send(args, topic),
    }
}

fn write(args: &Args, out: impl Write) -> anyhow::Result<()> {
    let mut out = BufWriter::new(out);
    pour(args, &mut |event| {
        match event {
            Some(event) => {
                out.write_all(&event.payload)?;
                out.write_all(b"\n")?;
            }
            None => out.flush()?,
        }
        Ok(())
    })
}

fn send(args: &Args, topic: &str) -> anyhow::Result<()> {
    let settings = args.settings.load()?;
    args.settings.init_logging(&settings)?;
    let feed = open_topic(&settings, "simulate", topic)?;
    let first = Timestamp::parse_rfc3339(SHOP_STARTS_AT);
    feed.check_times(first.into_iter(), WallClock::system().now())?;
    let mut sent: u64 = 0;
    pour(args, &mut |event| {
        if let Some(event) = event {
            feed.send(event.key.as_deref(), &event.payload, event.record_time)?;
            sent += 1;
        }
        Ok(())
    })?;
    feed.finish()?;
    let mut notes = std::io::stderr().lock();
    writeln!(notes, "sent {sent} events to {topic}")?;
    Ok(())
}

/// Calls the function with the shop's events in order, and with `None` where there are no more for now.
fn pour(
    args: &Args,
    take: &mut dyn FnMut(Option<ShopEvent>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let options = ShopOptions {
        customers: args.customers,
        seed: args.seed,
        starts_at: Timestamp::parse_rfc3339(SHOP_STARTS_AT).unwrap_or_default(),
        days: Some(args.days),
        dirt: if args.clean { 0.0 } else { DIRT_OF_A_REAL_FEED },
    };
    let Some(speed) = args.speed else {
        for event in Shop::new(options) {
            take(Some(event))?;
        }
        return take(None);
    };
    let wall = WallClock::system();
    let starts_at = wall.now().plus_milliseconds(-i64::from(args.days) * DAY_MS);
    let mut shop = Shop::new(ShopOptions {
        starts_at,
        days: None,
        ..options
    })
    .peekable();
    let opened = Instant::now();
    while shop.peek().is_some() {
        let now = shop_time(starts_at, opened, speed).min(wall.now());
        while let Some(event) = shop.next_if(|event| event.record_time <= now) {
            take(Some(event))?;
        }
        take(None)?;
        std::thread::park_timeout(CHUNK_DURATION);
    }
    Ok(())
}
