//! Puts the parts together: the only composition root besides the commands beside it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use crate::cli::model_fit::load_model;
use crate::cli::model_fit::model_to_run;
use crate::cli::places;
use crate::config::bus::BusKind;
use crate::config::settings::Settings;
use crate::config::store::Engine;
use crate::disk;
use crate::domain::churn::ChurnDefinition;
use crate::domain::offsets::AppliedOffsets;
use crate::engine::policy::Policy;
use crate::engine::state::definition::Definition;
use crate::engine::state::definition::Parts as DefinitionParts;
use crate::engine::state::seal::Sealing;
use crate::faults::Faults;
use crate::log::WorkerLog;
use crate::log::embedded::EmbeddedLog;
use crate::log::embedded::Keeper;
use crate::log::embedded::Retention;
use crate::log::kafka::Connection;
use crate::log::kafka::KafkaLog;
use crate::model::segment_model::SegmentModel;
use crate::pipeline::Limits;
use crate::pipeline::Shared;
use crate::pipeline::control::Control;
use crate::pipeline::control::Tally;
use crate::pipeline::partition::clock::ClockMode;
use crate::pipeline::partition::clock::ClockRules;
use crate::pipeline::partition::clock::MonotonicClock;
use crate::pipeline::partition::clock::RECORD_TIME_AHEAD_MAX;
use crate::pipeline::partition::clock::WallClock;
use crate::pipeline::partition::wall::StartRules;
use crate::pipeline::partitions::Partitions;
use crate::store;
use crate::store::database::Options;
use crate::store::directory::StoreDirectory;
use crate::store::pages::PAGE_BYTES;
use crate::store::sled_pages::SledOptions;
use crate::store::tree::TreeOptions;
use crate::telemetry::metrics::DescribedModel;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::observe;

/// How long a command waits for the process that still holds the store.
pub(super) const DIRECTORY_PATIENCE: Duration = Duration::from_secs(20);

/// The log of the settings.
#[derive(Clone, Debug)]
pub enum AnyLog {
    /// In this process.
    Embedded(EmbeddedLog),
    /// A cluster.
    Kafka(KafkaLog),
}

impl AnyLog {
    /// Partitions of the input.
    #[must_use]
    pub fn partitions(&self) -> u32 {
        match self {
            Self::Embedded(log) => log.partitions(),
            Self::Kafka(log) => log.partitions(),
        }
    }

    /// The ends of the sources of each partition.
    ///
    /// # Errors
    /// If the log does not answer.
    pub fn ends(&self) -> anyhow::Result<Vec<AppliedOffsets>> {
        match self {
            Self::Embedded(log) => Ok(log.ends()),
            Self::Kafka(log) => Ok(log.ends()?),
        }
    }
}

/// The parts of an engine, before any thread is started.
#[derive(Debug)]
pub struct Parts {
    /// The log.
    pub log: AnyLog,
    /// What the workers share.
    pub shared: Arc<Shared>,
    /// Number of workers.
    pub workers: usize,
    /// Keeps the embedded log in order.
    pub keeper: Option<Keeper>,
}

/// What a command sets itself, whatever the settings are.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Uses the event clock, whatever `time.clock` is.
    pub clock: Option<ClockMode>,
    /// Starts with a wall clock that does not fit the state.
    pub trusts_clock: bool,
}

impl Parts {
    /// Opens the log and the store directory of the settings.
    ///
    /// # Errors
    /// If the model, the log or the store cannot be used.
    pub fn open(settings: &Settings, overrides: &Overrides) -> anyhow::Result<Self> {
        if settings.bus == BusKind::Embedded {
            return Ok(Self::open_embedded(settings, overrides)?.0);
        }
        // Before anything is made on disk.
        let model = model_to_run(settings, &policy(settings))?;
        disk::close_new_files_to_others();
        let directory = store_directory(settings)?;
        let log = KafkaLog::open(connection(settings, directory.instance_id()))?;
        let log = AnyLog::Kafka(log);
        Self::assemble(settings, overrides, directory, (log, model))
    }

