//! `segstream replay`: historical purchases as events, through the whole engine on the embedded
//! log, always on the event clock, or to a topic. An interrupted replay continues where it stopped.

mod args;
mod dry_run;
mod embedded;
mod pace;
mod placed;
mod places;
mod progress;
mod topic;

pub use crate::cli::replay::args::Args;

use crate::cli::replay::args::Embedded;
use crate::cli::replay::dry_run::dry_run;
use crate::cli::replay::embedded::replay_embedded;
use crate::cli::replay::topic::replay_to_kafka;
use crate::cli::target::Target;
use crate::config::settings::Settings;
use crate::dataset::replay;
use crate::dataset::replay::History;
use crate::domain::time::milliseconds;
use crate::pipeline::partition::clock::RECORD_TIME_AHEAD_MAX;
use crate::pipeline::partition::clock::WallClock;

/// Runs the command.
///
/// # Errors
/// If the file is bad or the engine fails.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let settings = args.settings.load()?;
    args.settings.init_logging(&settings)?;
    let history = read(args, &settings)?;
    if args.dry_run {
        return dry_run(args, &settings, &history);
    }
    match &args.to {
        Target::Place(Embedded) => replay_embedded(args, &settings, &history),
        Target::Kafka { topic } => replay_to_kafka(args, &settings, &history, topic),
    }
}

fn read(args: &Args, settings: &Settings) -> anyhow::Result<History> {
    match args.format {
        replay::Format::Jsonl => {
            args.reading
                .refuse_all_but("--format jsonl", &["--encoding"])?;
        }
        replay::Format::Cdnow => {
            args.reading
                .refuse_all_but("--format cdnow", &["--encoding"])?;
        }
        replay::Format::Orders | replay::Format::Customers | replay::Format::Marketing => {}
    }
    let zone = settings.time.business_zone.clone();
    let base = settings.intake.exchange.base;
    let options = args.reading.options(zone, Some(base))?;
    let context = args
        .orders
        .context(args.format, settings, &options, args.as_of)?;
    let history = replay::read(&args.input, args.format, &context, &options)?;
    if !args.allow_future {
        let ahead_max = milliseconds(RECORD_TIME_AHEAD_MAX);
        let latest = WallClock::system().now().plus_milliseconds(ahead_max);
        replay::refuse_after(&args.input, &history.events, latest)?;
    }
    Ok(history)
}
