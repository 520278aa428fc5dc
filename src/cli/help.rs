//! What the help of every command ends with.

const EXIT_CODES: &str = "Exit codes:
  0  done
  1  the work failed
  2  the call or the settings are wrong
  3  the data is wrong: an input file, a model file
  4  the surroundings are wrong: broker, topics, rights, disk, ports, log or store
  5  another process has taken over this instance's id
  130  a second ctrl-c or SIGTERM while stopping";

const ENVIRONMENT: &str = "Environment:
  SEGSTREAM_SECTION__KEY sets section.key, such as SEGSTREAM_COMMIT__INTERVAL=50ms for commit.interval: two underscores \
stand for a dot. It overrides the settings file, and --set overrides it. `segstream config show` prints all settings and \
where they come from. Secrets belong there: SEGSTREAM_HTTP__TOKEN, SEGSTREAM_KAFKA__SECURITY__PASSWORD.
  TMPDIR is where temporary files go.";

/// Commands that read no settings.
const WITHOUT_SETTINGS: [&str; 4] = ["predict", "notices", "completions", "man"];

/// The same commands, with exit codes and environment in the help of each of them.
#[must_use]
pub fn with_ends(command: clap::Command) -> clap::Command {
    ended(command, true)
}

fn ended(mut command: clap::Command, reads_settings: bool) -> clap::Command {
    let names: Vec<String> = command
        .get_subcommands()
        .map(|below| below.get_name().to_owned())
        .collect();
    for name in names {
        let reads_settings = reads_settings && !WITHOUT_SETTINGS.contains(&name.as_str());
        command = command.mut_subcommand(name, |below| ended(below, reads_settings));
    }
    let own = command.get_after_help().map(ToString::to_string);
    let environment = reads_settings.then(|| ENVIRONMENT.to_owned());
    let parts = [own, Some(EXIT_CODES.to_owned()), environment];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    command.after_help(parts.join("\n\n"))
}
