//! The day ledger: what a customer bought on each purchase day of the business zone.
//!
//! It has sums, counts and sets of days only, so the order in which events arrive does not matter. Days
//! older than the ledger's length count in the sums since ever alone; days are never merged.
//! docs/TIME_AND_CHURN.md, The ledger.

use serde::Deserialize;
use serde::Serialize;

use crate::domain::event::Channel;
use crate::domain::money::Money;
use crate::domain::time::Day;

/// Orders by channel, in the order of [`Channel::ALL`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelCounts([u32; Channel::ALL.len()]);

impl ChannelCounts {
    fn add_one(&mut self, channel: Channel) {
        for (count, known) in self.0.iter_mut().zip(Channel::ALL) {
            *count = count.saturating_add(u32::from(known == channel));
        }
    }

    fn add(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count = count.saturating_add(more);
        }
    }

    /// The counts in the order of [`Channel::ALL`].
    #[must_use]
    pub fn each(&self) -> [u32; Channel::ALL.len()] {
        self.0
    }

    /// From the counts in the order of [`Channel::ALL`].
    #[must_use]
    pub fn from_each(counts: [u32; Channel::ALL.len()]) -> Self {
        Self(counts)
    }

    /// Orders of one channel.
    #[must_use]
    pub fn of(&self, channel: Channel) -> u32 {
        let counts = Channel::ALL.iter().zip(self.0);
        counts
            .filter(|(known, _)| **known == channel)
            .map(|(_, count)| count)
            .sum()
    }

    /// Orders of all channels.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().map(|count| u64::from(*count)).sum()
    }
}

/// What was bought in a span of days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Days with at least one order.
    pub days: u32,
    /// Accepted orders by channel.
    pub orders: ChannelCounts,
    /// Orders with a coupon or a discount.
    pub deal_orders: u32,
    /// Net spend.
    pub spend: Money,
}

impl Totals {
    /// Of one order.
    #[must_use]
    pub fn of_order(channel: Channel, is_deal: bool, spend: Money) -> Self {
        let mut orders = ChannelCounts::default();
        orders.add_one(channel);
        Self {
            days: 1,
            orders,
            deal_orders: u32::from(is_deal),
            spend,
        }
    }

    /// Adds what was bought on other days.
    pub fn add(&mut self, other: &Self) {
        self.days = self.days.saturating_add(other.days);
        self.orders.add(&other.orders);
        self.deal_orders = self.deal_orders.saturating_add(other.deal_orders);
        self.spend = self.spend.plus(other.spend);
    }

    /// Adds what was bought on the same day.
    pub fn add_of_same_day(&mut self, other: &Self) {
        let days = self.days;
        self.add(other);
        self.days = days;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct LedgerDay {
    day: Day,
    totals: Totals,
}

/// The purchase days of one customer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Ascending by day; those that are kept apart.
    days: Vec<LedgerDay>,
    /// Of all days since ever.
    lifetime: Totals,
}

impl Ledger {
    /// A ledger without days whose sums since ever are these. What [`Self::restore_day`] adds is part of them.
    #[must_use]
    pub fn with_lifetime(lifetime: Totals) -> Self {
        Self {
            days: Vec::new(),
            lifetime,
        }
    }

    /// Makes room for so many more days.
    pub fn reserve(&mut self, days: usize) {
        self.days.reserve(days);
    }

    /// Adds an order to its day, and to the sums since ever.
    pub fn add(&mut self, day: Day, order: &Totals) {
        let is_new_day = self.add_to_day(day, order);
        self.add_to_sums(order, is_new_day);
    }

    /// Adds an order to the sums since ever alone, given whether it is the first of its day.
    pub fn add_to_sums(&mut self, order: &Totals, is_new_day: bool) {
        if is_new_day {
            self.lifetime.add(order);
        } else {
            self.lifetime.add_of_same_day(order);
        }
    }

    /// Puts back what was bought on a day, or a part of it.
    pub fn restore_day(&mut self, day: Day, totals: &Totals) {
        self.add_to_day(day, totals);
    }

    /// `true` for the first purchase of a day.
    fn add_to_day(&mut self, day: Day, more: &Totals) -> bool {
        // Most purchases are of the last day, or of a later one.
        let place = match self.days.last() {
            Some(last) if last.day < day => Err(self.days.len()),
            Some(last) if last.day == day => Ok(self.days.len() - 1),
            Some(_) | None => self.days.binary_search_by_key(&day, |entry| entry.day),
        };
        match place {
            Ok(place) => {
                if let Some(entry) = self.days.get_mut(place) {
                    entry.totals.add_of_same_day(more);
                }
                false
            }
            Err(place) => {
                let totals = Totals { days: 1, ..*more };
                self.days.insert(place, LedgerDay { day, totals });
                true
            }
        }
    }

    /// Every day before `first_kept` counts in the sums since ever alone from now on.
    pub fn keep_since(&mut self, first_kept: Day) {
        let older = self.days.partition_point(|entry| entry.day < first_kept);
        if older > 0 {
            self.days.drain(..older);
        }
    }

    /// The first purchase day on `first` or later, of those the ledger still keeps apart.
    #[must_use]
    pub fn first_day_since(&self, first: Day) -> Option<Day> {
        let place = self.days.partition_point(|entry| entry.day < first);
        self.days.get(place).map(|entry| entry.day)
    }

    /// Purchase days that are kept apart, ascending.
    pub fn days(&self) -> impl Iterator<Item = Day> {
        self.days.iter().map(|entry| entry.day)
    }

    /// Purchase days since ever.
    #[must_use]
    pub fn purchase_days(&self) -> u32 {
        self.lifetime.days
    }

    /// What was bought on `first` and later; since ever where it is `None`.
    #[must_use]
    pub fn totals_since(&self, first: Option<Day>) -> Totals {
        let Some(first) = first else {
            return self.lifetime;
        };
        let start = self.days.partition_point(|entry| entry.day < first);
        let mut totals = Totals::default();
        for entry in self.days.iter().skip(start) {
            totals.add(&entry.totals);
        }
        totals
    }
}
