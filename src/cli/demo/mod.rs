//! `segstream demo`: a simulated shop, the whole engine and its metrics in one process, with no
//! set-up. It begins with two years of history, and then the event clock runs with the shop's time.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;

use crate::cli::common::SettingsArgs;
use crate::cli::compose::Overrides;
use crate::cli::compose::Parts;
use crate::cli::demo::open_shop::OpenShop;
use crate::cli::demo::open_shop::Wanted;
use crate::cli::demo::report::report;
use crate::cli::exit::CallError;
use crate::cli::exit::NotThere;
use crate::cli::serve::Server;
use crate::cli::shop::ShopClock;
use crate::cli::shop::parse_speed;
use crate::cli::shop::shop_time;
use crate::cli::summary::Summary;
use crate::cli::temporary_directory::DEMO;
use crate::cli::temporary_directory::TemporaryDirectory;
use crate::cli::temporary_directory::keep;
use crate::cli::whole_number::whole_number;
use crate::config::settings::Settings;
use crate::domain::time::Timestamp;
use crate::log::embedded::EmbeddedLog;
use crate::pipeline::partition::clock::ClockMode;
use crate::pipeline::partition::clock::WallClock;
use crate::pipeline::service::Service;
use crate::store::directory::StoreDirectory;

mod open_shop;
mod report;

/// The shop's time moves on this often.
const CHUNK_DURATION: Duration = Duration::from_millis(50);
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// What the command sets itself.
const DIRECTORIES: [&str; 2] = ["store.directory", "embedded.directory"];

