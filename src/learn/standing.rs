//! How a segment stands to all customers in one feature, and whether that is worth a word.

use crate::learn::analysis::FeatureSummary;
use crate::learn::analysis::FiveNumbers;
use crate::learn::analysis::SegmentFeature;
use crate::learn::meaning::Meaning;
use crate::learn::scaler::count;
use crate::learn::wording;

/// Standard deviations from the mean of all from which a segment differs.
pub(super) const APART: f64 = 0.4;
/// The same from which it is high or low.
const FAR: f64 = 0.8;
/// The same where the mean is at least twice that of all, or at most half of it: in data with a few very large
/// values hardly anybody is 0.4 standard deviations below the mean.
const APART_BY_RATIO: f64 = 0.2;
const TWICE: f64 = 2.0;
/// Share of a feature's variance that lies between the segments, below which the feature gives no word.
const BETWEEN_MIN: f64 = 0.05;
/// Share of the mean of all by which an amount, a count or a duration must differ.
const DIFFERENCE_MIN: f64 = 0.1;
/// Years by which an age must differ.
const YEARS_MIN: f64 = 3.0;

/// The segments of a model in numbers, which the words must bear.
#[derive(Clone, Copy, Debug)]
pub struct Portrait<'a> {
    /// All customers, feature by feature.
    pub features: &'a [FeatureSummary],
    /// The segments, feature by feature.
    pub segments: &'a [Vec<SegmentFeature>],
    /// Customers of each segment.
    pub sizes: &'a [u64],
    /// Currency of the amounts, where it is known.
    pub currency: Option<&'a str>,
}

/// On which side of all customers a segment lies, and whether far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Degree {
    /// Far below the mean of all.
    Low,
    /// Below it.
    Below,
    /// Above it.
    Above,
    /// Far above it.
    High,
}

impl Degree {
    /// The word before a noun.
    #[must_use]
    pub fn adjective(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Below => "below-average",
            Self::Above => "above-average",
            Self::High => "high",
        }
    }

    /// Is it above the mean of all?
    #[must_use]
    pub fn is_above(self) -> bool {
        self >= Self::Above
    }
}

/// One feature of one segment.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// The feature over all customers.
    pub all: &'a FeatureSummary,
    /// The feature in the segment.
    pub own: SegmentFeature,
    /// What it is.
    pub meaning: Meaning,
    /// The side, where the numbers bear a word.
    pub degree: Option<Degree>,
}

impl Standing<'_> {
    /// Are most of its customers below 0, and the mean too, also as it is written? The mean of zeros may be -1e-17.
    #[must_use]
    pub fn is_negative(&self) -> bool {
        let written = wording::number(self.own.mean, self.all.standard_deviation);
        self.own.numbers.median < 0.0 && written.starts_with('-')
    }

    /// The mean where it is that of customers who are there: within the middle half of the segment. Else a few very large
    /// or small values made it, and it is the median.
    #[must_use]
    pub fn typical(&self) -> f64 {
        let numbers = self.own.numbers;
        // A mean of equal values may be a rounding error away from them.
        let rounding = self.own.mean.abs() * 1e-9;
        let middle_half = numbers.first_quartile - rounding..=numbers.third_quartile + rounding;
        if middle_half.contains(&self.own.mean) {
            self.own.mean
        } else {
            numbers.median
        }
    }
}

impl Portrait<'_> {
    /// All features of a segment.
    #[must_use]
    pub fn standings(&self, segment: usize) -> Vec<Standing<'_>> {
        let own = self.segments.get(segment).into_iter().flatten();
        let each = self.features.iter().zip(own).enumerate();
        each.map(|(place, (all, own))| {
            let meaning = Meaning::of(all);
            let is_divided = self.between(place) >= BETWEEN_MIN;
            Standing {
                all,
                own: *own,
                meaning,
                degree: degree(all, *own, meaning).filter(|_| is_divided),
            }
        })
        .collect()
    }

    /// Customers of all segments.
    #[must_use]
    pub fn customers(&self) -> u64 {
        self.sizes.iter().sum()
    }

    /// Customers of one.
    #[must_use]
    pub fn size(&self, segment: usize) -> u64 {
        self.sizes.get(segment).copied().unwrap_or(0)
    }

    /// Share of the customers who are in it.
    #[must_use]
    pub fn share(&self, segment: usize) -> f64 {
        self.weight(self.size(segment))
    }

    fn weight(&self, size: u64) -> f64 {
        let whole = |rows: u64| count(usize::try_from(rows).unwrap_or(usize::MAX));
        whole(size) / whole(self.customers().max(1))
    }

    /// Share of the variance of a feature that lies between the segments.
    fn between(&self, place: usize) -> f64 {
        let each = self.segments.iter().zip(self.sizes);
        each.filter_map(|(features, size)| {
            let z = features.get(place)?.z;
            Some(self.weight(*size) * z * z)
        })
        .sum()
    }
}

fn degree(all: &FeatureSummary, own: SegmentFeature, meaning: Meaning) -> Option<Degree> {
    let is_above = own.z > 0.0;
    let has_ratio = all.numbers.minimum >= 0.0 && all.mean > 0.0;
    let is_manifold = has_ratio
        && if is_above {
            own.mean >= TWICE * all.mean
        } else {
            own.mean * TWICE <= all.mean
        };
    let distance = own.z.abs();
    let is_apart = distance >= APART || (is_manifold && distance >= APART_BY_RATIO);
    if !is_apart || !matters(all, own, meaning) || !most_agree(&all.numbers, &own.numbers, is_above)
    {
        return None;
    }
    Some(match (is_above, distance >= FAR || is_manifold) {
        (true, true) => Degree::High,
        (true, false) => Degree::Above,
        (false, false) => Degree::Below,
        (false, true) => Degree::Low,
    })
}

/// Is the difference one that people would notice? For an unknown column there is no rule.
fn matters(all: &FeatureSummary, own: SegmentFeature, meaning: Meaning) -> bool {
    let difference = (own.mean - all.mean).abs();
    match meaning {
        Meaning::Age => difference >= YEARS_MIN,
        Meaning::Unknown => true,
        Meaning::Income
        | Meaning::Spend
        | Meaning::OrderValue
        | Meaning::Counted(_)
        | Meaning::Recency
        | Meaning::Tenure => difference >= DIFFERENCE_MIN * all.mean.abs(),
    }
}

/// Is it so for most of the segment, or is the mean that of a few? The median must lie on the same side. Where
/// many customers have the median of all, it is enough that three quarters of the segment do not lie on the other side. A median
/// that is the least value of all is above no value, and one that is the greatest is below none.
fn most_agree(all: &FiveNumbers, own: &FiveNumbers, is_above: bool) -> bool {
    if is_above {
        let most_are_not_below = own.first_quartile >= all.median;
        own.median > all.median || (most_are_not_below && own.median > all.minimum)
    } else {
        let most_are_not_above = own.third_quartile <= all.median;
        own.median < all.median || (most_are_not_above && own.median < all.maximum)
    }
}
