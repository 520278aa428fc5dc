//! Requests of a transaction that are cut off, stall, or get no answer, and producers that the broker has ended.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use rdkafka::config::ClientConfig;
use rdkafka::producer::BaseProducer;
use rdkafka::producer::Producer;

use crate::PATIENCE;
use crate::commits::Scene;
use crate::deployment::Deployment;
use crate::deployment::topic_tool;
use crate::deployment::wait_owned;
use crate::deployment::wait_until;
use crate::expected;
use crate::expected::Expected;
use crate::expected::Member;
use crate::feed::Feed;
use crate::feed::shop;
use crate::group;
use crate::is_long;
use crate::proxy::ADD_OFFSETS_TO_TXN;
use crate::proxy::ADD_PARTITIONS_TO_TXN;
use crate::proxy::END_TXN;
use crate::proxy::FIND_COORDINATOR;
use crate::proxy::Fate;
use crate::proxy::INIT_PRODUCER_ID;
use crate::proxy::PRODUCE;
use crate::proxy::TXN_OFFSET_COMMIT;
use crate::proxy::proxy;
use crate::running::Running;
use crate::scraper::free_address;
use crate::scraper::get;

/// The code of an instance whose id another process has taken over.
const FENCED: i32 = 5;
/// That of an instance which cannot work as its topics are.
const WRONG_ENVIRONMENT: i32 = 4;
/// Longer than `kafka.transaction_timeout` of a deployment, and than the broker takes to end such a transaction.
const STALL: Duration = Duration::from_secs(8);
/// The log names each transaction.
const TRACED: &str = "log.filter=info,segstream::telemetry=trace";

/// What becomes of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blow {
    Cut,
    LoseAnswer,
    Stall,
}

fn committed(running: &Running) -> usize {
    let seen = running.seen.lock().unwrap();
    let lines = seen.iter();
    lines
        .filter(|line| line.contains("transaction committed"))
        .count()
}

fn wait_committed(running: &Running, what: &str) {
    let before = committed(running);
    wait_until(&format!("a transaction after {what}"), || {
        committed(running) > before
    });
}

/// Every type of request that a transaction needs meets every blow.
pub fn blows_on_each_request() {
    let extra = ["workers=1", "commit.interval=100ms", TRACED];
    let scene = Scene::new("requests", "one-requests", &extra);
    let running = scene.start();
    let feed = Feed::start(&scene.deployment, shop(2000, 6), 40.0);
    feed.wait_sent(100);
    let of_a_new_producer = [FIND_COORDINATOR, INIT_PRODUCER_ID];
    for api in [
        ADD_PARTITIONS_TO_TXN,
        PRODUCE,
        ADD_OFFSETS_TO_TXN,
        TXN_OFFSET_COMMIT,
        END_TXN,
        FIND_COORDINATOR,
        INIT_PRODUCER_ID,
    ] {
        for blow in [Blow::Cut, Blow::LoseAnswer, Blow::Stall] {
            let is_first = [PRODUCE, END_TXN, INIT_PRODUCER_ID].contains(&api);
            if blow == Blow::Stall && !is_first && !is_long() {
                continue;
            }
            let struck_at = Arc::new(Mutex::new(None::<Instant>));
            let of_rule = Arc::clone(&struck_at);
            proxy().rule(scene.id, move |request| {
                let mut struck_at = of_rule.lock().unwrap();
                // A commit of unknown outcome makes the worker begin with a new producer.
                let needs_a_new_one = of_a_new_producer.contains(&api) && struck_at.is_none();
                if request.api == END_TXN && needs_a_new_one {
                    return Fate::Cut;
                }
                // Each connection of the process asks for coordinators, that of the producer by the transactional id.
                let is_meant = request.api == api
                    && (api != FIND_COORDINATOR || request.names("one-requests-0"));
                if !is_meant {
                    return Fate::Pass;
                }
                match (blow, *struck_at) {
                    (Blow::Stall, Some(at)) if at.elapsed() < STALL => Fate::Hold,
                    (_, Some(_)) => Fate::Pass,
                    (_, None) => {
                        *struck_at = Some(Instant::now());
                        match blow {
                            Blow::Cut => Fate::Cut,
                            Blow::LoseAnswer => Fate::LoseAnswer,
                            Blow::Stall => Fate::Hold,
                        }
                    }
                }
            });
            wait_until("the request", || struck_at.lock().unwrap().is_some());
            if blow == Blow::Stall {
                wait_until("the end of the stall", || {
                    let at = *struck_at.lock().unwrap();
                    at.is_some_and(|at| at.elapsed() >= STALL)
                });
            }
            wait_committed(&running, &format!("{blow:?} of request {api}"));
            println!("request {api}: {blow:?}");
        }
    }
    proxy().pass(scene.id);
    scene.end(feed, Vec::new(), running);
}

