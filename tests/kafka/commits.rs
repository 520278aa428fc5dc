//! Something happens between the moment a worker asks the broker to commit and the moment it knows the outcome.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use crate::deployment::Deployment;
use crate::deployment::wait_owned;
use crate::deployment::wait_until;
use crate::expected;
use crate::expected::Expected;
use crate::expected::Member;
use crate::feed::Feed;
use crate::feed::shop;
use crate::losses::share_all;
use crate::proxy::END_TXN;
use crate::proxy::Fate;
use crate::proxy::MemberConnections;
use crate::proxy::SYNC_GROUP;
use crate::proxy::proxy;
use crate::running::Running;
use crate::scraper::free_address;
use crate::scraper::get;

/// How long a worker is watched that may not go on.
const LOOK_ON: Duration = Duration::from_secs(2);

/// A deployment behind the proxy.
pub struct Scene {
    pub deployment: Deployment,
    /// The instance that the proxy knows.
    pub id: &'static str,
    member: Member<'static>,
    settings: Vec<String>,
}

impl Scene {
    /// The group's name does not begin with the instance's id, so that a request names a member by that id alone.
    pub fn new(name: &str, id: &'static str, extra: &[&str]) -> Self {
        let proxy = proxy();
        let deployment = Deployment::on(&proxy.node.brokers, name);
        let address = free_address();
        let mut settings = vec![
            format!("kafka.brokers={}", proxy.brokers),
            format!("instance.id={id}"),
            format!("http.address={address}"),
        ];
        settings.extend(
            extra
                .iter()
                .chain(&expected::SETTINGS)
                .map(|each| (*each).to_owned()),
        );
        Self {
            deployment,
            id,
            member: Member {
                instance: "a",
                address,
            },
            settings,
        }
    }

    /// Where the instance answers.
    pub fn address(&self) -> std::net::SocketAddr {
        self.member.address
    }

    /// Starts the instance when it may not get all partitions.
    pub fn start_again(&self) -> Running {
        let settings: Vec<&str> = self.settings.iter().map(String::as_str).collect();
        self.deployment.start("a", &settings)
    }

    pub fn start(&self) -> Running {
        let running = self.start_again();
        wait_owned(&self.deployment.store("a"), 12, Duration::ZERO);
        running
    }

    /// The id of a worker's transactions.
    pub fn transactional_id(&self, worker: usize) -> String {
        format!("{}-{}-{worker}", self.deployment.name, self.id)
    }

