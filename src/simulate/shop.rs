//! An open shop: customers act, and the feed has the faults of a real one.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rand::Rng;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256Plus;

use crate::domain::time::DAY_MS;
use crate::domain::time::Timestamp;
use crate::simulate::customer::Customer;
use crate::simulate::customer::exponential;
use crate::simulate::events::profile;
use crate::simulate::events::purchase;

/// The customers of the beginning join over this many first days.
const JOINING_DAYS: f64 = 20.0;

/// What to simulate.
#[derive(Clone, Copy, Debug)]
pub struct ShopOptions {
    /// Number of customers who join in the first days.
    pub customers: u32,
    /// Random seed.
    pub seed: u64,
    /// The first instant.
    pub starts_at: Timestamp,
    /// Days until the shop closes; `None`: never.
    pub days: Option<u32>,
    /// Probability of each kind of fault for an event, 0 to 1.
    pub dirt: f64,
}

/// One record of the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShopEvent {
    /// When it reaches the log; never goes back.
    pub record_time: Timestamp,
    /// Record key.
    pub key: Option<Vec<u8>>,
    /// Record value.
    pub payload: Vec<u8>,
}

/// Instant, number, key and value.
type LateEvent = (i64, u64, Option<Vec<u8>>, Vec<u8>);

/// The feed of a shop, in order of record time. Memory is bounded by the customers.
#[derive(Debug)]
pub struct Shop {
    options: ShopOptions,
    chance: Xoshiro256Plus,
    customers: Vec<Customer>,
    /// Customers who join in a day after the beginning, on average.
    newcomers_per_day: f64,
    /// When each customer acts next. The number after the last customer's is that of the next who joins.
    agenda: BinaryHeap<Reverse<(i64, u32)>>,
    /// Repeated and late deliveries that are on their way.
    on_their_way: BinaryHeap<Reverse<LateEvent>>,
    sent: u64,
}

impl Shop {
    /// Opens the shop. After the first days nobody joins.
    #[must_use]
    pub fn new(options: ShopOptions) -> Self {
        let mut chance = Xoshiro256Plus::seed_from_u64(options.seed);
        let starts_at_ms = options.starts_at.as_milliseconds();
        let mut customers = Vec::new();
        let mut agenda = BinaryHeap::new();
        for number in 0..options.customers {
            customers.push(Customer::drawn(&mut chance));
            let joins_in = milliseconds(chance.gen_range(0.0..JOINING_DAYS));
            agenda.push(Reverse((starts_at_ms + joins_in, number)));
        }
        let on_their_way = BinaryHeap::new();
        Self {
            options,
            chance,
            customers,
            newcomers_per_day: 0.0,
            agenda,
            on_their_way,
            sent: 0,
        }
    }

    /// Opens a shop that goes on to win customers.
    #[must_use]
    pub fn with_newcomers(options: ShopOptions, newcomers_per_day: f64) -> Self {
        let mut shop = Self::new(options);
        if newcomers_per_day > 0.0 {
            shop.newcomers_per_day = newcomers_per_day;
            let opens_ms = options.starts_at.as_milliseconds() + milliseconds(JOINING_DAYS);
            shop.expect_newcomer(opens_ms);
        }
        shop
    }

    fn expect_newcomer(&mut self, after_ms: i64) {
        let joins_in = milliseconds(exponential(&mut self.chance, 1.0 / self.newcomers_per_day));
        if let Ok(number) = u32::try_from(self.customers.len()) {
            self.agenda.push(Reverse((after_ms + joins_in, number)));
        }
    }

    fn act(&mut self, at_ms: i64, number: u32) -> Option<ShopEvent> {
        let at = Timestamp::from_milliseconds(at_ms)?;
        let place = usize::try_from(number).ok()?;
        if place == self.customers.len() {
            self.customers.push(Customer::drawn(&mut self.chance));
            self.expect_newcomer(at_ms);
        }
        let customer = self.customers.get_mut(place)?;
        let customer_id = format!("c-{number}");
        let order = customer.next_act();
        let payload = if order == 0 {
            profile(&mut self.chance, customer, &customer_id, at)
        } else {
            purchase(&mut self.chance, customer, &customer_id, order, at)
        };
        let rest_days = customer.rest_days(&mut self.chance).max(0.001);
        self.agenda
            .push(Reverse((at_ms + milliseconds(rest_days), number)));
        let clean = ShopEvent {
            record_time: at,
            key: Some(customer_id.into_bytes()),
            payload: payload.to_string().into_bytes(),
        };
        Some(self.soil(clean, at_ms))
    }

