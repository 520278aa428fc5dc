//! The settings as ready types, one group a component.

use std::fmt;
use std::net::SocketAddr;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use crate::config::churn::churn;
use crate::config::kafka::Kafka;
use crate::config::kafka::Topics;
use crate::config::kafka::kafka;
use crate::config::kafka::topics;
use crate::config::reader::Reader;
use crate::config::reader::small;
use crate::domain::churn::ChurnPolicy;
use crate::domain::event::parse::IntakeRules;
use crate::domain::money::Currency;
use crate::domain::money::Decimal;
use crate::domain::money::Exchange;
use crate::domain::money::Money;
use crate::domain::partitioner::Partitioner;
use crate::domain::time::BusinessZone;
use crate::domain::time::Timestamp;

const MILLISECOND: Duration = Duration::from_millis(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);
/// Highest `events.amount_max`, in units of the base currency.
const AMOUNT_MAX: i64 = 10_000_000_000;

/// All settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Worker threads; 0: one a core.
    pub workers: usize,
    /// Assign customers without an order.
    pub assign_prospects: bool,
    /// Which log.
    pub bus: BusKind,
    /// Names of the topics.
    pub topics: Topics,
    /// The cluster.
    pub kafka: Kafka,
    /// The embedded log.
    pub embedded: Embedded,
    /// Transactions.
    pub commit: Commit,
    /// The store.
    pub store: Store,
    /// The HTTP server.
    pub http: Http,
    /// The model artifact; `None`: the shipped one.
    pub model_path: Option<PathBuf>,
    /// Clocks and the business zone.
    pub time: Time,
    /// What is accepted as an event.
    pub intake: IntakeRules,
    /// Which function places the input's keys; `None`: as the state has it.
    pub partitioner: Option<Partitioner>,
    /// Days a ledger covers.
    pub ledger_days: u32,
    /// Days within which a refund finds its order.
    pub refund_days: u32,
    /// Event ids a record remembers.
    pub remembered_ids: usize,
    /// What churn is, and what is said of it.
    pub churn: ChurnPolicy,
    /// Identity of this instance; empty: made once and kept.
    pub instance_id: String,
    /// Limit of a shutdown.
    pub shutdown_deadline: Duration,
    /// Log lines.
    pub log: Log,
    described: Vec<(String, String)>,
}

/// Which log the service works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BusKind {
    /// In this process, on disk.
    Embedded,
    /// A cluster.
    Kafka,
}

/// Every key with its value, sorted by key; secrets are redacted.
#[must_use]
pub fn describe(settings: &Settings) -> &[(String, String)] {
    &settings.described
}

/// The embedded log.
#[derive(Clone, Debug)]
pub struct Embedded {
    /// Its directory.
    pub directory: PathBuf,
    /// Partitions of every topic.
    pub partitions: u32,
}

/// When a transaction is committed.
#[derive(Clone, Copy, Debug)]
pub struct Commit {
    /// After this time.
    pub interval: Duration,
    /// After this many deliveries.
    pub records: usize,
    /// After this many bytes.
    pub bytes: usize,
}

/// The store.
#[derive(Clone, Debug)]
pub struct Store {
    /// Its directory.
    pub directory: PathBuf,
    /// Memory for clean records and pages, in total.
    pub cache_bytes: u64,
    /// Dirty records reach the disk after this time.
    pub flush_interval: Duration,
    /// After this many.
    pub flush_records: usize,
    /// After this much memory.
    pub flush_bytes: usize,
    /// By so many pages between two polls.
    pub flush_pages: usize,
}

/// The HTTP server.
#[derive(Clone, Debug)]
pub struct Http {
    /// Listen address; `None`: no server.
    pub address: Option<SocketAddr>,
    /// Bearer token.
    pub token: Option<Secret>,
    /// Largest body.
    pub body_bytes_max: usize,
    /// Longest request.
    pub request_timeout: Duration,
}

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub(super) fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself, for comparing or for a client.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(secret)")
    }
}

