//! What several suites share: an engine over directories of a test, an input, and its fold.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::string_slice,
    clippy::print_stderr,
    clippy::wildcard_enum_match_arm,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    missing_debug_implementations,
    reason = "each suite uses a part of it"
)]

pub mod cdnow;
pub mod cluster;
pub mod contract;
pub mod kafka;
pub mod log_view;
pub mod replaying;
pub mod serving;
pub mod simulation;

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use segstream::config::store::Engine;
use segstream::domain::change::SegmentChange;
use segstream::domain::churn::ChurnDefinition;
use segstream::domain::churn::ChurnPolicy;
use segstream::domain::churn::RiskBand;
use segstream::domain::event::parse::parse_value;
use segstream::domain::event::rules::IntakeRules;
use segstream::domain::ids::CustomerId;
use segstream::domain::ids::Partition;
use segstream::domain::ids::Source;
use segstream::domain::money::Currency;
use segstream::domain::money::Exchange;
use segstream::domain::money::Money;
use segstream::domain::offsets::AppliedOffsets;
use segstream::domain::partitioner::Partitioner;
use segstream::domain::time::BusinessZone;
use segstream::domain::time::Timestamp;
use segstream::domain::topic::TopicNames;
use segstream::engine::admission::Admission;
use segstream::engine::admission::Placement;
use segstream::engine::admission::admit;
use segstream::engine::commands::Delivered;
use segstream::engine::commands::decide;
use segstream::engine::elapse::elapse;
use segstream::engine::policy::Policy;
use segstream::engine::policy::Rules;
use segstream::engine::state::definition::Definition;
use segstream::engine::state::definition::Parts;
use segstream::engine::state::entry::Entry;
use segstream::engine::state::record::CustomerRecord;
use segstream::engine::state::seal::Sealing;
use segstream::engine::verdict::Outcome;
use segstream::engine::verdict::Verdict;
use segstream::faults::Faults;
use segstream::log::embedded::EmbeddedLog;
use segstream::log::embedded::EmbeddedWorker;
use segstream::log::embedded::InputRecord;
use segstream::log::embedded::LogOptions;
use segstream::model::segment_model::SegmentModel;
use segstream::model_files;
use segstream::pipeline::Limits;
use segstream::pipeline::Shared;
use segstream::pipeline::control::Control;
use segstream::pipeline::control::Tally;
use segstream::pipeline::partition::clock::ClockMode;
use segstream::pipeline::partition::clock::ClockRules;
use segstream::pipeline::partition::clock::MonotonicClock;
use segstream::pipeline::partition::clock::WallClock;
use segstream::pipeline::partitions::Partitions;
use segstream::pipeline::worker::Worker;
use segstream::store::database::Options;
use segstream::store::directory::StoreDirectory;
use segstream::store::sled_pages::SledOptions;
use segstream::store::tree::Merging;
use segstream::store::tree::TreeOptions;
use segstream::telemetry::metrics::Metrics;

pub const TOPIC: &str = "retail.events.v1";
/// Of a delivery whose partition is not compared with its key's.
pub const ANY_PLACEMENT: Placement = Placement {
    partitioner: Partitioner::Unchecked,
    partition: Partition(0),
    partitions: 1,
};

/// A file of the data sets: from `SEGSTREAM_DATA`, else beside the repository. Without it the test
/// says that it is skipped, unless `SEGSTREAM_REQUIRE_DATA` is 1.
pub fn data_file(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let folder = std::env::var_os("SEGSTREAM_DATA").map_or(beside, PathBuf::from);
    let path = folder.join(name);
    if path.exists() {
        return Some(path);
    }
    let is_required = std::env::var("SEGSTREAM_REQUIRE_DATA").is_ok_and(|value| value == "1");
    assert!(!is_required, "{} is required", path.display());
    eprintln!(
        "skipped: {} is not there (set SEGSTREAM_DATA)",
        path.display()
    );
    None
}

pub const TRANSFERS: &str = "retail.transfers.v1";

