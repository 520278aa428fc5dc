//! Everything a customer's features are computed from. The fold does not depend on the order of
//! events, as long as none is older than the ledger.

use serde::Deserialize;
use serde::Serialize;
use smol_str::SmolStr;

use crate::domain::categories::Categories;
use crate::domain::categories::CategorySlot;
use crate::domain::event::Order;
use crate::domain::ledger::Ledger;
use crate::domain::money::Money;
use crate::domain::profile::ProfileUpdate;
use crate::domain::profile::SharedProfile;
use crate::domain::profile::Statement;
use crate::domain::purchase::Purchase;
use crate::domain::purchase::PurchaseCategories;
use crate::domain::time::BusinessZone;
use crate::domain::time::Day;
use crate::domain::time::Timestamp;

/// The aggregate of one customer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CustomerAggregate {
    /// Purchases by day.
    pub ledger: Ledger,
    /// Spend by category.
    pub categories: Categories,
    /// The first and the last purchase; `None` before the first.
    pub purchases: Option<PurchaseSpan>,
    /// What is known of the person.
    pub profile: SharedProfile,
    /// The greatest day of any accepted event; the ledger's length counts back from it.
    pub greatest_event_day: Option<Day>,
}

/// An order that was added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoldedOrder {
    /// What is kept of it.
    pub purchase: Purchase,
    /// Slots that had another category before.
    pub displaced: Vec<CategorySlot>,
}

/// From the first to the last purchase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurchaseSpan {
    /// The earliest purchase.
    pub first_at: Timestamp,
    /// The latest purchase.
    pub last_at: Timestamp,
}

impl CustomerAggregate {
    /// An event of this day is older than what the ledger still covers.
    #[must_use]
    pub fn is_older_than_ledger(&self, day: Day, ledger_days: u32) -> bool {
        self.greatest_event_day
            .is_some_and(|greatest| day < first_kept(greatest, ledger_days))
    }

    /// Adds an order that is not older than the ledger.
    pub fn fold_order(
        &mut self,
        order: &Order<'_>,
        occurred_at: Timestamp,
        day: Day,
    ) -> FoldedOrder {
        let mut displaced = Vec::new();
        let mut lines: Vec<(CategorySlot, Money)> = Vec::with_capacity(order.category_spend.len());
        for (name, spend) in &order.category_spend {
            let counted = self.categories.add(name, *spend);
            if counted.has_displaced {
                let of_this_slot = lines.iter_mut().filter(|(slot, _)| *slot == counted.slot);
                of_this_slot.for_each(|(slot, _)| *slot = CategorySlot::OTHER);
                displaced.push(counted.slot);
            }
            lines.push((counted.slot, *spend));
        }
        let purchase = Purchase {
            day,
            channel: order.channel,
            is_deal: order.is_deal,
            spend: order.spend,
            categories: PurchaseCategories::of(order.spend, lines.into_iter()),
        };
        self.ledger.add(day, &purchase.totals());
        self.purchased_at(occurred_at);
        FoldedOrder {
            purchase,
            displaced,
        }
    }

    /// Adds an order to the sums since ever alone, given whether it is the first of its day. Its categories keep their
    /// names.
    pub fn fold_order_into_sums(
        &mut self,
        order: &Order<'_>,
        occurred_at: Timestamp,
        (day, is_new_day): (Day, bool),
    ) -> Purchase<SmolStr> {
        let lines = order.category_spend.iter();
        let lines = lines.map(|(name, spend)| (SmolStr::new(name), *spend));
        let purchase = Purchase {
            day,
            channel: order.channel,
            is_deal: order.is_deal,
            spend: order.spend,
            categories: PurchaseCategories::of(order.spend, lines),
        };
        self.ledger.add_to_sums(&purchase.totals(), is_new_day);
        self.purchased_at(occurred_at);
        purchase
    }

    /// There may have been a purchase before a day. If not, the sums since that day are those since ever, and the first
    /// purchase was on the first day of all.
    #[must_use]
    pub fn has_older_purchases(&self, first: Day, zone: &BusinessZone) -> bool {
        self.purchases
            .is_some_and(|span| zone.may_be_before(span.first_at, first))
    }

    fn purchased_at(&mut self, at: Timestamp) {
        let span = self.purchases.get_or_insert(PurchaseSpan {
            first_at: at,
            last_at: at,
        });
        span.first_at = span.first_at.min(at);
        span.last_at = span.last_at.max(at);
    }

    /// Applies the facts of a profile event.
    pub fn fold_profile(&mut self, update: &ProfileUpdate, stated: Statement) {
        self.profile.to_mut().fold(update, stated);
    }

    /// Moves the end of the ledger to the day of an accepted event; the first day that is kept apart, if it is
    /// another one than before.
    pub fn advance_ledger(&mut self, day: Day, ledger_days: u32) -> Option<Day> {
        let greatest = self.greatest_event_day.map_or(day, |known| known.max(day));
        if self.greatest_event_day == Some(greatest) {
            return None;
        }
        self.greatest_event_day = Some(greatest);
        let first = first_kept(greatest, ledger_days);
        self.ledger.keep_since(first);
        Some(first)
    }
}

/// The first day the ledger covers: `ledger_days` days, the greatest included.
fn first_kept(greatest: Day, ledger_days: u32) -> Day {
    let length = i32::try_from(ledger_days).unwrap_or(i32::MAX);
    Day(greatest.0.saturating_sub(length).saturating_add(1))
}
