//! Why a store is made anew.

/// Why a store was removed; also the metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WipeReason {
    /// It did not open, or panicked on opening.
    OpenFailed,
    /// A record or the checkpoint did not decode, or the store was found damaged while it was read.
    Checksum,
    /// Written by another version, or by the other engine.
    Format,
    /// The changelog does not have its place any more, or not yet.
    OffsetOutOfRange,
    /// Records are missing, stale or too many.
    Digest,
    /// Its last flush was interrupted: its records are of two places in the changelog, which only a restore can mend.
    Unfinished,
    /// A part that an entry names is missing: in the middle of a restore, or although all of the changelog was read.
    Incomplete,
    /// It lagged for so long that the changelog has deleted tombstones that it missed.
    TooOld,
}

impl WipeReason {
    /// The metric label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenFailed => "open_failed",
            Self::Checksum => "checksum",
            Self::Format => "format",
            Self::OffsetOutOfRange => "offset_out_of_range",
            Self::Digest => "digest",
            Self::Unfinished => "unfinished",
            Self::Incomplete => "incomplete",
            Self::TooOld => "too_old",
        }
    }
}
