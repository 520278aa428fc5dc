//! Spend by category, since ever.

use std::sync::Arc;

use crate::domain::money::Money;

/// Categories that a record keeps apart; the first by name stay, the rest is [`OTHER_CATEGORY`].
pub const CATEGORIES_MAX: usize = 64;
/// The name under which the remaining categories are summed.
pub const OTHER_CATEGORY: &str = "other";

/// The place of a category among those of a customer. It stays the same until the category is displaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CategorySlot(u8);

impl CategorySlot {
    /// All categories that are not kept apart.
    pub const OTHER: Self = Self(u8::MAX);

    /// The place; `None` for [`Self::OTHER`].
    #[must_use]
    pub fn place(self) -> Option<u8> {
        (self != Self::OTHER).then_some(self.0)
    }
}

/// Where a category is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Its place.
    pub slot: CategorySlot,
    /// A category with a later name had this place, and belongs to the rest from now on.
    pub has_displaced: bool,
}

/// Spend by category of one customer. Of all names ever seen the first 64 by name are kept apart. A name that was
/// displaced can never return, so the order of arrival does not matter.
#[derive(Clone, Debug, Default)]
pub struct Categories {
    /// By slot.
    named: Vec<(Arc<str>, Money)>,
    other: Option<Money>,
}

impl Categories {
    /// Adds spend to a category.
    pub fn add(&mut self, name: &str, spend: Money) -> Counted {
        let known = self.place_of(name);
        self.count(known, name, || Arc::from(name), spend)
    }

    /// The same, with a name that others share.
    pub fn add_shared(&mut self, name: &Arc<str>, spend: Money) -> Counted {
        let known = self.place_of_shared(name);
        self.count(known, name, || Arc::clone(name), spend)
    }

    fn place_of(&self, name: &str) -> Option<usize> {
        self.named.iter().position(|(known, _)| **known == *name)
    }

    /// A name that is shared is mostly the same one, so its text need not be compared.
    fn place_of_shared(&self, name: &Arc<str>) -> Option<usize> {
        let mut named = self.named.iter();
        let same = named.position(|(known, _)| Arc::ptr_eq(known, name));
        same.or_else(|| self.place_of(name))
    }

    /// Adds spend to the rest.
    pub fn add_other(&mut self, spend: Money) {
        let other = self.other.get_or_insert_default();
        *other = other.plus(spend);
    }

    fn count(
        &mut self,
        known: Option<usize>,
        name: &str,
        shared: impl FnOnce() -> Arc<str>,
        spend: Money,
    ) -> Counted {
        let (slot, has_displaced) = match known {
            Some(place) => (slot(place), false),
            None if name == OTHER_CATEGORY => (CategorySlot::OTHER, false),
            None => self.begin(name, shared),
        };
        match self.named.get_mut(usize::from(slot.0)) {
            Some((_, sum)) => *sum = sum.plus(spend),
            None => self.add_other(spend),
        }
        Counted {
            slot,
            has_displaced,
        }
    }

    /// A place for a new name.
    fn begin(&mut self, name: &str, shared: impl FnOnce() -> Arc<str>) -> (CategorySlot, bool) {
        if self.named.len() < CATEGORIES_MAX {
            self.named.push((shared(), Money::ZERO));
            return (slot(self.named.len() - 1), false);
        }
        let each = self.named.iter_mut().enumerate();
        let last = each.max_by(|(_, left), (_, right)| left.0.cmp(&right.0));
        match last {
            Some((place, last)) if *name < *last.0 => {
                let other = self.other.get_or_insert_default();
                *other = other.plus(last.1);
                *last = (shared(), Money::ZERO);
                (slot(place), true)
            }
            Some(_) | None => (CategorySlot::OTHER, false),
        }
    }

    /// Takes sums over that were counted before; the slots are those of the names' order.
    #[must_use]
    pub fn from_sums(named: Vec<(Arc<str>, Money)>, other: Option<Money>) -> Self {
        Self { named, other }
    }

