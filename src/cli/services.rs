//! What HTTP asks for, answered by the engine's parts.

use std::sync::Arc;

use crate::cli::summary::customers_by_segment;
use crate::domain::event::EventCustomer;
use crate::domain::event::parse::parse;
use crate::domain::ids::Partition;
use crate::domain::partitioner::Partitioner;
use crate::engine::state::record::CustomerRecord;
use crate::http::EventIntake;
use crate::http::Lookup;
use crate::http::Queries;
use crate::http::Receipt;
use crate::http::RefusedLine;
use crate::log::embedded::EmbeddedLog;
use crate::log::embedded::InputRecord;
use crate::pipeline::Shared;
use crate::pipeline::partition::clock::ClockMode;
use crate::pipeline::partitions::Phase;
use crate::store::partition::PartitionStore;
use crate::view::customer::as_of_clock;
use crate::view::customer::customer_view;
use crate::view::segments::SegmentsView;

/// Reads what the workers have committed.
#[derive(Debug)]
pub struct CommittedState {
    /// What the workers share.
    pub shared: Arc<Shared>,
    /// Number of partitions.
    pub partitions: u32,
    /// All of them are this process's; else other instances have the rest.
    pub owns_all: bool,
}

/// Where a customer's record was sought.
enum Sought {
    Found(Arc<PartitionStore>, Box<CustomerRecord>),
    Unknown,
    /// The partition that may have it does not run here.
    NotHere,
}

impl CommittedState {
    /// In the partition of the customer's key; in all of them where nothing says which that is.
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
                return Ok(Sought::Found(store, Box::new(record)));
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
        let (store, record) = match self.find(customer_id)? {
            Sought::Found(store, record) => (store, *record),
            Sought::Unknown => return Ok(Lookup::Unknown),
            Sought::NotHere => return Ok(Lookup::Restoring),
        };
        let (model, policy) = (&self.shared.model, &self.shared.policy);
        let record = as_of_clock(record, store.checkpoint().and_then(|last| last.clock));
        let view = customer_view(customer_id, &record, model, policy);
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

/// Takes events into the embedded log.
#[derive(Debug)]
pub struct LogIntake {
    /// The log.
    pub log: EmbeddedLog,
    /// The rules and the clock.
    pub shared: Arc<Shared>,
}

impl EventIntake for LogIntake {
    fn accept(&self, lines: Vec<Vec<u8>>) -> Result<Receipt, String> {
        let wall = self.shared.wall.now();
        let mut receipt = Receipt::default();
        let mut records = Vec::with_capacity(lines.len());
        for (number, payload) in (1..).zip(lines) {
            match parse(&payload, wall, &self.shared.intake) {
                Ok(event) => {
                    let key = match &event.customer {
                        EventCustomer::Known(customer_id) => Some(customer_id.as_bytes().to_vec()),
                        EventCustomer::Guest => None,
                    };
                    // With the event clock the log's time is the shop's, not ours.
                    let timestamp = match self.shared.clock_rules.mode {
                        ClockMode::Wall => wall,
                        ClockMode::Event => event.occurred_at,
                    };
                    records.push(InputRecord::new(Some(timestamp), key, payload));
                }
                Err(invalid) => receipt.refused.push(RefusedLine {
                    line: number,
                    reason: invalid.reason.as_str(),
                    detail: invalid.detail,
                }),
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
