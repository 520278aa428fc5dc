//! Notes on rows that are kept.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;

use crate::dataset::row::Row;
use crate::learn::analysis::Noted;

/// The note of rows whose id an earlier row has.
pub const REPEATED_ID: &str = "repeated_id";

/// Notes on rows that are kept.
#[derive(Default)]
pub(super) struct Notes {
    seen: HashSet<u64>,
    ids: HashSet<String>,
    pub(super) noted: BTreeMap<String, Noted>,
}

impl Notes {
    /// Equal in every column that has a name, but for the id, to an earlier row: real in some data, a fault of the export in other.
    pub(super) fn see_whether_repeated(&mut self, row: &Row<'_>, id_column: Option<&str>) {
        let mut hasher = DefaultHasher::new();
        let id = id_column.and_then(|id| row.place(id));
        row.headed()
            .filter(|(place, _, _)| Some(*place) != id)
            .for_each(|cell| cell.hash(&mut hasher));
        if !self.seen.insert(hasher.finish()) {
            self.note(
                "repeated_row",
                "equal to an earlier row in every column that has a name, but for the id; kept",
            );
        }
    }

    /// A row is taken for a customer, so an id that is there twice is one of rows of orders, or a fault of the export.
    pub(super) fn see_id(&mut self, id: &str) {
        if !self.ids.insert(id.to_owned()) {
            self.note(
                REPEATED_ID,
                "the id is that of an earlier row, and each row is taken for a customer; customers with several orders each are \
                 learnt from by `replay` and `train --format state`; kept",
            );
        }
    }

    pub(super) fn see_whether_known(&mut self, row: &Row<'_>, column: &str, known: &[&str]) {
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
