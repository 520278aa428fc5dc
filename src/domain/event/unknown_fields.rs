//! Fingerprints of the fields that are unknown. The names themselves are not kept.

/// Fields of an event that this version does not read, though producers may send them.
pub(super) const UNREAD_OF_EVENT: &str = "store_locale";
/// The same of a product line.
pub(super) const UNREAD_OF_PRODUCT: &str = "sku";

/// Where a field stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Event = 0,
    Product = 1,
    Profile = 2,
    /// Of an attribute, whose name may be any but that of a computed feature.
    Attribute = 3,
}

impl Level {
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Event => "",
            Self::Product => "products.",
            Self::Profile => "profile.",
            Self::Attribute => "profile.attributes.",
        }
    }

    pub(super) fn known(self) -> &'static [&'static str] {
        match self {
            Self::Event => &[
                "event_id",
                "type",
                "occurred_at",
                "customer_id",
                "is_guest",
                "test",
                "order_id",
                "currency",
                "revenue",
                "subtotal",
                "total",
                "value",
                "discount",
                "coupon",
                "channel",
                "products",
                "refund_amount",
                "refund_id",
                "profile",
                "merged_from",
                UNREAD_OF_EVENT,
            ],
            Self::Product => &["category", "quantity", "price", UNREAD_OF_PRODUCT],
            Self::Profile => &["birth_year", "income", "joined_at", "attributes"],
            Self::Attribute => &[],
        }
    }
}

/// The unknown fields of an event as a fingerprint: a number that nearly surely differs where the names
/// differ, whatever their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnknownFields(u64);

impl UnknownFields {
    /// There is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The number; 0 for none.
    #[must_use]
    pub fn fingerprint(self) -> u64 {
        self.0
    }

    /// Adds a name. Every name of every event may come here, so its ends and its length stand for it.
    pub(super) fn add(&mut self, level: Level, name: &str) {
        let bytes = name.as_bytes();
        let first = bytes.first_chunk().map_or_else(
            || {
                bytes
                    .iter()
                    .fold(0, |word, byte| word << 8 | u64::from(*byte))
            },
            |first: &[u8; 8]| u64::from_le_bytes(*first),
        );
        let last = bytes
            .last_chunk()
            .map_or(0, |last: &[u8; 8]| u64::from_le_bytes(*last));
        let seed = (bytes.len() as u64) << 2 | level as u64;
        let mixed = (first ^ last.rotate_left(29) ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        // Two names whose numbers add up to 0 would be none.
        self.0 = self.0.wrapping_add((mixed ^ mixed >> 32) | 1).max(1);
    }

    pub(super) fn add_all(&mut self, others: Self) {
        if !others.is_empty() {
            self.0 = self.0.wrapping_add(others.0).max(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_tells_names_apart_and_not_their_order() {
        let of = |names: &[(Level, &str)]| {
            let mut fields = UnknownFields::default();
            names
                .iter()
                .for_each(|(level, name)| fields.add(*level, name));
            fields
        };
        let (a, b) = (
            (Level::Event, "brand"),
            (Level::Event, "a_long_name_of_a_field"),
        );
        assert_eq!(of(&[a, b]), of(&[b, a]));
        assert_ne!(of(&[a]), of(&[b]));
        assert_ne!(of(&[a]), of(&[(Level::Product, "brand")]));
        assert_ne!(of(&[(Level::Event, "x")]), of(&[(Level::Event, "y")]));
        assert!(of(&[]).is_empty());
        assert!(!of(&[(Level::Event, "")]).is_empty());
    }
}
