//! Which log the service works on.

use crate::config::kafka::Kafka;
use crate::config::reader::Reader;

/// Which log the service works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BusKind {
    /// In this process, on disk.
    Embedded,
    /// A cluster.
    Kafka,
}

pub(super) fn bus(reader: &mut Reader, kafka: Option<&Kafka>) -> Option<BusKind> {
    let buses = [
        ("embedded", Some(BusKind::Embedded)),
        ("kafka", Some(BusKind::Kafka)),
        // Kafka where kafka.brokers is set.
        ("", None),
    ];
    let asked = reader.one_of("bus", &buses);
    let has_brokers = !kafka?.brokers.is_empty();
    match asked? {
        Some(BusKind::Kafka) if !has_brokers => {
            reader.problem("bus", "allowed without kafka.brokers");
            None
        }
        Some(asked) => Some(asked),
        None if has_brokers => Some(BusKind::Kafka),
        None => Some(BusKind::Embedded),
    }
}
