//! The types of docs/EVENTS.md and the channels of an order, by their names on the wire.

/// The types of docs/EVENTS.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventType {
    /// `order.completed`
    OrderCompleted,
    /// `order.refunded`
    OrderRefunded,
    /// `order.cancelled`
    OrderCancelled,
    /// `customer.updated`
    CustomerUpdated,
    /// `customer.merged`
    CustomerMerged,
    /// `customer.erased`
    CustomerErased,
    /// `consent.updated`
    ConsentUpdated,
}

impl EventType {
    /// All of them, in the order of docs/EVENTS.md.
    pub const ALL: [Self; 7] = [
        Self::OrderCompleted,
        Self::OrderRefunded,
        Self::OrderCancelled,
        Self::CustomerUpdated,
        Self::CustomerMerged,
        Self::CustomerErased,
        Self::ConsentUpdated,
    ];

    /// The name on the wire, also the metric label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OrderCompleted => "order.completed",
            Self::OrderRefunded => "order.refunded",
            Self::OrderCancelled => "order.cancelled",
            Self::CustomerUpdated => "customer.updated",
            Self::CustomerMerged => "customer.merged",
            Self::CustomerErased => "customer.erased",
            Self::ConsentUpdated => "consent.updated",
        }
    }

    /// From the name on the wire.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|event_type| event_type.as_str() == text)
    }
}

/// Where an order was placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// The web shop.
    Web,
    /// A store.
    Store,
    /// The catalogue.
    Catalog,
    /// The mobile application.
    App,
    /// A marketplace of another company.
    Marketplace,
    /// By telephone.
    Phone,
    /// Not stated.
    Unknown,
}

impl Channel {
    /// All of them; a channel's place here is its place in the ledger's counts.
    pub const ALL: [Self; 7] = [
        Self::Web,
        Self::Store,
        Self::Catalog,
        Self::App,
        Self::Marketplace,
        Self::Phone,
        Self::Unknown,
    ];

    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Store => "store",
            Self::Catalog => "catalog",
            Self::App => "app",
            Self::Marketplace => "marketplace",
            Self::Phone => "phone",
            Self::Unknown => "unknown",
        }
    }

    /// From the name on the wire.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|channel| channel.as_str() == text)
    }
}
