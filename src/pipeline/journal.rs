//! What the log of a running service says of rejected events: the first of each reason, then a line a minute at most, and at
//! once that nearly all are rejected. It goes by what was committed, so that a delivery which comes again after an abort
//! counts once.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

use crate::domain::ids::Position;
use crate::pipeline::findings::Findings;

/// Counts are said this often.
const INTERVAL: Duration = Duration::from_secs(60);
/// The last deliveries that decide whether nearly all are rejected: a feed of one event a minute is noticed after minutes,
/// and one bad customer among others never.
const RECENT: usize = 20;
/// Fewer say nothing.
const JUDGED_MIN: usize = 10;
/// The share that is nearly all, in tenths.
const NEARLY_ALL_TENTHS: usize = 9;

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// The first delivery that was rejected for a reason.
    First {
        /// The reason.
        reason: &'static str,
        /// Where it was delivered.
        position: Position,
        /// The field.
        field: &'static str,
        /// What is allowed.
        allowed: String,
    },
    /// Rejected deliveries by reason, since the last line.
    Since(BTreeMap<&'static str, u64>),
    /// Nearly all of the last deliveries were rejected.
    NearlyAll {
        /// Rejected ones.
        rejected: usize,
        /// Of so many.
        judged: usize,
        /// The most frequent reason.
        reason: &'static str,
        /// The field.
        field: &'static str,
        /// What is allowed.
        allowed: String,
    },
    /// That is over.
    NotNearlyAll,
}

/// The reasons of the last deliveries, in their order; `None` for one that was not rejected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recent(VecDeque<Option<&'static str>>);

impl Recent {
    /// Adds a delivery.
    pub fn push(&mut self, reason: Option<&'static str>) {
        if self.0.len() == RECENT {
            self.0.pop_front();
        }
        self.0.push_back(reason);
    }

    fn rejected(&self) -> usize {
        self.0.iter().flatten().count()
    }
}

/// What was said, and what is to be said.
#[derive(Debug)]
pub struct Journal {
    /// What was met of each reason: its field and what is allowed.
    met: BTreeMap<&'static str, (&'static str, String)>,
    since: BTreeMap<&'static str, u64>,
    counted_at: Instant,
    recent: Recent,
    /// When it was said that nearly all are rejected, while they are.
    warned_at: Option<Instant>,
}

impl Journal {
    /// Nothing was rejected yet.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            met: BTreeMap::new(),
            since: BTreeMap::new(),
            counted_at: now,
            recent: Recent::default(),
            warned_at: None,
        }
    }

    /// A transaction with so many deliveries was committed.
    pub fn committed(
        &mut self,
        (findings, recent): (&Findings, &Recent),
        deliveries: u64,
        now: Instant,
    ) -> Vec<Entry> {
        let mut entries = Vec::new();
        let mut rejected = BTreeMap::new();
        for (reason, found) in findings.rejected() {
            rejected.insert(reason, found.count);
            let first = found.first.first();
            let Some((finding, problem)) = first.and_then(|one| Some((one, one.problem.as_ref()?)))
            else {
                continue;
            };
            let mut unsaid = found.count;
            let met = self
                .met
                .insert(reason, (problem.field, problem.allowed.clone()));
            if met.is_none() {
                unsaid -= 1;
                if self.since.is_empty() {
                    self.counted_at = now;
                }
                entries.push(Entry::First {
                    reason,
                    position: finding.position,
                    field: problem.field,
                    allowed: problem.allowed.clone(),
                });
            }
            if unsaid > 0 {
                *self.since.entry(reason).or_default() += unsaid;
            }
        }
        for reason in &recent.0 {
            self.recent.push(*reason);
        }
        entries.extend(self.judge(&rejected, deliveries, now));
        entries
    }

    /// Says what was not said for a minute.
    pub fn look(&mut self, now: Instant) -> Option<Entry> {
        let is_due = now.saturating_duration_since(self.counted_at) >= INTERVAL;
        if !is_due || self.since.is_empty() {
            return None;
        }
        self.counted_at = now;
        Some(Entry::Since(std::mem::take(&mut self.since)))
    }

    /// Whether nearly all are rejected, by the last deliveries or by those of this transaction.
    fn judge(
        &mut self,
        of_this: &BTreeMap<&'static str, u64>,
        deliveries: u64,
        now: Instant,
    ) -> Option<Entry> {
        let (rejected, judged) = (self.recent.rejected(), self.recent.0.len());
        if let Some(warned_at) = self.warned_at {
            let is_over =
                rejected * 2 <= judged && now.saturating_duration_since(warned_at) >= INTERVAL;
            if is_over {
                self.warned_at = None;
            }
            return is_over.then_some(Entry::NotNearlyAll);
        }
        let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
        let (rejected, judged) = if is_nearly_all(rejected, judged) {
            for reason in self.recent.0.iter().flatten() {
                *counts.entry(reason).or_default() += 1;
            }
            (rejected, judged)
        } else {
            for (reason, count) in of_this {
                counts.insert(reason, usize::try_from(*count).unwrap_or(usize::MAX));
            }
            let judged = usize::try_from(deliveries).unwrap_or(usize::MAX);
            (counts.values().sum(), judged)
        };
        if !is_nearly_all(rejected, judged) {
            return None;
        }
        let (reason, _) = counts.into_iter().max_by_key(|(_, count)| *count)?;
        let (field, allowed) = self.met.get(reason)?.clone();
        self.warned_at = Some(now);
        Some(Entry::NearlyAll {
            rejected,
            judged,
            reason,
            field,
            allowed,
        })
    }
}

