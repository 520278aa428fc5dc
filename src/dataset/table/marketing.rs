//! The Kaggle file "marketing campaign".

use crate::dataset::column::Column;
use crate::dataset::column::Kind;
use crate::dataset::column::Others;
use crate::dataset::column_error::ColumnError;
use crate::dataset::error::Error;
use crate::dataset::row::Row;
use crate::dataset::rows::Rows;
use crate::dataset::table::notes::Notes;
use crate::dataset::table::one_currency::OneCurrency;
use crate::dataset::table::wanted::Wanted;
use crate::domain::nearest::did_you_mean;
use crate::domain::time::Day;
use crate::learn::preparation::TrainingRow;
use crate::learn::preparation::TrainingTable;

/// The day after the last enrolment in the marketing data; its ages count from this year.
pub const MARKETING_REFERENCE_YEAR: i32 = 2014;
const REFERENCE_MONTH_DAY: (i8, i8) = (6, 30);
const INCOME: &str = "Income";
const MARKETING_COLUMNS: [(&str, &str); 6] = [
    ("income", INCOME),
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

pub(super) fn marketing(rows: &mut Rows, wanted: Wanted<'_>) -> Result<TrainingTable, Error> {
    rows.expect(&expected(), Others::Ignored)?;
    let columns = DERIVED_COLUMNS
        .iter()
        .chain(MARKETING_COLUMNS.iter().map(|(name, _)| name));
    let columns: Vec<String> = columns.map(|name| (*name).to_owned()).collect();
    let absent = wanted.names.iter();
    let absent: Vec<&String> = absent.filter(|name| !columns.contains(*name)).collect();
    let is_any_there = absent.len() < wanted.names.len();
    if let (Some(first), false) = (absent.first(), wanted.may_be_absent && is_any_there) {
        let names = absent.iter().map(|name| format!("{name:?}"));
        return Err(Error::from(ColumnError::NoSuchFeature {
            names: names.collect::<Vec<String>>().join(", "),
            similar: did_you_mean(first, columns.iter().map(String::as_str)),
            known: columns.join(", "),
        }));
    }
    let mut table = TrainingTable {
        columns,
        reference_year: Some(MARKETING_REFERENCE_YEAR),
        ..TrainingTable::default()
    };
    let mut currency = OneCurrency::default();
    let mut notes = Notes::default();
    while let Some(row) = rows.next_row()? {
        row.refuse_broken()?;
        currency.see(&row, INCOME)?;
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

fn expected() -> Vec<Column> {
    let mut expected = vec![
        Column::required("ID", Kind::Id),
        Column::required("Dt_Customer", Kind::Day).day_first(),
    ];
    let named = MARKETING_COLUMNS.iter().map(|(_, column)| *column);
    let needed = ["Year_Birth", "NumDealsPurchases"].into_iter();
    let needed = needed.chain(named).chain(SPENDING_COLUMNS);
    expected.extend(needed.map(|column| {
        let is_money = column == INCOME || SPENDING_COLUMNS.contains(&column);
        let kind = if is_money { Kind::Money } else { Kind::Number };
        Column::required(column, kind)
    }));
    let wished = ["Kidhome", "Teenhome"].into_iter().chain(CAMPAIGN_COLUMNS);
    expected.extend(wished.map(|column| Column::optional(column, Kind::Number)));
    let texts = ["Marital_Status", "Education"];
    expected.extend(texts.map(|column| Column::optional(column, Kind::Text)));
    expected
}

/// `None` where one is missing.
fn sum(row: &Row<'_>, columns: &[&str]) -> Result<Option<f64>, Error> {
    let mut sum = Some(0.0);
    for column in columns {
        sum = sum.zip(row.number(column)?).map(|(sum, value)| sum + value);
    }
    Ok(sum)
}

fn tenure(row: &Row<'_>) -> Result<Option<f64>, Error> {
    let year = i16::try_from(MARKETING_REFERENCE_YEAR).unwrap_or_default();
    let (month, day) = REFERENCE_MONTH_DAY;
    let joined = row.day("Dt_Customer")?;
    let reference = Day::from_date(year, month, day);
    Ok(joined
        .zip(reference)
        .map(|(joined, reference)| f64::from(reference.days_after(joined))))
}
