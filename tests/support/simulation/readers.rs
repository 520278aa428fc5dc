//! What a reader sees on the way: of each customer the record that was committed last up to the store's place in
//! the changelog, never an older one, and nothing that is not committed.

use std::collections::BTreeMap;

use segstream::pipeline::partitions::Phase;
use segstream::store::codec;

use super::process::Process;
use super::process::World;

/// Looks at every partition that a process shows.
pub fn check(world: &World, process: &Process) {
    for (partition, phase) in &*process.shared.partitions.visible() {
        let Phase::Running(store) = phase else {
            continue;
        };
        let state = world.group.lock();
        let changelog = state.changelogs.get(partition);
        let changelog = changelog.map(Vec::as_slice).unwrap_or_default();
        let until = changelog.partition_point(|record| record.offset < store.changelog_next());
        let mut latest: BTreeMap<&[u8], &[u8]> = BTreeMap::new();
        for record in &changelog[..until] {
            if let (false, Some(bytes)) = (record.key.is_empty(), &record.value) {
                latest.insert(&record.key, bytes);
            }
        }
        for (key, bytes) in latest {
            let id = std::str::from_utf8(key).unwrap();
            let committed = codec::decode_record(bytes).unwrap();
            let shown = store.get(id).unwrap();
            let number = process.number;
            assert!(
                shown.as_ref() == Some(&committed),
                "process {number} shows {shown:?} of {id}, committed is {committed:?}"
            );
        }
    }
}
