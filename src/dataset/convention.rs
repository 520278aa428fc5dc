//! How the values of a column are written.

use crate::dataset::column::Kind;
use crate::dataset::options::DecimalSign;
use crate::dataset::written_time::DateOrder;

/// How the values of a column are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Convention {
    pub(super) date_order: Option<DateOrder>,
    pub(super) decimal: Option<DecimalSign>,
    /// Cells of a workbook have times beside days.
    pub(super) has_times: bool,
    /// Ids have a `.0` that is no part of them.
    pub(super) has_point_zero: bool,
}

/// Whether a text stands for no value.
pub(super) fn is_missing(kind: Option<Kind>, text: &str) -> bool {
    let is_text = kind.is_none_or(Kind::is_text);
    matches!(
        text,
        "" | "NULL" | "null" | "Null" | "NaN" | "nan" | "NAN" | "NaT" | "None" | "\\N" | "<NA>"
    ) || !is_text && matches!(text, "NA" | "N/A" | "n/a" | "#N/A" | "na" | "none")
}
