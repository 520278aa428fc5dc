//! What a feature is, as far as its name and its values say: only what is known may be said in words of its own.

use crate::domain::feature_source::FeatureSource;
use crate::learn::analysis::FeatureSummary;
use crate::learn::wording;

/// Ages of people, in years.
const AGES: std::ops::RangeInclusive<f64> = 5.0..=125.0;

/// What the values of a feature are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Years since the birth of the customer.
    Age,
    /// Yearly income.
    Income,
    /// Money spent.
    Spend,
    /// Money spent an order.
    OrderValue,
    /// A number of orders or of purchase days, and what it counts.
    Counted(&'static str),
    /// Days since the last order.
    Recency,
    /// Days as a customer.
    Tenure,
    /// A column of which nothing but its name and its values is known.
    Unknown,
}

impl Meaning {
    /// The meaning of a feature by its name, unless its values contradict it.
    #[must_use]
    pub fn of(feature: &FeatureSummary) -> Self {
        let numbers = feature.numbers;
        let is_age = AGES.contains(&numbers.minimum) && AGES.contains(&numbers.maximum);
        let named = match FeatureSource::named(&feature.name) {
            FeatureSource::Age => Self::Age,
            FeatureSource::Attribute(name) if name.eq_ignore_ascii_case("age") => Self::Age,
            FeatureSource::Income => Self::Income,
            FeatureSource::TotalSpending => Self::Spend,
            FeatureSource::AverageOrderValue => Self::OrderValue,
            FeatureSource::Orders => Self::Counted("orders"),
            FeatureSource::WebPurchases => Self::Counted("web orders"),
            FeatureSource::StorePurchases => Self::Counted("store orders"),
            FeatureSource::CatalogPurchases => Self::Counted("catalogue orders"),
            FeatureSource::DealPurchases => Self::Counted("orders at a discount"),
            FeatureSource::Frequency => Self::Counted("purchase days"),
            FeatureSource::RecencyDays => Self::Recency,
            FeatureSource::TenureDays => Self::Tenure,
            FeatureSource::Attribute(_) => Self::Unknown,
        };
        let fits = match named {
            Self::Age => is_age,
            Self::Counted(_) | Self::Recency | Self::Tenure => numbers.minimum >= 0.0,
            Self::Income | Self::Spend | Self::OrderValue | Self::Unknown => true,
        };
        if fits { named } else { Self::Unknown }
    }

    /// Is it an amount of money?
    #[must_use]
    pub fn is_money(self) -> bool {
        matches!(self, Self::Income | Self::Spend | Self::OrderValue)
    }

    /// What the values are, in a sentence; of an unknown column its own name.
    #[must_use]
    pub fn noun(self, name: &str) -> String {
        match self {
            Self::Age => "age".to_owned(),
            Self::Income => "income".to_owned(),
            Self::Spend => "spend".to_owned(),
            Self::OrderValue => "order value".to_owned(),
            Self::Counted(what) => what.to_owned(),
            Self::Recency => "days since the last order".to_owned(),
            Self::Tenure => "days as customers".to_owned(),
            Self::Unknown => wording::label(name),
        }
    }
}
