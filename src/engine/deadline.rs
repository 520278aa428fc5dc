//! The deadline of a customer, the next instant at which time alone can change a result: the next crossing of
//! the segment's borders, the next band of churn risk, a day that leaves a trailing window, or the end of the horizon.
//! docs/TIME_AND_CHURN.md, Deadlines.
//!
//! Between two midnights at which a feature jumps, a feature stands still or grows by a day a day. So the crossing
//! is computed ([`SegmentModel::next_border`]) and then put on the first millisecond at which the rule itself,
//! [`SegmentModel::place`], gives another segment. A deadline of a crossing is exact and never has to be rescheduled.
//!
//! [`SegmentModel::next_border`]: crate::model::segment_model::SegmentModel::next_border
//! [`SegmentModel::place`]: crate::model::segment_model::SegmentModel::place

use crate::domain::aggregate::CustomerAggregate;
use crate::domain::churn::RiskBand;
use crate::domain::feature_source::FeatureSource;
use crate::domain::time::DAY_MS;
use crate::domain::time::Timestamp;
use crate::domain::time::earlier;
use crate::engine::assignment::evaluate;
use crate::engine::policy::Policy;
use crate::engine::policy::Rules;
use crate::engine::risk::Beyond;
use crate::engine::risk::RiskPath;
use crate::engine::risk::after;
use crate::engine::snap;
use crate::model::evaluation::Evaluation;
use crate::model::path::Coordinate;

/// A customer as of an instant: the end of a step.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// What the features are computed from.
    pub aggregate: &'a CustomerAggregate,
    /// As of when.
    pub now: Timestamp,
    /// The features then, and the segment.
    pub evaluation: &'a Evaluation,
    /// The risk through time, and its band now; `None` where there is none.
    pub risk: Option<(RiskPath, RiskBand)>,
}

/// The next instant after `now` at which time alone changes a result, or may; `None` if there is none.
#[must_use]
pub fn next_deadline(situation: Situation<'_>, rules: Rules<'_>) -> Option<Timestamp> {
    let Situation {
        aggregate,
        now,
        risk,
        ..
    } = situation;
    let horizon = after(now, f64::from(rules.policy.horizon_days));
    let window_end = window_end(aggregate, now, rules);
    let until = window_end.map_or(horizon, |end| end.min(horizon));
    let mut earliest = window_end.filter(|end| *end <= horizon);
    let mut looks_beyond = window_end.is_some();
    match risk.map(|(path, band)| path.leaves(band, now, until)) {
        None => {}
        Some(Ok(at)) => earliest = earlier(earliest, at),
        Some(Err(Beyond)) => looks_beyond = true,
    }
    let until = earliest.map_or(until, |at| at.min(until));
    let course = Course::of(situation, rules);
    match course.leaves(until) {
        Leaves::At(at) => earliest = earlier(earliest, Some(at)),
        Leaves::NotUntilThen => looks_beyond = true,
        Leaves::Never => {}
    }
    earliest.or(looks_beyond.then_some(horizon))
}

/// The midnight at which the first purchase day leaves a window of the model.
fn window_end(
    aggregate: &CustomerAggregate,
    now: Timestamp,
    rules: Rules<'_>,
) -> Option<Timestamp> {
    let windows_days = rules.model.windows_days();
    if windows_days.is_empty() {
        return None;
    }
    let zone = &rules.policy.zone;
    let today = zone.day_of(now);
    let leaving = windows_days.iter().filter_map(|window_days| {
        let first = today.first_of_window(*window_days);
        let day = if aggregate.has_older_purchases(first, zone) {
            aggregate.ledger.first_day_since(first)?
        } else {
            zone.day_of(aggregate.purchases?.first_at)
        };
        Some(day.plus_days(*window_days))
    });
    // A midnight that occurs twice, or lies beyond the last instant.
    Some(zone.start_of(leaving.min()?)).filter(|end| *end > now)
}

/// The end of a search for a crossing.
enum Leaves {
    At(Timestamp),
    /// It may still come later.
    NotUntilThen,
    Never,
}

/// A feature whose raw value grows by a day a day.
#[derive(Clone, Copy, Debug)]
struct Growing {
    place: usize,
    /// When it begins to grow; before that it is 0.
    since: Timestamp,
}

/// The features through time, while no day leaves a window.
struct Course<'a> {
    situation: Situation<'a>,
    rules: Rules<'a>,
    growing: Vec<Growing>,
    /// Whether the age is known, so that a new year changes it.
    has_birthdays: bool,
}

