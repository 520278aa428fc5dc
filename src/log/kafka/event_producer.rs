//! Sends events to an input topic: for replays, where this program is the retailer's platform.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::BaseRecord;
use rdkafka::producer::Producer;
use rdkafka::producer::ProducerContext;
use rdkafka::producer::ThreadedProducer;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::util::Timeout;

use crate::domain::time::Timestamp;
use crate::log::Error;
use crate::log::kafka::client::Connection;
use crate::log::kafka::size_limits::SizeLimits;

/// Between two tries while the client's queue is full.
const FULL_WAIT: Duration = Duration::from_millis(1);

#[derive(Clone, Default)]
struct Context(Arc<Mutex<Option<KafkaError>>>);

impl Context {
    fn first_error(&self) -> Option<KafkaError> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl ClientContext for Context {
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "Kafka producer");
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert_with(|| error.clone());
        }
    }
}

/// An idempotent producer of events.
pub struct EventProducer {
    connection: Connection,
    topic: String,
    producer: ThreadedProducer<Context>,
    context: Context,
}

impl std::fmt::Debug for EventProducer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("EventProducer")
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}

impl EventProducer {
    /// A producer to `topic`.
    ///
    /// # Errors
    /// If the settings do not make a client.
    pub fn open(connection: Connection, topic: &str) -> Result<Self, Error> {
        let context = Context::default();
        let mut config = connection.producer();
        SizeLimits::of_topic(&connection, topic).bound(&mut config);
        let producer = ThreadedProducer::from_config_and_context(&config, context.clone())
            .map_err(|error| connection.unusable(format!("kafka.security is wrong: {error}")))?;
        Ok(Self {
            connection,
            topic: topic.to_owned(),
            producer,
            context,
        })
    }

    /// Hands one event to the client, waiting while its queue is full.
    ///
    /// # Errors
    /// If an earlier event could not be delivered.
    pub fn send(
        &self,
        key: Option<&[u8]>,
        payload: &[u8],
        record_time: Timestamp,
    ) -> Result<(), Error> {
        let mut record = BaseRecord {
            topic: &self.topic,
            partition: None,
            payload: Some(payload),
            key,
            timestamp: Some(record_time.as_milliseconds()),
            headers: None,
            delivery_opaque: (),
        };
        loop {
            self.check()?;
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), refused)) => {
                    record = refused;
                    std::thread::park_timeout(FULL_WAIT);
                }
                Err((error, _)) => return Err(self.failed(&error)),
            }
        }
    }

    /// Waits until everything that was sent is acknowledged.
    ///
    /// # Errors
    /// If an event could not be delivered.
    pub fn finish(&self) -> Result<(), Error> {
        self.producer
            .flush(Timeout::Never)
            .map_err(|error| self.failed(&error))?;
        self.check()
    }

    fn check(&self) -> Result<(), Error> {
        match self.context.first_error() {
            Some(error) => Err(self.failed(&error)),
            None => Ok(()),
        }
    }

    fn failed(&self, error: &KafkaError) -> Error {
        let topic = &self.topic;
        self.connection
            .unusable(format!("an event could not be sent to {topic}: {error}"))
    }
}
