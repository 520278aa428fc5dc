//! The definition table of a partition: the names of the numbers in its entries, and the definition of its state.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;

use crate::domain::ids::ModelVersion;
use crate::domain::ids::SegmentId;
use crate::domain::ids::stable_hash;
use crate::engine::state::definition::Definition;
use crate::model::segment_model::SegmentModel;

/// The number of a segment in an entry. It follows from the id alone, so that it is the same in every partition and
/// in state that was upgraded at different times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SegmentNumber(pub u32);

/// The number of a model version in an entry. It follows from the version alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ModelNumber(pub u32);

impl SegmentNumber {
    /// The number of a segment.
    #[must_use]
    pub fn of(id: &SegmentId) -> Self {
        Self(number(id.as_str()))
    }
}

impl ModelNumber {
    /// The number of a model version.
    #[must_use]
    pub fn of(version: &ModelVersion) -> Self {
        Self(number(version.as_str()))
    }
}

/// The low four bytes of the stable hash, never the value that stands for nothing.
fn number(name: &str) -> u32 {
    let [a, b, c, d, ..] = stable_hash(&[name]).to_le_bytes();
    u32::from_le_bytes([a, b, c, d]).min(u32::MAX - 1)
}

/// The number of a category in an entry: its place in the table, which is another one in each partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CategoryNumber(pub u32);

/// Names of categories that a table holds; later ones are written out in each entry.
pub const CATEGORY_NAMES_MAX: usize = 1000;
/// What the names may take together, so that the log takes the table.
pub const CATEGORY_NAMES_BYTES_MAX: usize = 64 * 1024;

/// Names of categories by their numbers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Vec<Arc<str>>", into = "Vec<Arc<str>>")]
struct CategoryNames {
    names: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, CategoryNumber, foldhash::fast::RandomState>,
    /// What the names take.
    bytes: usize,
    /// What they may take. It is not part of the state.
    bytes_max: usize,
}

impl Default for CategoryNames {
    fn default() -> Self {
        Vec::new().into()
    }
}

impl CategoryNames {
    /// The number of a name, which is added while there is room.
    fn number(&mut self, name: &str, shared: impl FnOnce() -> Arc<str>) -> Option<CategoryNumber> {
        if let Some(known) = self.numbers.get(name) {
            return Some(*known);
        }
        let bytes = self.bytes + name.len();
        if self.names.len() >= CATEGORY_NAMES_MAX || bytes > self.bytes_max {
            return None;
        }
        let number = CategoryNumber(u32::try_from(self.names.len()).ok()?);
        let name = shared();
        self.names.push(Arc::clone(&name));
        self.numbers.insert(name, number);
        self.bytes = bytes;
        Some(number)
    }
}

impl PartialEq for CategoryNames {
    fn eq(&self, other: &Self) -> bool {
        self.names == other.names
    }
}

impl Eq for CategoryNames {}

impl From<Vec<Arc<str>>> for CategoryNames {
    fn from(names: Vec<Arc<str>>) -> Self {
        let numbers = names.iter().cloned().zip((0..).map(CategoryNumber));
        Self {
            numbers: numbers.collect(),
            bytes: names.iter().map(|name| name.len()).sum(),
            bytes_max: CATEGORY_NAMES_BYTES_MAX,
            names,
        }
    }
}

impl From<CategoryNames> for Vec<Arc<str>> {
    fn from(categories: CategoryNames) -> Self {
        categories.names
    }
}

/// Two names of one kind have the same number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{first:?} and {second:?} have the same number in the state: rename one of them")]
pub struct SameNumber {
    first: String,
    second: String,
}

/// Names with their numbers, which are kept because each entry that is read asks for two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<T>", into = "Vec<T>")]
#[serde(bound(
    serialize = "T: Clone + Serialize",
    deserialize = "T: Borrow<str> + Deserialize<'de>"
))]
struct Numbered<T>(Vec<(u32, T)>);

impl<T> Numbered<T> {
    fn of(&self, wanted: u32) -> Option<&T> {
        let mut names = self.0.iter();
        names
            .find(|(number, _)| *number == wanted)
            .map(|(_, name)| name)
    }
}

impl<T: Borrow<str>> Numbered<T> {
    fn push(&mut self, name: T) {
        self.0.push((number(name.borrow()), name));
    }
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Borrow<str>> From<Vec<T>> for Numbered<T> {
    fn from(names: Vec<T>) -> Self {
        let numbers = names.into_iter();
        Self(numbers.map(|name| (number(name.borrow()), name)).collect())
    }
}

impl<T> From<Numbered<T>> for Vec<T> {
    fn from(names: Numbered<T>) -> Self {
        names.0.into_iter().map(|(_, name)| name).collect()
    }
}

/// The names of the numbers, and the definition of the state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefinitionTable {
    models: Numbered<ModelVersion>,
    segments: Numbered<SegmentId>,
    /// What decides the state, field by field.
    pub definition: Definition,
    categories: CategoryNames,
}