/// Clocks and the business zone.
#[derive(Clone, Debug)]
pub struct Time {
    /// Record times alone move the clocks.
    pub is_event_clock: bool,
    /// Zone of purchase days.
    pub business_zone: BusinessZone,
    /// A record time this far ahead is not believed.
    pub skew: Duration,
    /// Disorder of record times.
    pub disorder: Duration,
    /// What may still be on its way.
    pub grace: Duration,
    /// A clock that only moved is written this often.
    pub checkpoint_interval: Duration,
    /// How far ahead a crossing is searched.
    pub horizon_days: u32,
}

/// Log lines.
#[derive(Clone, Debug)]
pub struct Log {
    /// JSON instead of text.
    pub is_json: bool,
    /// What is logged.
    pub filter: String,
}

impl Settings {
    /// Reads every key, also after a problem; `None` if there was one.
    pub fn read(reader: &mut Reader) -> Option<Self> {
        let engine = reader.parsed("store.engine", "\"sled\"", |text| {
            (text == "sled").then_some(())
        });
        let topics = topics(reader);
        let kafka = kafka(reader);
        let bus = bus(reader, kafka.as_ref());
        let workers = reader.integer("workers", 0, 1024).and_then(small);
        let assign_prospects = reader.flag("assign_prospects");
        let store = store(reader);
        let embedded = embedded(reader, store.as_ref());
        let commit = commit(reader);
        let http = http(reader);
        let model_path = reader.optional_path("model.path");
        let time = time(reader);
        let intake = intake(reader);
        let partitioner = partitioner(reader, bus);
        let ledger_days = reader
            .integer("state.ledger_days", 1, 36_525)
            .and_then(small);
        let refund_days = reader
            .integer("state.refund_days", 0, 3_650)
            .and_then(small);
        let remembered_ids = reader
            .integer("deduplication.ids", 16, 4096)
            .and_then(small);
        let churn = churn(reader);
        let instance_id = reader.text("instance.id");
        let shutdown_deadline = reader.duration("shutdown.deadline", MILLISECOND, HOUR);
        let log = log(reader);
        engine?;
        Some(Self {
            workers: workers?,
            assign_prospects: assign_prospects?,
            bus: bus?,
            topics: topics?,
            kafka: kafka?,
            embedded: embedded?,
            commit: commit?,
            store: store?,
            http: http?,
            model_path: model_path?,
            time: time?,
            intake: intake?,
            partitioner: partitioner?,
            ledger_days: ledger_days?,
            refund_days: refund_days?,
            remembered_ids: remembered_ids?,
            churn: churn?,
            instance_id: instance_id?,
            shutdown_deadline: shutdown_deadline?,
            log: log?,
            described: reader.described(),
        })
    }
}

fn bus(reader: &mut Reader, kafka: Option<&Kafka>) -> Option<BusKind> {
    let allowed = "\"embedded\" or \"kafka\", or empty: kafka where kafka.brokers is set";
    let asked = reader.parsed("bus", allowed, |text| match text {
        "" => Some(None),
        "embedded" => Some(Some(BusKind::Embedded)),
        "kafka" => Some(Some(BusKind::Kafka)),
        _ => None,
    });
    let has_brokers = !kafka?.brokers.is_empty();
    match asked? {
        Some(BusKind::Kafka) if !has_brokers => {
            reader.problem("bus", "allowed without kafka.brokers");
            None
        }
        Some(asked) => Some(asked),
        None if has_brokers => Some(BusKind::Kafka),
        None => Some(BusKind::Embedded),
    }
}

/// The embedded log places events itself.
fn partitioner(reader: &mut Reader, bus: Option<BusKind>) -> Option<Option<Partitioner>> {
    let allowed = "\"murmur2_random\", \"crc32\" or \"unchecked\", or empty: as the state has it";
    let asked = reader.parsed("input.partitioner", allowed, |text| match text {
        "" => Some(None),
        text => Partitioner::parse(text).map(Some),
    })?;
    if asked == Some(Partitioner::Crc32) && bus == Some(BusKind::Embedded) {
        let problem = "allowed with the embedded log, which places events by murmur2_random";
        reader.problem("input.partitioner", problem);
        return None;
    }
    Some(asked)
}

