//! Reads the call. What clap cannot know is added: settings that were given as flags, words of other programs, and that nothing
//! that may be a secret is repeated.

use std::collections::BTreeSet;
use std::ffi::OsString;

use clap::FromArgMatches;
use clap::builder::StyledStr;
use clap::error::ContextKind;
use clap::error::ContextValue;
use clap::error::ErrorKind;

use crate::cli::Cli;
use crate::cli::definition;
use crate::config::meant::Meant;
use crate::config::meant::meant;
use crate::config::meant::variable;
use crate::config::reader::is_secret;
use crate::config::sources::defaults;
use crate::domain::nearest::nearest;

/// Words that people type first, and what they mean here.
const WORDS: [(&str, &str); 9] = [
    ("version", "segstream --version"),
    ("help", "segstream --help, or --help after a command"),
    ("start", "segstream run"),
    ("serve", "segstream run"),
    ("server", "segstream run"),
    ("learn", "segstream train"),
    ("settings", "segstream config show"),
    ("import", "segstream replay"),
    ("completion", "segstream completions"),
];
/// The same within a group.
const WORDS_WITHIN: [(&str, &str, &str); 9] = [
    ("config", "get", "show"),
    ("config", "list", "show"),
    ("config", "validate", "check"),
    ("state", "list", "export"),
    ("state", "show", "get"),
    ("state", "count", "recount"),
    ("topics", "list", "check"),
    ("topics", "make", "create"),
    ("dead-letters", "get", "show"),
];
/// Flags that other programs have, and what they are here where a command has them.
const FLAGS: [(&str, &str); 6] = [
    ("-i", "input"),
    ("--file", "input"),
    ("-o", "out"),
    ("--output", "out"),
    ("--port", "http"),
    ("--address", "http"),
];
/// How the names of files end that a command may read.
const FILE_ENDINGS: [&str; 8] = [
    ".csv", ".tsv", ".txt", ".jsonl", ".json", ".xlsx", ".gz", ".zst",
];
/// Flags of other programs for the settings file.
const FILE_FLAGS: [&str; 6] = [
    "-c",
    "-f",
    "--settings",
    "--config-file",
    "--settings-file",
    "--conf",
];

/// Its value has a form of its own.
const ADDRESS: &str = "http.address";

/// Reads the call.
///
/// # Errors
/// What is wrong with it, or the help or version that was asked for.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let matches = definition().try_get_matches_from(&arguments);
    let call = matches.and_then(|matches| Cli::from_arg_matches(&matches));
    call.map_err(|error| {
        let texts = arguments.iter().skip(1);
        let texts: Vec<String> = texts
            .map(|text| text.to_string_lossy().into_owned())
            .collect();
        explained(error, &texts)
    })
}

fn keys() -> BTreeSet<String> {
    defaults().into_keys().collect()
}

fn explained(error: clap::Error, arguments: &[String]) -> clap::Error {
    if error.kind() == ErrorKind::InvalidSubcommand {
        let Some(word) = text_of(&error, ContextKind::InvalidSubcommand) else {
            return error;
        };
        let tip = command_meant(&word, &command_of(arguments));
        return with_only(error, tip);
    }
    if error.kind() != ErrorKind::UnknownArgument {
        return error;
    }
    let Some(unknown) = text_of(&error, ContextKind::InvalidArg) else {
        return error;
    };
    match without_values(&unknown, arguments) {
        Some(sentence) => call_error(&sentence),
        None => {
            let tip = flag_meant(&unknown, &command_of(arguments));
            match (tip, text_of(&error, ContextKind::SuggestedArg)) {
                // What is similar by its first letters is not what was meant.
                (None, Some(similar)) if nearest(&unknown, [similar.as_str()]).is_none() => {
                    with_only(error, None)
                }
                (tip, _) => with_tip(error, tip),
            }
        }
    }
}

fn call_error(sentence: &str) -> clap::Error {
    let text = format!("{sentence}\n\nFor more information, try '--help'.\n");
    clap::Error::raw(ErrorKind::UnknownArgument, text)
}

fn text_of(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(_) | None => None,
    }
}

fn with_tip(error: clap::Error, tip: Option<String>) -> clap::Error {
    if tip.is_some() {
        with_only(error, tip)
    } else {
        error
    }
}

/// What is similar by its letters is left out.
fn with_only(mut error: clap::Error, tip: Option<String>) -> clap::Error {
    error.remove(ContextKind::SuggestedArg);
    error.remove(ContextKind::SuggestedSubcommand);
    let tips: Vec<StyledStr> = tip.map(StyledStr::from).into_iter().collect();
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
    error
}

