//! What the producers send, and the clocks. On the wall clock an event is sent within `time.grace` of its
//! record time, so that it does not matter when a worker looked at the clock: no clock is ever ahead of an
//! event that is still to come.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use segstream::domain::time::DAY_MS;
use segstream::domain::time::Timestamp;
use segstream::log::embedded::EmbeddedLog;
use segstream::log::embedded::InputRecord;
use segstream::pipeline::partition::clock::ClockMode;
use segstream::pipeline::partition::clock::ClockRules;
use segstream::pipeline::partition::clock::MonotonicClock;
use segstream::pipeline::partition::clock::WallClock;
use segstream::simulate::Shop;
use segstream::simulate::ShopOptions;

use super::Kind;
use super::group::Group;
use super::transfers::Transfers;
use crate::support::Chance;
use crate::support::at;

pub const PROCESSES_MAX: usize = 3;
const CUSTOMERS: u32 = 6;
const STARTS_AT: &str = "2026-01-01T00:00:00Z";
/// A record time that no wall clock of a schedule comes near.
const UNBELIEVABLE: &str = "2090-01-01T00:00:00Z";
/// How long it may be quiet after the last event.
const QUIET_MS: i64 = 40 * DAY_MS;
/// How long the shop may be closed between two events, in days.
const SILENCE_DAYS: u64 = 300;
const GRACE: Duration = Duration::from_secs(10);

pub fn clock_rules(mode: ClockMode) -> ClockRules {
    ClockRules {
        mode,
        skew: Duration::from_secs(300),
        disorder: Duration::from_secs(60),
        grace: GRACE,
        event_ahead_max: None,
        start: None,
    }
}

pub fn grace_ms() -> i64 {
    GRACE.as_millis() as i64
}

/// The clocks of all processes.
#[derive(Clone, Debug)]
pub struct Clocks {
    wall_ms: Arc<AtomicI64>,
    /// The wall clock goes no further before the next event is sent.
    wall_ms_max: Arc<AtomicI64>,
    monotonic_ms: Arc<AtomicU64>,
    started: Instant,
    /// By how much each process's wall clock is behind.
    behind_ms: Arc<[AtomicI64; PROCESSES_MAX]>,
}

impl Clocks {
    pub fn new() -> Self {
        let starts_at_ms = at(STARTS_AT).as_milliseconds();
        Self {
            wall_ms: Arc::new(AtomicI64::new(starts_at_ms)),
            wall_ms_max: Arc::new(AtomicI64::new(starts_at_ms)),
            monotonic_ms: Arc::new(AtomicU64::new(0)),
            started: Instant::now(),
            behind_ms: Arc::default(),
        }
    }

    /// The wall clock of a process.
    pub fn wall(&self, process: usize) -> WallClock {
        let (wall_ms, behind_ms) = (Arc::clone(&self.wall_ms), Arc::clone(&self.behind_ms));
        WallClock::manual(move || {
            let behind_ms = behind_ms[process].load(Ordering::Relaxed);
            let now_ms = wall_ms.load(Ordering::Relaxed) - behind_ms;
            Timestamp::from_milliseconds(now_ms).unwrap()
        })
    }

    /// The wall clock of a process is behind by so much from now on.
    pub fn set_behind_ms(&self, process: usize, behind_ms: i64) {
        self.behind_ms[process].store(behind_ms, Ordering::Relaxed);
    }

    /// The clock that is behind none.
    pub fn now_ms(&self) -> i64 {
        self.wall_ms.load(Ordering::Relaxed)
    }

    pub fn monotonic(&self) -> MonotonicClock {
        let (started, monotonic_ms) = (self.started, Arc::clone(&self.monotonic_ms));
        MonotonicClock::manual(move || {
            started + Duration::from_millis(monotonic_ms.load(Ordering::Relaxed))
        })
    }

    /// Time passes on the monotonic clock.
    pub fn tick(&self, duration: Duration) {
        let milliseconds = duration.as_millis() as u64;
        self.monotonic_ms.fetch_add(milliseconds, Ordering::Relaxed);
    }

    /// The wall clock goes this many hundredths of the way to the next event.
    pub fn pass(&self, hundredths: u64) {
        let (now, max) = (
            self.wall_ms.load(Ordering::Relaxed),
            self.wall_ms_max.load(Ordering::Relaxed),
        );
        let way = (max - now).max(0) * hundredths as i64 / 100;
        self.set_wall_ms(now + way);
    }

    /// The wall clock goes on to an instant.
    pub fn set_wall_ms(&self, to_ms: i64) {
        self.wall_ms.fetch_max(to_ms, Ordering::Relaxed);
    }

    fn allow_wall_ms(&self, up_to_ms: i64) {
        self.wall_ms_max.fetch_max(up_to_ms, Ordering::Relaxed);
    }
}

/// The events of a schedule, in the order in which they are sent.
pub struct Feed {
    events: Vec<InputRecord>,
    sent: usize,
    /// Sent, but not acknowledged: to be sent again.
    unacknowledged: Vec<InputRecord>,
    mode: ClockMode,
    log: EmbeddedLog,
    transfers: Transfers,
}

