//! Where `replay` and `simulate` send events: a topic, or a place of the command's own.

use crate::cli::compose::connection;
use crate::cli::exit::CallError;
use crate::config::settings::Settings;
use crate::log::kafka::EventProducer;

/// Where events go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target<P> {
    /// A place of the command's own.
    Place(P),
    /// A topic of the cluster in the settings.
    Kafka { topic: String },
}

impl<P> Target<P> {
    /// Reads `kafka://TOPIC`; `place` reads any other text.
    pub(super) fn parse(
        text: &str,
        place: impl FnOnce(&str) -> Result<P, String>,
    ) -> Result<Self, String> {
        match text.strip_prefix("kafka://") {
            Some(topic) if !topic.is_empty() => Ok(Self::Kafka {
                topic: topic.to_owned(),
            }),
            Some(_) | None => place(text).map(Self::Place),
        }
    }
}

/// A producer to a topic, for the command of that name.
///
/// # Errors
/// If no cluster is set, or it cannot be reached.
pub(super) fn open_topic(
    settings: &Settings,
    command: &str,
    topic: &str,
) -> anyhow::Result<EventProducer> {
    require_brokers(settings, topic)?;
    Ok(EventProducer::open(connection(settings, command), topic)?)
}

/// Refuses settings without a cluster.
pub(super) fn require_brokers(settings: &Settings, topic: &str) -> anyhow::Result<()> {
    if settings.kafka.brokers.is_empty() {
        return Err(CallError(format!(
            "kafka://{topic} needs a cluster: set kafka.brokers, such as --set kafka.brokers=localhost:9092"
        )).into());
    }
    Ok(())
}
