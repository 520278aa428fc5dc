//! One event to send, and the values that a file does not state.

use serde_json::Value;

use crate::domain::money::Currency;
use crate::domain::order_rows::Lines;
use crate::domain::time::BusinessZone;
use crate::domain::time::Timestamp;

/// The values that a file does not state, and what its rows are.
#[derive(Clone, Debug)]
pub struct Context {
    /// Currency of amounts without one.
    pub base: Currency,
    /// Zone of days.
    pub zone: BusinessZone,
    /// Instant as of which the rows of customers hold that do not state one.
    pub as_of: Option<Timestamp>,
    /// What the rows of orders are.
    pub lines: Lines,
    /// Where the ids of orders come from.
    pub order_ids: OrderIds,
    /// Ids that stand for no customer, as `events.customer_ids_ignored` lists them.
    pub customer_ids_ignored: Vec<String>,
}

/// Where the ids of orders come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OrderIds {
    /// From the column `order_id`.
    #[default]
    Column,
    /// From what each row says.
    Row,
}

impl Context {
    /// Of rows that are orders with ids.
    #[must_use]
    pub fn new(base: Currency, zone: BusinessZone) -> Self {
        Self {
            base,
            zone,
            as_of: None,
            lines: Lines::default(),
            order_ids: OrderIds::default(),
            customer_ids_ignored: Vec::new(),
        }
    }

    /// A text that differs where the same rows make other events; empty for rows that are orders with ids.
    pub(super) fn identity(&self) -> String {
        let lines = match self.lines {
            Lines::Orders => "",
            Lines::Sum => "/lines=sum",
        };
        let ids = match self.order_ids {
            OrderIds::Column => "",
            OrderIds::Row => "/order-id=row",
        };
        let as_of = self
            .as_of
            .map_or_else(String::new, |as_of| format!("/as-of={as_of}"));
        format!("{lines}{ids}{as_of}")
    }
}

/// One event to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceEvent {
    /// Record time.
    pub record_time: Timestamp,
    /// Its line in the file, from 1; of several lines the first.
    pub line: u64,
    /// Record key.
    pub key: Option<Vec<u8>>,
    /// Record value.
    pub payload: Vec<u8>,
    /// How many rows of the file it is made of.
    pub rows: u64,
    /// It is of a row that says again what an earlier one says.
    pub is_repeat: bool,
}

pub(super) fn event(
    customer_id: Option<&str>,
    occurred_at: Timestamp,
    line: u64,
    body: &Value,
) -> SourceEvent {
    SourceEvent {
        record_time: occurred_at,
        line,
        key: customer_id.map(|id| id.as_bytes().to_vec()),
        payload: body.to_string().into_bytes(),
        rows: 1,
        is_repeat: false,
    }
}
