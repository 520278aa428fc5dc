//! What a customer's record keeps of one order while its event is remembered.

use crate::domain::categories::CategorySlot;
use crate::domain::event::Channel;
use crate::domain::ledger::Totals;
use crate::domain::money::Money;
use crate::domain::time::Day;

/// One order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purchase<C = CategorySlot> {
    /// Its day in the business zone.
    pub day: Day,
    /// Where it was bought.
    pub channel: Channel,
    /// Bought with a coupon or a discount.
    pub is_deal: bool,
    /// Net spend.
    pub spend: Money,
    /// Spend by category.
    pub categories: PurchaseCategories<C>,
}

/// Spend of one order by category.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PurchaseCategories<C = CategorySlot> {
    /// The order names no category.
    #[default]
    None,
    /// All of its spend is of this one.
    Whole(C),
    /// Each category once, but for those that are not kept apart any more.
    Each(Box<[(C, Money)]>),
}

impl<C: PartialEq> PurchaseCategories<C> {
    /// The spend of an order by category; a category may be there several times.
    #[must_use]
    pub fn of(spend: Money, mut lines: impl ExactSizeIterator<Item = (C, Money)>) -> Self {
        let Some(first) = lines.next() else {
            return Self::None;
        };
        if lines.len() == 0 && first.1 == spend {
            return Self::Whole(first.0);
        }
        let mut sums = Vec::with_capacity(1 + lines.len());
        sums.push(first);
        for (category, line) in lines {
            match sums.iter_mut().find(|(known, _)| *known == category) {
                Some((_, sum)) => *sum = sum.plus(line),
                None => sums.push((category, line)),
            }
        }
        match sums.pop() {
            Some((category, sum)) if sums.is_empty() && sum == spend => Self::Whole(category),
            last => {
                sums.extend(last);
                Self::Each(sums.into_boxed_slice())
            }
        }
    }

    /// Number of categories.
    #[must_use]
    pub fn count(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Whole(_) => 1,
            Self::Each(each) => each.len(),
        }
    }
}

impl PurchaseCategories {
    /// A category was displaced: its spend belongs to the rest.
    pub fn displace(&mut self, displaced: CategorySlot) {
        match self {
            Self::None => {}
            Self::Whole(slot) if *slot == displaced => *slot = CategorySlot::OTHER,
            Self::Whole(_) => {}
            Self::Each(each) => {
                for (slot, _) in each.iter_mut().filter(|(slot, _)| *slot == displaced) {
                    *slot = CategorySlot::OTHER;
                }
            }
        }
    }
}

impl<C> Purchase<C> {
    /// What it adds to the totals of its day.
    #[must_use]
    pub fn totals(&self) -> Totals {
        Totals::of_order(self.channel, self.is_deal, self.spend)
    }
}
