//! Training rows: which are used, and why the others are not.

use std::collections::BTreeMap;

use crate::model::scaler::quantile;

/// Born earlier is a typing error in data of living customers.
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
    /// Ids of the rows used.
    pub ids: Vec<String>,
    /// Their values, n x d.
    pub rows: Vec<Vec<f64>>,
    /// Rows left out, by reason.
    pub dropped: BTreeMap<String, u64>,
}

/// Chooses columns and leaves out rows with a missing value, an impossible birth year, or an income
/// above the third quartile by three interquartile ranges. `None` if a feature is not a column.
#[must_use]
pub fn prepare(table: &TrainingTable, features: &[String]) -> Option<Prepared> {
    let places: Vec<usize> = features
        .iter()
        .map(|feature| table.columns.iter().position(|column| column == feature))
        .collect::<Option<_>>()?;
    let age = features.iter().position(|feature| feature == "age");
    let income = features.iter().position(|feature| feature == "income");
    let mut prepared = Prepared {
        ids: Vec::new(),
        rows: Vec::new(),
        dropped: BTreeMap::new(),
    };
    let mut whole = Vec::new();
    for row in &table.rows {
        let values: Option<Vec<f64>> = places
            .iter()
            .map(|place| row.values.get(*place).copied().flatten())
            .collect();
        match values {
            Some(values) => whole.push((row.id.clone(), values)),
            None => prepared.drop_for("missing_value"),
        }
    }
    let age_max = table
        .reference_year
        .map(|year| f64::from(year) - BIRTH_YEAR_MIN);
    let income_max = income.and_then(|place| upper_fence(&whole, place));
    for (id, values) in whole {
        let exceeds = |place: Option<usize>, limit: Option<f64>| {
            let value = place.and_then(|place| values.get(place));
            value
                .zip(limit)
                .is_some_and(|(value, limit)| *value > limit)
        };
        if exceeds(age, age_max) {
            prepared.drop_for("impossible_birth_year");
        } else if exceeds(income, income_max) {
            prepared.drop_for("income_outlier");
        } else {
            prepared.ids.push(id);
            prepared.rows.push(values);
        }
    }
    Some(prepared)
}

impl Prepared {
    fn drop_for(&mut self, reason: &str) {
        *self.dropped.entry(reason.to_owned()).or_default() += 1;
    }
}

fn upper_fence(rows: &[(String, Vec<f64>)], place: usize) -> Option<f64> {
    let mut values: Vec<f64> = rows
        .iter()
        .filter_map(|(_, row)| row.get(place).copied())
        .collect();
    values.sort_unstable_by(f64::total_cmp);
    let first = quantile(&values, 0.25)?;
    let third = quantile(&values, 0.75)?;
    Some(third + INCOME_RANGES * (third - first))
}
