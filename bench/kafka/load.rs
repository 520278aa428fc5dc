//! Purchases of about 350 bytes, customers drawn by a zipf law, sent to a topic.

use std::fmt::Write;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use rand::Rng;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256Plus;
use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::producer::BaseRecord;
use rdkafka::producer::Producer;
use rdkafka::producer::ThreadedProducer;
use rdkafka::types::RDKafkaErrorCode;
use segstream::domain::time::Timestamp;

const ZIPF_EXPONENT: f64 = 0.9;
/// Coprime to any round number of customers: spreads the frequent ones over the ids.
const SCATTER: u64 = 7_368_787;

enum Draw {
    /// Cumulative weights by rank.
    Zipf(Vec<f64>),
    Everyone,
}

pub struct Load {
    draw: Draw,
    customers: u32,
    chance: Xoshiro256Plus,
    sent: u64,
    /// Of the customers' ids.
    prefix: &'static str,
    /// When the purchases happened, if not when they are sent.
    occurred_at: Option<Timestamp>,
}

impl Load {
    pub fn zipf(customers: u32, seed: u64) -> Self {
        let mut total = 0.0;
        let weights = (1..=customers).map(|rank| {
            total += f64::from(rank).powf(-ZIPF_EXPONENT);
            total
        });
        Self {
            draw: Draw::Zipf(weights.collect()),
            customers,
            chance: Xoshiro256Plus::seed_from_u64(seed),
            sent: 0,
            prefix: "c",
            occurred_at: None,
        }
    }

    pub fn everyone(customers: u32) -> Self {
        Self {
            draw: Draw::Everyone,
            customers,
            chance: Xoshiro256Plus::seed_from_u64(3),
            sent: 0,
            prefix: "c",
            occurred_at: None,
        }
    }

    /// The same with other customers.
    pub fn of(mut self, prefix: &'static str) -> Self {
        self.prefix = prefix;
        self
    }

    /// The same, having happened then.
    pub fn occurred_at(mut self, at: Timestamp) -> Self {
        self.occurred_at = Some(at);
        self
    }

    fn customer(&mut self) -> u64 {
        let rank = match &self.draw {
            Draw::Everyone => self.sent,
            Draw::Zipf(weights) => {
                let drawn = self.chance.r#gen::<f64>() * weights.last().unwrap();
                weights.partition_point(|weight| *weight < drawn) as u64
            }
        };
        (rank * SCATTER) % u64::from(self.customers)
    }

    fn purchase(&mut self, customer: u64, at: Timestamp, text: &mut String) {
        let (number, prefix) = (self.sent, self.prefix);
        let at = self.occurred_at.unwrap_or(at);
        let cents = self.chance.gen_range(500..20_000);
        let channel = ["web", "store", "catalog"][self.chance.gen_range(0..3)];
        let category = ["wine", "meat", "fish", "fruit", "sweets"][self.chance.gen_range(0..5)];
        let (whole, part) = (cents / 100, cents % 100);
        text.clear();
        write!(
            text,
            r#"{{"event_id":"e-{prefix}-{number:012}","type":"order.completed","occurred_at":"{at}","customer_id":"{prefix}-{customer}","order_id":"o-{prefix}-{number:012}","currency":"USD","revenue":"{whole}.{part:02}","channel":"{channel}","store_locale":"en-US","payment_method":"card","products":[{{"sku":"sku-{category}-{part:03}","category":"{category}","quantity":1,"price":"{whole}.{part:02}"}}]}}"#
        )
        .unwrap();
    }

    /// Sends events with the time of their sending, at a rate or as fast as they are taken; their bytes.
    pub fn send(&mut self, brokers: &str, topic: &str, events: u64, rate: Option<u64>) -> u64 {
        let producer: ThreadedProducer<rdkafka::producer::DefaultProducerContext> =
            ClientConfig::new()
                .set("bootstrap.servers", brokers)
                .set("partitioner", "murmur2_random")
                .set("linger.ms", "5")
                .set("queue.buffering.max.messages", "500000")
                .create()
                .unwrap();
        let started = Instant::now();
        let (mut payload, mut key, mut bytes) = (String::new(), String::new(), 0);
        for number in 0..events {
            if let Some(rate) = rate {
                let due = Duration::from_secs_f64(number as f64 / rate as f64);
                if let Some(early) = due.checked_sub(started.elapsed())
                    && early > Duration::from_millis(2)
                {
                    std::thread::sleep(early);
                }
            }
            let customer = self.customer();
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            let now_ms = i64::try_from(now.as_millis()).unwrap();
            self.purchase(
                customer,
                Timestamp::from_milliseconds(now_ms).unwrap(),
                &mut payload,
            );
            key.clear();
            write!(key, "{}-{customer}", self.prefix).unwrap();
            bytes += payload.len() as u64;
            self.sent += 1;
            let mut record = BaseRecord::to(topic)
                .key(&key)
                .payload(&payload)
                .timestamp(now_ms);
            while let Err((error, refused)) = producer.send(record) {
                assert!(
                    matches!(
                        error,
                        KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)
                    ),
                    "{error}"
                );
                record = refused;
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        producer.flush(Duration::from_secs(60)).unwrap();
        bytes
    }
}
