//! What a customer's record keeps of one order while its event is remembered.

use crate::domain::categories::CategorySlot;
use crate::domain::event::Channel;
use crate::domain::ledger::Totals;
use crate::domain::money::Money;
use crate::domain::time::Day;

/// One order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purchase {
    /// Its day in the business zone.
    pub day: Day,
    /// Where it was bought.
    pub channel: Channel,
    /// Bought with a coupon or a discount.
    pub is_deal: bool,
    /// Net spend.
    pub spend: Money,
    /// Spend by category.
    pub categories: PurchaseCategories,
}

/// Spend of one order by category.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PurchaseCategories {
    /// The order names no category.
    #[default]
    None,
    /// All of its spend is of this one.
    Whole(CategorySlot),
    /// Each category once, but for those that are not kept apart any more.
    Each(Box<[(CategorySlot, Money)]>),
}

impl PurchaseCategories {
    /// The spend of an order by category; a category may be there several times.
    #[must_use]
    pub fn of(spend: Money, mut lines: Vec<(CategorySlot, Money)>) -> Self {
        let mut sums: Vec<(CategorySlot, Money)> = Vec::with_capacity(lines.len());
        for (slot, line) in lines.drain(..) {
            match sums.iter_mut().find(|(known, _)| *known == slot) {
                Some((_, sum)) => *sum = sum.plus(line),
                None => sums.push((slot, line)),
            }
        }
        match sums.as_slice() {
            [] => Self::None,
            [(slot, sum)] if *sum == spend => Self::Whole(*slot),
            _ => Self::Each(sums.into_boxed_slice()),
        }
    }

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

impl Purchase {
    /// What it adds to the totals of its day.
    #[must_use]
    pub fn totals(&self) -> Totals {
        Totals::of_order(self.channel, self.is_deal, self.spend)
    }
}
