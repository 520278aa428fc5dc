//! What a reader sees on the way: of each customer the record that was committed last up to the store's place in
//! the changelog, never an older one, and nothing that is not committed.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use segstream::codec::key::StateKey;
use segstream::codec::latest::LatestEntries;
use segstream::pipeline::partitions::Phase;

use super::older;
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
        let until = changelog.partition_point(|kept| kept.record.offset < store.changelog_next());
        let mut latest = LatestEntries::default();
        latest.table = older::names();
        let mut customers = BTreeSet::new();
        for kept in &changelog[..until] {
            let (key, value) = (&kept.record.key, kept.record.value.clone());
            if let StateKey::Head(id) | StateKey::OldRecord(id) = StateKey::decode(key).unwrap() {
                customers.insert(id);
            }
            latest.take(key, value).unwrap();
        }
        let mut entries: BTreeMap<_, _> = latest.entries().unwrap().into_iter().collect();
        for id in customers {
            let committed = entries.remove(&id);
            let shown = store.get(id.as_str()).unwrap().map(|found| found.entry);
            let number = process.number;
            assert!(
                shown == committed,
                "process {number} shows {shown:?} of {id}, committed is {committed:?}"
            );
        }
    }
}