    /// Everything is as the fold has it, and stays so when the instances stop.
    pub fn end(&self, feed: Feed, mut others: Vec<(Member<'static>, Running)>, running: Running) {
        feed.finish();
        let expected = Expected::of(&self.deployment);
        let mut members = vec![self.member];
        members.extend(others.iter().map(|(member, _)| *member));
        expected.wait_for(&self.deployment, &members);
        for running in others
            .drain(..)
            .map(|(_, running)| running)
            .chain([running])
        {
            running.signal("TERM");
            assert_eq!(running.code(), Some(0));
        }
        let expected = Expected::of(&self.deployment);
        wait_until("the changelog has the fold's state", || {
            self.deployment.changelog() == expected.export
        });
        expected.assert_outputs(&self.deployment);
    }
}

pub fn revoked_while_it_commits() {
    // The transaction may be open for as long as the group takes.
    let scene = Scene::new(
        "revoked",
        "one-revoked",
        &["workers=1", "kafka.transaction_timeout=60s"],
    );
    let deployment = &scene.deployment;
    let running = scene.start();
    let feed = Feed::start(deployment, shop(150, 2), 100.0);
    feed.wait_sent(300);
    let is_held = Arc::new(AtomicBool::new(true));
    let has_held = Arc::new(AtomicBool::new(false));
    let has_synced = Arc::new(AtomicBool::new(false));
    let of_rule = [&is_held, &has_held, &has_synced].map(Arc::clone);
    proxy().rule(scene.id, move |request| {
        let [is_held, has_held, has_synced] = &of_rule;
        if !is_held.load(Ordering::Relaxed) {
            return Fate::Pass;
        }
        if request.api == END_TXN {
            has_held.store(true, Ordering::Relaxed);
            return Fate::Hold;
        }
        if request.api == SYNC_GROUP && has_held.load(Ordering::Relaxed) {
            has_synced.store(true, Ordering::Relaxed);
        }
        Fate::Pass
    });
    wait_until("a commit is under way", || has_held.load(Ordering::Relaxed));
    let address = free_address();
    let second_address = format!("http.address={address}");
    let settings = ["workers=1", "instance.id=other", &second_address];
    let second = deployment.start("b", &[settings.as_slice(), &expected::SETTINGS].concat());
    wait_until("the group takes partitions from the worker", || {
        has_synced.load(Ordering::Relaxed)
    });
    let is_revoked = |line: &String| line.contains("partitions revoked");
    let is_told = running.seen.lock().unwrap().iter().any(is_revoked);
    assert!(!is_told, "the worker still commits");
    is_held.store(false, Ordering::Relaxed);
    running.wait_for("partitions revoked");
    wait_owned(&deployment.store("b"), 3, Duration::from_secs(1));
    let other = Member {
        instance: "b",
        address,
    };
    proxy().pass(scene.id);
    scene.end(feed, vec![(other, second)], running);
}

pub fn lost_while_it_commits() {
    let scene = Scene::new(
        "lost",
        "one-lost",
        &["workers=2", "kafka.transaction_timeout=60s"],
    );
    let deployment = &scene.deployment;
    let running = scene.start();
    let names = [0, 1].map(|worker| format!("{}-{worker}", scene.id));
    wait_until("both workers have partitions", || {
        share_all(deployment, &[&names[0], &names[1]])
    });
    let feed = Feed::start(deployment, shop(150, 3), 100.0);
    feed.wait_sent(300);
    let is_held = Arc::new(AtomicBool::new(true));
    let has_held = Arc::new(AtomicBool::new(false));
    let of_rule = [&is_held, &has_held].map(Arc::clone);
    let (loser, transactions) = (names[0].clone(), scene.transactional_id(0));
    let connections = MemberConnections::default();
    proxy().rule(scene.id, move |request| {
        let [is_held, has_held] = &of_rule;
        let is_member = connections.have(request, &loser);
        if !is_held.load(Ordering::Relaxed) {
            return Fate::Pass;
        }
        if request.api == END_TXN && request.names(&transactions) {
            has_held.store(true, Ordering::Relaxed);
            return Fate::Hold;
        }
        // From the commit on the worker has no coordinator.
        if is_member && has_held.load(Ordering::Relaxed) {
            return Fate::Cut;
        }
        Fate::Pass
    });
    wait_until("a commit is under way", || has_held.load(Ordering::Relaxed));
    wait_until("the other worker has everything", || {
        share_all(deployment, &[&names[1]])
    });
    // It may not go on before it is known what the open transaction did.
    let is_ready = || get(scene.member.address, "/readyz", &[]).is_ok();
    wait_until("the other worker waits", || !is_ready());
    let until = Instant::now() + LOOK_ON;
    while Instant::now() < until {
        assert!(!is_ready(), "the transaction is still open");
        std::thread::park_timeout(Duration::from_millis(50));
    }
    is_held.store(false, Ordering::Relaxed);
    wait_until("everything is restored", is_ready);
    wait_until("both workers have partitions again", || {
        share_all(deployment, &[&names[0], &names[1]])
    });
    proxy().pass(scene.id);
    scene.end(feed, Vec::new(), running);
}

pub fn unknown_outcomes() {
    let scene = Scene::new(
        "unknown",
        "one-unknown",
        &["workers=1", "log.filter=info,segstream::telemetry=trace"],
    );
    let running = scene.start();
    let feed = Feed::start(&scene.deployment, shop(150, 4), 60.0);
    feed.wait_sent(200);
    for is_applied in [true, false] {
        let asked = Arc::new(AtomicU64::new(0));
        let of_rule = Arc::clone(&asked);
        let lost_before = proxy().lost_answers(scene.id).len();
        proxy().rule(scene.id, move |request| {
            if request.api != END_TXN {
                return Fate::Pass;
            }
            let number = of_rule.fetch_add(1, Ordering::Relaxed);
            if is_applied && number == 0 {
                Fate::LoseAnswer
            } else {
                Fate::Cut
            }
        });
        running.wait_until("an unknown outcome", |line| {
            line.contains("a commit failed") && line.contains("unknown")
        });
        proxy().pass(scene.id);
        let lost = proxy().lost_answers(scene.id);
        let codes: Vec<i16> = lost[lost_before..]
            .iter()
            .map(|answer| answer.error)
            .collect();
        let expected: &[i16] = if is_applied { &[0] } else { &[] };
        assert_eq!(codes, expected, "what the broker answered");
        println!(
            "applied: {is_applied}, asked {} times",
            asked.load(Ordering::Relaxed)
        );
        running.wait_for("transaction committed");
    }
    scene.end(feed, Vec::new(), running);
}
