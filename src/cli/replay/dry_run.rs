//! What a replay would do, without a store, a log or a broker.

use std::collections::HashSet;
use std::io::Write;

use serde_json::Value;
use serde_json::json;

use crate::cli::file_summary::FileSummary;
use crate::cli::findings::Input;
use crate::cli::findings::print_rejections;
use crate::cli::findings::rejections;
use crate::cli::replay::args::Args;
use crate::cli::replay::places::Judged;
use crate::cli::replay::places::Others;
use crate::cli::replay::places::file_name;
use crate::cli::replay::places::refuse_rejected;
use crate::cli::replay::topic::check_call;
use crate::cli::target::Target;
use crate::cli::target::require_brokers;
use crate::config::settings::Settings;
use crate::dataset::replay::History;
use crate::domain::time::Timestamp;

/// Events that are shown.
const EVENTS_SHOWN: usize = 3;

pub(super) fn dry_run(args: &Args, settings: &Settings, history: &History) -> anyhow::Result<()> {
    if let Target::Kafka { topic } = &args.to {
        check_call(args)?;
        require_brokers(settings, topic)?;
    }
    let judged = Judged::of(&history.events, &settings.intake);
    let name = file_name(args);
    let input = Input::File(&name);
    let rejections = rejections(&judged.findings, input);
    let unknown_fields = judged.unknown_fields(input);
    let file = FileSummary::of(history, args.orders, &settings.intake);
    let extent = Extent::of(history, &file);
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
            "rejections": rejections, "unknown_fields": unknown_fields, "customers": extent.customers,
            "first_at": extent.first_at, "last_at": extent.last_at,
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
        print_rejections(&mut out, &rejections)?;
        if let Some(unknown) = &unknown_fields {
            unknown.print(&mut out)?;
        }
    }
    drop(out);
    refuse_rejected(args, &rejections, history, &judged, Others::Planned)
}

/// Customers of the events, and when the first and the last of them happened; of a file of orders, of the orders that are taken.
struct Extent {
    customers: u64,
    first_at: Option<String>,
    last_at: Option<String>,
}

impl Extent {
    fn of(history: &History, file: &FileSummary) -> Self {
        if let Some(orders) = &file.orders {
            return Self {
                customers: orders.customers,
                first_at: orders.first_at.clone(),
                last_at: orders.last_at.clone(),
            };
        }
        let keys = history
            .events
            .iter()
            .filter_map(|event| event.key.as_deref());
        // A line that states no time has none.
        let times = || {
            let times = history.events.iter().map(|event| event.record_time);
            times.filter(|time| *time != Timestamp::default())
        };
        Self {
            customers: keys.collect::<HashSet<&[u8]>>().len() as u64,
            first_at: times().min().map(|time| time.to_string()),
            last_at: times().max().map(|time| time.to_string()),
        }
    }

    fn print(&self, out: &mut impl Write) -> std::io::Result<()> {
        writeln!(out, "customers{:>10}", self.customers)?;
        match (&self.first_at, &self.last_at) {
            (Some(first), Some(last)) => writeln!(out, "from     {first} to {last}"),
            (_, _) => Ok(()),
        }
    }
}
