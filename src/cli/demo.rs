//! `segstream demo`: a simulated shop, the whole engine and its metrics in one process, with no
//! set-up. The event clock runs with the shop's time.

use std::io::IsTerminal;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;

use crate::cli::common::SettingsArgs;
use crate::cli::compose::Overrides;
use crate::cli::compose::Parts;
use crate::cli::exit::CallError;
use crate::cli::serve::Server;
use crate::cli::shop::DIRT_OF_A_REAL_FEED;
use crate::cli::shop::SHOP_STARTS_AT;
use crate::cli::shop::parse_speed;
use crate::cli::shop::shop_time;
use crate::cli::summary::Summary;
use crate::cli::summary::customers_by_segment;
use crate::cli::temporary_directory::DEMO;
use crate::cli::temporary_directory::TemporaryDirectory;
use crate::cli::temporary_directory::keep;
use crate::domain::time::Timestamp;
use crate::log::embedded::EmbeddedLog;
use crate::log::embedded::InputRecord;
use crate::pipeline::Shared;
use crate::pipeline::partition::clock::ClockMode;
use crate::pipeline::service::Service;
use crate::simulate::Shop;
use crate::simulate::ShopEvent;
use crate::simulate::ShopOptions;

/// The shop's time moves on this often.
const CHUNK_DURATION: Duration = Duration::from_millis(50);
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// Runs a simulated shop through the whole engine.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  segstream demo --duration 30s")]
pub struct Args {
    /// Customers of the shop.
    #[arg(long, default_value_t = 5000)]
    customers: u32,
    /// The shop's time that passes in a second, such as 1d/s or 12h/s.
    #[arg(long, default_value = "2d/s", value_parser = parse_speed)]
    pub(super) speed: Duration,
    /// Random seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Wall time until it ends; until ctrl-c if absent.
    #[arg(long, value_parser = parse_duration)]
    pub(super) duration: Option<Duration>,
    /// Listen address; http.address or a free port if absent.
    #[arg(long)]
    http: Option<SocketAddr>,
    /// Where log and store are kept; if absent, a temporary directory that is removed at the end.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Print the summary as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    crate::config::units::duration(text)
        .ok_or_else(|| format!("{text:?} is not a duration such as 30s or 5m"))
}

/// Runs the command.
///
/// # Errors
/// If the engine fails.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let (directory, _temporary) = match &args.dir {
        Some(named) => {
            keep(named).with_context(|| format!("cannot use {}", named.display()))?;
            (named.clone(), None)
        }
        None => {
            let temporary = TemporaryDirectory::new(DEMO)?;
            (temporary.path.clone(), Some(temporary))
        }
    };
    // Both are set, so that a demo never writes into the log that the environment names.
    let mut preset = vec![
        format!("store.directory={}", directory.join("store").display()),
        format!("embedded.directory={}", directory.join("log").display()),
        // So that changes by time alone appear within days of the shop.
        "churn.band_changes=true".to_owned(),
    ];
    preset.extend(args.http.map(|address| format!("http.address={address}")));
    let settings = args.settings.load_with(&preset)?;
    args.settings.init_logging(&settings)?;
    let (parts, log) = Parts::open_embedded(
        &settings,
        &Overrides {
            clock: Some(ClockMode::Event),
            ..Overrides::default()
        },
    )?;
    let server = Server::start(&settings, &parts, args.http.is_none())?;
    let mut notes = std::io::stderr().lock();
    if let Some(address) = server.address() {
        writeln!(notes, "metrics  http://{address}/metrics")?;
        writeln!(notes, "segments http://{address}/v1/segments")?;
    }
    writeln!(notes, "state    {}", directory.display())?;
    drop(notes);
    let mut service = Service::start(parts.worker_logs()?, &parts.shared)?;
    let fed = feed(args, &log, &parts.shared, &mut service);
    if fed.is_ok() && !parts.shared.control.is_stopping() {
        // Everything the shop has sent is processed before the summary.
        parts.shared.control.stop_at(log.ends());
        if !service.wait(settings.shutdown_deadline)? {
            service.stop(settings.shutdown_deadline)?;
        }
    } else {
        service.stop(settings.shutdown_deadline)?;
    }
    fed?;
    server.stop();
    Summary::of(&parts.shared).print(args.json)
}

fn feed(
    args: &Args,
    log: &EmbeddedLog,
    shared: &Shared,
    service: &mut Service,
) -> anyhow::Result<()> {
    let starts_at = Timestamp::parse_rfc3339(SHOP_STARTS_AT)
        .ok_or_else(|| CallError("the shop's first day is not a date".to_owned()))?;
    let mut shop = Shop::new(ShopOptions {
        customers: args.customers,
        seed: args.seed,
        starts_at,
        days: None,
        dirt: DIRT_OF_A_REAL_FEED,
    })
    .peekable();
    let started = Instant::now();
    let mut reported_at = started;
    let mut lines_drawn = 0;
    while args
        .duration
        .is_none_or(|duration| started.elapsed() < duration)
        && !shared.control.is_stopping()
    {
        let now = shop_time(starts_at, started, args.speed);
        let mut chunk = Vec::new();
        while let Some(event) = shop.next_if(|event| event.record_time <= now) {
            chunk.push(input(event));
        }
        if !chunk.is_empty() {
            log.append(chunk, None)?;
        }
        if reported_at.elapsed() >= REPORT_INTERVAL && !args.json {
            reported_at = Instant::now();
            lines_drawn = report(shared, now, lines_drawn)?;
        }
        // A worker that failed ends the demo at once.
        service.wait(Duration::ZERO)?;
        std::thread::park_timeout(CHUNK_DURATION);
    }
    Ok(())
}

fn input(event: ShopEvent) -> InputRecord {
    InputRecord::new(Some(event.record_time), event.key, event.payload)
}

/// Draws the counts over the previous ones on a terminal; prints one plain line otherwise.
fn report(shared: &Shared, now: Timestamp, lines_drawn: usize) -> anyhow::Result<usize> {
    let mut out = std::io::stderr().lock();
    let counts = shared.tally.counts();
    let segments = customers_by_segment(shared);
    if !out.is_terminal() {
        let customers: u64 = segments.values().sum();
        let (events, changes) = (counts.events, counts.changes);
        writeln!(
            out,
            "shop {now}  events {events}  changes {changes}  customers {customers}"
        )?;
        return Ok(0);
    }
    if lines_drawn > 0 {
        write!(out, "\x1b[{lines_drawn}A\x1b[J")?;
    }
    writeln!(
        out,
        "shop {now}  events {}  changes {}",
        counts.events, counts.changes
    )?;
    let most = segments.values().copied().max().unwrap_or(0).max(1);
    for (segment, customers) in &segments {
        let width = usize::try_from(customers * 30 / most).unwrap_or(0);
        writeln!(out, "  {segment:<36} {customers:>8} {}", "#".repeat(width))?;
    }
    Ok(segments.len() + 1)
}
