//! Three instances of two workers each, under input that does not stop: killed, stalled, stopped and started again at
//! random, with and without their disks, so that their number changes all the time.
//!
//! It goes on for `SEGSTREAM_TEST_CHAOS_SECONDS`, 60 unless given. `just test-chaos` is ten minutes of it on another
//! seed each day.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use std::time::Instant;

use crate::deployment::Deployment;
use crate::deployment::wait_at_most;
use crate::deployment::wait_owned;
use crate::expected;
use crate::expected::Expected;
use crate::expected::Member;
use crate::feed::Feed;
use crate::feed::shop;
use crate::group;
use crate::running::Running;
use crate::scraper::free_address;
use crate::seed_of;
use crate::support::Chance;

const INSTANCES: [&str; 3] = ["a", "b", "c"];
const EVENTS_PER_SECOND: f64 = 120.0;
/// Events of a customer of the shop before it lapses, fewer than the mean.
const EVENTS_PER_CUSTOMER: u64 = 20;
/// The code with which an instance ends whose transactions the broker has fenced: to be started again.
const FENCED: i32 = 5;
/// After the last blow everything must come to rest within this time.
const SETTLE_PATIENCE: Duration = Duration::from_secs(240);

/// Where an instance stands.
enum Life {
    Up(Running),
    /// Does not run until an instant: SIGSTOP.
    Stalled(Running, Instant),
    /// There is no process until an instant.
    Down(Instant),
}

/// What was done, by name.
type Done = BTreeMap<&'static str, u64>;

struct Chaos {
    deployment: Deployment,
    chance: Chance,
    done: Done,
    addresses: [SocketAddr; 3],
    lives: [Life; 3],
}

fn duration() -> Duration {
    let given = std::env::var("SEGSTREAM_TEST_CHAOS_SECONDS").ok();
    let seconds = given.map_or(60, |text| text.parse().expect("a number of seconds"));
    Duration::from_secs(seconds)
}

impl Chaos {
    fn new(seed: u64) -> Self {
        let now = Instant::now();
        Self {
            deployment: Deployment::new("chaos"),
            chance: Chance(seed),
            done: Done::new(),
            addresses: std::array::from_fn(|_| free_address()),
            lives: std::array::from_fn(|_| Life::Down(now)),
        }
    }

    fn count(&mut self, what: &'static str) {
        *self.done.entry(what).or_default() += 1;
    }

    fn start(&mut self, number: usize) {
        let instance = INSTANCES[number];
        let settings = [
            format!("http.address={}", self.addresses[number]),
            format!("instance.id={}", self.deployment.topic(instance)),
            // Transactions and flushes all the time.
            "commit.interval=20ms".to_owned(),
            "store.flush_interval=500ms".to_owned(),
        ];
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        let settings = [settings.as_slice(), &expected::SETTINGS].concat();
        let running = self.deployment.start(instance, &settings);
        self.lives[number] = Life::Up(running);
    }

    fn soon(&mut self, at_most: Duration) -> Instant {
        let most_ms = u64::try_from(at_most.as_millis()).unwrap();
        Instant::now() + Duration::from_millis(200 + self.chance.below(most_ms))
    }

    /// Ends what is over: a stall, or the time without a process.
    fn advance(&mut self, number: usize) {
        let now = Instant::now();
        let down = Life::Down(now);
        match std::mem::replace(&mut self.lives[number], down) {
            Life::Down(until) if now >= until => self.start(number),
            Life::Stalled(running, until) if now >= until => {
                running.signal("CONT");
                self.lives[number] = Life::Up(running);
            }
            Life::Up(mut running) => match running.child.try_wait().unwrap() {
                None => self.lives[number] = Life::Up(running),
                Some(status) => {
                    let seen = running.seen.lock().unwrap();
                    assert_eq!(status.code(), Some(FENCED), "{seen:#?}");
                    self.count("ended as fenced");
                }
            },
            other => self.lives[number] = other,
        }
    }