/// The value of a counter on the page of an instance.
fn counter(scene: &Scene, name: &str) -> u64 {
    let page = get(scene.address(), "/metrics", &[]).unwrap();
    let line = page.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("{name} in {page}"))
        .trim()
        .parse()
        .unwrap()
}

/// The answer to a commit is lost: where the client may ask again, it finds out; where it may not, the group says later what
/// became of the transaction.
pub fn unanswered_commits() {
    let rounds = if is_long() { 50 } else { 6 };
    let extra = ["workers=1", "commit.interval=100ms", TRACED];
    let scene = Scene::new("unanswered", "one-unanswered", &extra);
    let running = scene.start();
    let feed = Feed::start(&scene.deployment, shop(2000, 7), 40.0);
    feed.wait_sent(100);
    let [mut committed, mut aborted] = [0, 0];
    for round in 0..rounds {
        let [is_answer_lost, is_asked_again] = [round % 3 != 2, round % 3 == 0];
        let asked = Arc::new(AtomicU64::new(0));
        let of_rule = Arc::clone(&asked);
        let lost_before = proxy().lost_answers(scene.id).len();
        proxy().rule(scene.id, move |request| {
            if request.api != END_TXN {
                return Fate::Pass;
            }
            match of_rule.fetch_add(1, Ordering::Relaxed) {
                0 if is_answer_lost => Fate::LoseAnswer,
                _ if is_asked_again => Fate::Pass,
                _ => Fate::Cut,
            }
        });
        wait_until("a commit", || asked.load(Ordering::Relaxed) > 0);
        if !is_asked_again {
            running.wait_until("an unknown outcome", |line| {
                line.contains("a commit failed") && line.contains("unknown")
            });
            proxy().pass(scene.id);
            running.wait_for("a transaction of unknown outcome is decided");
            let codes = proxy().lost_answers(scene.id)[lost_before..].to_vec();
            let expected = if is_answer_lost { 1 } else { 0 };
            assert_eq!(codes.len(), expected, "{codes:?}");
            match codes.first() {
                Some(answer) => {
                    assert_eq!(answer.error, 0, "the broker committed");
                    committed += 1;
                }
                None => aborted += 1,
            }
        }
        wait_committed(&running, &format!("round {round}"));
    }
    println!("{rounds} rounds: {committed} unknown were committed, {aborted} aborted");
    let decided = |outcome: &str| {
        let name = format!("segstream_unknown_transactions_total{{outcome=\"{outcome}\"}}");
        counter(&scene, &name)
    };
    assert_eq!(decided("committed"), committed);
    assert_eq!(decided("aborted"), aborted);
    assert_eq!(decided("undetermined"), 0);
    proxy().pass(scene.id);
    scene.end(feed, Vec::new(), running);
}

/// As the late request of a producer that was given up, or another process: the broker ends the worker's producer.
fn take_id(scene: &Scene) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &scene.deployment.brokers)
        .set("transactional.id", scene.transactional_id(0))
        .create()
        .unwrap();
    producer.init_transactions(PATIENCE).unwrap();
}

/// Holds a request until another producer has the id.
fn take_over(scene: &Scene, api: i16) {
    let [is_held, has_held] = [true, false].map(AtomicBool::new).map(Arc::new);
    let of_rule = [&is_held, &has_held].map(Arc::clone);
    proxy().rule(scene.id, move |request| {
        let [is_held, has_held] = &of_rule;
        if request.api == api && is_held.load(Ordering::Relaxed) {
            has_held.store(true, Ordering::Relaxed);
            return Fate::Hold;
        }
        Fate::Pass
    });
    wait_until("the request", || has_held.load(Ordering::Relaxed));
    take_id(scene);
    is_held.store(false, Ordering::Relaxed);
}