    /// The same on the embedded log, whatever `bus` is.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_embedded(
        settings: &Settings,
        overrides: &Overrides,
    ) -> anyhow::Result<(Self, EmbeddedLog)> {
        let model = model_to_run(settings, &policy(settings))?;
        disk::close_new_files_to_others();
        places::check(settings)?;
        let directory = store_directory(settings)?;
        let log = embedded_log(settings)?;
        let of_parts = AnyLog::Embedded(log.clone());
        let mut parts = Self::assemble(settings, overrides, directory, (of_parts, model))?;
        parts.keeper = Some(keeper(settings, &log, &parts.shared)?);
        Ok((parts, log))
    }

    /// On an embedded log that is only read, with copies of its stores in `store.directory`.
    ///
    /// # Errors
    /// If the model or the stores cannot be used.
    pub fn open_to_read(settings: &Settings, log: EmbeddedLog) -> anyhow::Result<Self> {
        let model = load_model(settings)?;
        let directory = store_directory(settings)?;
        let parts = (AnyLog::Embedded(log), model);
        Self::assemble(settings, &Overrides::default(), directory, parts)
    }

    fn assemble(
        settings: &Settings,
        overrides: &Overrides,
        directory: StoreDirectory,
        (log, model): (AnyLog, SegmentModel),
    ) -> anyhow::Result<Self> {
        let model = Arc::new(model);
        let policy = policy(settings);
        policy.check_model(&model)?;
        let partitions = log.partitions();
        let segment_ids: Vec<&str> = model
            .segments()
            .iter()
            .map(|segment| segment.id.as_str())
            .collect();
        let metrics = Arc::new(Metrics::new(&segment_ids).context("cannot register the metrics")?);
        let facts = model.facts();
        metrics.describe_model(&DescribedModel {
            version: facts.version.as_str(),
            k: facts.k,
            churn: churn_basis(&policy, &model),
            trained_at_ms: facts.trained_at.0.as_milliseconds(),
            silhouette: model.training().silhouette,
        });
        let database = database(settings, partitions);
        let definition = definition(settings, &policy, &model, partitions);
        let shared = Arc::new(Shared {
            limits: limits(settings, &log),
            clock_rules: clock_rules(settings, overrides, &log),
            wall: WallClock::system_watched(settings.time.jump_max),
            monotonic: MonotonicClock::system(),
            policy,
            intake: settings.intake.clone(),
            definition,
            partition_count: partitions,
            model,
            topics: settings.topics.names.clone(),
            partitions: Partitions::new(directory, database, Faults::none(), Arc::clone(&metrics)),
            metrics,
            tally: Tally::default(),
            control: Control::default(),
            faults: Faults::none(),
        });
        // On Kafka other instances have some of them.
        if matches!(log, AnyLog::Embedded(_)) {
            shared.control.gate.close(partitions);
        }
        Ok(Self {
            log,
            workers: workers(settings, partitions),
            shared,
            keeper: None,
        })
    }

    /// A view of the log for each worker.
    ///
    /// # Errors
    /// If a client cannot be made.
    pub fn worker_logs(&self) -> anyhow::Result<Vec<Box<dyn WorkerLog>>> {
        (0..self.workers)
            .map(|index| -> anyhow::Result<Box<dyn WorkerLog>> {
                Ok(match &self.log {
                    AnyLog::Embedded(log) => Box::new(log.worker(index, self.workers)),
                    AnyLog::Kafka(log) => Box::new(log.worker(index)?),
                })
            })
            .collect()
    }
}

fn clock_rules(settings: &Settings, overrides: &Overrides, log: &AnyLog) -> ClockRules {
    let time = &settings.time;
    let of_settings = if time.is_event_clock {
        ClockMode::Event
    } else {
        ClockMode::Wall
    };
    let mode = overrides.clock.unwrap_or(of_settings);
    ClockRules {
        mode,
        skew: time.skew,
        // What the embedded log takes was checked before, or is a demo's own shop.
        event_ahead_max: match log {
            AnyLog::Embedded(_) => None,
            AnyLog::Kafka(_) => Some(RECORD_TIME_AHEAD_MAX),
        },
        disorder: time.disorder,
        grace: time.grace,
        start: (mode == ClockMode::Wall).then_some(StartRules {
            jump_max: time.jump_max,
            downtime_max: time.downtime_max,
            is_trusted: overrides.trusts_clock,
        }),
    }
}

/// Keeps an embedded log in order.
fn keeper(settings: &Settings, log: &EmbeddedLog, shared: &Shared) -> anyhow::Result<Keeper> {
    let retention = Retention {
        input: settings.embedded.input_retention,
        changes: settings.embedded.changes_retention,
    };
    let wall = shared.wall.clone();
    Ok(log.keep(retention, move || wall.now())?)
}

