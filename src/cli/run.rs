//! `segstream run`: the service.

use std::time::Duration;

use crate::cli::common::SettingsArgs;
use crate::cli::common::parse_instant;
use crate::cli::common::warn_of_future;
use crate::cli::compose::Overrides;
use crate::cli::compose::Parts;
use crate::cli::serve::Server;
use crate::cli::summary::Summary;
use crate::domain::time::Timestamp;
use crate::pipeline::service::Service;

/// How often the main thread checks whether a stop was requested.
const STOP_CHECK_INTERVAL: Duration = Duration::from_millis(50);

const AFTER_HELP: &str = "What it does:
  It reads events: those of POST /v1/events on the embedded log, or those of the topic topics.events where kafka.brokers \
is set. It keeps every customer's purchases, profile and segment, and publishes each change of segment in topics.changes \
and topics.current; what it rejects goes to topics.dead_letters. Time alone changes segments too: a customer who stops \
buying moves when the time has come.

Where the data goes:
  On the embedded log everything is in embedded.directory (segstream-data-log), the only copy. With Kafka it is in the \
topics. store.directory (segstream-data) is a cache of it in both cases. HTTP is on http.address (127.0.0.1:8080).

How it stops:
  SIGTERM or ctrl-c: it commits what it has in hand and ends with 0. After a crash or a kill it continues where it was, and \
nothing is counted twice.

Examples:
  segstream run
  segstream run --config segstream.toml
  segstream run --set kafka.brokers=localhost:9092 --set store.directory=/var/lib/segstream";

/// Runs the service until SIGTERM or ctrl-c.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// End once every partition is committed up to the end that it has at the start, also those of other instances.
    #[arg(long)]
    until_caught_up: bool,
    /// With --until-caught-up: then move the clock of every partition that this instance has to this instant, RFC 3339, and
    /// evaluate the customers who are due by then.
    #[arg(long, requires = "until_caught_up", value_parser = parse_instant)]
    advance_to: Option<Timestamp>,
    /// Start although the wall clock is before the last transaction of the state or more than `time.downtime_max`
    /// after it.
    #[arg(long)]
    trust_clock: bool,
    /// Print the summary as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

/// Runs the command.
///
/// # Errors
/// If the settings, the log or the store cannot be used, or a stop takes longer than `shutdown.deadline`.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let settings = args.settings.load()?;
    args.settings.init_logging(&settings)?;
    let overrides = Overrides {
        trusts_clock: args.trust_clock,
        ..Overrides::default()
    };
    let parts = Parts::open(&settings, &overrides)?;
    // A partition is marked as owned again when its restore has ended.
    let directory = parts.shared.partitions.directory();
    for partition in directory.owned()? {
        directory.unmark_owned(partition)?;
    }
    let server = Server::start(&settings, &parts, false)?;
    if let Some(instant) = args.advance_to {
        warn_of_future(instant);
        parts.shared.control.advance_to(instant);
    }
    if args.until_caught_up {
        parts.shared.control.stop_at(parts.log.ends()?);
    }
    let now = parts.shared.monotonic.now();
    parts.shared.tally.log_rejections(now);
    let mut service = Service::start(parts.worker_logs()?, &parts.shared)?;
    service.wait_until_open()?;
    if let Some(address) = server.address() {
        tracing::info!(%address, "listening");
    }
    while !service.wait(STOP_CHECK_INTERVAL)? {
        if parts.shared.control.is_stopping() {
            service.stop(settings.shutdown_deadline)?;
            break;
        }
    }
    server.stop();
    let of_others = parts.shared.control.left_to_others();
    if args.advance_to.is_some() && of_others > 0 {
        tracing::warn!(
            partitions = of_others,
            "--advance-to has not moved the clocks of the partitions that other instances have"
        );
    }
    tracing::info!("stopped");
    Summary::of(&parts.shared).print(args.json)
}
