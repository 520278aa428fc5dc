//! What became of the rows of a file, for people and as JSON.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::io::Write;

use serde::Serialize;

use crate::cli::order_args::OrderArgs;
use crate::dataset::replay::History;
use crate::dataset::replay::SourceEvent;
use crate::domain::counted::counted;
use crate::domain::event::parse::parse;
use crate::domain::event::rules::IntakeRules;
use crate::domain::order_rows::Counts;
use crate::domain::order_rows::Noted;
use crate::domain::time::Timestamp;

/// Places of each reason that are shown.
const PLACES_SHOWN: usize = 3;

/// What became of the rows of a file.
#[derive(Clone, Debug, Serialize)]
pub struct FileSummary {
    /// Rows of the file, without its header.
    pub rows: u64,
    /// Rows that are not taken, as they or another row of their order cannot be used.
    pub rejected_rows: u64,
    /// The same by reason.
    pub rejected: RejectedRows,
    /// Of a file of orders.
    #[serde(flatten)]
    pub orders: Option<OrderSummary>,
    /// What is worth a sentence.
    pub notes: Vec<String>,
}

/// What became of the rows of a file of orders.
#[derive(Clone, Debug, Serialize)]
pub struct OrderSummary {
    /// Orders that are taken, those of guests included. Whether the state knows them already is another matter.
    pub orders: u64,
    /// Orders that a rule for events rejects.
    pub rejected_orders: u64,
    /// Orders of guests.
    pub guests: u64,
    /// Orders whose lines add up to less than zero: they are not taken.
    pub returns: u64,
    /// Customers with an order that is taken.
    pub customers: u64,
    /// Rows that repeat an earlier one of their order.
    pub repeated_rows: u64,
    /// First time of an order that is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_at: Option<String>,
    /// Last time of an order that is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_at: Option<String>,
}

impl FileSummary {
    /// What became of the rows of this file, which are what `args` says, and of its orders under these rules.
    #[must_use]
    pub fn of(history: &History, args: OrderArgs, rules: &IntakeRules) -> Self {
        let facts = history.found.facts.iter().filter(|fact| fact.is_notable);
        let mut notes: Vec<String> = facts.map(ToString::to_string).collect();
        if let Some(counts) = &history.orders {
            notes.extend(sentences(counts, args));
        }
        let mut rejected = RejectedRows::default();
        for row in &history.refused {
            rejected.add(&row.column, row.line, &row.detail);
        }
        Self {
            rows: history.rows,
            rejected_rows: rejected.counts().values().sum(),
            rejected,
            orders: history
                .orders
                .as_ref()
                .map(|counts| OrderSummary::of(counts, &history.events, rules)),
            notes,
        }
    }

    /// Prints it as plain lines.
    ///
    /// # Errors
    /// If `out` cannot be written.
    pub fn print(&self, out: &mut impl Write) -> std::io::Result<()> {
        writeln!(out, "rows     {:>10}", self.rows)?;
        if let Some(orders) = &self.orders {
            writeln!(out, "orders   {:>10}", orders.orders)?;
            writeln!(out, "  guests {:>10}", orders.guests)?;
            writeln!(out, "returns  {:>10}", orders.returns)?;
            if orders.rejected_orders > 0 {
                let rejected = orders.rejected_orders;
                writeln!(
                    out,
                    "rejected {rejected:>10}  orders, by the rules for events: see below"
                )?;
            }
        }
        self.rejected.print("rows", out)?;
        for note in &self.notes {
            writeln!(out, "  {note}")?;
        }
        Ok(())
    }
}

