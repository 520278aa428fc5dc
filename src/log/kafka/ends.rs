//! Asks for the ends of many partitions in a thread of its own, so that no worker waits for the answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::Sender;
use std::sync::mpsc::TryRecvError;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use crate::domain::ids::Partition;
use crate::domain::ids::Source;
use crate::domain::time::Timestamp;
use crate::log::Error;
use crate::log::kafka::client::Connection;
use crate::log::kafka::metadata::MetadataClient;

/// Asking for partitions one by one ends after this time; those that are left are asked first next time.
const ONE_BY_ONE_MAX: Duration = Duration::from_secs(5);

/// An answer that waited longer than this, because the worker had no partitions meanwhile, is dropped.
const ANSWER_AGE_MAX_SECONDS: f64 = 30.0;

/// The ends of one source's partitions.
pub(super) type Ends = BTreeMap<Partition, u64>;

/// Which partitions, and the wall time of the question.
#[derive(Debug)]
struct Question {
    partitions: Vec<Partition>,
    asked_at: Timestamp,
}

/// The ends of each source, as far as the cluster said them.
pub(super) type EndsOfSources = BTreeMap<Source, Ends>;

/// The wall time of the question, and the answer.
type Answer = (Timestamp, Result<EndsOfSources, Error>);

/// The asking side. One question is open at a time.
#[derive(Debug)]
pub(super) struct EndsWatch {
    connection: Arc<Connection>,
    /// Taken when it is dropped, which ends the thread.
    questions: Option<Sender<Question>>,
    answers: Receiver<Answer>,
    is_open: bool,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl EndsWatch {
    /// Starts the thread.
    pub(super) fn start(
        connection: &Arc<Connection>,
        client: &Arc<MetadataClient>,
    ) -> std::io::Result<Self> {
        let (ask, questions) = channel::<Question>();
        let (answer, answers) = channel();
        let is_over = Arc::new(AtomicBool::new(false));
        let mut asker = Asker {
            client: Arc::clone(client),
            topics: connection
                .topics
                .sources()
                .map(|(source, topic)| (source, topic.to_owned()))
                .collect(),
            asked_last: Partition(0),
            is_over: Arc::clone(&is_over),
        };
        let thread = std::thread::Builder::new().name("ends".to_owned());
        let thread = thread.spawn(move || {
            for question in questions {
                let ends = asker.ends(&question.partitions);
                if answer.send((question.asked_at, ends)).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self {
            connection: Arc::clone(connection),
            questions: Some(ask),
            answers,
            is_open: false,
            is_over,
            thread: Some(thread),
        })
    }

    /// Asks for the ends of these partitions, unless a question is open; the answer to it, if it is there, with the wall
    /// time of the question.
    pub(super) fn ask(
        &mut self,
        partitions: &[Partition],
        wall: Timestamp,
    ) -> Result<Option<(Timestamp, EndsOfSources)>, Error> {
        let ended = || {
            self.connection
                .unusable("the thread that asks for the ends of partitions has ended")
        };
        if !self.is_open {
            let question = Question {
                partitions: partitions.to_vec(),
                asked_at: wall,
            };
            let sent = self.questions.as_ref().map(|ask| ask.send(question));
            sent.ok_or_else(ended)?.map_err(|_| ended())?;
            self.is_open = true;
        }
        match self.answers.try_recv() {
            Ok((asked_at, ends)) => {
                self.is_open = false;
                if wall.seconds_since(asked_at) > ANSWER_AGE_MAX_SECONDS {
                    return Ok(None);
                }
                ends.map(|ends| Some((asked_at, ends)))
            }
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(ended()),
        }
    }
}

impl Drop for EndsWatch {
    fn drop(&mut self) {
        self.questions = None;
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that asks for the ends of partitions has panicked");
        }
    }
}

/// The asked side.
struct Asker {
    client: Arc<MetadataClient>,
    topics: Vec<(Source, String)>,
    /// The partition that was asked for last, where they were asked for one by one.
    asked_last: Partition,
    /// The worker is gone and takes no answer.
    is_over: Arc<AtomicBool>,
}

impl Asker {
    fn ends(&mut self, partitions: &[Partition]) -> Result<EndsOfSources, Error> {
        let mut all = EndsOfSources::new();
        for (source, topic) in &self.topics {
            let Some(ends) = self.client.ends(topic, partitions)? else {
                // The client gives no answer at all where one partition does not answer.
                return self.one_by_one(partitions);
            };
            if ends.len() < partitions.len() {
                // The client knows no leader of some, and would not ask for one by itself.
                self.client.refresh(topic);
            }
            all.insert(*source, ends);
        }
        Ok(all)
    }

    /// Asks for each partition by itself, the one after the last first.
    fn one_by_one(&mut self, partitions: &[Partition]) -> Result<EndsOfSources, Error> {
        for (_, topic) in &self.topics {
            self.client.refresh(topic);
        }
        let started = Instant::now();
        let mut all = EndsOfSources::new();
        let last = self.asked_last;
        let (behind, before): (Vec<Partition>, Vec<Partition>) = partitions
            .iter()
            .copied()
            .partition(|partition| *partition > last);
        for partition in behind.into_iter().chain(before) {
            if started.elapsed() >= ONE_BY_ONE_MAX || self.is_over.load(Ordering::Relaxed) {
                break;
            }
            self.asked_last = partition;
            for (source, topic) in &self.topics {
                let Some((_, end)) = self.client.watermarks(topic, partition)? else {
                    break;
                };
                all.entry(*source).or_default().insert(partition, end);
            }
        }
        Ok(all)
    }
}