pub fn topics() -> TopicNames {
    TopicNames {
        events: TOPIC.to_owned(),
        transfers: Some(TRANSFERS.to_owned()),
        state: "customer.state.v1".to_owned(),
        changes: "customer.segment.changes.v1".to_owned(),
        current: "customer.segment.current.v1".to_owned(),
        dead_letters: "retail.events.dlq.v1".to_owned(),
    }
}

/// The offsets of a partition whose transfers are not read.
pub fn events_at(offset: u64) -> AppliedOffsets {
    AppliedOffsets::default().with(Source::Events, offset)
}

pub fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

pub fn intake() -> IntakeRules {
    IntakeRules {
        exchange: Exchange {
            base: Currency::parse("USD").unwrap(),
            rates: Vec::new(),
            amount_max: Money(100_000_000_000),
        },
        earliest: at("1990-01-01T00:00:00Z"),
        customer_ids_ignored: vec!["null".to_owned(), "test".to_owned()],
    }
}

pub fn policy() -> Policy {
    Policy {
        zone: BusinessZone::UTC,
        base_currency: Currency::parse("USD").unwrap(),
        ledger_days: 800,
        refund_days: 60,
        remembered_ids: 512,
        assign_prospects: false,
        horizon_days: 730,
        churn: ChurnPolicy {
            definition: ChurnDefinition::NoPurchaseWithin {
                horizon_days: 273.0,
            },
            medium: 0.6,
            high: 0.8,
            publishes_bands: true,
        },
    }
}

pub fn model() -> Arc<SegmentModel> {
    Arc::new(model_files::shipped_model().unwrap())
}

/// How a test's engine is sized.
#[derive(Clone, Copy, Debug)]
pub struct Sizing {
    pub commit_records: usize,
    pub flush_records: usize,
    /// A flush by chunks begins at three quarters of it.
    pub flush_bytes: usize,
    pub engine: Engine,
    pub flushes_in_background: bool,
    pub page_bytes: usize,
    pub cache_bytes: u64,
}

/// One life of an engine: it ends with a crash or with the end of the input.
pub struct Life {
    pub log: EmbeddedLog,
    pub shared: Arc<Shared>,
    pub worker: Worker<EmbeddedWorker>,
    /// Where the clocks are moved at the end of the input.
    pub advance_to: Option<Timestamp>,
}

/// A store in the merge tree that reaches everything with few records: pages of so many entries, each written by itself,
/// and merges of three files, in the turn that writes, so that a run can be played again.
pub fn small_tree(page_entries: usize) -> Options {
    Options::Fjall(TreeOptions {
        page_entries,
        batch_records: 1,
        files_merged: 3,
        merging: Merging::InTheWrite,
        ..TreeOptions::new(1 << 20)
    })
}

/// The log of a life, whose state is compacted at every start.
fn small_log(root: &Path, partitions: u32, faults: &Faults) -> EmbeddedLog {
    let options = LogOptions {
        segment_bytes: 20_000,
        ..LogOptions::new(partitions, faults.clone())
    };
    let log = EmbeddedLog::open_with(&root.join("log"), &options).unwrap();
    log.check().unwrap();
    log.compact().unwrap();
    log
}

impl Life {
    pub fn begin(root: &Path, partitions: u32, sizing: Sizing, faults: &Faults) -> Self {
        Self::begin_under(root, partitions, sizing, faults, (model(), policy()))
    }

    /// A life under a model and choices of the test's.
    pub fn begin_under(
        root: &Path,
        partitions: u32,
        sizing: Sizing,
        faults: &Faults,
        (model, policy): (Arc<SegmentModel>, Policy),
    ) -> Self {
        let log = small_log(root, partitions, faults);
        let clock = MonotonicClock::system();
        Self::on(
            log,
            &root.join("store"),
            (sizing, clock),
            faults,
            (model, policy),
        )
    }

