//! What a fit costs: segstream's k-means beside scikit-learn's at equal inertia, in process on both sides,
//! on the same data in memory, in one run.
//!
//!   cargo bench --bench training                     both data sets
//!   cargo bench --bench training -- --only marketing --scikit-learn-threads 1
//!
//! It wants the machine for itself: scikit-learn's threads wait for each other after every step, so that
//! anything beside it costs it much more than it costs us.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    unreachable_pub,
    missing_docs,
    reason = "a measurement may stop at the first thing that is not as it must be, and goes by the clock"
)]

mod data;
mod others;
mod report;
mod scikit_learn;

use std::fmt;
use std::process::ExitCode;
use std::time::Duration;
use std::time::Instant;

use clap::Parser;
use ndarray::Array2;
use others::Others;
use scikit_learn::ScikitLearn;
use segstream::learn::kmeans;
use segstream::learn::kmeans::FitOptions;
use tikv_jemallocator::Jemalloc;

/// As in the program.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

const CLUSTERS: usize = 6;
/// One repetition each.
const SEEDS: [u64; 5] = [1, 2, 3, 4, 5];
/// None of those that are measured.
const SEARCH_SEED: u64 = 0;
/// A fit within this factor of the best inertia is as good as the best.
const GOOD_ENOUGH: f64 = 1.001;
/// Idle OpenMP threads spin for some milliseconds before they sleep, and would take them from the other side.
const REST: Duration = Duration::from_millis(50);

/// Measures a fit beside scikit-learn's.
#[derive(Debug, Parser)]
struct Args {
    /// One data set alone.
    #[arg(long)]
    only: Option<Which>,
    /// Rows of the synthetic data.
    #[arg(long, default_value_t = 1_000_000)]
    rows: usize,
    /// Threads of each side; by default as many as there are cores.
    #[arg(long)]
    threads: Option<usize>,
    /// Threads of scikit-learn instead; on few rows it may be faster with one.
    #[arg(long)]
    scikit_learn_threads: Option<usize>,
    /// What cargo adds.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Which {
    Marketing,
    Synthetic,
}

#[derive(Clone, Copy, Debug)]
struct Threads {
    segstream: usize,
    scikit_learn: usize,
}

/// What to compare on one data set.
struct Plan {
    name: &'static str,
    rows: Array2<f64>,
    /// Numbers of starts that are tried, the least first.
    starts: &'static [usize],
    /// Starts of scikit-learn in the search for the best inertia.
    search: usize,
    /// Starts of scikit-learn that are measured besides those of equal inertia.
    besides: &'static [usize],
    /// The best inertia that is known from elsewhere.
    reference: Option<f64>,
}

impl Plan {
    fn marketing() -> Result<Self, String> {
        Ok(Self {
            name: "marketing",
            rows: data::marketing()?,
            starts: &[1, 2, 3, 5, 10, 20, 50],
            search: 50,
            besides: &[10, 20],
            reference: Some(5421.397648306651),
        })
    }

    fn synthetic(rows: usize) -> Self {
        Self {
            name: "synthetic",
            rows: data::blobs(rows),
            starts: &[1, 2, 3],
            search: 3,
            besides: &[],
            reference: None,
        }
    }
}

/// A side with its number of random starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contestant {
    /// `None`: what it takes by default.
    Segstream(Option<usize>),
    ScikitLearn(usize),
}

impl fmt::Display for Contestant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Segstream(None) => write!(formatter, "segstream, default"),
            Self::Segstream(Some(starts)) => write!(formatter, "segstream, runs={starts}"),
            Self::ScikitLearn(starts) => write!(formatter, "scikit-learn, n_init={starts}"),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Fitted {
    seconds: f64,
    inertia: f64,
}

/// Both sides with the data in memory.
struct Sides<'a> {
    rows: &'a Array2<f64>,
    threads: usize,
    scikit_learn: ScikitLearn,
    /// Of every fit so far.
    inertia_least: f64,
}

impl Sides<'_> {
    fn fit(&mut self, contestant: Contestant, seed: u64) -> Fitted {
        std::thread::sleep(REST);
        let fitted = match contestant {
            Contestant::Segstream(runs) => self.fit_ours(runs, seed),
            Contestant::ScikitLearn(starts) => self.scikit_learn.fit(starts, seed),
        };
        self.inertia_least = self.inertia_least.min(fitted.inertia);
        fitted
    }

    fn fit_ours(&self, runs: Option<usize>, seed: u64) -> Fitted {
        let options = FitOptions {
            k: CLUSTERS,
            seed,
            runs,
            threads: self.threads,
        };
        let started = Instant::now();
        let clustering = kmeans::fit(self.rows, options).unwrap();
        Fitted {
            seconds: started.elapsed().as_secs_f64(),
            inertia: clustering.inertia,
        }
    }
}