    /// Deals an instance that runs a blow, if it does.
    fn strike(&mut self, number: usize) {
        let now = Instant::now();
        let Life::Up(running) = std::mem::replace(&mut self.lives[number], Life::Down(now)) else {
            unreachable!("it runs");
        };
        match self.chance.below(10) {
            0..4 => {
                self.count("killed");
                running.kill();
                if self.chance.below(3) == 0 {
                    self.count("disk lost");
                    let store = self.deployment.store(INSTANCES[number]);
                    // It may have been killed before it made one.
                    drop(std::fs::remove_dir_all(store));
                }
                // A session is 6 s: some are back before it ends.
                self.lives[number] = Life::Down(self.soon(Duration::from_secs(9)));
            }
            4..7 => {
                self.count("stalled");
                running.signal("STOP");
                let until = self.soon(Duration::from_secs(10));
                self.lives[number] = Life::Stalled(running, until);
            }
            _ => {
                self.count("stopped");
                running.signal("TERM");
                let seen = std::sync::Arc::clone(&running.seen);
                let code = running.code();
                let seen = seen.lock().unwrap();
                // Before the process listens for the signal, the signal itself ends it.
                let is_early = code.is_none() && seen.is_empty();
                let is_clean = code == Some(0) || code == Some(FENCED) || is_early;
                assert!(is_clean, "{code:?}: {seen:#?}");
                self.lives[number] = Life::Down(self.soon(Duration::from_secs(9)));
            }
        }
    }

    fn go_on_for(&mut self, duration: Duration) {
        let until = Instant::now() + duration;
        let mut next_blow = self.soon(Duration::from_secs(5));
        while Instant::now() < until {
            for number in 0..INSTANCES.len() {
                self.advance(number);
            }
            if Instant::now() >= next_blow {
                let number = self.chance.below(3) as usize;
                if matches!(self.lives[number], Life::Up(_)) {
                    self.strike(number);
                }
                next_blow = self.soon(Duration::from_secs(4));
            }
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }

    /// Waits until all instances run and have worked off the input.
    fn settle(&mut self) {
        let deadline = Instant::now() + SETTLE_PATIENCE;
        let is_up = |chaos: &Self| chaos.lives.iter().all(|life| matches!(life, Life::Up(_)));
        while !is_up(self) || !group::is_caught_up(&self.deployment) {
            for number in 0..INSTANCES.len() {
                self.advance(number);
            }
            assert!(Instant::now() < deadline, "it does not come to rest");
            std::thread::park_timeout(Duration::from_millis(100));
        }
    }
}

pub fn random_blows() {
    let seed = seed_of("three_instances");
    let duration = duration();
    let mut chaos = Chaos::new(seed);
    let expected_events = (duration.as_secs_f64() * EVENTS_PER_SECOND) as u64;
    let customers = 100 + u32::try_from(expected_events / EVENTS_PER_CUSTOMER).unwrap();
    let feed = Feed::start(&chaos.deployment, shop(customers, seed), EVENTS_PER_SECOND);
    chaos.go_on_for(duration);
    println!("done in {} s: {:?}", duration.as_secs(), chaos.done);
    feed.finish();
    chaos.settle();
    let expected = Expected::of(&chaos.deployment);
    let addresses = chaos.addresses;
    let members: Vec<Member<'_>> = INSTANCES
        .iter()
        .zip(addresses)
        .map(|(instance, address)| Member { instance, address })
        .collect();
    // An instance that finds out late that it was fenced is started again meanwhile.
    wait_at_most(SETTLE_PATIENCE, "each instance has partitions", || {
        for number in 0..INSTANCES.len() {
            chaos.advance(number);
        }
        let shared = group::members(&chaos.deployment);
        shared.len() == 6 && shared.values().all(|partitions| *partitions > 0)
    });
    expected.wait_for(&chaos.deployment, &members);
    let last = chaos.deployment.store(INSTANCES[2]);
    for (number, life) in chaos.lives.into_iter().enumerate() {
        let Life::Up(running) = life else {
            panic!("all instances run");
        };
        // What an instance gives up when it stops comes to the others.
        if number == 2 {
            wait_owned(&last, 12, Duration::ZERO);
        }
        running.signal("TERM");
        assert_eq!(running.code(), Some(0));
    }
    expected.assert_stores(&chaos.deployment, &INSTANCES[2..]);
    expected.assert_outputs(&chaos.deployment);
    assert!(chaos.deployment.changelog() == expected.export);
}
