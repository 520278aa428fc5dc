//! What `churn fit` prints.

use std::io::Write;
use std::path::Path;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::cli::churn::args::FitArgs;
use crate::cli::churn::artifact::CUSTOMERS_MIN;
use crate::cli::churn::fitted::Fits;
use crate::cli::churn::holdout::print_holdout;
use crate::cli::churn::purchases::ChurnData;
use crate::domain::time::Day;
use crate::model::artifact::Artifact;
use crate::model::artifact::ChurnBasis;
use crate::model::churn::Parameters;

pub(super) fn answer(
    args: &FitArgs,
    data: &ChurnData,
    until: Day,
    fits: &Fits,
    written: Option<&Artifact>,
) -> Value {
    let customers = fits.fitted.first().map_or(0, |fitted| fitted.fit.customers);
    let mut models = Map::new();
    for fitted in &fits.fitted {
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
    let failed = fits.failed.iter();
    let failed =
        failed.map(|(family, error)| (family.as_str().to_owned(), json!(error.to_string())));
    let failed: Map<String, Value> = failed.collect();
    let mut answer = json!({
        "unit": args.unit.name(), "customers": customers, "until": until.to_string(), "models": models,
        "not_converged": failed,
        "out": args.out, "version": written.map(|artifact| &artifact.version),
        "written": written.and_then(|artifact| artifact.churn.as_ref()),
    });
    if let (Some(answer), Some(file)) = (answer.as_object_mut(), &data.file) {
        answer.insert("file".to_owned(), json!(file));
    }
    answer
}

pub(super) fn print(
    out: &mut impl Write,
    args: &FitArgs,
    data: &ChurnData,
    until: Day,
    fits: &Fits,
) -> std::io::Result<()> {
    let customers = fits.fitted.first().map_or(0, |fitted| fitted.fit.customers);
    let unit = args.unit.name();
    if let Some(file) = &data.file {
        file.print(out)?;
    }
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
    for fitted in &fits.fitted {
        let Parameters { r, a, b, .. } = fitted.fit.parameters;
        let (alpha, log_likelihood) = fitted.in_unit(args.unit);
        writeln!(
            out,
            "{:<8} {r:>10.6} {alpha:>14.6} {a:>10.6} {b:>10.6} {:>16.3}",
            fitted.family.as_str(),
            log_likelihood
        )?;
    }
    for (family, error) in &fits.failed {
        writeln!(out, "{:<8} has no fit: {error}", family.as_str())?;
    }
    for fitted in &fits.fitted {
        if let Some(holdout) = &fitted.holdout {
            print_holdout(out, fitted.family, holdout)?;
        }
    }
    Ok(())
}

pub(super) fn print_written(
    out: &mut impl Write,
    artifact: &Artifact,
    path: &Path,
) -> std::io::Result<()> {
    let Some(churn) = &artifact.churn else {
        return Ok(());
    };
    let basis = match churn.basis {
        ChurnBasis::Fitted => "the parameters fitted above".to_owned(),
        ChurnBasis::Example => "the parameters fitted above, marked as an example".to_owned(),
        ChurnBasis::Prior => format!(
            "not the fit above but the centre of the prior, because {} customers are fewer than {CUSTOMERS_MIN} or \
             none bought on a second day",
            churn.customers
        ),
    };
    writeln!(
        out,
        "model {} in {} computes churn risk with {}: {basis} (r {:.6}, alpha {:.6} days, a {:.6}, b {:.6})",
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
        "this is another model: run it with a new log and store beside the ones in use"
    )
}
