//! Where the events of a file are in the embedded log, and which of them an earlier run has processed.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::dataset::replay::SourceEvent;
use crate::domain::ids::Partition;
use crate::domain::ids::Source;
use crate::domain::offsets::AppliedOffsets;
use crate::log::PollLimit;
use crate::log::Polled;
use crate::log::WorkerLog;
use crate::log::embedded::EmbeddedLog;
use crate::pipeline::findings::Lines;

/// The events of a file by what this process does with them. No other process may append meanwhile.
#[derive(Debug, Default)]
pub(super) struct Placed<'a> {
    /// The lines of those that it will process, by their places in the log.
    pub(super) lines: Lines,
    /// Those that an earlier run has processed before it was interrupted.
    pub(super) before: Vec<&'a SourceEvent>,
}

impl<'a> Placed<'a> {
    /// Of a file of which so many events were sent by an earlier run.
    pub(super) fn of(
        log: &EmbeddedLog,
        events: &'a [SourceEvent],
        sent: usize,
    ) -> anyhow::Result<Self> {
        let ends = log.ends();
        let ends_of = |partition: Partition| {
            let place = usize::try_from(partition.0).ok();
            place.and_then(|place| ends.get(place)).copied()
        };
        let place = |event: &SourceEvent| {
            let partition = log.partition_of(event.key.as_deref(), Some(&event.payload));
            (partition, ends_of(partition).unwrap_or_default())
        };
        let (sent, rest) = events.split_at_checked(sent).unwrap_or((events, &[]));
        let mut sent_to: BTreeMap<Partition, Vec<&SourceEvent>> = BTreeMap::new();
        for event in sent {
            sent_to.entry(place(event).0).or_default().push(event);
        }
        let mut placed = Self::default();
        for (partition, events) in sent_to {
            let ends = ends_of(partition).unwrap_or_default();
            let processed = processed_of(log, (partition, ends), &events)?;
            let (before, waiting) = events.split_at_checked(processed).unwrap_or((&events, &[]));
            placed.before.extend(before);
            let first = ends.next(Source::Events) - u64::try_from(waiting.len())?;
            for event in waiting {
                placed.lines.push(partition, first, event.line);
            }
        }
        for event in rest {
            let (partition, ends) = place(event);
            let end = ends.next(Source::Events);
            placed.lines.push(partition, end, event.line);
        }
        Ok(placed)
    }
}

/// How many of the events that were sent to a partition are processed. They are its last ones, unless others came after them: then
/// their places are not known, and all count as processed.
fn processed_of(
    log: &EmbeddedLog,
    (partition, ends): (Partition, AppliedOffsets),
    sent: &[&SourceEvent],
) -> anyhow::Result<usize> {
    let mut member = log.member();
    let facts = member.facts(partition)?;
    let facts = facts.and_then(|facts| facts.sources.get(&Source::Events).cloned());
    let next = facts.and_then(|facts| facts.group_offset).unwrap_or(0);
    let end = ends.next(Source::Events);
    let waiting = usize::try_from(end.saturating_sub(next))?;
    let (Some(last), true) = (sent.last(), waiting > 0) else {
        return Ok(sent.len());
    };
    member.assign(&[partition]);
    member.resume_at(partition, ends.with(Source::Events, end - 1))?;
    let limit = PollLimit {
        records: 1,
        bytes: 1,
        timeout: Duration::ZERO,
    };
    let is_last = match member.poll(limit)? {
        Polled::Deliveries(deliveries) => deliveries.iter().any(|delivery| {
            delivery.payload.as_ref() == Some(&last.payload) && delivery.key == last.key
        }),
        Polled::Idle | Polled::Assigned(_) | Polled::Revoked(_) | Polled::Lost(_) => false,
    };
    Ok(if is_last {
        sent.len().saturating_sub(waiting)
    } else {
        sent.len()
    })
}
