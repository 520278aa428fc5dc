//! Settings of the input.

use crate::config::bus::BusKind;
use crate::config::reader::Reader;
use crate::domain::partitioner::Partitioner;

/// The partitioner of the input's keys; inside, `None` is that of the state. The embedded log places events itself.
pub(super) fn partitioner(
    reader: &mut Reader,
    bus: Option<BusKind>,
) -> Option<Option<Partitioner>> {
    let allowed = "\"murmur2_random\", \"crc32\" or \"unchecked\", or empty: as the state has it";
    let asked = reader.parsed("input.partitioner", allowed, |text| match text {
        "" => Some(None),
        text => Partitioner::parse(text).map(Some),
    })?;
    if asked == Some(Partitioner::Crc32) && bus == Some(BusKind::Embedded) {
        let problem = "allowed with the embedded log, which places events by murmur2_random";
        reader.problem("input.partitioner", problem);
        return None;
    }
    Some(asked)
}
