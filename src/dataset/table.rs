//! Tables to learn from and to predict for.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;
use std::path::Path;

use crate::dataset::Error;
use crate::dataset::Row;
use crate::dataset::Rows;
use crate::domain::time::Day;
use crate::learn::analysis::Noted;
use crate::learn::preparation::TrainingRow;
use crate::learn::preparation::TrainingTable;

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
const CAMPAIGN_COLUMNS: [&str; 6] = [
    "AcceptedCmp1",
    "AcceptedCmp2",
    "AcceptedCmp3",
    "AcceptedCmp4",
    "AcceptedCmp5",
    "Response",
];
const DERIVED_COLUMNS: [&str; 7] = [
    "age",
    "total_spending",
    "deal_purchases",
    "tenure_days",
    "children",
    "family_size",
    "accepted_campaigns",
];
/// Marital status, and whether it means that there is a partner in the household.
const MARITAL_STATUS: [(&str, bool); 5] = [
    ("Divorced", false),
    ("Married", true),
    ("Single", false),
    ("Together", true),
    ("Widow", false),
];
const EDUCATION: [&str; 5] = ["2n Cycle", "Basic", "Graduation", "Master", "PhD"];

/// Reads a table. A row with a wrong value is an error that names it. Of a table of features, only the
/// `wanted` columns are looked at, all of them if that is not told.
///
/// # Errors
/// If a column is missing or a value wrong.
pub fn read(
    path: &Path,
    format: Format,
    id_column: Option<&str>,
    wanted: Option<&[String]>,
) -> Result<TrainingTable, Error> {
    let mut rows = Rows::open(path)?;
    let table = match format {
        Format::Marketing => marketing(&mut rows)?,
        Format::Features => numeric(&mut rows, id_column, wanted)?,
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
    let columns = DERIVED_COLUMNS
        .iter()
        .chain(MARKETING_COLUMNS.iter().map(|(name, _)| name));
    let mut table = TrainingTable {
        columns: columns.map(|name| (*name).to_owned()).collect(),
        reference_year: Some(MARKETING_REFERENCE_YEAR),
        ..TrainingTable::default()
    };
    let mut notes = Notes::default();
    while let Some(row) = rows.next_row()? {
        let age = row
            .number("Year_Birth")?
            .map(|year| f64::from(MARKETING_REFERENCE_YEAR) - year);
        let children = sum(&row, &["Kidhome", "Teenhome"])?;
        let status = row.text("Marital_Status");
        let partner = status.and_then(|status| {
            let known = MARITAL_STATUS.iter().find(|(known, _)| *known == status);
            known.map(|(_, has_partner)| if *has_partner { 1.0 } else { 0.0 })
        });
        let mut values = vec![
            age,
            sum(&row, &SPENDING_COLUMNS)?,
            row.number("NumDealsPurchases")?,
            tenure(&row)?,
            children,
            children
                .zip(partner)
                .map(|(children, partner)| 1.0 + partner + children),
            sum(&row, &CAMPAIGN_COLUMNS)?,
        ];
        for (_, column) in MARKETING_COLUMNS {
            values.push(row.number(column)?);
        }
        notes.see_whether_repeated(&row, Some("ID"));
        let statuses = MARITAL_STATUS.map(|(status, _)| status);
        notes.see_whether_known(&row, "Marital_Status", &statuses);
        notes.see_whether_known(&row, "Education", &EDUCATION);
        let id = row.required("ID", "an id", |text| Some(text.to_owned()))?;
        table.rows.push(TrainingRow { id, values });
    }
    table.noted = notes.noted;
    Ok(table)
}

/// `None` where one is missing.
fn sum(row: &Row<'_>, columns: &[&str]) -> Result<Option<f64>, Error> {
    let mut sum = Some(0.0);
    for column in columns {
        sum = sum.zip(row.number(column)?).map(|(sum, value)| sum + value);
    }
    Ok(sum)
}

/// What is worth knowing of rows that are kept.
#[derive(Default)]
struct Notes {
    seen: HashSet<u64>,
    noted: BTreeMap<String, Noted>,
}

impl Notes {
    /// Equal in every column but the id to an earlier row: real in some data, a fault of the export in other.
    fn see_whether_repeated(&mut self, row: &Row<'_>, id_column: Option<&str>) {
        let mut hasher = DefaultHasher::new();
        row.entries()
            .filter(|(column, _)| Some(*column) != id_column)
            .for_each(|entry| entry.hash(&mut hasher));
        if !self.seen.insert(hasher.finish()) {
            self.note(
                "repeated_row",
                "equal to an earlier row in every column but the id; kept",
            );
        }
    }

    fn see_whether_known(&mut self, row: &Row<'_>, column: &str, known: &[&str]) {
        if let Some(text) = row.text(column)
            && !known.contains(&text)
        {
            let rule = format!("{column} is none of {}; kept", known.join(", "));
            self.note(&format!("unknown_{}", column.to_ascii_lowercase()), &rule);
        }
    }

    fn note(&mut self, what: &str, rule: &str) {
        let noted = self.noted.entry(what.to_owned()).or_default();
        noted.rows += 1;
        if noted.rule.is_empty() {
            rule.clone_into(&mut noted.rule);
        }
    }
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

/// Columns that are not `wanted` may hold anything; without, every column must be numeric.
fn numeric(
    rows: &mut Rows,
    id_column: Option<&str>,
    wanted: Option<&[String]>,
) -> Result<TrainingTable, Error> {
    if let Some(id) = id_column {
        rows.require(&[id])?;
    }
    let is_value = |column: &&String| Some(column.as_str()) != id_column;
    let columns: Vec<String> = rows.columns().iter().filter(is_value).cloned().collect();
    let mut table = TrainingTable {
        columns,
        ..TrainingTable::default()
    };
    let mut notes = Notes::default();
    while let Some(row) = rows.next_row()? {
        let values = table.columns.iter().map(|column| match wanted {
            Some(wanted) if !wanted.contains(column) => Ok(None),
            Some(_) | None => row.number(column),
        });
        let values = values.collect::<Result<_, _>>()?;
        notes.see_whether_repeated(&row, id_column);
        let id = id_column
            .and_then(|id| row.text(id))
            .map_or_else(|| row.line.to_string(), str::to_owned);
        table.rows.push(TrainingRow { id, values });
    }
    table.noted = notes.noted;
    Ok(table)
}
