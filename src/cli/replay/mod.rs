//! `segstream replay`: historical purchases as events, through the whole engine on the embedded
//! log, always on the event clock, or to a topic. An interrupted replay continues where it stopped.

mod args;
mod embedded;
mod pace;
mod progress;
mod topic;

pub use crate::cli::replay::args::Args;

use crate::cli::replay::args::Embedded;
use crate::cli::replay::embedded::replay_embedded;
use crate::cli::replay::topic::replay_to_kafka;
use crate::cli::target::Target;
use crate::config::settings::Settings;
use crate::dataset::replay;
use crate::dataset::replay::SourceEvent;
use crate::domain::time::Timestamp;
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
    let events = read(args, &settings)?;
    match &args.to {
        Target::Place(Embedded) => replay_embedded(args, &settings, &events),
        Target::Kafka { topic } => replay_to_kafka(args, &settings, &events, topic),
    }
}

fn read(args: &Args, settings: &Settings) -> anyhow::Result<Vec<SourceEvent>> {
    let context = replay::Context {
        base: settings.intake.exchange.base,
        zone: settings.time.business_zone.clone(),
        as_of: Timestamp::parse_rfc3339("2014-06-30T00:00:00Z").unwrap_or_default(),
    };
    let events = replay::read(&args.input, args.format, &context)?;
    if !args.allow_future {
        let ahead_max = milliseconds(RECORD_TIME_AHEAD_MAX);
        let latest = WallClock::system().now().plus_milliseconds(ahead_max);
        replay::refuse_after(&args.input, &events, latest)?;
    }
    Ok(events)
}
