//! What the log of a running service says of events that go to the dead letters: the first of each reason, then a line a
//! minute at most, and at once that nearly all do. It goes by what was committed, so that a delivery which comes again after
//! an abort counts once.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

use crate::domain::ids::Position;
use crate::engine::verdict::LateReason;
use crate::engine::verdict::Outcome;
use crate::pipeline::findings::Finding;
use crate::pipeline::findings::Findings;
use crate::pipeline::findings::Found;
use crate::pipeline::findings::Kind;

/// Counts are said this often.
const INTERVAL: Duration = Duration::from_secs(60);
/// The last deliveries that decide, where a transaction has fewer, whether nearly all go to the dead letters.
const RECENT: usize = 50;
/// Fewer say nothing. The first ones decide alone: a feed of one event a minute that is wrong from its start is noticed after
/// minutes.
const JUDGED_MIN: usize = 10;
/// The share that is nearly all, in tenths.
const NEARLY_ALL_TENTHS: usize = 9;

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// The first delivery that went to the dead letters for a reason.
    First {
        /// The verdict and the reason.
        kind: Kind,
        /// Where it was delivered.
        position: Position,
        /// The field.
        field: &'static str,
        /// What is allowed.
        allowed: String,
    },
    /// Deliveries that went to the dead letters by reason, since the last line.
    Since(BTreeMap<Kind, u64>),
    /// Nearly all of the last deliveries went to the dead letters.
    NearlyAll {
        /// Those that did.
        lost: usize,
        /// Of so many.
        judged: usize,
        /// The most frequent verdict and reason.
        kind: Kind,
        /// Those that went there for it.
        of_kind: usize,
        /// The field.
        field: &'static str,
        /// What is allowed.
        allowed: String,
    },
    /// That is over.
    NotNearlyAll,
}

/// What the last deliveries went to the dead letters as, in their order; `None` for one that did not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recent(VecDeque<Option<Kind>>);

impl Recent {
    /// Adds a delivery.
    pub fn push(&mut self, kind: Option<Kind>) {
        if self.0.len() == RECENT {
            self.0.pop_front();
        }
        self.0.push_back(kind);
    }

    fn lost(&self) -> usize {
        self.0.iter().flatten().count()
    }
}

/// What was said, and what is to be said.
#[derive(Debug)]
pub struct Journal {
    /// What was met of each reason: its field and what is allowed.
    met: BTreeMap<Kind, (&'static str, String)>,
    since: BTreeMap<Kind, u64>,
    counted_at: Instant,
    recent: Recent,
    /// When it was said that nearly all go to the dead letters, while they do.
    warned_at: Option<Instant>,
}

impl Journal {
    /// Nothing went to the dead letters yet.
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
        let mut lost = BTreeMap::new();
        for (kind, found) in findings.dead_letters() {
            lost.insert(kind, found.count);
            let Some((finding, (field, allowed))) = first_of(kind, found) else {
                continue;
            };
            let mut unsaid = found.count;
            let met = self.met.insert(kind, (field, allowed.clone()));
            if met.is_none() {
                unsaid -= 1;
                if self.since.is_empty() {
                    self.counted_at = now;
                }
                entries.push(Entry::First {
                    kind,
                    position: finding.position,
                    field,
                    allowed,
                });
            }
            if unsaid > 0 {
                *self.since.entry(kind).or_default() += unsaid;
            }
        }
        for kind in &recent.0 {
            self.recent.push(*kind);
        }
        entries.extend(self.judge(&lost, deliveries, now));
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

