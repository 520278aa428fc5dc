//! What lies in the tail of a head or in a chunk: events and sums of days.
//!
//! Numbers are as in [`super::bytes`]; a difference is to the line before, the first one to 0.
//!
//! | line | content |
//! | --- | --- |
//! | number of events | |
//! | an event | difference of its instant in milliseconds; flags; hash of its id, 8 bytes; hash of its order, 8 bytes, if it has one; its purchase, if it is kept |
//! | a purchase | spend; 0: no category; 1: one category that has all of it; n + 1: n categories, each with its spend |
//! | number of sums | |
//! | a sum | difference of its day; channels with orders, a bit each; orders of each of them; orders with a deal; spend |
//!
//! Flags of an event: 1 it has an order, 2 its purchase is kept, 4 a deal, 8 to 32 its channel, 64 and 128 its day, less
//! the day of its instant in UTC, plus 1.

use crate::codec::bytes::push_length;
use crate::codec::bytes::push_number;
use crate::codec::bytes::push_signed;
use crate::codec::bytes::take;
use crate::codec::bytes::take_length;
use crate::codec::bytes::take_number;
use crate::codec::bytes::take_signed;
use crate::codec::bytes::take_small;
use crate::codec::bytes::timestamp;
use crate::codec::frame::CodecError;
use crate::codec::names::SlotReader;
use crate::codec::names::SlotWriter;
use crate::domain::categories::CategorySlot;
use crate::domain::event::Channel;
use crate::domain::ledger::ChannelCounts;
use crate::domain::ledger::Totals;
use crate::domain::money::Money;
use crate::domain::purchase::Purchase;
use crate::domain::purchase::PurchaseCategories;
use crate::domain::time::DAY_MS;
use crate::domain::time::Day;
use crate::engine::state::chunk::ChunkNumber;
use crate::engine::state::layout::DaySum;
use crate::engine::state::remembered::RememberedEvent;
use crate::engine::state::remembered::RememberedId;
use crate::engine::state::seal::Sealing;

const HAS_ORDER: u8 = 1;
const HAS_PURCHASE: u8 = 2;
const IS_DEAL: u8 = 4;
const CHANNEL_SHIFT: u32 = 3;
const CHANNEL_MASK: u8 = 7;
const DAY_SHIFT: u32 = 6;
/// A day of a business zone is at most one before or after that of UTC.
const DAY_BITS_MAX: u8 = 2;
/// Two numbers: no events, no sums.
const EMPTY_TAIL_BYTES: usize = 2;
/// An event takes at least so many bytes: difference, flags and hash.
const EVENT_BYTES_MIN: usize = 10;
/// A record is mostly read because an event has come; it has room for the next ones too.
const NEXT_EVENTS_USUAL: usize = 3;
/// Most lists of categories that are read are shorter.
const CATEGORIES_USUAL: usize = 8;

/// Events and sums, as they are read.
#[derive(Debug, Default)]
pub(super) struct Past {
    pub(super) events: Vec<RememberedEvent>,
    pub(super) sums: Vec<DaySum>,
}

impl Past {
    /// With what is later appended.
    pub(super) fn followed_by(mut self, mut later: Self) -> Self {
        if self.events.is_empty() && self.sums.is_empty() {
            return later;
        }
        let room = later.events.len() + NEXT_EVENTS_USUAL;
        self.events.reserve_exact(room);
        self.events.append(&mut later.events);
        self.sums.append(&mut later.sums);
        self
    }
}

/// So much lies in a tail that it has to be sealed.
pub(super) fn is_too_long(tail_bytes: usize, sealing: Sealing) -> bool {
    tail_bytes > sealing.tail_bytes_max.max(EMPTY_TAIL_BYTES)
}

/// Appends events, ascending, and sums, ascending by day.
pub(super) fn push_past<'a>(
    bytes: &mut Vec<u8>,
    events: impl Iterator<Item = &'a RememberedEvent> + Clone,
    sums: impl Iterator<Item = &'a DaySum> + Clone,
    slots: &mut SlotWriter<'_>,
) -> Result<(), CodecError> {
    push_length(bytes, events.clone().count());
    let mut before = 0;
    for event in events {
        let at_ms = event.id.occurred_at.as_milliseconds();
        push_signed(bytes, at_ms.wrapping_sub(before));
        before = at_ms;
        let mut push_slot = |bytes: &mut Vec<u8>, slot: &CategorySlot| slots.push(bytes, *slot);
        push_event(bytes, &event.id, event.purchase.as_ref(), &mut push_slot)?;
    }
    push_length(bytes, sums.clone().count());
    let mut before = 0;
    for sum in sums {
        push_signed(bytes, i64::from(sum.day.0) - before);
        before = i64::from(sum.day.0);
        push_totals(bytes, &sum.totals);
    }
    Ok(())
}

