//! Starts one thread a worker and stops them under one deadline.

use std::sync::Arc;
use std::sync::mpsc;
use std::sync::mpsc::RecvTimeoutError;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use crate::log::WorkerLog;
use crate::pipeline::Error;
use crate::pipeline::Shared;
use crate::pipeline::worker::Worker;
use crate::telemetry::observe;

/// Room for the end of every worker, so that none waits for a listener.
const ENDS_MAX: usize = 1024;

/// How often the workers are asked whether all partitions are open.
const GATE_WAIT: Duration = Duration::from_millis(5);

/// The running workers of a process.
#[derive(Debug)]
pub struct Service {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    ends: mpsc::Receiver<Result<(), Error>>,
    ended: usize,
}

impl Service {
    /// Starts a worker for each view of the log.
    ///
    /// # Errors
    /// If a thread cannot be started.
    pub fn start<B: WorkerLog + 'static>(
        worker_logs: Vec<B>,
        shared: &Arc<Shared>,
    ) -> Result<Self, Error> {
        let (sender, ends) = mpsc::sync_channel(ENDS_MAX);
        let mut threads = Vec::with_capacity(worker_logs.len());
        for (index, log) in worker_logs.into_iter().enumerate() {
            let sender = sender.clone();
            let shared = Arc::clone(shared);
            let thread = std::thread::Builder::new()
                .name(format!("worker-{index}"))
                .spawn(move || {
                    // The guard reports a panic too, so that the service does not go on with fewer workers.
                    let end = EndGuard {
                        sender,
                        end: Some(Err(Error::Panicked)),
                    };
                    work(log, shared, index, end);
                })
                .map_err(Error::Spawn)?;
            threads.push(thread);
        }
        Ok(Self {
            shared: Arc::clone(shared),
            threads,
            ends,
            ended: 0,
        })
    }

    /// Waits up to `timeout` for all workers to end by themselves; `false` if they have not.
    ///
    /// # Errors
    /// The first error of a worker; the others are asked to stop.
    pub fn wait(&mut self, timeout: Duration) -> Result<bool, Error> {
        let deadline = Instant::now() + timeout;
        while self.ended < self.threads.len() {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.ends.recv_timeout(left) {
                Ok(Ok(())) => self.ended += 1,
                Ok(Err(error)) => {
                    self.ended += 1;
                    self.shared.control.stop();
                    return Err(error);
                }
                Err(RecvTimeoutError::Timeout) => return Ok(false),
                Err(RecvTimeoutError::Disconnected) => return Err(Error::Panicked),
            }
        }
        Ok(true)
    }

    /// Waits until the state of all partitions is open and fits, or a stop was asked for.
    ///
    /// # Errors
    /// The first error of a worker; the others are asked to stop.
    pub fn wait_until_open(&mut self) -> Result<(), Error> {
        let control = &Arc::clone(&self.shared).control;
        while !control.gate.is_open() && !control.is_stopping() {
            if self.wait(GATE_WAIT)? {
                break;
            }
        }
        Ok(())
    }

    /// Asks the workers to commit what they have in hand and to stop, and waits for it.
    ///
    /// # Errors
    /// The first error of a worker, or [`Error::DeadlinePassed`].
    pub fn stop(&mut self, deadline: Duration) -> Result<(), Error> {
        self.shared.control.stop();
        if self.wait(deadline)? {
            Ok(())
        } else {
            Err(Error::DeadlinePassed { deadline })
        }
    }
}

struct EndGuard {
    sender: mpsc::SyncSender<Result<(), Error>>,
    end: Option<Result<(), Error>>,
}

impl Drop for EndGuard {
    fn drop(&mut self) {
        if let Some(end) = self.end.take() {
            // There is no receiver any more only where the process is already leaving.
            drop(self.sender.try_send(end));
        }
    }
}

fn work<B: WorkerLog>(log: B, shared: Arc<Shared>, index: usize, mut guard: EndGuard) {
    observe::worker_started(index);
    let mut worker = Worker::new(log, shared);
    let end = worker.run();
    // Stores and log are released before the end is reported.
    drop(worker);
    observe::worker_stopped(index, end.is_ok());
    guard.end = Some(end);
}
