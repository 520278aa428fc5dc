//! Names of things: customers, segments, model versions, and places in a log.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;
use smol_str::SmolStr;
use twox_hash::XxHash3_64;

/// Longest customer id, in characters (docs/EVENTS.md, Common fields).
pub const CUSTOMER_ID_CHARACTERS_MAX: usize = 256;
/// Longest event id, in characters.
pub const EVENT_ID_CHARACTERS_MAX: usize = 128;

// Ids are compared and copied all day, and most are short enough to lie where their holder lies.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(SmolStr);

        impl $name {
            /// Takes the text as it is; a parser of outside input checks it first.
            pub fn new(text: impl Into<SmolStr>) -> Self {
                Self(text.into())
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "{:?}", &*self.0)
            }
        }
    };
}

text_id!(
    /// A customer of the retailer: 1 to 256 characters, the key of every record. Sorted by bytes.
    CustomerId
);
text_id!(
    /// A segment: stable across retrains, never reused.
    SegmentId
);
text_id!(
    /// One immutable version of a model.
    ModelVersion
);

/// A text from outside as an id: `None` if it has white space only, which is the same as no id.
#[must_use]
pub fn without_blank(text: &str) -> Option<&str> {
    // Nearly every id begins with a letter or a digit.
    let is_blank = !text.starts_with(|first: char| first.is_ascii_graphic())
        && text.chars().all(char::is_whitespace);
    (!is_blank).then_some(text)
}

/// Has a control character of Unicode (U+0000 to U+001F, U+007F to U+009F). They cannot be seen, and end lines and
/// fields in the files of other programs, so no id has them.
#[must_use]
pub fn has_control_character(text: &str) -> bool {
    let is_plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    !is_plain && text.chars().any(char::is_control)
}

/// A partition of the input, and of everything that belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Partition(pub u32);

impl fmt::Display for Partition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Where deliveries come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Source {
    /// The input topic.
    Events,
    /// What partitions send each other.
    Transfers,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Events, Self::Transfers];

    /// Its name in messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Transfers => "transfers",
        }
    }
}

/// A place in a source: partition and offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The source.
    pub source: Source,
    /// The partition.
    pub partition: Partition,
    /// The offset of the delivery within it, from 0.
    pub offset: u64,
}

/// Eight stable bytes of a text, as kept in records: `XXH3` 64 with seed 0 of the parts, each
/// followed by its length so that ("ab", "c") and ("a", "bc") differ.
#[must_use]
pub fn stable_hash(parts: &[&str]) -> u64 {
    let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
    for part in parts {
        bytes.extend_from_slice(part.as_bytes());
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
    }
    XxHash3_64::oneshot(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stable_hash_tells_where_one_part_ends() {
        assert_ne!(stable_hash(&["ab", "c"]), stable_hash(&["a", "bc"]));
        assert_ne!(stable_hash(&["ab"]), stable_hash(&["ab", ""]));
    }

    #[test]
    fn a_stable_hash_never_changes_between_versions() {
        // Computed once with this function: records of earlier versions hold these values.
        assert_eq!(stable_hash(&["e-1"]), 0x6e82_a74a_74b2_809d);
    }
}
