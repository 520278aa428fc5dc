//! The customers that `--sample` names.

use std::collections::BTreeSet;
use std::path::Path;

use crate::cli::learning_source::call;
use crate::dataset;
use crate::dataset::Column;
use crate::dataset::Kind;
use crate::dataset::Options;
use crate::dataset::Others;
use crate::dataset::Rows;

/// The message quotes an id of the data, not of the sample: the operator can read the sample.
pub(super) fn none_of_sample(known: &str) -> anyhow::Error {
    let digits: String = known
        .chars()
        .map(|character| {
            if character.is_ascii_digit() {
                '0'
            } else {
                character
            }
        })
        .collect();
    call(&format!(
        "no id of --sample is among the customers, whose ids look like {digits:?}: are leading zeros missing?"
    ))
}

pub(super) fn sample_ids(path: &Path) -> anyhow::Result<BTreeSet<String>> {
    let mut rows = Rows::open(path, &Options::default())?;
    let column = ["master_id", "customer_id"];
    let column = column.into_iter().find(|column| rows.has(column));
    let Some(column) = column else {
        return Err(dataset::Error::from(dataset::ColumnError::MissingColumn {
            path: path.to_owned(),
            column: "\"master_id\" or \"customer_id\"".to_owned(),
            found: rows.columns().collect::<Vec<_>>().join(", "),
            hint: String::new(),
        })
        .into());
    };
    rows.expect(&[Column::required(column, Kind::Id)], Others::Ignored)?;
    let mut ids = BTreeSet::new();
    while let Some(row) = rows.next_row()? {
        ids.extend(row.text(column).map(str::to_owned));
    }
    Ok(ids)
}