/// The least starts of a side that are enough, or the most that were tried.
#[derive(Clone, Copy, Debug)]
struct Enough {
    contestant: Contestant,
    is_reached: bool,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), String> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = args.threads.unwrap_or(cores);
    let threads = Threads {
        segstream: threads,
        scikit_learn: args.scikit_learn_threads.unwrap_or(threads),
    };
    let is_asked = |which| args.only.is_none_or(|only| only == which);
    report::print_surroundings(cores);
    if is_asked(Which::Marketing) {
        compare(&Plan::marketing()?, threads)?;
    }
    if is_asked(Which::Synthetic) {
        compare(&Plan::synthetic(args.rows), threads)?;
    }
    Ok(())
}

fn compare(plan: &Plan, threads: Threads) -> Result<(), String> {
    let mut sides = Sides {
        rows: &plan.rows,
        threads: threads.segstream,
        scikit_learn: ScikitLearn::start(&plan.rows, CLUSTERS, threads.scikit_learn)?,
        inertia_least: f64::INFINITY,
    };
    println!(
        "\n{}: {} x {}, k = {CLUSTERS}\n{}",
        plan.name,
        plan.rows.nrows(),
        plan.rows.ncols(),
        sides.scikit_learn.hello
    );
    println!("threads of segstream: {}", threads.segstream);
    let best = search(&mut sides, plan);
    let ours = enough(&mut sides, plan, best, |starts| {
        Contestant::Segstream(Some(starts))
    });
    let theirs = enough(&mut sides, plan, best, Contestant::ScikitLearn);
    let mut contestants = vec![
        ours.contestant,
        theirs.contestant,
        Contestant::Segstream(None),
    ];
    for starts in plan.besides {
        let contestant = Contestant::ScikitLearn(*starts);
        if !contestants.contains(&contestant) {
            contestants.push(contestant);
        }
    }
    let others = Others::watch(sides.scikit_learn.process_id());
    let measured = measure(&mut sides, &contestants);
    report::print_table(&measured, best);
    report::print_others(&others);
    report::print_ratios(&measured, ours, theirs, best);
    println!(
        "least inertia of all fits: {:.6}, {:.6} x best",
        sides.inertia_least,
        sides.inertia_least / best
    );
    sides.scikit_learn.finish();
    Ok(())
}

/// The least inertia that either side finds.
fn search(sides: &mut Sides<'_>, plan: &Plan) -> f64 {
    let contestants = [
        Contestant::ScikitLearn(plan.search),
        Contestant::Segstream(None),
    ];
    let mut best = f64::INFINITY;
    for contestant in contestants {
        let inertia = sides.fit(contestant, SEARCH_SEED).inertia;
        println!("search: {contestant}: inertia {inertia:.6}");
        best = best.min(inertia);
    }
    if let Some(reference) = plan.reference {
        println!(
            "search: best {:.9} x the reference {reference:.6}",
            best / reference
        );
    }
    println!("equal inertia: {GOOD_ENOUGH} x {best:.6}");
    best
}

fn enough(sides: &mut Sides<'_>, plan: &Plan, best: f64, side: fn(usize) -> Contestant) -> Enough {
    let mut tried = Enough {
        contestant: side(1),
        is_reached: false,
    };
    for starts in plan.starts {
        let contestant = side(*starts);
        let fits = SEEDS.map(|seed| sides.fit(contestant, seed));
        let reached = report::reached(&fits, best);
        println!(
            "starts: {contestant}: {reached} of {} seeds, the worst {:.5} x best",
            SEEDS.len(),
            report::inertia_greatest(&fits) / best
        );
        tried = Enough {
            contestant,
            is_reached: reached == SEEDS.len(),
        };
        if tried.is_reached {
            break;
        }
    }
    tried
}

/// Every contestant once in each repetition, so that a slower moment of the machine meets all of them.
fn measure(sides: &mut Sides<'_>, contestants: &[Contestant]) -> Vec<(Contestant, Vec<Fitted>)> {
    for contestant in contestants {
        sides.fit(*contestant, SEARCH_SEED);
    }
    let mut measured: Vec<_> = contestants
        .iter()
        .map(|contestant| (*contestant, Vec::new()))
        .collect();
    for seed in SEEDS {
        for (contestant, fits) in &mut measured {
            fits.push(sides.fit(*contestant, seed));
        }
    }
    measured
}
