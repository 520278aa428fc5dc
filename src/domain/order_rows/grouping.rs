//! Which rows are of one order, and which orders are refused.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::HashSet;

use crate::domain::order_rows::merge::Conflict;
use crate::domain::order_rows::merge::Difference;
use crate::domain::order_rows::merge::Sums;
use crate::domain::order_rows::merge::difference;
use crate::domain::order_rows::merge::not_equal;
use crate::domain::order_rows::merge::stated;
use crate::domain::order_rows::merge::sum;
use crate::domain::order_rows::order::Counts;
use crate::domain::order_rows::order::Order;
use crate::domain::order_rows::order::OtherRow;
use crate::domain::order_rows::order::REST_DIFFERS;
use crate::domain::order_rows::order::Refused;
use crate::domain::order_rows::row::BadRow;
use crate::domain::order_rows::row::CustomerOfRow;
use crate::domain::order_rows::row::Lines;
use crate::domain::order_rows::row::OrderRow;
use crate::domain::order_rows::row::Row;
use crate::domain::order_rows::row_id::stated_hash;

/// Lines that are further apart may be of several orders that have one number.
const APART_MAX_MILLISECONDS: i64 = 24 * 60 * 60 * 1000;

/// The orders of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Orders {
    /// Those that are taken, in the order of their first lines. An order of a customer whose row is repeated is there as often
    /// as its row: the engine calls the later ones duplicates.
    pub taken: Vec<Order>,
    /// Those whose lines add up to less than zero.
    pub returns: Vec<Order>,
    /// The rows that are refused, by line.
    pub refused: Vec<Refused>,
    /// What became of the rows.
    pub counts: Counts,
}

/// The rows of one order.
#[derive(Debug, Default)]
struct Group {
    rows: Vec<OrderRow>,
    bad: Vec<BadRow>,
}

impl Group {
    fn customer_id(&self) -> Option<&str> {
        let good = self.rows.first().map(|row| row.customer_id.as_deref());
        let bad = || match &self.bad.first()?.customer {
            CustomerOfRow::Stated(customer_id) => Some(customer_id.as_deref()),
            CustomerOfRow::Unknown => None,
        };
        good.or_else(bad).flatten()
    }

    fn order_id(&self) -> Option<&str> {
        let good = self.rows.first().map(|row| row.order_id.as_str());
        good.or_else(|| self.bad.first()?.order_id.as_deref())
    }

    fn lines(&self) -> impl Iterator<Item = u64> {
        let good = self.rows.iter().map(|row| row.line);
        good.chain(self.bad.iter().map(|row| row.line))
    }

    fn first_line(&self) -> u64 {
        self.lines().min().unwrap_or_default()
    }
}

/// Makes orders of all rows of a file. An order is what has one id of one customer; rows without a customer are of the order of
/// a guest. Where one row of an order cannot be used, the order is refused: a part of it would be a wrong order. Where the
/// customer is what cannot be used, so is every order of its id.
#[must_use]
pub fn orders(rows: impl IntoIterator<Item = Row>, lines: Lines) -> Orders {
    let mut orders = Orders::default();
    let mut groups: Vec<Group> = Vec::new();
    let mut places: HashMap<(Option<String>, String), usize> = HashMap::new();
    let mut unknown_customers: HashMap<String, u64> = HashMap::new();
    for row in rows {
        orders.counts.rows += 1;
        if let Row::Bad(BadRow {
            customer: CustomerOfRow::Unknown,
            order_id: Some(order_id),
            line,
            ..
        }) = &row
        {
            let first = unknown_customers.entry(order_id.clone()).or_insert(*line);
            *first = (*first).min(*line);
        }
        let Some(key) = key_of(&row) else {
            orders.refuse_alone(row);
            continue;
        };
        let place = *places.entry(key).or_insert_with(|| {
            groups.push(Group::default());
            groups.len() - 1
        });
        if let Some(group) = groups.get_mut(place) {
            match row {
                Row::Good(row) => group.rows.push(row),
                Row::Bad(row) => group.bad.push(row),
            }
        }
    }
    let half_known = half_known(places, &groups, &mut orders.counts);
    for (place, group) in groups.into_iter().enumerate() {
        let unknown = group.order_id().and_then(|id| unknown_customers.get(id));
        match (half_known.get(&place), unknown) {
            (Some(other_line), _) => orders.refuse_half_known(group, *other_line),
            (None, Some(line)) => orders.refuse_with(group, *line),
            (None, None) => orders.take(group, lines),
        }
    }
    orders.finish();
    orders
}

