//! What a reader sees on the way: of each customer the record that was committed last up to the store's place in
//! the changelog, never an older one, and nothing that is not committed.

use std::collections::BTreeMap;

use segstream::codec;
use segstream::codec::changelog::Put;
use segstream::codec::changelog::Said;
use segstream::pipeline::partitions::Phase;

use super::older;
use super::process::Process;
use super::process::World;

/// Looks at every partition that a process shows.
pub fn check(world: &World, process: &Process) {
    let mut names = older::names();
    for (partition, phase) in &*process.shared.partitions.visible() {
        let Phase::Running(store) = phase else {
            continue;
        };
        let state = world.group.lock();
        let changelog = state.changelogs.get(partition);
        let changelog = changelog.map(Vec::as_slice).unwrap_or_default();
        let until = changelog.partition_point(|kept| kept.record.offset < store.changelog_next());
        let mut latest = BTreeMap::new();
        for kept in &changelog[..until] {
            let (key, value) = (&kept.record.key, kept.record.value.clone());
            let said = codec::changelog::read(key, value, &mut names).unwrap();
            let Said::Customer(id, put) = said else {
                continue;
            };
            let known: &mut Option<codec::entry::Encoded> = latest.entry(id).or_default();
            match put {
                Put::Entry(entry) => *known = Some(entry),
                Put::Nothing => *known = None,
                Put::NothingOld => *known = known.take().filter(|one| !one.summary.has_old_key),
            }
        }
        for (id, known) in latest {
            let committed =
                known.map(|known| codec::entry::decode(&known.bytes, &names).unwrap().0);
            let shown = store.get(id.as_str()).unwrap().map(|found| found.entry);
            let number = process.number;
            assert!(
                shown == committed,
                "process {number} shows {shown:?} of {id}, committed is {committed:?}"
            );
        }
    }
}
