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
    let allowed = "\"embedded\" or \"kafka\", or empty: kafka where kafka.brokers is set";
    let asked = reader.parsed("bus", allowed, |text| match text {
        "" => Some(None),
        "embedded" => Some(Some(BusKind::Embedded)),
        "kafka" => Some(Some(BusKind::Kafka)),
        _ => None,
    });
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
