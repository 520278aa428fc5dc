//! Settings of the input.

use crate::config::bus::BusKind;
use crate::config::reader::Reader;
use crate::domain::partitioner::Partitioner;

/// The partitioner of the input's keys; inside, `None` is that of the state. The embedded log places events itself.
pub(super) fn partitioner(
    reader: &mut Reader,
    bus: Option<BusKind>,
) -> Option<Option<Partitioner>> {
    let named = |name| (name, Partitioner::parse(name));
    // Empty: as the state has it.
    let partitioners = ["murmur2_random", "crc32", "unchecked", ""].map(named);
    let asked = reader.one_of("input.partitioner", &partitioners)?;
    if asked == Some(Partitioner::Crc32) && bus == Some(BusKind::Embedded) {
        let problem = "allowed with the embedded log, which places events by murmur2_random";
        reader.problem("input.partitioner", problem);
        return None;
    }
    Some(asked)
}
