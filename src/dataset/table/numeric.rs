//! Any numeric CSV with a header.

use crate::dataset::column::Column;
use crate::dataset::column::Kind;
use crate::dataset::column::Others;
use crate::dataset::error::Error;
use crate::dataset::rows::Rows;
use crate::dataset::table::notes::Notes;
use crate::learn::preparation::TrainingRow;
use crate::learn::preparation::TrainingTable;

/// Columns that are not `wanted` may hold anything; without, every column must be numeric.
pub(super) fn numeric(
    rows: &mut Rows,
    id_column: Option<&str>,
    wanted: Option<&[String]>,
) -> Result<TrainingTable, Error> {
    let id = id_column.map(|id| Column::required(id, Kind::Id));
    let is_value = |column: &&str| Some(*column) != id_column;
    let columns: Vec<String> = rows.columns().filter(is_value).map(str::to_owned).collect();
    let is_wanted = |column: &&String| wanted.is_none_or(|wanted| wanted.contains(column));
    let values = columns.iter().filter(is_wanted);
    let values = values.map(|column| Column::optional(column, Kind::Number));
    let expected: Vec<Column> = id.into_iter().chain(values).collect();
    rows.expect(&expected, Others::Ignored)?;
    let mut table = TrainingTable {
        columns,
        ..TrainingTable::default()
    };
    let mut notes = Notes::default();
    while let Some(row) = rows.next_row()? {
        row.refuse_broken()?;
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
