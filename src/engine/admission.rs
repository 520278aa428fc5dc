//! Judges of a delivery what needs no record of the customer.

use crate::domain::event::CustomerEvent;
use crate::domain::event::EventBody;
use crate::domain::event::EventCustomer;
use crate::domain::event::InvalidEvent;
use crate::domain::event::RejectReason;
use crate::domain::event::fields::quoted;
use crate::domain::ids::Partition;
use crate::domain::partitioner::Partitioner;
use crate::engine::verdict::Verdict;

/// The admission of a parsed event.
#[derive(Debug)]
pub enum Admission<'a> {
    /// It needs its customer's record: [`crate::engine::commands::decide`] decides.
    Customer {
        /// The customer.
        customer_id: &'a str,
    },
    /// It ends here, with this verdict.
    Ended(Verdict),
}

/// Where a delivery came from, and the partitioner that should have placed it there.
#[derive(Clone, Copy, Debug)]
pub struct Placement {
    /// The partitioner.
    pub partitioner: Partitioner,
    /// The partition of the delivery.
    pub partition: Partition,
    /// Partitions of the input.
    pub partitions: u32,
}

/// Judges, in this order: test, guest, key, the key's partition, type; of tests and guests the type first. docs/EVENTS.md, Verdicts.
#[must_use]
pub fn admit<'a>(
    event: &'a CustomerEvent<'_>,
    key: Option<&[u8]>,
    placement: Placement,
) -> Admission<'a> {
    let customer_id = match customer_of(event) {
        Ok(customer_id) => customer_id,
        Err(verdict) => return Admission::Ended(verdict),
    };
    if key != Some(customer_id.as_bytes()) {
        return Admission::Ended(Verdict::Rejected(key_mismatch(key)));
    }
    let Placement {
        partitioner,
        partition,
        partitions,
    } = placement;
    if !partitioner.accepts(customer_id.as_bytes(), partition, partitions) {
        let invalid = wrong_partition(customer_id, placement);
        return Admission::Ended(Verdict::Rejected(invalid));
    }
    of_type(event, customer_id)
}

/// The same for an event that has no record yet: the record will have the right key, and be where the key belongs.
#[must_use]
pub fn admit_unplaced<'a>(event: &'a CustomerEvent<'_>) -> Admission<'a> {
    match customer_of(event) {
        Ok(customer_id) => of_type(event, customer_id),
        Err(verdict) => Admission::Ended(verdict),
    }
}

fn customer_of<'a>(event: &'a CustomerEvent<'_>) -> Result<&'a str, Verdict> {
    match (&event.customer, &event.body) {
        // Who sends such a type has to learn that nothing comes of it, also with a test.
        (customer, EventBody::NotProcessed(event_type))
            if event.is_test || *customer == EventCustomer::Guest =>
        {
            Err(Verdict::Unsupported(*event_type))
        }
        _ if event.is_test => Err(Verdict::Test),
        (EventCustomer::Guest, _) => Err(Verdict::Guest),
        (EventCustomer::Known(customer_id), _) => Ok(customer_id),
    }
}

fn of_type<'a>(event: &CustomerEvent<'_>, customer_id: &'a str) -> Admission<'a> {
    match &event.body {
        EventBody::NotProcessed(event_type) => Admission::Ended(Verdict::Unsupported(*event_type)),
        EventBody::OrderCompleted(_) | EventBody::CustomerUpdated(_) => {
            Admission::Customer { customer_id }
        }
    }
}

fn key_mismatch(key: Option<&[u8]>) -> InvalidEvent {
    let found = key.map_or_else(
        || "null".to_owned(),
        |key| format!("{:?}", quoted(&String::from_utf8_lossy(key))),
    );
    let detail = format!("the record's key: {found} is not the event's customer_id");
    InvalidEvent::new(
        RejectReason::KeyMismatch,
        "the record's key",
        "the event's customer_id, in UTF-8",
        (Some(found), detail),
    )
}

fn wrong_partition(customer_id: &str, placement: Placement) -> InvalidEvent {
    let Placement {
        partitioner,
        partition,
        partitions,
    } = placement;
    let own = partitioner.partition_of(customer_id.as_bytes(), partitions);
    let name = partitioner.as_str();
    let allowed = format!(
        "the one where {name} (input.partitioner) puts its key: set the producer's partitioner to {name}"
    );
    let detail = format!(
        "the record's partition: {partition} is not {own}, where {name} (input.partitioner) puts its key: set the \
         producer's partitioner to {name}"
    );
    InvalidEvent::new(
        RejectReason::WrongPartition,
        "the record's partition",
        allowed,
        (Some(partition.to_string()), detail),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::parse::parse;
    use crate::domain::event::rules::IntakeRules;
    use crate::domain::money::Currency;
    use crate::domain::money::Exchange;
    use crate::domain::money::Money;
    use crate::domain::time::Timestamp;

    fn verdict(customer: &str, key: &[u8], partitioner: Partitioner, partition: u32) -> Verdict {
        let at = Timestamp::parse_rfc3339("2026-01-01T00:00:00Z").unwrap();
        let rules = IntakeRules {
            exchange: Exchange {
                base: Currency::parse("USD").unwrap(),
                rates: Vec::new(),
                amount_max: Money(1_000_000),
            },
            earliest: at,
            customer_ids_ignored: vec!["0".to_owned()],
        };
        let payload = format!(
            r#"{{"event_id":"e","type":"order.completed","occurred_at":"2026-01-01T00:00:00Z","order_id":"o",
            "customer_id":"{customer}","currency":"USD","revenue":"1.00","channel":"web"}}"#
        );
        let event = parse(payload.as_bytes(), at, &rules).unwrap();
        let placement = Placement {
            partitioner,
            partition: Partition(partition),
            partitions: 12,
        };
        match admit(&event, Some(key), placement) {
            Admission::Ended(verdict) => verdict,
            Admission::Customer { .. } => Verdict::Applied,
        }
    }

    /// Where the key belongs is what the tests of the partitioner prove.
    #[test]
    fn a_delivery_on_another_partition_than_its_keys_is_rejected() {
        let own = |partitioner: Partitioner| partitioner.partition_of(b"c-1", 12).0;
        for partitioner in [Partitioner::Murmur2Random, Partitioner::Crc32] {
            for partition in 0..12 {
                let verdict = verdict("c-1", b"c-1", partitioner, partition);
                let reason = verdict.reject_reason();
                let expected =
                    (partition != own(partitioner)).then_some(RejectReason::WrongPartition);
                assert_eq!(reason, expected, "{partitioner:?} {partition}");
            }
        }
        for partition in 0..12 {
            let found = verdict("c-1", b"c-1", Partitioner::Unchecked, partition);
            assert_eq!(found, Verdict::Applied);
        }
    }

    #[test]
    fn guests_and_keys_are_judged_before_the_partition() {
        let wrong = 1 + Partitioner::Murmur2Random.partition_of(b"c-1", 11).0;
        assert_eq!(
            verdict("0", b"c-1", Partitioner::Murmur2Random, wrong),
            Verdict::Guest
        );
        let mismatch = verdict("c-1", b"c-2", Partitioner::Murmur2Random, 0);
        assert_eq!(mismatch.reject_reason(), Some(RejectReason::KeyMismatch));
    }
}
