//! `segstream dead-letters export`: payloads as a file that `replay --format jsonl` reads again once they are mended.

use std::io::BufWriter;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use serde::de::IgnoredAny;

use crate::cli::common::SettingsArgs;
use crate::cli::dead_letters::filter::Filter;
use crate::cli::dead_letters::list::letters;
use crate::cli::dead_letters::source::Source;
use crate::cli::exit::CallError;
use crate::cli::exit::WrongData;
use crate::cli::output_file::Named;
use crate::cli::output_file::OutputFile;
use crate::config::settings::Settings;
use crate::disk;
use crate::view::dead_letter::DeadLetterView;
use crate::view::dead_letter::PayloadState;

/// The call of `export`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  segstream dead-letters export --reason currency --out mend.jsonl"
)]
pub(super) struct Args {
    #[command(flatten)]
    filter: Filter,
    /// The file to write, which only you may read; standard output if absent.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace the file if it is there.
    #[arg(long, requires = "out")]
    force: bool,
}

/// What became of the payloads.
#[derive(Debug, Default)]
struct Count {
    written: u64,
    joined: u64,
    left_out: u64,
}

impl Args {
    /// Refuses an output in the place of what the settings name.
    pub(super) fn check_output(
        &self,
        sources: &SettingsArgs,
        settings: &Settings,
    ) -> anyhow::Result<()> {
        match &self.out {
            Some(path) => sources.check_output(Named::new("--out", path), settings),
            None => Ok(()),
        }
    }
}

pub(super) fn run(args: &Args, settings: &Settings) -> anyhow::Result<()> {
    args.filter.check()?;
    let mut source = Source::open(settings)?;
    let count = match &args.out {
        Some(path) => to_file(args, path, &mut source)?,
        None => {
            let mut out = BufWriter::new(std::io::stdout().lock());
            let count = write(&args.filter, &mut source, &mut out)?;
            out.flush()?;
            count
        }
    };
    say(args, &count)?;
    if count.left_out > 0 {
        return Err(WrongData(format!(
            "{} cannot be a line of JSON Lines and were left out, as listed above",
            letters(count.left_out)
        ))
        .into());
    }
    Ok(())
}

fn to_file(args: &Args, path: &Path, source: &mut Source) -> anyhow::Result<Count> {
    let output = Named::new("--out", path);
    let check = || {
        if !args.force && path.symlink_metadata().is_ok() {
            let shown = path.display();
            return Err(CallError(format!(
                "--out {shown} is already there: choose another name, or replace it with --force"
            )));
        }
        Ok(())
    };
    check()?;
    // They are customers' data.
    disk::close_new_files_to_others();
    let mut file = OutputFile::begin_private(output)?;
    let mut out = BufWriter::new(&mut file);
    let count = write(&args.filter, source, &mut out)?;
    let flushed = out.flush();
    drop(out);
    flushed.with_context(|| file.cannot_write())?;
    if count.written > 0 {
        // It may have been made meanwhile.
        check()?;
        file.finish()?;
    }
    Ok(count)
}

fn write(filter: &Filter, source: &mut Source, out: &mut dyn Write) -> anyhow::Result<Count> {
    let mut count = Count::default();
    let remedy = source.remedy();
    source.each(filter, true, |letter| {
        match line_of(&letter) {
            Ok((line, is_joined)) => {
                out.write_all(&line)?;
                writeln!(out)?;
                count.written += 1;
                count.joined += u64::from(is_joined);
            }
            Err(why) => {
                let why = match why {
                    Why::NotShown(problem) => format!("{problem}{remedy}"),
                    Why::NoLine(problem) => problem.to_owned(),
                };
                let (partition, offset) = (letter.partition, letter.offset);
                let reason = letter.reason.as_deref().unwrap_or("unknown");
                writeln!(
                    std::io::stderr(),
                    "left out {partition}:{offset} ({reason}): {why}"
                )?;
                count.left_out += 1;
            }
        }
        Ok(())
    })?;
    Ok(count)
}

