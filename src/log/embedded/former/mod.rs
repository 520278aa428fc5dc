//! The log as earlier versions had it: one sled database. It is read in full, checked, and written anew beside itself. Its
//! files stay as they are, except that an earlier version refuses them from then on.

mod check;
mod layout;
mod records;

use std::fs::File;
use std::fs::TryLockError;
use std::path::Path;
use std::path::PathBuf;

use crate::disk;
use crate::domain::ids::Partition;
use crate::domain::ids::Source;
use crate::log::Error;
use crate::log::OutputRecord;
use crate::log::embedded::acknowledged::read_number;
use crate::log::embedded::ends::Cursors;
use crate::log::embedded::ends::GroupOffsets;
use crate::log::embedded::ends::StateFacts;
use crate::log::embedded::ends::facts_bytes;
use crate::log::embedded::ends::facts_section;
use crate::log::embedded::ends::stream_of;
use crate::log::embedded::errors::damaged;
use crate::log::embedded::errors::failed;
use crate::log::embedded::errors::unusable;
use crate::log::embedded::former::check::check;
use crate::log::embedded::former::layout::Encoding;
use crate::log::embedded::former::layout::Ends;
use crate::log::embedded::former::layout::Kind as FormerKind;
use crate::log::embedded::former::layout::StoredState;
use crate::log::embedded::frame::Kind;
use crate::log::embedded::frame::Section;
use crate::log::embedded::frame::Stream;
use crate::log::embedded::identity;
use crate::log::embedded::identity::Identity;
use crate::log::embedded::options::LogOptions;
use crate::log::embedded::records::Content;
use crate::log::embedded::records::InputRecord;
use crate::log::embedded::records::Stored;
use crate::log::embedded::segments::Writer;

/// The database's own file.
const DATABASE: &str = "db";
/// Where the database keeps large values.
const BLOBS: &str = "blobs";
/// How many batches were acknowledged.
const WATERMARK: &str = "watermark";
/// Its name once the log is converted: without a watermark an earlier version refuses the database.
const RETIRED: &str = "watermark.converted";
/// A batch takes so much before it is compressed, and one record more.
const BATCH_BYTES: usize = 1 << 20;

/// Whether the former log kept a file under this name.
pub(super) fn is_a_name(name: &str) -> bool {
    [DATABASE, "conf", BLOBS, WATERMARK, RETIRED].contains(&name) || name.starts_with("snap.")
}

/// There is a log of the former kind.
pub(super) fn is_there(path: &Path) -> Result<bool, Error> {
    let (watermark, database) = (path.join(WATERMARK), path.join(DATABASE));
    let exists = |file: &Path| file.try_exists().map_err(|source| failed(file, source));
    match (exists(&watermark)?, exists(&database)?) {
        (true, true) => Ok(true),
        (false, false) => Ok(false),
        (false, true) => Err(damaged(path, "its watermark is missing")),
        // It was cut while it was made.
        (true, false) if read_watermark(path)? == 0 => Ok(false),
        (true, false) => Err(damaged(path, "its database is missing")),
    }
}

fn read_watermark(path: &Path) -> Result<u64, Error> {
    let watermark = path.join(WATERMARK);
    let bytes = std::fs::read(&watermark).map_err(|source| failed(&watermark, source))?;
    read_number(&bytes).ok_or_else(|| damaged(&watermark, "it is damaged"))
}

/// Copies a former log to a directory, where it can be opened: opening a database writes to it. The log stays as it is.
pub(super) fn copy_to_read(path: &Path, to: &Path) -> Result<(), Error> {
    let database = path.join(DATABASE);
    let held = File::open(&database).map_err(|source| failed(&database, source))?;
    match held.try_lock_shared() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(unusable(path, "another process holds it: stop it first"));
        }
        Err(TryLockError::Error(source)) => return Err(failed(&database, source)),
    }
    copy(path, to)
}

fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    disk::create_directory(to).map_err(|source| failed(to, source))?;
    let entries = std::fs::read_dir(from).map_err(|source| failed(from, source))?;
    for entry in entries {
        let entry = entry.map_err(|source| failed(from, source))?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if !is_a_name(&entry.file_name().to_string_lossy()) && !from.ends_with(BLOBS) {
            continue;
        }
        if path.is_dir() {
            copy(&path, &target)?;
        } else {
            std::fs::copy(&path, &target).map_err(|source| failed(&target, source))?;
        }
    }
    Ok(())
}

/// Makes earlier versions refuse a log that was converted, and closes what is left of it to other users.
pub(super) fn retire(path: &Path) -> Result<(), Error> {
    let watermark = path.join(WATERMARK);
    match std::fs::rename(&watermark, path.join(RETIRED)) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(&watermark, error)),
    }
    for entry in std::fs::read_dir(path).map_err(|source| failed(path, source))? {
        let entry = entry.map_err(|source| failed(path, source))?;
        if is_a_name(&entry.file_name().to_string_lossy()) {
            let kept = entry.path();
            disk::close_to_others(&kept).map_err(|source| failed(&kept, source))?;
        }
    }
    Ok(())
}

/// Reads the former log and writes it to a directory that does not exist yet.
pub(super) fn convert(path: &Path, to: &Path, options: &LogOptions) -> Result<(), Error> {
    let name = path.display().to_string();
    let durable = read_watermark(path)?;
    let database = check::open_database(path, &name)?;
    let former = check::caught(&name, || {
        check(&database, options.partitions, durable, &name)
    })?;
    tracing::warn!(path = %name, "converting the log; the files of the former one are kept beside it: see docs/RUNBOOK.md");
    let conversion = Conversion {
        path: path.to_owned(),
        database,
        ends: former.ends,
    };
    let writer = |part: &str| Writer::create(&to.join(part), options.segment_bytes);
    conversion.sources(&mut writer(identity::INPUT)?)?;
    let mut changes = writer(identity::CHANGES)?;
    conversion.outputs(&mut changes)?;
    conversion.state(&mut writer(identity::STATE)?, changes.number)?;
    let identity = Identity {
        partitions: former.meta.partitions,
        lineage: former.meta.lineage,
    };
    identity::write_identity(to, &identity)
}

struct Conversion {
    path: PathBuf,
    database: sled::Db,
    ends: Vec<Ends>,
}

impl Conversion {
    fn partitions(&self) -> impl Iterator<Item = (Partition, &Ends)> {
        (0..).map(Partition).zip(&self.ends)
    }

    fn sources(&self, writer: &mut Writer) -> Result<(), Error> {
        let mut cursors = Cursors::new();
        for entry in self.database.scan_prefix([FormerKind::Cursor as u8]) {
            let (key, bytes) = entry?;
            let line = layout::decode(Encoding::One, &bytes).ok_or_else(|| self.undecoded())?;
            let name = String::from_utf8(key.get(1..).unwrap_or_default().to_vec());
            cursors.insert(name.map_err(|_| self.undecoded())?, Some(line));
        }
        for (partition, _) in self.partitions() {
            for source in Source::ALL {
                let mut stream = Copied::new(self, writer, stream_of(source, partition));
                for entry in self.records(layout::kind_of(source), partition) {
                    let (_, bytes) = entry?;
                    let record = records::decode_input(&bytes);
                    let record: InputRecord = record.ok_or_else(|| self.undecoded())?;
                    stream.push(0, &Stored::from(&record))?;
                }
                stream.finish()?;
            }
        }
        self.finish(writer, facts_section(&cursors), facts_bytes(&cursors))
    }

    fn outputs(&self, writer: &mut Writer) -> Result<(), Error> {
        let kinds = [
            (FormerKind::Change, Kind::Change),
            (FormerKind::DeadLetter, Kind::DeadLetter),
        ];
        for (partition, _) in self.partitions() {
            for (former, kind) in kinds {
                self.copy_outputs(writer, former, Stream { kind, partition })?;
            }
        }
        self.finish(writer, None, Some(Vec::new()))
    }

