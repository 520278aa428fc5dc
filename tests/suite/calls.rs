//! The program's own parts: settings that are shown, completions, manual pages, help and version, files that are written, and a
//! fit of which one half does not converge.

use std::path::Path;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;

use serde_json::Value;

fn call_in(root: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_segstream"))
        .args(arguments)
        .envs(environment.iter().copied())
        .current_dir(root)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The output of a call that has to succeed.
fn done(root: &Path, arguments: &[&str]) -> String {
    let output = call_in(root, arguments, &[]);
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_setting_is_shown_with_its_origin_and_no_secret_is() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("segstream.toml");
    std::fs::write(&file, "workers = 2\n[commit]\ninterval = \"1s\"\n").unwrap();
    let environment = [
        ("SEGSTREAM_COMMIT__RECORDS", "7"),
        ("SEGSTREAM_HTTP__TOKEN", "hunter2-hunter2-hunter2"),
        ("SEGSTREAM_KAFKA__SECURITY__KEY_PASSWORD", "hunter2"),
    ];
    let call = ["config", "show", "--config", "segstream.toml"];
    let set = ["--set", "store.directory=data", "--set", "workers=3"];
    let shown = call_in(root.path(), &[&call[..], &set].concat(), &environment);
    assert!(shown.status.success(), "{}", said(&shown));
    let text = String::from_utf8(shown.stdout).unwrap();
    for line in [
        "workers = 3 # --set",
        "commit.interval = \"1s\" # segstream.toml",
        "commit.records = 7 # environment SEGSTREAM_COMMIT__RECORDS",
        "http.token = \"***\" # environment SEGSTREAM_HTTP__TOKEN",
        "store.directory = \"data\" # --set",
        "kafka.brokers = \"\" # default",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line} in {text}");
    }
    assert!(!text.contains("hunter2"), "{text}");
    let defaults = include_str!("../../config/default.toml");
    let keys = |text: &str| {
        let mut found = Vec::new();
        let table: toml::Table = text.parse().unwrap();
        collect("", &table, &mut found);
        found.sort();
        found
    };
    assert_eq!(keys(&text), keys(defaults), "every key, and it is TOML");
}

fn collect(prefix: &str, table: &toml::Table, found: &mut Vec<String>) {
    for (name, value) in table {
        match value.as_table() {
            Some(inner) => collect(&format!("{prefix}{name}."), inner, found),
            None => found.push(format!("{prefix}{name}")),
        }
    }
}

#[test]
fn what_is_shown_is_a_settings_file_of_the_same_settings() {
    let root = tempfile::tempdir().unwrap();
    let values = |text: &str| -> Vec<String> {
        let lines = text.lines();
        let values = lines.map(|line| line.rsplit_once(" # ").unwrap().0.to_owned());
        values.collect()
    };
    let first = done(root.path(), &["config", "show", "--set", "workers=5"]);
    std::fs::write(root.path().join("shown.toml"), &first).unwrap();
    let again = done(root.path(), &["config", "show", "shown.toml"]);
    assert_eq!(values(&first), values(&again));
    assert!(again.contains("workers = 5 # shown.toml"));
}

#[test]
fn each_shell_gets_completions_that_name_every_command() {
    let root = tempfile::tempdir().unwrap();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = done(root.path(), &["completions", shell]);
        for word in ["until-caught-up", "replay", "completions", "model-version"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    let script = done(root.path(), &["completions", "bash"]);
    let path = root.path().join("segstream.bash");
    std::fs::write(&path, script).unwrap();
    let parsed = Command::new("bash").arg("-n").arg(&path).status();
    assert!(parsed.is_err() || parsed.unwrap().success());
}

#[test]
fn each_command_has_a_manual_page() {
    let root = tempfile::tempdir().unwrap();
    let page = done(root.path(), &["man"]);
    assert!(page.contains(".TH segstream 1"), "{page}");
    assert!(page.contains("SEGSTREAM_SECTION__KEY"), "{page}");
    done(root.path(), &["man", "--dir", "."]);
    for name in ["", "-run", "-churn", "-churn-fit", "-config-show", "-man"] {
        let path = root.path().join(format!("segstream{name}.1"));
        let page = std::fs::read_to_string(&path).unwrap();
        assert!(page.contains("Exit codes"), "{}", path.display());
    }
}

#[test]
fn only_the_version_of_the_program_is_called_version() {
    let root = tempfile::tempdir().unwrap();
    let version = done(root.path(), &["--version"]);
    assert_eq!(
        version,
        format!("segstream {}\n", env!("CARGO_PKG_VERSION"))
    );
    for command in ["run", "demo", "replay", "predict", "state"] {
        let output = call_in(root.path(), &[command, "--version"], &[]);
        assert_eq!(output.status.code(), Some(2), "{command}");
        assert!(said(&output).contains("segstream --version"), "{command}");
    }
    let help = done(root.path(), &["train", "--help"]);
    assert!(help.contains("--model-version <NAME>"), "{help}");
    assert!(!help.contains("--version"), "{help}");
}

#[test]
fn the_help_of_run_says_what_it_does_where_the_data_goes_and_how_it_stops() {
    let root = tempfile::tempdir().unwrap();
    let help = done(root.path(), &["run", "--help"]);
    for part in [
        "What it does:",
        "Where the data goes:",
        "How it stops:",
        "topics.events",
        "embedded.directory",
        "store.directory",
        "SIGTERM",
        "Exit codes:",
        "Environment:",
    ] {
        assert!(help.contains(part), "{part} in {help}");
    }
}

const ROWS: &str = "customer,visits,spend\na,1,10\nb,2,12\nc,1,14\nd,20,300\ne,22,310\nf,21,290\n";

fn train<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let mut call = vec!["train", "--input", "rows.csv", "--format", "features"];
    call.extend(["--features", "visits,spend", "--k", "2"]);
    call.extend(more);
    call
}