/// The command that the words of a call name, as far as they do.
fn command_of(arguments: &[String]) -> clap::Command {
    let mut command = definition();
    // The value of a flag may stand behind it.
    let mut is_behind_flag = false;
    for word in arguments {
        if let Some(flag) = word.strip_prefix("--") {
            let name = flag.split('=').next();
            if !command
                .get_arguments()
                .any(|known| known.get_long() == name)
            {
                break;
            }
            is_behind_flag = true;
            continue;
        }
        let was_behind_flag = std::mem::take(&mut is_behind_flag);
        match command.find_subcommand(word) {
            Some(below) => command = below.clone(),
            None if was_behind_flag => {}
            None => break,
        }
    }
    command
}

/// The command that may be meant by a word: one with a similar name, or one below another command. Of a group of commands, only its
/// own ones are suggested.
fn command_meant(word: &str, within: &clap::Command) -> Option<String> {
    let names = within.get_subcommands().map(clap::Command::get_name);
    let names: Vec<&str> = names.collect();
    let is_group = within.get_name() != definition().get_name();
    if !is_group && let Some((_, meant)) = WORDS.iter().find(|(known, _)| *known == word) {
        return Some(format!("'{meant}' does this"));
    }
    let group = within.get_name();
    let known = WORDS_WITHIN
        .iter()
        .find(|(of, known, _)| *of == group && *known == word);
    if let Some((_, _, meant)) = known {
        return Some(format!("'segstream {group} {meant}' does this"));
    }
    if !is_group && let Some(tip) = below_another(word) {
        return Some(tip);
    }
    if let Some(near) = nearest(word, names.iter().copied()) {
        return Some(format!("there is '{near}'"));
    }
    is_group.then(|| format!("'segstream {group}' has {}", names.join(", ")))
}

fn below_another(word: &str) -> Option<String> {
    let cli = definition();
    let within = cli.get_subcommands().filter_map(|group| {
        let found = group.find_subcommand(word)?;
        Some(format!(
            "'segstream {} {}'",
            group.get_name(),
            found.get_name()
        ))
    });
    let within: Vec<String> = within.collect();
    (!within.is_empty()).then(|| format!("there is {}", within.join(" and ")))
}

/// What to say where the unknown argument may be, or hold, the value of a setting: its key at most.
fn without_values(unknown: &str, arguments: &[String]) -> Option<String> {
    if unknown.starts_with('-') {
        return None;
    }
    let place = arguments.iter().position(|argument| argument == unknown)?;
    let before = |steps: usize| {
        let at = place.checked_sub(steps)?;
        arguments.get(at).map(String::as_str)
    };
    if let (Some("--set"), Some(key)) = (before(2), before(1))
        && !key.contains('=')
    {
        let keys = keys();
        let key = if keys.contains(key) { key } else { "KEY" };
        return Some(format!(
            "'--set {key}' has no value: --set takes KEY=VALUE, with = and no blank between them"
        ));
    }
    let (key, _) = unknown.split_once('=')?;
    Some(match meant(key, &keys()) {
        Some(Meant::Key(key)) => format!("unexpected argument: {}", as_setting(&key)),
        Some(Meant::Section(_)) | None => {
            "unexpected argument: a setting is given as --set KEY=VALUE".to_owned()
        }
    })
}

fn as_setting(key: &str) -> String {
    if key == ADDRESS {
        return format!("{key} is a setting: --set {key}=127.0.0.1:8080");
    }
    if is_secret(key) {
        let variable = variable(key);
        return format!(
            "{key} is a setting: set it with the environment variable {variable}, or with --set {key}=VALUE, which all \
             users of the machine can see"
        );
    }
    format!("{key} is a setting: --set {key}=VALUE")
}

