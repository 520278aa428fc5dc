//! How the values of a column are written, found from all of its rows.

use crate::dataset::column::Column;
use crate::dataset::column::Kind;
use crate::dataset::convention::Convention;
use crate::dataset::convention::is_missing;
use crate::dataset::error::Error;
use crate::dataset::error::shortened;
use crate::dataset::found::Found;
use crate::dataset::options::DecimalSign;
use crate::dataset::shape::Shape;
use crate::dataset::spool::Cell;
use crate::dataset::spool::Record;
use crate::dataset::spool::Spool;
use crate::dataset::spool::Tag;
use crate::dataset::times_of_day::TimesOfDay;
use crate::dataset::written_amount;
use crate::dataset::written_time;
use crate::dataset::written_time::DateOrder;

/// Digits that a number of a spreadsheet keeps.
const SPREADSHEET_DIGITS_MAX: usize = 15;

const DATES_REMEDY: &str = "mend the rows of one way; with --date-format, such as %d/%m/%Y, all rows are read that way, and only \
                            those that are no date then are rejected";
const NUMBERS_REMEDY: &str = "mend the rows of one way; with --decimal point or --decimal comma all rows are read that way, and only \
                              those that are no number then are rejected";

/// A column while its rows are read for the first time.
struct Seen {
    /// As messages have it.
    name: String,
    /// As the format has it.
    wanted: String,
    kind: Kind,
    place: usize,
    is_day_first: bool,
    has_times: bool,
    day_first: Option<Example>,
    month_first: Option<Example>,
    point: Option<Example>,
    comma: Option<Example>,
    ambiguous: Option<Example>,
    point_zero: Option<Example>,
    /// The codes that all amounts of money with a sign or a code may be of, and the amount that leaves no others.
    money: Option<(Vec<String>, Example)>,
    has_day_alone: bool,
}

/// A value and its line.
#[derive(Clone)]
struct Example {
    line: u64,
    text: String,
}

/// Settles the expected columns, and puts what was found into `shape` and `found`.
///
/// # Errors
/// If dates or amounts of a column can be read in two ways, or contradict each other; or if ids have lost digits.
pub(super) fn settle(shape: &mut Shape, spool: &mut Spool, found: &mut Found) -> Result<(), Error> {
    let expected = shape.expected.iter().filter_map(|column| {
        let place = shape.place(&column.name)?;
        Some(Seen::new(shape.shown(&column.name), column, place))
    });
    let mut columns: Vec<Seen> = expected.collect();
    let mut times = TimesOfDay::of(shape);
    let mut record = Record::default();
    let spool_error = |source| Error::Spool { source };
    while spool.next(&mut record).map_err(spool_error)? {
        shape.join(&mut record);
        times.see(&record);
        for column in &mut columns {
            if let Some(cell) = record.cells.get(column.place)
                && !is_missing(Some(column.kind), &cell.text)
            {
                column.see(cell, record.line, shape)?;
            }
        }
    }
    spool.rewind().map_err(spool_error)?;
    let agreed = agreed_sign(&columns);
    let conventions = columns
        .iter()
        .map(|column| Ok((column.place, column.convention(shape, agreed, found)?)));
    shape.conventions = conventions.collect::<Result<_, Error>>()?;
    let days = columns.iter().filter(|column| column.kind == Kind::Instant);
    if let Some(day) = days.into_iter().find(|column| column.has_day_alone)
        && let Some(time) = times.first()
    {
        let what = format!(
            "{time} has times of the day, and {} has days: {}=DATE+TIME in --columns makes one time of two columns",
            day.name, day.wanted
        );
        found.notable("times", &what);
    }
    Ok(())
}

/// The decimal sign that the columns of the file show, if all that show one show the same.
fn agreed_sign(columns: &[Seen]) -> Option<DecimalSign> {
    let has_point = columns.iter().any(|column| column.point.is_some());
    let has_comma = columns.iter().any(|column| column.comma.is_some());
    match (has_point, has_comma) {
        (true, false) => Some(DecimalSign::Point),
        (false, true) => Some(DecimalSign::Comma),
        (true, true) | (false, false) => None,
    }
}

