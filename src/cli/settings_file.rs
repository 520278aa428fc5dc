//! `segstream config`: checks the settings, or shows all that are in effect.

use std::io::Write;
use std::path::PathBuf;

use crate::cli::common::SettingsArgs;
use crate::cli::compose;
use crate::cli::exit::CallError;
use crate::cli::model_fit;
use crate::config::settings::Settings;
use crate::config::settings::describe;
use crate::config::sources::defaults;

/// Checks or shows the settings.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  segstream config check --config segstream.toml\n  segstream config show --config segstream.toml --set workers=2"
)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Check the settings file together with the environment, and the model that it names.
    Check(Sources),
    /// Print every setting as TOML, with where it comes from; secrets are shown as "***".
    Show(Sources),
}

/// Where the settings come from.
#[derive(Debug, clap::Args)]
struct Sources {
    /// The settings file, as --config names it.
    #[arg(conflicts_with = "config")]
    file: Option<PathBuf>,
    #[command(flatten)]
    settings: SettingsArgs,
}

impl Sources {
    /// The settings. A key in the place of the file is said to be one.
    fn load(&self) -> anyhow::Result<Settings> {
        let file = self.file.as_ref().filter(|file| !file.exists());
        let key = file.and_then(|file| file.to_str());
        if let Some(key) = key.filter(|key| defaults().contains_key(*key)) {
            return Err(CallError(format!(
                "{key} is a setting, and a settings file stands here: `segstream config show` shows all settings"
            ))
            .into());
        }
        self.settings().load()
    }

    fn settings(&self) -> SettingsArgs {
        SettingsArgs {
            config: self.settings.config.clone().or_else(|| self.file.clone()),
            set: self.settings.set.clone(),
        }
    }
}

/// Runs the command.
///
/// # Errors
/// Lists every problem.
pub fn run(args: &Args) -> anyhow::Result<()> {
    match &args.command {
        Command::Check(sources) => check(sources),
        Command::Show(sources) => show(sources),
    }
}

fn check(sources: &Sources) -> anyhow::Result<()> {
    let settings = sources.load()?;
    let model = model_fit::load_model(&settings)?;
    compose::policy(&settings).check_model(&model)?;
    let notes = model_fit::check(&settings, &model)?;
    let mut out = std::io::stdout().lock();
    if let Some(note) = notes {
        writeln!(out, "note: {note}")?;
    }
    writeln!(out, "the settings are valid")?;
    Ok(())
}

fn show(sources: &Sources) -> anyhow::Result<()> {
    let settings = sources.load()?;
    let mut out = std::io::stdout().lock();
    for setting in describe(&settings) {
        let (key, value) = (&setting.key, &setting.value);
        writeln!(out, "{key} = {value} # {}", setting.origin)?;
    }
    Ok(())
}
