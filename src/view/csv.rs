//! An export as CSV (RFC 4180): the same columns whatever the customers have. docs/COMMAND_LINE.md, CSV.

use std::collections::BTreeMap;

use crate::domain::change::Timestamped;
use crate::model::segment_model::SegmentModel;
use crate::view::export::ExportLine;

/// What a spreadsheet takes for the beginning of a formula, and the same characters of full width, which some take so too.
const FORMULA_BEGINNINGS: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];
/// White space at which a spreadsheet begins another cell or line.
const BREAKS: [char; 3] = ['\t', '\r', '\n'];
/// It makes a spreadsheet take the rest of the cell for text.
const GUARD: char = '\'';

/// How cells with text are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Texts {
    /// One that a spreadsheet would take for a formula begins with an apostrophe.
    Guarded,
    /// As they are.
    Raw,
}

/// Writes the export of a deployment with one model.
#[derive(Debug)]
pub struct CsvExport<'a> {
    model: &'a SegmentModel,
    texts: Texts,
}

/// The name of a column.
enum Column<'a> {
    Field(&'static str),
    /// A feature of the model.
    Feature(&'a str),
}

/// The value of a cell.
enum Cell<'a> {
    Missing,
    /// Numbers and instants: they have no character that needs quotes, and none is a formula.
    Plain(String),
    /// Quoted always, so that a reader that looks at the first lines alone finds out that there are quotes.
    Text(&'a str),
    /// A text in an object, quoted. It begins with a brace.
    Json(String),
}

impl<'a> CsvExport<'a> {
    /// An export of customers of this model.
    #[must_use]
    pub fn new(model: &'a SegmentModel, texts: Texts) -> Self {
        Self { model, texts }
    }

    /// The line with the names of the columns, and its end.
    #[must_use]
    pub fn header(&self) -> String {
        let mut line = String::new();
        self.visit(&ExportLine::default(), |column, _| {
            begin_cell(&mut line);
            match column {
                Column::Field(name) => line.push_str(name),
                Column::Feature(name) => push_quoted(&mut line, &format!("features.{name}")),
            }
        });
        line.push('\n');
        line
    }

    /// The line of a customer, and its end.
    #[must_use]
    pub fn row(&self, customer: &ExportLine) -> String {
        let mut line = String::with_capacity(512);
        self.visit(customer, |_, cell| {
            begin_cell(&mut line);
            match cell {
                Cell::Missing => {}
                Cell::Plain(value) => line.push_str(&value),
                Cell::Json(value) => push_quoted(&mut line, &value),
                Cell::Text(value) if self.texts == Texts::Guarded && needs_guard(value) => {
                    push_quoted(&mut line, &format!("{GUARD}{value}"));
                }
                Cell::Text(value) => push_quoted(&mut line, value),
            }
        });
        line.push('\n');
        line
    }

    /// Every column with its cell, in the order of an export's fields.
    fn visit(&self, customer: &ExportLine, mut each: impl FnMut(Column<'_>, Cell<'_>)) {
        for (name, cell) in committed(customer) {
            each(Column::Field(name), cell);
        }
        for feature in self.model.features() {
            let value = customer.features.get(&*feature.name).copied();
            each(Column::Feature(&feature.name), number(value));
        }
        for (name, cell) in foreseen(customer) {
            each(Column::Field(name), cell);
        }
    }
}

/// The fields before the features.
fn committed(customer: &ExportLine) -> [(&'static str, Cell<'_>); 20] {
    let line = customer;
    [
        ("customer_id", Cell::Text(&line.customer_id)),
        ("segment_id", text(line.segment_id.as_deref())),
        ("model_version", text(line.model_version.as_deref())),
        ("sequence", whole(line.sequence)),
        ("orders", whole(line.orders)),
        ("purchase_days", whole(line.purchase_days)),
        ("web_purchases", whole(line.web_purchases)),
        ("store_purchases", whole(line.store_purchases)),
        ("catalog_purchases", whole(line.catalog_purchases)),
        ("deal_purchases", whole(line.deal_purchases)),
        ("total_spending", Cell::Plain(line.total_spending.clone())),
        ("currency", Cell::Text(&line.currency)),
        ("first_purchase_at", instant(line.first_purchase_at)),
        ("last_purchase_at", instant(line.last_purchase_at)),
        ("evaluated_at", instant(Some(line.evaluated_at))),
        ("as_of", instant(Some(line.as_of))),
        ("spend_by_category", object(&line.spend_by_category)),
        ("birth_year", line.birth_year.map_or(Cell::Missing, whole)),
        ("income", plain(line.income.clone())),
        ("joined_at", instant(line.joined_at)),
    ]
}

/// The fields after the features.
fn foreseen(customer: &ExportLine) -> [(&'static str, Cell<'_>); 5] {
    let risk = customer.churn_risk.map(|churn| churn.risk);
    [
        ("confidence", number(customer.confidence)),
        ("next_change_at", instant(customer.next_change_at)),
        ("churn_risk.score", number(risk.map(|risk| risk.score))),
        ("churn_risk.band", text(risk.map(|risk| risk.band.as_str()))),
        (
            "churn_risk.method",
            text(risk.map(|risk| risk.method.as_str())),
        ),
    ]
}

fn begin_cell(line: &mut String) {
    if !line.is_empty() {
        line.push(',');
    }
}

fn push_quoted(line: &mut String, value: &str) {
    line.push('"');
    line.push_str(&value.replace('"', "\"\""));
    line.push('"');
}

/// Whether a spreadsheet would take a cell for a formula, or for more than one cell. White space before a formula does
/// not stop all of them. A text that would need the guard but for apostrophes before it gets one more, so that the
/// guard can be taken off again: the first apostrophe of a cell is one exactly where the rest of it needs it.
fn needs_guard(value: &str) -> bool {
    let value = value.trim_start_matches(GUARD);
    value.starts_with(BREAKS) || value.trim_start().starts_with(FORMULA_BEGINNINGS)
}

fn text(value: Option<&str>) -> Cell<'_> {
    value.map_or(Cell::Missing, Cell::Text)
}

