//! A transaction as a planted bug, or a process of the older version, writes it.

use std::sync::Arc;

use segstream::domain::topic::Topic;
use segstream::log::Transaction;

use super::Bug;
use super::group::MemberId;
use super::group::State;
use super::older;

/// The transaction that is written instead, if any.
pub fn rewritten(
    member: MemberId,
    transaction: &Transaction,
    state: &mut State,
) -> Option<Transaction> {
    if state.is_older {
        state.note_tables(member, transaction);
        return Some(older::rewritten(
            member.process,
            transaction,
            &mut state.older,
        ));
    }
    let bug = state.bug?;
    let spoiled = spoiled(transaction, bug)?;
    state.errs(bug).then_some(spoiled)
}

/// `None` where the bug would not show.
fn spoiled(transaction: &Transaction, bug: Bug) -> Option<Transaction> {
    let mut spoiled = transaction.clone();
    let outputs = &mut spoiled.outputs;
    let last = |topic| {
        let mut outputs = transaction.outputs.iter();
        outputs.rposition(|output| output.topic == topic)
    };
    match bug {
        Bug::DoubledDeadLetter => outputs.push(outputs[last(Topic::DeadLetters)?].clone()),
        Bug::LostDeadLetter => drop(outputs.remove(last(Topic::DeadLetters)?)),
        Bug::DoubledChange => outputs.push(outputs[last(Topic::Changes)?].clone()),
        Bug::LostChange => drop(outputs.remove(last(Topic::Changes)?)),
        Bug::LostCurrent => drop(outputs.remove(last(Topic::Current)?)),
        Bug::CurrentHasFirst => {
            let mut latest = outputs
                .iter_mut()
                .filter(|output| output.topic == Topic::Current);
            let (latest, first) = latest.find_map(|latest| {
                let mut changes = transaction.outputs.iter();
                let first = changes.find(|change| {
                    change.topic == Topic::Changes && change.record.key == latest.record.key
                })?;
                (first.record != latest.record).then_some((latest, first))
            })?;
            latest.record = Arc::clone(&first.record);
        }
        Bug::LostState => {
            let mut parts = spoiled.partitions.iter_mut();
            let part = parts.find(|part| part.state.len() > 1)?;
            part.state.remove(0);
        }
        _ => return None,
    }
    Some(spoiled)
}
