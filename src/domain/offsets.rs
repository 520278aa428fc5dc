//! Offsets of a partition's sources: how far each was folded, or where it ends.

use serde::Deserialize;
use serde::Serialize;

use crate::domain::ids::Position;
use crate::domain::ids::Source;

/// The next offset of every source: a delivery below it has been folded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(Source, u64)>", into = "Vec<(Source, u64)>")]
pub struct AppliedOffsets([u64; Source::ALL.len()]);

impl AppliedOffsets {
    /// The next offset of a source.
    #[must_use]
    pub fn next(&self, source: Source) -> u64 {
        let mut sources = Source::ALL.iter().zip(self.0);
        let found = sources.find(|(known, _)| **known == source);
        found.map_or(0, |(_, next)| next)
    }

    /// The same offsets, with another one of a source.
    #[must_use]
    pub fn with(mut self, source: Source, next: u64) -> Self {
        for (offset, known) in self.0.iter_mut().zip(Source::ALL) {
            if known == source {
                *offset = next;
            }
        }
        self
    }

    /// Whether a delivery has been folded.
    #[must_use]
    pub fn has(&self, position: Position) -> bool {
        position.offset < self.next(position.source)
    }

    /// Whether every source is at or past its offset in `ends`.
    #[must_use]
    pub fn covers(&self, ends: &Self) -> bool {
        self.0.iter().zip(ends.0).all(|(next, end)| *next >= end)
    }

    /// How many offsets there are to `ends`, over all sources.
    #[must_use]
    pub fn short_of(&self, ends: &Self) -> u64 {
        let each = self.0.iter().zip(ends.0);
        let short = each.map(|(next, end)| end.saturating_sub(*next));
        short.fold(0, u64::saturating_add)
    }

    /// The offsets after a delivery was folded.
    #[must_use]
    pub fn after(self, position: Position) -> Self {
        self.with(position.source, position.offset.saturating_add(1))
    }
}

/// Pairs, so that a source that is added later does not change what was written before.
impl From<Vec<(Source, u64)>> for AppliedOffsets {
    fn from(pairs: Vec<(Source, u64)>) -> Self {
        let each = pairs.into_iter();
        each.fold(Self::default(), |applied, (source, next)| {
            applied.with(source, next)
        })
    }
}

impl From<AppliedOffsets> for Vec<(Source, u64)> {
    fn from(applied: AppliedOffsets) -> Self {
        let sources = Source::ALL.into_iter().zip(applied.0);
        sources.filter(|(_, next)| *next > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::Partition;

    #[test]
    fn each_source_is_counted_for_itself() {
        let at = |source, offset| Position {
            source,
            partition: Partition(0),
            offset,
        };
        let applied = AppliedOffsets::default().after(at(Source::Transfers, 4));
        assert!(applied.has(at(Source::Transfers, 4)));
        assert!(!applied.has(at(Source::Transfers, 5)));
        assert!(!applied.has(at(Source::Events, 0)));
        assert_eq!(applied.next(Source::Events), 0);
    }

    #[test]
    fn ends_are_covered_when_every_source_has_reached_its_own() {
        let ends = AppliedOffsets::default()
            .with(Source::Events, 3)
            .with(Source::Transfers, 2);
        let applied = AppliedOffsets::default().with(Source::Events, 9);
        assert!(!applied.covers(&ends));
        assert_eq!(applied.short_of(&ends), 2);
        assert!(applied.with(Source::Transfers, 2).covers(&ends));
    }
}
