//! An instance: its stores, its counts, its workers. It is killed by copying what is on disk, and goes on from
//! the copy, which may be damaged meanwhile.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::time::Duration;

use segstream::engine::state::definition::Definition;
use segstream::engine::state::definition::Parts;
use segstream::engine::state::seal::Sealing;
use segstream::faults::Decision;
use segstream::faults::FaultPoint;
use segstream::faults::Faults;
use segstream::log::embedded::EmbeddedLog;
use segstream::log::embedded::EmbeddedWorker;
use segstream::model::segment_model::SegmentModel;
use segstream::pipeline::Limits;
use segstream::pipeline::Shared;
use segstream::pipeline::control::Control;
use segstream::pipeline::control::Tally;
use segstream::pipeline::partition::clock::ClockMode;
use segstream::pipeline::partitions::Partitions;
use segstream::pipeline::worker::Worker;
use segstream::store::database::Options;
use segstream::store::directory::StoreDirectory;
use segstream::store::sled_pages::SledOptions;
use segstream::telemetry::metrics::Metrics;

use super::Kind;
use super::faulty_log::FaultyLog;
use super::feed;
use super::group::Group;
use super::group::MemberId;
use super::interleaving::Turn;
use crate::support;
use crate::support::Chance;
use crate::support::copy_directory;

/// The model of every schedule, read once.
pub fn model() -> &'static Arc<SegmentModel> {
    static MODEL: OnceLock<Arc<SegmentModel>> = OnceLock::new();
    MODEL.get_or_init(support::model)
}

/// How the processes of a schedule are set.
#[derive(Clone, Debug)]
pub struct Settings {
    pub mode: ClockMode,
    pub limits: Limits,
    pub database: Options,
}

impl Settings {
    pub fn any(mode: ClockMode, chance: &mut Chance) -> Self {
        let mut one_of = |choices: &[u64]| choices[chance.below(choices.len() as u64) as usize];
        let seconds = Duration::from_secs;
        Self {
            mode,
            limits: Limits {
                commit_interval: Duration::from_millis(one_of(&[1, 200, 1500])),
                commit_records: one_of(&[1, 2, 3, 5, 8, 12, 60]) as usize,
                commit_bytes: 1 << 24,
                flush_interval: seconds(one_of(&[0, 2, 5, 3600])),
                flush_records: one_of(&[1, 5, 1000]) as usize,
                flush_bytes: one_of(&[4000, 1 << 30]) as usize,
                flush_pages: 1,
                flushes_in_background: false,
                record_cache_bytes: one_of(&[4096, 1 << 20]) as usize,
                sealing: Sealing {
                    tail_bytes_max: one_of(&[0, 40, 112]) as usize,
                    chunks_of_a_level: one_of(&[2, 3, 8]) as usize,
                    merged_bytes_max: one_of(&[0, 200, 65_536]) as usize,
                    names_bytes_max: one_of(&[0, 30, 65_536]) as usize,
                },
                checkpoint_interval: seconds(one_of(&[1, 5, 600])),
            },
            database: {
                let page_bytes = one_of(&[120, 500, 8192]) as usize;
                match one_of(&[0, 1]) {
                    0 => Options::Sled(SledOptions {
                        cache_bytes: 1 << 20,
                        page_bytes,
                    }),
                    _ => support::small_tree(page_bytes / 100),
                }
            },
        }
    }
}

/// When a process dies within a turn: after so many crossings.
#[derive(Clone, Debug, Default)]
pub struct CrashPlan(Arc<Mutex<Option<u64>>>);

/// Where a process may die; the crossings of the log are of another test.
pub const CROSSINGS: [FaultPoint; 9] = [
    FaultPoint::Polled,
    FaultPoint::Staged,
    FaultPoint::CommitBefore,
    FaultPoint::Committed,
    FaultPoint::Applied,
    FaultPoint::StoreBefore,
    FaultPoint::StoreBeforeFlush,
    FaultPoint::StoreAfterFlush,
    FaultPoint::Restored,
];

impl CrashPlan {
    pub fn arm(&self, crossings: Option<u64>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = crossings;
    }

    pub fn faults(&self) -> Faults {
        let plan = self.clone();
        Faults::planned(move |_: FaultPoint| {
            let mut left = plan.0.lock().unwrap_or_else(PoisonError::into_inner);
            match *left {
                Some(0) => {
                    *left = None;
                    Decision::Crash
                }
                Some(crossings) => {
                    *left = Some(crossings - 1);
                    Decision::Continue
                }
                None => Decision::Continue,
            }
        })
    }
}

/// What all processes of a schedule have in common.
pub struct World {
    pub log: EmbeddedLog,
    pub group: Group,
    pub settings: Settings,
    pub crash_plan: CrashPlan,
    pub root: PathBuf,
}

/// A worker on a faulty log.
pub type OwnWorker = Worker<FaultyLog<EmbeddedWorker>>;

/// A running process.
pub struct Process {
    pub number: usize,
    pub shared: Arc<Shared>,
    pub workers: Vec<Arc<Mutex<OwnWorker>>>,
    pub root: PathBuf,
}

