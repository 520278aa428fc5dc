//! The deadline index of a partition: the committed records by deadline, the earliest first.
//!
//! A record that is not on disk has an entry of its own. Records on disk share one entry for each page, its
//! earliest deadline, so that a million customers cost about ten thousand entries. A page that is due is read,
//! which the evaluation of its records needs anyway. Everything here can be computed from the records.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

use crate::domain::ids::CustomerId;
use crate::domain::time::Timestamp;
use crate::domain::time::earlier;

/// A page's key.
pub(super) type PageKey = Arc<[u8]>;

#[derive(Clone, Debug, Default)]
pub(super) struct Deadlines {
    dirty: BTreeSet<(Timestamp, CustomerId)>,
    pages: BTreeSet<(Timestamp, PageKey)>,
    by_page: BTreeMap<PageKey, Timestamp>,
}

impl Deadlines {
    /// A record that is not on disk has this deadline now.
    pub(super) fn add(&mut self, deadline: Timestamp, customer_id: CustomerId) {
        self.dirty.insert((deadline, customer_id));
    }

    /// The record that had this deadline is replaced, or on disk.
    pub(super) fn remove(&mut self, deadline: Timestamp, customer_id: &CustomerId) {
        self.dirty.remove(&(deadline, customer_id.clone()));
    }

    /// No record of a page that is the newest of its customer is due before.
    pub(super) fn set_page(&mut self, key: &[u8], earliest: Option<Timestamp>) {
        let known = self.by_page.get_key_value(key);
        if let Some((key, before)) = known.map(|(key, before)| (Arc::clone(key), *before)) {
            if Some(before) == earliest {
                return;
            }
            self.pages.remove(&(before, Arc::clone(&key)));
            match earliest {
                Some(at) => {
                    self.pages.insert((at, Arc::clone(&key)));
                    self.by_page.insert(key, at);
                }
                None => {
                    self.by_page.remove(&key);
                }
            }
        } else if let Some(at) = earliest {
            let key: PageKey = Arc::from(key);
            self.pages.insert((at, Arc::clone(&key)));
            self.by_page.insert(key, at);
        }
    }

    /// Records with this earliest deadline have come into a page.
    pub(super) fn add_to_page(&mut self, key: &[u8], deadline: Option<Timestamp>) {
        let known = self.by_page.get(key).copied();
        self.set_page(key, earlier(known, deadline));
    }

    /// Customers whose records are not on disk and due by then, the earliest first.
    pub(super) fn due_dirty(&self, by: Timestamp) -> impl Iterator<Item = &CustomerId> {
        let due = self.dirty.iter().take_while(move |(at, _)| *at <= by);
        due.map(|(_, customer_id)| customer_id)
    }

    /// The page with the earliest deadline after this entry, if that is due.
    pub(super) fn next_page(
        &self,
        after: Option<&(Timestamp, PageKey)>,
        by: Timestamp,
    ) -> Option<(Timestamp, PageKey)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let next = self.pages.range((from, Bound::Unbounded)).next()?;
        (next.0 <= by).then(|| next.clone())
    }

    /// Nothing is due before.
    pub(super) fn earliest(&self) -> Option<Timestamp> {
        let dirty = self.dirty.first().map(|(at, _)| *at);
        let written = self.pages.first().map(|(at, _)| *at);
        earlier(dirty, written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_milliseconds(milliseconds).unwrap()
    }

    #[test]
    fn a_page_counts_with_the_deadline_it_was_given_last() {
        let mut deadlines = Deadlines::default();
        deadlines.set_page(b"a", Some(at(5)));
        deadlines.set_page(b"b", Some(at(3)));
        deadlines.set_page(b"a", Some(at(9)));
        deadlines.set_page(b"b", None);
        assert_eq!(deadlines.earliest(), Some(at(9)));
        assert_eq!(deadlines.next_page(None, at(8)), None);
        let found = deadlines.next_page(None, at(9)).unwrap();
        assert_eq!((found.0, &*found.1), (at(9), b"a".as_slice()));
        assert_eq!(deadlines.next_page(Some(&found), at(99)), None);
    }

    #[test]
    fn records_that_are_not_on_disk_come_in_the_order_of_their_deadlines() {
        let mut deadlines = Deadlines::default();
        for (deadline, id) in [(7, "c"), (2, "a"), (4, "b")] {
            deadlines.add(at(deadline), CustomerId::new(id));
        }
        deadlines.remove(at(2), &CustomerId::new("a"));
        let due: Vec<&str> = deadlines.due_dirty(at(6)).map(CustomerId::as_str).collect();
        assert_eq!(due, ["b"]);
        assert_eq!(deadlines.earliest(), Some(at(4)));
    }
}
