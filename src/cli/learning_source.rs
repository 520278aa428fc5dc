//! What `train` and `churn fit` share: they learn from a file, or from the state of a deployment.

use std::path::PathBuf;

use crate::cli::common::SettingsArgs;
use crate::cli::compose::policy;
use crate::cli::exit::CallError;
use crate::cli::exit::Failed;
use crate::cli::output_file::Named;
use crate::cli::records::all_records;
use crate::config::settings::Settings;
use crate::domain::ids::CustomerId;
use crate::engine::policy::Policy;
use crate::engine::state::record::CustomerRecord;

/// The state to learn from.
#[derive(Debug, clap::Args)]
pub(super) struct StateArgs {
    /// For `state`: the store directory of a stopped instance; the same as --set store.directory=DIR.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// For `state`: read the compacted changelog of a running deployment on Kafka instead.
    #[arg(long)]
    changelog: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

impl StateArgs {
    /// Reads the settings, with `--dir` over them.
    pub(super) fn settings(&self) -> anyhow::Result<Settings> {
        let directory = self.dir.iter();
        let preset: Vec<String> = directory
            .map(|directory| format!("store.directory={}", directory.display()))
            .collect();
        self.settings.load_with(&preset)
    }

    /// The same, and starts logging.
    pub(super) fn load(&self) -> anyhow::Result<Settings> {
        let settings = self.settings()?;
        self.settings.init_logging(&settings)?;
        Ok(settings)
    }

    /// Refuses an output that would take the place of what the settings name.
    pub(super) fn check_output(
        &self,
        output: Named<'_>,
        settings: &Settings,
    ) -> anyhow::Result<()> {
        self.settings.check_output(output, settings)
    }

    /// Refuses the flags that say which state, as a file is read.
    ///
    /// # Errors
    /// Names the first of them. `what` is what is read, such as "--format features".
    pub(super) fn refuse(&self, what: &str) -> Result<(), CallError> {
        let given = [
            ("--dir", self.dir.is_some()),
            ("--changelog", self.changelog),
        ];
        match given.into_iter().find(|(_, is_given)| *is_given) {
            None => Ok(()),
            Some((flag, _)) => Err(CallError(format!(
                "{flag} does not apply to {what}: it is for --format state"
            ))),
        }
    }

    /// Refuses settings, as none is read.
    ///
    /// # Errors
    /// Names the flag.
    pub(super) fn refuse_settings(&self, what: &str) -> Result<(), CallError> {
        let given = [
            ("--config", self.settings.config.is_some()),
            ("--set", !self.settings.set.is_empty()),
        ];
        match given.into_iter().find(|(_, is_given)| *is_given) {
            None => Ok(()),
            Some((flag, _)) => Err(CallError(format!(
                "{flag} does not apply to {what}, which needs no settings: it is for --format state"
            ))),
        }
    }

    /// Every record, and what was read, in words.
    pub(super) fn records(&self, settings: &Settings) -> anyhow::Result<StateRecords> {
        let snapshot = all_records(settings, self.changelog)?;
        let policy = snapshot.definition.policy(&policy(settings));
        let policy =
            policy.ok_or_else(|| Failed("the state's definition cannot be read".to_owned()))?;
        let records = snapshot.records;
        let what = if self.changelog {
            "changelog"
        } else {
            "stores"
        };
        let source = format!("state of {} customers from the {what}", records.len());
        Ok(StateRecords {
            records,
            policy,
            source,
        })
    }
}

/// The records of a deployment.
pub(super) struct StateRecords {
    /// In the order of ids.
    pub(super) records: Vec<(CustomerId, CustomerRecord)>,
    /// The choices under which they were made.
    pub(super) policy: Policy,
    /// What was read, in words.
    pub(super) source: String,
}

/// A file was given although the state is to be read.
pub(super) fn input_for_state() -> anyhow::Error {
    call("--input is for files: `state` takes --dir or --changelog")
}

/// No file was given.
pub(super) fn input_missing() -> anyhow::Error {
    call("--input is missing: the file to learn from")
}

/// The call is wrong.
pub(super) fn call(problem: &str) -> anyhow::Error {
    CallError(problem.to_owned()).into()
}
