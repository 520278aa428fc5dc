//! The features table: raw values of one customer as of an instant. Definitions:
//! docs/TIME_AND_CHURN.md, Features.

use crate::domain::aggregate::CustomerAggregate;
use crate::domain::event::Channel;
use crate::domain::feature_source::FeatureSource;
use crate::domain::ledger::Totals;
use crate::domain::money::Currency;
use crate::domain::time::BusinessZone;
use crate::domain::time::Day;
use crate::domain::time::Timestamp;

/// One customer as of an instant, ready to be asked for features.
#[derive(Debug)]
pub struct FeatureReader<'a> {
    aggregate: &'a CustomerAggregate,
    as_of: Timestamp,
    zone: &'a BusinessZone,
    base: Currency,
    today: Day,
    /// The totals asked for last: features of a model mostly share one window.
    latest: Option<(Option<u32>, Totals)>,
}

impl<'a> FeatureReader<'a> {
    /// Prepares the features of a customer as of an instant.
    #[must_use]
    pub fn new(
        aggregate: &'a CustomerAggregate,
        as_of: Timestamp,
        zone: &'a BusinessZone,
        base: Currency,
    ) -> Self {
        Self {
            aggregate,
            as_of,
            zone,
            base,
            today: zone.day_of(as_of),
            latest: None,
        }
    }

    /// The raw value of a feature before caps; `None` where it is not known. A day `d` is within a
    /// window of `W` days until the start of day `d + W`.
    pub fn raw_value(&mut self, source: &FeatureSource, window_days: Option<u32>) -> Option<f64> {
        match source {
            FeatureSource::Age => {
                let birth_year = self.aggregate.profile.birth_year.as_ref()?.value;
                Some(f64::from(self.zone.year_of(self.as_of) - birth_year))
            }
            FeatureSource::Income => Some(
                self.aggregate
                    .profile
                    .income
                    .as_ref()?
                    .value
                    .to_major(&self.base),
            ),
            FeatureSource::TotalSpending => {
                Some(self.totals(window_days).spend.to_major(&self.base))
            }
            FeatureSource::Orders => Some(count(self.totals(window_days).orders.total())),
            FeatureSource::WebPurchases => Some(self.orders(Channel::Web, window_days)),
            FeatureSource::StorePurchases => Some(self.orders(Channel::Store, window_days)),
            FeatureSource::CatalogPurchases => Some(self.orders(Channel::Catalog, window_days)),
            FeatureSource::DealPurchases => Some(f64::from(self.totals(window_days).deal_orders)),
            FeatureSource::RecencyDays => {
                Some(self.as_of.days_since(self.aggregate.purchases?.last_at))
            }
            FeatureSource::TenureDays => {
                let joined_at = self
                    .aggregate
                    .profile
                    .joined_at
                    .as_ref()
                    .map(|fact| fact.value);
                let first_at = self.aggregate.purchases.map(|span| span.first_at);
                Some(self.as_of.days_since(joined_at.or(first_at)?))
            }
            FeatureSource::Frequency => Some(f64::from(self.totals(window_days).days)),
            FeatureSource::AverageOrderValue => {
                let totals = self.totals(window_days);
                let orders = totals.orders.total();
                (orders > 0).then(|| totals.spend.to_major(&self.base) / count(orders))
            }
            FeatureSource::Attribute(name) => self.aggregate.profile.number(name),
        }
    }

    fn orders(&mut self, channel: Channel, window_days: Option<u32>) -> f64 {
        f64::from(self.totals(window_days).orders.of(channel))
    }

    fn totals(&mut self, window_days: Option<u32>) -> Totals {
        match self.latest {
            Some((window, totals)) if window == window_days => totals,
            Some(_) | None => {
                let first = window_days.map(|window| self.today.first_of_window(window));
                let ledger = &self.aggregate.ledger;
                let totals = match first {
                    // Sums since ever are there without the days, and need no adding up.
                    Some(first) if self.aggregate.has_older_purchases(first, self.zone) => {
                        ledger.totals_since(Some(first))
                    }
                    Some(_) | None => ledger.totals_since(None),
                };
                self.latest = Some((window_days, totals));
                totals
            }
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "order counts are far below 2^53"
)]
fn count(orders: u64) -> f64 {
    orders as f64
}