impl<'a> Course<'a> {
    fn of(situation: Situation<'a>, rules: Rules<'a>) -> Self {
        let aggregate = situation.aggregate;
        let purchases = aggregate.purchases;
        let joined_at = aggregate.profile.joined_at.as_ref().map(|fact| fact.value);
        let mut growing = Vec::with_capacity(2);
        let mut has_birthdays = false;
        for (place, feature) in rules.model.features().iter().enumerate() {
            let since = match feature.source {
                FeatureSource::RecencyDays => purchases.map(|span| span.last_at),
                FeatureSource::TenureDays => joined_at.or(purchases.map(|span| span.first_at)),
                FeatureSource::Age => {
                    has_birthdays |= aggregate.profile.birth_year.is_some();
                    None
                }
                FeatureSource::Income
                | FeatureSource::TotalSpending
                | FeatureSource::Orders
                | FeatureSource::WebPurchases
                | FeatureSource::StorePurchases
                | FeatureSource::CatalogPurchases
                | FeatureSource::DealPurchases
                | FeatureSource::Frequency
                | FeatureSource::AverageOrderValue
                | FeatureSource::Attribute(_) => None,
            };
            growing.extend(since.map(|since| Growing { place, since }));
        }
        Self {
            situation,
            rules,
            growing,
            has_birthdays,
        }
    }

    /// When the customer leaves the segment, up to an instant. Chunks end at new years and where a value
    /// begins to grow. The end of the last chunk is not evaluated, because a day may leave a window then.
    fn leaves(&self, until: Timestamp) -> Leaves {
        let (model, policy) = (self.rules.model, self.rules.policy);
        let own = self.situation.evaluation.placement.segment;
        let mut start = self.situation.now;
        let mut scaled = self.situation.evaluation.scaled.clone();
        loop {
            let end = self
                .chunk_end(start, policy)
                .map_or(until, |end| end.min(until));
            if let Some(at) = self.crossing(start, end, &scaled).filter(|at| *at <= end) {
                return Leaves::At(at);
            }
            if end >= until {
                let grows = |growing: &Growing| self.may_grow_after(growing, until);
                return if self.has_birthdays || self.growing.iter().any(grows) {
                    Leaves::NotUntilThen
                } else {
                    Leaves::Never
                };
            }
            let evaluation = evaluate(self.situation.aggregate, end, model, policy, Some(own));
            if evaluation.placement.segment != own {
                return Leaves::At(end);
            }
            scaled = evaluation.scaled;
            start = end;
        }
    }

    fn chunk_end(&self, start: Timestamp, policy: &Policy) -> Option<Timestamp> {
        let new_year = if self.has_birthdays {
            policy.zone.next_year_after(start)
        } else {
            None
        };
        let begins = self.growing.iter().map(|growing| growing.since);
        begins.filter(|since| *since > start).chain(new_year).min()
    }

    fn may_grow_after(&self, growing: &Growing, instant: Timestamp) -> bool {
        let feature = self.rules.model.features().get(growing.place);
        let raw = instant.days_since(growing.since);
        feature.is_some_and(|feature| raw < feature.cap())
    }

    /// The first millisecond after `start`, up to `end`, at which the rule gives another segment.
    fn crossing(&self, start: Timestamp, end: Timestamp, scaled: &[f64]) -> Option<Timestamp> {
        let model = self.rules.model;
        let own = self.situation.evaluation.placement.segment;
        let path = self.path(start, scaled);
        if !path.iter().any(Coordinate::is_moving) {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
        let chunk_days = (end.as_milliseconds() - start.as_milliseconds()) as f64 / DAY_MS as f64;
        let crossing = model.next_border(&path, own, chunk_days)?;
        let near = after(start, crossing.days);
        let mut moving = scaled.to_vec();
        let holds = |at: Timestamp| {
            for growing in &self.growing {
                let feature = model.features().get(growing.place);
                if let (Some(feature), Some(value)) = (feature, moving.get_mut(growing.place)) {
                    *value = feature.scale(at.days_since(growing.since));
                }
            }
            model.place(&moving, Some(own)).segment != own
        };
        Some(snap::first_after(near, (start, end), holds))
    }

    /// What the solver needs: features that stand still by their scaled value, the others as they grow.
    fn path(&self, start: Timestamp, scaled: &[f64]) -> Vec<Coordinate> {
        let mut path: Vec<Coordinate> = scaled.iter().copied().map(Coordinate::still).collect();
        for growing in &self.growing {
            let feature = self.rules.model.features().get(growing.place);
            if let (Some(feature), Some(coordinate)) = (feature, path.get_mut(growing.place)) {
                let has_begun = growing.since <= start;
                let growth_per_day = if has_begun { 1.0 } else { 0.0 };
                *coordinate = feature.coordinate(start.days_since(growing.since), growth_per_day);
            }
        }
        path
    }
}