#[test]
fn a_model_takes_the_place_of_another_one_as_a_whole_and_keeps_its_link() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    std::fs::write(at("rows.csv"), ROWS).unwrap();
    std::fs::write(at("kept.json"), "before").unwrap();
    std::os::unix::fs::symlink("kept.json", at("model.json")).unwrap();
    // A call that fails after its outputs were checked leaves what was there.
    let failed = train(&["--out", "model.json", "--features", "visits,spent"]);
    let failed: Vec<&str> = failed
        .into_iter()
        .filter(|word| *word != "visits,spend")
        .collect();
    let output = call_in(root.path(), &failed, &[]);
    assert!(!output.status.success(), "{}", said(&output));
    assert_eq!(std::fs::read(at("kept.json")).unwrap(), b"before");
    done(root.path(), &train(&["--out", "model.json"]));
    let model = std::fs::read(at("kept.json")).unwrap();
    assert!(serde_json::from_slice::<Value>(&model).is_ok());
    assert!(at("model.json").is_symlink());
    let names = std::fs::read_dir(root.path()).unwrap();
    assert_eq!(names.count(), 3, "nothing else is left");
}

#[test]
fn features_of_profiles_alone_are_told_at_the_start_and_do_not_stop_it() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("rows.csv"), ROWS).unwrap();
    done(root.path(), &train(&["--out", "model.json"]));
    let set = ["--set", "model.path=model.json"];
    let note = "spend, visits of the model come from profile.attributes";
    let swapped = "visits, spend of the model come from profile.attributes";
    let checked = done(root.path(), &[&["config", "check"][..], &set].concat());
    assert!(
        checked.contains(note) || checked.contains(swapped),
        "{checked}"
    );
    let run = ["run", "--until-caught-up", "--set", "http.address="];
    let output = call_in(root.path(), &[&run[..], &set].concat(), &[]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("WARN"), "{}", said(&output));
    assert!(
        said(&output).contains("profile.attributes"),
        "{}",
        said(&output)
    );
}

/// Few customers, of which one of the models has no greatest likelihood without a prior. Found by trying random ones.
const BUYERS: [&str; 3] = [
    include_str!("../fixtures/one_family/seven_orders.csv"),
    include_str!("../fixtures/one_family/ten_orders.csv"),
    include_str!("../fixtures/one_family/seventeen_orders.csv"),
];

fn without_a_prior(root: &Path, more: &[&str]) -> Output {
    let call = [
        "churn",
        "fit",
        "--input",
        "orders.csv",
        "--format",
        "orders",
    ];
    let without = ["--prior", "none"];
    call_in(root, &[&call[..], &without, more].concat(), &[])
}

#[test]
fn without_a_prior_the_model_that_converged_is_reported_and_the_other_is_named() {
    let mut failures = Vec::new();
    for buyers in BUYERS {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("orders.csv"), buyers).unwrap();
        let json = without_a_prior(root.path(), &["--json"]);
        let answer: Value = serde_json::from_slice(&json.stdout).unwrap();
        let failed = answer["not_converged"].as_object().unwrap();
        let fitted = answer["models"].as_object().unwrap();
        assert_eq!((failed.len(), fitted.len()), (1, 1), "{answer}");
        let (failed, reason) = failed.iter().next().unwrap();
        let reason = reason.as_str().unwrap();
        assert!(reason.contains("did not converge"), "{answer}");
        let fitted = fitted.keys().next().unwrap();
        for (method, code) in [(fitted, 0), (failed, 3)] {
            let output = without_a_prior(root.path(), &["--method", method.as_str()]);
            assert_eq!(output.status.code(), Some(code), "{}", said(&output));
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let row = |name: &str| text.lines().any(|line| line.starts_with(name));
            assert!(row(fitted) && row(failed), "{text}");
            assert!(text.contains(&format!("has no fit: {reason}")), "{text}");
            let hint = format!("it can with --method {fitted}");
            assert_eq!(said(&output).contains(&hint), code != 0);
        }
        failures.push(failed.clone());
        let call = [
            "churn",
            "fit",
            "--input",
            "orders.csv",
            "--format",
            "orders",
        ];
        done(root.path(), &call);
    }
    failures.sort();
    failures.dedup();
    assert_eq!(failures, ["bg_nbd", "mbg_nbd"]);
}
