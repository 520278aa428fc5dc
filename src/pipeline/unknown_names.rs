//! The names of the fields that no event has, as far as they were met.

use std::collections::BTreeSet;

use crate::domain::event::UnknownName;
use crate::domain::ids::Position;

/// Names that are kept. Producers may make up others without end.
pub const NAMES_MAX: usize = 20;
/// The most events whose unknown fields are read by name, each with other fields than those before.
pub const LOOKS_MAX: usize = 1000;

/// The name of a field that no event has, and where it was met first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its name.
    pub name: UnknownName,
    /// Where it was met first.
    pub position: Position,
    /// Its line, where the input is a file; else 0.
    pub line: u64,
}

/// The first names that were met.
#[derive(Debug, Default)]
pub struct UnknownNames {
    /// Fingerprints of the unknown fields of the events whose names were read.
    seen: BTreeSet<u64>,
    names: Vec<Named>,
}

impl UnknownNames {
    /// Whether to read the names of an event with fields of this fingerprint: once for each fingerprint.
    pub fn look_at(&mut self, fingerprint: u64) -> bool {
        self.names.len() < NAMES_MAX && self.seen.len() < LOOKS_MAX && self.seen.insert(fingerprint)
    }

    /// Takes the names of an event; the new ones.
    pub fn take(&mut self, names: Vec<UnknownName>, position: Position, line: u64) -> Vec<Named> {
        let mut new = Vec::new();
        for name in names {
            let is_known = self.names.iter().any(|known| known.name.name == name.name);
            if !is_known && self.names.len() < NAMES_MAX {
                let named = Named {
                    name,
                    position,
                    line,
                };
                self.names.push(named.clone());
                new.push(named);
            }
        }
        new
    }

    /// Those that were met, in their order.
    #[must_use]
    pub fn names(&self) -> &[Named] {
        &self.names
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::Partition;
    use crate::domain::ids::Source;

    #[test]
    fn each_name_is_new_once_and_no_more_than_twenty_are_kept() {
        let position = Position {
            source: Source::Events,
            partition: Partition(0),
            offset: 0,
        };
        let mut names = UnknownNames::default();
        assert!(names.look_at(7));
        assert!(!names.look_at(7));
        let name = |number: usize| UnknownName {
            name: format!("f{number}"),
            meant: None,
            is_attribute: false,
        };
        assert_eq!(names.take(vec![name(0), name(1)], position, 0).len(), 2);
        assert_eq!(names.take(vec![name(1)], position, 0), []);
        assert_eq!(
            names.take((0..50).map(name).collect(), position, 0).len(),
            18
        );
        assert_eq!(names.names().len(), NAMES_MAX);
        assert!(!names.look_at(8));
    }
}
