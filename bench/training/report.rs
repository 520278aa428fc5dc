//! What is printed.

use std::process::Command;

use crate::Contestant;
use crate::Enough;
use crate::Fitted;
use crate::GOOD_ENOUGH;
use crate::others::Others;

/// With more than this many cores busy elsewhere the ratios favour us.
const OTHERS_MAX: f64 = 0.1;
/// Versions of what is linked in.
const LOCK: &str = include_str!("../../Cargo.lock");

pub fn print_surroundings(cores: usize) {
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processor
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown", |rest| rest.trim_start_matches([' ', '\t', ':']));
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split_whitespace().next().unwrap_or("unknown");
    println!("machine: {model}, {cores} cores, load of the last minute {load}");
    let compiler = Command::new("rustc").arg("--version").output();
    let compiler = compiler.map_or_else(
        |_| "rustc unknown".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    );
    println!(
        "segstream {}, linfa-clustering {}, {compiler}",
        env!("CARGO_PKG_VERSION"),
        locked("linfa-clustering").unwrap_or("none")
    );
}

fn locked(package: &str) -> Option<&'static str> {
    let name = format!("name = \"{package}\"");
    let version = LOCK.lines().skip_while(|line| *line != name).nth(1)?;
    version.split('"').nth(1)
}

/// Fits whose inertia is as good as the best.
pub fn reached(fits: &[Fitted], best: f64) -> usize {
    let is_good = |fitted: &&Fitted| fitted.inertia <= GOOD_ENOUGH * best;
    fits.iter().filter(is_good).count()
}

pub fn inertia_greatest(fits: &[Fitted]) -> f64 {
    sorted(fits, |fitted| fitted.inertia)[fits.len() - 1]
}

fn sorted(fits: &[Fitted], figure: fn(&Fitted) -> f64) -> Vec<f64> {
    let mut values: Vec<f64> = fits.iter().map(figure).collect();
    values.sort_by(f64::total_cmp);
    values
}

fn median(fits: &[Fitted], figure: fn(&Fitted) -> f64) -> f64 {
    sorted(fits, figure)[fits.len() / 2]
}

pub fn print_table(measured: &[(Contestant, Vec<Fitted>)], best: f64) {
    println!(
        "\n| side | median, ms | least to greatest, ms | inertia, median | worst, x best | good enough |\n\
         | --- | --- | --- | --- | --- | --- |"
    );
    for (contestant, fits) in measured {
        let seconds = sorted(fits, |fitted| fitted.seconds);
        println!(
            "| {contestant} | {:.1} | {:.1} to {:.1} | {:.3} | {:.5} | {} of {} |",
            median(fits, |fitted| fitted.seconds) * 1e3,
            seconds[0] * 1e3,
            seconds[seconds.len() - 1] * 1e3,
            median(fits, |fitted| fitted.inertia),
            inertia_greatest(fits) / best,
            reached(fits, best),
            fits.len()
        );
    }
    println!();
}

pub fn print_others(others: &Others) {
    match others.cores() {
        None => println!("what other processes took meanwhile is unknown"),
        Some(cores) if cores > OTHERS_MAX => println!(
            "NOT A QUIET MACHINE: other processes kept {cores:.2} cores busy meanwhile; repeat it"
        ),
        Some(cores) => println!("other processes kept {cores:.2} cores busy meanwhile"),
    }
}

pub fn print_ratios(
    measured: &[(Contestant, Vec<Fitted>)],
    ours: Enough,
    theirs: Enough,
    best: f64,
) {
    let fits_of = |contestant: Contestant| {
        let found = measured.iter().find(|(other, _)| *other == contestant);
        found.map(|(_, fits)| fits.as_slice()).unwrap()
    };
    let ratio = |ours: Contestant, theirs: Contestant| {
        let seconds = [ours, theirs].map(|side| sorted(fits_of(side), |fitted| fitted.seconds));
        let of = |place: usize| seconds[0][place] / seconds[1][place];
        format!(
            "{ours} / {theirs}: {:.2} (of the fastest fits: {:.2})",
            of(seconds[0].len() / 2),
            of(0)
        )
    };
    // Which optimum a seed finds is not chance, but threads may add in another order.
    let is_equal = |side: Enough| {
        let fits = fits_of(side.contestant);
        side.is_reached && reached(fits, best) == fits.len()
    };
    let at = if is_equal(ours) && is_equal(theirs) {
        "at equal inertia"
    } else {
        "NOT at equal inertia (a side misses it with every number of starts tried)"
    };
    println!("ratio {at}: {}", ratio(ours.contestant, theirs.contestant));
    let default = Contestant::Segstream(None);
    for (contestant, _) in measured {
        if matches!(contestant, Contestant::ScikitLearn(_)) {
            println!("ratio: {}", ratio(default, *contestant));
        }
    }
}
