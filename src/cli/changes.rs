//! `segstream state changes`: the published changes, from the topic, from the embedded log, or, beside an instance that
//! holds that log, from the instance.

use std::io::BufWriter;
use std::io::Write;

use crate::cli::compose::connection;
use crate::cli::reading::log;
use crate::cli::remote_changes::RemoteChanges;
use crate::config::bus::BusKind;
use crate::config::settings::Settings;
use crate::domain::ids::Partition;
use crate::log::Error;
use crate::log::changes::ChangesReader;
use crate::log::kafka::KafkaChanges;
use crate::store::directory::Holder;
use crate::store::directory::StoreDirectory;

/// Changes read at a time.
const CHUNK_CHANGES: usize = 1000;

/// Writes all changes, JSON Lines by partition and offset.
///
/// # Errors
/// If they cannot be read or written.
pub fn run(settings: &Settings) -> anyhow::Result<()> {
    let mut log = open(settings)?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    for partition in (0..log.partitions()).map(Partition) {
        let (mut from, mut end) = (0, None);
        loop {
            let chunk = log.read_changes(partition, from, CHUNK_CHANGES)?;
            for change in &chunk.changes {
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

fn open(settings: &Settings) -> anyhow::Result<Box<dyn ChangesReader>> {
    if settings.bus == BusKind::Kafka {
        let log = KafkaChanges::open(connection(settings, "state-changes"))?;
        return Ok(Box::new(log));
    }
    match StoreDirectory::holder(&settings.store.directory)? {
        Holder::None => Ok(Box::new(log(settings)?)),
        Holder::Instance {
            http_address: Some(address),
        } => Ok(Box::new(RemoteChanges::open(address, &settings.http)?)),
        Holder::Instance { http_address: None } => Err(Error::Unusable {
            path: settings.store.directory.display().to_string(),
            problem: "a running command holds it and does not answer HTTP: wait until it has ended, or start the \
                      service with http.address"
                .to_owned(),
        }
        .into()),
    }
}
