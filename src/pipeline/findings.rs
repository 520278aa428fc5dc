//! What became of deliveries that changed no customer: how many of each kind, and the first places. Those of a transaction
//! are counted when it is committed.

use std::collections::BTreeMap;

use crate::domain::ids::Partition;
use crate::domain::ids::Position;
use crate::engine::verdict::Outcome;
use crate::engine::verdict::Verdict;

/// Places that are kept of each kind.
pub const PLACES_MAX: usize = 3;

/// A verdict and its reason; the name of the verdict where it has none.
pub type Kind = (Outcome, &'static str);

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The field.
    pub field: &'static str,
    /// What is allowed. It quotes nothing of the event.
    pub allowed: String,
    /// The beginning of what stands there; never for a log.
    pub value: Option<String>,
}

/// A delivery that changed no customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where it was delivered.
    pub position: Position,
    /// Its line, where the input is a file; else 0. Lower ones come first.
    pub line: u64,
    /// What is wrong, of one that was rejected.
    pub problem: Option<Problem>,
}

/// The deliveries of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// How many there are.
    pub count: u64,
    /// The first ones.
    pub first: Vec<Finding>,
}

impl Found {
    /// One of this line would be among the first.
    fn takes(&self, line: u64) -> bool {
        let last = self.first.last().map(|last| last.line);
        self.first.len() < PLACES_MAX || last.is_some_and(|last| line < last)
    }

    fn insert(&mut self, finding: Finding) {
        // Of those without a line, the first that come are the first.
        let place = self
            .first
            .partition_point(|known| known.line <= finding.line);
        self.first.insert(place, finding);
        self.first.truncate(PLACES_MAX);
    }
}

/// All of them, by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings(BTreeMap<Kind, Found>);

impl Findings {
    /// Notes how a delivery ended, unless it was applied.
    pub fn note(&mut self, verdict: &Verdict, position: Position, line: u64) {
        let outcome = verdict.outcome();
        if outcome == Outcome::Applied {
            return;
        }
        let kind = (outcome, verdict.reason().unwrap_or(outcome.as_str()));
        let found = self.0.entry(kind).or_default();
        found.count += 1;
        if found.takes(line) {
            found.insert(Finding {
                position,
                line,
                problem: problem(verdict),
            });
        }
    }

    /// Adds others.
    pub fn add(&mut self, others: &Self) {
        for (kind, others) in &others.0 {
            let found = self.0.entry(*kind).or_default();
            found.count += others.count;
            for finding in &others.first {
                if found.takes(finding.line) {
                    found.insert(finding.clone());
                }
            }
        }
    }

    /// Each kind, by verdict and reason.
    pub fn iter(&self) -> impl Iterator<Item = (Kind, &Found)> {
        self.0.iter().map(|(kind, found)| (*kind, found))
    }

    /// The kinds that go to the dead letters.
    pub fn dead_letters(&self) -> impl Iterator<Item = (Kind, &Found)> {
        self.iter()
            .filter(|((outcome, _), _)| outcome.is_dead_letter())
    }

    /// The rejected ones, by reason.
    pub fn rejected(&self) -> impl Iterator<Item = (&'static str, &Found)> {
        let rejected = self
            .iter()
            .filter(|((outcome, _), _)| *outcome == Outcome::Rejected);
        rejected.map(|((_, reason), found)| (reason, found))
    }
}

fn problem(verdict: &Verdict) -> Option<Problem> {
    let Verdict::Rejected(invalid) = verdict else {
        return None;
    };
    Some(Problem {
        field: invalid.field,
        allowed: invalid.allowed.clone(),
        value: invalid.value.clone(),
    })
}

/// The lines of a file by the places where their events are delivered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines(BTreeMap<Partition, (u64, Vec<u64>)>);

impl Lines {
    /// The next event of the file is the next one of a partition, which ends at `end` before the first of them.
    pub fn push(&mut self, partition: Partition, end: u64, line: u64) {
        let (_, lines) = self.0.entry(partition).or_insert((end, Vec::new()));
        lines.push(line);
    }

    /// The line of a delivery; `None` where it is not of the file.
    #[must_use]
    pub fn line_of(&self, position: Position) -> Option<u64> {
        let (first, lines) = self.0.get(&position.partition)?;
        let place = usize::try_from(position.offset.checked_sub(*first)?).ok()?;
        lines.get(place).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::Source;

    fn at(partition: u32, offset: u64) -> Position {
        Position {
            source: Source::Events,
            partition: Partition(partition),
            offset,
        }
    }

    fn offsets(findings: &Findings) -> (u64, Vec<u64>) {
        let (_, found) = findings.iter().next().unwrap();
        let first = found.first.iter().map(|each| each.position.offset);
        (found.count, first.collect())
    }

    #[test]
    fn the_first_lines_are_kept_in_whatever_order_they_come() {
        let mut all = Findings::default();
        for lines in [vec![9, 7, 8, 6], vec![5, 30], vec![2]] {
            let mut some = Findings::default();
            for line in lines {
                some.note(&Verdict::Guest, at(0, line), line);
            }
            all.add(&some);
        }
        assert_eq!(offsets(&all), (7, vec![2, 5, 6]));
    }

    #[test]
    fn without_lines_the_first_that_come_are_kept() {
        let mut all = Findings::default();
        for offsets in [vec![4, 1], vec![0, 9]] {
            let mut some = Findings::default();
            for offset in offsets {
                some.note(&Verdict::Guest, at(0, offset), 0);
            }
            all.add(&some);
        }
        assert_eq!(offsets(&all), (4, vec![4, 1, 0]));
        all.note(&Verdict::Applied, at(0, 10), 0);
        assert_eq!(all.iter().count(), 1);
    }

    #[test]
    fn a_delivery_has_a_line_from_the_end_on_that_its_partition_had() {
        let mut lines = Lines::default();
        for (partition, line) in [(0, 2), (1, 3), (0, 5)] {
            lines.push(Partition(partition), 10, line);
        }
        let line_of = |partition, offset| lines.line_of(at(partition, offset));
        assert_eq!(line_of(0, 9), None);
        assert_eq!(line_of(0, 10), Some(2));
        assert_eq!(line_of(0, 11), Some(5));
        assert_eq!(line_of(0, 12), None);
        assert_eq!(line_of(1, 10), Some(3));
        assert_eq!(line_of(2, 10), None);
    }
}
