//! Purchases of about 350 bytes, customers drawn by a zipf law, sent to a topic.

use std::collections::VecDeque;
use std::fmt::Write;
use std::time::Duration;
use std::time::Instant;

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

use crate::outputs::now_ms;

/// The time over which the purchases of a history are spread.
const HISTORY_MS: u64 = 437 * 86_400_000;
/// One of so many events of a history is an earlier one, sent again.
const REPEATED_EVERY: u32 = 500;
/// What is sent again is one of the last so many.
const REPEATED_AMONG: usize = 64;
/// Coprime to any round number of customers: spreads the frequent ones over the ids.
const SCATTER: u64 = 7_368_787;

enum Draw {
    /// Cumulative weights by rank.
    Zipf(Vec<f64>),
    Everyone,
}

/// When the purchases happened.
enum Occurred {
    /// When they are sent.
    Now,
    At(Timestamp),
    /// One after the other, from an instant on, a step each.
    Since {
        first_ms: u64,
        step_ms: u64,
    },
}

pub struct Load {
    draw: Draw,
    customers: u32,
    chance: Xoshiro256Plus,
    sent: u64,
    /// Of the customers' ids.
    prefix: &'static str,
    occurred: Occurred,
    /// Customers and events that may be sent again.
    repeatable: VecDeque<(u64, String)>,
}

impl Load {
    pub fn zipf(customers: u32, exponent: f64, seed: u64) -> Self {
        let mut total = 0.0;
        let weights = (1..=customers).map(|rank| {
            total += f64::from(rank).powf(-exponent);
            total
        });
        Self {
            draw: Draw::Zipf(weights.collect()),
            customers,
            chance: Xoshiro256Plus::seed_from_u64(seed),
            sent: 0,
            prefix: "c",
            occurred: Occurred::Now,
            repeatable: VecDeque::new(),
        }
    }

    pub fn everyone(customers: u32) -> Self {
        Self {
            draw: Draw::Everyone,
            customers,
            chance: Xoshiro256Plus::seed_from_u64(3),
            sent: 0,
            prefix: "c",
            occurred: Occurred::Now,
            repeatable: VecDeque::new(),
        }
    }

    /// The same with other customers.
    pub fn of(mut self, prefix: &'static str) -> Self {
        self.prefix = prefix;
        self
    }

    /// The same, having happened then.
    pub fn occurred_at(mut self, at: Timestamp) -> Self {
        self.occurred = Occurred::At(at);
        self
    }

    /// The same, so many spread over the last 437 days, with the fields and the repeats of a shop's feed.
    pub fn with_history(mut self, events: u64) -> Self {
        self.occurred = Occurred::Since {
            first_ms: now_ms().cast_unsigned() - HISTORY_MS,
            step_ms: HISTORY_MS / events.max(1),
        };
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

    /// The next event: its customer and its text.
    fn next(&mut self, text: &mut String) -> u64 {
        if let Occurred::Since { first_ms, step_ms } = self.occurred {
            return self.next_of_history(first_ms, step_ms, text);
        }
        let customer = self.customer();
        let at = match self.occurred {
            Occurred::At(at) => at,
            Occurred::Now | Occurred::Since { .. } => {
                Timestamp::from_milliseconds(now_ms()).unwrap()
            }
        };
        self.purchase(customer, at, text);
        self.sent += 1;
        customer
    }

    fn next_of_history(&mut self, first_ms: u64, step_ms: u64, text: &mut String) -> u64 {
        text.clear();
        if !self.repeatable.is_empty() && self.chance.gen_ratio(1, REPEATED_EVERY) {
            let place = self.chance.gen_range(0..self.repeatable.len());
            let (customer, known) = &self.repeatable[place];
            text.push_str(known);
            return *customer;
        }
        let customer = self.customer();
        let at_ms = first_ms + self.sent * step_ms + self.chance.gen_range(0..step_ms.max(1));
        let at = Timestamp::from_milliseconds(at_ms.cast_signed()).unwrap();
        self.purchase_of_history(customer, at, text);
        self.sent += 1;
        if self.repeatable.len() == REPEATED_AMONG {
            self.repeatable.pop_front();
        }
        self.repeatable.push_back((customer, text.clone()));
        customer
    }

    /// A customer buys mostly in the store or mostly on the web.
    fn purchase_of_history(&mut self, customer: u64, at: Timestamp, text: &mut String) {
        const CATEGORIES: [&str; 8] = [
            "wine", "fish", "meat", "sweets", "fruit", "gold", "toys", "books",
        ];
        let (number, prefix) = (self.sent, self.prefix);
        let chance = &mut self.chance;
        let id = uuid::Uuid::from_u128(chance.r#gen());
        let (quantity, price) = (chance.gen_range(1..=3), chance.gen_range(300..4500));
        let (revenue, web_share) = (
            quantity * price,
            if customer.is_multiple_of(3) {
                0.15
            } else {
                0.8
            },
        );
        let channel = if chance.gen_bool(web_share) {
            "web"
        } else {
            "store"
        };
        let payment = ["card", "paypal", "invoice", "cash"][chance.gen_range(0..4)];
        let category = CATEGORIES[chance.gen_range(0..CATEGORIES.len())];
        let (store, sku) = (chance.gen_range(0..400), chance.gen_range(0..5000));
        let money = |cents: u32| format!("{}.{:02}", cents / 100, cents % 100);
        let (revenue, price) = (money(revenue), money(price));
        write!(
            text,
            r#"{{"event_id":"{id}","type":"order.completed","occurred_at":"{at}","customer_id":"{prefix}-{customer}","order_id":"o-{number:07}","currency":"USD","revenue":"{revenue}","channel":"{channel}","country":"US","payment":"{payment}","store_id":"s-{store:04}","products":[{{"sku":"SKU-{sku:04}","category":"{category}","quantity":{quantity},"price":"{price}"}}]}}"#
        )
        .unwrap();
    }

    fn purchase(&mut self, customer: u64, at: Timestamp, text: &mut String) {
        let (number, prefix) = (self.sent, self.prefix);
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
            let customer = self.next(&mut payload);
            key.clear();
            write!(key, "{}-{customer}", self.prefix).unwrap();
            bytes += payload.len() as u64;
            let mut record = BaseRecord::to(topic)
                .key(&key)
                .payload(&payload)
                .timestamp(now_ms());
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
