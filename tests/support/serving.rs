//! A running service as a test waits for it.

use std::path::Path;
use std::time::Duration;
use std::time::Instant;

const PATIENCE: Duration = Duration::from_secs(60);

/// Asks until there is an answer.
pub fn wait_for<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "no {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// Whether its partitions are open, so that it takes events.
pub fn is_ready(address: &str) -> bool {
    ureq::get(format!("http://{address}/readyz")).call().is_ok()
}

/// Where the service answers that has its store below `root`, once it is ready.
pub fn ready_address(root: &Path) -> String {
    let noted = root.join("store/http.address");
    let address = wait_for("address of HTTP", || std::fs::read_to_string(&noted).ok());
    let address = address.trim().to_owned();
    wait_for("readiness", || is_ready(&address).then_some(()));
    address
}
