//! One worker's view of the cluster: a member of the group, a transactional producer, a reader of
//! changelogs, a reader of transfers, and a client that asks for the real ends of partitions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use rdkafka::error::KafkaError;

use crate::domain::ids::Partition;
use crate::domain::ids::Position;
use crate::domain::ids::Source;
use crate::domain::offsets::AppliedOffsets;
use crate::domain::time::Timestamp;
use crate::domain::topic::Topic;
use crate::log::ChangelogChunk;
use crate::log::Committed;
use crate::log::Delivery;
use crate::log::Error;
use crate::log::Outcome;
use crate::log::PartitionFacts;
use crate::log::PollLimit;
use crate::log::Polled;
use crate::log::Progress;
use crate::log::ProgressAnswer;
use crate::log::ReadBack;
use crate::log::SourceFacts;
use crate::log::SourceProgress;
use crate::log::Transaction;
use crate::log::WorkerLog;
use crate::log::kafka::absence::AbsenceWatch;
use crate::log::kafka::client::Connection;
use crate::log::kafka::client::Identity;
use crate::log::kafka::ends::EndsWatch;
use crate::log::kafka::fence::ChangelogFence;
use crate::log::kafka::member::Member;
use crate::log::kafka::metadata::MetadataClient;
use crate::log::kafka::places::position_in;
use crate::log::kafka::reader::TopicReader;
use crate::log::kafka::size_limits::SizeLimits;
use crate::log::kafka::takeover::Takeovers;
use crate::log::kafka::transactional_producer::TransactionalProducer;
use crate::log::kafka::transactional_producer::written;
use crate::log::kafka::transfer_reader::TransferReader;
use crate::log::kafka::undecided::Marks;
use crate::log::kafka::undecided::mark_of;
use crate::log::kafka::vacancy::VacancyWatch;

/// One worker's view.
#[derive(Debug)]
pub struct KafkaWorker {
    pub(super) connection: Arc<Connection>,
    identity: Identity,
    size_limits: SizeLimits,
    index: usize,
    // Dropped in this order: what is open, then the member.
    pub(super) producer: Option<TransactionalProducer>,
    pub(super) member: Member,
    transfers: Option<TransferReader>,
    ends: EndsWatch,
    pub(super) metadata_client: Arc<MetadataClient>,
    reader: TopicReader,
    is_restarted: bool,
    /// Ends of changelogs as of the last [`WorkerLog::facts`].
    changelog_ends: BTreeMap<Partition, u64>,
    fence: ChangelogFence,
    vacancy: VacancyWatch,
    pub(super) absence: AbsenceWatch,
    pub(super) takeovers: Takeovers,
    pub(super) marks: Marks,
    pub(super) decided: Option<Outcome>,
    /// Of the input.
    partition_count: u32,
}

impl KafkaWorker {
    pub(super) fn new(
        connection: Arc<Connection>,
        (identity, size_limits): (Identity, SizeLimits),
        (index, partition_count): (usize, u32),
    ) -> Result<Self, Error> {
        let failed = |error: KafkaError| connection.unusable(format!("no client: {error}"));
        let metadata_client = Arc::new(MetadataClient::new(&connection).map_err(failed)?);
        let ends = EndsWatch::start(&connection, &metadata_client)
            .map_err(|error| connection.unusable(format!("no thread: {error}")))?;
        Ok(Self {
            member: Member::new(&connection, index)?,
            transfers: TransferReader::new(&connection).map_err(failed)?,
            ends,
            metadata_client,
            reader: TopicReader::new(&connection, &connection.topics.state).map_err(failed)?,
            producer: None,
            connection,
            identity,
            size_limits,
            index,
            is_restarted: false,
            changelog_ends: BTreeMap::new(),
            fence: ChangelogFence::default(),
            vacancy: VacancyWatch::default(),
            absence: AbsenceWatch::new(Instant::now()),
            takeovers: Takeovers::default(),
            marks: Marks::default(),
            decided: None,
            partition_count,
        })
    }

    /// Makes the producer anew if the last one was destroyed; `false` if the cluster does not answer now.
    fn start_producer(&mut self) -> Result<bool, Error> {
        let known = self.producer.take();
        let producer = match known.filter(|one| !one.has_waited_too_long()) {
            Some(producer) => producer,
            None => TransactionalProducer::new(&self.connection, self.index, self.size_limits)?,
        };
        match self.producer.insert(producer).prepare() {
            Err(Error::Fenced) if self.may_return(Duration::ZERO) => {
                self.producer = None;
                Ok(false)
            }
            prepared => prepared,
        }
    }

