//! The training rows: chooses those that are used, and counts the others by reason.

use std::collections::BTreeMap;

use ndarray::Array2;

use crate::learn::analysis::Noted;
use crate::learn::analysis::PreparationReport;
use crate::learn::scaler::quantile;
use crate::learn::wording;

/// An earlier birth year is a typing error in data of living customers.
const BIRTH_YEAR_MIN: f64 = 1940.0;
/// Interquartile ranges above the third quartile beyond which an income is an outlier.
const INCOME_RANGES: f64 = 3.0;

/// A table of customers to learn from.
#[derive(Clone, Debug, Default)]
pub struct TrainingTable {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Id and values of each row, one a column; `None` where it is missing.
    pub rows: Vec<TrainingRow>,
    /// Year from which ages are counted; only where there is an `age` column.
    pub reference_year: Option<i32>,
    /// What the reader noted of rows that it kept.
    pub noted: BTreeMap<String, Noted>,
}

/// One customer.
#[derive(Clone, Debug)]
pub struct TrainingRow {
    /// Its id as written.
    pub id: String,
    /// One value a column.
    pub values: Vec<Option<f64>>,
}

/// The rows to learn from.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Their values, n x d, in the features' units.
    pub rows: Array2<f64>,
    /// The rows that were left out or noted.
    pub report: PreparationReport,
}

/// Chooses columns and leaves out rows with a missing value, an impossible birth year, or an income
/// above the third quartile by three interquartile ranges, where that range is not 0. `None` if a feature is not a column.
#[must_use]
pub fn prepare(table: &TrainingTable, features: &[String]) -> Option<Prepared> {
    let places: Vec<usize> = features
        .iter()
        .map(|feature| table.columns.iter().position(|column| column == feature))
        .collect::<Option<_>>()?;
    let mut report = PreparationReport {
        rows_read: rows(table.rows.len()),
        noted: table.noted.clone(),
        ..PreparationReport::default()
    };
    let mut whole = Vec::new();
    for row in &table.rows {
        let value = |place: &usize| row.values.get(*place).copied().flatten();
        let values = places.iter().zip(features);
        let values = values.map(|(place, feature)| value(place).ok_or(feature));
        match values.collect::<Result<Vec<f64>, _>>() {
            Ok(values) => whole.push(values),
            Err(feature) => report.drop_for(format!("missing_{feature}"), || {
                format!("no value in {feature}")
            }),
        }
    }
    let bounds = bounds(table, features, &whole);
    let mut flat = Vec::with_capacity(whole.len() * features.len());
    for values in &whole {
        let exceeded = bounds
            .iter()
            .find(|bound| values.get(bound.place).is_some_and(|x| *x > bound.greatest));
        match exceeded {
            Some(bound) => report.drop_for(bound.reason.to_owned(), || bound.rule.clone()),
            None => flat.extend(values),
        }
    }
    let used = flat.len() / features.len().max(1);
    report.rows_used = rows(used);
    let rows = Array2::from_shape_vec((used, features.len()), flat).ok()?;
    Some(Prepared { rows, report })
}

/// The greatest plausible value of a feature.
struct Bound {
    place: usize,
    greatest: f64,
    reason: &'static str,
    rule: String,
}

fn bounds(table: &TrainingTable, features: &[String], rows: &[Vec<f64>]) -> Vec<Bound> {
    let place = |name: &str| features.iter().position(|feature| feature == name);
    let age = place("age")
        .zip(table.reference_year)
        .map(|(place, year)| Bound {
            place,
            greatest: f64::from(year) - BIRTH_YEAR_MIN,
            reason: "impossible_birth_year",
            rule: format!("born before {BIRTH_YEAR_MIN:.0}"),
        });
    let income = place("income").and_then(|place| {
        let greatest = upper_fence(rows, place)?;
        let limit = wording::thousands(greatest);
        let rule = format!(
            "income above {limit}, the third quartile + {INCOME_RANGES:.0} x the interquartile range"
        );
        Some(Bound {
            place,
            greatest,
            reason: "income_outlier",
            rule,
        })
    });
    age.into_iter().chain(income).collect()
}

impl PreparationReport {
    fn drop_for(&mut self, reason: String, rule: impl FnOnce() -> String) {
        let noted = self.dropped.entry(reason).or_insert_with(|| Noted {
            rows: 0,
            rule: rule(),
        });
        noted.rows += 1;
    }
}

fn rows(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// `None` where the middle half has one income, as in bands: then every other one would be an outlier.
fn upper_fence(rows: &[Vec<f64>], place: usize) -> Option<f64> {
    let mut values: Vec<f64> = rows
        .iter()
        .filter_map(|row| row.get(place).copied())
        .collect();
    values.sort_unstable_by(f64::total_cmp);
    let first = quantile(&values, 0.25)?;
    let third = quantile(&values, 0.75)?;
    let range = third - first;
    (range > 0.0).then_some(third + INCOME_RANGES * range)
}
