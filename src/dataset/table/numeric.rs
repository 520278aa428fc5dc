//! Any numeric CSV with a header.

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