fn store(reader: &mut Reader) -> Option<Store> {
    let directory = reader.name("store.directory").map(PathBuf::from);
    let cache_bytes = reader.bytes("store.cache_bytes", 1 << 20);
    let flush_interval = reader.duration("store.flush_interval", Duration::ZERO, DAY);
    let flush_records = reader
        .integer("store.flush_records", 0, u64::MAX)
        .and_then(small);
    let flush_bytes = reader.bytes("store.flush_bytes", 1).and_then(small);
    let flush_pages = reader
        .integer("store.flush_pages", 1, 100_000)
        .and_then(small);
    Some(Store {
        directory: directory?,
        cache_bytes: cache_bytes?,
        flush_interval: flush_interval?,
        flush_records: flush_records?,
        flush_bytes: flush_bytes?,
        flush_pages: flush_pages?,
    })
}

fn embedded(reader: &mut Reader, store: Option<&Store>) -> Option<Embedded> {
    let directory = reader.optional_path("embedded.directory");
    let partitions = reader
        .integer("embedded.partitions", 1, 1024)
        .and_then(small);
    let store = &store?.directory;
    let directory = directory?.unwrap_or_else(|| {
        // By components, so that `data/` gives `data-log`, not `data/-log`.
        let mut beside = store.components().as_path().as_os_str().to_owned();
        beside.push("-log");
        PathBuf::from(beside)
    });
    if lexical(&directory).starts_with(lexical(store)) {
        reader.problem("embedded.directory", "a directory outside store.directory");
        return None;
    }
    Some(Embedded {
        directory,
        partitions: partitions?,
    })
}

/// The absolute path without `.` and `..`, for comparing; links are not followed.
fn lexical(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut plain = PathBuf::new();
    for component in absolute.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => {
                plain.push(component);
            }
        }
    }
    plain
}

fn commit(reader: &mut Reader) -> Option<Commit> {
    let interval = reader.duration("commit.interval", MILLISECOND, MINUTE);
    let records = reader
        .integer("commit.records", 1, 1_000_000)
        .and_then(small);
    let bytes = reader.bytes("commit.bytes", 1024).and_then(small);
    Some(Commit {
        interval: interval?,
        records: records?,
        bytes: bytes?,
    })
}

fn http(reader: &mut Reader) -> Option<Http> {
    let address = reader.parsed(
        "http.address",
        "an address such as 127.0.0.1:8080, or empty",
        |text| {
            if text.is_empty() {
                Some(None)
            } else {
                text.parse::<SocketAddr>().ok().map(Some)
            }
        },
    );
    let token = token(reader);
    let body_bytes_max = reader.bytes("http.body_bytes_max", 1024).and_then(small);
    let request_timeout = reader.duration(
        "http.request_timeout",
        Duration::from_millis(100),
        MINUTE * 10,
    );
    let token = token?;
    let is_open = address?.is_some_and(|address| !address.ip().is_loopback());
    if is_open && token.is_none() {
        reader.problem(
            "http.token_file",
            "set, as it or http.token must be when http.address is not loopback",
        );
        return None;
    }
    Some(Http {
        address: address?,
        token,
        body_bytes_max: body_bytes_max?,
        request_timeout: request_timeout?,
    })
}

