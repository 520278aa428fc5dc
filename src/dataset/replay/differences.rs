//! In which column rows of one order differ that are equal in every column that is read.

use std::collections::BTreeMap;

use crate::dataset::error::Error;
use crate::dataset::rows::Rows;
use crate::domain::order_rows::OtherRow;
use crate::domain::order_rows::Refused;

/// Columns that are read and of which the rows keep the product only.
const FACTORS: [&str; 2] = ["quantity", "price"];

type Texts = BTreeMap<String, String>;

/// Names the columns from the file: while orders are made of its rows, other columns are not kept.
///
/// # Errors
/// If the rows cannot be read again.
pub(super) fn name_differences(rows: &mut Rows, refused: &mut [Refused]) -> Result<(), Error> {
    let mut texts: BTreeMap<u64, Texts> = BTreeMap::new();
    for row in refused.iter() {
        if let Some(OtherRow::Differs(other)) = row.other {
            texts.insert(row.line, Texts::new());
            texts.insert(other, Texts::new());
        }
    }
    if texts.is_empty() {
        return Ok(());
    }
    rows.rewind()?;
    while let Some(row) = rows.next_row()? {
        let Some(texts) = texts.get_mut(&row.line) else {
            continue;
        };
        let factors = FACTORS
            .into_iter()
            .filter_map(|name| Some((name, row.text(name)?)));
        let known = row.others().chain(factors);
        texts.extend(known.map(|(name, text)| (name.to_owned(), text.to_owned())));
    }
    for row in refused {
        let Some(OtherRow::Differs(other)) = row.other else {
            continue;
        };
        let (Some(this), Some(other)) = (texts.get(&row.line), texts.get(&other)) else {
            continue;
        };
        let text = |texts: &Texts, name: &str| texts.get(name).cloned().unwrap_or_default();
        let mut names = this.keys().chain(other.keys());
        if let Some(name) = names.find(|name| this.get(*name) != other.get(*name)) {
            row.name_difference(name, (&text(this, name), &text(other, name)));
        }
    }
    Ok(())
}