    /// Whether nearly all go to the dead letters: of this transaction if it is large, else of the last deliveries.
    fn judge(
        &mut self,
        of_this: &BTreeMap<Kind, u64>,
        deliveries: u64,
        now: Instant,
    ) -> Option<Entry> {
        let (lost, judged) = (self.recent.lost(), self.recent.0.len());
        if let Some(warned_at) = self.warned_at {
            let is_over =
                lost * 2 <= judged && now.saturating_duration_since(warned_at) >= INTERVAL;
            if is_over {
                self.warned_at = None;
            }
            return is_over.then_some(Entry::NotNearlyAll);
        }
        let deliveries = usize::try_from(deliveries).unwrap_or(usize::MAX);
        let mut counts: BTreeMap<Kind, usize> = BTreeMap::new();
        let (lost, judged) = if deliveries > RECENT {
            for (kind, count) in of_this {
                counts.insert(*kind, usize::try_from(*count).unwrap_or(usize::MAX));
            }
            (counts.values().sum(), deliveries)
        } else {
            for kind in self.recent.0.iter().flatten() {
                *counts.entry(*kind).or_default() += 1;
            }
            (lost, judged)
        };
        if !is_nearly_all(lost, judged) {
            return None;
        }
        let (kind, of_kind) = counts.into_iter().max_by_key(|(_, count)| *count)?;
        let (field, allowed) = self.met.get(&kind)?.clone();
        self.warned_at = Some(now);
        Some(Entry::NearlyAll {
            lost,
            judged,
            kind,
            of_kind,
            field,
            allowed,
        })
    }
}

/// The first delivery of a kind, its field and what is allowed.
fn first_of(kind: Kind, found: &Found) -> Option<(&Finding, (&'static str, String))> {
    let finding = found.first.first()?;
    let (outcome, reason) = kind;
    let of_late = || {
        let mut reasons = LateReason::ALL.into_iter();
        let known = reasons.find(|known| known.as_str() == reason)?;
        Some(("occurred_at", known.allowed().to_owned()))
    };
    let of_rejected = || {
        let problem = finding.problem.as_ref()?;
        Some((problem.field, problem.allowed.clone()))
    };
    let problem = match outcome {
        Outcome::Late => of_late(),
        Outcome::Unsupported => Some(("type", "a type that this version processes".to_owned())),
        Outcome::Rejected => of_rejected(),
        Outcome::Applied
        | Outcome::Duplicate
        | Outcome::Guest
        | Outcome::Test
        | Outcome::Suppressed => None,
    };
    Some((finding, problem?))
}

fn is_nearly_all(lost: usize, judged: usize) -> bool {
    judged >= JUDGED_MIN && lost.saturating_mul(10) >= judged.saturating_mul(NEARLY_ALL_TENTHS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::EventType;
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
            let verdicts = reasons.iter();
            let verdicts = verdicts.map(|reason| reason.map_or(Verdict::Applied, invalid));
            self.commit_verdicts(&verdicts.collect::<Vec<_>>())
        }

        fn commit_verdicts(&mut self, verdicts: &[Verdict]) -> Vec<Entry> {
            let (mut findings, mut recent) = (Findings::default(), Recent::default());
            for verdict in verdicts {
                let position = Position {
                    source: Source::Events,
                    partition: Partition(0),
                    offset: self.offset,
                };
                self.offset += 1;
                findings.note(verdict, position, 0);
                recent.push(verdict.lost_as());
            }
            let deliveries = verdicts.len() as u64;
            let now = self.now();
            self.journal
                .committed((&findings, &recent), deliveries, now)
        }

        fn warned(&mut self, reasons: &[Option<RejectReason>]) -> Option<(usize, usize)> {
            let entries = self.commit(reasons);
            entries.into_iter().find_map(|entry| match entry {
                Entry::NearlyAll { lost, judged, .. } => Some((lost, judged)),
                Entry::First { .. } | Entry::Since(_) | Entry::NotNearlyAll => None,
            })
        }
    }

    #[test]
    fn the_first_of_each_reason_is_said_and_then_counts_once_a_minute() {
        let mut feed = Feed::new();
        let first = feed.commit(&[None, Some(GBP), Some(GBP), None]);
        let said = matches!(&*first, [Entry::First { kind: (Outcome::Rejected, "unknown_currency"), position, field: "currency", allowed }]
            if position.offset == 1 && allowed == "USD");
        assert!(said, "{first:?}");
        assert_eq!(feed.commit(&[Some(GBP), None, None, None]), []);
        let now = feed.now();
        assert_eq!(feed.journal.look(now), None);
        feed.minutes = 1;
        let entry = feed.journal.look(feed.now());
        assert_eq!(
            entry,
            Some(Entry::Since(BTreeMap::from([(
                (Outcome::Rejected, "unknown_currency"),
                2
            )])))
        );
        assert_eq!(feed.journal.look(feed.now()), None);
        feed.minutes = 5;
        assert_eq!(feed.journal.look(feed.now()), None, "nothing since");
        let other = feed.commit(&[Some(RejectReason::Revenue), None]);
        assert!(
            matches!(
                &*other,
                [Entry::First {
                    kind: (Outcome::Rejected, "revenue"),
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
        // A run of one customer's bad events is not the feed, at the end of a large transaction or in one of its own.
        let mut run = vec![None; 3000];
        run.extend([bad; 18]);
        assert_eq!(Feed::new().warned(&run), None);
        let mut alone = Feed::new();
        assert_eq!(alone.warned(&[None; 3000]), None);
        assert_eq!(alone.warned(&[bad; 40]), None);
    }

    #[test]
    fn late_and_unsupported_deliveries_are_said_as_rejected_ones_are() {
        let late = |reason| Verdict::Late {
            reason,
            detail: "occurred_at: 2020-01-01 is late".to_owned(),
        };
        for (verdict, kind, field, allowed) in [
            (
                late(LateReason::OlderThanLedger),
                (Outcome::Late, "older_than_ledger"),
                "occurred_at",
                "state.ledger_days",
            ),
            (
                late(LateReason::OlderThanRemembered),
                (Outcome::Late, "older_than_remembered"),
                "occurred_at",
                "deduplication.ids",
            ),
            (
                late(LateReason::TooManyOfOneDay),
                (Outcome::Late, "too_many_of_one_day"),
                "occurred_at",
                "newest day",
            ),
            (
                Verdict::Unsupported(EventType::OrderRefunded),
                (Outcome::Unsupported, "order.refunded"),
                "type",
                "this version",
            ),
        ] {
            let mut feed = Feed::new();
            let entries = feed.commit_verdicts(&vec![verdict; 10]);
            let [
                Entry::First {
                    kind: first,
                    field: said,
                    allowed: limit,
                    ..
                },
                Entry::NearlyAll {
                    kind: most,
                    lost: 10,
                    judged: 10,
                    ..
                },
            ] = &*entries
            else {
                panic!("{entries:?}");
            };
            assert_eq!((*first, *most, *said), (kind, kind, field));
            assert!(limit.contains(allowed), "{limit}");
            assert!(!limit.contains("2020"), "{limit}");
        }
        // These are no dead letters.
        for verdict in [Verdict::Duplicate, Verdict::Guest, Verdict::Test] {
            assert_eq!(Feed::new().commit_verdicts(&vec![verdict; 100]), []);
        }
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
        // 25 of the last 50 are good.
        feed.minutes += 1;
        assert_eq!(feed.commit(&[None; 24]), []);
        assert_eq!(feed.commit(&[None]), [Entry::NotNearlyAll]);
        assert!(feed.warned(&[bad; 60]).is_some());
        // It comes and goes within the minute: not said again.
        assert_eq!(feed.commit(&[None; 50]), []);
        assert_eq!(feed.commit(&[bad; 50]), []);
    }
}
