//! Several rows of one order: how they differ, and what they add up to.

use std::collections::BTreeMap;

use crate::domain::money::Currency;
use crate::domain::money::Decimal;
use crate::domain::money::Exact;
use crate::domain::money::Money;
use crate::domain::order_rows::order::Order;
use crate::domain::order_rows::row::OrderRow;

/// Why rows do not add up to an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Conflict {
    /// The column in which the lines contradict each other.
    pub column: &'static str,
    /// The sentence, with both lines.
    pub detail: String,
}

/// What rows add up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sums {
    /// The order.
    pub order: Order,
    /// Its amount is below zero.
    pub is_negative: bool,
    /// Two lines with other channels.
    pub mixed_channels: Option<(u64, u64)>,
    /// The first line of each category that is left out.
    pub negative_categories: Vec<u64>,
}

/// How two rows of one order and customer differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Difference {
    /// In a column that is read: its name and both values.
    Stated(String),
    /// In another column.
    Rest,
}

/// How two rows of one order and customer differ; `None` if they are equal in every column. Values are compared as what they
/// stand for: `5` is `5.0`.
pub(super) fn difference(one: &OrderRow, other: &OrderRow) -> Option<Difference> {
    let in_one_line = OrderRow {
        line: one.line,
        ..other.clone()
    };
    if in_one_line == *one {
        return None;
    }
    let optional = |text: &Option<String>| text.clone().unwrap_or_default();
    let amount =
        |amount: Option<Exact>| amount.map(|amount| amount.to_string()).unwrap_or_default();
    let fields = [
        ("amount", one.amount.to_string(), other.amount.to_string()),
        (
            "occurred_at",
            one.occurred_at.to_string(),
            other.occurred_at.to_string(),
        ),
        ("currency", one.currency.clone(), other.currency.clone()),
        ("channel", optional(&one.channel), optional(&other.channel)),
        (
            "category",
            optional(&one.category),
            optional(&other.category),
        ),
        ("discount", amount(one.discount), amount(other.discount)),
    ];
    let differing = fields.into_iter().find(|(_, one, other)| one != other);
    Some(match differing {
        Some((name, one, other)) => Difference::Stated(format!("{name}: {one:?} and {other:?}")),
        None => Difference::Rest,
    })
}

/// The sentence that two rows of one order are not equal, and what may be done. `difference` is the column with both values, and
/// `amounts` those of the rows where they are equal, as `--lines sum` would count both.
pub(super) fn not_equal(
    order_id: &str,
    lines: (u64, u64),
    difference: &str,
    amounts: Option<&str>,
) -> String {
    let (this, other) = lines;
    let advice = match amounts {
        Some(amount) => format!(
            "if they are two lines of the order, --lines sum adds their amounts up ({amount} + {amount}); if they are one order that \
             is there twice, take one of them out"
        ),
        None => "if the rows are lines of orders, --lines sum adds them up".to_owned(),
    };
    format!(
        "order_id: {order_id:?} is in line {this} and in line {other}, which are not equal ({difference}); {advice}"
    )
}

/// Categories, and what was spent in each.
type Spend = Vec<(String, String)>;

/// Adds the lines of an order up.
pub(super) fn sum(rows: &[OrderRow]) -> Result<Sums, Conflict> {
    let conflict = |detail: String| Conflict {
        column: "currency",
        detail,
    };
    let first = rows
        .iter()
        .min_by_key(|row| row.line)
        .ok_or_else(|| conflict(String::new()))?;
    let order_id = &first.order_id;
    if let Some(other) = rows.iter().find(|row| row.currency != first.currency) {
        return Err(conflict(format!(
            "currency: {:?} in line {} and {:?} in line {}; the lines of an order ({order_id:?}) have one currency",
            first.currency, first.line, other.currency, other.line
        )));
    }
    // A code that is none is for the engine to reject.
    let currency = Currency::parse(&first.currency);
    let revenue = total(order_id, rows.iter().map(|row| row.amount))?;
    let (revenue, is_negative) = rounded(revenue, currency);
    let (categories, negative_categories) = spend_by_category(rows, order_id, currency)?;
    let discounts: Vec<Exact> = rows.iter().filter_map(|row| row.discount).collect();
    let has_discount = !discounts.is_empty();
    let discount = total(order_id, discounts)?;
    let (channel, mixed_channels) = channel(rows);
    let order = Order {
        line: first.line,
        customer_id: first.customer_id.clone(),
        order_id: order_id.clone(),
        occurred_at: rows
            .iter()
            .map(|row| row.occurred_at)
            .min()
            .unwrap_or(first.occurred_at),
        revenue,
        currency: first.currency.clone(),
        channel,
        categories,
        discount: has_discount.then(|| discount.to_string()),
        rows: rows.len() as u64,
        is_repeat: false,
    };
    Ok(Sums {
        order,
        is_negative,
        mixed_channels,
        negative_categories: if is_negative {
            Vec::new()
        } else {
            negative_categories
        },
    })
}

fn total(order_id: &str, amounts: impl IntoIterator<Item = Exact>) -> Result<Exact, Conflict> {
    let sum = amounts.into_iter().try_fold(Exact::ZERO, Exact::plus);
    sum.ok_or_else(|| Conflict {
        column: "order_id",
        detail: format!(
            "order_id: the amounts of {order_id:?} have more digits than can be added up exactly, which is 38"
        ),
    })
}

/// The categories of an order with what was spent in each, and a line of each category whose sum is below zero.
fn spend_by_category(
    rows: &[OrderRow],
    order_id: &str,
    currency: Option<Currency>,
) -> Result<(Spend, Vec<u64>), Conflict> {
    let mut by_category: BTreeMap<&str, Vec<&OrderRow>> = BTreeMap::new();
    for row in rows {
        if let Some(category) = &row.category {
            by_category.entry(category).or_default().push(row);
        }
    }
    let (mut categories, mut negative) = (Vec::new(), Vec::new());
    for (category, rows) in by_category {
        let spent = total(order_id, rows.iter().map(|row| row.amount))?;
        match rounded(spent, currency) {
            (_, true) => negative.extend(rows.first().map(|row| row.line)),
            (spent, false) => categories.push((category.to_owned(), spent)),
        }
    }
    Ok((categories, negative))
}

/// The amount of a single row as it stands; rounded where it has more digits than an event may have.
pub(super) fn stated(amount: Exact, currency: &str) -> String {
    let text = amount.to_string();
    match Decimal::parse(&text) {
        Some(_) => text,
        None => rounded(amount, Currency::parse(currency)).0,
    }
}

/// A sum as the order states it, rounded once to the smallest unit, halves to even, and whether it is below zero then.
fn rounded(sum: Exact, currency: Option<Currency>) -> (String, bool) {
    let minor = currency.and_then(|currency| Some((sum.to_minor(&currency)?, currency)));
    match minor {
        Some((money, currency)) => (money.to_decimal(&currency), money < Money::ZERO),
        // It is larger than any amount may be, which the engine says.
        None => (sum.to_string(), sum.is_negative()),
    }
}

/// The channel of an order, and two lines where it has more than one.
fn channel(rows: &[OrderRow]) -> (Option<String>, Option<(u64, u64)>) {
    let mut stated = rows.iter().filter(|row| row.channel.is_some());
    let Some(first) = stated.next() else {
        return (None, None);
    };
    match stated.find(|row| row.channel != first.channel) {
        None => (first.channel.clone(), None),
        Some(other) => (Some("unknown".to_owned()), Some((first.line, other.line))),
    }
}