/// Why a payload is left out.
#[derive(Debug, PartialEq, Eq)]
enum Why {
    /// What was kept of it cannot be read here.
    NotShown(String),
    /// It cannot be a line.
    NoLine(&'static str),
}

/// The line of a payload, and whether it was on several lines: those of a JSON document are joined, as white space
/// between its parts means nothing.
fn line_of(letter: &DeadLetterView) -> Result<(Vec<u8>, bool), Why> {
    if letter.payload_state == PayloadState::Cut {
        return Err(Why::NoLine("only its beginning was kept"));
    }
    let problem = letter
        .record
        .as_ref()
        .and_then(|record| record.problem.clone());
    if let Some(problem) = problem {
        return Err(Why::NotShown(problem));
    }
    let Some(payload) = letter.payload() else {
        return Err(Why::NoLine("its value is null"));
    };
    if std::str::from_utf8(&payload).is_err() {
        return Err(Why::NoLine("it is not UTF-8"));
    }
    if payload.first() == Some(&0) {
        return Err(Why::NoLine("it begins with the byte 0, as no JSON does"));
    }
    let is_line_end = |byte: &u8| matches!(*byte, b'\n' | b'\r');
    let is_blank = |byte: &u8| is_line_end(byte) || matches!(*byte, b' ' | b'\t');
    let from = payload.iter().position(|byte| !is_blank(byte));
    let to = payload.iter().rposition(|byte| !is_blank(byte));
    let (Some(from), Some(to)) = (from, to) else {
        return Err(Why::NoLine("it is empty"));
    };
    let trimmed = payload.get(from..=to).unwrap_or_default();
    if !trimmed.iter().any(is_line_end) {
        return Ok((trimmed.to_vec(), false));
    }
    if serde_json::from_slice::<IgnoredAny>(trimmed).is_err() {
        return Err(Why::NoLine("it has several lines and is no JSON document"));
    }
    let joined = trimmed.iter();
    let joined = joined.map(|byte| if is_line_end(byte) { b' ' } else { *byte });
    Ok((joined.collect(), true))
}

fn say(args: &Args, count: &Count) -> anyhow::Result<()> {
    let mut out = std::io::stderr();
    if count.written == 0 {
        let matching = if args.filter.is_any() {
            " that are as asked for"
        } else {
            ""
        };
        let file = args
            .out
            .as_ref()
            .map_or("", |_| ", and no file was written");
        writeln!(out, "there are no dead letters{matching} to export{file}")?;
        return Ok(());
    }
    let into = args
        .out
        .as_ref()
        .map_or_else(String::new, |path| format!(" to {}", path.display()));
    writeln!(
        out,
        "exported the payloads of {}{into}",
        letters(count.written)
    )?;
    if count.joined > 0 {
        let joined = count.joined;
        writeln!(out, "{joined} of them had several lines, which were joined")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;
    use crate::view::dead_letter::LetterRecord;

    fn made(value: Option<&[u8]>, encoding: Option<&str>) -> Result<(String, bool), Why> {
        let mut headers = vec![("reason".into(), Some(b"type".to_vec()))];
        let encoding = encoding.map(|name| ("value_encoding".into(), Some(name.into())));
        headers.extend(encoding);
        let letter = LetterRecord {
            partition: 0,
            offset: 0,
            timestamp: Timestamp::default(),
            key: None,
            value,
            headers: &headers,
        };
        let line = line_of(&DeadLetterView::shown(&letter, 100));
        line.map(|(line, is_joined)| (String::from_utf8(line).unwrap(), is_joined))
    }

    #[test]
    fn a_payload_is_a_line_or_is_left_out_with_the_reason() {
        for (value, line, is_joined) in [
            ("{\"a\": 1}", "{\"a\": 1}", false),
            // What a person may mend.
            ("{\"a\": 1", "{\"a\": 1", false),
            ("no JSON at all \u{1}", "no JSON at all \u{1}", false),
            (" {}\r\n", "{}", false),
            // No JSON has a form feed.
            ("{}\u{c}\n", "{}\u{c}", false),
            ("{\n  \"a\": \"b c\"\r\n}", "{   \"a\": \"b c\"  }", true),
        ] {
            let made = made(Some(value.as_bytes()), None);
            assert_eq!(made, Ok((line.to_owned(), is_joined)), "{value:?}");
        }
        let packed = zstd::bulk::compress(b"{}", 1).unwrap();
        assert_eq!(
            made(Some(&packed), Some("zstd")),
            Ok(("{}".to_owned(), false))
        );
        for (value, encoding, why) in [
            (None, None, "null"),
            (Some(&b""[..]), None, "empty"),
            (Some(b" \n"), None, "empty"),
            (Some(b"{}\n{}"), None, "several lines"),
            (Some(b"{\"a\":\n"), None, ""),
            (Some(b"a\rb"), None, "several lines"),
            (Some(b"\xff"), None, "UTF-8"),
            (Some(b"\0avro"), None, "byte 0"),
            (Some(b"{}"), Some("cut"), "beginning"),
            (Some(b"{}"), Some("zstd"), "decompressed"),
            (Some(&[b'a'; 101]), None, "more than the 100 bytes"),
        ] {
            let made = made(value, encoding);
            if why.is_empty() {
                // The line end stands at its end.
                assert_eq!(made, Ok(("{\"a\":".to_owned(), false)));
                continue;
            }
            let said = match made.unwrap_err() {
                Why::NotShown(problem) => problem,
                Why::NoLine(problem) => problem.to_owned(),
            };
            assert!(said.contains(why), "{said}");
        }
    }
}