    fn copy_outputs(
        &self,
        writer: &mut Writer,
        former: FormerKind,
        stream: Stream,
    ) -> Result<(), Error> {
        let mut copied = Copied::new(self, writer, stream);
        for entry in self.records(former, stream.partition) {
            let (_, bytes) = entry?;
            let record = records::decode_output(&bytes);
            let record: OutputRecord = record.ok_or_else(|| self.undecoded())?;
            copied.push(0, &Stored::from(&record))?;
        }
        copied.finish()
    }

    fn state(&self, writer: &mut Writer, changes_number: u64) -> Result<(), Error> {
        let mut facts = StateFacts {
            changes_number,
            ..StateFacts::default()
        };
        for (partition, ends) in self.partitions() {
            let groups = Source::ALL.into_iter();
            let groups = groups.filter_map(|source| Some((source, ends.group(source)?)));
            let group = groups.fold(GroupOffsets::default(), |group, (source, offset)| {
                group.with(source, offset)
            });
            facts.groups.insert(partition, group);
            let stream = |kind| Stream { kind, partition };
            self.copy_outputs(writer, FormerKind::Current, stream(Kind::Current))?;
            let mut copied = Copied::new(self, writer, stream(Kind::State));
            let mut next = 0;
            for entry in self.records(FormerKind::State, partition) {
                let (key, bytes) = entry?;
                let stored: Option<StoredState<'_>> = layout::decode(Encoding::One, &bytes);
                let (Some(offset), Some(stored)) = (layout::offset_of(&key), stored) else {
                    return Err(self.undecoded());
                };
                copied.push(offset - next, &Stored::state(stored.key, stored.value))?;
                next = offset + 1;
            }
            copied.finish()?;
        }
        self.finish(writer, facts_section(&facts), facts_bytes(&facts))
    }

    /// The records of a kind in a partition, in the order of their keys.
    fn records(&self, kind: FormerKind, partition: Partition) -> sled::Iter {
        self.database
            .scan_prefix(layout::partition_key(kind, partition))
    }

    /// Writes the facts, and makes everything durable.
    fn finish(
        &self,
        writer: &mut Writer,
        section: Option<Section>,
        facts: Option<Vec<u8>>,
    ) -> Result<(), Error> {
        let facts = facts.ok_or_else(|| self.undecoded())?;
        if let Some(section) = section {
            writer.write(vec![section])?;
        }
        if writer.is_full()? {
            writer.roll(facts)?;
        }
        writer.sync()?;
        writer.acknowledge()
    }

    fn undecoded(&self) -> Error {
        damaged(&self.path, "a record cannot be read")
    }
}

/// Records of a stream that are being written, by batches.
struct Copied<'a> {
    conversion: &'a Conversion,
    writer: &'a mut Writer,
    stream: Stream,
    content: Content,
}

impl<'a> Copied<'a> {
    fn new(conversion: &'a Conversion, writer: &'a mut Writer, stream: Stream) -> Self {
        Self {
            conversion,
            writer,
            stream,
            content: Content::default(),
        }
    }

    fn push(&mut self, gap: u64, record: &Stored<'_>) -> Result<(), Error> {
        let bytes = postcard::to_allocvec(record).ok();
        let pushed = bytes.and_then(|bytes| self.content.push_bytes(gap, &bytes));
        pushed.ok_or_else(|| self.conversion.undecoded())?;
        if self.content.bytes() >= BATCH_BYTES {
            self.write()?;
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), Error> {
        if self.writer.is_full()? {
            // The last batch has all facts, so those of the bases before it are not needed.
            self.writer.roll(Vec::new())?;
        }
        let content = std::mem::take(&mut self.content);
        let section = content.into_section(self.stream);
        let section = section.ok_or_else(|| {
            unusable(&self.conversion.path, "a record is too large to be written")
        })?;
        self.writer.write(vec![section])?;
        Ok(())
    }

    fn finish(mut self) -> Result<(), Error> {
        if self.content.is_empty() {
            return Ok(());
        }
        self.write()
    }
}
