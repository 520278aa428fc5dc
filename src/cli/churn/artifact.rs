//! Puts the parameters of a fit into a model artifact.

use std::path::Path;

use crate::cli::churn::args::FitArgs;
use crate::cli::churn::args::PriorArg;
use crate::cli::churn::fitted::Fitted;
use crate::cli::churn::purchases::ChurnData;
use crate::cli::exit::Failed;
use crate::domain::time::Day;
use crate::learn::churn::fit;
use crate::learn::churn::fit::Observation;
use crate::model::artifact::Artifact;
use crate::model::artifact::ArtifactChurn;
use crate::model::artifact::ArtifactHoldout;
use crate::model::artifact::ChurnBasis;
use crate::model_files;
use crate::pipeline::partition::clock::WallClock;

/// With fewer customers the prior's centre is a better guess than the fit.
pub(super) const CUSTOMERS_MIN: usize = 300;

/// The artifact with the parameters of the method asked for, in days.
pub(super) fn with_churn(
    mut artifact: Artifact,
    args: &FitArgs,
    data: &ChurnData,
    until: Day,
    (fits, observations): (&[Fitted], &[Observation]),
) -> anyhow::Result<Artifact> {
    let family = args.method.family();
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
