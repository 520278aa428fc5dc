//! The services that HTTP needs, on the engine's parts.

use std::sync::Arc;

use crate::cli::shop::ShopClock;
use crate::cli::summary::customers_by_segment;
use crate::domain::event::CustomerEvent;
use crate::domain::event::EventBody;
use crate::domain::event::EventCustomer;
use crate::domain::event::parse::parse;
use crate::domain::ids::Partition;
use crate::domain::partitioner::Partitioner;
use crate::domain::time::Timestamp;
use crate::engine::policy::Rules;
use crate::engine::state::record::CustomerRecord;
use crate::http::ChangesLookup;
use crate::http::EventIntake;
use crate::http::Lookup;
use crate::http::PublishedChanges;
use crate::http::Queries;
use crate::http::Receipt;
use crate::http::RefusedLine;
use crate::http::UNSUPPORTED;
use crate::log::embedded::EmbeddedLog;
use crate::log::embedded::InputRecord;
use crate::log::outputs::OutputKind;
use crate::log::outputs::OutputReader;
use crate::log::outputs::ReadLimit;
use crate::pipeline::Shared;
use crate::pipeline::partition::clock::ClockMode;
use crate::pipeline::partitions::Phase;
use crate::store::partition::PartitionStore;
use crate::telemetry::rejections;
use crate::view::as_of::as_of_clock;
use crate::view::changes::ChangeAt;
use crate::view::changes::ChangesView;
use crate::view::customer::CustomerView;
use crate::view::customer::customer_view;
use crate::view::segments::SegmentsView;

/// Reads what the workers have committed.
#[derive(Debug)]
pub struct CommittedState {
    /// What the workers share.
    pub shared: Arc<Shared>,
    /// Number of partitions.
    pub partitions: u32,
    /// Whether this process has all of them; otherwise other instances have the rest.
    pub owns_all: bool,
}

/// The result of reading a customer's record.
enum Sought {
    Found(Partition, Arc<PartitionStore>, Box<CustomerRecord>),
    Unknown,
    /// The partition that may have it does not run here.
    NotHere,
}

impl CommittedState {
    /// Reads the partition of the customer's key; all of them where the partitioner is not known.
    fn find(&self, customer_id: &str) -> Result<Sought, String> {
        let agreed = self.shared.partitions.agreed();
        let partitioner = agreed.map_or_else(Partitioner::default, |one| one.partitioner());
        let first = partitioner.partition_of(customer_id.as_bytes(), self.partitions);
        let others = (0..self.partitions)
            .map(Partition)
            .filter(|partition| partitioner == Partitioner::Unchecked && *partition != first);
        let mut is_elsewhere = false;
        for partition in std::iter::once(first).chain(others) {
            let Some(Phase::Running(store)) = self.shared.partitions.phase(partition) else {
                is_elsewhere = true;
                continue;
            };
            let found = store.get(customer_id).map_err(|error| error.to_string())?;
            if let Some(record) = found.and_then(|found| found.entry.into_record()) {
                return Ok(Sought::Found(partition, store, Box::new(record)));
            }
        }
        Ok(if is_elsewhere {
            Sought::NotHere
        } else {
            Sought::Unknown
        })
    }
}

impl Queries for CommittedState {
    fn customer(&self, customer_id: &str) -> Result<Lookup, String> {
        let (partition, store, record) = match self.find(customer_id)? {
            Sought::Found(partition, store, record) => (partition, store, *record),
            Sought::Unknown => return Ok(Lookup::Unknown),
            Sought::NotHere => return Ok(Lookup::Restoring),
        };
        let rules = Rules {
            policy: &self.shared.policy,
            model: &self.shared.model,
        };
        let clock = store.checkpoint().and_then(|last| last.clock);
        let as_of = as_of_clock(record.evaluated_at, clock);
        let view = CustomerView {
            partition: Some(partition.0),
            ..customer_view(customer_id, &record, as_of, rules)
        };
        Ok(Lookup::Found(Box::new(view)))
    }

    fn segments(&self) -> SegmentsView {
        SegmentsView::of(&self.shared.model, &customers_by_segment(&self.shared))
    }

    fn metrics(&self) -> Result<String, String> {
        self.shared
            .metrics
            .render()
            .map_err(|error| error.to_string())
    }

    fn waiting_for(&self) -> Vec<String> {
        let visible = self.shared.partitions.visible();
        if visible.is_empty() {
            return vec!["no partition is assigned yet".to_owned()];
        }
        if !self.shared.control.gate.is_open() {
            return vec!["the other partitions".to_owned()];
        }
        (0..self.partitions)
            .filter(|number| match visible.get(&Partition(*number)) {
                Some(Phase::Running(_)) => false,
                Some(Phase::Restoring) => true,
                None => self.owns_all,
            })
            .map(|number| format!("partition {number}"))
            .collect()
    }
}

/// Reads the changes of the embedded log.
#[derive(Debug)]
pub struct LogChanges(pub EmbeddedLog);

