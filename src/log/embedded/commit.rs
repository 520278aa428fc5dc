//! Committing a transaction: changes and dead letters are written and synced, then the state that they belong to.

use std::collections::BTreeMap;

use crate::domain::ids::Source;
use crate::domain::topic::Topic;
use crate::faults::FaultPoint;
use crate::log::Committed;
use crate::log::Error;
use crate::log::PartitionCommit;
use crate::log::Transaction;
use crate::log::embedded::ends::StateFacts;
use crate::log::embedded::ends::facts_bytes;
use crate::log::embedded::ends::facts_section;
use crate::log::embedded::frame::Kind;
use crate::log::embedded::frame::Section;
use crate::log::embedded::frame::Stream;
use crate::log::embedded::handle::EmbeddedLog;
use crate::log::embedded::handle::Outputs;
use crate::log::embedded::records::Content;
use crate::log::embedded::records::Stored;

/// The records of a batch by stream.
type Contents = BTreeMap<Stream, Content>;

/// What a transaction writes.
struct Staged {
    changes: Vec<Section>,
    state: Vec<Section>,
}

impl EmbeddedLog {
    /// Writes a transaction, all or nothing.
    pub(super) fn commit(&self, transaction: &Transaction) -> Result<Vec<Committed>, Error> {
        let inner = &*self.0;
        transaction
            .check()
            .map_err(|problem| self.unusable(&problem))?;
        // What takes time is done before the lock is taken.
        let staged = self.stage(transaction)?;
        let mut outputs = self.lock_outputs();
        let groups = self.groups(&outputs, &transaction.partitions)?;
        self.make_room_for_outputs(&mut outputs)?;
        self.write(&mut outputs, staged, groups)?;
        let written = inner.faults.cross(FaultPoint::CommitBeforeFlush);
        let written = written.map_err(Error::from);
        let durable = written.and_then(|()| {
            outputs.changes.sync()?;
            outputs.state.sync()?;
            outputs.changes.acknowledge()?;
            outputs.state.acknowledge()
        });
        // A batch that is written may survive. Unless nothing can be written after it, readers see it.
        if inner.doubt.check(&inner.path).is_ok() {
            self.publish_outputs(&outputs);
        }
        durable?;
        inner.faults.cross(FaultPoint::CommitAfterFlush)?;
        let committed = transaction.partitions.iter().map(|part| {
            let stream = Stream {
                kind: Kind::State,
                partition: part.partition,
            };
            Committed {
                partition: part.partition,
                changelog_next: outputs.state.end(stream),
            }
        });
        Ok(committed.collect())
    }

    fn stage(&self, transaction: &Transaction) -> Result<Staged, Error> {
        let (mut changes, mut state) = (Contents::new(), Contents::new());
        for output in &transaction.outputs {
            let record = &*output.record;
            let (contents, kind) = match output.topic {
                Topic::Changes => (&mut changes, Kind::Change),
                Topic::DeadLetters => (&mut changes, Kind::DeadLetter),
                Topic::Current => (&mut state, Kind::Current),
                Topic::Input | Topic::Transfers | Topic::State => {
                    let setting = output.topic.row().setting;
                    let problem = format!("this log has no place for an output of {setting}");
                    return Err(self.unusable(&problem));
                }
            };
            let partition = self.partition_of(record.key.as_deref(), record.value.as_deref());
            let content = contents.entry(Stream { kind, partition }).or_default();
            let pushed = content.push(&Stored::from(record));
            pushed.ok_or_else(|| self.too_large())?;
        }
        for part in &transaction.partitions {
            let stream = Stream {
                kind: Kind::State,
                partition: part.partition,
            };
            for record in &part.state {
                let content = state.entry(stream).or_default();
                let stored = Stored::state(&record.key, record.value.as_deref());
                content.push(&stored).ok_or_else(|| self.too_large())?;
            }
        }
        let sections = |contents: Contents| {
            let contents = contents.into_iter();
            let sections = contents.map(|(stream, content)| content.into_section(stream));
            let sections: Option<Vec<Section>> = sections.collect();
            sections.ok_or_else(|| self.too_large())
        };
        Ok(Staged {
            changes: sections(changes)?,
            state: sections(state)?,
        })
    }

    /// The group's offsets after a transaction.
    fn groups(&self, outputs: &Outputs, parts: &[PartitionCommit]) -> Result<StateFacts, Error> {
        let mut facts = StateFacts::default();
        for part in parts {
            if part.partition.0 >= self.partitions() {
                let problem = "a record is for a partition that the log does not have";
                return Err(self.unusable(problem));
            }
            let ends = self.ends_of(part.partition).sources;
            let mut group = outputs.facts.groups.get(&part.partition).copied();
            for source in Source::ALL {
                let offset = part.offsets.next(source);
                let known = group.and_then(|group| group.of(source));
                if known.is_some_and(|known| offset < known) || offset > ends.next(source) {
                    let problem = "a transaction's offset is behind the group or past the end";
                    return Err(self.unusable(problem));
                }
                group = Some(group.unwrap_or_default().with(source, offset));
            }
            facts
                .groups
                .extend(group.map(|group| (part.partition, group)));
        }
        Ok(facts)
    }

    fn write(
        &self,
        outputs: &mut Outputs,
        staged: Staged,
        mut facts: StateFacts,
    ) -> Result<(), Error> {
        let undo = if staged.changes.is_empty() {
            None
        } else {
            Some(outputs.changes.write(staged.changes)?)
        };
        facts.changes_number = outputs.changes.number;
        let mut sections = staged.state;
        let written = match facts_section(&facts) {
            Some(section) => {
                sections.push(section);
                outputs.state.write(sections)
            }
            None => Err(self.too_large()),
        };
        if let Err(error) = written {
            if let Some(undo) = undo {
                outputs.changes.undo(undo)?;
            }
            return Err(error);
        }
        outputs.facts.extend(facts);
        Ok(())
    }

    /// Begins other segments where one is full.
    fn make_room_for_outputs(&self, outputs: &mut Outputs) -> Result<(), Error> {
        if outputs.changes.is_full()? {
            outputs.changes.roll(Vec::new())?;
        }
        if outputs.state.is_full()? {
            let facts = facts_bytes(&outputs.facts).ok_or_else(|| self.too_large())?;
            outputs.state.roll(facts)?;
        }
        Ok(())
    }
}
