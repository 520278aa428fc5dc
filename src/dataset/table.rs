//! Tables to learn from and to predict for.

use std::path::Path;

use crate::dataset::Error;
use crate::dataset::Row;
use crate::dataset::Rows;
use crate::domain::time::Day;
use crate::model::preparation::TrainingRow;
use crate::model::preparation::TrainingTable;

/// The day after the last enrolment in the marketing data; its ages count from this year.
pub const MARKETING_REFERENCE_YEAR: i32 = 2014;
/// Trailing days which the spending and purchase counts of the marketing data cover.
pub const MARKETING_WINDOW_DAYS: u32 = 730;
const REFERENCE_MONTH_DAY: (i8, i8) = (6, 30);

/// What a table looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// The Kaggle file "marketing campaign".
    Marketing,
    /// Any numeric CSV with a header.
    Features,
}

const MARKETING_COLUMNS: [(&str, &str); 6] = [
    ("income", "Income"),
    ("web_purchases", "NumWebPurchases"),
    ("store_purchases", "NumStorePurchases"),
    ("recency_days", "Recency"),
    ("web_visits_month", "NumWebVisitsMonth"),
    ("catalog_purchases", "NumCatalogPurchases"),
];
const SPENDING_COLUMNS: [&str; 6] = [
    "MntWines",
    "MntFruits",
    "MntMeatProducts",
    "MntFishProducts",
    "MntSweetProducts",
    "MntGoldProds",
];

/// Reads a table. A row with a wrong value is an error that names it.
///
/// # Errors
/// If a column is missing or a value wrong.
pub fn read(path: &Path, format: Format, id_column: Option<&str>) -> Result<TrainingTable, Error> {
    let mut rows = Rows::open(path)?;
    let table = match format {
        Format::Marketing => marketing(&mut rows)?,
        Format::Features => numeric(&mut rows, id_column)?,
    };
    if table.rows.is_empty() {
        Err(Error::Empty {
            path: path.to_owned(),
        })
    } else {
        Ok(table)
    }
}

fn marketing(rows: &mut Rows) -> Result<TrainingTable, Error> {
    let mut needed = vec!["ID", "Year_Birth", "Dt_Customer", "NumDealsPurchases"];
    needed.extend(MARKETING_COLUMNS.iter().map(|(_, column)| *column));
    needed.extend(SPENDING_COLUMNS);
    rows.require(&needed)?;
    let derived = ["age", "total_spending", "deal_purchases", "tenure_days"];
    let columns = derived
        .iter()
        .chain(MARKETING_COLUMNS.iter().map(|(name, _)| name));
    let mut table = TrainingTable {
        columns: columns.map(|name| (*name).to_owned()).collect(),
        rows: Vec::new(),
        reference_year: Some(MARKETING_REFERENCE_YEAR),
    };
    while let Some(row) = rows.next_row()? {
        let age = row
            .number("Year_Birth")?
            .map(|year| f64::from(MARKETING_REFERENCE_YEAR) - year);
        let mut values = vec![
            age,
            spending(&row)?,
            row.number("NumDealsPurchases")?,
            tenure(&row)?,
        ];
        for (_, column) in MARKETING_COLUMNS {
            values.push(row.number(column)?);
        }
        let id = row.required("ID", "an id", |text| Some(text.to_owned()))?;
        table.rows.push(TrainingRow { id, values });
    }
    Ok(table)
}

fn spending(row: &Row<'_>) -> Result<Option<f64>, Error> {
    let mut sum = Some(0.0);
    for column in SPENDING_COLUMNS {
        sum = sum.zip(row.number(column)?).map(|(sum, value)| sum + value);
    }
    Ok(sum)
}

fn tenure(row: &Row<'_>) -> Result<Option<f64>, Error> {
    let year = i16::try_from(MARKETING_REFERENCE_YEAR).unwrap_or_default();
    let (month, day) = REFERENCE_MONTH_DAY;
    let joined = row.parsed("Dt_Customer", "a date such as 2013-09-04", parse_date)?;
    let reference = Day::from_date(year, month, day);
    Ok(joined
        .zip(reference)
        .map(|(joined, reference)| f64::from(reference.days_after(joined))))
}

/// Reads `2013-09-04`, `04-09-2013` or `4/9/2013` (day first).
#[must_use]
pub fn parse_date(text: &str) -> Option<Day> {
    let mut parts = text.split(['-', '/', '.']);
    let (first, second, third) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let (year, month, day) = if first.len() == 4 {
        (first, second, third)
    } else {
        (third, second, first)
    };
    Day::from_date(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
}

fn numeric(rows: &mut Rows, id_column: Option<&str>) -> Result<TrainingTable, Error> {
    if let Some(id) = id_column {
        rows.require(&[id])?;
    }
    let is_value = |column: &&String| Some(column.as_str()) != id_column;
    let columns: Vec<String> = rows.columns().iter().filter(is_value).cloned().collect();
    let mut table = TrainingTable {
        columns,
        rows: Vec::new(),
        reference_year: None,
    };
    while let Some(row) = rows.next_row()? {
        let values = table.columns.iter().map(|column| row.number(column));
        let values = values.collect::<Result<_, _>>()?;
        let id = id_column
            .and_then(|id| row.text(id))
            .map_or_else(|| row.line.to_string(), str::to_owned);
        table.rows.push(TrainingRow { id, values });
    }
    Ok(table)
}