    /// A limit may have been lowered. The next producer keeps its batches and the dead letters within it.
    pub(super) fn read_limits_again(&mut self) {
        match SizeLimits::of_outputs(&self.connection) {
            Ok(limits) if limits != self.size_limits => {
                self.size_limits = limits;
                self.producer = None;
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "cannot read the limits of the topics again"),
        }
    }

    /// Leaves the group and joins it again where it has left partitions without an owner.
    fn fill_vacancies(&mut self) -> Result<(), Error> {
        self.member.join_again()?;
        let now = Instant::now();
        if !self.vacancy.is_due(now) {
            return Ok(());
        }
        let group = self.metadata_client.group_assignment();
        let counts = (self.member.assigned().len(), self.partition_count);
        if self.vacancy.must_rejoin(&group, counts, now) {
            tracing::warn!("partitions have no owner in the group: leaving it and joining again");
            self.member.leave();
        }
        Ok(())
    }

    fn silence_transfers(&mut self, partitions: &[Partition]) -> Result<(), Error> {
        match &mut self.transfers {
            Some(transfers) => transfers.silence(partitions),
            None => Ok(()),
        }
    }

    fn read(&mut self, limit: PollLimit) -> Result<Vec<Delivery>, Error> {
        let mut deliveries = match &mut self.transfers {
            Some(transfers) => transfers.read(limit)?,
            None => Vec::new(),
        };
        self.member.read(limit, &mut deliveries)?;
        Ok(deliveries)
    }

    /// The next offset of a source to be delivered, of each partition.
    fn positions(&self, source: Source) -> Result<BTreeMap<Partition, u64>, Error> {
        match (source, &self.transfers) {
            (Source::Events, _) => self.member.positions(),
            (Source::Transfers, Some(transfers)) => transfers.positions(),
            (Source::Transfers, None) => Ok(BTreeMap::new()),
        }
    }
}

impl WorkerLog for KafkaWorker {
    fn poll(&mut self, limit: PollLimit) -> Result<Polled, Error> {
        if self.member.is_fenced() {
            let lost = self.member.join_anew()?;
            self.silence_transfers(&lost)?;
            return Ok(Polled::Lost(lost));
        }
        let left = self.member.hand_over()?;
        self.silence_transfers(&left)?;
        // Before a restart is answered: what was lost meanwhile must not be said to be assigned.
        if let Some(polled) = self.member.next_event()? {
            self.vacancy.heard(Instant::now());
            return Ok(polled);
        }
        self.fill_vacancies()?;
        self.miss_topics()?;
        // Before anything is read: it ends what an earlier holder of the id left open.
        if !self.start_producer()? {
            return Ok(Polled::Idle);
        }
        self.decide_last()?;
        let assigned = self.member.assigned();
        if std::mem::take(&mut self.is_restarted) && !assigned.is_empty() {
            return Ok(Polled::Assigned(assigned.iter().copied().collect()));
        }
        let deliveries = self.read(limit)?;
        Ok(if deliveries.is_empty() {
            Polled::Idle
        } else {
            Polled::Deliveries(deliveries)
        })
    }

    fn resume_at(&mut self, partition: Partition, offsets: AppliedOffsets) -> Result<(), Error> {
        if !self.member.assigned().contains(&partition) {
            let problem = format!("partition {partition} is not assigned");
            return Err(self.connection.unusable(problem));
        }
        if let Some(end) = self.changelog_ends.get(&partition) {
            self.fence.read_to(partition, *end);
        }
        self.member
            .resume_at(partition, offsets.next(Source::Events))?;
        match &mut self.transfers {
            Some(transfers) => transfers.resume_at(partition, offsets.next(Source::Transfers)),
            None => Ok(()),
        }
    }

    fn pause(&mut self, partition: Partition) {
        self.member.pause(partition);
        if let Err(error) = self.silence_transfers(&[partition]) {
            // What still comes does no harm: the worker takes deliveries of running partitions only, and this one
            // runs again only after a resumption, which silences it first.
            tracing::warn!(%error, partition = partition.0, "cannot pause transfers");
        }
    }