    /// The slot of a name; that of the rest for a name that is not kept apart.
    #[must_use]
    pub fn slot_of(&self, name: &str) -> CategorySlot {
        self.place_of(name).map_or(CategorySlot::OTHER, slot)
    }

    /// The same, with a name that others share.
    #[must_use]
    pub fn slot_of_shared(&self, name: &Arc<str>) -> CategorySlot {
        self.place_of_shared(name).map_or(CategorySlot::OTHER, slot)
    }

    /// The name of a slot; `None` for the rest.
    #[must_use]
    pub fn name(&self, slot: CategorySlot) -> Option<&Arc<str>> {
        self.named.get(usize::from(slot.0)).map(|(name, _)| name)
    }

    /// Every slot in use with its sum, in order.
    pub fn slots(&self) -> impl Iterator<Item = (CategorySlot, Money)> {
        let each = self.named.iter().enumerate();
        each.map(|(place, (_, sum))| (slot(place), *sum))
    }

    /// The sums by slot.
    #[must_use]
    pub fn named(&self) -> &[(Arc<str>, Money)] {
        &self.named
    }

    /// The sum of the rest; `None` if nothing belongs to it.
    #[must_use]
    pub fn other(&self) -> Option<Money> {
        self.other
    }

    /// The sums, ascending by name with the rest last.
    #[must_use]
    pub fn by_name(&self) -> Vec<(&str, Money)> {
        let named = self.named.iter();
        let mut sums: Vec<(&str, Money)> = named.map(|(name, sum)| (&**name, *sum)).collect();
        sums.sort_unstable();
        sums.extend(self.other.map(|sum| (OTHER_CATEGORY, sum)));
        sums
    }
}

/// Slots depend on the order of arrival, and are not compared.
impl PartialEq for Categories {
    fn eq(&self, other: &Self) -> bool {
        self.by_name() == other.by_name()
    }
}

fn slot(place: usize) -> CategorySlot {
    u8::try_from(place).map_or(CategorySlot::OTHER, CategorySlot)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: of 66 names, the 64 first by name stay whatever the order; the last two, of 65 and 66 cents, and what
    /// is called so are the rest.
    #[test]
    fn the_first_names_are_kept_apart_in_any_order_of_arrival() {
        let names: Vec<String> = (1..=66).map(|number| format!("c{number:02}")).collect();
        let spends = names.iter().zip(1..);
        let upwards: Vec<(&str, Money)> = spends
            .map(|(name, cents)| (name.as_str(), Money(cents)))
            .collect();
        let downwards: Vec<(&str, Money)> = upwards.iter().rev().copied().collect();
        let sums = [upwards, downwards].map(|order| {
            let mut categories = Categories::default();
            categories.add(OTHER_CATEGORY, Money(1000));
            for (name, spend) in order {
                categories.add(name, spend);
            }
            categories
        });
        assert_eq!(sums[0], sums[1]);
        let by_name = sums[1].by_name();
        assert_eq!(by_name.len(), 65);
        assert_eq!(by_name[0], ("c01", Money(1)));
        assert_eq!(by_name[63], ("c64", Money(64)));
        assert_eq!(by_name[64], (OTHER_CATEGORY, Money(1000 + 65 + 66)));
    }

    #[test]
    fn a_displaced_category_gives_its_slot_to_the_new_one() {
        let mut categories = Categories::default();
        for number in 0..CATEGORIES_MAX {
            categories.add(&format!("m{number:02}"), Money(1));
        }
        let last = categories.slot_of("m63");
        let counted = categories.add("a", Money(5));
        assert_eq!(
            counted,
            Counted {
                slot: last,
                has_displaced: true
            }
        );
        assert_eq!(categories.slot_of("m63"), CategorySlot::OTHER);
        assert_eq!(categories.other(), Some(Money(1)));
    }
}
