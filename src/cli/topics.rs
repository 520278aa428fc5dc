//! `segstream topics`: checks or makes the topics that the service needs on Kafka.

use std::io::Write;

use crate::cli::common::SettingsArgs;
use crate::cli::compose::connection;
use crate::cli::exit::CallError;
use crate::cli::exit::WrongTopics;
use crate::config::bus::BusKind;
use crate::log::kafka::Level;
use crate::log::kafka::Plan;
use crate::log::kafka::create_topics;
use crate::log::kafka::topic_findings;

/// Checks or makes the topics on Kafka.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  segstream topics create --set kafka.brokers=localhost:9092")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
    /// Print the answer as JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List every problem with the topics, and every setting that may lose events or change their times.
    Check,
    /// Make the topics that are missing, then check all of them.
    Create,
}

/// Runs the command.
///
/// # Errors
/// If the cluster does not answer, or the topics are not as the service needs them.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let settings = args.settings.load()?;
    args.settings.init_logging(&settings)?;
    if settings.bus != BusKind::Kafka {
        let problem = "the embedded log has no topics on Kafka: set kafka.brokers".to_owned();
        return Err(CallError(problem).into());
    }
    let connection = connection(&settings, "topics");
    let mut created = Vec::new();
    if matches!(args.command, Command::Create) {
        let plan = Plan {
            partitions: settings.topics.partitions,
            replication_factor: settings.topics.replication_factor,
        };
        created = create_topics(&connection, plan)?;
        if (1..3).contains(&plan.replication_factor) {
            tracing::warn!("topics.replication_factor is below 3: a lost broker may lose data");
        }
    }
    let findings = topic_findings(&connection)?;
    let mut out = std::io::stdout().lock();
    if args.json {
        let answer = serde_json::json!({"created": created, "findings": findings});
        writeln!(out, "{answer}")?;
    } else {
        for name in &created {
            writeln!(out, "created {name}")?;
        }
        let warnings = findings.iter();
        for warning in warnings.filter(|finding| finding.level == Level::Warning) {
            writeln!(out, "warning: {}", warning.problem)?;
        }
        if findings.is_empty() {
            writeln!(out, "the topics are as the service needs them")?;
        }
    }
    let errors = findings.into_iter();
    let errors = errors.filter(|finding| finding.level == Level::Error);
    let problems: Vec<String> = errors.map(|error| error.problem).collect();
    if problems.is_empty() {
        Ok(())
    } else {
        Err(WrongTopics(problems).into())
    }
}