impl OrderSummary {
    fn of(counts: &Counts, events: &[SourceEvent], rules: &IntakeRules) -> Self {
        let (mut orders, mut guests, mut rejected_orders) = (0, 0, 0);
        let mut customers: HashSet<&[u8]> = HashSet::new();
        let mut span: Option<(Timestamp, Timestamp)> = None;
        for event in events {
            // A row that says again what another one says is the same order.
            let one = u64::from(!event.is_repeat);
            if parse(&event.payload, event.record_time, rules).is_err() {
                rejected_orders += one;
                continue;
            }
            orders += one;
            match event.key.as_deref() {
                Some(customer) => {
                    customers.insert(customer);
                }
                None => guests += one,
            }
            let at = event.record_time;
            span = Some(span.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
        }
        Self {
            orders,
            rejected_orders,
            guests,
            returns: counts.returns,
            customers: customers.len() as u64,
            repeated_rows: counts.repeated_rows.count,
            first_at: span.map(|(first, _)| first.to_string()),
            last_at: span.map(|(_, last)| last.to_string()),
        }
    }
}

fn sentences(counts: &Counts, args: OrderArgs) -> Vec<String> {
    let mut sentences = Vec::new();
    if counts.returns > 0 {
        sentences.push(
            "returns: their lines add up to less than zero; this version does not process refunds, so they are not taken and change nothing"
                .to_owned(),
        );
    }
    if counts.guests > 0 {
        sentences.push(
            "guests: their rows have no customer; their orders are counted and are in no customer's record".to_owned(),
        );
    }
    let notes = noted(counts, args).into_iter();
    sentences.extend(notes.filter_map(|(noted, words, what)| sentence(noted, words, what)));
    sentences
}

/// What is noted, with the words before the text for one and for several, and the text.
fn noted(counts: &Counts, args: OrderArgs) -> [(Noted, [&'static str; 2], &'static str); 7] {
    let (repeat, repeated) = if args.is_sum() {
        (
            ["line repeats", "lines repeat"],
            "another line of the order in every column that has a name; such lines are added up all the same",
        )
    } else {
        (
            ["row repeats", "rows repeat"],
            "another row of the order in every column that has a name; the order counts once",
        )
    };
    let negative = if args.has_row_ids() {
        "an amount below zero, which is rejected; returns are counted only where orders have ids"
    } else {
        "an amount below zero, which is rejected; --lines sum counts such orders as returns"
    };
    let partial = "an amount on some rows only, as where the total of an order stands on its first row; take quantity and \
        price of each row instead: --lines sum --columns quantity=COLUMN,price=COLUMN";
    let far = "lines that are more than a day apart; if order ids begin anew, as those of tills do, such lines are of \
        several orders: make ids that are used once";
    let mixed = "lines of several channels, so the channel is unknown";
    let shared = "of several customers; each customer has an order of its own";
    let below_zero = "to less than zero within an order, which does not name such categories";
    let orders = ["order has", "orders have"];
    let ids = ["order id is", "order ids are"];
    let categories = ["category adds up", "categories add up"];
    [
        (counts.repeated_rows, repeat, repeated),
        (counts.negative_rows, orders, negative),
        (counts.partial_amounts, orders, partial),
        (counts.far_lines, orders, far),
        (counts.mixed_channels, orders, mixed),
        (counts.shared_order_ids, ids, shared),
        (counts.negative_categories, categories, below_zero),
    ]
}

fn sentence(noted: Noted, [one, others]: [&str; 2], what: &str) -> Option<String> {
    let (first, second) = noted.lines?;
    let lines = if first == second {
        format!("line {first}")
    } else {
        format!("lines {first} and {second}")
    };
    let subject = counted(noted.count, one, others);
    Some(format!("{subject} {what} (first in {lines})"))
}

/// Rows that are rejected, by reason.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(transparent)]
pub struct RejectedRows {
    reasons: BTreeMap<String, RejectedReason>,
}

#[derive(Clone, Debug, Default, Serialize)]
struct RejectedReason {
    count: u64,
    first: Vec<RejectedRow>,
}

#[derive(Clone, Debug, Serialize)]
struct RejectedRow {
    line: u64,
    detail: String,
}

impl RejectedRows {
    /// Counts a row.
    pub fn add(&mut self, reason: &str, line: u64, detail: &str) {
        let reason = self.reasons.entry(reason.to_owned()).or_default();
        reason.count += 1;
        if reason.first.len() < PLACES_SHOWN {
            reason.first.push(RejectedRow {
                line,
                detail: detail.to_owned(),
            });
        }
    }

    /// How many there are for each reason.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, u64> {
        let reasons = self.reasons.iter();
        reasons
            .map(|(name, reason)| (name.clone(), reason.count))
            .collect()
    }

    /// Prints each reason, its count and its first places. `what` is what was rejected, such as "rows".
    ///
    /// # Errors
    /// If `out` cannot be written.
    pub fn print(&self, what: &str, out: &mut impl Write) -> std::io::Result<()> {
        for (reason, rejected) in &self.reasons {
            writeln!(out, "rejected {:>10}  {what}: {reason}", rejected.count)?;
            for row in &rejected.first {
                writeln!(out, "  line {}: {}", row.line, row.detail)?;
            }
        }
        Ok(())
    }
}