/// Customer and order of a row; `None` where it does not state which order it is of.
fn key_of(row: &Row) -> Option<(Option<String>, String)> {
    match row {
        Row::Good(row) => Some((row.customer_id.clone(), row.order_id.clone())),
        Row::Bad(row) => match &row.customer {
            CustomerOfRow::Stated(customer_id) => {
                Some((customer_id.clone(), row.order_id.clone()?))
            }
            CustomerOfRow::Unknown => None,
        },
    }
}

/// The groups of orders of which some rows have a customer and others have none, with the first line of the others. Also counts
/// the ids that several customers have.
fn half_known(
    places: HashMap<(Option<String>, String), usize>,
    groups: &[Group],
    counts: &mut Counts,
) -> HashMap<usize, u64> {
    let mut by_order: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for ((_, order_id), place) in places {
        by_order.entry(order_id).or_default().push(place);
    }
    let line_of = |place: &usize| groups.get(*place).map_or(0, Group::first_line);
    let is_guest = |place: &usize| {
        let group = groups.get(*place);
        group.is_some_and(|group| group.customer_id().is_none())
    };
    let mut half_known = HashMap::new();
    for mut places in by_order.into_values().filter(|places| places.len() > 1) {
        places.sort_by_key(line_of);
        let (guests, known): (Vec<usize>, Vec<usize>) =
            places.iter().partition(|place| is_guest(place));
        if let (Some(guest), Some(first)) = (guests.first(), known.first()) {
            let (guest_line, first_line) = (line_of(guest), line_of(first));
            half_known.insert(*guest, first_line);
            half_known.extend(known.iter().map(|place| (*place, guest_line)));
        } else if let [first, second, ..] = places.as_slice() {
            counts
                .shared_order_ids
                .note((line_of(first), line_of(second)));
        }
    }
    half_known
}

/// The lines of the earliest and the latest row, where they are more than a day apart.
fn far_lines(rows: &[OrderRow]) -> Option<(u64, u64)> {
    let earliest = rows.iter().min_by_key(|row| (row.occurred_at, row.line))?;
    let latest = rows.iter().max_by_key(|row| (row.occurred_at, row.line))?;
    let apart = latest.occurred_at.as_milliseconds() - earliest.occurred_at.as_milliseconds();
    let lines = (
        earliest.line.min(latest.line),
        earliest.line.max(latest.line),
    );
    (apart > APART_MAX_MILLISECONDS).then_some(lines)
}

impl Orders {
    fn refuse_alone(&mut self, row: Row) {
        if let Row::Bad(row) = row {
            self.refuse_bad(row);
        }
    }

    fn refuse_bad(&mut self, row: BadRow) {
        self.refused.push(Refused {
            line: row.line,
            column: row.column,
            detail: row.detail,
            other: None,
        });
    }

    /// Refuses the rows of a group, those that could be used because of this column, in this sentence.
    fn refuse_rows(
        &mut self,
        group: Group,
        column: &str,
        why: impl Fn(&OrderRow) -> (String, Option<OtherRow>),
    ) {
        for row in group.bad {
            self.refuse_bad(row);
        }
        let refused = group.rows.iter().map(|row| {
            let (detail, other) = why(row);
            Refused {
                line: row.line,
                column: column.to_owned(),
                detail,
                other,
            }
        });
        self.refused.extend(refused);
    }

    /// Refuses an order of which a line cannot be used.
    fn refuse_with(&mut self, group: Group, line: u64) {
        self.refuse_rows(group, "order_id", |row| {
            let order_id = &row.order_id;
            let detail =
                format!("order_id: {order_id:?} is not taken, as its line {line} cannot be used");
            (detail, Some(OtherRow::Cause(line)))
        });
    }

    fn refuse_half_known(&mut self, group: Group, other_line: u64) {
        let (this, other) = match group.customer_id() {
            Some(customer_id) => (
                format!("customer {customer_id:?}"),
                "no customer".to_owned(),
            ),
            None => ("no customer".to_owned(), "a customer".to_owned()),
        };
        self.refuse_rows(group, "customer_id", |row| {
            let order_id = &row.order_id;
            let detail = format!(
                "order_id: {order_id:?} has {this} here and {other} in line {other_line}; the lines of an order have one customer, \
                 or none of them has one"
            );
            (detail, None)
        });
    }

    fn take(&mut self, mut group: Group, lines: Lines) {
        group.rows.sort_by_key(|row| row.line);
        if let Some(line) = group.bad.iter().map(|row| row.line).min() {
            let lacks_amounts = group.bad.iter().all(|row| row.lacks_amount);
            if let (Some(stated), true) = (group.rows.first(), lacks_amounts) {
                self.counts.partial_amounts.note((stated.line, line));
            }
            self.refuse_with(group, line);
            return;
        }
        match lines {
            Lines::Orders => self.take_order(group),
            Lines::Sum => self.take_sum(group),
        }
    }

