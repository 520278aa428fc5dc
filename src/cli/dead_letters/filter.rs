//! Which dead letters a command takes.

use crate::cli::common::parse_instant;
use crate::cli::exit::CallError;
use crate::cli::whole_number::whole_number;
use crate::domain::nearest::did_you_mean;
use crate::domain::time::Timestamp;
use crate::view::dead_letter::DeadLetterView;
use crate::view::dead_letter::reasons;

/// Which dead letters to take; all where nothing is said.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Filter {
    /// Only those of this reason; may be given several times.
    #[arg(long = "reason", value_name = "REASON", value_parser = parse_reason)]
    pub(super) reasons: Vec<&'static str>,
    /// Only those that were written at or after this instant, RFC 3339.
    #[arg(long, value_name = "INSTANT", value_parser = parse_instant)]
    since: Option<Timestamp>,
    /// Only those that were written before this instant, RFC 3339.
    #[arg(long, value_name = "INSTANT", value_parser = parse_instant)]
    until: Option<Timestamp>,
    /// The first N, by partition and offset.
    #[arg(long, value_name = "N", value_parser = whole_number::<u64>(1..=u64::MAX))]
    pub(super) limit: Option<u64>,
}

impl Filter {
    /// Refuses a span of time that has nothing in it.
    pub(super) fn check(&self) -> Result<(), CallError> {
        match (self.since, self.until) {
            (Some(since), Some(until)) if since >= until => Err(CallError(format!(
                "--since {since} must be before --until {until}"
            ))),
            _ => Ok(()),
        }
    }

    /// Whether it says anything but a limit.
    pub(super) fn is_any(&self) -> bool {
        !self.reasons.is_empty() || self.since.is_some() || self.until.is_some()
    }

    pub(super) fn takes(&self, letter: &DeadLetterView) -> bool {
        let reason = letter.reason.as_deref();
        let has_reason =
            self.reasons.is_empty() || reason.is_some_and(|reason| self.reasons.contains(&reason));
        let at = Timestamp::parse_rfc3339(&letter.at).unwrap_or_default();
        has_reason
            && self.since.is_none_or(|since| at >= since)
            && self.until.is_none_or(|until| at < until)
    }
}

fn parse_reason(text: &str) -> Result<&'static str, String> {
    if let Some(known) = reasons().find(|known| *known == text) {
        return Ok(known);
    }
    let near = match did_you_mean(text, reasons()) {
        none if none.is_empty() => ".".to_owned(),
        near => near,
    };
    let all: Vec<&str> = reasons().collect();
    let all = all.join(", ");
    Err(format!(
        "no dead letter has this reason{near} Allowed are {all}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_that_is_documented_and_another_one_names_the_nearest() {
        for (text, said) in [
            ("curency", "did you mean \"currency\"?"),
            ("Late", "did you mean \"late\"?"),
            ("key-mismatch", "did you mean \"key_mismatch\"?"),
            ("unsuported", "did you mean \"unsupported\"?"),
            ("occured_at", "did you mean \"occurred_at\"?"),
            ("", "this reason. Allowed are unreadable"),
            ("somethingelse", "this reason. Allowed are unreadable"),
        ] {
            let problem = parse_reason(text).unwrap_err();
            assert!(problem.contains(said), "{text}: {problem}");
            assert!(problem.ends_with("late, unsupported"), "{problem}");
        }
        for known in reasons() {
            assert_eq!(parse_reason(known), Ok(known));
        }
    }
}
