//! One transaction at a time: begun, sent, drained, given its offsets and committed in one call.

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use rdkafka::TopicPartitionList;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::KafkaError;
use rdkafka::error::KafkaResult;
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::BaseRecord;
use rdkafka::producer::Producer;
use rdkafka::producer::ThreadedProducer;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::util::Timeout;

use crate::domain::ids::Partition;
use crate::domain::topic::Topic;
use crate::log::Committed;
use crate::log::Error;
use crate::log::Output;
use crate::log::Transaction;
use crate::log::kafka::bounded_calls::BoundedCalls;
use crate::log::kafka::client::Connection;
use crate::log::kafka::errors::Call;
use crate::log::kafka::errors::FENCED;
use crate::log::kafka::errors::Failure;
use crate::log::kafka::errors::Remedy;
use crate::log::kafka::errors::remedy;
use crate::log::kafka::fence::ChangelogFence;
use crate::log::kafka::places::number;
use crate::log::kafka::places::offset;
use crate::log::kafka::records;
use crate::log::kafka::reports::Context;
use crate::log::kafka::reports::Reports;
use crate::log::kafka::size_limits::SizeLimits;

/// Between two tries of what the client cannot take or answer now.
const RETRY_PAUSE: Duration = Duration::from_micros(300);
/// Between two looks at the client's own count, whatever was acknowledged.
const DRAIN_LOOK_MAX: Duration = Duration::from_millis(20);
/// The client counts a record as in flight until it has freed the report of it.
const FREED_PAUSE: Duration = Duration::from_micros(100);
/// A new producer waits for the coordinator this long at a time.
const INIT_WAIT: Duration = Duration::from_secs(2);
/// One that has no id after so long is given up: requests of the client end after a minute, so none of it is left.
const INIT_PATIENCE: Duration = Duration::from_secs(90);

/// A call at the deadline itself still gets a moment.
const CALL_WAIT_MIN: Duration = Duration::from_millis(100);
/// A call that has not returned so long after its own limit is given up.
const RETURN_GRACE: Duration = Duration::from_secs(2);

type Client = ThreadedProducer<Context>;

/// A transactional producer; it holds its id once it is ready.
pub(super) struct TransactionalProducer {
    connection: Arc<Connection>,
    size_limits: SizeLimits,
    calls: BoundedCalls<Client>,
    reports: Arc<Reports>,
    made_at: Instant,
    is_ready: bool,
}

impl std::fmt::Debug for TransactionalProducer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("TransactionalProducer")
            .finish_non_exhaustive()
    }
}

impl TransactionalProducer {
    /// A producer that is not ready yet.
    pub(super) fn new(
        connection: &Arc<Connection>,
        worker: usize,
        size_limits: SizeLimits,
    ) -> Result<Self, Error> {
        let reports = Arc::new(Reports::default());
        let context = Context::new(&connection.topics.state, &reports);
        let mut config = connection.transactional(worker);
        size_limits.bound(&mut config);
        let client = Client::from_config_and_context(&config, context)
            .map_err(|error| connection.unusable(format!("kafka.security is wrong: {error}")))?;
        let calls = BoundedCalls::new(client)
            .map_err(|error| connection.unusable(format!("no thread: {error}")))?;
        Ok(Self {
            connection: Arc::clone(connection),
            size_limits,
            calls,
            reports,
            made_at: Instant::now(),
            is_ready: false,
        })
    }

    /// Takes the worker's transactional id: the broker ends what an earlier holder left open, and fences that holder.
    /// `false` if the cluster does not answer now. The producer is kept meanwhile: the request of one that was given up
    /// may arrive late, and would fence its successor.
    pub(super) fn prepare(&mut self) -> Result<bool, Error> {
        if self.is_ready {
            return Ok(true);
        }
        let limit = INIT_WAIT + RETURN_GRACE;
        let init = |client: &Client| client.init_transactions(Timeout::After(INIT_WAIT));
        let Some(result) = self.calls.call(limit, init) else {
            std::thread::park_timeout(INIT_WAIT);
            return Ok(false);
        };
        let Err(error) = result else {
            self.is_ready = true;
            return Ok(true);
        };
        tracing::warn!(%error, "no producer id yet");
        match remedy(Call::Init, &error) {
            Remedy::Retry => Ok(false),
            Remedy::Fenced => Err(Error::Fenced),
            Remedy::Abort | Remedy::Refused | Remedy::Unknown | Remedy::Fatal => {
                let problem = format!("no transactions: {error}");
                Err(self.connection.unusable(problem))
            }
        }
    }

    /// Whether it does not hold the id after a time in which it should.
    pub(super) fn has_waited_too_long(&self) -> bool {
        !self.is_ready && self.made_at.elapsed() >= INIT_PATIENCE
    }

