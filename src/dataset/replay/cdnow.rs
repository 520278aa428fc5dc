//! The CDNOW data set: one purchase a line. The whole file has four columns, the sample of it five.

use std::path::Path;

use crate::dataset::error::Error;
use crate::dataset::error::shortened;
use crate::dataset::replay::history::History;
use crate::dataset::replay::history::refused;
use crate::dataset::replay::orders::history_of;
use crate::dataset::replay::source_event::Context;
use crate::domain::money::Decimal;
use crate::domain::order_rows::BadRow;
use crate::domain::order_rows::CustomerOfRow;
use crate::domain::order_rows::Lines;
use crate::domain::order_rows::OrderRow;
use crate::domain::order_rows::Row;
use crate::domain::time::Day;

const ALLOWED: &str = "customer_id, date, number_of_cds and dollar_value, or master_id, sample_id, date, number_of_cds and \
                       dollar_value";

pub(super) fn cdnow(path: &Path, bytes: &[u8], context: &Context) -> Result<History, Error> {
    let text = String::from_utf8_lossy(bytes);
    let mut rows = Vec::new();
    let mut has_begun = false;
    // Lines end as those of tables do.
    let text = text.replace("\r\n", "\n");
    for (line, text) in (1..).zip(text.split(['\n', '\r'])) {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let Some(first) = fields.first() else {
            continue;
        };
        let is_header = !has_begun && first.starts_with(|letter: char| letter.is_alphabetic());
        has_begun = true;
        if is_header {
            continue;
        }
        let invalid = |column: &str, value: &str, allowed: &str| Error::Value {
            path: path.to_owned(),
            line,
            column: column.to_owned(),
            value: shortened(value),
            allowed: allowed.to_owned(),
        };
        rows.push(match purchase(&fields, line, context) {
            Ok(row) => Row::Good(row),
            Err(Problem {
                column,
                value,
                allowed,
            }) => {
                let value = if column == "line" { text } else { value };
                let refused = refused(invalid(column, value, allowed))?;
                Row::Bad(BadRow {
                    line,
                    customer: CustomerOfRow::Unknown,
                    order_id: None,
                    column: refused.column,
                    detail: refused.detail,
                    lacks_amount: false,
                })
            }
        });
    }
    Ok(history_of(rows, Lines::Orders, ""))
}

struct Problem<'a> {
    column: &'static str,
    value: &'a str,
    allowed: &'static str,
}

fn purchase<'a>(fields: &[&'a str], line: u64, context: &Context) -> Result<OrderRow, Problem<'a>> {
    let problem = |column, value, allowed| Problem {
        column,
        value,
        allowed,
    };
    let (customer_id, date, dollars, id) = match fields {
        [customer_id, date, _, dollars] => (customer_id, date, dollars, format!("cdnow-{line}")),
        [customer_id, _, date, _, dollars] => {
            (customer_id, date, dollars, format!("cdnow-sample-{line}"))
        }
        _ => return Err(problem("line", "", ALLOWED)),
    };
    let occurred_at = compact_date(date)
        .and_then(|day| context.zone.foreign_instant_at(day, 12))
        .ok_or_else(|| problem("date", date, "a day as YYYYMMDD"))?;
    let amount = Decimal::parse(dollars)
        .ok_or_else(|| problem("dollar_value", dollars, "a decimal number"))?;
    Ok(OrderRow {
        line,
        customer_id: Some((*customer_id).to_owned()),
        order_id: id,
        occurred_at,
        amount: amount.into(),
        currency: context.base.as_str().to_owned(),
        channel: None,
        category: None,
        discount: None,
        rest: line,
    })
}

fn compact_date(text: &str) -> Option<Day> {
    let (year, rest) = text.split_at_checked(4)?;
    let (month, day) = rest.split_at_checked(2)?;
    Day::from_date(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
}
