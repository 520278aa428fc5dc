//! The dead letters for HTTP, on both logs.

use std::sync::Mutex;
use std::sync::TryLockError;

use crate::cli::compose::AnyLog;
use crate::cli::dead_letters::pages;
use crate::http::DeadLetters;
use crate::http::LettersAsked;
use crate::http::LettersLookup;
use crate::log::Error;
use crate::log::outputs::OutputKind;
use crate::log::outputs::OutputReader;
use crate::view::dead_letter::DeadLetterView;
use crate::view::dead_letter::DeadLettersView;

/// The largest record that is sent: as JSON it has up to six times as many bytes.
const RECORD_BYTES_MAX: usize = 4 << 20;

/// Reads the dead letters of a log.
#[derive(Debug)]
pub struct LogDeadLetters {
    log: AnyLog,
    /// The topic on Kafka is read by one request at a time: a cluster that is away would otherwise keep a thread for
    /// each.
    turn: Mutex<()>,
}

impl LogDeadLetters {
    /// The dead letters of this log.
    #[must_use]
    pub fn new(log: AnyLog) -> Self {
        Self {
            log,
            turn: Mutex::new(()),
        }
    }

    fn with_reader<T>(
        &self,
        read: impl FnOnce(&mut dyn OutputReader) -> Result<LettersLookup<T>, Error>,
    ) -> Result<LettersLookup<T>, String> {
        let log = match &self.log {
            AnyLog::Embedded(log) => {
                let found = read(&mut log.reader(OutputKind::DeadLetters));
                return found.map_err(|error| error.to_string());
            }
            AnyLog::Kafka(log) => log,
        };
        let _turn = match self.turn.try_lock() {
            Ok(turn) => turn,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(LettersLookup::Busy),
        };
        // A client of this request alone: between requests none waits for the cluster.
        let found = log.reader(OutputKind::DeadLetters);
        let found = found.and_then(|mut reader| read(&mut reader));
        found.map_err(|error| error.to_string())
    }
}

impl DeadLetters for LogDeadLetters {
    fn page(&self, asked: &LettersAsked) -> Result<LettersLookup<DeadLettersView>, String> {
        self.with_reader(|reader| pages::page(reader, asked, RECORD_BYTES_MAX))
    }

    fn one(&self, partition: u32, offset: u64) -> Result<LettersLookup<DeadLetterView>, String> {
        self.with_reader(|reader| pages::one(reader, partition, offset, RECORD_BYTES_MAX))
    }
}
