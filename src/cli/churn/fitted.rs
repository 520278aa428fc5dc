//! Both models fitted to the purchase days.

use crate::cli::churn::args::FitArgs;
use crate::cli::churn::args::PriorArg;
use crate::cli::churn::args::Unit;
use crate::cli::churn::purchases::ChurnData;
use crate::cli::exit::CallError;
use crate::domain::time::Day;
use crate::learn::churn::cohort::Holdout;
use crate::learn::churn::cohort::holdout;
use crate::learn::churn::fit;
use crate::learn::churn::fit::Fit;
use crate::learn::churn::fit::FitError;
use crate::learn::churn::fit::Observation;
use crate::model::churn::ChurnModel;
use crate::model::churn::Family;

/// `--until` may be at most so many days after the last purchase of the data.
const SILENT_DAYS_MAX: u32 = 31;

/// A fit with time in days, and its holdout.
pub(super) struct Fitted {
    pub(super) family: Family,
    pub(super) fit: Fit,
    pub(super) repeat_days: f64,
    pub(super) holdout: Option<Holdout>,
}

impl Fitted {
    /// alpha and the log-likelihood with time in another unit: that of each repeated purchase is a density.
    pub(super) fn in_unit(&self, unit: Unit) -> (f64, f64) {
        let alpha = self.fit.parameters.alpha / unit.days();
        let log_likelihood = self.fit.log_likelihood + self.repeat_days * libm::log(unit.days());
        (alpha, log_likelihood)
    }
}

pub(super) fn observations(data: &ChurnData, until: Day) -> anyhow::Result<Vec<Observation>> {
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
    Ok(observations)
}

/// What the fits of both models gave.
pub(super) struct Fits {
    /// Those that converged.
    pub(super) fitted: Vec<Fitted>,
    /// The others, with the reason.
    pub(super) failed: Vec<(Family, FitError)>,
}

impl Fits {
    /// The reason for which there is no fit of a model, as an error.
    pub(super) fn require(&self, family: Family, source: &str) -> anyhow::Result<()> {
        match self.failed.iter().find(|(failed, _)| *failed == family) {
            None => Ok(()),
            Some((_, error)) => {
                let method = family.as_str();
                let others = self.fitted.iter().map(|fitted| fitted.family.as_str());
                let others = others.collect::<Vec<_>>().join(" or ");
                let problem = format!(
                    "{source} cannot be fitted with --method {method} and --prior none, but it can with --method {others}"
                );
                Err(anyhow::Error::from(*error).context(problem))
            }
        }
    }
}

/// Fits both models; it is an error if none of them can be fitted.
pub(super) fn fit_both(
    args: &FitArgs,
    data: &ChurnData,
    until: Day,
    observations: &[Observation],
) -> anyhow::Result<Fits> {
    let prior = match args.prior {
        PriorArg::Weak => fit::Prior::Weak,
        PriorArg::None => fit::Prior::None,
    };
    let mut fits = Fits {
        fitted: Vec::new(),
        failed: Vec::new(),
    };
    for family in [Family::MbgNbd, Family::BgNbd] {
        let fit = match fit::fit(family, observations, prior) {
            Ok(fit) => fit,
            Err(error @ FitError::NotConverged { .. }) => {
                fits.failed.push((family, error));
                continue;
            }
            Err(error) => {
                let problem = format!("{} cannot be fitted until {until}", data.source);
                return Err(anyhow::Error::from(error).context(problem));
            }
        };
        let holdout = match (args.holdout_days, ChurnModel::new(family, fit.parameters)) {
            (Some(days), Some(model)) => holdout(&data.cohort, &model, until, days)?,
            _ => None,
        };
        fits.fitted.push(Fitted {
            family,
            fit,
            repeat_days: observations
                .iter()
                .map(|observed| f64::from(observed.repeat_days))
                .sum(),
            holdout,
        });
    }
    match fits.failed.first() {
        Some((_, error)) if fits.fitted.is_empty() => {
            let problem = format!("{} cannot be fitted", data.source);
            Err(anyhow::Error::from(*error).context(problem))
        }
        Some(_) | None => Ok(fits),
    }
}

pub(super) fn until(args: &FitArgs, data: &ChurnData) -> anyhow::Result<Day> {
    let until = args
        .until
        .unwrap_or_else(|| data.last_day.minus_days(args.holdout_days.unwrap_or(0)));
    if let Some(days) = args.holdout_days
        && until.plus_days(days) > data.last_day
    {
        let last = data.last_day;
        let problem = format!(
            "--holdout-days {days} after {until} go beyond {last}, the last day that the data covers"
        );
        return Err(CallError(problem).into());
    }
    if until > data.last_day.plus_days(SILENT_DAYS_MAX) {
        let last = data.last_day;
        let problem = format!(
            "--until {until} is more than {SILENT_DAYS_MAX} days after {last}, the last day that the data covers"
        );
        return Err(CallError(problem).into());
    }
    Ok(until)
}
