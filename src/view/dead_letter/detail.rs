//! What the `detail` of a dead letter says without the value that it quotes, which may be a customer's id.

use crate::domain::event::RejectReason;
use crate::engine::verdict::Outcome;

/// Longest sentence of a list.
const CHARACTERS_MAX: usize = 300;
/// Longest name of a field.
const FIELD_CHARACTERS_MAX: usize = 60;
/// Between a value and what is allowed.
const IS_NOT: &str = " is not ";
/// A field of a name that is like `customer_id`; the sentence then quotes that name.
const MISNAMED_CUSTOMER: &str = "customer_id is missing, and ";
/// Where there is no value.
const MUST_BE: &str = ": it must be ";

/// The sentence of a dead letter.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sentence {
    /// The field that is wrong.
    pub(super) field: Option<String>,
    /// What is wrong; `None` where the sentence would need a value.
    pub(super) without_values: Option<String>,
}

impl Sentence {
    /// The sentence of a known reason. What is allowed stands last, so that the last of several separators is that of the
    /// program, whatever the value is.
    pub(super) fn of(reason: &str, detail: Option<&str>) -> Self {
        let whole = [
            RejectReason::Unreadable,
            RejectReason::SchemaRegistryFormat,
            RejectReason::OutputTooLarge,
        ];
        if reason == Outcome::Late.as_str() {
            return Self::of_field("occurred_at", late(detail.unwrap_or_default()));
        }
        if reason == Outcome::Unsupported.as_str() {
            return Self::of_field("type", "is not processed by this version");
        }
        let Some(detail) = detail else {
            return Self::default();
        };
        // These quote nothing.
        if whole.iter().any(|known| known.as_str() == reason) {
            return Self {
                field: None,
                without_values: Some(short(detail)),
            };
        }
        if detail.starts_with(MISNAMED_CUSTOMER) {
            let said = "is missing, and the event has a field of a similar name";
            return Self::of_field("customer_id", said);
        }
        let quoted = detail.split_once(": ").and_then(|(field, rest)| {
            let (_, allowed) = rest.rsplit_once(IS_NOT)?;
            Some((field, format!("is not {allowed}")))
        });
        let absent = || {
            let (said, allowed) = detail.rsplit_once(MUST_BE)?;
            let (field, how) = said.split_once(" is ")?;
            let is_absent = ["missing", "absent or null"].contains(&how);
            is_absent.then(|| (field, format!("is {how}{MUST_BE}{allowed}")))
        };
        match quoted.or_else(absent) {
            Some((field, said)) if is_a_name(field) => Self::of_field(field, &said),
            Some(_) | None => Self::default(),
        }
    }

    fn of_field(field: &str, said: &str) -> Self {
        Self {
            field: Some(field.to_owned()),
            without_values: Some(short(&format!("{field} {said}"))),
        }
    }
}

/// Why an event is late, by the words of its detail that are the program's. Three sentences of the engine begin with an
/// instant each.
fn late(detail: &str) -> &'static str {
    if detail.contains("remembered events of the customer") || detail.contains("events on that day")
    {
        "is of a day with more events than the customer's record can remember"
    } else if detail.contains("no longer remembers") {
        "is not after an event whose id the customer's record no longer remembers"
    } else {
        "is older than the customer's record covers"
    }
}

/// As the program names fields, keys and headers.
fn is_a_name(field: &str) -> bool {
    let is_of_a_name = |letter: char| letter.is_ascii_lowercase() || "_.-' ".contains(letter);
    !field.is_empty() && field.len() <= FIELD_CHARACTERS_MAX && field.chars().all(is_of_a_name)
}

fn short(text: &str) -> String {
    let printable = text
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter });
    printable.take(CHARACTERS_MAX).collect()
}