    /// A life whose monotonic clock moves on by a millisecond whenever it is read.
    pub fn begin_ticking(root: &Path, partitions: u32, sizing: Sizing) -> Self {
        let (begun, ticks) = (Instant::now(), AtomicU32::new(0));
        let clock = MonotonicClock::manual(move || {
            begun + Duration::from_millis(1) * ticks.fetch_add(1, Ordering::Relaxed)
        });
        Self::begin_on(clock, root, partitions, sizing)
    }

    /// Like [`Self::begin`], on a clock of the test's own.
    pub fn begin_on(clock: MonotonicClock, root: &Path, partitions: u32, sizing: Sizing) -> Self {
        let log = small_log(root, partitions, &Faults::none());
        let under = (model(), policy());
        Self::on(
            log,
            &root.join("store"),
            (sizing, clock),
            &Faults::none(),
            under,
        )
    }

    /// Another process on the same log, with a store directory of its own.
    pub fn beside(&self, store: &Path, policy: Policy) -> Self {
        self.beside_with(store, policy, intake().exchange)
    }

    /// The same with these rates.
    pub fn beside_with(&self, store: &Path, policy: Policy, exchange: Exchange) -> Self {
        let limits = &self.shared.limits;
        let sizing = Sizing {
            commit_records: limits.commit_records,
            flush_records: limits.flush_records,
            flush_bytes: limits.flush_bytes,
            engine: Engine::Fjall,
            flushes_in_background: false,
            page_bytes: 2048,
            cache_bytes: 1 << 20,
        };
        let log = self.log.clone();
        let clock = MonotonicClock::system();
        Self::on_with(
            log,
            store,
            (sizing, clock),
            &Faults::none(),
            (model(), policy),
            exchange,
        )
    }

    fn on(
        log: EmbeddedLog,
        store: &Path,
        sized: (Sizing, MonotonicClock),
        faults: &Faults,
        under: (Arc<SegmentModel>, Policy),
    ) -> Self {
        let exchange = intake().exchange;
        Self::on_with(log, store, sized, faults, under, exchange)
    }

    fn on_with(
        log: EmbeddedLog,
        store: &Path,
        (sizing, monotonic): (Sizing, MonotonicClock),
        faults: &Faults,
        (model, policy): (Arc<SegmentModel>, Policy),
        exchange: Exchange,
    ) -> Self {
        let partitions = log.partitions();
        let directory = StoreDirectory::open(store, "test", Duration::from_secs(5)).unwrap();
        let ids: Vec<&str> = model
            .segments()
            .iter()
            .map(|segment| segment.id.as_str())
            .collect();
        let database = match sizing.engine {
            Engine::Sled => Options::Sled(SledOptions {
                cache_bytes: sizing.cache_bytes,
                page_bytes: sizing.page_bytes,
            }),
            Engine::Fjall => small_tree(sizing.page_bytes / 100),
        };
        let second = Duration::from_secs(1);
        let metrics = Arc::new(Metrics::new(&ids).unwrap());
        let shared = Arc::new(Shared {
            limits: Limits {
                commit_interval: Duration::from_millis(1),
                commit_records: sizing.commit_records,
                commit_bytes: 1 << 24,
                flush_interval: Duration::from_secs(3600),
                flush_records: sizing.flush_records,
                flush_bytes: sizing.flush_bytes,
                flush_pages: 1,
                flushes_in_background: sizing.flushes_in_background,
                record_cache_bytes: usize::try_from(sizing.cache_bytes).unwrap(),
                sealing: Sealing::default(),
                checkpoint_interval: Duration::from_secs(3600),
            },
            clock_rules: ClockRules {
                mode: ClockMode::Event,
                skew: second * 300,
                disorder: second * 60,
                grace: second * 10,
                event_ahead_max: None,
                start: None,
            },
            wall: WallClock::manual(|| at("2026-11-24T00:00:00Z")),
            monotonic,
            policy: policy.clone(),
            intake: IntakeRules {
                exchange: exchange.clone(),
                ..intake()
            },
            metrics: Arc::clone(&metrics),
            definition: Definition::of(Parts {
                policy: &policy,
                exchange: &exchange,
                model: &model,
                partitioner: None,
                partitions,
            }),
            partition_count: partitions,
            model,
            topics: topics(),
            partitions: Partitions::new(directory, database, faults.clone(), metrics),
            tally: Tally::default(),
            control: Control::default(),
            faults: faults.clone(),
        });
        let worker = Worker::new(log.worker(0, 1), Arc::clone(&shared));
        Self {
            log,
            shared,
            worker,
            advance_to: None,
        }
    }

