//! The day ledger: what a customer bought on each purchase day of the business zone.
//!
//! It has sums, counts and sets of days only, so the order in which events arrive does not matter. Days
//! older than the ledger's length are folded into one lifetime summary; days are never merged.
//! docs/TIME_AND_CHURN.md, The ledger.

use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;

use crate::domain::event::Channel;
use crate::domain::event::Order;
use crate::domain::money::Money;
use crate::domain::time::Day;

/// Categories that a record keeps apart; the first by name stay, the rest is [`OTHER_CATEGORY`].
pub const CATEGORIES_MAX: usize = 64;
/// The name under which the remaining categories are summed.
pub const OTHER_CATEGORY: &str = "other";

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
    fn add(&mut self, other: &Self) {
        self.days = self.days.saturating_add(other.days);
        self.orders.add(&other.orders);
        self.deal_orders = self.deal_orders.saturating_add(other.deal_orders);
        self.spend = self.spend.plus(other.spend);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct LedgerDay {
    day: Day,
    totals: Totals,
}

/// Spend of one category on one day, or of the folded days where `day` is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct CategorySpend {
    day: Option<Day>,
    category: CategoryIndex,
    spend: Money,
}

/// A place in the ledger's sorted category names; one past the greatest is the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct CategoryIndex(u8);

impl CategoryIndex {
    const OTHER: Self = Self(u8::MAX);
}

/// The purchase days of one customer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Ascending by day.
    days: Vec<LedgerDay>,
    /// Ascending by day and category; the folded days come first.
    category_spend: Vec<CategorySpend>,
    /// Ascending; shared between copies of a record because it hardly ever changes.
    category_names: Arc<Vec<Box<str>>>,
    /// Days older than the ledger.
    folded: Totals,
}

impl Ledger {
    /// Adds an order to its day.
    pub fn add(&mut self, day: Day, order: &Order<'_>) {
        let place = match self.days.binary_search_by_key(&day, |entry| entry.day) {
            Ok(place) => place,
            Err(place) => {
                let totals = Totals {
                    days: 1,
                    ..Totals::default()
                };
                self.days.insert(place, LedgerDay { day, totals });
                place
            }
        };
        if let Some(LedgerDay { totals, .. }) = self.days.get_mut(place) {
            totals.orders.add_one(order.channel);
            totals.deal_orders = totals.deal_orders.saturating_add(u32::from(order.is_deal));
            totals.spend = totals.spend.plus(order.spend);
        }
        for (category, spend) in &order.category_spend {
            let category = self.category_index(category);
            self.add_category_spend(CategorySpend {
                day: Some(day),
                category,
                spend: *spend,
            });
        }
    }

    /// Folds every day before `first_kept` into the lifetime summary.
    pub fn fold_before(&mut self, first_kept: Day) {
        let folded_days = self.days.partition_point(|entry| entry.day < first_kept);
        if folded_days == 0 {
            return;
        }
        for entry in self.days.drain(..folded_days) {
            self.folded.add(&entry.totals);
        }
        let is_folded = |entry: &CategorySpend| entry.day.is_none_or(|day| day < first_kept);
        let (folded, kept): (Vec<CategorySpend>, Vec<CategorySpend>) =
            std::mem::take(&mut self.category_spend)
                .into_iter()
                .partition(is_folded);
        self.category_spend = kept;
        for entry in folded {
            self.add_category_spend(CategorySpend { day: None, ..entry });
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
        let kept = u32::try_from(self.days.len()).unwrap_or(u32::MAX);
        self.folded.days.saturating_add(kept)
    }

    /// What was bought on `first` and later; since ever where it is `None`.
    #[must_use]
    pub fn totals_since(&self, first: Option<Day>) -> Totals {
        let mut totals = if first.is_none() {
            self.folded
        } else {
            Totals::default()
        };
        let start = first.map_or(0, |first| {
            self.days.partition_point(|entry| entry.day < first)
        });
        for entry in self.days.iter().skip(start) {
            totals.add(&entry.totals);
        }
        totals
    }

    /// Spend by category since ever, ascending by name with the rest last.
    #[must_use]
    pub fn spend_by_category(&self) -> Vec<(&str, Money)> {
        let mut sums: Vec<(CategoryIndex, Money)> = Vec::new();
        for entry in &self.category_spend {
            match sums
                .iter_mut()
                .find(|(category, _)| *category == entry.category)
            {
                Some((_, sum)) => *sum = sum.plus(entry.spend),
                None => sums.push((entry.category, entry.spend)),
            }
        }
        sums.sort_by_key(|(category, _)| *category);
        sums.into_iter()
            .map(|(category, sum)| (self.category_name(category), sum))
            .collect()
    }

    fn category_name(&self, category: CategoryIndex) -> &str {
        self.category_names
            .get(usize::from(category.0))
            .map_or(OTHER_CATEGORY, |name| name)
    }

    fn add_category_spend(&mut self, more: CategorySpend) {
        let key = |entry: &CategorySpend| (entry.day, entry.category);
        match self.category_spend.binary_search_by_key(&key(&more), key) {
            Ok(place) => {
                if let Some(entry) = self.category_spend.get_mut(place) {
                    entry.spend = entry.spend.plus(more.spend);
                }
            }
            Err(place) => self.category_spend.insert(place, more),
        }
    }

    /// The index of a category; adds it if there is room. Of all names ever seen the first 64 by name are
    /// kept. A name that was removed can never return, so the order of arrival does not matter.
    fn category_index(&mut self, name: &str) -> CategoryIndex {
        if name == OTHER_CATEGORY {
            return CategoryIndex::OTHER;
        }
        let place = match self
            .category_names
            .binary_search_by(|known| (**known).cmp(name))
        {
            Ok(place) => return index(place),
            Err(place) => place,
        };
        if place >= CATEGORIES_MAX {
            return CategoryIndex::OTHER;
        }
        let names = Arc::make_mut(&mut self.category_names);
        names.insert(place, name.into());
        let overflows = names.len() > CATEGORIES_MAX;
        names.truncate(CATEGORIES_MAX);
        self.renumber_from(index(place), overflows);
        index(place)
    }

    fn renumber_from(&mut self, first: CategoryIndex, overflows: bool) {
        let last = index(CATEGORIES_MAX - 1);
        let mut pushed_out = Vec::new();
        self.category_spend.retain_mut(|entry| {
            if entry.category == CategoryIndex::OTHER || entry.category < first {
                return true;
            }
            if overflows && entry.category == last {
                pushed_out.push(CategorySpend {
                    category: CategoryIndex::OTHER,
                    ..*entry
                });
                return false;
            }
            entry.category = CategoryIndex(entry.category.0 + 1);
            true
        });
        for entry in pushed_out {
            self.add_category_spend(entry);
        }
    }
}

fn index(place: usize) -> CategoryIndex {
    u8::try_from(place).map_or(CategoryIndex::OTHER, CategoryIndex)
}
