//! `segstream churn fit`: how likely customers are lost, learned from their purchase days.

use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::cli::churn_data::ChurnData;
use crate::cli::churn_data::DataArgs;
use crate::cli::common::parse_instant;
use crate::cli::exit::CallError;
use crate::cli::exit::Failed;
use crate::dataset::table::parse_date;
use crate::domain::time::Day;
use crate::domain::time::Timestamp;
use crate::learn::churn::cohort::Holdout;
use crate::learn::churn::cohort::holdout;
use crate::learn::churn::fit;
use crate::learn::churn::fit::Fit;
use crate::learn::churn::fit::Observation;
use crate::model::artifact::Artifact;
use crate::model::artifact::ArtifactChurn;
use crate::model::artifact::ArtifactHoldout;
use crate::model::artifact::ChurnBasis;
use crate::model::churn::ChurnModel;
use crate::model::churn::Family;
use crate::model::churn::Parameters;
use crate::model_files;
use crate::pipeline::clock::WallClock;

/// Fewer customers say less than what is usual elsewhere.
const CUSTOMERS_MIN: usize = 300;
const DAYS_PER_WEEK: f64 = 7.0;
/// A file that ends with silence may be complete for so many more days.
const SILENT_DAYS_MAX: u32 = 31;

/// Learns how likely customers are lost.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Fits the MBG/NBD and BG/NBD models to purchase days.
    Fit(Box<FitArgs>),
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  segstream churn fit --input cdnow_master.txt --format cdnow --until 1997-09-30 --holdout-days 273\n  segstream churn fit --format state --dir /var/lib/segstream/store --model model.json --out model.json"
)]
struct FitArgs {
    #[command(flatten)]
    data: DataArgs,
    /// Last day of the purchases to learn from; the last known one, less --holdout-days, if absent.
    #[arg(long, value_parser = parse_day)]
    until: Option<Day>,
    /// Then look at who bought again within so many days after it, and print how well that was foretold.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=36_525))]
    holdout_days: Option<u32>,
    /// Time unit of the parameters that are printed.
    #[arg(long, value_enum, default_value = "days")]
    unit: Unit,
    /// `weak` keeps the parameters of few customers from running away.
    #[arg(long, value_enum, default_value = "weak")]
    prior: PriorArg,
    /// The model artifact that takes the parameters in, with --out.
    #[arg(long, requires = "out")]
    model: Option<PathBuf>,
    /// Where that artifact goes; it may be the same file.
    #[arg(long, requires = "model")]
    out: Option<PathBuf>,
    /// The model that it takes in.
    #[arg(long, value_enum, default_value = "mbg_nbd")]
    method: Method,
    /// Name of the version that artifact gets, as it is another model; made from the old name and --until if absent.
    #[arg(long = "version", requires = "out")]
    name: Option<String>,
    /// Mark the parameters as those of another shop, a stand-in until there is a fit of the own customers.
    #[arg(long)]
    example: bool,
    /// Time of the fit, RFC 3339; makes the artifact reproducible.
    #[arg(long, value_parser = parse_instant)]
    fitted_at: Option<Timestamp>,
    /// Print as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Unit {
    Days,
    Weeks,
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::Days => "days",
            Self::Weeks => "weeks",
        }
    }

    fn days(self) -> f64 {
        match self {
            Self::Days => 1.0,
            Self::Weeks => DAYS_PER_WEEK,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum PriorArg {
    Weak,
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Method {
    #[value(name = "mbg_nbd")]
    MbgNbd,
    #[value(name = "bg_nbd")]
    BgNbd,
}

fn parse_day(text: &str) -> Result<Day, String> {
    parse_date(text).ok_or_else(|| format!("{text:?} is no date such as 1997-09-30"))
}

/// Runs the command.
///
/// # Errors
/// If the call or the data is wrong.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let Command::Fit(args) = &args.command;
    run_fit(args)
}

/// A fit with time in days, and what came after it.
struct Fitted {
    family: Family,
    fit: Fit,
    repeat_days: f64,
    holdout: Option<Holdout>,
}

impl Fitted {
    /// alpha and the log-likelihood with time in another unit: that of each repeated purchase is a density.
    fn in_unit(&self, unit: Unit) -> (f64, f64) {
        let alpha = self.fit.parameters.alpha / unit.days();
        let log_likelihood = self.fit.log_likelihood + self.repeat_days * libm::log(unit.days());
        (alpha, log_likelihood)
    }
}

fn run_fit(args: &FitArgs) -> anyhow::Result<()> {
    let artifact = args
        .model
        .as_deref()
        .map(model_files::load_artifact)
        .transpose()?;
    let data = args.data.read()?;
    let until = until(args, &data)?;
    let mut observations = Vec::with_capacity(data.cohort.len());
    for customer in &data.cohort {
        observations.extend(customer.observed(until)?);
    }
    if !observations.is_empty() && observations.iter().all(|observed| observed.age <= 0.0) {
        let problem = format!(
            "--until {until} is the day of all first purchases: nothing is known after them"
        );
        return Err(CallError(problem).into());
    }
    let prior = match args.prior {
        PriorArg::Weak => fit::Prior::Weak,
        PriorArg::None => fit::Prior::None,
    };
    let mut fits = Vec::new();
    for family in [Family::MbgNbd, Family::BgNbd] {
        let fit = fit::fit(family, &observations, prior)
            .with_context(|| format!("{} cannot be fitted", data.source))?;
        let holdout = match (args.holdout_days, ChurnModel::new(family, fit.parameters)) {
            (Some(days), Some(model)) => holdout(&data.cohort, &model, until, days)?,
            _ => None,
        };
        fits.push(Fitted {
            family,
            fit,
            repeat_days: observations
                .iter()
                .map(|observed| f64::from(observed.repeat_days))
                .sum(),
            holdout,
        });
    }
    let written = match (artifact, &args.out) {
        (Some(artifact), Some(out)) => {
            let artifact = with_churn(artifact, args, &data, until, (&fits, &observations))?;
            model_files::save(out, &artifact)?;
            Some(artifact)
        }
        _ => None,
    };
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", answer(args, until, &fits, written.as_ref()))?;
        return Ok(());
    }
    tell(&mut out, args, &data, until, &fits)?;
    if let (Some(artifact), Some(path)) = (&written, &args.out) {
        tell_written(&mut out, artifact, path)?;
    }
    Ok(())
}

fn until(args: &FitArgs, data: &ChurnData) -> anyhow::Result<Day> {
    let until = args
        .until
        .unwrap_or_else(|| data.last_day.minus_days(args.holdout_days.unwrap_or(0)));
    if let Some(days) = args.holdout_days
        && until.plus_days(days) > data.last_day
    {
        let last = data.last_day;
        let problem = format!(
            "--holdout-days {days} after {until} go beyond {last}, the last day anything is known of"
        );
        return Err(CallError(problem).into());
    }
    if until > data.last_day.plus_days(SILENT_DAYS_MAX) {
        let last = data.last_day;
        let problem = format!(
            "--until {until} is more than {SILENT_DAYS_MAX} days after {last}, the last day anything is known of"
        );
        return Err(CallError(problem).into());
    }
    Ok(until)
}

/// The artifact with the parameters of the method asked for, in days.
fn with_churn(
    mut artifact: Artifact,
    args: &FitArgs,
    data: &ChurnData,
    until: Day,
    (fits, observations): (&[Fitted], &[Observation]),
) -> anyhow::Result<Artifact> {
    let family = match args.method {
        Method::MbgNbd => Family::MbgNbd,
        Method::BgNbd => Family::BgNbd,
    };
    let fitted = fits.iter().find(|fitted| fitted.family == family);
    let fitted = fitted.ok_or_else(|| Failed("nothing was fitted".to_owned()))?;
    let are_few = fitted.fit.customers < CUSTOMERS_MIN || fitted.repeat_days <= 0.0;
    let are_few = are_few && args.prior == PriorArg::Weak;
    let (parameters, basis) = match (are_few, args.example) {
        (true, _) => (fit::prior_mean(observations), ChurnBasis::Prior),
        (false, true) => (fitted.fit.parameters, ChurnBasis::Example),
        (false, false) => (fitted.fit.parameters, ChurnBasis::Fitted),
    };
    let fitted_at = args.fitted_at.unwrap_or_else(|| WallClock::system().now());
    let holdout = fitted.holdout.as_ref().filter(|_| !are_few);
    artifact.version = args.name.clone().unwrap_or_else(|| {
        let name = artifact.version.split("-churn-").next();
        let method = family.as_str().replace('_', "-");
        format!("{}-churn-{method}-{until}", name.unwrap_or_default())
    });
    artifact.churn = Some(ArtifactChurn {
        method: family,
        r: parameters.r,
        alpha_days: parameters.alpha,
        a: parameters.a,
        b: parameters.b,
        basis,
        source: data.source.clone(),
        fitted_at: fitted_at.to_string(),
        until: until.to_string(),
        customers: u64::try_from(fitted.fit.customers)?,
        prior: match args.prior {
            PriorArg::Weak => "weak".to_owned(),
            PriorArg::None => "none".to_owned(),
        },
        log_likelihood: fit::log_likelihood(family, parameters, observations),
        holdout: holdout
            .map(|holdout| {
                anyhow::Ok(ArtifactHoldout {
                    days: holdout.days,
                    customers: u64::try_from(holdout.customers)?,
                    share_returned: holdout.share_returned,
                    area_under_curve: holdout.area_under_curve,
                    brier: holdout.brier,
                })
            })
            .transpose()?,
    });
    artifact.fingerprint = artifact.compute_fingerprint()?;
    model_files::check(args.out.as_deref().unwrap_or(Path::new("--out")), &artifact)?;
    Ok(artifact)
}

fn answer(args: &FitArgs, until: Day, fits: &[Fitted], written: Option<&Artifact>) -> Value {
    let customers = fits.first().map_or(0, |fitted| fitted.fit.customers);
    let mut models = Map::new();
    for fitted in fits {
        let parameters = fitted.fit.parameters;
        let (alpha, log_likelihood) = fitted.in_unit(args.unit);
        let mut model = json!({
            "r": parameters.r, "alpha": alpha, "a": parameters.a, "b": parameters.b,
            "log_likelihood": log_likelihood, "evaluations": fitted.fit.evaluations,
        });
        if let (Some(model), Some(holdout)) = (model.as_object_mut(), &fitted.holdout) {
            model.insert("holdout".to_owned(), json!(holdout));
        }
        models.insert(fitted.family.as_str().to_owned(), model);
    }
    json!({
        "unit": args.unit.name(), "customers": customers, "until": until.to_string(), "models": models,
        "out": args.out, "version": written.map(|artifact| &artifact.version),
        "written": written.and_then(|artifact| artifact.churn.as_ref()),
    })
}

fn tell(
    out: &mut impl Write,
    args: &FitArgs,
    data: &ChurnData,
    until: Day,
    fits: &[Fitted],
) -> std::io::Result<()> {
    let customers = fits.first().map_or(0, |fitted| fitted.fit.customers);
    let unit = args.unit.name();
    writeln!(
        out,
        "{}: {customers} customers with a purchase until {until}",
        data.source
    )?;
    writeln!(
        out,
        "{:<8} {:>10} {:>14} {:>10} {:>10} {:>16}",
        "model",
        "r",
        format!("alpha, {unit}"),
        "a",
        "b",
        "log-likelihood"
    )?;
    for fitted in fits {
        let Parameters { r, a, b, .. } = fitted.fit.parameters;
        let (alpha, log_likelihood) = fitted.in_unit(args.unit);
        writeln!(
            out,
            "{:<8} {r:>10.6} {alpha:>14.6} {a:>10.6} {b:>10.6} {:>16.3}",
            fitted.family.as_str(),
            log_likelihood
        )?;
    }
    for fitted in fits {
        if let Some(holdout) = &fitted.holdout {
            tell_holdout(out, fitted.family, holdout)?;
        }
    }
    Ok(())
}

fn tell_written(out: &mut impl Write, artifact: &Artifact, path: &Path) -> std::io::Result<()> {
    let Some(churn) = &artifact.churn else {
        return Ok(());
    };
    let basis = match churn.basis {
        ChurnBasis::Fitted => "the parameters fitted above".to_owned(),
        ChurnBasis::Example => "the parameters fitted above, marked as an example".to_owned(),
        ChurnBasis::Prior => format!(
            "not by the fit above, as {} customers are fewer than {CUSTOMERS_MIN} or none bought on a second \
             day, but by the centre of the prior",
            churn.customers
        ),
    };
    writeln!(
        out,
        "model {} in {} tells churn risk by {}: {basis} (r {:.6}, alpha {:.6} days, a {:.6}, b {:.6})",
        artifact.version,
        path.display(),
        churn.method.as_str(),
        churn.r,
        churn.alpha_days,
        churn.a,
        churn.b
    )?;
    writeln!(
        out,
        "it is another model: serve it with an empty log and store"
    )
}

fn tell_holdout(out: &mut impl Write, family: Family, holdout: &Holdout) -> std::io::Result<()> {
    writeln!(
        out,
        "\n{}: who bought again within {} days, {:.1} % of {} customers",
        family.as_str(),
        holdout.days,
        holdout.share_returned * 100.0,
        holdout.customers
    )?;
    writeln!(out, "  {:<42} {:>8} {:>8}", "", "AUC", "Brier")?;
    let rows = [
        (
            "probability of a purchase (the risk's score)",
            holdout.area_under_curve,
            Some(holdout.brier),
        ),
        (
            "probability of being alive",
            holdout.area_under_curve_alive,
            None,
        ),
        (
            "days since the last purchase",
            holdout.area_under_curve_recency,
            None,
        ),
        (
            "number of purchase days",
            holdout.area_under_curve_frequency,
            None,
        ),
        ("the share for everybody", 0.5, Some(holdout.brier_of_share)),
    ];
    for (name, area, brier) in rows {
        let brier = brier.map_or_else(|| "-".to_owned(), |brier| format!("{brier:.4}"));
        writeln!(out, "  {name:<42} {area:>8.4} {brier:>8}")?;
    }
    writeln!(out, "  foretold and observed, lowest to highest:")?;
    for bin in &holdout.calibration {
        writeln!(
            out,
            "    {:>6.3} {:>6.3}  {} customers",
            bin.mean_predicted, bin.share_observed, bin.customers
        )?;
    }
    Ok(())
}
