//! Kafka: the distributed log. A worker is one member of the group with its own transactional
//! producer; partitions, group and transactions are the broker's. ARCHITECTURE.md, On Kafka, says
//! why each step is as it is; `errors` is the table of what an error means.

mod absence;
mod admin;
mod beginnings;
mod bounded_calls;
mod client;
mod client_lines;
mod cluster;
mod delivery;
mod ends;
mod errors;
mod event_producer;
mod fence;
mod finding;
mod findings;
mod member;
mod metadata;
mod outputs;
mod places;
mod reader;
mod rebalance;
mod records;
mod recovery;
mod reports;
mod size_limits;
mod state_reader;
mod takeover;
mod transactional_producer;
mod transfer_reader;
mod undecided;
mod vacancy;
mod worker;

pub use crate::log::kafka::admin::Plan;
pub use crate::log::kafka::admin::create_topics;
pub use crate::log::kafka::client::Connection;
pub use crate::log::kafka::cluster::KafkaLog;
pub use crate::log::kafka::event_producer::EventProducer;
pub use crate::log::kafka::finding::Finding;
pub use crate::log::kafka::finding::Level;
pub use crate::log::kafka::findings::topic_findings;
pub use crate::log::kafka::outputs::KafkaOutputs;
pub use crate::log::kafka::state_reader::StateReader;
pub use crate::log::kafka::worker::KafkaWorker;