impl Feed {
    pub fn new(seed: u64, mode: ClockMode, log: EmbeddedLog, chance: &mut Chance) -> Self {
        let shop = Shop::new(ShopOptions {
            customers: CUSTOMERS,
            seed,
            starts_at: at(STARTS_AT),
            days: None,
            dirt: 0.2,
        });
        let count = 4 + chance.below(52) as usize;
        let mut silences = chance.below(3);
        let mut silence_ms = 0;
        let mut events: Vec<InputRecord> = Vec::new();
        for event in shop.take(count) {
            if silences > 0 && chance.below(12) == 0 {
                silences -= 1;
                silence_ms += (1 + chance.below(SILENCE_DAYS) as i64) * DAY_MS;
            }
            let record_time = event.record_time.plus_milliseconds(silence_ms);
            let is_untimed = mode == ClockMode::Event && chance.below(25) == 0;
            events.push(InputRecord::new(
                (!is_untimed).then_some(record_time),
                event.key,
                event.payload,
            ));
            if chance.below(12) == 0 {
                events.push(untimely(&events, mode, chance));
            }
        }
        if mode == ClockMode::Event {
            // Record times of one partition need not ascend.
            for place in 1..events.len() {
                if chance.below(10) == 0 {
                    events.swap(place - 1, place);
                }
            }
        }
        Self {
            events,
            sent: 0,
            unacknowledged: Vec::new(),
            mode,
            log,
            transfers: Transfers::default(),
        }
    }

    pub fn is_sent(&self) -> bool {
        self.sent == self.events.len() && self.unacknowledged.is_empty()
    }

    /// Customers of whom something was sent.
    pub fn customers_sent(&self) -> BTreeSet<String> {
        let keys = self.events[..self.sent]
            .iter()
            .filter_map(|event| event.key.clone());
        keys.filter_map(|key| String::from_utf8(key).ok()).collect()
    }

    /// An event of a customer that was sent comes again.
    pub fn will_send_again(&self, customer_id: &str) -> bool {
        let is_again = |event: &&InputRecord| {
            let mut before = self.events[..self.sent].iter();
            before.any(|sent| sent.payload == event.payload)
        };
        let unsent = self.events[self.sent..].iter().filter(is_again);
        let mut again = unsent.chain(&self.unacknowledged);
        again.any(|event| event.key.as_deref() == Some(customer_id.as_bytes()))
    }

    /// The wall clock may go on until the next event must be sent.
    pub fn allow(&self, clocks: &Clocks) {
        let mut unsent = self.events[self.sent..].iter();
        match unsent.find_map(|event| believable(event.timestamp)) {
            Some(next) => clocks.allow_wall_ms(next.as_milliseconds()),
            None => clocks.allow_wall_ms(clocks.now_ms() + QUIET_MS),
        }
    }

    /// Sends the next events; now and then the producer hears nothing and sends them again.
    pub fn send(&mut self, group: &Group) {
        let mut state = group.lock();
        self.transfers.send(&self.log, &mut state);
        if !self.unacknowledged.is_empty() && (state.is_calm || state.chance.below(2) == 0) {
            let again = std::mem::take(&mut self.unacknowledged);
            self.log.append(again, None).unwrap();
            return;
        }
        let until = self.sent + 1 + state.chance.below(6) as usize;
        let until = until.min(self.events.len());
        let next = self.events[self.sent..until].to_vec();
        if next.is_empty() {
            return;
        }
        let times = next.iter().filter_map(|event| believable(event.timestamp));
        if let Some(latest) = times.max()
            && self.mode == ClockMode::Wall
        {
            // They are on their way for less than the grace.
            let way_ms = state.chance.below(GRACE.as_millis() as u64) as i64;
            state.clocks.set_wall_ms(latest.as_milliseconds() + way_ms);
        }
        self.log.append(next.clone(), None).unwrap();
        self.sent = until;
        self.allow(&state.clocks);
        if state.strikes(Kind::AppendedTwice, 5) {
            self.unacknowledged.extend(next);
        }
    }
}

/// The record time counts on the wall clock too.
pub fn believable(record_time: Option<Timestamp>) -> Option<Timestamp> {
    record_time.filter(|record_time| *record_time < at(UNBELIEVABLE))
}

/// A record without a time that counts. It is either one that was sent already, or the first of its customer:
/// for these alone it does not matter where the partition's clock stands.
fn untimely(sent: &[InputRecord], mode: ClockMode, chance: &mut Chance) -> InputRecord {
    let is_ahead = mode == ClockMode::Wall && chance.below(2) == 0;
    let timestamp = is_ahead.then(|| at(UNBELIEVABLE));
    if chance.below(2) == 0 {
        let again = sent[chance.below(sent.len() as u64) as usize].clone();
        return InputRecord { timestamp, ..again };
    }
    let stranger = format!("stranger-{}", sent.len());
    let payload = format!(
        "{{\"event_id\":\"{stranger}-e\",\"type\":\"order.completed\",\
         \"occurred_at\":\"2025-12-30T10:00:00Z\",\"customer_id\":\"{stranger}\",\
         \"order_id\":\"{stranger}-o\",\"currency\":\"USD\",\"revenue\":\"{}.50\"}}",
        10 + chance.below(200)
    );
    let key = Some(stranger.into_bytes());
    InputRecord::new(timestamp, key, payload.into_bytes())
}