/// Number of workers.
fn workers(settings: &Settings, partitions: u32) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = if settings.workers == 0 {
        cores
    } else {
        settings.workers
    };
    workers.clamp(1, usize::try_from(partitions).unwrap_or(1))
}

/// The basis of churn risk, in one word.
fn churn_basis(policy: &Policy, model: &SegmentModel) -> &'static str {
    match policy.churn.definition {
        ChurnDefinition::Off => "none",
        ChurnDefinition::Silence { .. } => "silence",
        ChurnDefinition::NoPurchaseWithin { .. } | ChurnDefinition::NotAlive => {
            model.churn().map_or("none", |churn| churn.basis.as_str())
        }
    }
}

/// Holds the store directory of the settings.
///
/// # Errors
/// If it cannot be made, or is held by another process.
pub fn store_directory(settings: &Settings) -> anyhow::Result<StoreDirectory> {
    let root = &settings.store.directory;
    let open = |patience| StoreDirectory::open(root, &settings.instance_id, patience);
    match open(Duration::ZERO) {
        Err(store::Error::Held { path }) => {
            observe::waiting_for_directory(&path, DIRECTORY_PATIENCE);
            Ok(open(DIRECTORY_PATIENCE)?)
        }
        opened => Ok(opened?),
    }
}

fn embedded_log(settings: &Settings) -> anyhow::Result<EmbeddedLog> {
    let partitions = settings.embedded.partitions;
    Ok(EmbeddedLog::open(
        &settings.embedded.directory,
        partitions,
        Faults::none(),
    )?)
}

/// The database of each partition. Half of the cache is for what it reads, the other half for the worker's decoded
/// records; sled divides its half over the partitions, and the merge trees share theirs.
#[must_use]
pub fn database(settings: &Settings, partitions: u32) -> Options {
    let cache_bytes = settings.store.cache_bytes / 2;
    match settings.store.engine {
        Engine::Sled => Options::Sled(SledOptions {
            cache_bytes: cache_bytes / u64::from(partitions.max(1)),
            page_bytes: PAGE_BYTES,
        }),
        Engine::Fjall => Options::Fjall(TreeOptions::new(cache_bytes)),
    }
}

/// How this instance reaches its cluster.
#[must_use]
pub fn connection(settings: &Settings, instance_id: &str) -> Connection {
    let security = settings.kafka.security.reveal();
    Connection {
        brokers: settings.kafka.brokers.clone(),
        group_id: settings.kafka.group_id.clone(),
        instance_id: instance_id.to_owned(),
        session_timeout: settings.kafka.session_timeout,
        transaction_timeout: settings.kafka.transaction_timeout,
        compression: settings.kafka.compression,
        topics: settings.topics.names.clone(),
        security: security
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
        is_event_clock: settings.time.is_event_clock,
    }
}

/// The engine's policy, from the settings.
#[must_use]
pub fn policy(settings: &Settings) -> Policy {
    Policy {
        zone: settings.time.business_zone.clone(),
        base_currency: settings.intake.exchange.base,
        ledger_days: settings.ledger_days,
        refund_days: settings.refund_days,
        remembered_ids: settings.remembered_ids,
        assign_prospects: settings.assign_prospects,
        horizon_days: settings.time.horizon_days,
        churn: settings.churn,
    }
}

/// The definition of the state, from the settings.
fn definition(
    settings: &Settings,
    policy: &Policy,
    model: &SegmentModel,
    partitions: u32,
) -> Definition {
    Definition::of(DefinitionParts {
        policy,
        exchange: &settings.intake.exchange,
        model,
        partitioner: settings.partitioner,
        partitions,
    })
}

fn limits(settings: &Settings, log: &AnyLog) -> Limits {
    let partitions = u64::from(log.partitions().max(1));
    let record_cache_bytes = settings.store.cache_bytes / 2 / partitions;
    Limits {
        commit_interval: settings.commit.interval,
        commit_records: settings.commit.records,
        commit_bytes: settings.commit.bytes,
        flush_interval: settings.store.flush_interval,
        flush_records: settings.store.flush_records,
        flush_bytes: settings.store.flush_bytes,
        flush_pages: settings.store.flush_pages,
        flushes_in_background: true,
        record_cache_bytes: usize::try_from(record_cache_bytes).unwrap_or(usize::MAX),
        sealing: match log {
            AnyLog::Embedded(_) => Sealing::default(),
            AnyLog::Kafka(log) => Sealing::within(log.record_bytes()),
        },
        checkpoint_interval: settings.time.checkpoint_interval,
    }
}
