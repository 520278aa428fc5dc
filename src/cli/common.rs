//! Arguments that several commands share.

use std::fmt;
use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;

use crate::cli::exit::CallError;
use crate::cli::exit::NoRights;
use crate::cli::output_file;
use crate::cli::output_file::Named;
use crate::config;
use crate::config::settings::Settings;
use crate::domain::time::Timestamp;
use crate::pipeline::partition::clock::WallClock;
use crate::telemetry::logging;
use crate::telemetry::logging::LogFormat;

/// Where the settings come from.
#[derive(Clone, Default, clap::Args)]
pub struct SettingsArgs {
    /// The settings file (TOML); its keys override the defaults.
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// One setting, such as `store.directory=/var/lib/segstream`; overrides file and environment.
    #[arg(long = "set", value_name = "KEY=VALUE", global = true)]
    pub set: Vec<String>,
}

impl fmt::Debug for SettingsArgs {
    /// Without the values of --set, which may be secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SettingsArgs")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl SettingsArgs {
    /// Reads defaults, file, environment and `--set`.
    ///
    /// # Errors
    /// Lists every problem at once.
    pub fn load(&self) -> anyhow::Result<Settings> {
        self.load_with(&[])
    }

    /// The same with the values of the command's own options, which override file and environment, not `--set`.
    ///
    /// # Errors
    /// Lists every problem at once.
    pub fn load_with(&self, preset: &[String]) -> anyhow::Result<Settings> {
        let overrides: Vec<String> = preset.iter().chain(&self.set).cloned().collect();
        let mut environment = Vec::new();
        for (name, value) in std::env::vars_os() {
            let Some(name) = name.to_str().filter(|name| name.starts_with("SEGSTREAM_")) else {
                continue;
            };
            let value = value
                .into_string()
                .map_err(|_| CallError(format!("environment {name} is not UTF-8")))?;
            environment.push((name.to_owned(), value));
        }
        let environment = environment.into_iter();
        if let Some(path) = &self.config {
            require_rights(path)?;
        }
        let settings = config::load(self.config.as_deref(), environment, &overrides);
        settings.map_err(|problems| {
            if problems.of_rights_alone {
                NoRights(problems.to_string()).into()
            } else {
                CallError(problems.to_string()).into()
            }
        })
    }

    /// Refuses an output that would take the place of the settings file, of a file that the settings name, or of a file of
    /// the store or the log.
    ///
    /// # Errors
    /// Names the flag and the path, and what it is.
    pub fn check_output(&self, output: Named<'_>, settings: &Settings) -> anyhow::Result<()> {
        let files = [
            ("--config", self.config.as_deref()),
            ("model.path", settings.model_path.as_deref()),
            ("http.token_file", settings.http.token_file.as_deref()),
        ];
        let files = files.into_iter();
        let files = files.filter_map(|(what, path)| Some(Named::new(what, path?)));
        let of_tls = settings.kafka.security.files();
        let of_tls = of_tls.map(|(what, path)| Named::new(what, path));
        let files: Vec<Named<'_>> = files.chain(of_tls).collect();
        output_file::check(output, &files)?;
        let directories = [
            ("store.directory", settings.store.directory.as_path()),
            ("embedded.directory", settings.embedded.directory.as_path()),
        ];
        output_file::check_outside(output, &directories)
    }

    /// Starts logging to standard error.
    ///
    /// # Errors
    /// If the filter is wrong.
    pub fn init_logging(&self, settings: &Settings) -> anyhow::Result<()> {
        let format = if settings.log.is_json {
            LogFormat::Json
        } else {
            LogFormat::Text
        };
        logging::init(format, &settings.log.filter).context("cannot start logging")
    }
}

/// A settings file that may not be read is no wrong setting.
fn require_rights(path: &Path) -> anyhow::Result<()> {
    match File::open(path) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            let problem = format!("cannot read the settings file {}", path.display());
            Err(anyhow::Error::from(error).context(problem))
        }
        _ => Ok(()),
    }
}

/// An instant of the command line.
///
/// # Errors
/// Names the text and what is allowed.
pub fn parse_instant(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse_rfc3339(text).ok_or_else(|| {
        format!("{text:?} is not an RFC 3339 instant with an offset, such as 2026-01-01T00:00:00Z")
    })
}

/// Warns of moving the clocks of a state beyond the wall clock.
pub fn warn_of_future(instant: Timestamp) {
    if instant > WallClock::system().now() {
        tracing::warn!(
            %instant,
            "--advance-to is ahead of the wall clock: every later event of this state is evaluated as of then, for good"
        );
    }
}
