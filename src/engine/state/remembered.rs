//! De-duplication: the accepted events that a record remembers, with what it keeps of each order.

use std::collections::VecDeque;

use crate::domain::categories::CategorySlot;
use crate::domain::purchase::Purchase;
use crate::domain::time::Timestamp;
use crate::engine::state::chunk::ChunkNumber;

/// The most events that a record remembers, which is also the most that the setting `deduplication.ids` may be.
pub const REMEMBERED_MAX: usize = 4096;

/// The identity of one accepted event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RememberedId {
    /// When it happened; the oldest are forgotten first.
    pub occurred_at: Timestamp,
    /// Hash of its id.
    pub event_hash: u64,
    /// Hash of type, order id and refund id, where it has an order.
    pub order_hash: Option<u64>,
}

/// One accepted event.
#[derive(Clone, Debug)]
pub struct RememberedEvent {
    /// Its identity.
    pub id: RememberedId,
    /// What is kept of its order. `None` for an event without one, and where it counts in the sums of its day
    /// already.
    pub purchase: Option<Purchase>,
    /// Where it lies.
    pub chunk: ChunkNumber,
}

/// The greatest event that was forgotten. Events are forgotten in their order, so every event at or below it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Floor {
    /// When it happened. An event at or before this instant is late.
    pub occurred_at: Timestamp,
    /// Hash of its id; 0 where it is not known, and no forgotten event is kept anywhere.
    pub event_hash: u64,
}

impl Floor {
    /// Whether an event was forgotten.
    #[must_use]
    pub fn covers(&self, id: &RememberedId) -> bool {
        (id.occurred_at, id.event_hash) <= (self.occurred_at, self.event_hash)
    }
}

/// The accepted events that a record remembers, and the floor at and below which it has forgotten them.
#[derive(Clone, Debug, Default)]
pub struct RememberedEvents {
    /// Ascending.
    events: VecDeque<RememberedEvent>,
    /// Those of the events, in their order.
    hashes: VecDeque<Hashes>,
    floor: Option<Floor>,
    /// How many lie in the head.
    in_head: usize,
}

/// The hashes of an event, close together, because each new event is compared with all of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hashes {
    pub(super) event: u64,
    /// 0 for an event without an order.
    pub(super) order: u64,
}

impl Hashes {
    pub(super) fn of(id: &RememberedId) -> Self {
        Self {
            event: id.event_hash,
            order: id.order_hash.unwrap_or(0),
        }
    }
}

/// How many events are remembered.
#[expect(missing_debug_implementations, reason = "it holds a function")]
pub struct Limits<'a> {
    /// The setting `deduplication.ids`.
    pub ids: usize,
    /// Whether an instant is on the customer's newest day, or later.
    pub is_of_newest_day: &'a dyn Fn(Timestamp) -> bool,
}

/// Hashes that are compared without a branch between them.
const COMPARED_AT_ONCE: usize = 16;

/// Whether one of the hashes is wanted.
pub(super) fn any(hashes: &[Hashes], is_wanted: impl Fn(&Hashes) -> bool) -> bool {
    let mut runs = hashes.chunks(COMPARED_AT_ONCE);
    runs.any(|run| {
        run.iter()
            .fold(false, |found, each| found | is_wanted(each))
    })
}

impl RememberedEvents {
    /// Puts back what was remembered, in any order, without the forgotten ones.
    #[must_use]
    pub fn restore(mut events: Vec<RememberedEvent>, floor: Option<Floor>) -> Self {
        // They are sorted runs, mostly one after the other, which a stable sort makes use of.
        events.sort_by_key(|event| event.id);
        let in_head = events.iter().filter(|event| event.chunk.is_head()).count();
        let mut hashes = VecDeque::with_capacity(events.capacity());
        hashes.extend(events.iter().map(|event| Hashes::of(&event.id)));
        Self {
            events: events.into(),
            hashes,
            floor,
            in_head,
        }
    }

    /// The event, or the same order under another event id, has been accepted before.
    #[must_use]
    pub fn contains(&self, event_hash: u64, order_hash: Option<u64>) -> bool {
        let (first, second) = self.hashes.as_slices();
        let may_contain = [first, second].into_iter().any(|hashes| match order_hash {
            None => any(hashes, |each| each.event == event_hash),
            Some(order_hash) => any(hashes, |each| {
                (each.event == event_hash) | (each.order == order_hash)
            }),
        });
        may_contain && self.contains_exactly(event_hash, order_hash)
    }

    /// The same, where the hash 0 of an order is not taken for none.
    fn contains_exactly(&self, event_hash: u64, order_hash: Option<u64>) -> bool {
        self.events.iter().any(|event| {
            event.id.event_hash == event_hash
                || (order_hash.is_some() && event.id.order_hash == order_hash)
        })
    }

