//! The command line: one file a command, and the composition of the parts.

pub mod call;
pub mod changes;
pub mod churn;
pub mod common;
pub mod compose;
pub mod dead_letters;
pub mod demo;
pub mod exit;
pub mod file_summary;
pub mod findings;
pub mod help;
pub mod http_meter;
pub mod instance;
mod learning_source;
mod model_fit;
pub mod model_version;
pub mod notices;
pub mod open_files;
pub mod order_args;
pub mod output_file;
mod outputs;
pub mod pages;
mod places;
pub mod predict;
pub mod reading;
pub mod reading_args;
pub mod records;
pub mod remote_changes;
pub mod replay;
pub mod run;
pub mod serve;
pub mod services;
pub mod settings_file;
pub mod shop;
pub mod simulate;
pub mod state;
pub mod summary;
mod target;
mod temporary_directory;
pub mod token_file;
pub mod topics;
pub mod train;
pub mod whole_number;

use clap::CommandFactory;
use clap::Parser;

/// Real-time customer segmentation: purchases in, segment changes out, exactly once.
#[derive(Debug, Parser)]
#[command(name = "segstream", version, disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Run a simulated shop through the whole engine, with no set-up.
    Demo(demo::Args),
    /// Run the service.
    Run(run::Args),
    /// Learn segments of customers, and write a model file.
    Train(train::Args),
    /// Fit the churn model to purchase days.
    Churn(churn::Args),
    /// Predict the segment of one customer, or of each row of a file.
    Predict(predict::Args),
    /// Write a simulated shop's events as JSON Lines, or send them to a topic.
    Simulate(simulate::Args),
    /// Replay historical purchases as events.
    Replay(replay::Args),
    /// Read the state of a stopped instance.
    State(state::Args),
    /// List, show or export the records that were not processed.
    DeadLetters(dead_letters::Args),
    /// Check or make the topics on Kafka.
    Topics(topics::Args),
    /// Check or show the settings.
    Config(settings_file::Args),
    /// Print the completions of a shell.
    Completions(pages::CompletionsArgs),
    /// Print the manual page, or write one for each command.
    Man(pages::ManArgs),
    /// Print the licences of what is built in.
    Notices(notices::Args),
}

/// The whole command line, with exit codes and environment in the help of each command.
#[must_use]
pub fn definition() -> clap::Command {
    help::with_ends(Cli::command())
}

/// Runs the command that was called.
///
/// # Errors
/// The error that stopped the command; [`exit::code_of`] gives its exit code.
pub fn run(cli: &Cli) -> anyhow::Result<()> {
    open_files::raise();
    match &cli.command {
        Command::Demo(args) => demo::run(args),
        Command::Run(args) => run::run(args),
        Command::Train(args) => train::run(args),
        Command::Churn(args) => churn::run(args),
        Command::Predict(args) => predict::run(args),
        Command::Simulate(args) => simulate::run(args),
        Command::Replay(args) => replay::run(args),
        Command::State(args) => state::run(args),
        Command::DeadLetters(args) => dead_letters::run(args),
        Command::Topics(args) => topics::run(args),
        Command::Config(args) => settings_file::run(args),
        Command::Completions(args) => pages::completions(args, definition()),
        Command::Man(args) => pages::man(args, definition()),
        Command::Notices(args) => notices::run(args),
    }
}
