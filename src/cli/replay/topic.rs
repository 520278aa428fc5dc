//! A replay that only sends to a topic.

use crate::cli::exit::CallError;
use crate::cli::replay::args::Args;
use crate::cli::replay::pace::CHUNK_EVENTS;
use crate::cli::replay::pace::Pace;
use crate::cli::replay::pace::WAIT_FOR_WORKERS;
use crate::cli::replay::places::Judged;
use crate::cli::replay::places::Others;
use crate::cli::replay::places::Sent;
use crate::cli::replay::places::refuse_rejected;
use crate::cli::replay::progress::Progress;
use crate::cli::target::open_topic;
use crate::config::settings::Settings;
use crate::dataset::replay::History;
use crate::pipeline::partition::clock::WallClock;

pub(super) fn replay_to_kafka(
    args: &Args,
    settings: &Settings,
    history: &History,
    topic: &str,
) -> anyhow::Result<()> {
    check_call(args)?;
    let events = history.events.as_slice();
    let feed = open_topic(settings, "replay", topic)?;
    let record_times = events.iter().map(|event| event.record_time);
    feed.check_times(record_times, WallClock::system().now())?;
    let mut progress = Progress::new(events.len(), 0)?;
    let mut pace = args.rate.map(Pace::new);
    let mut rest = events;
    while !rest.is_empty() {
        let allowed = pace.as_mut().map_or(CHUNK_EVENTS, Pace::take);
        let (chunk, later) = rest.split_at(allowed.min(rest.len()));
        for event in chunk {
            feed.send(event.key.as_deref(), &event.payload, event.record_time)?;
        }
        rest = later;
        progress.at(events.len() - rest.len())?;
        if chunk.is_empty() {
            std::thread::park_timeout(WAIT_FOR_WORKERS);
        }
    }
    feed.finish()?;
    progress.finish();
    let judged = Judged::of(events, &settings.intake);
    let sent = Sent::of(args, history, &judged, &settings.intake);
    sent.print(args, topic)?;
    refuse_rejected(args, &sent.rejections, history, &judged, Others::Sent)
}

/// Refuses what only the engine can do.
pub(super) fn check_call(args: &Args) -> anyhow::Result<()> {
    if args.advance_to.is_none() {
        return Ok(());
    }
    let problem = "--advance-to moves the clocks of the engine, which runs only with --to embedded: use \
                   `segstream run --until-caught-up --advance-to`";
    Err(CallError(problem.to_owned()).into())
}
