//! A replay through the whole engine. It continues where an interrupted one stopped.

use std::io::Write;
use std::time::Duration;

use crate::cli::common::warn_of_future;
use crate::cli::compose::Overrides;
use crate::cli::compose::Parts;
use crate::cli::exit::CallError;
use crate::cli::file_summary::FileSummary;
use crate::cli::replay::args::Args;
use crate::cli::replay::pace::CHUNK_EVENTS;
use crate::cli::replay::pace::Pace;
use crate::cli::replay::pace::WAIT_FOR_WORKERS;
use crate::cli::replay::placed::Placed;
use crate::cli::replay::places::Judged;
use crate::cli::replay::places::Others;
use crate::cli::replay::places::refuse_all_rejected;
use crate::cli::replay::places::summary;
use crate::cli::replay::progress::Progress;
use crate::cli::summary::Summary;
use crate::config::settings::Settings;
use crate::dataset::replay::History;
use crate::dataset::replay::SourceEvent;
use crate::domain::event::rules::IntakeRules;
use crate::log::embedded::EmbeddedLog;
use crate::log::embedded::InputRecord;
use crate::pipeline::partition::clock::ClockMode;
use crate::pipeline::service::Service;

pub(super) fn replay_embedded(
    args: &Args,
    settings: &Settings,
    history: &History,
) -> anyhow::Result<()> {
    let events = &history.events;
    require_ahead(args, events)?;
    // The same content, read in the same way and under the same rules, is the same replay, wherever the file is. Under other rules
    // rows that were rejected may be taken.
    let rules = settings.intake.fingerprint();
    let source = format!(
        "replay/{:?}/{}/{rules:016x}",
        args.format, history.fingerprint
    );
    let clock = Some(ClockMode::Event);
    let overrides = Overrides {
        clock,
        ..Overrides::default()
    };
    let (parts, log) = Parts::open_embedded(settings, &overrides)?;
    let total = u64::try_from(events.len())?;
    let sent_before = log.cursor(&source)?.unwrap_or(0).min(total);
    let placed = Placed::of(&log, events, usize::try_from(sent_before)?)?;
    parts.shared.tally.number(placed.lines);
    if let Some(instant) = args.advance_to {
        warn_of_future(instant);
        parts.shared.control.advance_to(instant);
    }
    let mut service = Service::start(parts.worker_logs()?, &parts.shared)?;
    // What is refused has written nothing.
    service.wait_until_open()?;
    let fed = feed(&log, events, &source, args.rate, &mut service);
    if let Err(error) = fed {
        // The log keeps what it has; the next run continues from it.
        service.stop(settings.shutdown_deadline)?;
        return Err(error);
    }
    parts.shared.control.stop_at(log.ends());
    while !service.wait(Duration::from_secs(3600))? {}
    let summary = summary(args, &parts.shared, &placed.before);
    print(args, &summary, history, &settings.intake)?;
    let before = summary.in_log_before.as_ref();
    let before = before.map_or(&[][..], |before| &before.rejections);
    let judged = Judged::of(events, &settings.intake);
    let rejections = (summary.rejections.as_slice(), before);
    refuse_all_rejected(args, rejections, history, &judged, Others::Taken)
}

/// Prints what became of the rows of the file, then of its events.
fn print(
    args: &Args,
    summary: &Summary,
    history: &History,
    rules: &IntakeRules,
) -> anyhow::Result<()> {
    let file = FileSummary::of(history, args.orders, rules);
    if !args.json {
        file.print(&mut std::io::stdout().lock())?;
        return summary.print(false);
    }
    let mut all = serde_json::to_value(summary)?;
    if let Some(members) = all.as_object_mut() {
        members.insert("file".to_owned(), serde_json::to_value(&file)?);
    }
    writeln!(std::io::stdout().lock(), "{all}")?;
    Ok(())
}

/// Refuses an `--advance-to` that the events themselves go beyond, before any of them is taken.
fn require_ahead(args: &Args, events: &[SourceEvent]) -> anyhow::Result<()> {
    let newest = events.iter().map(|event| event.record_time).max();
    match (args.advance_to, newest) {
        (Some(instant), Some(newest)) if instant < newest => Err(CallError(format!(
            "--advance-to {instant} is before {newest}, the time of the newest event: a clock never goes back"
        ))
        .into()),
        _ => Ok(()),
    }
}

fn feed(
    log: &EmbeddedLog,
    events: &[SourceEvent],
    source: &str,
    rate: Option<f64>,
    service: &mut Service,
) -> anyhow::Result<()> {
    let total = u64::try_from(events.len())?;
    let sent_before = log.cursor(source)?.unwrap_or(0).min(total);
    let mut progress = Progress::new(events.len(), usize::try_from(sent_before)?)?;
    if sent_before > 0 {
        tracing::info!(sent_before, total, "continuing an interrupted replay");
    }
    let mut pace = rate.map(Pace::new);
    let mut sent: usize = usize::try_from(sent_before)?;
    while sent < events.len() {
        // A worker that failed ends the replay at once.
        service.wait(Duration::ZERO)?;
        let allowed = pace.as_mut().map_or(CHUNK_EVENTS, Pace::take);
        let until = (sent + allowed).min(events.len());
        if until == sent {
            std::thread::park_timeout(WAIT_FOR_WORKERS);
            continue;
        }
        let chunk: Vec<InputRecord> = events
            .iter()
            .skip(sent)
            .take(until - sent)
            .map(|event| {
                InputRecord::new(
                    Some(event.record_time),
                    event.key.clone(),
                    event.payload.clone(),
                )
            })
            .collect();
        sent = until;
        let next = (sent < events.len()).then_some(u64::try_from(sent)?);
        log.append(chunk, Some((source, next)))?;
        progress.at(sent)?;
    }
    progress.finish();
    Ok(())
}
