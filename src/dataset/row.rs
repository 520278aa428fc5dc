//! One row of a file; a bad value is named by file, line and column.

use std::ops::RangeInclusive;
use std::path::Path;

use crate::dataset::amount::Amount;
use crate::dataset::column::Kind;
use crate::dataset::column::Others;
use crate::dataset::convention::Convention;
use crate::dataset::convention::is_missing;
use crate::dataset::error::Error;
use crate::dataset::error::shortened;
use crate::dataset::options::DecimalSign;
use crate::dataset::settle::is_with_point_zero;
use crate::dataset::shape::Name;
use crate::dataset::shape::Shape;
use crate::dataset::spool::Cell;
use crate::dataset::spool::Record;
use crate::dataset::spool::Tag;
use crate::dataset::written_amount;
use crate::dataset::written_amount::Written;
use crate::dataset::written_time;
use crate::domain::money::Currency;
use crate::domain::money::Decimal;
use crate::domain::profile::NUMBER_MAX;
use crate::domain::time::Day;
use crate::domain::time::Timestamp;

/// Bytes of a day such as 2013-09-04.
const DAY_BYTES: usize = 10;
const TIME: &str = "a time such as 2013-09-04T10:30:00, or a date such as 2013-09-04";
const TIME_IN_A_NUMBER: &str =
    "a time: the time of the day is a number in the workbook; format its column as times";
const DATE: &str = "a date such as 2013-09-04";
const NUMBERS_THERE_ARE: &str = "a number from -9007199254740991 to 9007199254740991";
const TIMES_THERE_ARE: &str = "a time from 0001-01-01 to 9999-12-30T22:00:00Z";
/// Digits of the seconds since 1970, from the year 1973 to 2286, and of the milliseconds.
const SECONDS_DIGITS: RangeInclusive<usize> = 9..=10;
const MILLISECONDS_DIGITS: usize = 13;
/// What spreadsheets show where a formula has failed, also in a CSV that they write.
const BROKEN: [&str; 8] = [
    "#REF!", "#DIV/0!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!", "#SPILL!", "#CALC!",
];

/// One row of [`Rows`](crate::dataset::Rows). Columns are named as the format names them, or as the file does where the format has no
/// name.
#[derive(Debug)]
pub struct Row<'a> {
    /// The file, for messages.
    pub(super) path: &'a Path,
    pub(super) shape: &'a Shape,
    pub(super) record: &'a Record,
    /// Its line in the file, from 1; of a workbook the row of the sheet.
    pub line: u64,
}

fn is_broken(cell: &Cell) -> bool {
    matches!(cell.tag, Tag::Broken | Tag::Uncomputed) || BROKEN.contains(&cell.text.as_str())
}

impl<'a> Row<'a> {
    pub(super) fn new(shape: &'a Shape, record: &'a Record) -> Self {
        Self {
            path: &shape.path,
            shape,
            record,
            line: record.line,
        }
    }

