//! `segstream dead-letters show`.

use std::io::Write;

use crate::cli::dead_letters::list::size;
use crate::cli::dead_letters::source::Source;
use crate::cli::exit::CallError;
use crate::config::settings::Settings;
use crate::view::dead_letter::DeadLetterView;
use crate::view::dead_letter::PayloadState;
use crate::view::dead_letter::RecordView;

/// The call of `show`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  segstream dead-letters show 0:17")]
pub(super) struct Args {
    /// Where it stands, as `list` prints it: PARTITION:OFFSET, or PARTITION OFFSET.
    #[arg(value_name = "PARTITION:OFFSET", required = true, num_args = 1..=2)]
    place: Vec<String>,
    /// Print a JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, settings: &Settings) -> anyhow::Result<()> {
    let (partition, offset) = place(&args.place)?;
    let mut source = Source::open(settings)?;
    let mut letter = source.one(partition, offset)?;
    let remedy = source.remedy();
    let record = letter.record.as_mut();
    if let Some(problem) = record.and_then(|record| record.problem.as_mut()) {
        problem.push_str(remedy);
    }
    let mut out = std::io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &letter)?;
        writeln!(out)?;
    } else {
        out.write_all(text(&letter).as_bytes())?;
    }
    out.flush()?;
    Ok(())
}

fn place(words: &[String]) -> Result<(u32, u64), CallError> {
    let joined = words.join(":");
    let parts = joined.split_once(':');
    let place =
        parts.and_then(|(partition, offset)| Some((partition.parse().ok()?, offset.parse().ok()?)));
    place.ok_or_else(|| {
        let words = words.join(" ");
        CallError(format!(
            "{words:?} is no place of a dead letter, allowed is PARTITION:OFFSET, such as 0:17, as `segstream dead-letters \
             list` prints it"
        ))
    })
}

fn text(letter: &DeadLetterView) -> String {
    let mut lines = Vec::new();
    let mut say = |name: &str, value: &str| lines.push(format!("{name:<11}{value}"));
    say("place", &format!("{}:{}", letter.partition, letter.offset));
    say("written", &letter.at);
    say("reason", letter.reason.as_deref().unwrap_or("unknown"));
    if let Some(detail) = &letter.detail {
        say("detail", &safe(detail, false));
    }
    if let Some(source) = &letter.source {
        let at = source.at.as_deref().unwrap_or("no timestamp");
        let place = format!("{}:{}", source.partition, source.offset);
        say("source", &format!("{} {place}, {at}", source.topic));
    }
    let state = letter.payload_state.as_str();
    say("payload", &format!("{}{state}", size(letter)));
    if let Some(record) = &letter.record {
        of_record(letter, record, &mut lines);
    }
    lines.push(String::new());
    lines.join("\n")
}

fn of_record(letter: &DeadLetterView, record: &RecordView, lines: &mut Vec<String>) {
    let key = match (&record.key, &record.key_base64) {
        (None, None) => "null".to_owned(),
        (text, base64) => quoted(text.as_deref(), base64.as_deref()),
    };
    let cut = record
        .key_bytes
        .map_or_else(String::new, |bytes| format!(", cut: it had {bytes} bytes"));
    lines.push(format!("{:<11}{key}{cut}", "key"));
    for header in &record.headers {
        let value = quoted(header.value.as_deref(), header.value_base64.as_deref());
        lines.push(format!(
            "{:<11}{}: {value}",
            "header",
            safe(&header.name, false)
        ));
    }
    if let Some(omitted) = record.headers_omitted {
        lines.push(format!("{:<11}{omitted} were left out", "headers"));
    }
    if let Some(problem) = &record.problem {
        lines.push(format!("{:<11}{problem}", "problem"));
    }
    lines.push(String::new());
    match letter.payload() {
        None => {}
        Some(payload) => match std::str::from_utf8(&payload) {
            Ok(text) => lines.push(safe(text, true)),
            Err(_) => lines.push(payload.escape_ascii().to_string()),
        },
    }
    if letter.payload_state == PayloadState::Cut {
        lines.push("... (cut)".to_owned());
    }
}

fn quoted(text: Option<&str>, base64: Option<&str>) -> String {
    match (text, base64) {
        (Some(text), _) => format!("{text:?}"),
        (None, Some(base64)) => format!("base64 {base64}"),
        (None, None) => "null".to_owned(),
    }
}

/// A text of which no letter changes what a terminal does. Line ends and tabs may stay.
fn safe(text: &str, has_lines: bool) -> String {
    let mut made = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' | '\t' if has_lines => made.push(letter),
            '"' | '\'' | '\\' => made.push(letter),
            letter => made.extend(letter.escape_debug()),
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_two_numbers() {
        let read = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            place(&words)
        };
        assert_eq!(read(&["3:17"]), Ok((3, 17)));
        assert_eq!(read(&["3", "17"]), Ok((3, 17)));
        for wrong in [
            &["3"][..],
            &["3:"],
            &["-1:2"],
            &["3:1:2"],
            &["3", "x"],
            &["4294967296:1"],
        ] {
            let problem = read(wrong).unwrap_err().0;
            assert!(problem.contains("such as 0:17"), "{problem}");
        }
    }

    #[test]
    fn no_letter_of_a_payload_reaches_the_terminal_as_a_command() {
        for (text, expected) in [
            ("{\"a\":\n\t'\\n'}", "{\"a\":\n\t'\\n'}"),
            ("\u{1b}[2J", "\\u{1b}[2J"),
            ("a\rb\0", "a\\rb\\0"),
            ("\u{202e}abc\u{9b}", "\\u{202e}abc\\u{9b}"),
            ("crème ☕", "crème ☕"),
        ] {
            assert_eq!(safe(text, true), expected);
        }
        assert_eq!(safe("a\nb", false), "a\\nb");
    }
}
