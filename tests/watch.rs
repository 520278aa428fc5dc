//! What watches the program holds together: the compose file, the alerts, and the dashboard on a real
//! Prometheus that scrapes two instances on real Kafka.
//!
//! Where a tool or Kafka is missing, what needs it shows as ignored with the reason, unless
//! `SEGSTREAM_REQUIRE_WATCH` or `SEGSTREAM_REQUIRE_KAFKA` is 1.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::too_many_lines,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::wildcard_enum_match_arm,
    missing_docs,
    reason = "a test may panic, and says what it saw"
)]

#[path = "watch/confinement.rs"]
mod confinement;
#[path = "watch/container.rs"]
mod container;
#[path = "support/kafka.rs"]
mod kafka;
#[path = "watch/pinning.rs"]
mod pinning;
// Not `prometheus`: that is the crate.
#[path = "support/prometheus.rs"]
mod scraper;

use std::collections::BTreeMap;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use libtest_mimic::Arguments;
use libtest_mimic::Failed;
use libtest_mimic::Trial;
use scraper::Prometheus;
use serde_json::Value;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(100);
/// What `topics create` makes.
const PARTITIONS: usize = 12;

/// Customers by segment and band of churn risk.
type Risks = BTreeMap<(String, String), u64>;

/// Its sentence, what proves it, and why it cannot be run here.
type Test = (&'static str, fn(), Option<String>);

fn main() {
    let arguments = Arguments::from_args();
    let tests: [Test; 12] = [
        (
            "the_compose_file_is_valid_against_the_schema",
            compose_file,
            lacks("docker-compose"),
        ),
        (
            "every_service_is_confined_and_limited",
            confinement::every_service,
            lacks("docker-compose"),
        ),
        (
            "a_service_that_is_less_confined_is_named_with_what_it_can_do",
            confinement::loosened_services,
            lacks("docker-compose"),
        ),
        (
            "a_service_that_is_added_without_limits_is_found",
            confinement::added_service,
            lacks("docker-compose"),
        ),
        (
            "every_image_has_an_exact_version",
            confinement::exact_images,
            None,
        ),
        (
            "the_embedded_log_is_in_a_volume_with_a_name_that_the_image_s_user_owns",
            confinement::embedded_log,
            lacks("docker-compose"),
        ),
        (
            "the_image_is_built_from_all_that_the_sources_take_in",
            confinement::build_context,
            None,
        ),
        (
            "each_image_of_others_is_pinned_to_its_digest_or_none_is",
            pinning::digests,
            None,
        ),
        (
            "the_service_needs_no_rights_and_writes_in_its_volume_alone",
            container::confined_service,
            container::lacks_confinement(),
        ),
        (
            "without_its_volume_the_service_ends_and_says_so",
            container::service_without_volume,
            container::lacks_confinement(),
        ),
        (
            "promtool_finds_nothing_wrong_and_every_alert_is_tested",
            alerts,
            lacks("promtool"),
        ),
        (
            "two_instances_show_what_they_hold_to_a_real_prometheus",
            two_instances,
            lacks("prometheus").or_else(lacks_kafka),
        ),
    ];
    let trials = tests.map(|(name, test, reason)| {
        if let Some(reason) = &reason {
            eprintln!("{name} is ignored: {reason}");
        }
        let run = move || -> Result<(), Failed> {
            test();
            Ok(())
        };
        Trial::test(name, run).with_ignored_flag(reason.is_some())
    });
    libtest_mimic::run(&arguments, trials.into()).exit();
}

fn is_required(variable: &str) -> bool {
    std::env::var(variable).is_ok_and(|value| value == "1")
}

/// Why a tool cannot be used here; `None` also where it must be.
fn lacks(tool: &str) -> Option<String> {
    if is_required("SEGSTREAM_REQUIRE_WATCH") {
        return None;
    }
    let found = Command::new(tool)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let is_there = found.is_ok_and(|status| status.success());
    (!is_there).then(|| format!("{tool} is not there"))
}

fn lacks_kafka() -> Option<String> {
    if is_required("SEGSTREAM_REQUIRE_KAFKA") {
        return None;
    }
    kafka::why_not().map(|reason| format!("no Kafka: {reason}"))
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text_of(file: &str) -> String {
    let path = repository().join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Blanks at the start of a line.
fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Looks until there is something; the error says what is missing.
fn wait<T>(mut look: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look() {
            Ok(found) => return found,
            Err(missing) => assert!(Instant::now() < deadline, "{missing}"),
        }
        std::thread::park_timeout(LOOK);
    }
}

/// One of a process's outputs, read as it comes.
struct Lines {
    seen: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Lines {
    fn of(pipe: impl Read + Send + 'static) -> Self {
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let keep = Arc::clone(&seen);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                keep.lock().unwrap().push(line);
            }
        });
        Self {
            seen,
            reader: Some(reader),
        }
    }

    fn so_far(&self) -> String {
        self.seen.lock().unwrap().join("\n")
    }

    /// Everything; the process has ended.
    fn whole(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        self.so_far()
    }
}

