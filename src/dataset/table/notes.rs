//! Notes on rows that are kept.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;

use crate::dataset::row::Row;
use crate::learn::analysis::Noted;

/// Notes on rows that are kept.
#[derive(Default)]
pub(super) struct Notes {
    seen: HashSet<u64>,
    pub(super) noted: BTreeMap<String, Noted>,
}

impl Notes {
    /// Equal in every column but the id to an earlier row: real in some data, a fault of the export in other.
    pub(super) fn see_whether_repeated(&mut self, row: &Row<'_>, id_column: Option<&str>) {
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