    /// Whether it holds the id.
    pub(super) fn is_ready(&self) -> bool {
        self.is_ready
    }

    /// Sends and commits. `group` is the membership as of now, which fences the offsets, and they carry the mark; `fence`
    /// has the places from which the changelogs must go on.
    pub(super) fn commit(
        &mut self,
        transaction: &Transaction,
        (group, mark): (ConsumerGroupMetadata, &str),
        fence: &ChangelogFence,
    ) -> Result<Vec<Committed>, Failure> {
        self.reports.clear();
        let begun = self.calls.client().begin_transaction();
        begun.map_err(|error| self.failed(Call::Send, &error))?;
        tracing::trace!("transaction begun");
        let deadline = Instant::now() + self.connection.transaction_timeout;
        self.send_all(transaction, deadline)
            .and_then(|records| self.drain(records, deadline))
            .map_err(|error| self.failed(Call::Send, &error))?;
        self.check(transaction, fence)?;
        let offsets = self
            .offsets(transaction, mark)
            .map_err(|error| self.failed(Call::Offsets, &error))?;
        self.retry(Call::Offsets, deadline, move |client, limit| {
            client.send_offsets_to_transaction(&offsets, &group, limit)
        })?;
        // Only the time that the transaction itself has left is safe for a commit. Without a limit the client waits
        // for the broker's answer as long as it takes.
        self.retry(Call::Commit, deadline, Client::commit_transaction)?;
        Ok(self.committed(transaction))
    }

    /// Calls again while that is what the error asks for.
    fn retry(
        &mut self,
        call: Call,
        deadline: Instant,
        act: impl Fn(&Client, Timeout) -> KafkaResult<()> + Send + Sync + 'static,
    ) -> Result<(), Failure> {
        let act = Arc::new(act);
        loop {
            let Some(result) = self.call(deadline, &act) else {
                return Err(given_up(call));
            };
            let Err(error) = result else { return Ok(()) };
            let is_late = Instant::now() >= deadline;
            if is_late || remedy(call, &error) != Remedy::Retry {
                return Err(self.failed(call, &error));
            }
            std::thread::park_timeout(RETRY_PAUSE);
        }
    }

    /// A call with the time that is left; `None` if it does not return.
    fn call(
        &mut self,
        deadline: Instant,
        act: &Arc<impl Fn(&Client, Timeout) -> KafkaResult<()> + Send + Sync + 'static>,
    ) -> Option<KafkaResult<()>> {
        let left = deadline.saturating_duration_since(Instant::now());
        let limit = left.max(CALL_WAIT_MIN);
        let act = Arc::clone(act);
        self.calls.call(limit + RETURN_GRACE, move |client| {
            act(client, Timeout::After(limit))
        })
    }

    /// The number of records that were sent.
    fn send_all(&self, transaction: &Transaction, deadline: Instant) -> KafkaResult<usize> {
        let mut records = transaction.outputs.len();
        let topics = &self.connection.topics;
        // Headers are many small pieces of memory: those of a record in two topics are made once, and copied whole.
        let mut copied: Option<OwnedHeaders> = None;
        let mut outputs = transaction.outputs.iter().peekable();
        while let Some(output) = outputs.next() {
            let name = topics.name(output.topic).unwrap_or_default();
            if output.topic == Topic::DeadLetters {
                let letter = self.size_limits.fitted(&output.record);
                self.send(
                    records::of_output(name, &letter, records::headers(&letter)),
                    deadline,
                )?;
                continue;
            }
            let headers = copied
                .take()
                .unwrap_or_else(|| records::headers(&output.record));
            let is_in_next = |next: &&Output| Arc::ptr_eq(&next.record, &output.record);
            if outputs.peek().is_some_and(is_in_next) {
                copied = Some(headers.clone());
            }
            self.send(records::of_output(name, &output.record, headers), deadline)?;
        }
        for part in &transaction.partitions {
            records += part.state.len();
            for record in &part.state {
                let update = records::of_state(&topics.state, part.partition, record);
                self.send(update, deadline)?;
            }
        }
        Ok(records)
    }

