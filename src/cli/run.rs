//! `segstream run`: the service.

use std::time::Duration;

use crate::cli::common::SettingsArgs;
use crate::cli::common::parse_instant;
use crate::cli::common::warn_of_future;
use crate::cli::compose::Overrides;
use crate::cli::compose::Parts;
use crate::cli::serve::Server;
use crate::domain::time::Timestamp;
use crate::pipeline::service::Service;

/// How often the main thread looks whether a stop was asked for.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// Runs the service until it is told to stop.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  segstream run --set store.directory=/var/lib/segstream")]
pub struct Args {
    /// End once everything that is in the input now is committed.
    #[arg(long)]
    until_caught_up: bool,
    /// Then move every partition's clock to this instant, RFC 3339, and do what time alone brings until then.
    #[arg(long, requires = "until_caught_up", value_parser = parse_instant)]
    advance_to: Option<Timestamp>,
    #[command(flatten)]
    settings: SettingsArgs,
}

/// Runs the command.
///
/// # Errors
/// If the world is broken, or a stop takes longer than its deadline.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let settings = args.settings.load()?;
    args.settings.init_logging(&settings)?;
    let parts = Parts::open(&settings, &Overrides::default())?;
    // What is owned shows once its restore has ended.
    let directory = parts.shared.partitions.directory();
    for partition in directory.owned()? {
        directory.unmark_owned(partition)?;
    }
    let server = Server::start(&settings, &parts, false)?;
    if let Some(address) = server.address() {
        tracing::info!(%address, "listening");
    }
    if let Some(instant) = args.advance_to {
        warn_of_future(instant);
        parts.shared.control.advance_to(instant);
    }
    if args.until_caught_up {
        parts.shared.control.stop_at(parts.log.ends()?);
    }
    let mut service = Service::start(parts.worker_logs()?, &parts.shared)?;
    while !service.wait(LOOK_INTERVAL)? {
        if parts.shared.control.is_stopping() {
            service.stop(settings.shutdown_deadline)?;
            break;
        }
    }
    server.stop();
    tracing::info!("stopped");
    Ok(())
}
