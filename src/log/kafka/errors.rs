//! What an error of a transactional call means: one table, one row an outcome.

use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;

use crate::log::Error;

/// A transactional call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// Getting a producer id, which also ends what an earlier producer of the same id left open.
    Init,
    /// Beginning a transaction, sending a record, or its delivery.
    Send,
    /// Adding the offsets.
    Offsets,
    /// Ending the transaction with a commit.
    Commit,
    /// Ending it with an abort.
    Abort,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remedy {
    /// The same call again, with the same arguments.
    Retry,
    /// No part took effect: abort, and go back to the checkpoint.
    Abort,
    /// It may have taken effect: destroy the producer, and go back to the checkpoint.
    Unknown,
    /// No part took effect, and a record is to blame: abort, and find it.
    Refused,
    /// The broker has ended the producer: [`super::takeover`] decides whether the worker makes another one.
    Fenced,
    /// A person must act.
    Fatal,
}

/// How a transaction failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// No part took effect. If the producer cannot go on, it must be destroyed.
    Aborted { can_go_on: bool },
    /// No part took effect, and the fault is one record's: what it is. The producer can go on.
    Refused(String),
    /// It may have taken effect: the producer must be destroyed.
    Unknown,
    /// The broker has ended the producer, which must be destroyed.
    Fenced { is_aborted: bool },
    /// The worker cannot go on.
    Broken(Error),
}

/// Codes that say that the broker has ended the producer: another instance works under the same id, or a transaction was
/// open for too long.
pub(super) const FENCED: [RDKafkaErrorCode; 3] = [
    RDKafkaErrorCode::Fenced,
    RDKafkaErrorCode::ProducerFenced,
    RDKafkaErrorCode::InvalidProducerEpoch,
];

/// Codes of a record that is too large or invalid, whatever else is sent with it.
const REFUSED: [RDKafkaErrorCode; 3] = [
    RDKafkaErrorCode::MessageSizeTooLarge,
    RDKafkaErrorCode::InvalidMessageSize,
    RDKafkaErrorCode::InvalidRecord,
];

/// Codes of errors that a repetition meets again.
const HOPELESS: [RDKafkaErrorCode; 4] = [
    RDKafkaErrorCode::TopicAuthorizationFailed,
    RDKafkaErrorCode::GroupAuthorizationFailed,
    RDKafkaErrorCode::ClusterAuthorizationFailed,
    RDKafkaErrorCode::TransactionalIdAuthorizationFailed,
];

/// Codes of a member that is no longer in the group: its partitions are another member's.
/// A static member also gets the last one where its session ended while the process did not run. Where the
/// id is really used twice, the consumer gets an error of its own.
const LEFT_BEHIND: [RDKafkaErrorCode; 4] = [
    RDKafkaErrorCode::IllegalGeneration,
    RDKafkaErrorCode::UnknownMemberId,
    RDKafkaErrorCode::RebalanceInProgress,
    RDKafkaErrorCode::FencedInstanceId,
];

/// What an error of a call means.
pub(super) fn remedy(call: Call, error: &KafkaError) -> Remedy {
    if let KafkaError::Transaction(cause) = error {
        let facts = Facts {
            code: cause.code(),
            is_fatal: cause.is_fatal(),
            is_retriable: cause.is_retriable(),
            requires_abort: cause.txn_requires_abort(),
        };
        return of_transaction(call, facts);
    }
    // The client's own flush comes before the request that ends a transaction.
    if matches!(error, KafkaError::Flush(_)) {
        return Remedy::Abort;
    }
    of_code(call, error.rdkafka_error_code())
}

/// What librdkafka says of an error.
#[derive(Clone, Copy, Debug)]
struct Facts {
    code: RDKafkaErrorCode,
    is_fatal: bool,
    is_retriable: bool,
    requires_abort: bool,
}

fn of_transaction(call: Call, facts: Facts) -> Remedy {
    if call == Call::Offsets && LEFT_BEHIND.contains(&facts.code) {
        return Remedy::Abort;
    }
    if FENCED.contains(&facts.code) {
        return Remedy::Fenced;
    }
    if facts.is_retriable {
        return Remedy::Retry;
    }
    match call {
        // An abort that is asked for may follow a commit that took effect.
        Call::Commit | Call::Abort => Remedy::Unknown,
        Call::Init | Call::Send | Call::Offsets if HOPELESS.contains(&facts.code) => Remedy::Fatal,
        Call::Send | Call::Offsets if facts.requires_abort => Remedy::Abort,
        Call::Init | Call::Send | Call::Offsets if facts.is_fatal => Remedy::Unknown,
        Call::Init | Call::Send | Call::Offsets => Remedy::Fatal,
    }
}