    /// Each row is an order, so all rows of a group must be equal.
    fn take_order(&mut self, group: Group) {
        let Some(first) = group.rows.first().cloned() else {
            return;
        };
        let mut rows = group.rows.iter();
        let other = rows.find(|row| difference(&first, row).is_some());
        if let Some(other) = other.cloned() {
            let are_equal = group.rows.iter().all(|row| row.amount == first.amount);
            let amount = are_equal.then(|| first.amount.to_string());
            self.refuse_rows(group, "order_id", |row| {
                // A row that is equal to the first one differs from what the first one differs from.
                let (other, differs) = match difference(row, &first) {
                    Some(differs) => (first.line, differs),
                    None => (
                        other.line,
                        difference(row, &other).unwrap_or(Difference::Rest),
                    ),
                };
                let (difference, differs) = match &differs {
                    Difference::Stated(difference) => (difference.as_str(), None),
                    Difference::Rest => (REST_DIFFERS, Some(OtherRow::Differs(other))),
                };
                let lines = (row.line, other);
                let detail = not_equal(&row.order_id, lines, difference, amount.as_deref());
                (detail, differs)
            });
            return;
        }
        for row in group.rows.iter().skip(1) {
            self.counts.repeated_rows.note((first.line, row.line));
        }
        let rows = group.rows.len();
        let (repeats, rows_each) = if first.customer_id.is_some() {
            (rows, 1)
        } else {
            (1, rows as u64)
        };
        if first.amount.is_negative() {
            // A return, or a mistake: a single row does not say which, so the engine rejects it.
            self.counts.negative_rows.note((first.line, first.line));
        }
        let revenue = stated(first.amount, &first.currency);
        let order = Order {
            line: first.line,
            categories: first
                .category
                .iter()
                .map(|category| (category.clone(), revenue.clone()))
                .collect(),
            revenue,
            discount: first.discount.map(|discount| discount.to_string()),
            customer_id: first.customer_id,
            order_id: first.order_id,
            occurred_at: first.occurred_at,
            currency: first.currency,
            channel: first.channel,
            rows: rows_each,
            is_repeat: false,
        };
        self.place(order, false, &group.rows, repeats);
    }

    fn take_sum(&mut self, group: Group) {
        match sum(&group.rows) {
            Err(Conflict { column, detail }) => {
                self.refuse_rows(group, column, |_| (detail.clone(), None));
            }
            Ok(Sums {
                order,
                is_negative,
                mixed_channels,
                negative_categories,
            }) => {
                let mut seen: HashMap<(u64, u64), u64> = HashMap::new();
                for row in &group.rows {
                    let stated = (stated_hash(row), row.rest);
                    let first = *seen.entry(stated).or_insert(row.line);
                    if first != row.line {
                        self.counts.repeated_rows.note((first, row.line));
                    }
                }
                if let Some(lines) = far_lines(&group.rows) {
                    self.counts.far_lines.note(lines);
                }
                if let Some(lines) = mixed_channels {
                    self.counts.mixed_channels.note(lines);
                }
                for line in negative_categories {
                    self.counts.negative_categories.note((line, line));
                }
                self.place(order, is_negative, &group.rows, 1);
            }
        }
    }

    fn place(&mut self, order: Order, is_negative: bool, rows: &[OrderRow], repeats: usize) {
        if is_negative {
            self.counts.returns += 1;
            self.returns.push(order);
            return;
        }
        self.counts.orders += 1;
        if order.customer_id.is_none() {
            self.counts.guests += 1;
        }
        for (number, row) in rows.iter().take(repeats).enumerate() {
            self.taken.push(Order {
                line: row.line,
                is_repeat: number > 0,
                ..order.clone()
            });
        }
    }

    fn finish(&mut self) {
        self.refused.sort_by_key(|row| row.line);
        self.taken.sort_by_key(|order| order.line);
        self.returns.sort_by_key(|order| order.line);
        let refused: BTreeSet<u64> = self.refused.iter().map(|row| row.line).collect();
        self.counts.refused_rows = refused.len() as u64;
        let customers: HashSet<&str> = self
            .taken
            .iter()
            .filter_map(|order| order.customer_id.as_deref())
            .collect();
        self.counts.customers = customers.len() as u64;
        let times = || self.taken.iter().map(|order| order.occurred_at);
        self.counts.span = times().min().zip(times().max());
    }
}
