//! Outcomes that are found out later.

/// What became of a transaction whose outcome was not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It has taken effect.
    Committed,
    /// No part of it has taken effect.
    Aborted,
    /// It cannot be said: another worker has committed its partitions since, or the next transaction failed first.
    Undetermined,
}

impl Outcome {
    /// Its name in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Aborted => "aborted",
            Self::Undetermined => "undetermined",
        }
    }
}
