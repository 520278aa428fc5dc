//! A transaction as a planted bug, or a process of the older version, writes it.

use std::sync::Arc;

use segstream::log::Transaction;

use super::Bug;
use super::group::State;
use super::older;

/// The transaction that is written instead, if any.
pub fn rewritten(transaction: &Transaction, state: &mut State) -> Option<Transaction> {
    if state.is_older {
        return Some(older::rewritten(transaction));
    }
    let bug = state.bug?;
    let spoiled = spoiled(transaction, bug)?;
    state.errs(bug).then_some(spoiled)
}

/// `None` where the bug would not show.
fn spoiled(transaction: &Transaction, bug: Bug) -> Option<Transaction> {
    let mut spoiled = transaction.clone();
    match bug {
        Bug::DoubledDeadLetter => spoiled
            .dead_letters
            .push(transaction.dead_letters.last()?.clone()),
        Bug::LostDeadLetter => drop(spoiled.dead_letters.pop()?),
        Bug::DoubledChange => spoiled.changes.push(transaction.changes.last()?.clone()),
        Bug::LostChange => drop(spoiled.changes.pop()?),
        Bug::LostCurrent => drop(spoiled.current.pop()?),
        Bug::CurrentHasFirst => {
            let mut current = spoiled.current.iter_mut();
            let (latest, first) = current.find_map(|latest| {
                let mut changes = transaction.changes.iter();
                let first = changes.find(|change| change.key == latest.key)?;
                (first != latest).then_some((latest, first))
            })?;
            *latest = Arc::clone(first);
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