/// In each step of a transaction; the second time soon after the first one is another process.
pub fn ended_producers() {
    let steps = [ADD_OFFSETS_TO_TXN, END_TXN, ADD_PARTITIONS_TO_TXN];
    let count = if is_long() { 3 } else { 2 };
    for (number, api) in steps.into_iter().take(count).enumerate() {
        let id = ["one-ended-0", "one-ended-1", "one-ended-2"][number];
        let extra = ["workers=1", "commit.interval=100ms", TRACED];
        let scene = Scene::new(&format!("ended-{number}"), id, &extra);
        let running = scene.start();
        let feed = Feed::start(&scene.deployment, shop(500, 8), 40.0);
        feed.wait_sent(50);
        take_over(&scene, api);
        running.wait_for("the broker has ended the producer");
        wait_committed(&running, "the first time");
        take_over(&scene, api);
        let seen = Arc::clone(&running.seen);
        assert_eq!(running.code(), Some(FENCED), "{:#?}", seen.lock().unwrap());
        proxy().pass(scene.id);
        let running = scene.start();
        scene.end(feed, Vec::new(), running);
    }
}

/// Another process of the same id, with a store of its own, is started beside the first one: one of the two ends, and says
/// why.
pub fn two_of_one_id() {
    let deployment = Deployment::new("twins");
    let members = ["a", "b"].map(|instance| Member {
        instance,
        address: free_address(),
    });
    let id = format!("instance.id={}", deployment.topic("twin"));
    let start = |member: &Member<'_>| {
        let address = format!("http.address={}", member.address);
        let settings = [id.as_str(), &address, "commit.interval=20ms", TRACED];
        deployment.start(
            member.instance,
            &[settings.as_slice(), &expected::SETTINGS].concat(),
        )
    };
    let feed = Feed::start(&deployment, shop(500, 9), 100.0);
    let first = start(&members[0]);
    wait_owned(&deployment.store("a"), 12, Duration::ZERO);
    wait_committed(&first, "the start");
    let mut running = [Some(first), Some(start(&members[1]))];
    let mut ended = None;
    wait_until("one of the two ends", || {
        for (number, one) in running.iter_mut().enumerate() {
            let status = one.as_mut().unwrap().child.try_wait().unwrap();
            ended = ended.or(status.map(|status| (number, status.code())));
        }
        ended.is_some()
    });
    let (loser, code) = ended.unwrap();
    let seen = Arc::clone(&running[loser].as_ref().unwrap().seen);
    let seen = seen.lock().unwrap();
    assert_eq!(code, Some(FENCED), "{seen:#?}");
    let last = seen.last().unwrap();
    assert!(last.contains("taken over the id"), "{last}");
    feed.finish();
    let winner = running[1 - loser].take().unwrap();
    group::wait_caught_up(&deployment, &winner);
    Expected::of(&deployment).wait_for(&deployment, &[members[1 - loser]]);
    let seen = Arc::clone(&winner.seen);
    winner.signal("TERM");
    assert_eq!(winner.code(), Some(0), "{:#?}", seen.lock().unwrap());
}

/// A process that does not run for longer than a transaction may be open, and in the second deployment than its session,
/// goes on, whatever it was doing.
pub fn stopped_past_its_transactions() {
    let stops = if is_long() { 10 } else { 2 };
    for (name, id, session) in [
        ("pauses", "one-paused", "kafka.session_timeout=60s"),
        ("sessions", "one-asleep", "kafka.session_timeout=6s"),
    ] {
        let extra = ["workers=2", "commit.interval=20ms", session, TRACED];
        let scene = Scene::new(name, id, &extra);
        let running = scene.start();
        let feed = Feed::start(&scene.deployment, shop(1000, 10), 100.0);
        feed.wait_sent(100);
        for number in 0..stops {
            running.signal("STOP");
            let until = Instant::now() + STALL;
            wait_until("the end of the pause", || Instant::now() >= until);
            running.signal("CONT");
            wait_committed(&running, &format!("pause {number}"));
            // Anywhere in a transaction or between two.
            let until = Instant::now() + Duration::from_millis(307 + 41 * number);
            wait_until("the next pause", || Instant::now() >= until);
        }
        scene.end(feed, Vec::new(), running);
    }
}

/// A topic that is deleted ends the service after a while, with its name.
pub fn deleted_topic() {
    let deployment = Deployment::new("deleted");
    let running = deployment.start("a", &["commit.interval=100ms"]);
    wait_owned(&deployment.store("a"), 12, Duration::ZERO);
    let topic = deployment.topic("letters");
    topic_tool(&["--delete", "--topic", &topic]);
    // One event in ten is dirt.
    let feed = Feed::start(&deployment, shop(500, 16), 20.0);
    running.wait_for(&format!("the cluster shows no topic {topic} any more"));
    assert_eq!(running.code(), Some(WRONG_ENVIRONMENT));
    feed.finish();
}
