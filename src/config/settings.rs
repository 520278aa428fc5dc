//! All settings in typed form, one group a component.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::bus::BusKind;
use crate::config::bus::bus;
use crate::config::churn::churn;
use crate::config::commit::Commit;
use crate::config::commit::commit;
use crate::config::embedded::Embedded;
use crate::config::embedded::embedded;
use crate::config::http::Http;
use crate::config::http::http;
use crate::config::input::partitioner;
use crate::config::intake::intake;
use crate::config::kafka::Kafka;
use crate::config::kafka::kafka;
use crate::config::log::Log;
use crate::config::log::log;
use crate::config::reader::Described;
use crate::config::reader::Reader;
use crate::config::reader::small;
use crate::config::store::Store;
use crate::config::store::store;
use crate::config::time::Time;
use crate::config::time::time;
use crate::config::topics::Topics;
use crate::config::topics::topics;
use crate::config::units::HOUR;
use crate::config::units::MILLISECOND;
use crate::domain::churn::ChurnPolicy;
use crate::domain::event::rules::IntakeRules;
use crate::domain::partitioner::Partitioner;

/// All settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Worker threads; 0: one a core.
    pub workers: usize,
    /// Assign a segment to customers without an order.
    pub assign_prospects: bool,
    /// Which log.
    pub bus: BusKind,
    /// Names of the topics.
    pub topics: Topics,
    /// The cluster.
    pub kafka: Kafka,
    /// The embedded log.
    pub embedded: Embedded,
    /// Transactions.
    pub commit: Commit,
    /// The store.
    pub store: Store,
    /// The HTTP server.
    pub http: Http,
    /// The model artifact; `None`: the shipped one.
    pub model_path: Option<PathBuf>,
    /// Clocks and the business zone.
    pub time: Time,
    /// What is accepted as an event.
    pub intake: IntakeRules,
    /// The partitioner of the input's keys; `None`: that of the state.
    pub partitioner: Option<Partitioner>,
    /// Days a ledger covers.
    pub ledger_days: u32,
    /// Days within which a refund finds its order.
    pub refund_days: u32,
    /// Event ids a record remembers.
    pub remembered_ids: usize,
    /// How churn risk is defined and published.
    pub churn: ChurnPolicy,
    /// Identity of this instance; empty: made once and kept.
    pub instance_id: String,
    /// Limit of a shutdown.
    pub shutdown_deadline: Duration,
    /// Log lines.
    pub log: Log,
    described: Vec<Described>,
}

/// Every key with its value, sorted by key; secrets are redacted.
#[must_use]
pub fn describe(settings: &Settings) -> &[Described] {
    &settings.described
}

impl Settings {
    /// Reads every key, also after a problem; `None` if there was one.
    pub fn read(reader: &mut Reader) -> Option<Self> {
        let topics = topics(reader);
        let kafka = kafka(reader);
        let bus = bus(reader, kafka.as_ref());
        let workers = reader.integer("workers", 0, 1024).and_then(small);
        let assign_prospects = reader.flag("assign_prospects");
        let store = store(reader);
        let embedded = embedded(reader, store.as_ref());
        let commit = commit(reader);
        let http = http(reader);
        let model_path = reader.optional_path("model.path");
        let time = time(reader);
        let intake = intake(reader);
        let partitioner = partitioner(reader, bus);
        let ledger_days = reader
            .integer("state.ledger_days", 1, 36_525)
            .and_then(small);
        let refund_days = reader
            .integer("state.refund_days", 0, 3_650)
            .and_then(small);
        let remembered_ids = reader
            .integer("deduplication.ids", 16, 4096)
            .and_then(small);
        let churn = churn(reader);
        let instance_id = reader.text("instance.id");
        let shutdown_deadline = reader.duration("shutdown.deadline", MILLISECOND, HOUR);
        let log = log(reader);
        Some(Self {
            workers: workers?,
            assign_prospects: assign_prospects?,
            bus: bus?,
            topics: topics?,
            kafka: kafka?,
            embedded: embedded?,
            commit: commit?,
            store: store?,
            http: http?,
            model_path: model_path?,
            time: time?,
            intake: intake?,
            partitioner: partitioner?,
            ledger_days: ledger_days?,
            refund_days: refund_days?,
            remembered_ids: remembered_ids?,
            churn: churn?,
            instance_id: instance_id?,
            shutdown_deadline: shutdown_deadline?,
            log: log?,
            described: reader.described(),
        })
    }
}
