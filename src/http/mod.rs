//! The HTTP interface: reads committed state, accepts events and serves metrics. It never waits for a worker. What it
//! needs of the other parts are the traits below. docs/HTTP.md.

mod answers;
mod auth;
mod backlog;
mod bodies;
mod budget;
mod changes;
pub mod connections;
mod dead_letters;
mod events;
mod limits;
pub mod meter;
pub mod problem;
pub mod resources;
pub mod router;
pub mod server;
mod stream;
#[cfg(test)]
mod tests;
pub mod token;

use std::sync::Arc;

use serde::Serialize;

use crate::http::meter::Meter;
use crate::http::token::Token;
use crate::view::changes::ChangesView;
use crate::view::customer::CustomerView;
use crate::view::dead_letter::DeadLetterView;
use crate::view::dead_letter::DeadLettersView;
use crate::view::segments::SegmentsView;

/// The result of reading a customer.
#[derive(Clone, Debug)]
pub enum Lookup {
    /// The customer.
    Found(Box<CustomerView>),
    /// No such customer.
    Unknown,
    /// The partition belongs to another instance, or is not restored yet.
    Restoring,
}

/// Committed state, metrics and health.
pub trait Queries: Send + Sync + 'static {
    /// One customer.
    ///
    /// # Errors
    /// If the store fails.
    fn customer(&self, customer_id: &str) -> Result<Lookup, String>;
    /// The segments.
    fn segments(&self) -> SegmentsView;
    /// All metrics in the Prometheus text format.
    ///
    /// # Errors
    /// If they cannot be written.
    fn metrics(&self) -> Result<String, String>;
    /// The partitions that are not ready yet; empty when all are.
    fn waiting_for(&self) -> Vec<String>;
}

/// The reason of a line whose type this version does not process.
pub const UNSUPPORTED: &str = "unsupported";

/// A line that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefusedLine {
    /// Its number, from 1, among the lines handed over.
    pub line: usize,
    /// The rule, or [`UNSUPPORTED`].
    pub reason: &'static str,
    /// Field, value and what is allowed.
    pub detail: String,
}

/// The result of a body of events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Events in the log, flushed.
    pub accepted: usize,
    /// The others.
    pub refused: Vec<RefusedLine>,
}

/// Takes events into the log.
pub trait EventIntake: Send + Sync + 'static {
    /// Checks each line and appends the good ones; when it returns they survive power loss.
    ///
    /// # Errors
    /// If the log fails; then none was taken.
    fn accept(&self, lines: Vec<Vec<u8>>) -> Result<Receipt, String>;
    /// Events may be taken: the state of every partition is open, and fits to the settings that they are judged by.
    fn is_open(&self) -> bool;
    /// Events in the log that are not processed yet.
    fn backlog(&self) -> u64;
}

/// What was found of the changes asked for.
#[derive(Debug)]
pub enum ChangesLookup {
    /// A part of a partition.
    Found(ChangesView),
    /// The partition ends before the offset that was asked for.
    PastEnd {
        /// Where it ends.
        end: u64,
    },
    /// There is no such partition.
    NoPartition {
        /// How many there are.
        partitions: u32,
    },
}

/// The published changes.
pub trait PublishedChanges: Send + Sync + 'static {
    /// At most `limit` changes of a partition, from an offset on.
    ///
    /// # Errors
    /// If the log fails.
    fn changes(&self, partition: u32, from: u64, limit: usize) -> Result<ChangesLookup, String>;
}

/// Which dead letters are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LettersAsked {
    /// The partition.
    pub partition: u32,
    /// The offset of the first.
    pub from: u64,
    /// Most of them.
    pub limit: usize,
    /// Those of one of these reasons; all where there is none.
    pub reasons: Vec<&'static str>,
    /// With what their records hold.
    pub has_records: bool,
}

/// What was found of the dead letters asked for.
#[derive(Clone, Debug)]
pub enum LettersLookup<T> {
    /// These, or this one.
    Found(T),
    /// The partition does not have the offset.
    NotThere {
        /// The first offset that is still there.
        start: u64,
        /// Where the partition ends.
        end: u64,
    },
    /// There is no such partition.
    NoPartition {
        /// How many there are.
        partitions: u32,
    },
    /// Another request is reading them, or what stands there is not decided yet.
    Busy,
}

impl<T> LettersLookup<T> {
    /// Why there is none at the place that was asked for; `None` where it was found.
    #[must_use]
    pub fn problem(&self, partition: u32, offset: u64) -> Option<String> {
        match self {
            Self::Found(_) => None,
            Self::NotThere { start, end } if start == end => {
                Some(format!("partition {partition} has no dead letters"))
            }
            Self::NotThere { start, end } => {
                let last = end.saturating_sub(1);
                Some(format!(
                    "partition {partition} has no dead letter at offset {offset}: its offsets are {start} to {last}"
                ))
            }
            Self::NoPartition { partitions } => {
                let last = partitions.saturating_sub(1);
                Some(format!("partition is {partition}, allowed is 0 to {last}"))
            }
            Self::Busy => {
                Some("the dead letters are being read or written: try again later".to_owned())
            }
        }
    }
}

/// The dead letters.
pub trait DeadLetters: Send + Sync + 'static {
    /// A part of a partition.
    ///
    /// # Errors
    /// If the log fails.
    fn page(&self, asked: &LettersAsked) -> Result<LettersLookup<DeadLettersView>, String>;
    /// One, with what its record holds.
    ///
    /// # Errors
    /// If the log fails.
    fn one(&self, partition: u32, offset: u64) -> Result<LettersLookup<DeadLetterView>, String>;
}

/// The parts that the server uses.
#[derive(Clone)]
pub struct Services {
    /// Committed state.
    pub queries: Arc<dyn Queries>,
    /// Accepts events; `None` where events come from Kafka.
    pub intake: Option<Arc<dyn EventIntake>>,
    /// The changes; `None` where they are read from Kafka.
    pub changes: Option<Arc<dyn PublishedChanges>>,
    /// The dead letters.
    pub dead_letters: Arc<dyn DeadLetters>,
    /// Bearer token of everything that shows or changes a customer.
    pub token: Option<Arc<Token>>,
    /// Counts what happens.
    pub meter: Arc<dyn Meter>,
}

impl std::fmt::Debug for Services {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Services")
            .field("has_token", &self.token.is_some())
            .finish()
    }
}
