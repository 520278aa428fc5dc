//! The second source: events that another partition hands over.
//!
//! The histories of a customer may depend on how events and transfers interleave. So a transfer here is the first
//! order of its customer, or one that was sent already, or a record that is rejected: their results do not depend on
//! where the partition's clock stands.

use segstream::domain::transfer::RECORD_TIME;
use segstream::domain::transfer::SOURCE_OFFSET;
use segstream::domain::transfer::SOURCE_PARTITION;
use segstream::log::embedded::EmbeddedLog;
use segstream::log::embedded::InputRecord;

use super::Kind;
use super::group::State;
use crate::support::at;

/// Before the first event of a schedule.
const RECORDED_AT: &str = "2025-12-31T00:00:00Z";
const OCCURRED_AT: &str = "2025-12-30T10:00:00Z";

/// The transfers of a schedule.
#[derive(Debug, Default)]
pub struct Transfers {
    sent: Vec<InputRecord>,
}

impl Transfers {
    /// Sends some, where the schedule has them. The older version knows none.
    pub fn send(&mut self, log: &EmbeddedLog, state: &mut State) {
        if state.is_older || !state.strikes(Kind::Transferred, 4) {
            return;
        }
        let count = 1 + state.chance.below(3);
        let records: Vec<InputRecord> = (0..count).map(|_| self.next(state)).collect();
        log.append_transfers(records).unwrap();
    }

    fn next(&mut self, state: &mut State) -> InputRecord {
        let number = self.sent.len();
        if number > 0 && state.chance.below(3) == 0 {
            return self.sent[state.chance.below(number as u64) as usize].clone();
        }
        let customer = format!("moved-{number}");
        let payload = match state.chance.below(6) {
            0 => "{".to_owned(),
            _ => format!(
                "{{\"event_id\":\"{customer}-e\",\"type\":\"order.completed\",\
                 \"occurred_at\":\"{OCCURRED_AT}\",\"customer_id\":\"{customer}\",\
                 \"order_id\":\"{customer}-o\",\"currency\":\"USD\",\"revenue\":\"{}.50\"}}",
                10 + state.chance.below(200)
            ),
        };
        let header = |name: &'static str, value: String| (name.into(), Some(value.into_bytes()));
        let recorded_at_ms = at(RECORDED_AT).as_milliseconds();
        let mut headers = vec![
            header(RECORD_TIME, recorded_at_ms.to_string()),
            header(SOURCE_PARTITION, "0".to_owned()),
            header(SOURCE_OFFSET, number.to_string()),
        ];
        if state.chance.below(8) == 0 {
            headers.pop();
        }
        let record = InputRecord {
            timestamp: None,
            key: Some(customer.into_bytes()),
            payload: Some(payload.into_bytes()),
            headers,
        };
        self.sent.push(record.clone());
        record
    }
}
