//! `segstream replay`: historical purchases as events, through the whole engine on the embedded
//! bus, always on the event clock, or to a topic. One that was interrupted goes on where it stopped.

use std::fs;
use std::io::IsTerminal;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use indicatif::ProgressBar;
use indicatif::ProgressStyle;
use sha2::Digest;
use sha2::Sha256;

use crate::cli::common::SettingsArgs;
use crate::cli::common::parse_instant;
use crate::cli::common::warn_of_future;
use crate::cli::compose::Overrides;
use crate::cli::compose::Parts;
use crate::cli::compose::connection;
use crate::cli::exit::CallError;
use crate::cli::summary::Summary;
use crate::config::settings::Settings;
use crate::dataset::replay;
use crate::dataset::replay::SourceEvent;
use crate::domain::time::Timestamp;
use crate::log::embedded::EmbeddedLog;
use crate::log::embedded::InputRecord;
use crate::log::kafka::EventProducer;
use crate::pipeline::partition::clock::ClockMode;
use crate::pipeline::service::Service;

/// Events sent to the log at a time, at most.
const CHUNK_EVENTS: usize = 2048;
/// With a rate, a chunk holds at most the events of this long.
const CHUNK_DURATION: Duration = Duration::from_millis(20);
/// Off a terminal a line tells the progress this often.
const REPORT_INTERVAL: Duration = Duration::from_millis(250);
const WAIT_FOR_WORKERS: Duration = Duration::from_millis(1);

/// Replays historical purchases as events.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  segstream replay --input cdnow_master.txt --format cdnow --to embedded"
)]
pub struct Args {
    /// The file to read.
    #[arg(long)]
    input: PathBuf,
    /// What is in it.
    #[arg(long, value_enum)]
    format: replay::Format,
    /// Where the events go: `embedded` runs the whole engine in this process, `kafka://TOPIC` only
    /// sends them.
    #[arg(long, default_value = "embedded", value_parser = parse_target)]
    to: Target,
    /// Events a second, such as 2000 or 2000/s; as fast as they are taken if absent.
    #[arg(long, value_parser = parse_rate)]
    rate: Option<f64>,
    /// When all events are done, move every partition's clock to this instant, RFC 3339, and do what time alone
    /// brings until then. Without it, what is due after a partition's last event stays pending.
    #[arg(long, value_parser = parse_instant)]
    advance_to: Option<Timestamp>,
    /// Print the summary as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

/// Where events go.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    Embedded,
    Kafka { topic: String },
}

fn parse_target(text: &str) -> Result<Target, String> {
    match text.strip_prefix("kafka://") {
        Some(topic) if !topic.is_empty() => Ok(Target::Kafka {
            topic: topic.to_owned(),
        }),
        None if text == "embedded" => Ok(Target::Embedded),
        Some(_) | None => Err(format!("{text:?} is neither embedded nor kafka://TOPIC")),
    }
}

fn parse_rate(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix("/s").unwrap_or(text);
    match number.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(rate),
        Ok(_) | Err(_) => Err(format!(
            "{text:?} is not a number of events a second above 0"
        )),
    }
}

/// Runs the command.
///
/// # Errors
/// If the file is bad or the engine fails.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let settings = args.settings.load()?;
    args.settings.init_logging(&settings)?;
    let events = read(args, &settings)?;
    match &args.to {
        Target::Embedded => replay_embedded(args, &settings, &events),
        Target::Kafka { topic } => replay_to_kafka(args, &settings, &events, topic),
    }
}

fn replay_to_kafka(
    args: &Args,
    settings: &Settings,
    events: &[SourceEvent],
    topic: &str,
) -> anyhow::Result<()> {
    if args.advance_to.is_some() {
        let problem = "--advance-to moves the clocks of the engine, which runs only with --to embedded: use \
                       `segstream run --until-caught-up --advance-to`";
        return Err(CallError(problem.to_owned()).into());
    }
    if settings.kafka.brokers.is_empty() {
        return Err(CallError("kafka:// needs kafka.brokers".to_owned()).into());
    }
    let feed = EventProducer::open(connection(settings, "replay"), topic)?;
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
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::json!({"sent": events.len()}))?;
    } else {
        writeln!(out, "sent {} events to {topic}", events.len())?;
    }
    Ok(())
}