fn token(reader: &mut Reader) -> Option<Option<Secret>> {
    let given = reader.text("http.token");
    let file = reader.optional_path("http.token_file");
    let given = given?.trim().to_owned();
    let Some(path) = file? else {
        return Some((!given.is_empty()).then_some(Secret::new(given)));
    };
    if !given.is_empty() {
        reader.problem("http.token", "allowed together with http.token_file");
        return None;
    }
    match std::fs::read_to_string(path) {
        Ok(text) if !text.trim().is_empty() => Some(Some(Secret::new(text.trim().to_owned()))),
        Ok(_) => {
            reader.problem("http.token_file", "a file with a token: it is empty");
            None
        }
        Err(error) => {
            reader.problem("http.token_file", &format!("a readable file: {error}"));
            None
        }
    }
}

fn time(reader: &mut Reader) -> Option<Time> {
    let is_event_clock = reader.parsed("time.clock", "\"wall\" or \"event\"", |text| match text {
        "wall" => Some(false),
        "event" => Some(true),
        _ => None,
    });
    let business_zone = reader.parsed("time.business_zone", "an IANA zone, such as UTC", |text| {
        BusinessZone::named(text).ok()
    });
    let skew = reader.duration("time.skew", Duration::ZERO, DAY);
    let disorder = reader.duration("time.disorder", Duration::ZERO, DAY);
    let grace = reader.duration("time.grace", Duration::ZERO, DAY);
    let checkpoint_interval =
        reader.duration("time.checkpoint_interval", Duration::from_millis(100), HOUR);
    let horizon_days = reader
        .integer("time.horizon_days", 1, 36_525)
        .and_then(small);
    Some(Time {
        is_event_clock: is_event_clock?,
        business_zone: business_zone?,
        skew: skew?,
        disorder: disorder?,
        grace: grace?,
        checkpoint_interval: checkpoint_interval?,
        horizon_days: horizon_days?,
    })
}

fn intake(reader: &mut Reader) -> Option<IntakeRules> {
    let earliest = reader.parsed(
        "events.earliest",
        "an RFC 3339 instant",
        Timestamp::parse_rfc3339,
    );
    let customer_ids_ignored = reader.list("events.customer_ids_ignored");
    let currency = "an ISO 4217 code of three capital letters";
    let base = reader.parsed("money.base_currency", currency, Currency::parse);
    let mut rates = Vec::new();
    for name in reader.names_below("money.rates.") {
        let key = format!("money.rates.{name}");
        let code = Currency::parse(&name.to_uppercase());
        let rate = reader.parsed(&key, "a decimal above 0 for an ISO 4217 code", |text| {
            Decimal::parse(text).filter(|rate| rate.is_positive())
        });
        match (code, rate) {
            (Some(code), Some(rate)) => rates.push((code, rate)),
            (None, Some(_)) => reader.problem(&key, "the rate of an ISO 4217 code"),
            (_, None) => {}
        }
    }
    let amount_max = reader.parsed(
        "events.amount_max",
        "a decimal from 1 to 10000000000",
        |text| {
            let amount = Decimal::parse(text)?;
            // A wrong base currency is a problem of its own key only.
            let Some(base) = base else {
                return Some(Money::ZERO);
            };
            let amount = amount.to_minor(&base)?;
            let unit = Decimal::ONE.to_minor(&base)?.0;
            let highest = unit.checked_mul(AMOUNT_MAX)?;
            (unit..=highest).contains(&amount.0).then_some(amount)
        },
    );
    let exchange = Exchange {
        base: base?,
        rates,
        amount_max: amount_max?,
    };
    Some(IntakeRules {
        exchange,
        earliest: earliest?,
        customer_ids_ignored: customer_ids_ignored?,
    })
}

fn log(reader: &mut Reader) -> Option<Log> {
    let is_json = reader.parsed("log.format", "\"text\" or \"json\"", |text| match text {
        "text" => Some(false),
        "json" => Some(true),
        _ => None,
    });
    let filter = reader.parsed(
        "log.filter",
        "a filter such as info or segstream=debug",
        |text| {
            let is_filter = !text.is_empty() && EnvFilter::try_new(text).is_ok();
            is_filter.then(|| text.to_owned())
        },
    );
    Some(Log {
        is_json: is_json?,
        filter: filter?,
    })
}
