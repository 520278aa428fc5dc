//! An export of a running deployment, of HTTP and of stopped stores: the same numbers as of the same clocks.

use std::time::Duration;

use crate::deployment::Deployment;
use crate::deployment::wait_owned;
use crate::expected;
use crate::expected::Expected;
use crate::expected::Member;
use crate::feed::Feed;
use crate::feed::shop;
use crate::group;
use crate::scraper::free_address;

/// The second instance restores the state of the first one into a store of the other engine.
pub fn as_of_the_clocks() {
    let deployment = Deployment::new("exports");
    let feed = Feed::start(&deployment, shop(120, 31), 2000.0);
    feed.wait_sent(2500);
    feed.finish();
    for (instance, engine) in [("a", "store.engine=fjall"), ("b", "store.engine=sled")] {
        let member = Member {
            instance,
            address: free_address(),
        };
        let address = format!("http.address={}", member.address);
        let id = format!("instance.id={}", deployment.topic(instance));
        let settings = [
            &[address.as_str(), engine, &id],
            expected::SETTINGS.as_slice(),
        ]
        .concat();
        let running = deployment.start(instance, &settings);
        wait_owned(&deployment.store(instance), 12, Duration::ZERO);
        group::wait_caught_up(&deployment, &running);
        let expected = Expected::of(&deployment);
        expected.wait_for(&deployment, &[member]);
        running.signal("TERM");
        assert_eq!(running.code(), Some(0));
        let by_clock = deployment.text(instance, &["state", "export", "--set", engine]);
        assert!(by_clock == deployment.changelog_by_clock(), "{engine}");
        // An instant at which many changes are due and none is committed.
        let later = ["--as-of", "2031-01-01T00:00:00Z"];
        let of_changelog = deployment.text(
            "export",
            &[&["state", "export", "--changelog"], later.as_slice()].concat(),
        );
        let of_stores = deployment.text(
            instance,
            &[&["state", "export", "--set", engine], later.as_slice()].concat(),
        );
        assert!(of_changelog == of_stores, "{engine}");
        assert!(of_changelog.contains("\"confidence\":0.0"), "{engine}");
        let too_early = ["--as-of", "2009-12-31T23:59:59.999Z"];
        let refused = deployment.output(
            "export",
            &[&["state", "export", "--changelog"], too_early.as_slice()].concat(),
        );
        assert_eq!(refused.status.code(), Some(2));
        assert!(refused.stdout.is_empty());
    }
}
