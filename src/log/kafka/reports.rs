//! What the client reports of the records of a transaction: its own thread collects it, and the worker waits for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::Message;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;

use crate::domain::ids::Partition;
use crate::log::kafka::client_lines;
use crate::log::kafka::places::number;

/// The reports of one transaction.
#[derive(Debug, Default)]
struct Collected {
    failure: Option<(KafkaError, String)>,
    /// Records that the broker has acknowledged, or that the client has given up.
    records: usize,
    /// The worker waits for this many records; 0 while it does not wait.
    awaited: usize,
    /// By partition of the changelog, the offset of the first record and that after the last one. The first is
    /// below 0 where the broker did not say it of every record.
    changelogs: BTreeMap<i32, (i64, i64)>,
}

/// The reports so far, and a signal when they are all that is awaited.
#[derive(Debug, Default)]
pub(super) struct Reports {
    collected: Mutex<Collected>,
    all_reported: Condvar,
}

impl Reports {
    /// Begins a transaction.
    pub(super) fn clear(&self) {
        *self.lock() = Collected::default();
    }

    /// Waits until as many records are reported, at most for so long. Whether they are.
    pub(super) fn wait_for(&self, records: usize, at_most: Duration) -> bool {
        let mut collected = self.lock();
        collected.awaited = records;
        let (mut collected, _) = self
            .all_reported
            .wait_timeout_while(collected, at_most, |now| now.records < records)
            .unwrap_or_else(PoisonError::into_inner);
        collected.awaited = 0;
        collected.records >= records
    }

    /// A record was not sent.
    pub(super) fn not_sent(&self, error: KafkaError, topic: &str) {
        let topic = topic.to_owned();
        self.lock().failure.get_or_insert((error, topic));
    }

    /// The first failure of a record, and the topic of that record.
    pub(super) fn failure(&self) -> Option<(KafkaError, String)> {
        self.lock().failure.clone()
    }

    /// Which topic does not take a record, and why.
    pub(super) fn refusal(&self, error: &KafkaError) -> String {
        let topic = self.failure().map(|(_, topic)| topic).unwrap_or_default();
        format!(
            "a record of this event is refused by {topic} (max.message.bytes is the limit of its size): {error}"
        )
    }

    /// Where the first record of a partition's changelog stands, if the broker has said it of every record, and the
    /// offset after the last one. `None` without a record.
    pub(super) fn changelog_range(&self, partition: Partition) -> Option<(Option<u64>, u64)> {
        let collected = self.lock();
        let (first, next) = collected.changelogs.get(&number(partition))?;
        Some((u64::try_from(*first).ok(), u64::try_from(*next).ok()?))
    }

    fn report(&self, outcome: Outcome) {
        let mut collected = self.lock();
        match outcome {
            Outcome::Changelog { partition, offset } => {
                let range = collected.changelogs.entry(partition);
                let (first, next) = range.or_insert((offset, 0));
                *first = offset.min(*first);
                *next = (*next).max(offset + 1);
            }
            Outcome::Output => {}
            Outcome::Failed { error, topic } => {
                collected.failure.get_or_insert((error, topic));
            }
        }
        collected.records += 1;
        if collected.records == collected.awaited {
            self.all_reported.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Collected> {
        self.collected
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// What became of a record.
#[derive(Debug)]
enum Outcome {
    /// A batch that was acknowledged twice comes back without its offsets: then it is below 0.
    Changelog {
        partition: i32,
        offset: i64,
    },
    Output,
    Failed {
        error: KafkaError,
        topic: String,
    },
}

/// Takes the reports from the client.
pub(super) struct Context {
    state_topic: String,
    reports: Arc<Reports>,
}

impl Context {
    pub(super) fn new(state_topic: &str, reports: &Arc<Reports>) -> Self {
        Self {
            state_topic: state_topic.to_owned(),
            reports: Arc::clone(reports),
        }
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client_lines::line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "Kafka producer");
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        self.reports.report(match result {
            Ok(message) if message.topic() == self.state_topic => Outcome::Changelog {
                partition: message.partition(),
                offset: message.offset(),
            },
            Ok(_) => Outcome::Output,
            Err((error, message)) => Outcome::Failed {
                error: error.clone(),
                topic: message.topic().to_owned(),
            },
        });
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::types::RDKafkaErrorCode;

    use super::*;

    /// Long enough that a signal that is not given fails the test.
    const PATIENCE: Duration = Duration::from_secs(60);
    const PARTITION: Partition = Partition(3);

    fn changelog(offset: i64) -> Outcome {
        Outcome::Changelog {
            partition: 3,
            offset,
        }
    }

    #[test]
    fn the_last_report_ends_the_wait_and_an_earlier_one_does_not() {
        let reports = Arc::new(Reports::default());
        reports.report(changelog(7));
        assert!(!reports.wait_for(3, Duration::ZERO), "one of three");
        let waiting = {
            let reports = Arc::clone(&reports);
            std::thread::spawn(move || reports.wait_for(3, PATIENCE))
        };
        while reports.lock().awaited != 3 {
            std::thread::yield_now();
        }
        reports.report(Outcome::Output);
        assert!(!waiting.is_finished(), "two of three");
        reports.report(changelog(8));
        assert!(waiting.join().unwrap());
        assert!(reports.wait_for(3, Duration::ZERO), "all are there already");
    }

    #[test]
    fn a_failure_is_a_report_too_and_the_first_one_is_kept() {
        let reports = Reports::default();
        let failure = |code| Outcome::Failed {
            error: KafkaError::MessageProduction(code),
            topic: "state".to_owned(),
        };
        reports.report(failure(RDKafkaErrorCode::MessageSizeTooLarge));
        reports.report(failure(RDKafkaErrorCode::PurgeQueue));
        assert!(reports.wait_for(2, Duration::ZERO));
        let first = KafkaError::MessageProduction(RDKafkaErrorCode::MessageSizeTooLarge);
        assert_eq!(reports.failure(), Some((first, "state".to_owned())));
        reports.clear();
        assert_eq!(reports.failure(), None);
        assert!(!reports.wait_for(1, Duration::ZERO));
    }

    /// By hand: three records at 7 to 9, reported in another order, end before 10. Without one of the offsets (-1)
    /// nothing is known of the first.
    #[test]
    fn the_range_of_a_changelog_is_that_of_its_records_in_any_order() {
        let reports = Reports::default();
        assert_eq!(reports.changelog_range(PARTITION), None);
        for offset in [8, 7, 9] {
            reports.report(changelog(offset));
        }
        assert_eq!(reports.changelog_range(PARTITION), Some((Some(7), 10)));
        reports.report(changelog(-1));
        assert_eq!(reports.changelog_range(PARTITION), Some((None, 10)));
    }
}