    /// Number of events.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The greatest event that was forgotten.
    #[must_use]
    pub fn floor(&self) -> Option<Floor> {
        self.floor
    }

    /// Ascending.
    pub fn events(&self) -> impl ExactSizeIterator<Item = &RememberedEvent> + Clone {
        self.events.iter()
    }

    /// Those that lie in the head, ascending.
    pub fn events_in_head(&self) -> impl Iterator<Item = &RememberedEvent> + Clone {
        // Mostly they are the last ones.
        let mut left = self.in_head;
        let mut start = self.events.len();
        for event in self.events.iter().rev() {
            if left == 0 {
                break;
            }
            start -= 1;
            left -= usize::from(event.chunk.is_head());
        }
        let events = self.events.range(start..);
        events.filter(|event| event.chunk.is_head())
    }

    /// Remembers an accepted event. Where more are remembered than the limit, those of the oldest instant are forgotten, all
    /// at once: as an event is late at and before an instant that was forgotten, none is late that is not older than all
    /// remembered ones. Those of the newest day are kept, whatever the limit: files and feeds have the events of a day in
    /// any order. So more than the limit are remembered while too many of them are of the oldest instant or of the newest
    /// day, but never more than [`REMEMBERED_MAX`].
    pub fn insert(
        &mut self,
        event: RememberedEvent,
        limits: &Limits<'_>,
        forget: &mut dyn FnMut(RememberedEvent),
    ) {
        self.in_head += usize::from(event.chunk.is_head());
        let is_latest = self.events.back().is_none_or(|last| last.id < event.id);
        let place = if is_latest {
            self.events.len()
        } else {
            self.events.partition_point(|known| known.id < event.id)
        };
        self.hashes.insert(place, Hashes::of(&event.id));
        self.events.insert(place, event);
        while let Some(oldest) = self.instant_to_forget(limits) {
            while self.instant_at(0) == Some(oldest) {
                self.forget_first(forget);
            }
        }
    }

    /// The oldest instant, if its events are to be forgotten.
    fn instant_to_forget(&self, limits: &Limits<'_>) -> Option<Timestamp> {
        let surplus = self.events.len().checked_sub(limits.ids.max(1))?;
        if surplus == 0 {
            return None;
        }
        let oldest = self.instant_at(0)?;
        // Its events are the first ones: where the surplus ends with another instant's, they all belong to it.
        let is_surplus =
            self.instant_at(surplus) != Some(oldest) && !(limits.is_of_newest_day)(oldest);
        let is_beyond_max = self.events.len() > REMEMBERED_MAX && !self.is_of_one_instant(oldest);
        (is_surplus || is_beyond_max).then_some(oldest)
    }

    fn instant_at(&self, place: usize) -> Option<Timestamp> {
        self.events.get(place).map(|event| event.id.occurred_at)
    }

    fn is_of_one_instant(&self, instant: Timestamp) -> bool {
        let last = self.events.back().map(|event| event.id.occurred_at);
        self.instant_at(0) == Some(instant) && last == Some(instant)
    }

    /// As many events of this instant are remembered as there may be: another one could not be recognised afterwards.
    #[must_use]
    pub fn is_full_of(&self, instant: Timestamp) -> bool {
        self.events.len() >= REMEMBERED_MAX && self.is_of_one_instant(instant)
    }

    fn forget_first(&mut self, forget: &mut dyn FnMut(RememberedEvent)) {
        self.hashes.pop_front();
        let Some(forgotten) = self.events.pop_front() else {
            return;
        };
        self.in_head -= usize::from(forgotten.chunk.is_head());
        let floor = Floor {
            occurred_at: forgotten.id.occurred_at,
            event_hash: forgotten.id.event_hash,
        };
        self.floor = self.floor.max(Some(floor));
        forget(forgotten);
    }

    /// A category was displaced.
    pub fn displace(&mut self, displaced: CategorySlot) {
        let purchases = self.events.iter_mut();
        for purchase in purchases.filter_map(|event| event.purchase.as_mut()) {
            purchase.categories.displace(displaced);
        }
    }

    /// Moves what lies in the head or in one of these chunks into another one.
    pub fn move_into(&mut self, chunk: ChunkNumber, from: &[ChunkNumber]) {
        for event in &mut self.events {
            if event.chunk.is_head() || from.contains(&event.chunk) {
                event.chunk = chunk;
            }
        }
        self.in_head = 0;
    }
}

/// Where events lie, and what is kept of their orders besides the sums, is not compared: it depends on where
/// transactions ended and on the format that a record was read from.
impl PartialEq for RememberedEvents {
    fn eq(&self, other: &Self) -> bool {
        let instant = |floor: Option<Floor>| floor.map(|floor| floor.occurred_at);
        let ids = self.events.iter().map(|event| event.id);
        ids.eq(other.events.iter().map(|event| event.id))
            && instant(self.floor) == instant(other.floor)
    }
}
