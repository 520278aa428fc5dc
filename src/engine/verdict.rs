//! How a delivery ended. Every delivery ends in exactly one verdict, which is also a metric label.

use crate::domain::event::EventType;
use crate::domain::event::InvalidEvent;
use crate::domain::event::RejectReason;

/// The verdict of one delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Folded into the customer's record. The only verdict that touches it.
    Applied,
    /// Seen before: by offset, by event id or by order id.
    Duplicate,
    /// Older than the ledger or the remembered ids cover: a dead letter.
    Late {
        /// Which of the two does not cover it.
        reason: LateReason,
        /// A sentence that names the limit it is older than.
        detail: String,
    },
    /// A purchase without an account: counted, not aggregated.
    Guest,
    /// Marked as a test by its sender: counted and dropped.
    Test,
    /// Of a customer who was erased: counted, not folded.
    Suppressed,
    /// A type of docs/EVENTS.md that this version does not process: a dead letter.
    Unsupported(EventType),
    /// A broken rule: a dead letter.
    Rejected(InvalidEvent),
}

/// Why an event is late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LateReason {
    /// Its day is older than the customer's ledger covers.
    OlderThanLedger,
    /// It is not after an event whose id the record has forgotten.
    OlderThanRemembered,
    /// The same, on the customer's newest day: it has more events than a record can remember.
    TooManyOfOneDay,
}

impl LateReason {
    /// Which times of an event are not late, without a value of it.
    #[must_use]
    pub fn allowed(self) -> &'static str {
        match self {
            Self::OlderThanLedger => {
                "a day within state.ledger_days of the customer's newest event"
            }
            Self::OlderThanRemembered => {
                "a time after the newest event whose id the record no longer remembers (deduplication.ids)"
            }
            Self::TooManyOfOneDay => {
                "a time after the events of the newest day, of which the record remembers as many ids as it can"
            }
        }
    }

    /// All of them.
    pub const ALL: [Self; 3] = [
        Self::OlderThanLedger,
        Self::OlderThanRemembered,
        Self::TooManyOfOneDay,
    ];

    /// Its name in summaries.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OlderThanLedger => "older_than_ledger",
            Self::OlderThanRemembered => "older_than_remembered",
            Self::TooManyOfOneDay => "too_many_of_one_day",
        }
    }
}

/// A verdict without its details, for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// See [`Verdict::Applied`].
    Applied,
    /// See [`Verdict::Duplicate`].
    Duplicate,
    /// See [`Verdict::Late`].
    Late,
    /// See [`Verdict::Guest`].
    Guest,
    /// See [`Verdict::Test`].
    Test,
    /// See [`Verdict::Suppressed`].
    Suppressed,
    /// See [`Verdict::Unsupported`].
    Unsupported,
    /// See [`Verdict::Rejected`].
    Rejected,
}

impl Outcome {
    /// Whether such deliveries go to the dead letters.
    #[must_use]
    pub fn is_dead_letter(self) -> bool {
        match self {
            Self::Late | Self::Unsupported | Self::Rejected => true,
            Self::Applied | Self::Duplicate | Self::Guest | Self::Test | Self::Suppressed => false,
        }
    }

    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Applied,
        Self::Duplicate,
        Self::Late,
        Self::Guest,
        Self::Test,
        Self::Suppressed,
        Self::Unsupported,
        Self::Rejected,
    ];

    /// The metric label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Duplicate => "duplicate",
            Self::Late => "late",
            Self::Guest => "guest",
            Self::Test => "test",
            Self::Suppressed => "suppressed",
            Self::Unsupported => "unsupported",
            Self::Rejected => "rejected",
        }
    }
}

/// The reason and the detail of a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadLetterCause<'a> {
    /// `late`, `unsupported` or a [`RejectReason`].
    pub reason: &'a str,
    /// A sentence for the person who reads the dead letter.
    pub detail: &'a str,
}

impl Verdict {
    /// The verdict without its details.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Applied => Outcome::Applied,
            Self::Duplicate => Outcome::Duplicate,
            Self::Late { .. } => Outcome::Late,
            Self::Guest => Outcome::Guest,
            Self::Test => Outcome::Test,
            Self::Suppressed => Outcome::Suppressed,
            Self::Unsupported(_) => Outcome::Unsupported,
            Self::Rejected(_) => Outcome::Rejected,
        }
    }

    /// The rule that was broken.
    #[must_use]
    pub fn reject_reason(&self) -> Option<RejectReason> {
        match self {
            Self::Rejected(invalid) => Some(invalid.reason),
            Self::Applied
            | Self::Duplicate
            | Self::Late { .. }
            | Self::Guest
            | Self::Test
            | Self::Suppressed
            | Self::Unsupported(_) => None,
        }
    }

    /// The verdict by its reason, for summaries: the broken rule, why it is late, or the type. `None` where it has none.
    #[must_use]
    pub fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Rejected(invalid) => Some(invalid.reason.as_str()),
            Self::Late { reason, .. } => Some(reason.as_str()),
            Self::Unsupported(event_type) => Some(event_type.as_str()),
            Self::Applied | Self::Duplicate | Self::Guest | Self::Test | Self::Suppressed => None,
        }
    }

    /// What a delivery that goes to the dead letters is counted as; `None` if it does not go there.
    #[must_use]
    pub fn lost_as(&self) -> Option<(Outcome, &'static str)> {
        let outcome = self.outcome();
        let reason = self.reason().filter(|_| outcome.is_dead_letter())?;
        Some((outcome, reason))
    }

    /// Why the delivery goes to the dead letters; `None` if it does not.
    #[must_use]
    pub fn dead_letter(&self) -> Option<DeadLetterCause<'_>> {
        match self {
            Self::Rejected(invalid) => Some(DeadLetterCause {
                reason: invalid.reason.as_str(),
                detail: &invalid.detail,
            }),
            Self::Late { detail, .. } => Some(DeadLetterCause {
                reason: "late",
                detail,
            }),
            Self::Unsupported(_) => Some(DeadLetterCause {
                reason: "unsupported",
                detail: "events of this type are not processed by this version",
            }),
            Self::Applied | Self::Duplicate | Self::Guest | Self::Test | Self::Suppressed => None,
        }
    }
}
