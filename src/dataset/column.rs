//! The columns that a format expects of a file.

/// What the values of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An id: `17850.0` is read as `17850`. A cell that has lost digits is refused.
    Id,
    /// Any text.
    Text,
    /// An instant, a local time, or a day.
    Instant,
    /// A day; a time after it is ignored.
    Day,
    /// An exact decimal, perhaps with a currency.
    Amount,
    /// A number of floating point.
    Number,
    /// A number of floating point that is an amount of money, perhaps with a currency.
    Money,
}

impl Kind {
    /// `NA` and `N/A` are values in these, as NA is Namibia; in the others they are missing.
    pub(super) fn is_text(self) -> bool {
        self == Self::Text
    }
}

/// A column that a format expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name in the format.
    pub name: String,
    /// What its values are.
    pub kind: Kind,
    /// A file without it is refused.
    pub is_required: bool,
    /// Its dates have the day first unless its rows show the other order, as the format says so.
    pub is_day_first: bool,
}

impl Column {
    /// A column without which a file is refused. That a cell of it is empty is for the reader of the row to judge.
    #[must_use]
    pub fn required(name: &str, kind: Kind) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            is_required: true,
            is_day_first: false,
        }
    }

    /// The same column, of a format that writes the day first.
    #[must_use]
    pub fn day_first(self) -> Self {
        Self {
            is_day_first: true,
            ..self
        }
    }

    /// A column that may be absent.
    #[must_use]
    pub fn optional(name: &str, kind: Kind) -> Self {
        Self {
            is_required: false,
            ..Self::required(name, kind)
        }
    }
}

/// What becomes of columns that a format does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// They are ignored, so `--columns` may not name them.
    Ignored,
    /// They are texts of their own, such as attributes, and `--columns` may name them.
    Read,
}