impl PublishedChanges for LogChanges {
    fn changes(&self, partition: u32, from: u64, limit: usize) -> Result<ChangesLookup, String> {
        let mut log = self.0.reader(OutputKind::Changes);
        let partitions = log.partitions();
        if partition >= partitions {
            return Ok(ChangesLookup::NoPartition { partitions });
        }
        let chunk = log.read(Partition(partition), from, ReadLimit::of_records(limit));
        let chunk = chunk.map_err(|error| error.to_string())?;
        if from > chunk.end {
            return Ok(ChangesLookup::PastEnd { end: chunk.end });
        }
        let changes = chunk.records.iter().map(|change| {
            let published =
                serde_json::from_slice(change.record.value.as_deref().unwrap_or_default());
            Ok(ChangeAt {
                offset: change.offset,
                change: published.map_err(|error| format!("a change is not JSON: {error}"))?,
            })
        });
        Ok(ChangesLookup::Found(ChangesView {
            partition,
            partitions,
            offset_next: chunk.offset_next,
            end: chunk.end,
            changes: changes.collect::<Result<_, String>>()?,
        }))
    }
}

/// Takes events into the embedded log.
#[derive(Debug)]
pub struct LogIntake {
    /// The log.
    pub log: EmbeddedLog,
    /// The rules and the clock.
    pub shared: Arc<Shared>,
}

impl LogIntake {
    /// Takes the lines that are events as of an instant, each with the record time that it is given.
    fn take(
        &self,
        lines: Vec<Vec<u8>>,
        now: Timestamp,
        record_time: impl Fn(&CustomerEvent<'_>) -> Option<Timestamp>,
    ) -> Result<Receipt, String> {
        let mut receipt = Receipt::default();
        let mut records = Vec::with_capacity(lines.len());
        for (line, payload) in (1..).zip(lines) {
            let mut refuse = |reason, detail: String| {
                let metrics = &self.shared.metrics;
                rejections::refused_over_http(metrics, reason);
                receipt.refused.push(RefusedLine {
                    line,
                    reason,
                    detail,
                });
            };
            match parse(&payload, now, &self.shared.intake) {
                Ok(event) if is_unsupported(&event) => {
                    let event_type = event.body.event_type().as_str();
                    let detail = format!("type: this version does not process {event_type}");
                    self.say_once(UNSUPPORTED, "type", "a type that this version processes");
                    refuse(UNSUPPORTED, detail);
                }
                Ok(event) => {
                    let key = match &event.customer {
                        EventCustomer::Known(customer_id) => Some(customer_id.as_bytes().to_vec()),
                        EventCustomer::Guest => None,
                    };
                    let timestamp = record_time(&event);
                    records.push(InputRecord::new(timestamp, key, payload));
                }
                Err(invalid) => {
                    let reason = invalid.reason.as_str();
                    self.say_once(reason, invalid.field, &invalid.allowed);
                    refuse(reason, invalid.detail);
                }
            }
        }
        receipt.accepted = records.len();
        if !records.is_empty() {
            self.log
                .append(records, None)
                .map_err(|error| error.to_string())?;
        }
        Ok(receipt)
    }
}

impl LogIntake {
    /// The log has the first refused event of each reason.
    fn say_once(&self, reason: &'static str, field: &str, allowed: &str) {
        if self.shared.tally.note_refused(reason) {
            rejections::first_over_http(reason, field, allowed);
        }
    }
}

impl EventIntake for LogIntake {
    fn is_open(&self) -> bool {
        self.shared.control.gate.is_open()
    }

    fn backlog(&self) -> u64 {
        self.log.events_waiting()
    }

    fn accept(&self, lines: Vec<Vec<u8>>) -> Result<Receipt, String> {
        let wall = self.shared.look_at_wall();
        self.take(lines, wall.now, |event| {
            // With the event clock the time of the log is that of its events, not the wall clock's.
            match self.shared.clock_rules.mode {
                // After a jump the time is not known, and the event is compared with none.
                ClockMode::Wall => (!wall.is_held).then_some(wall.now),
                ClockMode::Event => Some(event.occurred_at),
            }
        })
    }
}

/// Takes events into the embedded log of a simulated shop: they arrive at the shop's time.
#[derive(Debug)]
pub struct ShopIntake {
    /// The shop's log.
    pub intake: LogIntake,
    /// The shop's time.
    pub clock: ShopClock,
}

impl EventIntake for ShopIntake {
    fn is_open(&self) -> bool {
        self.intake.is_open()
    }

    fn backlog(&self) -> u64 {
        self.intake.backlog()
    }

    fn accept(&self, lines: Vec<Vec<u8>>) -> Result<Receipt, String> {
        let now = self.clock.now();
        self.intake.take(lines, now, |_| Some(now))
    }
}

/// Nothing would come of it, whoever the customer is.
fn is_unsupported(event: &CustomerEvent<'_>) -> bool {
    matches!(event.body, EventBody::NotProcessed(_))
}