    /// Works until all of the input is committed, or a fault.
    pub fn run_to_end(&mut self) -> Result<(), segstream::pipeline::Error> {
        if let Some(instant) = self.advance_to {
            self.shared.control.advance_to(instant);
        }
        self.shared.control.stop_at(self.log.ends());
        self.worker.run()
    }

    /// Every record, by customer.
    pub fn records(&self) -> BTreeMap<String, CustomerRecord> {
        let mut all = BTreeMap::new();
        for phase in self.shared.partitions.visible().values() {
            if let segstream::pipeline::partitions::Phase::Running(store) = phase {
                store.flush(store.owner()).unwrap();
                for entry in store.records() {
                    let (id, entry) = entry.unwrap();
                    all.insert(id.to_string(), entry.into_record().unwrap());
                }
            }
        }
        all
    }

    /// Every change as JSON, by partition and offset.
    pub fn changes(&self) -> Vec<String> {
        let values = self
            .log
            .changes()
            .map(|entry| entry.unwrap().2.value.unwrap());
        values
            .map(|value| String::from_utf8(value).unwrap())
            .collect()
    }

    /// The store's counts equal a recount, and the gauge equals both.
    pub fn assert_counts(&self) {
        let mut counted: BTreeMap<String, u64> = BTreeMap::new();
        let mut banded: BTreeMap<(String, RiskBand), i64> = BTreeMap::new();
        let mut deadlines = 0;
        for record in self.records().values() {
            if let Some(segment) = record.segment_id() {
                *counted.entry(segment.to_string()).or_default() += 1;
                if let Some(band) = record.band {
                    *banded.entry((segment.to_string(), band)).or_default() += 1;
                }
            }
            deadlines += i64::from(record.deadline.is_some());
        }
        let metrics = &self.shared.metrics;
        assert_eq!(metrics.deadlines_pending.get(), deadlines);
        let model = &self.shared.model;
        for segment in model.segments() {
            let id = segment.id.as_str();
            let expected = counted.get(id).copied().unwrap_or(0);
            let gauge = self.shared.metrics.customers.with_label_values(&[id]).get();
            assert_eq!(u64::try_from(gauge).unwrap(), expected, "gauge of {id}");
            for band in RiskBand::ALL {
                let labels = [id, band.as_str()];
                let gauge = metrics
                    .churn_risk_customers
                    .with_label_values(&labels)
                    .get();
                let expected = banded.get(&(id.to_owned(), band)).copied().unwrap_or(0);
                assert_eq!(gauge, expected, "gauge of {labels:?}");
            }
        }
        let kept = segstream::cli::summary::customers_by_segment(&self.shared);
        for (segment, customers) in kept {
            assert_eq!(
                customers,
                counted.get(&segment).copied().unwrap_or(0),
                "{segment}"
            );
        }
    }
}

/// What the input amounts to, folded one delivery after the other without batches or stores.
#[derive(Debug, Default)]
pub struct Fold {
    pub records: BTreeMap<String, CustomerRecord>,
    /// Where each customer is.
    pub partitions: BTreeMap<String, u32>,
    pub changes: Vec<String>,
    pub verdicts: BTreeMap<Outcome, u64>,
}