impl Process {
    /// Starts from what is in a directory, as `run` does.
    pub fn start(world: &World, number: usize, workers: usize, root: PathBuf) -> Self {
        let name = format!("instance-{number}");
        let directory = StoreDirectory::open(&root, &name, Duration::from_secs(5)).unwrap();
        for partition in directory.owned().unwrap() {
            directory.unmark_owned(partition).unwrap();
        }
        let model = Arc::clone(model());
        let segments = model.segments().iter();
        let ids: Vec<&str> = segments.map(|segment| segment.id.as_str()).collect();
        let clocks = world.group.lock().clocks.clone();
        let faults = world.crash_plan.faults();
        let metrics = Arc::new(Metrics::new(&ids).unwrap());
        let shared = Arc::new(Shared {
            limits: world.settings.limits,
            clock_rules: feed::clock_rules(world.settings.mode),
            wall: clocks.wall(number),
            monotonic: clocks.monotonic(),
            policy: support::policy(),
            intake: support::intake(),
            metrics: Arc::clone(&metrics),
            definition: Definition::of(Parts {
                policy: &support::policy(),
                exchange: &support::intake().exchange,
                model: &model,
                partitioner: None,
                partitions: world.log.partitions(),
            }),
            partition_count: world.log.partitions(),
            model,
            topics: support::topics(),
            partitions: Partitions::new(
                directory,
                world.settings.database.clone(),
                faults.clone(),
                metrics,
            ),
            tally: Tally::default(),
            control: Control::default(),
            faults,
        });
        let weak = Arc::downgrade(&shared);
        world.group.lock().processes.insert(number, weak);
        let mut process = Self {
            number,
            shared,
            workers: Vec::new(),
            root,
        };
        for worker in 0..workers {
            let id = process.member(worker);
            let view = FaultyLog::join(world.log.member(), &world.group, id);
            let shared = Arc::clone(&process.shared);
            let worker = Arc::new(Mutex::new(Worker::new(view, shared)));
            let other: Arc<dyn Turn> = worker.clone();
            let mut state = world.group.lock();
            state.others.workers.push((id, Arc::downgrade(&other)));
            process.workers.push(worker);
        }
        process
    }

    pub fn member(&self, worker: usize) -> MemberId {
        MemberId {
            process: self.number,
            worker,
        }
    }

    /// What a kill leaves on disk, in a directory of its own.
    pub fn left_behind(&self, into: &Path, partitions: u32) {
        free_space(&self.root, partitions);
        copy_directory(&self.root, into);
    }
}

/// What may be wrong with the stores of a directory when a process starts from it.
const DAMAGES: [Kind; 5] = [
    Kind::StoreFlipped,
    Kind::StoreTruncated,
    Kind::StoreRemoved,
    Kind::StoreHalfMade,
    Kind::DiskFull,
];

/// Damages the store of one partition, or none.
pub fn damage(root: &Path, partitions: u32, group: &Group) {
    let mut state = group.lock();
    if !root.is_dir() {
        return;
    }
    let Some(kind) = DAMAGES.into_iter().find(|kind| state.strikes(*kind, 10)) else {
        return;
    };
    let partition = state.chance.below(u64::from(partitions));
    let store = root.join(format!("partition-{partition:05}"));
    match kind {
        Kind::StoreFlipped | Kind::StoreTruncated => {
            let Some(file) = any_file(&store, &mut state.chance) else {
                return;
            };
            let mut bytes = std::fs::read(&file).unwrap();
            let used = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0) + 1;
            let place = state.chance.below(used as u64) as usize;
            if kind == Kind::StoreTruncated {
                bytes.truncate(place);
            } else if let Some(byte) = bytes.get_mut(place) {
                *byte ^= 1 << state.chance.below(8);
            }
            std::fs::write(&file, bytes).unwrap();
        }
        Kind::StoreRemoved => match any_file(&store, &mut state.chance) {
            Some(file) if state.chance.below(2) == 0 => std::fs::remove_file(file).unwrap(),
            _ => clear(&store),
        },
        Kind::StoreHalfMade => {
            clear(&store);
            match state.chance.below(3) {
                0 => std::fs::write(&store, b"").unwrap(),
                1 => std::fs::create_dir_all(&store).unwrap(),
                _ => {
                    std::fs::create_dir_all(&store).unwrap();
                    std::fs::write(store.join("db"), b"").unwrap();
                }
            }
        }
        // No space is left for the store's file.
        _ => {
            state.kinds.remove(&Kind::DiskFull);
            clear(&store);
            std::fs::create_dir_all(&store).unwrap();
            std::os::unix::fs::symlink("/dev/full", store.join("db")).unwrap();
        }
    }
}

fn clear(store: &Path) {
    if store.is_dir() {
        std::fs::remove_dir_all(store).unwrap();
    } else if store.exists() {
        std::fs::remove_file(store).unwrap();
    }
}

/// There is space on the disk again; whether there was none.
pub fn free_space(root: &Path, partitions: u32) -> bool {
    let stores = (0..partitions).map(|number| root.join(format!("partition-{number:05}")));
    let mut files = stores.map(|store| store.join("db"));
    let Some(full) = files.find(|file| file.is_symlink()) else {
        return false;
    };
    std::fs::remove_file(full).unwrap();
    true
}

fn any_file(store: &Path, chance: &mut Chance) -> Option<PathBuf> {
    let entries = std::fs::read_dir(store).ok()?;
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.is_file());
    files.sort();
    let place = chance.below(files.len() as u64) as usize;
    files.get(place).cloned()
}