    /// Adds one of the faults of a real feed, seldom. A fault never loses the good event: the event comes
    /// later, or in addition.
    fn soil(&mut self, clean: ShopEvent, at_ms: i64) -> ShopEvent {
        if !self.chance.gen_bool(self.options.dirt.clamp(0.0, 1.0)) {
            return clean;
        }
        let delay_ms = milliseconds(self.chance.gen_range(0.01..2.0));
        let sent = self.sent;
        let mut later = |event: &ShopEvent| {
            let entry = (
                at_ms + delay_ms,
                sent,
                event.key.clone(),
                event.payload.clone(),
            );
            self.on_their_way.push(Reverse(entry));
        };
        let replaced = |payload: Vec<u8>| ShopEvent {
            payload,
            ..clean.clone()
        };
        let text = String::from_utf8_lossy(&clean.payload).into_owned();
        later(&clean);
        match self.chance.gen_range(0..8) {
            0 | 1 => clean,
            2 => replaced(
                text.chars()
                    .take(text.len() / 2)
                    .collect::<String>()
                    .into_bytes(),
            ),
            3 => replaced(
                text.replacen("\"type\":\"", "\"type\":\"un.", 1)
                    .into_bytes(),
            ),
            4 => replaced(text.replacen('{', "{\"test\":true,", 1).into_bytes()),
            5 => replaced(text.replacen('{', "{\"is_guest\":true,", 1).into_bytes()),
            6 => ShopEvent { key: None, ..clean },
            _ => replaced(b"\xff\xfe not text".to_vec()),
        }
    }
}

impl Iterator for Shop {
    type Item = ShopEvent;

    fn next(&mut self) -> Option<ShopEvent> {
        let next_act = self.agenda.peek().map(|Reverse((at_ms, _))| *at_ms);
        let next_late = self.on_their_way.peek().map(|Reverse((at_ms, ..))| *at_ms);
        let is_late = match (next_act, next_late) {
            (Some(act), Some(late)) => late < act,
            (None, Some(_)) => true,
            (Some(_) | None, None) => false,
        };
        let event = if is_late {
            let Reverse((at_ms, _, key, payload)) = self.on_their_way.pop()?;
            ShopEvent {
                record_time: Timestamp::from_milliseconds(at_ms)?,
                key,
                payload,
            }
        } else {
            let Reverse((at_ms, number)) = self.agenda.pop()?;
            self.act(at_ms, number)?
        };
        self.sent += 1;
        let open_for_ms = self.options.days.map(|days| i64::from(days) * DAY_MS);
        let open_since =
            event.record_time.as_milliseconds() - self.options.starts_at.as_milliseconds();
        open_for_ms
            .is_none_or(|open_for_ms| open_since < open_for_ms)
            .then_some(event)
    }
}

fn milliseconds(days: f64) -> i64 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a few thousand days at most"
    )]
    let milliseconds = (days * 86_400_000.0) as i64;
    milliseconds
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(dirt: f64) -> ShopOptions {
        ShopOptions {
            customers: 50,
            seed: 7,
            starts_at: Timestamp::parse_rfc3339("2026-01-01T00:00:00Z").unwrap(),
            days: Some(60),
            dirt,
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_feed_in_order() {
        let feed: Vec<ShopEvent> = Shop::new(options(0.2)).collect();
        assert!(feed.len() > 100);
        assert!(feed.is_sorted_by_key(|event| event.record_time));
        assert_eq!(feed, Shop::new(options(0.2)).collect::<Vec<_>>());
    }

    #[test]
    fn newcomers_join_all_the_time_at_the_rate_that_was_asked_for() {
        let days = 600;
        let options = ShopOptions {
            days: Some(days),
            ..options(0.0)
        };
        let joined: Vec<Timestamp> = Shop::with_newcomers(options, 0.5)
            .filter(|event| event.payload.starts_with(b"{\"customer_id\":\"c-"))
            .filter(|event| String::from_utf8_lossy(&event.payload).contains("-joined\""))
            .map(|event| event.record_time)
            .collect();
        let half = options
            .starts_at
            .plus_milliseconds(i64::from(days) / 2 * DAY_MS);
        let late = joined.iter().filter(|at| **at >= half).count();
        // 50 at the beginning, then 0.5 a day: 290 in 580 days, and 150 in the second half, each with a standard deviation of
        // its square root.
        assert!(
            (255..=325).contains(&(joined.len() - 50)),
            "{}",
            joined.len()
        );
        assert!((110..=190).contains(&late), "{late}");
    }

    #[test]
    fn every_customer_comes_back_after_a_pause() {
        let options = ShopOptions {
            days: Some(2000),
            ..options(0.0)
        };
        let mut last = std::collections::BTreeMap::new();
        let mut pauses = std::collections::BTreeMap::new();
        for event in Shop::new(options) {
            let at_ms = event.record_time.as_milliseconds();
            let before = last.insert(event.key.clone(), at_ms).unwrap_or(at_ms);
            if at_ms - before > 60 * DAY_MS {
                *pauses.entry(event.key).or_insert(0) += 1;
            }
        }
        assert_eq!(pauses.len(), 50, "{pauses:?}");
    }
}