/// What a flag is here.
fn flag_meant(unknown: &str, command: &clap::Command) -> Option<String> {
    let has = |name: &str| {
        let mut flags = command.get_arguments();
        flags.any(|flag| flag.get_long() == Some(name))
    };
    let of_command = FLAGS
        .iter()
        .find(|(flag, name)| *flag == unknown && has(name));
    if let Some((_, name)) = of_command {
        return Some(format!("'--{name}' does this"));
    }
    let is_file = FILE_ENDINGS.iter().any(|ending| unknown.ends_with(ending));
    if is_file && !unknown.starts_with('-') && has("input") {
        return Some(format!("'--input {unknown}' names the file"));
    }
    if unknown == "-v" {
        return Some(as_setting("log.filter"));
    }
    if unknown == "--version" || unknown == "-V" {
        return Some("'segstream --version' shows the version of the program".to_owned());
    }
    let is_of_settings = unknown == "--config" || unknown == "--set";
    if is_of_settings && command.get_name() != definition().get_name() {
        let name = command.get_name();
        return Some(format!("'segstream {name}' reads no settings"));
    }
    if is_of_settings {
        return Some(format!(
            "'{unknown}' stands after the command: segstream run {unknown} ..."
        ));
    }
    if FILE_FLAGS.contains(&unknown) {
        return Some("'--config FILE' names the settings file".to_owned());
    }
    if !unknown.starts_with('-') {
        let is_settings_file = unknown.ends_with(".toml");
        return is_settings_file.then(|| format!("'--config {unknown}' names a settings file"));
    }
    let name = unknown.trim_start_matches('-');
    if name.starts_with(|letter: char| letter.is_ascii_digit()) {
        return Some(format!(
            "a value that begins with '-' follows '=' after its flag: --FLAG={unknown}"
        ));
    }
    let name = name.split('=').next().unwrap_or(name).replace('-', "_");
    match meant(&name, &keys())? {
        Meant::Key(key) => Some(as_setting(&key)),
        Meant::Section(keys) => Some(format!(
            "settings are given with --set: {}",
            keys.join(", ")
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_ends(command: &clap::Command, words: &str) {
        let help = command.clone().render_help().to_string();
        assert!(help.contains("Exit codes:"), "{words}");
        let reads_settings = command
            .get_arguments()
            .any(|argument| argument.get_id() == "config");
        if reads_settings {
            assert!(help.contains("SEGSTREAM_SECTION__KEY"), "{words}");
        }
        for below in command.get_subcommands() {
            assert_ends(below, &format!("{words} {}", below.get_name()));
        }
    }

    #[test]
    fn the_help_of_every_command_has_the_exit_codes_and_the_environment() {
        assert_ends(&definition(), "segstream");
        definition().debug_assert();
    }

    fn said(call: &str) -> String {
        let words = ["segstream"].into_iter().chain(call.split_whitespace());
        let error = parse(words.map(OsString::from)).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{call}");
        error.render().to_string()
    }

    #[test]
    fn a_wrong_call_says_what_was_meant() {
        for (call, meant) in [
            ("version", "'segstream --version'"),
            ("help run", "--help after a command"),
            ("serve", "'segstream run'"),
            ("fit --input a", "'segstream churn fit'"),
            ("check", "'segstream topics check'"),
            ("runn", "'run'"),
            ("run --version", "'segstream --version'"),
            ("--config a.toml run", "after the command"),
            ("run -c a.toml", "'--config FILE'"),
            ("run --settings a.toml", "'--config FILE'"),
            ("run a.toml", "'--config a.toml'"),
            ("run --kafka.brokers a:1", "--set kafka.brokers=VALUE"),
            ("run --brokers a:1", "--set kafka.brokers=VALUE"),
            (
                "run --flush-interval 1s",
                "--set store.flush_interval=VALUE",
            ),
            ("run --kafka a:1", "kafka.brokers"),
            ("run --token a", "SEGSTREAM_HTTP__TOKEN"),
            ("run commit.interval=1s", "--set commit.interval=VALUE"),
            ("run --port 8080", "--set http.address=127.0.0.1:8080"),
            ("demo --port 8080", "'--http' does this"),
            ("run --dir x", "--set store.directory=VALUE"),
            ("replay --dir x", "--set store.directory=VALUE"),
            ("run --log-level debug", "--set log.filter=VALUE"),
            ("run -v", "--set log.filter=VALUE"),
            ("train mall.csv", "'--input mall.csv' names the file"),
            ("train -o x.json", "'--out' does this"),
            (
                "predict --config x.toml",
                "'segstream predict' reads no settings",
            ),
            ("config get", "'segstream config show' does this"),
            ("state list", "'segstream state export' does this"),
            ("state exprot", "there is 'export'"),
            (
                "state fit",
                "'segstream state' has get, export, recount, changes",
            ),
            ("topic create", "there is 'topics'"),
            ("relpay", "there is 'replay'"),
        ] {
            assert!(said(call).contains(meant), "{call}: {}", said(call));
        }
    }

    #[test]
    fn what_is_only_similar_by_its_letters_is_not_named() {
        for (call, other) in [
            ("topic create", "notices"),
            ("stop", "topics"),
            ("run --verbose", "--version"),
            ("state list", "dead-letters"),
            ("config get", "state"),
        ] {
            assert!(!said(call).contains(other), "{call}: {}", said(call));
        }
    }

    #[test]
    fn a_value_that_may_be_a_secret_is_not_repeated() {
        for call in [
            "run --set kafka.security.password hunter2",
            "run --set password hunter2",
            "run --set http.token hunter2 --until-caught-up",
            "run http.token=hunter2",
            "run password=hunter2",
            "run --http.token=hunter2",
            "run --kafka.security.password=hunter2",
            "run --password=hunter2",
            "state export http.token=hunter2",
        ] {
            assert!(!said(call).contains("hunter2"), "{call}: {}", said(call));
        }
    }
}
