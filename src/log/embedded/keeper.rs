//! A thread that keeps the log in order while others work: it reads what was not read at the start, compacts the state, and
//! removes what was kept long enough.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::SystemTime;

use crate::domain::ids::Source;
use crate::domain::time::Timestamp;
use crate::log::Error;
use crate::log::embedded::base::Offsets;
use crate::log::embedded::ends::stream_of;
use crate::log::embedded::errors::failed;
use crate::log::embedded::handle::EmbeddedLog;
use crate::log::embedded::retention::remove_old;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(2);
/// After an error.
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(60);

/// How long records are kept once they were written; `None`: for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Input and transfers. What was not folded yet is always kept.
    pub input: Option<Duration>,
    /// Changes and dead letters.
    pub changes: Option<Duration>,
}

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub struct Keeper {
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Stop {
    is_wanted: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    fn is_wanted(&self) -> bool {
        *self
            .is_wanted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, unless it is wanted; whether it is.
    fn wait(&self, pause: Duration) -> bool {
        let wanted = self
            .is_wanted
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .changed
            .wait_timeout_while(wanted, pause, |is_wanted| !*is_wanted);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl EmbeddedLog {
    /// Keeps the log in order on a thread of its own, which reads the wall time with `now`.
    ///
    /// # Errors
    /// If there is no thread for it.
    pub fn keep(
        &self,
        retention: Retention,
        now: impl Fn() -> Timestamp + Send + 'static,
    ) -> Result<Keeper, Error> {
        let stop = Arc::new(Stop::default());
        let (log, stopped) = (self.clone(), Arc::clone(&stop));
        let thread = std::thread::Builder::new().name("log".to_owned());
        let thread = thread.spawn(move || keep(&log, &stopped, retention, &now));
        let thread = thread.map_err(|source| failed(&self.0.path, source))?;
        Ok(Keeper {
            stop,
            thread: Some(thread),
        })
    }

    /// Removes segments that were written to for the last time longer ago than they are kept. Of the input, what was not
    /// folded yet stays. The number of bytes that it removed.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn remove_old(&self, retention: Retention, now: Timestamp) -> Result<u64, Error> {
        let milliseconds = u64::try_from(now.as_milliseconds()).unwrap_or(0);
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(milliseconds);
        let _held = self.lock_segments();
        let mut removed = 0;
        if let Some(kept) = retention.input {
            removed += remove_old(&self.0.input, kept, now, Some(&self.folded()))?;
        }
        if let Some(kept) = retention.changes {
            removed += remove_old(&self.0.changes, kept, now, None)?;
        }
        Ok(removed)
    }

    /// How far each source was folded.
    fn folded(&self) -> Offsets {
        let outputs = self.lock_outputs();
        let groups = outputs.facts.groups.iter();
        let each = groups.flat_map(|(partition, group)| {
            let sources = Source::ALL.into_iter();
            sources.filter_map(|source| Some((stream_of(source, *partition), group.of(source)?)))
        });
        each.collect::<BTreeMap<_, _>>()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let wanted = &self.stop.is_wanted;
        *wanted.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.changed.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that keeps the log in order has panicked");
        }
    }
}

fn keep(
    log: &EmbeddedLog,
    stop: &Stop,
    retention: Retention,
    now: &(impl Fn() -> Timestamp + Send),
) {
    let go_on = || !stop.is_wanted();
    // After a failed check the log refuses every write and every poll, so the workers end.
    if let Err(error) = log.check_while(&go_on) {
        tracing::error!(%error, "the log is damaged");
        return;
    }
    let mut pause = PAUSE;
    while !stop.wait(pause) {
        pause = PAUSE;
        let kept = log
            .remove_leftovers()
            .and_then(|()| log.remove_old(retention, now()))
            .and_then(|_| log.compact_while(&go_on));
        if let Err(error) = kept {
            tracing::error!(%error, "files of the log that are not needed cannot be removed, or its state not compacted");
            pause = PAUSE_AFTER_ERROR;
        }
    }
}
