//! A member is started again between the generation that takes partitions from it and the one that gives them to
//! another member.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use crate::commits::Scene;
use crate::deployment::owned;
use crate::deployment::wait_until;
use crate::expected;
use crate::expected::Member;
use crate::feed::Feed;
use crate::feed::shop;
use crate::group;
use crate::proxy::Fate;
use crate::proxy::JOIN_GROUP;
use crate::proxy::proxy;
use crate::scraper::free_address;

/// The group can end a session only after this long; the member is back earlier.
const SESSION: &str = "kafka.session_timeout=30s";

pub fn restarted_between_two_generations() {
    let scene = Scene::new("vacant", "one-vacant", &["workers=1", SESSION]);
    let deployment = &scene.deployment;
    let running = scene.start();
    let feed = Feed::start(deployment, shop(150, 6), 50.0);
    feed.wait_sent(200);
    let (has_asked, has_held, is_gone) = <(AtomicBool, AtomicBool, AtomicBool)>::default();
    let state = Arc::new((has_asked, has_held, is_gone, AtomicU64::new(u64::MAX)));
    let of_rule = Arc::clone(&state);
    proxy().rule(scene.id, move |request| {
        let (has_asked, has_held, is_gone, connection) = &*of_rule;
        if connection.load(Ordering::Relaxed) == request.connection {
            // What the killed process has asked for does not reach the broker.
            return if is_gone.load(Ordering::Relaxed) {
                Fate::Cut
            } else {
                Fate::Hold
            };
        }
        // The first is for the generation that takes partitions from it, the second for the next one.
        if request.api != JOIN_GROUP || !has_asked.swap(true, Ordering::Relaxed) {
            return Fate::Pass;
        }
        if has_held.swap(true, Ordering::Relaxed) {
            return Fate::Pass;
        }
        connection.store(request.connection, Ordering::Relaxed);
        Fate::Hold
    });
    let (_, has_held, is_gone, _) = &*state;
    let address = free_address();
    let second_address = format!("http.address={address}");
    let settings = ["workers=1", "instance.id=other", SESSION, &second_address];
    let second = deployment.start("b", &[settings.as_slice(), &expected::SETTINGS].concat());
    wait_until(
        "it has handed over and asks for the next generation",
        || has_held.load(Ordering::Relaxed),
    );
    running.kill();
    is_gone.store(true, Ordering::Relaxed);
    let running = scene.start_again();
    wait_until("the group is stable, and partitions have no owner", || {
        group::members(deployment).values().sum::<usize>() == 6
    });
    wait_until("every partition has an owner", || {
        owned(&deployment.store("a")) + owned(&deployment.store("b")) == 12
    });
    let member = Member {
        instance: "b",
        address,
    };
    feed.wait_sent(600);
    scene.end(feed, vec![(member, second)], running);
}