fn replay_embedded(args: &Args, settings: &Settings, events: &[SourceEvent]) -> anyhow::Result<()> {
    let source = source_name(args)?;
    let clock = Some(ClockMode::Event);
    let (parts, log) = Parts::open_embedded(settings, &Overrides { clock })?;
    let mut service = Service::start(parts.worker_logs()?, &parts.shared)?;
    let fed = feed(&log, events, &source, args.rate, &mut service);
    if let Err(error) = fed {
        // What is in the log stays there; the next run goes on from it.
        service.stop(settings.shutdown_deadline)?;
        return Err(error);
    }
    if let Some(instant) = args.advance_to {
        warn_of_future(instant);
        parts.shared.control.advance_to(instant);
    }
    parts.shared.control.stop_at(log.input_ends());
    while !service.wait(Duration::from_secs(3600))? {}
    Summary::of(&parts.shared).print(args.json)
}

fn read(args: &Args, settings: &Settings) -> anyhow::Result<Vec<SourceEvent>> {
    let context = replay::Context {
        base: settings.intake.exchange.base,
        zone: settings.time.business_zone.clone(),
        as_of: Timestamp::parse_rfc3339("2014-06-30T00:00:00Z").unwrap_or_default(),
    };
    Ok(replay::read(&args.input, args.format, &context)?)
}

/// The same content in the same format is the same replay, wherever the file is.
fn source_name(args: &Args) -> anyhow::Result<String> {
    let path = &args.input;
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let digest = Sha256::digest(&bytes);
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("replay/{:?}/{hex}", args.format))
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
        tracing::info!(sent_before, total, "an interrupted replay goes on");
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
            .map(|event| InputRecord {
                timestamp: Some(event.record_time),
                key: event.key.clone(),
                payload: event.payload.clone(),
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

/// A bar on a terminal, a line now and then otherwise.
struct Progress {
    bar: ProgressBar,
    total: usize,
    is_terminal: bool,
    reported_at: Instant,
}

impl Progress {
    fn new(total: usize, done: usize) -> anyhow::Result<Self> {
        let bar = ProgressBar::new(u64::try_from(total)?);
        bar.set_style(ProgressStyle::with_template(
            "{bar:40} {pos}/{len} events, {per_sec}",
        )?);
        bar.set_position(u64::try_from(done)?);
        Ok(Self {
            bar,
            total,
            is_terminal: std::io::stderr().is_terminal(),
            reported_at: Instant::now(),
        })
    }

    fn at(&mut self, done: usize) -> anyhow::Result<()> {
        self.bar.set_position(u64::try_from(done)?);
        if !self.is_terminal && self.reported_at.elapsed() >= REPORT_INTERVAL {
            self.reported_at = Instant::now();
            let total = self.total;
            writeln!(std::io::stderr(), "replayed {done} of {total} events")?;
        }
        Ok(())
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Gives out events at a rate. What a stall left undone is not made up for in a burst.
struct Pace {
    rate: f64,
    due: f64,
    asked_at: Instant,
}

impl Pace {
    fn new(rate: f64) -> Self {
        Self {
            rate,
            due: 0.0,
            asked_at: Instant::now(),
        }
    }

    /// Events that may be sent now.
    fn take(&mut self) -> usize {
        let now = Instant::now();
        let since = now
            .saturating_duration_since(self.asked_at)
            .min(CHUNK_DURATION);
        self.asked_at = now;
        self.due += since.as_secs_f64() * self.rate;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count of events, zero or more, cut to whole ones"
        )]
        let whole = self.due as usize;
        self.due = self.due.fract();
        whole.min(CHUNK_EVENTS)
    }
}