fn plain(value: Option<String>) -> Cell<'static> {
    value.map_or(Cell::Missing, Cell::Plain)
}

fn whole(value: impl ToString) -> Cell<'static> {
    Cell::Plain(value.to_string())
}

fn instant(value: Option<Timestamped>) -> Cell<'static> {
    plain(value.map(|Timestamped(instant)| instant.to_string()))
}

/// As in JSON: the shortest decimal that reads back to the same number.
fn number(value: Option<f64>) -> Cell<'static> {
    plain(value.and_then(|value| serde_json::to_string(&value).ok()))
}

fn object(values: &BTreeMap<String, String>) -> Cell<'static> {
    if values.is_empty() {
        return Cell::Missing;
    }
    serde_json::to_string(values).map_or(Cell::Missing, Cell::Json)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The characters of <https://owasp.org/www-community/attacks/CSV_Injection>.
    #[test]
    fn a_text_that_a_spreadsheet_takes_for_a_formula_is_guarded_and_no_other() {
        for value in [
            "=1+1",
            "+1",
            "-5",
            "@SUM(A1)",
            "\t=1",
            "\r1",
            "\n1",
            " =1",
            "\u{a0}-1",
            "\u{3000}=1",
            "＝1",
            "－1",
            "＋1",
            "＠1",
            "'=1",
            "''-1",
            "' =1",
            "\tid",
            "-",
        ] {
            assert!(needs_guard(value), "{value:?}");
        }
        for value in [
            "c-1",
            "1-1",
            "a=b",
            "'t Hooft",
            "'",
            "",
            " a",
            "0042",
            "ünï",
            "😀",
            "\"=1\"",
            ",=1",
            "{\"=\":1}",
            "—1",
        ] {
            assert!(!needs_guard(value), "{value:?}");
        }
    }

    #[test]
    fn a_quote_is_doubled() {
        let mut line = String::new();
        push_quoted(&mut line, "a\"b,\"\"");
        assert_eq!(line, "\"a\"\"b,\"\"\"\"\"");
    }
}
