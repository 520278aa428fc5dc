//! Which rows of a file were not taken: their lines, by the places where their events are delivered, or as the rules judge
//! them without a log.

use std::collections::BTreeMap;
use std::io::Write;

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
use crate::dataset::shown;
use crate::domain::counted::counted;
use crate::domain::event::InvalidEvent;
use crate::domain::event::RejectReason;
use crate::domain::event::parse::parse;
use crate::domain::event::rules::IntakeRules;
use crate::domain::event::unknown_names;
use crate::domain::ids::Partition;
use crate::domain::ids::Position;
use crate::domain::ids::Source;
use crate::domain::order_rows::OtherRow;
use crate::domain::order_rows::Refused;
use crate::engine::admission::Admission;
use crate::engine::admission::admit_unplaced;
use crate::engine::verdict::Verdict;
use crate::pipeline::Shared;
use crate::pipeline::findings::Findings;
use crate::pipeline::unknown_names::Named;
use crate::pipeline::unknown_names::UnknownNames;

/// The place of an event that is judged without a log.
const NO_PLACE: Position = Position {
    source: Source::Events,
    partition: Partition(0),
    offset: 0,
};

/// What the rules alone say of events.
#[derive(Debug, Default)]
pub(super) struct Judged {
    pub(super) findings: Findings,
    /// Events that go to their customer's record, which decides.
    pub(super) accepted: u64,
    /// Events of the other verdicts.
    pub(super) verdicts: BTreeMap<&'static str, u64>,
    /// Rows of rejected events beyond one for each, by reason.
    more_rows: BTreeMap<&'static str, u64>,
    rejected: u64,
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
                    Admission::Customer { .. } => {
                        judged.accepted += 1;
                        continue;
                    }
                },
            };
            let outcome = verdict.outcome().as_str();
            *judged.verdicts.entry(outcome).or_default() += 1;
            if let Verdict::Rejected(invalid) = &verdict {
                judged.rejected += 1;
                let reason = invalid.reason.as_str();
                *judged.more_rows.entry(reason).or_default() += event.rows.saturating_sub(1);
            }
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
    shown(&args.input).display().to_string()
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

/// What became of the rows that were not rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Others {
    /// They were taken.
    Taken,
    /// They would be taken.
    Planned,
    /// They were sent.
    Sent,
}

impl Others {
    fn sentence(self, are_there: bool) -> &'static str {
        match (self, are_there) {
            (Self::Taken, true) => "all others were taken",
            (Self::Taken, false) => "there are no others",
            (Self::Planned, true) => "all others would be taken",
            (Self::Planned, false) => "there are no others",
            (Self::Sent, true) => "all others were sent",
            (Self::Sent, false) => "no others were sent",
        }
    }
}

/// Refuses a file of which too many rows were rejected, as rows or as events. An event counts as all rows that it is made of.
pub(super) fn refuse_rejected(
    args: &Args,
    rejections: &[Rejection],
    history: &History,
    judged: &Judged,
    others: Others,
) -> anyhow::Result<()> {
    refuse_all_rejected(args, (rejections, &[]), history, judged, others)
}

/// The same where events were in the log before the file, whose rejections count too.
pub(super) fn refuse_all_rejected(
    args: &Args,
    (rejections, in_log_before): (&[Rejection], &[Rejection]),
    history: &History,
    judged: &Judged,
    others: Others,
) -> anyhow::Result<()> {
    let mut reasons = counts(rejections);
    let mut before = 0;
    for rejection in in_log_before {
        *reasons.entry(rejection.reason.clone()).or_default() += rejection.count;
        before += rejection.count;
    }
    for (reason, rows) in &mut reasons {
        *rows += judged.more_rows.get(reason.as_str()).copied().unwrap_or(0);
    }
    for row in &history.refused {
        *reasons.entry(row.column.clone()).or_default() += 1;
    }
    let rejected: u64 = reasons.values().sum();
    if rejected <= args.max_rejected {
        return Ok(());
    }
    let events = history.events.len() as u64;
    let is_taken = match others {
        Others::Taken | Others::Planned => events > judged.rejected,
        Others::Sent => events > 0,
    };
    // The row that is wrong, and not one that is refused with it.
    let is_cause = |row: &&Refused| !matches!(row.other, Some(OtherRow::Cause(_)));
    let first = history.refused.iter().find(is_cause);
    let unknown_currency = RejectReason::UnknownCurrency.as_str();
    let is_of_another_currency = !is_taken && reasons.get(unknown_currency) == Some(&rejected);
    let is_all_unreadable =
        events > 0 && reasons.get(RejectReason::Unreadable.as_str()) == Some(&events);
    let first = match first {
        Some(row) => format!("; line {}: {}", row.line, row.detail),
        None if is_of_another_currency => {
            let flag = "; --set money.base_currency=CODE says which currency the amounts are in";
            // A state that has begun keeps its currency.
            match others {
                Others::Taken => {
                    format!("{flag}, with --set store.directory=NEW for a state of its own")
                }
                Others::Planned | Others::Sent => flag.to_owned(),
            }
        }
        None if is_all_unreadable => {
            "; is it a table? --format orders and --format customers read those".to_owned()
        }
        None => String::new(),
    };
    Err(TooManyRejected {
        file: file_name(args),
        rejected,
        reasons,
        max: args.max_rejected,
        others: others.sentence(is_taken),
        first: first + &said_of_log(before),
    }
    .into())
}

fn said_of_log(before: u64) -> String {
    if before == 0 {
        return String::new();
    }
    let were = counted(before, "of them was", "of them were");
    format!("; {were} in the log before this file")
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
    pub(super) fn of(args: &Args, history: &History, judged: &Judged, rules: &IntakeRules) -> Self {
        let events = history.events.as_slice();
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
            file: FileSummary::of(history, args.orders, rules),
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
