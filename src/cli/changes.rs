//! `segstream state changes`: the published changes, from the topic, from the embedded log, or, beside an instance that
//! holds that log, from the instance.

use std::io::BufWriter;
use std::io::Write;

use crate::cli::outputs::Place;
use crate::cli::outputs::place;
use crate::cli::remote_changes::RemoteChanges;
use crate::config::settings::Settings;
use crate::domain::ids::Partition;
use crate::log::outputs::OutputKind;
use crate::log::outputs::OutputReader;
use crate::log::outputs::ReadLimit;

/// Changes read at a time.
const CHUNK_CHANGES: usize = 1000;

/// Writes all changes, JSON Lines by partition and offset.
///
/// # Errors
/// If they cannot be read or written.
pub fn run(settings: &Settings) -> anyhow::Result<()> {
    let mut log: Box<dyn OutputReader> =
        match place(settings, OutputKind::Changes, "state-changes")? {
            Place::Log(log) => log,
            Place::Instance(instance) => Box::new(RemoteChanges::open(instance)?),
        };
    let limit = ReadLimit::of_records(CHUNK_CHANGES);
    let mut out = BufWriter::new(std::io::stdout().lock());
    for partition in (0..log.partitions()).map(Partition) {
        let (mut from, mut end) = (0, None);
        loop {
            let chunk = log.read(partition, from, limit)?;
            for change in &chunk.records {
                out.write_all(change.record.value.as_deref().unwrap_or_default())?;
                writeln!(out)?;
            }
            from = chunk.offset_next;
            // Up to the end as of the first question, so that a busy log does not hold the command for ever.
            if from >= *end.get_or_insert(chunk.end) {
                break;
            }
        }
    }
    out.flush()?;
    Ok(())
}