/// Folds what is in a log, partition by partition: every customer is in one of them. At the end each
/// partition's clock stands at its greatest record time, or at `advance_to`.
pub fn fold(
    inputs: &[(segstream::domain::ids::Position, InputRecord)],
    advance_to: Option<Timestamp>,
) -> Fold {
    let (intake, policy, model) = (intake(), policy(), model());
    let mut fold = Fold::default();
    let mut latest: BTreeMap<u32, Timestamp> = BTreeMap::new();
    for (position, input) in inputs {
        let known = latest.get(&position.partition.0).copied();
        let rules = (&intake, &policy, &model);
        let verdict = fold_one(&mut fold, *position, input, known, rules);
        *fold.verdicts.entry(verdict).or_default() += 1;
        if verdict != Outcome::Rejected
            && let Some(stated) = input.timestamp
        {
            let greatest = latest.entry(position.partition.0).or_insert(stated);
            *greatest = stated.max(*greatest);
        }
    }
    let mut changes = Vec::new();
    let rules = Rules {
        policy: &policy,
        model: &model,
    };
    for (id, record) in &mut fold.records {
        let partition = fold.partitions.get(id);
        let clock = partition.and_then(|partition| latest.get(partition).copied());
        if let Some(clock) = clock.max(advance_to) {
            elapse(record, id, clock, rules, &mut changes);
        }
    }
    fold.changes.extend(changes.iter().map(json_of));
    fold
}

fn json_of(change: &SegmentChange) -> String {
    let json = change.to_json(TOPIC, at("2026-11-24T00:00:00Z")).unwrap();
    String::from_utf8(json).unwrap()
}

fn fold_one(
    fold: &mut Fold,
    position: segstream::domain::ids::Position,
    input: &InputRecord,
    clock: Option<Timestamp>,
    (intake, policy, model): (&IntakeRules, &Policy, &Arc<SegmentModel>),
) -> Outcome {
    // What is compared is the record's own time alone.
    let stated = input.timestamp.unwrap_or(Timestamp::MAX);
    let Ok(event) = parse_value(input.payload.as_deref(), stated, intake) else {
        return Outcome::Rejected;
    };
    let record_time = input.timestamp.or(clock).unwrap_or(event.occurred_at);
    let id = match admit(&event, input.key.as_deref(), ANY_PLACEMENT) {
        Admission::Ended(verdict) => return verdict.outcome(),
        Admission::Customer { customer_id } => CustomerId::new(customer_id),
    };
    let entry = fold
        .records
        .get(id.as_str())
        .cloned()
        .map(Box::new)
        .map(Entry::Live);
    let delivered = Delivered {
        event: &event,
        position,
        origin: position,
        record_time,
        clock,
    };
    let done = decide(entry, id.as_str(), delivered, Rules { policy, model });
    if done.verdict == Verdict::Applied {
        let record = done.entry.and_then(Entry::into_record).unwrap();
        fold.records.insert(id.to_string(), record);
        fold.partitions.insert(id.to_string(), position.partition.0);
    }
    fold.changes.extend(done.changes.iter().map(json_of));
    done.verdict.outcome()
}

/// An export of an earlier version, whose lines were as of `evaluated_at` and did not say so.
pub fn as_evaluated(export: &str) -> String {
    let field = "\"evaluated_at\":\"";
    let lines = export.lines().map(|line| {
        let (before, rest) = line.split_once(field).unwrap();
        let (instant, after) = rest.split_once('"').unwrap();
        format!("{before}{field}{instant}\",\"as_of\":\"{instant}\"{after}\n")
    });
    lines.collect()
}

/// Copies a directory as a killed process would leave it.
pub fn copy_directory(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_directory(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Opens a database that this process has just closed. Another thread of the tests may be starting a program: until it
/// runs, the new process holds the lock of every file that was open.
pub fn open_database(path: &Path) -> sled::Result<sled::Db> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let opened = sled::Config::new().path(path).flush_every_ms(None).open();
        let is_held = |error: &sled::Error| error.to_string().contains("could not acquire lock");
        if opened.as_ref().err().is_none_or(|error| !is_held(error)) || Instant::now() >= deadline {
            return opened;
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// A small generator of test chance: splitmix64.
#[derive(Clone, Debug)]
pub struct Chance(pub u64);

impl Chance {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }
}