/// Appends an event without its instant. Its categories are written by `push_category`.
pub(super) fn push_event<C>(
    bytes: &mut Vec<u8>,
    id: &RememberedId,
    purchase: Option<&Purchase<C>>,
    push_category: &mut impl FnMut(&mut Vec<u8>, &C),
) -> Result<(), CodecError> {
    let mut flags = 0;
    if id.order_hash.is_some() {
        flags |= HAS_ORDER;
    }
    if let Some(purchase) = purchase {
        let day = purchase.day.0 - utc_day(id.occurred_at.as_milliseconds())?;
        let day = u8::try_from(day + 1).map_err(|_| CodecError::Content)?;
        if day > DAY_BITS_MAX {
            return Err(CodecError::Content);
        }
        flags |= HAS_PURCHASE | day << DAY_SHIFT | channel_place(purchase.channel) << CHANNEL_SHIFT;
        if purchase.is_deal {
            flags |= IS_DEAL;
        }
    }
    bytes.push(flags);
    bytes.extend_from_slice(&id.event_hash.to_le_bytes());
    if let Some(order_hash) = id.order_hash {
        bytes.extend_from_slice(&order_hash.to_le_bytes());
    }
    if let Some(purchase) = purchase {
        push_signed(bytes, purchase.spend.0);
        push_purchase_categories(bytes, &purchase.categories, push_category);
    }
    Ok(())
}

fn push_purchase_categories<C>(
    bytes: &mut Vec<u8>,
    spent: &PurchaseCategories<C>,
    push_category: &mut impl FnMut(&mut Vec<u8>, &C),
) {
    match spent {
        PurchaseCategories::None => push_number(bytes, 0),
        PurchaseCategories::Whole(category) => {
            push_number(bytes, 1);
            push_category(bytes, category);
        }
        PurchaseCategories::Each(each) => {
            push_length(bytes, each.len() + 1);
            for (category, spend) in each {
                push_category(bytes, category);
                push_signed(bytes, spend.0);
            }
        }
    }
}

/// Appends sums; the number of days is not written.
pub(super) fn push_totals(bytes: &mut Vec<u8>, totals: &Totals) {
    let counts = totals.orders.each();
    let mut channels = 0_u8;
    for (place, count) in counts.iter().enumerate() {
        channels |= u8::from(*count > 0) << place;
    }
    bytes.push(channels);
    for count in counts.iter().filter(|count| **count > 0) {
        push_number(bytes, u64::from(*count));
    }
    push_number(bytes, u64::from(totals.deal_orders));
    push_signed(bytes, totals.spend.0);
}

/// Takes sums of so many days.
pub(super) fn take_totals(bytes: &mut &[u8], days: u32) -> Result<Totals, CodecError> {
    let [channels] = take(bytes)?;
    let mut counts = [0; Channel::ALL.len()];
    if channels >> counts.len() != 0 {
        return Err(CodecError::Content);
    }
    for (place, count) in counts.iter_mut().enumerate() {
        if channels >> place & 1 == 1 {
            *count = take_small(bytes)?;
        }
    }
    Ok(Totals {
        days,
        orders: ChannelCounts::from_each(counts),
        deal_orders: take_small(bytes)?,
        spend: Money(take_signed(bytes)?),
    })
}

/// Takes events and sums, and appends them to `past`.
pub(super) fn take_past(
    bytes: &mut &[u8],
    chunk: ChunkNumber,
    slots: &mut SlotReader<'_>,
    past: &mut Past,
) -> Result<(), CodecError> {
    let events = take_length(bytes)?;
    let room = events.min(bytes.len() / EVENT_BYTES_MIN);
    if past.events.is_empty() {
        past.events.reserve_exact(room + NEXT_EVENTS_USUAL);
    }
    let mut at_ms: i64 = 0;
    for _ in 0..events {
        let opening = EventOpening::take(bytes, &mut at_ms)?;
        let purchase = match opening.purchase_day()? {
            Some(day) => Some(opening.take_purchase(bytes, day, slots)?),
            None => None,
        };
        past.events.push(RememberedEvent {
            id: opening.id,
            purchase,
            chunk,
        });
    }
    take_sums_of_days(bytes, |day, totals| {
        past.sums.push(DaySum { day, totals, chunk })
    })
}

