//! What a replay would do, without a store, a log or a broker.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::io::Write;

use serde_json::Value;
use serde_json::json;

use crate::cli::file_summary::FileSummary;
use crate::cli::findings::Input;
use crate::cli::findings::Rejection;
use crate::cli::findings::UnknownFields;
use crate::cli::findings::print_rejections;
use crate::cli::findings::rejections;
use crate::cli::replay::args::Args;
use crate::cli::replay::places;
use crate::cli::replay::places::file_name;
use crate::cli::replay::places::refuse_rejected;
use crate::cli::replay::topic::check_call;
use crate::cli::target::Target;
use crate::cli::target::require_brokers;
use crate::config::settings::Settings;
use crate::dataset::replay::History;
use crate::domain::event::parse::parse;
use crate::domain::event::rules::IntakeRules;
use crate::domain::time::Timestamp;
use crate::engine::admission::Admission;
use crate::engine::admission::admit_unplaced;
use crate::engine::verdict::Outcome;

/// Events that are shown.
const EVENTS_SHOWN: usize = 3;

pub(super) fn dry_run(args: &Args, settings: &Settings, history: &History) -> anyhow::Result<()> {
    if let Target::Kafka { topic } = &args.to {
        check_call(args)?;
        require_brokers(settings, topic)?;
    }
    let judged = judge(args, history, &settings.intake);
    let file = FileSummary::of(history, args.orders.is_sum());
    let extent = Extent::of(history);
    let shown = history.events.iter().take(EVENTS_SHOWN);
    let shown = shown.map(|event| String::from_utf8_lossy(&event.payload).into_owned());
    let shown: Vec<String> = shown.collect();
    let mut out = std::io::stdout().lock();
    if args.json {
        let facts = history.found.facts.iter();
        let facts = facts.map(|fact| json!({"about": fact.about, "what": fact.what}));
        let events = shown.iter().map(|event| {
            serde_json::from_str(event).unwrap_or_else(|_| Value::String(event.clone()))
        });
        let all = json!({
            "dry_run": true, "found": facts.collect::<Vec<Value>>(),
            "first_events": events.collect::<Vec<Value>>(), "events": history.events.len(),
            "accepted": judged.accepted, "verdicts": judged.verdicts, "file": file,
            "rejections": judged.rejections, "unknown_fields": judged.unknown_fields, "customers": extent.customers,
            "first_at": extent.span.map(|(first, _)| first.to_string()),
            "last_at": extent.span.map(|(_, last)| last.to_string()),
        });
        writeln!(out, "{all}")?;
    } else {
        writeln!(out, "nothing was written or sent: this is what was found")?;
        for fact in &history.found.facts {
            writeln!(out, "  {fact}")?;
        }
        writeln!(out, "first events")?;
        for event in &shown {
            writeln!(out, "  {event}")?;
        }
        file.print(&mut out)?;
        extent.print(&mut out)?;
        writeln!(out, "events   {:>10}", history.events.len())?;
        writeln!(
            out,
            "  accepted {:>8}  (the state decides whether they are applied, duplicate or late)",
            judged.accepted
        )?;
        for (verdict, events) in &judged.verdicts {
            writeln!(out, "  {verdict:<8} {events:>8}")?;
        }
        print_rejections(&mut out, &judged.rejections)?;
        if let Some(unknown) = &judged.unknown_fields {
            unknown.print(&mut out)?;
        }
    }
    drop(out);
    refuse_rejected(args, &judged.rejections, &history.refused)
}

/// Customers of the events, and when the first and the last of them happened.
struct Extent {
    customers: usize,
    span: Option<(Timestamp, Timestamp)>,
}

impl Extent {
    fn of(history: &History) -> Self {
        let keys = history
            .events
            .iter()
            .filter_map(|event| event.key.as_deref());
        let times = || history.events.iter().map(|event| event.record_time);
        Self {
            customers: keys.collect::<HashSet<&[u8]>>().len(),
            span: times().min().zip(times().max()),
        }
    }

    fn print(&self, out: &mut impl Write) -> std::io::Result<()> {
        writeln!(out, "customers{:>10}", self.customers)?;
        match self.span {
            Some((first, last)) => writeln!(out, "from     {first} to {last}"),
            None => Ok(()),
        }
    }
}

struct Judged {
    /// Events that go to their customer's record, which decides.
    accepted: u64,
    /// Events of the other verdicts.
    verdicts: BTreeMap<&'static str, u64>,
    /// Events that are rejected, by reason.
    rejections: Vec<Rejection>,
    unknown_fields: Option<UnknownFields>,
}

fn judge(args: &Args, history: &History, rules: &IntakeRules) -> Judged {
    let (mut accepted, mut verdicts) = (0, BTreeMap::new());
    for source in &history.events {
        let verdict = match parse(&source.payload, source.record_time, rules) {
            Err(_) => Outcome::Rejected,
            Ok(event) => match admit_unplaced(&event) {
                Admission::Customer { .. } => {
                    accepted += 1;
                    continue;
                }
                Admission::Ended(verdict) => verdict.outcome(),
            },
        };
        *verdicts.entry(verdict.as_str()).or_default() += 1;
    }
    let judged = places::Judged::of(&history.events, rules);
    let file = file_name(args);
    let input = Input::File(&file);
    Judged {
        accepted,
        verdicts,
        rejections: rejections(&judged.findings, input),
        unknown_fields: judged.unknown_fields(input),
    }
}
