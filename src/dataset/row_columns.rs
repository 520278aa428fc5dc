//! The columns of a row, besides the values that a format reads.

use crate::dataset::convention::is_missing;
use crate::dataset::options::DecimalSign;
use crate::dataset::row::Row;

impl<'a> Row<'a> {
    /// The cells below a header by their place, each with the header, which another one may have too, and its text, which is empty where
    /// it is missing.
    pub(super) fn headed(&self) -> impl Iterator<Item = (usize, &'a str, &'a str)> {
        let (record, left_out) = (self.record, &self.shape.options.columns);
        let headers = self.shape.header.iter().enumerate();
        let headed =
            headers.filter(|(_, header)| !header.is_empty() && !left_out.leaves_out(header));
        headed.map(|(place, header)| {
            let cell = record.cells.get(place);
            let text = cell.map_or("", |cell| cell.text.as_str());
            let text = if is_missing(None, text) { "" } else { text };
            (place, header.as_str(), text)
        })
    }

    /// The same of the columns of which the format reads nothing.
    pub(super) fn unread(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let headed = self.headed();
        let unread = headed.filter(|(place, _, _)| !self.shape.is_read(*place));
        unread.map(|(_, header, text)| (header, text))
    }

    /// Whether the format expects a column of this name.
    pub(super) fn expects(&self, column: &str) -> bool {
        self.shape.kind(column).is_some()
    }

    /// A column's name for messages.
    pub(super) fn shown(&self, column: &str) -> String {
        self.shape.shown(column)
    }

    /// Where a column is, from 0.
    pub(super) fn place(&self, column: &str) -> Option<usize> {
        self.shape.place(column)
    }

    /// The decimal sign that the call states.
    pub(super) fn stated_decimal(&self) -> Option<DecimalSign> {
        self.shape.options.decimal
    }
}