/// A process; it is killed when this is dropped.
struct Running {
    child: Child,
    printed: Lines,
    said: Lines,
}

/// A process that ended with 0.
struct Ended {
    printed: String,
    said: String,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let printed = Lines::of(child.stdout.take().unwrap());
        let said = Lines::of(child.stderr.take().unwrap());
        Self {
            child,
            printed,
            said,
        }
    }

    /// Waits until it ends with 0.
    fn end(mut self, what: &str) -> Ended {
        let status = wait(|| {
            let status = self.child.try_wait().unwrap();
            status.ok_or_else(|| format!("{what} does not end:\n{}", self.said.so_far()))
        });
        let (printed, said) = (self.printed.whole(), self.said.whole());
        assert!(status.success(), "{what}: {status}\n{printed}\n{said}");
        Ended { printed, said }
    }

    /// Kills it as the system does.
    fn kill(mut self) {
        assert!(self.child.try_wait().unwrap().is_none(), "it still ran");
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Runs a command to its end, which must be 0.
fn succeeds(command: &mut Command) -> Ended {
    let running = Running::start(command);
    running.end(&format!("{command:?}"))
}

/// The lines of each service of the compose file, without comments.
fn services(text: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut services: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut is_within = false;
    let mut service = None;
    for line in text.lines() {
        let content = line.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        match indent(line) {
            0 => {
                is_within = content == "services:";
                service = None;
            }
            2 => service = content.strip_suffix(':').filter(|_| is_within),
            _ => {
                if let Some(service) = service {
                    services.entry(service).or_default().push(content);
                }
            }
        }
    }
    services
}

fn compose_file() {
    succeeds(
        Command::new("docker-compose")
            .args(["-f", "docker-compose.yml", "config", "-q"])
            .current_dir(repository()),
    );
    let text = text_of("docker-compose.yml");
    let services = services(&text);
    let lines: Vec<&str> = services.values().flatten().copied().collect();

    // What is mounted is there, and so is what a variable names below it.
    let mounts: Vec<(&str, &str)> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("- ./")?.split_once(':'))
        .map(|(source, rest)| (source, rest.trim_end_matches(":ro")))
        .collect();
    assert!(mounts.len() >= 3, "{mounts:?}");
    for (source, target) in mounts {
        let source = repository().join(source);
        assert!(source.exists(), "{} is mounted", source.display());
        for value in lines
            .iter()
            .filter_map(|line| line.split_once(": ")?.1.strip_prefix(target))
        {
            let named = source.join(value.trim_start_matches('/'));
            assert!(named.exists(), "{} is named", named.display());
        }
    }

    // The program accepts what it is given. The volume is a folder here, with a token in it.
    let volume = tempfile::tempdir().unwrap();
    std::fs::write(volume.path().join("token"), "the-token-of-a-test").unwrap();
    let volume_path = volume.path().to_str().unwrap();
    let mut checked = 0;
    for lines in services.values() {
        let settings: Vec<(&str, &str)> = lines
            .iter()
            .filter(|line| line.starts_with("SEGSTREAM_"))
            .filter_map(|line| line.split_once(": "))
            .collect();
        if settings.is_empty() {
            continue;
        }
        checked += settings.len();
        let mut command = Command::new(env!("CARGO_BIN_EXE_segstream"));
        command
            .args(["config", "check"])
            .env_clear()
            .current_dir(volume.path());
        for (name, value) in settings {
            let value = value.trim_matches('"');
            command.env(name, value.replace("/var/lib/segstream", volume_path));
        }
        succeeds(&mut command);
    }
    let written = lines.iter().filter(|line| line.contains("SEGSTREAM_"));
    assert_eq!(checked, written.count(), "every setting was read");
    assert!(checked > 0);

    // Prometheus looks for the service by its name, at the port it listens on.
    let (discovery, _) = without_discovery("");
    for part in ["- segstream", "port: 8080"] {
        assert!(
            discovery.iter().any(|line| line.trim() == part),
            "{part} in {discovery:?}"
        );
    }
    let service = &services["segstream"];
    assert!(
        service.contains(&"SEGSTREAM_HTTP__ADDRESS: 0.0.0.0:8080"),
        "{service:?}"
    );
}

