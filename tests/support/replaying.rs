//! The program as a user runs it: `replay` of a file, and what the state says then.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;

use serde_json::Value;

/// A replay that has ended.
pub struct Replayed {
    pub code: i32,
    /// The summary; null where there is none.
    pub summary: Value,
    pub errors: String,
}

impl Replayed {
    /// A number of the summary's `file`.
    pub fn file(&self, member: &str) -> u64 {
        let file = &self.summary["file"][member];
        file.as_u64()
            .unwrap_or_else(|| panic!("no {member}: {} {}", self.summary, self.errors))
    }

    /// Events of a verdict.
    pub fn verdict(&self, verdict: &str) -> u64 {
        self.summary["verdicts"][verdict].as_u64().unwrap_or(0)
    }

    /// Everything that was said.
    pub fn said(&self) -> String {
        format!("{}\n{}", self.summary, self.errors)
    }
}

pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_segstream"));
    command.stdin(Stdio::null());
    command
}

fn replayed(output: &Output) -> Replayed {
    let text = String::from_utf8_lossy(&output.stdout);
    Replayed {
        code: output.status.code().unwrap(),
        summary: serde_json::from_str(text.trim()).unwrap_or(Value::Null),
        errors: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// `segstream replay` of a file into the store at `root`, with `--json` and more arguments.
pub fn replay(root: &Path, file: &Path, arguments: &[&str]) -> Replayed {
    let mut command = program();
    command.args(["replay", "--json", "--input"]).arg(file);
    command.args(arguments);
    command.arg("--set");
    command.arg(format!("store.directory={}", root.join("store").display()));
    replayed(&command.output().unwrap())
}

/// The customers of the state, by id.
pub fn exported(root: &Path, settings: &[&str]) -> BTreeMap<String, Value> {
    let mut command = program();
    command.args(["state", "export", "--dir"]);
    command.arg(root.join("store")).args(settings);
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let text = String::from_utf8(output.stdout).unwrap();
    let customers = text.lines().map(|line| {
        let customer: Value = serde_json::from_str(line).unwrap();
        (
            customer["customer_id"].as_str().unwrap().to_owned(),
            customer,
        )
    });
    customers.collect()
}
