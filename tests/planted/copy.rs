//! A copy of the program with every mistake planted in it, of which the environment chooses one, and with the
//! simulation as its only test. Built once, with the dependencies that are built already.

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::places::Mutant;
use crate::places::planted;

/// What the copy has of the repository.
const COPIED: [&str; 8] = [
    "src",
    "tests/support",
    "tests/planted/simulated.rs",
    "config/default.toml",
    "models",
    "THIRD_PARTY_NOTICES.txt",
    LOCK,
    ".cargo",
];
const LOCK: &str = "Cargo.lock";
/// The copy lacks the program: its test needs the library alone.
const MAIN: &str = "src/main.rs";
const CHOICE: &str = "//! Which mistake shows.

use std::sync::OnceLock;

/// Whether it is this one.
#[must_use]
pub fn is(name: &str) -> bool {
    static CHOSEN: OnceLock<Option<String>> = OnceLock::new();
    let chosen = CHOSEN.get_or_init(|| std::env::var(\"SEGSTREAM_PLANTED\").ok());
    chosen.as_deref() == Some(name)
}
";

/// Makes the copy in a directory and builds it; the path of its test.
pub(crate) fn built(into: &Path, mutants: &[Mutant]) -> Result<PathBuf, String> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = contents(repository, mutants)?;
    let mut known = BTreeSet::new();
    for (name, content) in &files {
        let path = into.join(name);
        write_if_other(&path, content)?;
        known.insert(path);
    }
    for folder in ["src", "tests"] {
        for path in files_under(&into.join(folder))? {
            if !known.contains(&path) {
                std::fs::remove_file(&path).map_err(|error| said(&path, &error))?;
            }
        }
    }
    build(into)
}

/// Every file of the copy.
fn contents(repository: &Path, mutants: &[Mutant]) -> Result<Vec<(PathBuf, Vec<u8>)>, String> {
    let mut files = Vec::new();
    let mut names = BTreeSet::new();
    for copied in COPIED {
        for path in files_under(&repository.join(copied))? {
            let name = path.strip_prefix(repository).unwrap().to_owned();
            let original = name.to_string_lossy().into_owned();
            if original == MAIN {
                continue;
            }
            let mut content = std::fs::read(&path).map_err(|error| said(&path, &error))?;
            if mutants
                .iter()
                .flat_map(|one| &one.places)
                .any(|place| place.file == original)
            {
                let source = String::from_utf8(content).map_err(|error| said(&path, &error))?;
                content = planted(&original, &source, mutants)?.into_bytes();
                names.insert(original.clone());
            }
            if original == LOCK {
                content = renamed(&String::from_utf8_lossy(&content)).into_bytes();
            }
            if original == "src/lib.rs" {
                content.extend_from_slice(b"\npub mod planted;\n");
            }
            files.push((name, content));
        }
    }
    for place in mutants.iter().flat_map(|mutant| &mutant.places) {
        if !names.contains(&place.file) {
            return Err(format!("there is no file {} any more", place.file));
        }
    }
    files.push(("src/planted.rs".into(), CHOICE.into()));
    let manifest = repository.join("Cargo.toml");
    let manifest = std::fs::read_to_string(&manifest).map_err(|error| said(&manifest, &error))?;
    files.push(("Cargo.toml".into(), reduced(&manifest).into_bytes()));
    Ok(files)
}

/// The package has a name of its own: what is built of it would replace what is built of the repository.
fn renamed(text: &str) -> String {
    text.replacen(
        "name = \"segstream\"\n",
        "name = \"segstream-planted\"\n",
        1,
    )
}

/// The manifest with one test and no other target. Dependencies and profiles are those of the repository, so that
/// what is built of them is the same.
fn reduced(manifest: &str) -> String {
    let mut kept = String::new();
    let mut is_kept = true;
    for line in renamed(manifest).lines() {
        if line.starts_with('[') {
            let is_target = line.starts_with("[[");
            is_kept = !is_target && !line.starts_with("[lints");
        }
        if is_kept && !line.starts_with("default-run") {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept.push_str("\n[lib]\nname = \"segstream\"\n");
    kept.push_str("\n[[test]]\nname = \"simulated\"\npath = \"tests/planted/simulated.rs\"\nharness = false\n\n[workspace]\n");
    kept
}

/// Builds the test of the copy beside this one; its path.
fn build(copy: &Path) -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    // <target>/<profile>/deps/<test>
    let mut above = own.ancestors().skip(2);
    let (Some(profile), Some(target)) = (above.next(), above.next()) else {
        return Err(format!("{} is in no target directory", own.display()));
    };
    let profile = profile.file_name().unwrap_or_default();
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(copy)
        .args(["test", "--no-run", "--offline", "--test", "simulated"])
        .args([
            "--message-format",
            "json-render-diagnostics",
            "--target-dir",
        ])
        .arg(target);
    if profile != "debug" {
        cargo.arg("--profile").arg(profile);
    }
    let output = cargo.output().map_err(|error| error.to_string())?;
    let errors = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("the copy does not build:\n{errors}"));
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let parsed = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let executable = parsed
        .filter(|message| message["target"]["name"] == "simulated")
        .find_map(|message| Some(PathBuf::from(message["executable"].as_str()?)));
    executable.ok_or_else(|| "the copy has no test".to_owned())
}

/// What has not changed keeps its time, so that it is not built again.
fn write_if_other(path: &Path, content: &[u8]) -> Result<(), String> {
    if std::fs::read(path).is_ok_and(|known| known == content) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder).map_err(|error| said(folder, &error))?;
    std::fs::write(path, content).map_err(|error| said(path, &error))
}

/// The files of a folder and its folders; a file's own path.
fn files_under(path: &Path) -> Result<Vec<PathBuf>, String> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(|error| said(path, &error))? {
        let entry = entry.map_err(|error| said(path, &error))?;
        files.extend(files_under(&entry.path())?);
    }
    files.sort();
    Ok(files)
}

fn said(path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("{}: {error}", path.display())
}
