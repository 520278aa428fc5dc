//! Which rows of a file were not taken: their lines, by the places where their events are delivered, or as the rules judge
//! them without a log.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;
use std::time::Duration;

use serde::Serialize;

use crate::cli::exit::TooManyRejected;
use crate::cli::file_summary::FileSummary;
use crate::cli::findings::Input;
use crate::cli::findings::Rejection;
use crate::cli::findings::UnknownFields;
use crate::cli::findings::counts;
use crate::cli::findings::print_rejections;
use crate::cli::findings::rejections;
use crate::cli::replay::args::Args;
use crate::cli::summary::Summary;
use crate::dataset::replay::History;
use crate::dataset::replay::SourceEvent;
use crate::domain::counted::counted;
use crate::domain::event::InvalidEvent;
use crate::domain::event::RejectReason;
use crate::domain::event::parse::parse;
use crate::domain::event::rules::IntakeRules;
use crate::domain::event::unknown_names;
use crate::domain::ids::Partition;
use crate::domain::ids::Position;
use crate::domain::ids::Source;
use crate::domain::offsets::AppliedOffsets;
use crate::domain::order_rows::Refused;
use crate::engine::admission::Admission;
use crate::engine::admission::admit_unplaced;
use crate::engine::verdict::Verdict;
use crate::log::PollLimit;
use crate::log::Polled;
use crate::log::WorkerLog;
use crate::log::embedded::EmbeddedLog;
use crate::pipeline::Shared;
use crate::pipeline::findings::Findings;
use crate::pipeline::findings::Lines;
use crate::pipeline::unknown_names::Named;
use crate::pipeline::unknown_names::UnknownNames;

/// The place of an event that is judged without a log.
const NO_PLACE: Position = Position {
    source: Source::Events,
    partition: Partition(0),
    offset: 0,
};

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

/// What the rules alone say of events.
#[derive(Debug, Default)]
pub(super) struct Judged {
    pub(super) findings: Findings,
    with_unknown_fields: u64,
    names: UnknownNames,
}

impl Judged {
    pub(super) fn of<'a>(
        events: impl IntoIterator<Item = &'a SourceEvent>,
        rules: &IntakeRules,
    ) -> Self {
        let mut judged = Self::default();
        for event in events {
            let parsed = parse(&event.payload, event.record_time, rules);
            let unknown = match &parsed {
                Ok(event) => event.unknown,
                Err(InvalidEvent { unknown, .. }) => *unknown,
            };
            judged.with_unknown_fields += u64::from(!unknown.is_empty());
            if !unknown.is_empty() && judged.names.look_at(unknown.fingerprint()) {
                let names = unknown_names(&event.payload);
                judged.names.take(names, NO_PLACE, event.line);
            }
            let verdict = match parsed {
                Err(invalid) => Verdict::Rejected(invalid),
                Ok(event) => match admit_unplaced(&event) {
                    Admission::Ended(verdict) => verdict,
                    Admission::Customer { .. } => continue,
                },
            };
            judged.findings.note(&verdict, NO_PLACE, event.line);
        }
        judged
    }

    pub(super) fn unknown_fields(&self, input: Input<'_>) -> Option<UnknownFields> {
        UnknownFields::of(self.with_unknown_fields, self.names.names(), input)
    }
}

/// The name of a file in a summary.
pub(super) fn file_name(args: &Args) -> String {
    args.input.display().to_string()
}

/// The summary of a replay. Rows that an earlier run processed before it was interrupted are judged by the rules alone: what
/// became of them otherwise is in the summary of that run.
pub(super) fn summary(args: &Args, shared: &Shared, before: &[&SourceEvent]) -> Summary {
    let mut findings = shared.tally.findings();
    let mut unknown: Vec<Named> = shared.tally.unknown_names();
    unknown.sort_by_key(|named| named.line);
    findings.add(&Judged::of(before.iter().copied(), &shared.intake).findings);
    let file = file_name(args);
    let input = Input::File(&file);
    let mut summary = Summary::of_findings(shared, (&findings, &unknown), input);
    summary.taken_before = u64::try_from(before.len()).unwrap_or(u64::MAX);
    summary
}

