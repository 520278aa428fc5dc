//! What a reader sees on the way: of each customer the record that was committed last up to the store's place in
//! the changelog, never an older one, and nothing that is not committed.

use std::collections::BTreeMap;

use segstream::codec;
use segstream::codec::key::StateKey;
use segstream::pipeline::partitions::Phase;

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
        let mut latest = BTreeMap::new();
        for record in &changelog[..until] {
            if let StateKey::Head(id) = StateKey::decode(&record.key).unwrap() {
                latest.insert(id, record.value.as_deref());
            }
        }
        let table = store.table();
        for (id, bytes) in latest {
            let committed = bytes.map(|bytes| codec::entry::decode(bytes, &table).unwrap().0);
            let shown = store.get(id.as_str()).unwrap().map(|found| found.entry);
            let number = process.number;
            assert!(
                shown == committed,
                "process {number} shows {shown:?} of {id}, committed is {committed:?}"
            );
        }
    }
}