fn alerts() {
    for arguments in [
        &["check", "config", "config/prometheus/prometheus.yml"][..],
        &[
            "check",
            "rules",
            "--lint=all",
            "--lint-fatal",
            "config/prometheus/alerts.yml",
        ],
        &["test", "rules", "config/prometheus/alerts_test.yml"],
    ] {
        succeeds(
            Command::new("promtool")
                .args(arguments)
                .current_dir(repository()),
        );
    }
    let tests = text_of("config/prometheus/alerts_test.yml");
    let tests: Vec<&str> = tests.lines().map(str::trim).collect();
    let runbook = text_of("docs/RUNBOOK.md");
    let headings: Vec<&str> = runbook
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .collect();
    let names = alert_names();
    let mut missing = Vec::new();
    for name in &names {
        let named = format!("alertname: {name}");
        // Where it fires, what it says follows; where it does not, there is an empty list.
        let fires = tests.windows(2).any(|pair| {
            pair[0] == named && pair[1].starts_with("exp_alerts:") && !pair[1].ends_with("[]")
        });
        if !fires {
            missing.push(format!("{name} fires in no test"));
        }
        let is_quiet = tests.iter().zip(tests.iter().skip(1)).any(|(line, next)| {
            line.contains(&format!("{named}, exp_alerts: []"))
                || *line == named && *next == "exp_alerts: []"
        });
        if !is_quiet {
            missing.push(format!("{name} is quiet in no test"));
        }
        if !headings.contains(&name.as_str()) {
            missing.push(format!("{name} has no heading in the runbook"));
        }
    }
    for heading in headings {
        let is_of_an_alert = heading.starts_with("Segstream");
        if is_of_an_alert && !names.iter().any(|name| name == heading) {
            missing.push(format!("{heading} of the runbook is no alert"));
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

fn alert_names() -> Vec<String> {
    let rules = text_of("config/prometheus/alerts.yml");
    let names: Vec<String> = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .map(str::to_owned)
        .collect();
    assert!(!names.is_empty());
    names
}

/// The lines of the discovery in Prometheus's configuration, and the configuration with `instead` in
/// their place and the rules by their full path.
fn without_discovery(instead: &str) -> (Vec<String>, String) {
    let text = text_of("config/prometheus/prometheus.yml");
    let rules = repository().join("config/prometheus/alerts.yml");
    let mut discovery: Vec<String> = Vec::new();
    let mut kept = String::new();
    let (mut discoveries, mut rule_files) = (0, 0);
    let mut is_within = false;
    for line in text.lines() {
        if is_within && indent(line) > 4 {
            discovery.push(line.to_owned());
            continue;
        }
        is_within = line == "    dns_sd_configs:";
        if is_within {
            discoveries += 1;
            kept.push_str(instead);
        } else if line == "  - alerts.yml" {
            rule_files += 1;
            kept.push_str(&format!("  - \"{}\"\n", rules.display()));
        } else {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    assert_eq!(
        (discoveries, rule_files),
        (1, 1),
        "what is replaced:\n{text}"
    );
    (discovery, kept)
}

/// Topics and a group of a test's own.
struct Deployment {
    name: String,
    root: TempDir,
}

impl Deployment {
    fn new(name: &str) -> Self {
        let deployment = Self {
            name: format!("{name}-{}", std::process::id()),
            root: tempfile::tempdir().unwrap(),
        };
        succeeds(&mut deployment.command("setup", &["topics", "create"]));
        deployment
    }

    fn topic(&self, kind: &str) -> String {
        format!("{}.{kind}", self.name)
    }

    fn store(&self, instance: &str) -> PathBuf {
        self.root.path().join(instance)
    }

    fn command(&self, instance: &str, arguments: &[&str]) -> Command {
        let mut command = self.command_without_store(arguments);
        let store = format!("store.directory={}", self.store(instance).display());
        command.args(["--set", &store]);
        command
    }

    fn command_without_store(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_segstream"));
        command.args(arguments);
        for setting in [
            format!("kafka.brokers={}", kafka::brokers()),
            format!("kafka.group_id={}", self.name),
            "kafka.session_timeout=6s".to_owned(),
            "kafka.transaction_timeout=5s".to_owned(),
            format!("topics.events={}", self.topic("events")),
            format!("topics.changes={}", self.topic("changes")),
            format!("topics.current={}", self.topic("current")),
            format!("topics.state={}", self.topic("state")),
            format!("topics.dead_letters={}", self.topic("letters")),
            "http.address=".to_owned(),
            "time.clock=event".to_owned(),
            "workers=2".to_owned(),
        ] {
            // What a test says itself comes after, and the last of two counts.
            command.args(["--set", &setting]);
        }
        command
    }

    fn start(&self, name: &'static str, address: SocketAddr) -> Instance {
        let mut command = self.command(name, &["run"]);
        command.args(["--set", &format!("http.address={address}")]);
        Instance {
            name,
            address,
            running: Running::start(&mut command),
        }
    }

    /// Sends the events of a simulated shop and returns their number.
    fn feed(&self, days: &str, seed: &str) -> u64 {
        let target = format!("kafka://{}", self.topic("events"));
        let arguments = [
            "simulate",
            "--customers",
            "300",
            "--days",
            days,
            "--seed",
            seed,
            "--out",
            &target,
        ];
        let said = succeeds(&mut self.command("producer", &arguments)).said;
        let sent: Option<u64> = said
            .lines()
            .find_map(|line| line.strip_prefix("sent ")?.split(' ').next()?.parse().ok());
        sent.unwrap_or_else(|| panic!("no number of events in {said}"))
    }
}

/// `segstream run` with its page.
struct Instance {
    name: &'static str,
    address: SocketAddr,
    running: Running,
}

impl Instance {
    /// The values of a metric's series on its page; none while it does not answer.
    fn shown(&self, metric: &str) -> Vec<u64> {
        let page = scraper::get(self.address, "/metrics", &[]).unwrap_or_default();
        let values = page.lines().filter_map(|line| {
            let rest = line.strip_prefix(metric)?;
            // Not of a metric with a longer name.
            if !rest.starts_with(['{', ' ']) {
                return None;
            }
            let value = rest.rsplit(' ').next()?;
            Some(value.parse::<f64>().unwrap() as u64)
        });
        values.collect()
    }
}

/// Deliveries that both have committed since they were started.
fn committed(instances: [&Instance; 2]) -> u64 {
    let events = instances.map(|instance| instance.shown("segstream_events_total"));
    events.iter().flatten().sum()
}

/// Waits until both own partitions and have committed everything, and that many events if a number is given.
fn wait_caught_up(instances: [&Instance; 2], events: Option<u64>) {
    wait(|| {
        let committed = committed(instances);
        let lags = instances.map(|instance| instance.shown("segstream_consumer_lag_records"));
        let is_shared = lags.iter().all(|of_one| !of_one.is_empty());
        let is_whole = lags.iter().flatten().count() == PARTITIONS;
        let is_read = lags.iter().flatten().all(|lag| *lag == 0);
        if is_shared && is_whole && is_read && events.is_none_or(|events| events == committed) {
            return Ok(());
        }
        let said = instances.map(|one| format!("{}:\n{}", one.name, one.running.said.so_far()));
        Err(format!(
            "lags {lags:?}, committed {committed} of {events:?}\n{}",
            said.join("\n")
        ))
    });
}

/// Scrapes that succeeded, of the instance that has fewer of them.
fn scrapes(prometheus: &Prometheus) -> u64 {
    let of_each = prometheus.numbers(r#"sum_over_time(up{job="segstream"}[1h])"#);
    if of_each.len() < 2 {
        return 0;
    }
    of_each.iter().map(|one| *one as u64).min().unwrap_or(0)
}

fn wait_scraped(prometheus: &Prometheus, at_least: u64) {
    wait(|| {
        let scrapes = scrapes(prometheus);
        let is_enough = scrapes >= at_least;
        is_enough
            .then_some(())
            .ok_or_else(|| format!("{scrapes} of {at_least} scrapes"))
    });
}

fn two_instances() {
    let deployment = Deployment::new("watch");
    let first = deployment.start("a", scraper::free_address());
    let second = deployment.start("b", scraper::free_address());
    // Both before there are events, so that neither restores what the other counted.
    wait_caught_up([&first, &second], Some(0));
    let events = deployment.feed("60", "5");
    assert!(events > 0);
    wait_caught_up([&first, &second], Some(events));

    let targets = format!(
        "    static_configs:\n      - targets: [\"{}\", \"{}\"]\n",
        first.address, second.address
    );
    let (_, configuration) = without_discovery(&targets);
    let file = deployment.root.path().join("prometheus.yml");
    std::fs::write(&file, configuration).unwrap();
    let prometheus = Prometheus::start(&file, deployment.root.path());
    wait_scraped(&prometheus, 3);

    let address = second.address;
    second.running.kill();
    let second = deployment.start("b", address);
    let both = [&first, &second];
    wait_caught_up(both, None);
    // Its counters began again.
    let before = committed(both);
    // Twice the days: the same customers, and more of their purchases.
    let events = deployment.feed("120", "6");
    wait_caught_up(both, Some(before + events));
    wait_scraped(&prometheus, scrapes(&prometheus) + 6);

    assert_panels(&prometheus);
    assert_rules(&prometheus);
    assert_targets(&prometheus, both.map(|instance| instance.address));
    let lags = prometheus.numbers("segstream_consumer_lag_records");
    assert_eq!(lags.len(), PARTITIONS, "each partition has one owner");
    assert!(lags.iter().all(|lag| *lag as u64 == 0), "{lags:?}");
    let late = prometheus.numbers("segstream_deadline_lag_seconds");
    assert_eq!(late.len(), 2, "each instance has its lag");
    assert!(late.iter().all(|lag| *lag <= 0.0), "{late:?}");
    let by_time = r#"sum(segstream_segment_transitions_total{reason="time_passed"})"#;
    let by_time = prometheus.numbers(by_time);
    assert!(by_time.iter().any(|moves| *moves > 0.0), "{by_time:?}");
    let shown = customers(&prometheus);
    assert!(shown.len() > 1, "{shown:?}");
    let shown_risks = risks(&prometheus);
    for band in ["low", "medium", "high"] {
        let is_there = shown_risks.keys().any(|(_, of)| of == band);
        assert!(is_there, "{band} in {shown_risks:?}");
    }
    let shown_deadlines = prometheus.numbers("sum(segstream_deadlines_pending)");

    // At once: neither takes over what the other leaves.
    for instance in both {
        kafka::send_signal(instance.running.child.id(), "TERM");
    }
    for instance in [first, second] {
        instance.running.end(instance.name);
    }
    let mut counted: BTreeMap<String, u64> = BTreeMap::new();
    let mut counted_risks = Risks::new();
    let mut counted_deadlines = 0;
    for instance in ["a", "b"] {
        let answer = succeeds(&mut deployment.command(instance, &["state", "recount"])).printed;
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["equal"], true, "{instance}: {answer}");
        for (segment, customers) in answer["segments"].as_object().unwrap() {
            *counted.entry(segment.clone()).or_default() += customers.as_u64().unwrap();
        }
        for (segment, bands) in answer["churn_risk"].as_object().unwrap() {
            for (band, customers) in bands.as_object().unwrap() {
                let group = (segment.clone(), band.clone());
                *counted_risks.entry(group).or_default() += customers.as_u64().unwrap();
            }
        }
        counted_deadlines += answer["deadlines"].as_u64().unwrap();
    }
    assert_eq!(shown, counted, "Prometheus and the recounts");
    assert_eq!(shown_risks, counted_risks, "Prometheus and the recounts");
    let shown_deadlines: Vec<u64> = shown_deadlines.iter().map(|one| *one as u64).collect();
    assert_eq!(
        shown_deadlines,
        [counted_deadlines],
        "Prometheus and the recounts"
    );
    // The export fails if a customer is in both, so no customer is counted twice. What is set
    // counts more than --dir.
    let mut export = deployment.command_without_store(&["state", "export", "--as-of", "evaluated"]);
    for instance in ["a", "b"] {
        export.arg("--dir").arg(deployment.store(instance));
    }
    let mut exported: BTreeMap<String, u64> = BTreeMap::new();
    let mut exported_risks = Risks::new();
    for line in succeeds(&mut export).printed.lines() {
        let customer: Value = serde_json::from_str(line).unwrap();
        if let Some(segment) = customer["segment_id"].as_str() {
            *exported.entry(segment.to_owned()).or_default() += 1;
            if let Some(band) = customer["churn_risk"]["band"].as_str() {
                let group = (segment.to_owned(), band.to_owned());
                *exported_risks.entry(group).or_default() += 1;
            }
        }
    }
    assert_eq!(shown, exported, "Prometheus and the export");
    assert_eq!(shown_risks, exported_risks, "Prometheus and the export");
}

/// Customers by segment as Prometheus has them, without empty segments.
fn customers(prometheus: &Prometheus) -> BTreeMap<String, u64> {
    let series = prometheus.query("sum by (segment) (segstream_customers)");
    let customers = series.iter().map(|one| {
        let segment = one["metric"]["segment"].as_str().unwrap();
        (segment.to_owned(), scraper::number(&one["value"]) as u64)
    });
    customers.filter(|(_, customers)| *customers > 0).collect()
}

/// Customers by segment and band of churn risk as Prometheus has them, without empty ones.
fn risks(prometheus: &Prometheus) -> Risks {
    let series = prometheus.query("sum by (segment, band) (segstream_churn_risk_customers)");
    let risks = series.iter().map(|one| {
        let label = |name: &str| one["metric"][name].as_str().unwrap().to_owned();
        let group = (label("segment"), label("band"));
        (group, scraper::number(&one["value"]) as u64)
    });
    risks.filter(|(_, customers)| *customers > 0).collect()
}

/// The title and the expression of every target of the panels and of those in rows.
fn targets_of(panels: &Value, found: &mut Vec<(String, String)>) {
    for panel in panels.as_array().into_iter().flatten() {
        let title = panel["title"].as_str().unwrap_or("(no title)");
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expression = target["expr"].as_str().unwrap();
            found.push((title.to_owned(), expression.to_owned()));
        }
        targets_of(&panel["panels"], found);
    }
}

fn assert_panels(prometheus: &Prometheus) {
    let dashboard = text_of("config/grafana/dashboards/segstream.json");
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let mut targets = Vec::new();
    targets_of(&dashboard["panels"], &mut targets);
    assert!(!targets.is_empty());
    let now = prometheus.numbers("vector(time())")[0];
    let mut empty = Vec::new();
    for (title, expression) in targets {
        let mut plain = expression.clone();
        for variable in ["$__rate_interval", "$__range", "$__interval"] {
            plain = plain.replace(variable, "1m");
        }
        assert!(!plain.contains("$__"), "{title}: {expression}");
        if prometheus.query(&plain).is_empty() {
            empty.push(format!("{title}: nothing now: {plain}"));
        }
        // A quantile or a share of nothing is a sample, but none that a panel can draw.
        let series = prometheus.query_range(&plain, now, Duration::from_secs(300));
        let samples = series.iter().filter_map(|one| one["values"].as_array());
        let mut numbers = samples.flatten().map(scraper::number);
        if !numbers.any(f64::is_finite) {
            empty.push(format!("{title}: no number in five minutes: {plain}"));
        }
    }
    assert!(empty.is_empty(), "panels without data: {empty:#?}");
}

fn assert_rules(prometheus: &Prometheus) {
    let expected = alert_names();
    // A rule is of unknown health until it was evaluated once.
    wait(|| {
        let data = prometheus.data("/api/v1/rules", &[]);
        let groups = data["groups"].as_array().into_iter().flatten();
        let rules = groups
            .filter_map(|group| group["rules"].as_array())
            .flatten();
        let sound: Vec<&str> = rules
            .filter(|rule| rule["type"] == "alerting" && rule["health"] == "ok")
            .filter_map(|rule| rule["name"].as_str())
            .collect();
        let is_whole = expected.iter().all(|name| sound.contains(&name.as_str()));
        let is_whole = is_whole && sound.len() == expected.len();
        is_whole
            .then_some(())
            .ok_or_else(|| format!("not every alert is evaluated without an error: {data:#}"))
    });
}

fn assert_targets(prometheus: &Prometheus, addresses: [SocketAddr; 2]) {
    let data = prometheus.data("/api/v1/targets", &[("state", "active")]);
    let active = data["activeTargets"].as_array().unwrap();
    assert_eq!(active.len(), 2, "{data:#}");
    for address in addresses {
        let instance = address.to_string();
        let is_up = |target: &Value| {
            target["labels"]["instance"] == instance.as_str() && target["health"] == "up"
        };
        assert!(active.iter().any(is_up), "{instance}: {data:#}");
    }
}