impl Seen {
    fn new(name: String, column: &Column, place: usize) -> Self {
        Self {
            name,
            wanted: column.name.clone(),
            kind: column.kind,
            place,
            is_day_first: column.is_day_first,
            has_times: false,
            day_first: None,
            month_first: None,
            point: None,
            comma: None,
            ambiguous: None,
            point_zero: None,
            money: None,
            has_day_alone: false,
        }
    }

    fn see(&mut self, cell: &Cell, line: u64, shape: &Shape) -> Result<(), Error> {
        let text = cell.text.as_str();
        let example = || Example {
            line,
            text: text.to_owned(),
        };
        self.has_times |= cell.tag == Tag::Date && text.contains(':');
        self.has_day_alone |= self.kind == Kind::Instant && !text.contains(':');
        if self.kind == Kind::Money && cell.tag == Tag::Text && shape.options.currency.is_none() {
            self.see_currency(&example(), shape)?;
        }
        let slot = match (self.kind, cell.tag) {
            (Kind::Text, _) | (_, Tag::Date | Tag::Time | Tag::Broken | Tag::Uncomputed) => {
                return Ok(());
            }
            (Kind::Id, tag) => {
                if has_lost_digits(text, tag) {
                    return Err(shape.lost_digits(&self.name, line, text));
                }
                if !is_with_point_zero(text) {
                    return Ok(());
                }
                &mut self.point_zero
            }
            (_, Tag::Number) => return Ok(()),
            (Kind::Instant | Kind::Day, Tag::Text) => match written_time::says(text) {
                written_time::Says::Nothing => return Ok(()),
                written_time::Says::Ambiguous => &mut self.ambiguous,
                written_time::Says::Order(DateOrder::DayFirst) => &mut self.day_first,
                written_time::Says::Order(DateOrder::MonthFirst) => &mut self.month_first,
            },
            (Kind::Amount | Kind::Number | Kind::Money, Tag::Text) => {
                match written_amount::says(text) {
                    written_amount::Says::Nothing => return Ok(()),
                    written_amount::Says::Ambiguous => {
                        // A point may be that of a program; a comma is what has to be settled.
                        if text.contains(',') {
                            self.ambiguous.take_if(|kept| kept.text.contains('.'));
                        }
                        &mut self.ambiguous
                    }
                    written_amount::Says::Sign(DecimalSign::Point) => &mut self.point,
                    written_amount::Says::Sign(DecimalSign::Comma) => &mut self.comma,
                }
            }
        };
        if slot.is_none() {
            *slot = Some(example());
        }
        Ok(())
    }

    /// Sums of several currencies are not of one kind.
    fn see_currency(&mut self, example: &Example, shape: &Shape) -> Result<(), Error> {
        let Some(mark) = written_amount::mark(&example.text) else {
            return Ok(());
        };
        let codes = written_amount::codes(mark);
        let Some((known, last)) = &mut self.money else {
            let codes = codes.into_iter().map(str::to_owned).collect();
            self.money = Some((codes, example.clone()));
            return Ok(());
        };
        let count = known.len();
        known.retain(|code| codes.contains(&code.as_str()));
        if known.is_empty() {
            return Err(Error::Currencies {
                path: shape.path.clone(),
                column: self.name.clone(),
                both: both(last, example),
            });
        }
        if known.len() < count {
            *last = example.clone();
        }
        Ok(())
    }

    fn convention(
        &self,
        shape: &Shape,
        agreed: Option<DecimalSign>,
        found: &mut Found,
    ) -> Result<Convention, Error> {
        match self.kind {
            Kind::Text => Ok(Convention::default()),
            Kind::Id => Ok(self.of_ids(found)),
            Kind::Instant | Kind::Day => self.of_dates(shape, found),
            Kind::Amount | Kind::Number | Kind::Money => self.of_numbers(shape, agreed, found),
        }
    }

    /// An id is read by itself, whatever the other ids of the file are: the next file may have others.
    fn of_ids(&self, found: &mut Found) -> Convention {
        let Some(example) = &self.point_zero else {
            return Convention::default();
        };
        let text = example.text.strip_suffix(".0").unwrap_or(&example.text);
        let what = format!(
            "{} has ids such as {}, read as {text}",
            self.name, example.text
        );
        found.notable("ids", &what);
        Convention {
            has_point_zero: true,
            ..Convention::default()
        }
    }

