//! What a worker does after a transaction that failed, and what it asks while the cluster may be away.

use std::collections::BTreeMap;
use std::time::Duration;
use std::time::Instant;

use crate::domain::ids::Partition;
use crate::domain::offsets::AppliedOffsets;
use crate::log::Error;
use crate::log::Outcome;
use crate::log::Transaction;
use crate::log::kafka::errors::Failure;
use crate::log::kafka::places::position_in;
use crate::log::kafka::undecided::mark_of;
use crate::log::kafka::worker::KafkaWorker;

impl KafkaWorker {
    /// What a failed transaction with this mark was, and whether the worker goes on.
    pub(super) fn failed(
        &mut self,
        failure: Failure,
        transaction: &Transaction,
        (mark, open_for): (String, Duration),
    ) -> Error {
        self.absence.failed();
        let is_aborted = match failure {
            Failure::Aborted { can_go_on: true } => return Error::Aborted,
            Failure::Aborted { can_go_on: false } => true,
            Failure::Refused(detail) => {
                self.read_limits_again();
                return Error::Refused { detail };
            }
            Failure::Unknown => false,
            Failure::Fenced { is_aborted } => {
                if !self.may_return(open_for) {
                    self.producer = None;
                    return Error::Fenced;
                }
                is_aborted
            }
            Failure::Broken(error) => {
                self.producer = None;
                return error;
            }
        };
        self.producer = None;
        if is_aborted {
            return Error::Aborted;
        }
        if self.marks.asks_for().is_some() {
            self.decided = Some(Outcome::Undetermined);
        }
        let partitions = transaction.partitions.iter().map(|part| part.partition);
        self.marks.lost(partitions, mark);
        Error::UnknownOutcome
    }

    /// Whether it makes another producer, given how long the transaction of the one that the broker has ended was open.
    pub(super) fn may_return(&mut self, open_for: Duration) -> bool {
        let timeout = self.connection.transaction_timeout;
        let quiet = 2 * timeout.max(self.connection.session_timeout);
        let was_open_too_long = open_for >= timeout;
        tracing::warn!(was_open_too_long, "the broker has ended the producer");
        self.takeovers
            .may_return(was_open_too_long, Instant::now(), quiet)
    }

    /// Asks the group what became of the last transaction whose outcome is not known.
    pub(super) fn decide_last(&mut self) -> Result<(), Error> {
        let Some(partition) = self.marks.asks_for() else {
            return Ok(());
        };
        let Some(offsets) = self.member.group_offsets(partition)? else {
            return Ok(());
        };
        self.decided = self.marks.decide(&mark_of(&offsets));
        Ok(())
    }

    /// Ends where the cluster says for long that a topic is not there.
    pub(super) fn miss_topics(&mut self) -> Result<(), Error> {
        if !self.absence.is_due(Instant::now()) {
            return Ok(());
        }
        let missing = self.metadata_client.missing_topics();
        let is_missing = missing.as_ref().map(|names| !names.is_empty());
        if !self.absence.answered(is_missing, Instant::now()) {
            return Ok(());
        }
        let names = missing.unwrap_or_default().join(", ");
        let problem = format!(
            "the cluster shows no topic {names} any more: was it deleted, or may this user not see it?"
        );
        Err(self.connection.unusable(problem))
    }

    /// The partitions that members of other instances have, each with the group's offsets.
    pub(super) fn committed_by_others(
        &self,
    ) -> Result<Option<BTreeMap<Partition, AppliedOffsets>>, Error> {
        let Some(partitions) = self.metadata_client.partitions_of_others() else {
            return Ok(None);
        };
        let mut committed = BTreeMap::new();
        for partition in partitions {
            let Some(offsets) = self.member.group_offsets(partition)? else {
                return Ok(None);
            };
            let mut all = AppliedOffsets::default();
            for (source, topic) in self.connection.topics.sources() {
                let next = position_in(&offsets, topic, partition);
                all = all.with(source, next.unwrap_or(0));
            }
            committed.insert(partition, all);
        }
        Ok(Some(committed))
    }
}