    /// The text of a column; empty, absent or missing (`NULL`, `NaN`, `None`, `\N` and their like) is `None`. Of an id, without the .0 that
    /// a program has added.
    #[must_use]
    pub fn text(&self, column: &str) -> Option<&'a str> {
        let mut names = self.shape.names.iter();
        self.text_of(names.find(|name| name.name == column)?)
    }

    fn text_of(&self, name: &Name) -> Option<&'a str> {
        let place = name.place;
        let cell = self.record.cells.get(place)?;
        let text = cell.text.as_str();
        if is_missing(name.kind, text) {
            return None;
        }
        if self.shape.convention(place).has_point_zero && is_with_point_zero(text) {
            return Some(text.strip_suffix(".0").unwrap_or(text));
        }
        Some(text)
    }

    /// Refuses a row in which an expected column has an error of a spreadsheet such as `#REF!`, which would be a text like any other.
    /// (`#N/A` is missing.)
    ///
    /// # Errors
    /// Names file, line and column.
    pub fn refuse_broken(&self) -> Result<(), Error> {
        let is_read = |name: &Name| self.shape.others == Others::Read || name.kind.is_some();
        let mut broken = self.shape.names.iter().filter_map(|name| {
            let cell = self.record.cells.get(name.place)?;
            (is_broken(cell) && is_read(name)).then_some((name, cell))
        });
        match broken.next() {
            None => Ok(()),
            Some((name, cell)) => {
                let allowed = if cell.tag == Tag::Uncomputed {
                    "a value: it is a formula that no program has computed; open the workbook in a spreadsheet and save it"
                } else {
                    "a value: it is the error of a formula of the spreadsheet"
                };
                Err(self.invalid(&name.name, &cell.text, allowed))
            }
        }
    }

    /// Whether a column has an error of a spreadsheet.
    #[must_use]
    pub fn has_broken(&self, column: &str) -> bool {
        let place = self.shape.place(column);
        let cell = place.and_then(|place| self.record.cells.get(place));
        cell.is_some_and(is_broken)
    }

    /// The text of a column, how its values are written, and what the cell is; missing is `None`.
    fn cell(&self, column: &str) -> Option<(&'a str, Convention, Tag)> {
        let place = self.shape.place(column)?;
        let tag = self.record.cells.get(place)?.tag;
        Some((self.text(column)?, self.shape.convention(place), tag))
    }

    /// The columns that have a name, and their texts that are not missing, in the order of the file.
    pub fn entries(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let names = self.shape.names.iter();
        names.filter_map(|name| Some((name.name.as_str(), self.text_of(name)?)))
    }

    /// A value that `parse` accepts; missing is `None`.
    ///
    /// # Errors
    /// Names file, line, column and what is allowed.
    pub fn parsed<T>(
        &self,
        column: &str,
        allowed: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let Some(text) = self.text(column) else {
            return Ok(None);
        };
        parse(text)
            .map(Some)
            .ok_or_else(|| self.invalid(column, text, allowed))
    }

    /// A value that must be there.
    ///
    /// # Errors
    /// Names file, line, column and what is allowed.
    pub fn required<T>(
        &self,
        column: &str,
        allowed: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, Error> {
        self.parsed(column, allowed, parse)?
            .ok_or_else(|| self.invalid(column, "", allowed))
    }

    /// An instant: with an offset, a local time of the zone (gaps and overlaps as jiff's "compatible" has them), or a day, which is its noon;
    /// missing is `None`. The column must be declared as [`Kind::Instant`](crate::dataset::Kind::Instant).
    ///
    /// # Errors
    /// Names file, line, column and what is allowed.
    pub fn instant(&self, column: &str) -> Result<Option<Timestamp>, Error> {
        let Some((text, convention, tag)) = self.cell(column) else {
            return Ok(None);
        };
        let options = &self.shape.options;
        let is_joined = self.shape.is_joined(column);
        if is_joined && tag == Tag::Number {
            return Err(self.invalid(column, text, TIME_IN_A_NUMBER));
        }
        // A day of a column that has times is its midnight. In a pair of columns the time is missing.
        let midnight = format!("{text} 00:00");
        let is_midnight =
            tag == Tag::Date && convention.has_times && !is_joined && text.len() == DAY_BYTES;
        let written = if is_midnight { &midnight } else { text };
        // The dates of a workbook are no texts, so a format does not apply to them.
        let format = options.date_format.as_deref().filter(|_| tag != Tag::Date);
        let read = written_time::instant(written, format, convention.date_order, &options.zone);
        read.map(Some).ok_or_else(|| {
            // The date is one, and too late or too early.
            match written_time::day(written, format, convention.date_order) {
                Some(_) => self.invalid(column, text, TIMES_THERE_ARE),
                None => self.no_date(column, text, TIME),
            }
        })
    }

    /// A day; missing is `None`. The column must be declared as [`Kind::Day`](crate::dataset::Kind::Day).
    ///
    /// # Errors
    /// Names file, line, column and what is allowed.
    pub fn day(&self, column: &str) -> Result<Option<Day>, Error> {
        let Some((text, convention, tag)) = self.cell(column) else {
            return Ok(None);
        };
        let format = self.shape.options.date_format.as_deref();
        let format = format.filter(|_| tag != Tag::Date);
        let read = written_time::day(text, format, convention.date_order);
        read.map(Some)
            .ok_or_else(|| self.no_date(column, text, DATE))
    }

    fn no_date(&self, column: &str, text: &str, allowed: &str) -> Error {
        match &self.shape.options.date_format {
            Some(format) => {
                let allowed = format!("a date of --date-format {format:?}");
                self.invalid(column, text, &allowed)
            }
            None if written_time::is_serial(text) => {
                let allowed = format!(
                    "{allowed}; it looks like a spreadsheet's number of a day: format the column as a date and export it again"
                );
                self.invalid(column, text, &allowed)
            }
            None => {
                let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
                let more = if is_number && SECONDS_DIGITS.contains(&text.len()) {
                    "; if it is the seconds since 1970, give --date-format %s"
                } else if is_number && text.len() == MILLISECONDS_DIGITS {
                    "; milliseconds since 1970 are not read: write seconds (--date-format %s) or dates"
                } else {
                    "; where times are written in another way, --date-format says how"
                };
                self.invalid(column, text, &format!("{allowed}{more}"))
            }
        }
    }

    /// An exact decimal; missing is `None`. The column must be declared as [`Kind::Amount`](crate::dataset::Kind::Amount).
    ///
    /// # Errors
    /// Names file, line, column and what is allowed, also where a currency sign contradicts the row's currency.
    pub fn amount(&self, column: &str) -> Result<Option<Amount>, Error> {
        let Some((text, written)) = self.written(column, |sign| match sign {
            DecimalSign::Point => "a decimal number such as 1234.50",
            DecimalSign::Comma => "a decimal number such as 1234,50",
        })?
        else {
            return Ok(None);
        };
        let allowed = "an exact decimal of at most 18 digits";
        let decimal = Decimal::parse(&written.plain);
        let decimal = decimal.ok_or_else(|| self.invalid(column, text, allowed))?;
        let currency = match &written.mark {
            None => None,
            Some(mark) => Some(self.marked(column, text, mark)?),
        };
        Ok(Some(Amount {
            text: written.plain,
            decimal,
            currency,
        }))
    }

    /// The number of a cell in plain form.
    fn written(
        &self,
        column: &str,
        allowed: fn(DecimalSign) -> &'static str,
    ) -> Result<Option<(&'a str, Written)>, Error> {
        let Some((text, convention, tag)) = self.cell(column) else {
            return Ok(None);
        };
        let decimal = match tag {
            Tag::Number => DecimalSign::Point,
            Tag::Text | Tag::Date | Tag::Time | Tag::Broken | Tag::Uncomputed => {
                convention.decimal.unwrap_or(DecimalSign::Point)
            }
        };
        let written = written_amount::read(text, decimal);
        let written = written.ok_or_else(|| {
            let sign = match decimal {
                DecimalSign::Point => "point",
                DecimalSign::Comma => "comma",
            };
            let allowed = allowed(decimal);
            self.invalid(column, text, &format!("{allowed} (with a decimal {sign})"))
        })?;
        Ok(Some((text, written)))
    }

    /// The currency of a sign or a code beside a number.
    fn marked(&self, column: &str, text: &str, mark: &str) -> Result<Currency, Error> {
        let stated = self.currency()?;
        let likely = stated.or(self.shape.options.base);
        let codes = written_amount::codes(mark);
        if let Some(likely) = likely.filter(|likely| codes.contains(&likely.as_str())) {
            return Ok(likely);
        }
        if let Some(stated) = stated {
            let allowed = format!("an amount in {stated}, which the row or --currency states");
            return Err(self.invalid(column, text, &allowed));
        }
        let only = codes
            .first()
            .filter(|_| codes.len() == 1 || mark == "\u{a3}");
        only.and_then(|code| Currency::parse(code)).ok_or_else(|| {
            let allowed = format!(
                "an amount of a known currency: {mark} stands for {}; give --currency",
                codes.join(", ")
            );
            self.invalid(column, text, &allowed)
        })
    }

    /// The currency that the row states in its column `currency`, else `--currency`; `None` where neither does.
    ///
    /// # Errors
    /// If the column has no ISO 4217 code.
    pub fn currency(&self) -> Result<Option<Currency>, Error> {
        let stated = match self.text("currency") {
            // NA is no currency, as it is in a column of ids.
            Some(text) if !is_missing(Some(Kind::Id), text) => {
                let code = Currency::parse(&text.to_ascii_uppercase());
                let allowed = "a currency code such as USD";
                Some(code.ok_or_else(|| self.invalid("currency", text, allowed))?)
            }
            Some(_) | None => None,
        };
        Ok(stated.or(self.shape.options.currency))
    }

    /// A number of a magnitude up to [`NUMBER_MAX`]; missing is `None`. The column must be declared as
    /// [`Kind::Number`](crate::dataset::Kind::Number), or as [`Kind::Money`](crate::dataset::Kind::Money), which may have a currency.
    ///
    /// # Errors
    /// Names file, line and column, also where a currency contradicts the one that is stated.
    pub fn number(&self, column: &str) -> Result<Option<f64>, Error> {
        // Spreadsheets and pandas write columns of yes and no so.
        match self.text(column) {
            Some("true" | "True" | "TRUE") => return Ok(Some(1.0)),
            Some("false" | "False" | "FALSE") => return Ok(Some(0.0)),
            Some(_) | None => {}
        }
        let Some((text, written)) = self.written(column, |_| NUMBERS_THERE_ARE)? else {
            return Ok(None);
        };
        if let Some(mark) = &written.mark {
            if self.shape.kind(column) != Some(Kind::Money) {
                return Err(self.invalid(column, text, "a number without a currency"));
            }
            if self.currency()?.is_some() {
                self.marked(column, text, mark)?;
            }
        }
        let number = written.plain.parse::<f64>().ok();
        let number = number.filter(|number| number.abs() <= NUMBER_MAX);
        number
            .map(Some)
            .ok_or_else(|| self.invalid(column, text, NUMBERS_THERE_ARE))
    }

    /// The error that a value is wrong: it names file, line and column (by both of its names) and what is allowed.
    #[must_use]
    pub fn invalid(&self, column: &str, value: &str, allowed: &str) -> Error {
        Error::Value {
            path: self.path.to_owned(),
            line: self.line,
            column: self.shape.shown(column),
            value: shortened(value),
            allowed: allowed.to_owned(),
        }
    }
}
