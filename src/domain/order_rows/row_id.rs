//! Order ids for a file that has none.

use std::collections::HashMap;

use crate::domain::ids::stable_hash;
use crate::domain::order_rows::row::OrderRow;

/// Makes an order id of what a row says and of its number among the equal rows of the file. Neither the other columns nor their
/// order, the encoding or the place in the file change it, so a file that has rows of an earlier one changes nothing by them.
#[derive(Debug, Default)]
pub struct RowIds {
    equal_rows: HashMap<u64, u64>,
}

impl RowIds {
    /// The order id of the next row.
    pub fn next_id(&mut self, row: &OrderRow) -> String {
        let hash = stated_hash(row);
        let number = self.equal_rows.entry(hash).or_default();
        *number += 1;
        format!("row-{hash:016x}-{number}")
    }
}

/// A hash of what a row says, but for its order id and what is not read. It never changes between versions.
pub(super) fn stated_hash(row: &OrderRow) -> u64 {
    let stated = |text: &Option<String>| {
        text.as_ref()
            .map_or_else(String::new, |text| format!("={text}"))
    };
    stable_hash(&[
        &stated(&row.customer_id),
        &row.occurred_at.to_string(),
        &row.amount.to_string(),
        &row.currency,
        &stated(&row.channel),
        &stated(&row.category),
        &stated(&row.discount.map(|discount| discount.to_string())),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::money::Decimal;
    use crate::domain::time::Timestamp;

    fn row(line: u64, customer_id: &str, amount: &str) -> OrderRow {
        OrderRow {
            line,
            customer_id: Some(customer_id.to_owned()),
            order_id: String::new(),
            occurred_at: Timestamp::default(),
            amount: Decimal::parse(amount).expect("a decimal").into(),
            currency: "USD".to_owned(),
            channel: None,
            category: None,
            discount: None,
            rest: line,
        }
    }

    #[test]
    fn equal_rows_are_numbered_and_their_place_and_zeros_do_not_matter() {
        let ids = |rows: &[OrderRow]| {
            let mut ids = RowIds::default();
            rows.iter()
                .map(|row| ids.next_id(row))
                .collect::<Vec<String>>()
        };
        let first = ids(&[row(2, "c1", "10.00"), row(3, "c1", "10"), row(4, "c2", "5")]);
        assert_eq!(first[0].strip_suffix('1'), first[1].strip_suffix('2'));
        let second = ids(&[
            row(7, "c2", "5.0"),
            row(8, "c3", "1"),
            row(9, "c1", "1e1"),
            row(10, "c1", "10.0"),
            row(11, "c1", "10"),
        ]);
        for id in &first {
            assert!(second.contains(id), "{id} {second:?}");
        }
        assert!(!first.contains(&second[4]), "a third equal row is new");
    }

    #[test]
    fn a_row_id_never_changes_between_versions() {
        // Computed once with this function: files that were replayed by earlier versions made these ids.
        let id = RowIds::default().next_id(&row(2, "c1", "10.00"));
        assert_eq!(id, "row-c08ca6d943b1652d-1");
    }
}
