//! Any numeric CSV with a header.

use crate::dataset::column::Column;
use crate::dataset::column::Kind;
use crate::dataset::column::Others;
use crate::dataset::error::Error;
use crate::dataset::rows::Rows;
use crate::dataset::table::notes::Notes;
use crate::dataset::table::one_currency::OneCurrency;
use crate::dataset::table::wanted::Wanted;
use crate::learn::preparation::TrainingRow;
use crate::learn::preparation::TrainingTable;

/// The features that are amounts of money.
const AMOUNTS: [&str; 2] = ["income", "total_spending"];

/// Columns that are not wanted may hold anything.
pub(super) fn numeric(
    rows: &mut Rows,
    id_column: Option<&str>,
    wanted: Wanted<'_>,
) -> Result<TrainingTable, Error> {
    let id = id_column.map(|id| Column::required(id, Kind::Id));
    let is_value = |column: &&str| Some(*column) != id_column;
    let columns: Vec<String> = rows.columns().filter(is_value).map(str::to_owned).collect();
    let values = wanted
        .names
        .iter()
        .filter(|name| Some(name.as_str()) != id_column);
    let is_any_there = wanted.names.iter().any(|name| columns.contains(name));
    let values = values.map(|name| {
        let kind = if AMOUNTS.contains(&name.as_str()) {
            Kind::Money
        } else {
            Kind::Number
        };
        Column {
            is_required: !(wanted.may_be_absent && is_any_there),
            ..Column::optional(name, kind)
        }
    });
    let expected: Vec<Column> = id.into_iter().chain(values).collect();
    rows.expect(&expected, Others::Ignored)?;
    let mut table = TrainingTable {
        columns,
        ..TrainingTable::default()
    };
    let amounts = AMOUNTS.into_iter();
    let amounts: Vec<&str> = amounts
        .filter(|name| wanted.names.iter().any(|wanted| wanted == name))
        .collect();
    let mut currency = OneCurrency::default();
    let mut notes = Notes::default();
    while let Some(row) = rows.next_row()? {
        row.refuse_broken()?;
        for amount in &amounts {
            currency.see(&row, amount)?;
        }
        let values = table.columns.iter().map(|column| {
            let is_wanted = wanted.names.contains(column);
            if is_wanted {
                row.number(column)
            } else {
                Ok(None)
            }
        });
        let values = values.collect::<Result<_, _>>()?;
        notes.see_whether_repeated(&row, id_column);
        let id = match id_column {
            Some(id) => {
                let id = row.required(id, "an id", |text| Some(text.to_owned()))?;
                notes.see_id(&id);
                id
            }
            None => row.line.to_string(),
        };
        table.rows.push(TrainingRow { id, values });
    }
    table.noted = notes.noted;
    Ok(table)
}
