//! Where the values of features come from, by their names.

use std::fmt;

/// Where a feature's raw value comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FeatureSource {
    /// Calendar year of `as_of` in the business zone less the year of birth.
    Age,
    /// Yearly income in base-currency units.
    Income,
    /// Net spend in base-currency units.
    TotalSpending,
    /// Accepted orders.
    Orders,
    /// Accepted orders of the web channel.
    WebPurchases,
    /// Accepted orders of the store channel.
    StorePurchases,
    /// Accepted orders of the catalogue channel.
    CatalogPurchases,
    /// Orders with a coupon or a discount.
    DealPurchases,
    /// Days of 24 hours since the last purchase, fractional.
    RecencyDays,
    /// Days of 24 hours since joining, else since the first purchase, fractional.
    TenureDays,
    /// Purchase days, the first included.
    Frequency,
    /// Net spend divided by orders; unknown without orders.
    AverageOrderValue,
    /// A number among the profile's attributes, such as `web_visits_month`.
    Attribute(String),
}

impl FeatureSource {
    const BUILT_IN: [(&'static str, Self); 12] = [
        ("age", Self::Age),
        ("income", Self::Income),
        ("total_spending", Self::TotalSpending),
        ("orders", Self::Orders),
        ("web_purchases", Self::WebPurchases),
        ("store_purchases", Self::StorePurchases),
        ("catalog_purchases", Self::CatalogPurchases),
        ("deal_purchases", Self::DealPurchases),
        ("recency_days", Self::RecencyDays),
        ("tenure_days", Self::TenureDays),
        ("frequency", Self::Frequency),
        ("average_order_value", Self::AverageOrderValue),
    ];

    /// The source of a feature of this name; what is not built in is an attribute.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let built_in = Self::BUILT_IN.into_iter().find(|(known, _)| *known == name);
        built_in.map_or_else(|| Self::Attribute(name.to_owned()), |(_, source)| source)
    }

    /// The names of all features that are built in.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::BUILT_IN.into_iter().map(|(name, _)| name)
    }

    /// May the feature be computed over trailing days?
    #[must_use]
    pub fn may_be_windowed(&self) -> bool {
        match self {
            Self::TotalSpending
            | Self::Orders
            | Self::WebPurchases
            | Self::StorePurchases
            | Self::CatalogPurchases
            | Self::DealPurchases
            | Self::Frequency
            | Self::AverageOrderValue => true,
            Self::Age
            | Self::Income
            | Self::RecencyDays
            | Self::TenureDays
            | Self::Attribute(_) => false,
        }
    }
}

impl fmt::Display for FeatureSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Attribute(name) = self {
            return formatter.write_str(name);
        }
        let built_in = Self::BUILT_IN.iter().find(|(_, source)| source == self);
        formatter.write_str(built_in.map_or("", |(name, _)| name))
    }
}