    fn send(
        &self,
        mut record: BaseRecord<'_, [u8], [u8], ()>,
        deadline: Instant,
    ) -> KafkaResult<()> {
        loop {
            match self.calls.client().send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), refused))
                    if Instant::now() < deadline =>
                {
                    record = refused;
                    std::thread::park_timeout(RETRY_PAUSE);
                }
                Err((error, refused)) => {
                    self.reports.not_sent(error.clone(), refused.topic);
                    return Err(error);
                }
            }
        }
    }

    /// Waits until every record is acknowledged: a commit with something in flight takes 100 ms longer.
    fn drain(&self, records: usize, deadline: Instant) -> KafkaResult<()> {
        while self.calls.client().in_flight_count() > 0 {
            if Instant::now() >= deadline {
                return Err(KafkaError::Flush(RDKafkaErrorCode::OperationTimedOut));
            }
            if self.reports.wait_for(records, DRAIN_LOOK_MAX) {
                std::thread::park_timeout(FREED_PAUSE);
            }
        }
        match self.reports.failure() {
            Some((error, _)) => Err(error),
            None => Ok(()),
        }
    }

    fn offsets(&self, transaction: &Transaction, mark: &str) -> KafkaResult<TopicPartitionList> {
        let mut offsets = TopicPartitionList::with_capacity(transaction.partitions.len());
        for part in &transaction.partitions {
            for (source, topic) in self.connection.topics.sources() {
                let next = offset(part.offsets.next(source));
                let mut element = offsets.add_partition(topic, number(part.partition));
                element.set_offset(next)?;
                element.set_metadata(mark);
            }
        }
        Ok(offsets)
    }

    /// Aborts where another worker has written to a changelog since this one read it.
    fn check(&mut self, transaction: &Transaction, fence: &ChangelogFence) -> Result<(), Failure> {
        let first_of = |partition: Partition| self.reports.changelog_range(partition)?.0;
        let mut partitions = written(transaction);
        let Some(partition) = partitions.find(|one| !fence.admits(*one, first_of(*one))) else {
            return Ok(());
        };
        tracing::warn!(
            partition = partition.0,
            "another worker has written to the changelog: the transaction is aborted, and the state is read again"
        );
        Err(self.aborted())
    }

    fn committed(&self, transaction: &Transaction) -> Vec<Committed> {
        let next_of = |partition: Partition| Some(self.reports.changelog_range(partition)?.1);
        let partitions = transaction.partitions.iter().map(|part| part.partition);
        partitions
            .map(|partition| Committed {
                partition,
                changelog_next: next_of(partition).unwrap_or(0),
            })
            .collect()
    }

    /// Ends a transaction that did not commit, and says what is left.
    fn failed(&mut self, call: Call, error: &KafkaError) -> Failure {
        let remedy = remedy(call, error);
        tracing::warn!(%error, ?call, ?remedy, "a transaction failed");
        match remedy {
            // A commit may have been asked for twice, and the first one have taken effect.
            _ if remedy == Remedy::Fenced || self.is_fenced() => Failure::Fenced {
                is_aborted: call != Call::Commit,
            },
            Remedy::Fenced | Remedy::Unknown => Failure::Unknown,
            Remedy::Retry if call == Call::Commit => Failure::Unknown,
            Remedy::Fatal => {
                self.abort();
                Failure::Broken(self.connection.unusable(format!("{error}")))
            }
            Remedy::Refused => {
                let aborted = self.aborted();
                if matches!(aborted, Failure::Aborted { can_go_on: true }) {
                    Failure::Refused(self.reports.refusal(error))
                } else {
                    aborted
                }
            }
            Remedy::Abort | Remedy::Retry => self.aborted(),
        }
    }

    /// Without a commit that was asked for, no part takes effect, also where the broker does not take the abort.
    fn aborted(&mut self) -> Failure {
        let can_go_on = self.abort();
        if !can_go_on && self.is_fenced() {
            return Failure::Fenced { is_aborted: true };
        }
        Failure::Aborted { can_go_on }
    }

    /// The records of a producer that the broker has ended may come back with another error.
    fn is_fenced(&self) -> bool {
        let cause = self.calls.client().client().fatal_error();
        cause.is_some_and(|(code, _)| FENCED.contains(&code))
    }

    /// Whether the client can go on.
    fn abort(&mut self) -> bool {
        let deadline = Instant::now() + self.connection.transaction_timeout;
        let act = Arc::new(Client::abort_transaction);
        loop {
            let Some(result) = self.call(deadline, &act) else {
                return false;
            };
            let Err(error) = result else { return true };
            let is_late = Instant::now() >= deadline;
            if is_late || remedy(Call::Abort, &error) != Remedy::Retry {
                return false;
            }
        }
    }
}

/// A call of a transaction did not return, and its client is given up. The broker aborts the transaction when its time is
/// over, and before that when another producer takes the id.
fn given_up(call: Call) -> Failure {
    tracing::warn!(
        ?call,
        "the Kafka client does not return from a call: it is replaced"
    );
    match call {
        Call::Commit => Failure::Unknown,
        Call::Init | Call::Send | Call::Offsets | Call::Abort => {
            Failure::Aborted { can_go_on: false }
        }
    }
}

/// The partitions to whose changelogs a transaction writes.
pub(super) fn written(transaction: &Transaction) -> impl Iterator<Item = Partition> {
    let parts = transaction.partitions.iter();
    let parts = parts.filter(|part| !part.state.is_empty());
    parts.map(|part| part.partition)
}
