//! A record whose past is not read: most events need no more of it than which events are remembered, and when the last
//! one was.

use smol_str::SmolStr;

use crate::domain::categories::CATEGORIES_MAX;
use crate::domain::event::CustomerEvent;
use crate::domain::event::EventBody;
use crate::domain::purchase::Purchase;
use crate::domain::time::Day;
use crate::domain::time::Timestamp;
use crate::engine::state::remembered::Hashes;
use crate::engine::state::remembered::RememberedEvent;
use crate::engine::state::remembered::RememberedId;
use crate::engine::state::remembered::any;

/// What is known of the past of an abridged record. The record's remembered events, the days of its ledger, its
/// categories and its sums of days are empty meanwhile; everything else in it is as it is in a whole record.
#[derive(Clone, Debug, Default)]
pub struct Abridged {
    hashes: Vec<Hashes>,
    newest_at: Option<Timestamp>,
    last_day: Option<Day>,
    categories_max: usize,
    /// What lies in the head, as it is written.
    pub tail: Tail,
    /// Events since the head was written, ascending.
    pub added: Vec<AddedEvent>,
}

/// What lies in a head, in the bytes of the codec.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tail {
    /// Number of events.
    pub events: usize,
    /// The events.
    pub event_bytes: Vec<u8>,
    /// The instant of the last event, which the next one's is written relative to.
    pub last_at_ms: i64,
    /// The sums of days; `None` for no sums.
    pub sum_bytes: Option<Box<[u8]>>,
}

/// An event that is later than everything in the past of its record.
#[derive(Clone, Debug)]
pub struct AddedEvent {
    /// Its identity.
    pub id: RememberedId,
    /// Its order, if it has one.
    pub purchase: Option<Purchase<SmolStr>>,
}

impl Abridged {
    /// What is known of these events, of which none lies in the head, given the last day with a purchase and the number of
    /// names of categories.
    pub fn of<'a>(
        events: impl ExactSizeIterator<Item = &'a RememberedEvent>,
        last_day: Option<Day>,
        categories: usize,
    ) -> Self {
        let mut abridged = Self {
            // There is room for the next one.
            hashes: Vec::with_capacity(events.len() + 1),
            last_day,
            categories_max: categories,
            ..Self::default()
        };
        events.for_each(|event| abridged.remember(&event.id));
        abridged
    }

    /// What lies in the head lies in a chunk now. There are so many names of categories.
    pub fn sealed(&mut self, categories: usize) {
        self.tail = Tail::default();
        self.categories_max = categories;
    }

    /// A remembered event is in the past.
    pub fn remember(&mut self, id: &RememberedId) {
        self.hashes.push(Hashes::of(id));
        self.newest_at = self.newest_at.max(Some(id.occurred_at));
    }

    /// There was a purchase on this day.
    pub fn purchased_on(&mut self, day: Day) {
        self.last_day = self.last_day.max(Some(day));
    }

    /// There are at most so many more names of categories.
    pub fn count_categories(&mut self, names: usize) {
        self.categories_max += names;
    }

    /// Number of remembered events.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.hashes.len()
    }

    /// The event, or the same order under another event id, has been accepted before.
    #[must_use]
    pub fn contains(&self, event_hash: u64, order_hash: Option<u64>) -> bool {
        // The hash 0 stands for no order.
        let order_hash = order_hash.unwrap_or(0);
        any(&self.hashes, |each| {
            (each.event == event_hash) | ((each.order == order_hash) & (order_hash != 0))
        })
    }

    /// The event must be folded into the whole record: it is not later than all others, something is to be forgotten, or a
    /// category may have to make room.
    #[must_use]
    pub fn needs_past(&self, event: &CustomerEvent<'_>, remembered_ids: usize) -> bool {
        let lines = match &event.body {
            EventBody::OrderCompleted(order) => order.category_spend.len(),
            EventBody::CustomerUpdated(_) | EventBody::NotProcessed(_) => 0,
        };
        self.newest_at >= Some(event.occurred_at)
            || self.hashes.len() >= remembered_ids
            || self.categories_max + lines > CATEGORIES_MAX
    }

    /// Adds an event that needs no past.
    pub fn add(&mut self, id: RememberedId, purchase: Option<Purchase<SmolStr>>) {
        self.remember(&id);
        if let Some(purchase) = &purchase {
            self.purchased_on(purchase.day);
            self.count_categories(purchase.categories.count());
        }
        self.added.push(AddedEvent { id, purchase });
    }

    /// Nothing was bought yet on the day of an event that needs no past: that day is not before the last one with a
    /// purchase.
    #[must_use]
    pub fn is_new_day(&self, day: Day) -> bool {
        self.last_day < Some(day)
    }
}