    fn commit(&mut self, transaction: &Transaction) -> Result<Vec<Committed>, Error> {
        transaction
            .check()
            .map_err(|problem| self.connection.unusable(problem))?;
        let Some(group) = self.member.group_metadata() else {
            return Err(self.connection.unusable("the consumer has no group"));
        };
        let Some(producer) = self.producer.as_mut().filter(|one| one.is_ready()) else {
            return Err(Error::Aborted);
        };
        let (begun, mark) = (Instant::now(), self.marks.next());
        match producer.commit(transaction, (group, &mark), &self.fence) {
            Ok(committed) => {
                self.absence.committed(Instant::now());
                for part in &transaction.partitions {
                    self.marks.read(part.partition, &mark);
                }
                for partition in written(transaction) {
                    let end = committed.iter().find(|end| end.partition == partition);
                    if let Some(end) = end {
                        self.fence.committed(partition, end.changelog_next);
                    }
                }
                Ok(committed)
            }
            Err(failure) => {
                let open_for = begun.elapsed();
                Err(self.failed(failure, transaction, (mark, open_for)))
            }
        }
    }

    fn facts(&mut self, partition: Partition) -> Result<Option<PartitionFacts>, Error> {
        // The group's offsets first: what they cover is below the ends that are asked for after them.
        let Some(group_offsets) = self.member.group_offsets(partition)? else {
            return Ok(None);
        };
        self.marks.read(partition, &mark_of(&group_offsets));
        let topics = &self.connection.topics;
        let watermarks = |topic: &str| self.metadata_client.watermarks(topic, partition);
        let Some((changelog_start, changelog_end)) = watermarks(&topics.state)? else {
            return Ok(None);
        };
        let mut sources = BTreeMap::new();
        for (source, topic) in topics.sources() {
            let Some((start, end)) = watermarks(topic)? else {
                return Ok(None);
            };
            let facts = SourceFacts {
                start,
                end,
                group_offset: position_in(&group_offsets, topic, partition),
            };
            sources.insert(source, facts);
        }
        self.changelog_ends.insert(partition, changelog_end);
        Ok(Some(PartitionFacts {
            lineage: self.identity.lineage.clone(),
            changelog_start,
            changelog_end,
            tombstones_kept: Some(self.identity.tombstones_kept),
            tombstones_from: 0,
            sources,
        }))
    }

    fn progress(
        &mut self,
        partitions: &[Partition],
        wall: Timestamp,
    ) -> Result<Option<ProgressAnswer>, Error> {
        let Some((asked_at, ends_of_sources)) = self.ends.ask(partitions, wall)? else {
            return Ok(None);
        };
        let mut partitions: BTreeMap<Partition, Progress> = BTreeMap::new();
        for (source, ends) in ends_of_sources {
            let positions = self.positions(source)?;
            for (partition, end) in ends {
                let position = positions.get(&partition).copied();
                let progress = partitions.entry(partition).or_default();
                progress.insert(source, SourceProgress { position, end });
            }
        }
        // A source whose end is not known may have more.
        let sources = self.connection.topics.sources().count();
        partitions.retain(|_, progress| progress.len() == sources);
        Ok(Some(ProgressAnswer {
            asked_at,
            partitions,
        }))
    }

    fn read_changelog(
        &mut self,
        partition: Partition,
        from: u64,
        records: usize,
    ) -> Result<ChangelogChunk, Error> {
        let end = self.changelog_ends.get(&partition).copied().unwrap_or(0);
        let place = (partition, from);
        self.reader
            .read_changelog(&self.connection, place, records, end)
    }

    fn read_back(&mut self, position: Position) -> Result<ReadBack, Error> {
        let topic = Topic::of_source(position.source);
        match self.connection.topics.name(topic) {
            Some(topic) => self.reader.read_back(&self.connection, topic, position),
            None => Ok(ReadBack::Unknown),
        }
    }

    fn restart(&mut self) {
        self.is_restarted = true;
    }

    fn decided(&mut self) -> Option<Outcome> {
        self.decided.take()
    }

    fn of_others(&mut self) -> Result<Option<BTreeMap<Partition, AppliedOffsets>>, Error> {
        self.committed_by_others()
    }
}