/// Refuses a file of which too many rows were rejected, as rows or as events; the rest was taken.
pub(super) fn refuse_rejected(
    args: &Args,
    rejections: &[Rejection],
    refused: &[Refused],
) -> anyhow::Result<()> {
    refuse_all_rejected(args, (rejections, &[]), refused)
}

/// The same where events were in the log before the file, whose rejections count too.
pub(super) fn refuse_all_rejected(
    args: &Args,
    (rejections, in_log_before): (&[Rejection], &[Rejection]),
    refused: &[Refused],
) -> anyhow::Result<()> {
    let mut reasons = counts(rejections);
    let mut before = 0;
    for rejection in in_log_before {
        *reasons.entry(rejection.reason.clone()).or_default() += rejection.count;
        before += rejection.count;
    }
    for row in refused {
        *reasons.entry(row.column.clone()).or_default() += 1;
    }
    let rejected: u64 = reasons.values().sum();
    if rejected <= args.max_rejected {
        return Ok(());
    }
    Err(TooManyRejected {
        file: file_name(args),
        rejected,
        reasons,
        max: args.max_rejected,
        first: said_of_first(refused, before),
    }
    .into())
}

fn said_of_first(refused: &[Refused], before: u64) -> String {
    let mut said = refused.first().map_or_else(String::new, |row| {
        format!("; line {}: {}", row.line, row.detail)
    });
    if before > 0 {
        let were = counted(before, "of them was", "of them were");
        write!(said, "; {were} in the log before this file").unwrap_or_default();
    }
    said
}

/// What a replay to a topic says of the rows.
#[derive(Debug, Serialize)]
pub(super) struct Sent {
    sent: usize,
    file: FileSummary,
    /// Rows that are no events.
    pub(super) rejections: Vec<Rejection>,
    under_these_settings: UnderTheseSettings,
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown_fields: Option<UnknownFields>,
}

/// What an engine with the settings of this call would reject.
#[derive(Debug, Serialize)]
struct UnderTheseSettings {
    rejections: Vec<Rejection>,
}

impl Sent {
    pub(super) fn of(args: &Args, history: &History, rules: &IntakeRules) -> Self {
        let events = history.events.as_slice();
        let judged = Judged::of(events, rules);
        let file = file_name(args);
        let input = Input::File(&file);
        let no_events = [
            RejectReason::Unreadable.as_str(),
            RejectReason::SchemaRegistryFormat.as_str(),
        ];
        let all = rejections(&judged.findings, input).into_iter();
        let (no_events, others) = all.partition(|one| no_events.contains(&&*one.reason));
        Self {
            sent: events.len(),
            file: FileSummary::of(history, args.orders.is_sum()),
            rejections: no_events,
            under_these_settings: UnderTheseSettings { rejections: others },
            unknown_fields: judged.unknown_fields(input),
        }
    }

    pub(super) fn print(&self, args: &Args, topic: &str) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        if args.json {
            serde_json::to_writer(&mut out, self)?;
            writeln!(out)?;
            return Ok(());
        }
        self.file.print(&mut out)?;
        writeln!(out, "sent {} events to {topic}", self.sent)?;
        if !self.rejections.is_empty() {
            writeln!(out, "sent, but no events: every engine rejects them")?;
            print_rejections(&mut out, &self.rejections)?;
        }
        let others = &self.under_these_settings.rejections;
        if !others.is_empty() {
            writeln!(out, "sent; an engine with these settings rejects them")?;
            print_rejections(&mut out, others)?;
        }
        if let Some(unknown) = &self.unknown_fields {
            unknown.print(&mut out)?;
        }
        Ok(())
    }
}
