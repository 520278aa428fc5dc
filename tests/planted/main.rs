//! Mistakes that are planted inside the program, one at a time: the simulation must find each of them. `mutants.toml`
//! has the table.
//!
//! `cargo test --test planted -- "a gauge"` runs those whose names have this text.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    missing_docs,
    reason = "a test may panic, and says what it saw"
)]

mod copy;
mod places;

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use libtest_mimic::Arguments;
use libtest_mimic::Failed;
use libtest_mimic::Trial;

use crate::places::Mutant;

/// Schedules within which a mistake must be found.
const SCHEDULES_FOR_A_MUTANT: u64 = 1000;
/// Schedules in which nothing may be found where no mistake shows: the plain simulation runs more.
const SCHEDULES_WITHOUT: u64 = 60;

/// The test of the copy, built when the first one needs it.
fn simulated(mutants: &[Mutant]) -> Result<&'static Path, Failed> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let into = Path::new(env!("CARGO_TARGET_TMPDIR")).join("planted");
    let built = BUILT.get_or_init(|| copy::built(&into, mutants));
    built.as_deref().map_err(Failed::from)
}

/// What the schedules found with a mistake, if anything.
fn found(mutants: &[Mutant], name: Option<&str>, schedules: u64) -> Result<Option<String>, Failed> {
    let mut command = Command::new(simulated(mutants)?);
    command
        .arg(schedules.to_string())
        .env_remove("SEGSTREAM_PLANTED");
    if let Some(name) = name {
        command.env("SEGSTREAM_PLANTED", name);
    }
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    match output.status.code() {
        Some(0) => Ok(None),
        Some(1) => Ok(Some(said.lines().last().unwrap_or_default().to_owned())),
        _ => {
            let errors = String::from_utf8_lossy(&output.stderr);
            Err(format!(
                "the simulation ended with {}: {said}{errors}",
                output.status
            )
            .into())
        }
    }
}

fn is_found(mutants: &[Mutant], name: &str) -> Result<(), Failed> {
    match found(mutants, Some(name), SCHEDULES_FOR_A_MUTANT)? {
        Some(what) => {
            println!("{name}: {what}");
            Ok(())
        }
        None => Err(format!("{SCHEDULES_FOR_A_MUTANT} schedules found nothing").into()),
    }
}

fn nothing_is_found(mutants: &[Mutant]) -> Result<(), Failed> {
    match found(mutants, None, SCHEDULES_WITHOUT)? {
        Some(what) => Err(what.into()),
        None => Ok(()),
    }
}

fn main() {
    let mut arguments = Arguments::from_args();
    // A schedule uses one core, and the schedules of one mutant all of them.
    arguments.test_threads = Some(1);
    let mutants: &'static [Mutant] = places::mutants(include_str!("mutants.toml"))
        .unwrap()
        .leak();
    let of_places = places::TRIALS
        .map(|(name, trial)| Trial::test(name, move || trial().map_err(Failed::from)));
    let without = Trial::test("nothing is found where no mistake is planted", || {
        nothing_is_found(mutants)
    });
    let planted = mutants.iter().map(|mutant| {
        let name = format!("{} is found", mutant.name);
        Trial::test(name, || is_found(mutants, &mutant.name))
    });
    let trials = of_places.into_iter().chain([without]).chain(planted);
    libtest_mimic::run(&arguments, trials.collect()).exit();
}
