//! What the columns of an open file are.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::dataset::column::Column;
use crate::dataset::column::Kind;
use crate::dataset::column::Others;
use crate::dataset::convention::Convention;
use crate::dataset::error::Error;
use crate::dataset::error::shortened;
use crate::dataset::options::Options;
use crate::dataset::spool::Cell;
use crate::dataset::spool::Record;
use crate::dataset::spool::Tag;
use crate::dataset::workbook::time_of_day;

/// What the columns of an open file are.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    /// For messages: the path as it was typed, with the sheet of a workbook.
    pub(super) path: PathBuf,
    pub(super) options: Options,
    /// The header, as it stands in the file.
    pub(super) header: Vec<String>,
    /// The columns that have a name.
    pub(super) names: Vec<Name>,
    /// Pairs of columns, a date and a time of the day each, that make columns of their own behind those of the file.
    pub(super) joined: Vec<Joined>,
    /// The other sheets of a workbook, in words for a message; else empty.
    pub(super) other_sheets: String,
    /// Semicolons stand between its fields.
    pub(super) has_semicolons: bool,
    /// What the format expects.
    pub(super) expected: Vec<Column>,
    /// What becomes of the other columns.
    pub(super) others: Others,
    /// How the values of the expected columns are written, by place.
    pub(super) conventions: BTreeMap<usize, Convention>,
}

/// The tag of a day of a pair of columns: a number such as `20130904` is read as a text.
fn tag_of_day(day: &Cell) -> Tag {
    if day.tag == Tag::Number {
        Tag::Text
    } else {
        day.tag
    }
}

/// A date and a time of the day that make one column, each by its place from 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct Joined {
    pub(super) date: usize,
    pub(super) time: usize,
}

/// A column that has a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// As the format has it; else the header.
    pub(super) name: String,
    /// As the file has it.
    pub(super) header: String,
    /// From 0.
    pub(super) place: usize,
    /// What its values are, if the format expects it.
    pub(super) kind: Option<Kind>,
}

impl Shape {
    /// The place of a column in a row.
    pub(super) fn place(&self, name: &str) -> Option<usize> {
        let found = self.names.iter().find(|known| known.name == name);
        found.map(|known| known.place)
    }

    /// What the values of a column are, if the format expects it.
    pub(super) fn kind(&self, name: &str) -> Option<Kind> {
        let found = self.names.iter().find(|known| known.name == name);
        found.and_then(|known| known.kind)
    }

    /// Whether a column is made of two.
    pub(super) fn is_joined(&self, name: &str) -> bool {
        self.place(name)
            .is_some_and(|place| place >= self.header.len())
    }

    /// Whether the format reads what stands in this place.
    pub(super) fn is_read(&self, place: usize) -> bool {
        let is_of_pair = |pair: &Joined| pair.date == place || pair.time == place;
        let is_expected = |name: &Name| name.place == place && name.kind.is_some();
        self.names.iter().any(is_expected) || self.joined.iter().any(is_of_pair)
    }

    /// Takes what the format expects.
    pub(super) fn expect(&mut self, columns: &[Column]) {
        columns.clone_into(&mut self.expected);
        let kinds: BTreeMap<&str, Kind> = columns
            .iter()
            .map(|column| (column.name.as_str(), column.kind))
            .collect();
        for name in &mut self.names {
            name.kind = kinds.get(name.name.as_str()).copied();
        }
    }

    /// Adds the columns that are made of two.
    pub(super) fn join(&self, record: &mut Record) {
        for Joined { date, time } in &self.joined {
            let joined = match (record.cells.get(*date), record.cells.get(*time)) {
                (Some(date), Some(time)) if !date.text.is_empty() && !time.text.is_empty() => {
                    self.joined_cell(date, time)
                }
                (date, _) => Cell {
                    tag: date.map_or(Tag::Text, tag_of_day),
                    text: date.map(|date| date.text.clone()).unwrap_or_default(),
                },
            };
            record.cells.push(joined);
        }
    }

    /// A date and a time of the day in one cell. Its tag is [`Tag::Number`] where the time is a number that is no part of a day.
    fn joined_cell(&self, date: &Cell, time: &Cell) -> Cell {
        // A format says what a number is, unless the date is none that it applies to.
        let is_by_format = self.options.date_format.is_some() && date.tag != Tag::Date;
        let (tag, time) = match time.tag {
            Tag::Broken | Tag::Uncomputed => return time.clone(),
            Tag::Number if !is_by_format => match time_of_day(&time.text) {
                Some(time) => (tag_of_day(date), time),
                None => (Tag::Number, time.text.clone()),
            },
            Tag::Number | Tag::Text | Tag::Date | Tag::Time => {
                (tag_of_day(date), time.text.clone())
            }
        };
        Cell {
            tag,
            text: format!("{} {time}", date.text),
        }
    }

    /// How the values of a column are written.
    pub(super) fn convention(&self, place: usize) -> Convention {
        self.conventions.get(&place).copied().unwrap_or_default()
    }

    /// The error that a spreadsheet has changed an id.
    pub(super) fn lost_digits(&self, shown: &str, line: u64, value: &str) -> Error {
        Error::LostDigits {
            path: self.path.clone(),
            line,
            column: shown.to_owned(),
            value: shortened(value),
        }
    }

    /// A column's name for messages, with the file's own name where it is another one.
    pub(super) fn shown(&self, name: &str) -> String {
        match self.names.iter().find(|known| known.name == name) {
            Some(known) if known.header != known.name => {
                format!("{} ({name})", known.header)
            }
            Some(_) | None => name.to_owned(),
        }
    }
}