/// Takes sums of days.
pub(super) fn take_sums_of_days(
    bytes: &mut &[u8],
    mut taken: impl FnMut(Day, Totals),
) -> Result<(), CodecError> {
    let sums = take_length(bytes)?;
    let mut day: i64 = 0;
    for _ in 0..sums {
        let difference = take_signed(bytes)?;
        day = day.checked_add(difference).ok_or(CodecError::Content)?;
        let number = i32::try_from(day).map_err(|_| CodecError::Content)?;
        taken(Day(number), take_totals(bytes, 1)?);
    }
    Ok(())
}

/// What stands at the beginning of an event, behind its instant.
pub(super) struct EventOpening {
    pub(super) id: RememberedId,
    flags: u8,
}

impl EventOpening {
    /// Takes it, given the instant before it; the instant becomes the event's own.
    pub(super) fn take(bytes: &mut &[u8], at_ms: &mut i64) -> Result<Self, CodecError> {
        let difference = take_signed(bytes)?;
        *at_ms = at_ms.checked_add(difference).ok_or(CodecError::Content)?;
        let occurred_at = timestamp(*at_ms)?;
        let [flags] = take(bytes)?;
        let event_hash = u64::from_le_bytes(take(bytes)?);
        let order_hash = if flags & HAS_ORDER == 0 {
            None
        } else {
            Some(u64::from_le_bytes(take(bytes)?))
        };
        Ok(Self {
            id: RememberedId {
                occurred_at,
                event_hash,
                order_hash,
            },
            flags,
        })
    }

    /// The day of its purchase; `None` where no purchase follows.
    pub(super) fn purchase_day(&self) -> Result<Option<Day>, CodecError> {
        if self.flags & HAS_PURCHASE == 0 {
            return Ok(None);
        }
        let day_bits = self.flags >> DAY_SHIFT;
        if day_bits > DAY_BITS_MAX {
            return Err(CodecError::Content);
        }
        let day = utc_day(self.id.occurred_at.as_milliseconds())?;
        Ok(Some(Day(day + i32::from(day_bits) - 1)))
    }

    /// Takes the purchase of that day.
    fn take_purchase(
        &self,
        bytes: &mut &[u8],
        day: Day,
        slots: &mut SlotReader<'_>,
    ) -> Result<Purchase, CodecError> {
        let channel = self.flags >> CHANNEL_SHIFT & CHANNEL_MASK;
        let channel = Channel::ALL.get(usize::from(channel));
        let spend = Money(take_signed(bytes)?);
        Ok(Purchase {
            day,
            channel: *channel.ok_or(CodecError::Content)?,
            is_deal: self.flags & IS_DEAL != 0,
            spend,
            categories: take_purchase_categories(bytes, spend, slots)?,
        })
    }
}

fn take_purchase_categories(
    bytes: &mut &[u8],
    spend: Money,
    slots: &mut SlotReader<'_>,
) -> Result<PurchaseCategories, CodecError> {
    match take_number(bytes)? {
        0 => Ok(PurchaseCategories::None),
        1 => {
            let (slot, _) = slots.take(bytes, Some(spend))?;
            Ok(PurchaseCategories::Whole(slot))
        }
        more => {
            let mut each = Vec::with_capacity(CATEGORIES_USUAL);
            for _ in 1..more {
                each.push(slots.take(bytes, None)?);
            }
            Ok(PurchaseCategories::Each(each.into_boxed_slice()))
        }
    }
}

fn utc_day(at_ms: i64) -> Result<i32, CodecError> {
    i32::try_from(at_ms.div_euclid(DAY_MS)).map_err(|_| CodecError::Content)
}

fn channel_place(channel: Channel) -> u8 {
    let place = Channel::ALL.iter().position(|known| *known == channel);
    place
        .and_then(|place| u8::try_from(place).ok())
        .unwrap_or(CHANNEL_MASK)
}
