//! What a summary says of the events that changed no customer: how many of each kind, where the first are, and what is
//! allowed. Values are shown where the input is the user's own file, and nowhere else.

use std::collections::BTreeMap;
use std::io;
use std::io::Write;

use serde::Serialize;

use crate::domain::counted::counted;
use crate::domain::event::fields::visible;
use crate::domain::ids::Position;
use crate::domain::topic::Topic;
use crate::domain::topic::TopicNames;
use crate::engine::verdict::Outcome;
use crate::pipeline::findings::Finding;
use crate::pipeline::findings::Findings;
use crate::pipeline::unknown_names::Named;
use crate::telemetry::rejections::NOT_SHOWN;
use crate::telemetry::rejections::may_be_a_value;

/// Characters of a rule that a line shows; a rule may list currencies.
const ALLOWED_CHARACTERS_MAX: usize = 400;

/// What the places of deliveries are to the reader of a summary.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// Places in a log.
    Log(&'a TopicNames),
    /// Lines of a file of this name.
    File(&'a str),
}

/// Where an event is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Place {
    /// A line of a file.
    File {
        /// The file, as it was named.
        file: String,
        /// The line, from 1.
        line: u64,
    },
    /// A record of a log.
    Log {
        /// Its topic.
        topic: String,
        /// Its partition.
        partition: u32,
        /// Its offset.
        offset: u64,
    },
}

impl Place {
    fn of(finding: (u64, Position), input: Input<'_>) -> Self {
        let (line, position) = finding;
        match input {
            Input::File(file) => Self::File {
                file: file.to_owned(),
                line,
            },
            Input::Log(names) => {
                let name = names.name(Topic::of_source(position.source));
                Self::Log {
                    topic: name.unwrap_or(position.source.as_str()).to_owned(),
                    partition: position.partition.0,
                    offset: position.offset,
                }
            }
        }
    }

    fn text(&self) -> String {
        match self {
            Self::File { file, line } => format!("{file}, line {line}"),
            Self::Log {
                topic,
                partition,
                offset,
            } => format!("{topic}, partition {partition}, offset {offset}"),
        }
    }
}

/// An event that was rejected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rejected {
    /// Where it is.
    #[serde(flatten)]
    place: Place,
    /// The field, or the part of the record.
    field: &'static str,
    /// What is allowed.
    allowed: String,
    /// What stands there, of a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
}

/// The events that were rejected for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rejection {
    /// The reason of docs/EVENTS.md.
    pub reason: String,
    /// How many there are.
    pub count: u64,
    /// The first ones.
    pub first: Vec<Rejected>,
}

/// The events of one verdict that changed no customer and broke no rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotApplied {
    /// The verdict.
    verdict: &'static str,
    /// Its reason, or the type of an unsupported event.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// How many there are.
    count: u64,
    /// A sentence that says what it means.
    meaning: &'static str,
    /// Where the first ones are.
    first: Vec<Place>,
}

/// The name of a field that no event has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnknownField {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    did_you_mean: Option<String>,
    first: Place,
    #[serde(skip)]
    is_attribute: bool,
}

/// Fields that no event has, and attributes that no model reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnknownFields {
    /// Events with any.
    pub events: u64,
    /// The first names that were met.
    pub names: Vec<UnknownField>,
}

impl UnknownFields {
    /// Shows them; none if there are none.
    #[must_use]
    pub fn of(events: u64, names: &[Named], input: Input<'_>) -> Option<Self> {
        let is_shown = |name: &str| matches!(input, Input::File(_)) || !may_be_a_value(name);
        let shown = |name: &String| {
            let name = Some(name.clone()).filter(|name| is_shown(name));
            name.unwrap_or_else(|| NOT_SHOWN.to_owned())
        };
        let names = names.iter().map(|named| UnknownField {
            name: shown(&named.name.name),
            did_you_mean: named.name.meant.clone(),
            first: Place::of((named.line, named.position), input),
            is_attribute: named.name.is_attribute,
        });
        (events > 0).then(|| Self {
            events,
            names: names.collect(),
        })
    }

    /// What the names are of.
    fn what(&self) -> String {
        let fields = "fields that no event has, and that are ignored";
        let attributes =
            "attributes that no model reads, as segstream computes features of these names";
        let has = |is_attribute: bool| {
            let mut names = self.names.iter();
            names.any(|name| name.is_attribute == is_attribute)
        };
        match (has(false), has(true)) {
            (false, true) => attributes.to_owned(),
            (true, true) => format!("{fields}; and {attributes}"),
            (_, false) => fields.to_owned(),
        }
    }

    /// Prints them.
    ///
    /// # Errors
    /// If the output cannot be written.
    pub fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let events = counted(self.events, "event", "events");
        let what = self.what();
        writeln!(out, "{what}, in {events}")?;
        for field in &self.names {
            let meant = field.did_you_mean.as_ref();
            let meant = meant.map_or_else(String::new, |meant| format!(", did you mean {meant}?"));
            writeln!(out, "  {}{meant} ({})", field.name, field.first.text())?;
        }
        Ok(())
    }
}

/// The rejected events by reason.
#[must_use]
pub fn rejections(findings: &Findings, input: Input<'_>) -> Vec<Rejection> {
    let rejected = findings.rejected().map(|(reason, found)| Rejection {
        reason: reason.to_owned(),
        count: found.count,
        first: found
            .first
            .iter()
            .filter_map(|finding| rejected(finding, input))
            .collect(),
    });
    rejected.collect()
}

