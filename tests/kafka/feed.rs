//! A producer that sends the events of a simulated shop while a test goes on.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use rdkafka::config::ClientConfig;
use rdkafka::producer::BaseProducer;
use rdkafka::producer::BaseRecord;
use rdkafka::producer::Producer;
use segstream::simulate::Shop;
use segstream::simulate::ShopOptions;

use crate::PATIENCE;
use crate::deployment::Deployment;
use crate::deployment::wait_until;
use crate::support;

/// Between two looks at what is to be sent.
const STEP: Duration = Duration::from_millis(20);

/// A shop that never closes. Record times of so long ago are no future ones, however many are sent.
pub fn shop(customers: u32, seed: u64) -> Shop {
    Shop::new(ShopOptions {
        customers,
        seed,
        starts_at: support::at("2010-01-01T00:00:00Z"),
        days: None,
        dirt: 0.1,
    })
}

/// A producer that is sending.
pub struct Feed {
    is_stopping: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    sending: Option<JoinHandle<Shop>>,
}

impl Feed {
    /// Sends the events of a shop, so many a second, until it is finished.
    pub fn start(deployment: &Deployment, shop: Shop, events_per_second: f64) -> Self {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", &deployment.brokers)
            .set("partitioner", "murmur2_random")
            .set("enable.idempotence", "true")
            .create()
            .unwrap();
        let topic = deployment.topic("events");
        let is_stopping = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&is_stopping);
        let sent = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&sent);
        let sending = std::thread::spawn(move || {
            let is_stopping = || stopping.load(Ordering::Relaxed);
            send(
                &producer,
                &topic,
                (shop, events_per_second),
                (&counted, is_stopping),
            )
        });
        Self {
            is_stopping,
            sent,
            sending: Some(sending),
        }
    }

    /// Waits until so many events were sent.
    pub fn wait_sent(&self, events: u64) {
        let what = format!("{events} events sent");
        wait_until(&what, || self.sent.load(Ordering::Relaxed) >= events);
    }

    /// Stops it, once the log has all that was sent. The shop goes on where it stands.
    pub fn finish(mut self) -> Shop {
        self.is_stopping.store(true, Ordering::Relaxed);
        self.sending.take().unwrap().join().unwrap()
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }
}

fn send(
    producer: &BaseProducer,
    topic: &str,
    (mut shop, events_per_second): (Shop, f64),
    (counted, is_stopping): (&AtomicU64, impl Fn() -> bool),
) -> Shop {
    let started = Instant::now();
    let mut sent: u64 = 0;
    while !is_stopping() {
        let due = (started.elapsed().as_secs_f64() * events_per_second) as u64;
        while sent < due {
            let event = shop.next().expect("the shop has customers left");
            let mut record = BaseRecord::<[u8], [u8]>::to(topic)
                .payload(&event.payload)
                .timestamp(event.record_time.as_milliseconds());
            record.key = event.key.as_deref();
            producer.send(record).map_err(|(error, _)| error).unwrap();
            sent += 1;
        }
        counted.store(sent, Ordering::Relaxed);
        producer.poll(STEP);
    }
    producer.flush(PATIENCE).unwrap();
    shop
}