/// Runs a simulated shop with two years of history through the whole engine.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  segstream demo --duration 30s")]
pub struct Args {
    /// Customers who join the shop in its first days; 15 in 100 more join in a year.
    #[arg(long, default_value_t = 5000, value_parser = whole_number::<u32>(1..=u32::MAX.into()))]
    customers: u32,
    /// The shop's time that passes in a second, such as 1d/s or 12h/s.
    #[arg(long, default_value = "2d/s", value_parser = parse_speed)]
    pub(super) speed: Duration,
    /// Random seed.
    #[arg(long, default_value_t = 1, value_parser = whole_number::<u64>(0..=u64::MAX))]
    seed: u64,
    /// Wall time until it ends, after the history is made; until ctrl-c if absent.
    #[arg(long, value_parser = parse_duration)]
    pub(super) duration: Option<Duration>,
    /// Listen address; http.address or a free port if absent.
    #[arg(long, value_parser = parse_address)]
    http: Option<SocketAddr>,
    /// Where log and store are kept, and a later demo with the same customers and seed goes on; if absent, a temporary
    /// directory that is removed at the end.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Print the summary as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

fn parse_address(text: &str) -> Result<SocketAddr, String> {
    let address = text.parse();
    address.map_err(|_| {
        format!(
            "{text:?} is not an address with a port, such as 127.0.0.1:8080: a number, not a name"
        )
    })
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
    refuse_directories(&args.settings.set)?;
    let (directory, _temporary) = match &args.dir {
        Some(named) => {
            refuse_other(named)?;
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
    let wanted = Wanted {
        customers: args.customers,
        seed: args.seed,
        now: WallClock::system().now(),
        directory: &directory,
    };
    let shop = OpenShop::open(&log, &wanted)?;
    // Requests wait until the history is made, as its events come before theirs.
    let server = Server::listen(&settings, &parts, args.http.is_none())?;
    let mut demo = Demo {
        args,
        settings,
        parts,
        log,
        shop,
        server,
    };
    demo.run(&wanted)?;
    demo.server.stop();
    Summary::of(&demo.parts.shared).print(args.json)
}

/// Refuses the settings that the command sets itself.
fn refuse_directories(set: &[String]) -> anyhow::Result<()> {
    let key_of = |pair: &String| pair.split_once('=').map(|(key, _)| key.trim().to_owned());
    let mut keys = set.iter().filter_map(key_of);
    let Some(key) = keys.find(|key| DIRECTORIES.contains(&key.as_str())) else {
        return Ok(());
    };
    Err(CallError(format!(
        "--set {key}: `demo` sets store.directory and embedded.directory itself; name the directory of both with --dir"
    ))
    .into())
}

/// Refuses a directory that is itself a store or a log.
fn refuse_other(directory: &Path) -> anyhow::Result<()> {
    // Where something else is in it, it is neither.
    let is_store = StoreDirectory::has_state(directory).unwrap_or(false);
    let is_log = EmbeddedLog::is_there(directory).unwrap_or(false);
    let what = match (is_store, is_log) {
        (true, _) => "a store",
        (_, true) => "a log",
        (false, false) => return Ok(()),
    };
    Err(NotThere(format!(
        "--dir {}: it is {what}, and `demo` makes a store and a log in it: name another directory",
        directory.display()
    ))
    .into())
}

/// The parts of a demo.
struct Demo<'a> {
    args: &'a Args,
    settings: Settings,
    parts: Parts,
    log: EmbeddedLog,
    shop: OpenShop,
    server: Server,
}

impl Demo<'_> {
    /// Works until the duration is over or a stop was asked for, and ends the workers.
    fn run(&mut self, wanted: &Wanted<'_>) -> anyhow::Result<()> {
        let deadline = self.settings.shutdown_deadline;
        let mut service = Service::start(self.parts.worker_logs()?, &self.parts.shared)?;
        let fed = self.feed(wanted, &mut service);
        let control = &self.parts.shared.control;
        if fed.is_ok() && !control.is_stopping() {
            // Everything the shop has sent is processed before the summary.
            control.stop_at(self.log.ends());
            if !service.wait(deadline)? {
                service.stop(deadline)?;
            }
        } else {
            service.stop(deadline)?;
        }
        fed
    }

    fn feed(&mut self, wanted: &Wanted<'_>, service: &mut Service) -> anyhow::Result<()> {
        service.wait_until_open()?;
        self.make_history(wanted, service)?;
        if self.parts.shared.control.is_stopping() {
            return Ok(());
        }
        // While the history was made, time went on: what happens now is not ahead of the shop.
        let live_from = self.shop.history_end.max(WallClock::system().now());
        let clock = ShopClock::new(live_from);
        self.server
            .answer(&self.settings, &self.parts, Some(&clock))?;
        self.show_places(wanted.directory)?;
        self.go_on(live_from, &clock, service)
    }

    /// Makes the history at once, and says so.
    fn make_history(&mut self, wanted: &Wanted<'_>, service: &mut Service) -> anyhow::Result<()> {
        let mut notes = std::io::stderr();
        if self.shop.is_new {
            let customers = wanted.customers;
            writeln!(
                notes,
                "making two years of history for {customers} customers ..."
            )?;
        } else {
            let directory = wanted.directory.display();
            writeln!(notes, "going on with the shop of {directory} ...")?;
        }
        let begun = Instant::now();
        let shared = &self.parts.shared;
        let events = self.shop.make_history(&self.log, shared, service)?;
        if !shared.control.is_stopping() {
            let (seconds, end) = (begun.elapsed().as_secs_f64(), self.shop.history_end);
            writeln!(
                notes,
                "history  {events} events in {seconds:.1} s, up to {end}"
            )?;
        }
        Ok(())
    }

    fn show_places(&self, directory: &Path) -> anyhow::Result<()> {
        let mut notes = std::io::stderr().lock();
        if let Some(address) = self.server.address() {
            writeln!(notes, "metrics  http://{address}/metrics")?;
            writeln!(notes, "segments http://{address}/v1/segments")?;
            writeln!(notes, "customer http://{address}/v1/customers/c-0")?;
            writeln!(notes, "events   http://{address}/v1/events")?;
        }
        let [store, log] = ["store", "log"].map(|name| directory.join(name));
        writeln!(
            notes,
            "state    --set store.directory={} --set embedded.directory={}",
            store.display(),
            log.display()
        )?;
        writeln!(
            notes,
            "faults   2 in 100 events have one on purpose, as those of a real feed: duplicates, delayed, test and malformed ones, \
             and guests"
        )?;
        Ok(())
    }

    /// The shop's time runs at the speed of the call.
    fn go_on(
        &mut self,
        live_from: Timestamp,
        clock: &ShopClock,
        service: &mut Service,
    ) -> anyhow::Result<()> {
        let control = &self.parts.shared.control;
        let started = Instant::now();
        let mut reported_at = started;
        let mut lines_drawn = 0;
        let is_over = || {
            let duration = self.args.duration;
            duration.is_some_and(|duration| started.elapsed() >= duration)
        };
        while !is_over() && !control.is_stopping() {
            let now = shop_time(live_from, started, self.args.speed);
            while self.shop.send(&self.log, now)? > 0 {}
            clock.set(now);
            if reported_at.elapsed() >= REPORT_INTERVAL && !self.args.json {
                reported_at = Instant::now();
                lines_drawn = report(&self.parts.shared, now, lines_drawn)?;
            }
            // A worker that failed ends the demo at once.
            service.wait(Duration::ZERO)?;
            std::thread::park_timeout(CHUNK_DURATION);
        }
        Ok(())
    }
}