fn rejected(finding: &Finding, input: Input<'_>) -> Option<Rejected> {
    let problem = finding.problem.as_ref()?;
    let value = problem.value.clone();
    Some(Rejected {
        place: Place::of((finding.line, finding.position), input),
        field: problem.field,
        allowed: visible(&problem.allowed, ALLOWED_CHARACTERS_MAX),
        value: value.filter(|_| matches!(input, Input::File(_))),
    })
}

/// The events of other verdicts than applied and rejected.
#[must_use]
pub fn not_applied(findings: &Findings, input: Input<'_>) -> Vec<NotApplied> {
    let others = findings
        .iter()
        .filter(|((outcome, _), _)| *outcome != Outcome::Rejected);
    let shown = others.map(|((outcome, reason), found)| NotApplied {
        verdict: outcome.as_str(),
        reason: (reason != outcome.as_str()).then_some(reason),
        count: found.count,
        meaning: meaning(outcome, reason),
        first: found
            .first
            .iter()
            .map(|finding| Place::of((finding.line, finding.position), input))
            .collect(),
    });
    shown.collect()
}

fn meaning(outcome: Outcome, reason: &str) -> &'static str {
    match (outcome, reason) {
        (Outcome::Applied, _) => "it counts",
        (Outcome::Rejected, _) => "it breaks a rule",
        (Outcome::Duplicate, _) => {
            "its event or its order was taken before: it counts once, as it was then"
        }
        (Outcome::Late, "older_than_ledger") => {
            "its day is more than state.ledger_days before the customer's newest event: it does not count"
        }
        (Outcome::Late, "too_many_of_one_day") => {
            "the customer has more events on this day than the 4096 whose ids are kept, so it cannot be distinguished from one that \
             was taken: it does not count"
        }
        (Outcome::Late, _) => {
            "it is not after an event whose id is no longer remembered (deduplication.ids), so it cannot be distinguished from one \
             that was taken: it does not count"
        }
        (Outcome::Guest, _) => "it has no customer, so no customer's record changes",
        (Outcome::Test, _) => "its sender marked it as a test: it does not count",
        (Outcome::Suppressed, _) => "its customer was erased: it does not count",
        (Outcome::Unsupported, _) => {
            "this version does not process its type, so no customer's record changes"
        }
    }
}

/// Prints the rejected ones.
///
/// # Errors
/// If the output cannot be written.
pub fn print_rejections(out: &mut impl Write, rejections: &[Rejection]) -> io::Result<()> {
    for rejection in rejections {
        writeln!(out, "  {:<36} {:>10}", rejection.reason, rejection.count)?;
        for one in &rejection.first {
            let place = one.place.text();
            let (field, allowed) = (one.field, &one.allowed);
            match &one.value {
                Some(value) => writeln!(out, "    {place}: {field} {value}, allowed: {allowed}")?,
                None => writeln!(out, "    {place}: {field}, allowed: {allowed}")?,
            }
        }
    }
    Ok(())
}

/// Prints the others.
///
/// # Errors
/// If the output cannot be written.
pub fn print_not_applied(out: &mut impl Write, others: &[NotApplied]) -> io::Result<()> {
    for other in others {
        let kind = match other.reason {
            Some(reason) => format!("{} ({reason})", other.verdict),
            None => other.verdict.to_owned(),
        };
        writeln!(out, "  {kind:<36} {:>10}  {}", other.count, other.meaning)?;
        for place in &other.first {
            writeln!(out, "    {}", place.text())?;
        }
    }
    Ok(())
}

/// How many were rejected for each reason.
#[must_use]
pub fn counts(rejections: &[Rejection]) -> BTreeMap<String, u64> {
    let each = rejections.iter();
    each.map(|one| (one.reason.clone(), one.count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::unknown_names;
    use crate::domain::ids::Partition;
    use crate::domain::ids::Source;

    #[test]
    fn attributes_that_no_model_reads_are_no_fields_that_are_ignored() {
        // By hand.
        for (payload, heading) in [
            (
                r#"{"revenu":1}"#,
                "fields that no event has, and that are ignored, in 1 event",
            ),
            (
                r#"{"profile":{"attributes":{"orders":1}}}"#,
                "attributes that no model reads, as segstream computes features of these names, in 1 event",
            ),
            (
                r#"{"revenu":1,"profile":{"attributes":{"age":1}}}"#,
                "fields that no event has, and that are ignored; and attributes that no model reads, as segstream computes \
                 features of these names, in 1 event",
            ),
        ] {
            let named = unknown_names(payload.as_bytes()).into_iter();
            let position = Position {
                source: Source::Events,
                partition: Partition(0),
                offset: 0,
            };
            let named: Vec<Named> = named
                .map(|name| Named {
                    name,
                    position,
                    line: 2,
                })
                .collect();
            let fields = UnknownFields::of(1, &named, Input::File("f.jsonl"));
            let mut out = Vec::new();
            fields
                .expect("there are some")
                .print(&mut out)
                .expect("a vector can be written");
            let text = String::from_utf8(out).expect("UTF-8");
            assert_eq!(text.lines().next(), Some(heading), "{text}");
        }
    }
}
