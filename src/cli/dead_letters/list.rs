//! `segstream dead-letters list`.

use std::collections::BTreeMap;
use std::io::BufWriter;
use std::io::Write;

use crate::cli::dead_letters::filter::Filter;
use crate::cli::dead_letters::source::Read;
use crate::cli::dead_letters::source::Source;
use crate::config::settings::Settings;
use crate::view::dead_letter::DeadLetterView;
use crate::view::dead_letter::PayloadState;

/// Stands for a reason where segstream has not written the record.
const OTHER_WRITER: &str = "unknown";

/// The call of `list`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  segstream dead-letters list --since 2026-01-01T00:00:00Z")]
pub(super) struct Args {
    #[command(flatten)]
    filter: Filter,
    /// Print a JSON object a line.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, settings: &Settings) -> anyhow::Result<()> {
    args.filter.check()?;
    let mut source = Source::open(settings)?;
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut out = BufWriter::new(std::io::stdout().lock());
    let read = source.each(&args.filter, false, |letter| {
        if args.json {
            serde_json::to_writer(&mut out, &letter)?;
            writeln!(out)?;
        } else {
            writeln!(out, "{}", line(&letter))?;
        }
        let reason = letter.reason.unwrap_or_else(|| OTHER_WRITER.to_owned());
        *counts.entry(reason).or_default() += 1;
        Ok(())
    })?;
    out.flush()?;
    drop(out);
    writeln!(
        std::io::stderr(),
        "{}",
        summary(&args.filter, read, &counts)
    )?;
    Ok(())
}

/// Place, time, reason, source, size, and what is wrong.
fn line(letter: &DeadLetterView) -> String {
    let DeadLetterView {
        partition,
        offset,
        at,
        payload_state,
        ..
    } = letter;
    let reason = letter.reason.as_deref().unwrap_or(OTHER_WRITER);
    let source = letter.source.as_ref().map_or_else(
        || "from an unknown place".to_owned(),
        |source| format!("{} {}:{}", source.topic, source.partition, source.offset),
    );
    let detail = letter.detail.as_deref().unwrap_or_default();
    let size = size(letter);
    let state = payload_state.as_str();
    let line = format!("{partition}:{offset}  {at}  {reason}  {source}  {size}{state}  {detail}");
    line.trim_end().to_owned()
}

/// The size of a payload, with a comma behind it; nothing where there is none.
pub(super) fn size(letter: &DeadLetterView) -> String {
    match (letter.payload_state, letter.payload_bytes) {
        (PayloadState::Null, _) => String::new(),
        (_, 1) => "1 byte, ".to_owned(),
        (_, bytes) => format!("{bytes} bytes, "),
    }
}

/// The counts by reason.
fn summary(filter: &Filter, read: Read, counts: &BTreeMap<String, u64>) -> String {
    let each: Vec<String> = counts
        .iter()
        .map(|(reason, count)| format!("{count} {reason}"))
        .collect();
    let each = each.join(", ");
    match (letters(read.taken), read.taken) {
        (_, 0) if read.all > 0 => format!("none of {} is one of these", letters(read.all)),
        (_, 0) => "there are no dead letters".to_owned(),
        (shown, _) if read.is_cut => {
            format!("{shown}: {each}. --limit has ended the list; there may be more")
        }
        (shown, _) if filter.is_any() => format!("{shown} of {}: {each}", read.all),
        (shown, _) => format!("{shown}: {each}"),
    }
}

/// So many dead letters.
pub(super) fn letters(count: u64) -> String {
    match count {
        1 => "1 dead letter".to_owned(),
        count => format!("{count} dead letters"),
    }
}