/// A record that could not be sent or delivered.
fn of_code(call: Call, code: Option<RDKafkaErrorCode>) -> Remedy {
    match code {
        Some(code) if FENCED.contains(&code) => Remedy::Fenced,
        Some(code) if call == Call::Send && REFUSED.contains(&code) => Remedy::Refused,
        Some(code) if HOPELESS.contains(&code) => Remedy::Fatal,
        Some(_) | None if call == Call::Commit => Remedy::Unknown,
        Some(_) | None => Remedy::Abort,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Facts = Facts {
        code: RDKafkaErrorCode::Fail,
        is_fatal: false,
        is_retriable: false,
        requires_abort: false,
    };

    /// The expected remedies follow from ARCHITECTURE.md, Order, and from librdkafka's own classes.
    #[test]
    fn each_row_of_the_table_has_its_remedy() {
        let code = |code| Facts { code, ..PLAIN };
        let retriable = Facts {
            is_retriable: true,
            ..PLAIN
        };
        let abort = Facts {
            requires_abort: true,
            ..PLAIN
        };
        let fatal = Facts {
            is_fatal: true,
            ..PLAIN
        };
        for (call, facts, expected) in [
            (Call::Init, retriable, Remedy::Retry),
            (Call::Commit, retriable, Remedy::Retry),
            (Call::Offsets, abort, Remedy::Abort),
            (Call::Send, abort, Remedy::Abort),
            (Call::Commit, abort, Remedy::Unknown),
            (Call::Commit, fatal, Remedy::Unknown),
            (Call::Commit, PLAIN, Remedy::Unknown),
            (Call::Abort, fatal, Remedy::Unknown),
            (Call::Send, fatal, Remedy::Unknown),
            (Call::Init, PLAIN, Remedy::Fatal),
            (
                Call::Offsets,
                code(RDKafkaErrorCode::IllegalGeneration),
                Remedy::Abort,
            ),
            (
                Call::Offsets,
                code(RDKafkaErrorCode::UnknownMemberId),
                Remedy::Abort,
            ),
            (
                Call::Offsets,
                code(RDKafkaErrorCode::GroupAuthorizationFailed),
                Remedy::Fatal,
            ),
            (
                Call::Offsets,
                code(RDKafkaErrorCode::FencedInstanceId),
                Remedy::Abort,
            ),
            (Call::Commit, code(RDKafkaErrorCode::Fenced), Remedy::Fenced),
            (
                Call::Init,
                code(RDKafkaErrorCode::TransactionalIdAuthorizationFailed),
                Remedy::Fatal,
            ),
        ] {
            assert_eq!(of_transaction(call, facts), expected, "{call:?} {facts:?}");
        }
    }

    #[test]
    fn records_that_were_not_delivered_have_their_remedy() {
        for (call, code, expected) in [
            (Call::Send, RDKafkaErrorCode::MessageTimedOut, Remedy::Abort),
            // A broker may not know a topic for a moment.
            (Call::Send, RDKafkaErrorCode::UnknownTopic, Remedy::Abort),
            (
                Call::Send,
                RDKafkaErrorCode::UnknownPartition,
                Remedy::Abort,
            ),
            (
                Call::Send,
                RDKafkaErrorCode::MessageSizeTooLarge,
                Remedy::Refused,
            ),
            (Call::Send, RDKafkaErrorCode::InvalidRecord, Remedy::Refused),
            (
                Call::Send,
                RDKafkaErrorCode::TopicAuthorizationFailed,
                Remedy::Fatal,
            ),
            (
                Call::Send,
                RDKafkaErrorCode::NotEnoughReplicas,
                Remedy::Abort,
            ),
            (
                Call::Send,
                RDKafkaErrorCode::InvalidProducerEpoch,
                Remedy::Fenced,
            ),
        ] {
            let error = KafkaError::MessageProduction(code);
            assert_eq!(remedy(call, &error), expected, "{call:?} {code:?}");
        }
        let flush = KafkaError::Flush(RDKafkaErrorCode::OperationTimedOut);
        assert_eq!(remedy(Call::Commit, &flush), Remedy::Abort);
    }
}
