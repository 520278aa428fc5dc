//! What is known of the person: birth year, income, joining date and free attributes.
//!
//! Each fact keeps the instant it was stated, and the later statement wins, whatever the order of
//! arrival; equal instants are decided by the hash of the event's id.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;

use crate::domain::money::Money;
use crate::domain::time::Timestamp;

/// Attributes a record keeps; beyond it the first by name stay, whatever the order of arrival.
pub const ATTRIBUTES_MAX: usize = 32;
/// Longest name or text of an attribute, in characters.
pub const ATTRIBUTE_CHARACTERS_MAX: usize = 256;

/// Greatest magnitude of a number among the attributes, and of a number to learn from: 2^53 - 1, up to which whole numbers
/// are exact everywhere (RFC 7493, 2.2). Distances between such numbers are far from the end of a float.
pub const NUMBER_MAX: f64 = 9_007_199_254_740_991.0;

/// New facts of one event; what is `None` stays as it was.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProfileUpdate {
    /// Calendar year of birth.
    pub birth_year: Option<i32>,
    /// Yearly income in minor units of the base currency.
    pub income: Option<Money>,
    /// When the customer joined.
    pub joined_at: Option<Timestamp>,
    /// Free attributes by name.
    pub attributes: BTreeMap<String, Attribute>,
}

/// The value of a free attribute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Attribute {
    /// A number of a magnitude up to [`NUMBER_MAX`]; may be a feature of a model.
    Number(f64),
    /// A text.
    Text(String),
    /// Yes or no.
    Flag(bool),
}

/// When and by which event a fact was stated; the greatest wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Statement {
    /// The event's instant.
    pub occurred_at: Timestamp,
    /// The hash of the event's id, to decide between equal instants.
    pub event_hash: u64,
}

/// A fact and its statement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fact<T> {
    /// What holds.
    pub value: T,
    /// The statement that it comes from.
    pub stated: Statement,
}

/// The facts that hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Calendar year of birth.
    pub birth_year: Option<Fact<i32>>,
    /// Yearly income in minor units of the base currency.
    pub income: Option<Fact<Money>>,
    /// When the customer joined.
    pub joined_at: Option<Fact<Timestamp>>,
    /// Free attributes by name, at most [`ATTRIBUTES_MAX`].
    pub attributes: BTreeMap<String, Fact<Attribute>>,
}

/// A profile that copies of a record share, because it hardly changes. Most customers have none, so an empty one takes no
/// memory.
#[derive(Clone, Debug, Default)]
pub struct SharedProfile(Option<Arc<Profile>>);

static EMPTY: Profile = Profile {
    birth_year: None,
    income: None,
    joined_at: None,
    attributes: BTreeMap::new(),
};

impl SharedProfile {
    /// A profile that nothing shares yet.
    #[must_use]
    pub fn new(profile: Profile) -> Self {
        Self((profile != EMPTY).then(|| Arc::new(profile)))
    }

    /// The profile, apart from all that shared it.
    pub fn to_mut(&mut self) -> &mut Profile {
        Arc::make_mut(self.0.get_or_insert_default())
    }
}

impl std::ops::Deref for SharedProfile {
    type Target = Profile;

    fn deref(&self) -> &Profile {
        self.0.as_deref().unwrap_or(&EMPTY)
    }
}

impl PartialEq for SharedProfile {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq::<Profile>(&**self, &**other) || **self == **other
    }
}

impl Profile {
    /// Replaces each fact that was stated earlier than the new one.
    pub fn fold(&mut self, update: &ProfileUpdate, stated: Statement) {
        let later = update.birth_year.map(|value| Fact { value, stated });
        replace_if_later(&mut self.birth_year, later);
        replace_if_later(
            &mut self.income,
            update.income.map(|value| Fact { value, stated }),
        );
        replace_if_later(
            &mut self.joined_at,
            update.joined_at.map(|value| Fact { value, stated }),
        );
        for (name, value) in &update.attributes {
            let mut known = self.attributes.remove(name);
            replace_if_later(
                &mut known,
                Some(Fact {
                    value: value.clone(),
                    stated,
                }),
            );
            if let Some(fact) = known {
                self.attributes.insert(name.clone(), fact);
            }
        }
        while self.attributes.len() > ATTRIBUTES_MAX {
            self.attributes.pop_last();
        }
    }

    /// Nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The number of an attribute; `None` where it is absent or no number. State that an earlier version wrote may have
    /// numbers that are not allowed; they are as good as absent.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<f64> {
        match self.attributes.get(name)?.value {
            Attribute::Number(number) => Some(number).filter(|number| number.abs() <= NUMBER_MAX),
            Attribute::Text(_) | Attribute::Flag(_) => None,
        }
    }
}

fn replace_if_later<T>(known: &mut Option<Fact<T>>, update: Option<Fact<T>>) {
    let Some(update) = update else { return };
    if known
        .as_ref()
        .is_none_or(|fact| fact.stated < update.stated)
    {
        *known = Some(update);
    }
}
