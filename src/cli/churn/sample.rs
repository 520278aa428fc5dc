//! The customers that `--sample` names.

use std::collections::BTreeSet;
use std::path::Path;

use crate::cli::learning_source::call;
use crate::dataset;
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
    let mut rows = Rows::open(path)?;
    let named = |column: &&str| rows.columns().iter().any(|known| known == column);
    let column = ["master_id", "customer_id"].into_iter().find(named);
    let Some(column) = column else {
        return Err(dataset::Error::MissingColumn {
            path: path.to_owned(),
            column: "master_id or customer_id".to_owned(),
            found: rows.columns().join(", "),
        }
        .into());
    };
    let mut ids = BTreeSet::new();
    while let Some(row) = rows.next_row()? {
        ids.extend(row.text(column).map(str::to_owned));
    }
    Ok(ids)
}
