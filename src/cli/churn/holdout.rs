//! Prints how well a fit predicted who bought again.

use std::io::Write;

use crate::learn::churn::cohort::Holdout;
use crate::model::churn::Family;

pub(super) fn print_holdout(
    out: &mut impl Write,
    family: Family,
    holdout: &Holdout,
) -> std::io::Result<()> {
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
            "probability of being a customer still",
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
        (
            "the same share for all customers",
            0.5,
            Some(holdout.brier_of_share),
        ),
    ];
    for (name, area, brier) in rows {
        let brier = brier.map_or_else(|| "-".to_owned(), |brier| format!("{brier:.4}"));
        writeln!(out, "  {name:<42} {area:>8.4} {brier:>8}")?;
    }
    writeln!(out, "  predicted and observed share, lowest to highest:")?;
    for bin in &holdout.calibration {
        writeln!(
            out,
            "    {:>6.3} {:>6.3}  {} customers",
            bin.mean_predicted, bin.share_observed, bin.customers
        )?;
    }
    Ok(())
}