impl DefinitionTable {
    /// The version of a number.
    #[must_use]
    pub fn model(&self, number: ModelNumber) -> Option<&ModelVersion> {
        self.models.of(number.0)
    }

    /// The segment of a number.
    #[must_use]
    pub fn segment(&self, number: SegmentNumber) -> Option<&SegmentId> {
        self.segments.of(number.0)
    }

    /// Adds a version; `true` if it is new.
    ///
    /// # Errors
    /// If another one has its number.
    pub fn add_model(&mut self, version: &ModelVersion) -> Result<bool, SameNumber> {
        match self.model(ModelNumber::of(version)) {
            Some(known) if known == version => Ok(false),
            Some(known) => Err(SameNumber {
                first: known.to_string(),
                second: version.to_string(),
            }),
            None => {
                self.models.push(version.clone());
                Ok(true)
            }
        }
    }

    /// Adds a segment; `true` if it is new.
    ///
    /// # Errors
    /// If another one has its number.
    pub fn add_segment(&mut self, id: &SegmentId) -> Result<bool, SameNumber> {
        match self.segment(SegmentNumber::of(id)) {
            Some(known) if known == id => Ok(false),
            Some(known) => Err(SameNumber {
                first: known.to_string(),
                second: id.to_string(),
            }),
            None => {
                self.segments.push(id.clone());
                Ok(true)
            }
        }
    }

    /// A table of format 4, which had no categories.
    #[must_use]
    pub fn of_format_4(
        models: Vec<ModelVersion>,
        segments: Vec<SegmentId>,
        definition: Definition,
    ) -> Self {
        Self {
            models: models.into(),
            segments: segments.into(),
            definition,
            categories: CategoryNames::default(),
        }
    }

    /// The category of a number.
    #[must_use]
    pub fn category(&self, number: CategoryNumber) -> Option<&Arc<str>> {
        self.categories.names.get(usize::try_from(number.0).ok()?)
    }

    /// The number of a category, which is added while there is room for names; `None` where there is none. `shared` is asked
    /// for a name that is added.
    pub fn number_category(
        &mut self,
        name: &str,
        shared: impl FnOnce() -> Arc<str>,
    ) -> Option<CategoryNumber> {
        self.categories.number(name, shared)
    }

    /// Adds names of categories only as long as all of them take at most so many bytes.
    pub fn limit_category_names(&mut self, bytes_max: usize) {
        self.categories.bytes_max = bytes_max;
    }

    /// Adds all names of another table, which is a later state of this one, and replaces the definition by the other's.
    ///
    /// # Errors
    /// If a number is taken.
    pub fn take_over(&mut self, other: Self) -> Result<(), SameNumber> {
        let both = self.categories.names.iter().zip(&other.categories.names);
        if let Some((first, second)) = both.clone().find(|(first, second)| first != second) {
            return Err(SameNumber {
                first: first.to_string(),
                second: second.to_string(),
            });
        }
        if other.categories.names.len() > self.categories.names.len() {
            self.categories = CategoryNames {
                bytes_max: self.categories.bytes_max,
                ..other.categories
            };
        }
        for (_, version) in &other.models.0 {
            self.add_model(version)?;
        }
        for (_, id) in &other.segments.0 {
            self.add_segment(id)?;
        }
        self.definition = other.definition;
        Ok(())
    }

    /// Adds a model and all of its segments; `true` if something is new.
    ///
    /// # Errors
    /// If a number is taken.
    pub fn add(&mut self, model: &SegmentModel) -> Result<bool, SameNumber> {
        let mut is_new = self.add_model(&model.facts().version)?;
        for segment in model.segments() {
            is_new |= self.add_segment(&segment.id)?;
        }
        Ok(is_new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_by_its_number_and_added_once() {
        let mut table = DefinitionTable::default();
        let id = SegmentId::new("dormant");
        assert_eq!(table.segment(SegmentNumber::of(&id)), None);
        assert_eq!(table.add_segment(&id), Ok(true));
        assert_eq!(table.add_segment(&id), Ok(false));
        assert_eq!(table.segment(SegmentNumber::of(&id)), Some(&id));
    }

    /// Found by a search over names of this form.
    #[test]
    fn two_names_of_one_number_are_refused() {
        let mut seen = HashMap::new();
        let pair = (0_u32..).find_map(|at| {
            let id = SegmentId::new(format!("s{at}"));
            let other = seen.insert(SegmentNumber::of(&id), id.clone())?;
            Some((other, id))
        });
        let (first, second) = pair.unwrap();
        let mut table = DefinitionTable::default();
        table.add_segment(&first).unwrap();
        assert!(table.add_segment(&second).is_err());
    }
}