    fn of_dates(&self, shape: &Shape, found: &mut Found) -> Result<Convention, Error> {
        let as_cells = Convention {
            has_times: self.has_times,
            ..Convention::default()
        };
        if shape.options.date_format.is_some() {
            return Ok(as_cells);
        }
        let order = match (&self.day_first, &self.month_first) {
            (Some(day_first), Some(month_first)) => {
                return Err(self.contradiction(
                    shape,
                    day_first,
                    month_first,
                    "dates",
                    DATES_REMEDY,
                ));
            }
            (Some(_), None) => Some(DateOrder::DayFirst),
            (None, Some(_)) => Some(DateOrder::MonthFirst),
            (None, None) => self.is_day_first.then_some(DateOrder::DayFirst),
        };
        if let (None, Some(example)) = (order, &self.ambiguous) {
            let ways = "which number is the day, the month or, of two digits, the year, and no row of the column settles it: give \
                        --date-format, such as %d/%m/%Y, %m/%d/%Y or %y/%m/%d (with %H:%M behind it where there is a time)";
            return Err(self.two_ways(shape, example, ways));
        }
        if let Some(order) = order {
            found.plain("dates", &format!("{}: {}", self.name, order.shown()));
        }
        Ok(Convention {
            date_order: order,
            ..as_cells
        })
    }

    fn of_numbers(
        &self,
        shape: &Shape,
        agreed: Option<DecimalSign>,
        found: &mut Found,
    ) -> Result<Convention, Error> {
        let sign = match (shape.options.decimal, &self.point, &self.comma) {
            (Some(asked), _, _) => Some(asked),
            (None, Some(point), Some(comma)) => {
                return Err(self.contradiction(shape, point, comma, "numbers", NUMBERS_REMEDY));
            }
            (None, Some(_), None) => Some(DecimalSign::Point),
            (None, None, Some(_)) => Some(DecimalSign::Comma),
            (None, None, None) => agreed,
        };
        // Tables of numbers that programs write have a point and no thousands; semicolons are of spreadsheets where the comma is decimal.
        let may_be_of_a_program = self.kind != Kind::Amount && !shape.has_semicolons;
        let is_of_a_program = |example: &Example| may_be_of_a_program && example.text.contains('.');
        if let (None, Some(example)) = (
            sign,
            self.ambiguous
                .as_ref()
                .filter(|example| !is_of_a_program(example)),
        ) {
            let ways = "a thousand and more, or a number with three decimals, and no row of the file settles it: give --decimal point or \
                        --decimal comma";
            return Err(self.two_ways(shape, example, ways));
        }
        if sign == Some(DecimalSign::Comma) {
            found.plain("numbers", &format!("{}: decimal comma", self.name));
        }
        Ok(Convention {
            decimal: sign,
            ..Convention::default()
        })
    }

    fn two_ways(&self, shape: &Shape, example: &Example, ways: &'static str) -> Error {
        Error::Ambiguous {
            path: shape.path.clone(),
            line: example.line,
            column: self.name.clone(),
            value: shortened(&example.text),
            ways,
        }
    }

    fn contradiction(
        &self,
        shape: &Shape,
        one: &Example,
        other: &Example,
        what: &'static str,
        remedy: &'static str,
    ) -> Error {
        Error::Contradiction {
            path: shape.path.clone(),
            column: self.name.clone(),
            what,
            both: both(one, other),
            remedy,
        }
    }
}

/// Two values and their lines, the earlier one first.
fn both(one: &Example, other: &Example) -> String {
    let (first, second) = if one.line <= other.line {
        (one, other)
    } else {
        (other, one)
    };
    format!(
        "{:?} in line {}, {:?} in line {}",
        shortened(&first.text),
        first.line,
        shortened(&second.text),
        second.line
    )
}

pub(super) fn is_with_point_zero(text: &str) -> bool {
    let digits = text.strip_suffix(".0").unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// A number of more digits than a spreadsheet keeps, or one that it has written with an exponent.
fn has_lost_digits(text: &str, tag: Tag) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    if tag == Tag::Number {
        return digits > SPREADSHEET_DIGITS_MAX;
    }
    let parts = text.split_once("E+").or_else(|| text.split_once("e+"));
    let Some((mantissa, exponent)) = parts else {
        return false;
    };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mantissa: String = mantissa
        .chars()
        .filter(|character| !".,".contains(*character))
        .collect();
    is_number(&mantissa) && is_number(exponent)
}