fn is_nearly_all(rejected: usize, judged: usize) -> bool {
    judged >= JUDGED_MIN && rejected.saturating_mul(10) >= judged.saturating_mul(NEARLY_ALL_TENTHS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::InvalidEvent;
    use crate::domain::event::RejectReason;
    use crate::domain::ids::Partition;
    use crate::domain::ids::Source;
    use crate::engine::verdict::Verdict;

    const GBP: RejectReason = RejectReason::UnknownCurrency;

    fn invalid(reason: RejectReason) -> Verdict {
        let quoted = (Some("\"GBP\"".to_owned()), "GBP is wrong".to_owned());
        Verdict::Rejected(InvalidEvent::new(reason, "currency", "USD", quoted))
    }

    struct Feed {
        journal: Journal,
        offset: u64,
        begun: Instant,
        minutes: u32,
    }

    impl Feed {
        fn new() -> Self {
            let begun = Instant::now();
            Self {
                journal: Journal::new(begun),
                offset: 0,
                begun,
                minutes: 0,
            }
        }

        fn now(&self) -> Instant {
            self.begun + INTERVAL * self.minutes
        }

        /// A transaction with these deliveries; `None` is applied.
        fn commit(&mut self, reasons: &[Option<RejectReason>]) -> Vec<Entry> {
            let (mut findings, mut recent) = (Findings::default(), Recent::default());
            for reason in reasons {
                let verdict = reason.map_or(Verdict::Applied, invalid);
                let position = Position {
                    source: Source::Events,
                    partition: Partition(0),
                    offset: self.offset,
                };
                self.offset += 1;
                findings.note(&verdict, position, 0);
                recent.push(reason.map(RejectReason::as_str));
            }
            let deliveries = reasons.len() as u64;
            let now = self.now();
            self.journal
                .committed((&findings, &recent), deliveries, now)
        }

        fn warned(&mut self, reasons: &[Option<RejectReason>]) -> Option<(usize, usize)> {
            let entries = self.commit(reasons);
            entries.into_iter().find_map(|entry| match entry {
                Entry::NearlyAll {
                    rejected, judged, ..
                } => Some((rejected, judged)),
                Entry::First { .. } | Entry::Since(_) | Entry::NotNearlyAll => None,
            })
        }
    }

    #[test]
    fn the_first_of_each_reason_is_said_and_then_counts_once_a_minute() {
        let mut feed = Feed::new();
        let first = feed.commit(&[None, Some(GBP), Some(GBP), None]);
        let said = matches!(&*first, [Entry::First { reason: "unknown_currency", position, field: "currency", allowed }]
            if position.offset == 1 && allowed == "USD");
        assert!(said, "{first:?}");
        assert_eq!(feed.commit(&[Some(GBP), None, None, None]), []);
        let now = feed.now();
        assert_eq!(feed.journal.look(now), None);
        feed.minutes = 1;
        let entry = feed.journal.look(feed.now());
        assert_eq!(
            entry,
            Some(Entry::Since(BTreeMap::from([("unknown_currency", 2)])))
        );
        assert_eq!(feed.journal.look(feed.now()), None);
        feed.minutes = 5;
        assert_eq!(feed.journal.look(feed.now()), None, "nothing since");
        let other = feed.commit(&[Some(RejectReason::Revenue), None]);
        assert!(
            matches!(
                &*other,
                [Entry::First {
                    reason: "revenue",
                    ..
                }]
            ),
            "{other:?}"
        );
    }

    /// By hand: ten judged and nine of them rejected are enough, in one transaction or in ten.
    #[test]
    fn nearly_all_rejected_is_said_at_once_whatever_the_rate() {
        let bad = Some(GBP);
        assert_eq!(Feed::new().warned(&[bad; 10]), Some((10, 10)));
        assert_eq!(Feed::new().warned(&[bad; 9]), None);
        let mut slow = Feed::new();
        for minute in 0..9 {
            slow.minutes = minute;
            assert_eq!(slow.warned(&[bad]), None, "{minute}");
        }
        slow.minutes = 600;
        assert_eq!(slow.warned(&[bad]), Some((10, 10)));
        let mut mixed = Feed::new();
        assert_eq!(
            mixed.warned(&[None, bad, bad, bad, bad, bad, bad, bad, bad, bad]),
            Some((9, 10))
        );
        let mut half = Feed::new();
        for _ in 0..500 {
            assert_eq!(half.warned(&[bad, None]), None);
        }
        // A large transaction counts as a whole, wherever its good deliveries are.
        let mut large = vec![bad; 1000];
        large.extend([None; 20]);
        assert_eq!(Feed::new().warned(&large), Some((1000, 1020)));
    }

    #[test]
    fn it_is_said_again_only_when_it_stopped_and_came_back() {
        let bad = Some(GBP);
        let mut feed = Feed::new();
        assert!(feed.warned(&[bad; 20]).is_some());
        for minute in 0..100 {
            feed.minutes = minute;
            assert_eq!(feed.commit(&[bad; 20]), []);
        }
        // 10 of the last 20 are good.
        feed.minutes += 1;
        assert_eq!(feed.commit(&[None; 9]), []);
        assert_eq!(feed.commit(&[None]), [Entry::NotNearlyAll]);
        assert!(feed.warned(&[bad; 20]).is_some());
        // It comes and goes within the minute: not said again.
        assert_eq!(feed.commit(&[None; 20]), []);
        assert_eq!(feed.commit(&[bad; 20]), []);
    }
}
