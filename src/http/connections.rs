//! The open connections: what each waits for and since when, which of them has waited too long, and which makes room
//! for a new one.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use tokio::sync::Notify;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;

use crate::http::meter::Closed;
use crate::http::meter::Meter;

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The server, to read from it for the first time. A new connection begins here.
    New,
    /// The first byte of another request.
    Idle,
    /// The rest of a header.
    Header,
    /// The rest of a body.
    Body,
    /// The answer.
    Work,
    /// The client, to read the answer.
    Answer,
}

impl Phase {
    const ALL: [Self; 6] = [
        Self::New,
        Self::Idle,
        Self::Header,
        Self::Body,
        Self::Work,
        Self::Answer,
    ];

    /// In the order in which connections make room: those without a request first, those that wait for the server never.
    /// One that has waited for a moment only comes last, whatever it waits for: its request may be on the way.
    fn rank(self, waited: Duration) -> Option<u8> {
        match self {
            Self::New | Self::Work => None,
            _ if waited < GRACE => Some(3),
            Self::Idle | Self::Header => Some(0),
            Self::Answer => Some(1),
            Self::Body => Some(2),
        }
    }
}

/// How long a connection may wait.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For the header of a request.
    pub header: Duration,
    /// For another request.
    pub idle: Duration,
    /// For the client to read an answer.
    pub answer: Duration,
}

impl Patience {
    /// Why a connection ends that has waited this long. Bodies and work have limits of their own.
    fn end(&self, phase: Phase, waited: Duration) -> Option<Closed> {
        let (limit, reason) = match phase {
            Phase::Header => (self.header, Closed::HeaderTimeout),
            Phase::Idle => (self.idle, Closed::IdleTimeout),
            Phase::Answer => (self.answer, Closed::AnswerTimeout),
            Phase::New | Phase::Body | Phase::Work => return None,
        };
        (waited >= limit).then_some(reason)
    }
}

const PHASE_BITS: u32 = 3;
/// A client that sends without pauses takes less from one phase to the next.
const GRACE: Duration = Duration::from_millis(250);
/// This part of the places is kept for new connections: those that make room for them end while they are served.
const SPARE_PART: usize = 8;
/// Where no connection could make room, one is looked for again after this time.
const RETRY: Duration = Duration::from_millis(50);

/// One open connection.
#[derive(Debug)]
pub(super) struct Connection {
    origin: Instant,
    /// Milliseconds after `origin` of the last change, and below them the place of the phase in [`Phase::ALL`].
    phase: AtomicU64,
    /// The body of the answer was handed over to its end.
    is_answered: AtomicBool,
    reason: Mutex<Option<Closed>>,
    close: Notify,
}

impl Connection {
    fn new(origin: Instant) -> Self {
        let connection = Self {
            origin,
            phase: AtomicU64::default(),
            is_answered: AtomicBool::default(),
            reason: Mutex::default(),
            close: Notify::new(),
        };
        connection.enter(Phase::New);
        connection
    }

    pub(super) fn enter(&self, phase: Phase) {
        let millis = u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX);
        if phase == Phase::Answer {
            self.is_answered.store(false, Ordering::Relaxed);
        }
        self.phase
            .store(millis << PHASE_BITS | phase as u64, Ordering::Relaxed);
    }

    /// The phase, and the milliseconds after `origin` when it began.
    pub(super) fn phase(&self) -> (Phase, u64) {
        let packed = self.phase.load(Ordering::Relaxed);
        let place = usize::try_from(packed & ((1 << PHASE_BITS) - 1)).unwrap_or_default();
        let phase = Phase::ALL.get(place).copied().unwrap_or(Phase::Header);
        (phase, packed >> PHASE_BITS)
    }

    /// The server asks it for bytes.
    pub(super) fn reads(&self) {
        if self.phase().0 == Phase::New {
            self.enter(Phase::Header);
        }
    }

    /// Bytes came from the client.
    pub(super) fn received(&self) {
        if self.phase().0 == Phase::Idle {
            self.enter(Phase::Header);
        }
    }

    /// The whole body of the answer was taken over for sending.
    pub(super) fn answered(&self) {
        self.is_answered.store(true, Ordering::Relaxed);
    }

    /// Everything that was taken over for sending was sent.
    pub(super) fn flushed(&self) {
        if self.phase().0 == Phase::Answer && self.is_answered.load(Ordering::Relaxed) {
            self.enter(Phase::Idle);
        }
    }

    fn close(&self, reason: Closed) {
        self.lock_reason().get_or_insert(reason);
        self.close.notify_one();
    }

    fn lock_reason(&self) -> MutexGuard<'_, Option<Closed>> {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is to be closed as soon as its task sees it.
    pub(super) fn is_ending(&self) -> bool {
        self.lock_reason().is_some()
    }

    /// Whether a request was answered on it.
    pub(super) fn is_used(&self) -> bool {
        self.is_answered.load(Ordering::Relaxed)
    }

    /// Waits until it must be closed. Where its request has come meanwhile, it need not.
    pub(super) async fn must_close(&self) -> Closed {
        loop {
            self.close.notified().await;
            let reason = self.lock_reason().take();
            if let (Some(reason), true) = (reason, self.phase().0 != Phase::Work) {
                return reason;
            }
        }
    }
}

/// A place for one connection; it is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    table: Arc<Connections>,
    number: u64,
    pub(super) connection: Arc<Connection>,
    pub(super) ended: Closed,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.table.lock().remove(&self.number);
        self.table.meter.connection_closed(self.ended);
    }
}

/// All open connections.
#[derive(Debug)]
pub(super) struct Connections {
    origin: Instant,
    patience: Patience,
    places: Arc<Semaphore>,
    /// Where no more places than these are left, each new connection ends another one.
    spare: usize,
    next: AtomicU64,
    open: Mutex<HashMap<u64, Arc<Connection>>>,
    meter: Arc<dyn Meter>,
}

impl Connections {
    pub(super) fn new(max: usize, patience: Patience, meter: Arc<dyn Meter>) -> Arc<Self> {
        Arc::new(Self {
            origin: Instant::now(),
            patience,
            places: Arc::new(Semaphore::new(max)),
            spare: max / SPARE_PART,
            next: AtomicU64::default(),
            open: Mutex::default(),
            meter,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Connection>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection that was accepted. Where few are left, one is freed, and this need not wait for it;
    /// where none is left, because each connection has a request that is worked on, this waits.
    pub(super) async fn place(self: &Arc<Self>) -> Place {
        if self.places.available_permits() <= self.spare {
            self.make_room();
        }
        let permit = loop {
            let freed = Arc::clone(&self.places).acquire_owned();
            if let Ok(Ok(permit)) = tokio::time::timeout(RETRY, freed).await {
                break permit;
            }
            self.make_room();
        };
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let connection = Arc::new(Connection::new(self.origin));
        self.lock().insert(number, Arc::clone(&connection));
        self.meter.connection_opened();
        Place {
            table: Arc::clone(self),
            number,
            connection,
            ended: Closed::Broken,
            _permit: permit,
        }
    }

    /// Ends the connection that has waited longest for its header, if there is one; else for its answer to be read;
    /// else for its body; else the one that has waited longest. Where as many are ending as should have room, it ends
    /// none.
    pub(super) fn make_room(&self) {
        self.make_room_at(self.origin.elapsed());
    }

    /// The same, so long after the table was made.
    fn make_room_at(&self, elapsed: Duration) {
        let open = self.lock();
        let (ending, waiting): (Vec<_>, Vec<_>) =
            open.values().partition(|connection| connection.is_ending());
        if ending.len() > self.spare {
            return;
        }
        let ranked = waiting.into_iter().filter_map(|connection| {
            let (phase, since) = connection.phase();
            let waited = elapsed.saturating_sub(Duration::from_millis(since));
            Some(((phase.rank(waited)?, since), connection))
        });
        if let Some((_, connection)) = ranked.min_by_key(|(rank, _)| *rank) {
            connection.close(Closed::Full);
        }
    }

    /// Ends the connections that have waited too long.
    pub(super) fn sweep(&self) {
        let elapsed = self.origin.elapsed();
        for connection in self.lock().values() {
            let (phase, since) = connection.phase();
            let waited = elapsed.saturating_sub(Duration::from_millis(since));
            if let Some(reason) = self.patience.end(phase, waited) {
                connection.close(reason);
            }
        }
    }
}
#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::meter::Uncounted;

    const PATIENCE: Patience = Patience {
        header: Duration::from_secs(5),
        idle: Duration::from_secs(60),
        answer: Duration::from_secs(30),
    };

    #[test]
    fn each_phase_ends_at_its_own_limit() {
        for (phase, seconds, expected) in [
            (Phase::Header, 4.999, None),
            (Phase::Header, 5.0, Some(Closed::HeaderTimeout)),
            (Phase::Idle, 59.999, None),
            (Phase::Idle, 60.0, Some(Closed::IdleTimeout)),
            (Phase::Answer, 29.999, None),
            (Phase::Answer, 30.0, Some(Closed::AnswerTimeout)),
            (Phase::New, 3600.0, None),
            (Phase::Work, 3600.0, None),
            (Phase::Body, 3600.0, None),
        ] {
            let waited = Duration::from_secs_f64(seconds);
            assert_eq!(PATIENCE.end(phase, waited), expected, "{phase:?} {seconds}");
        }
    }

    fn held(phases: &[(Phase, u64)]) -> (Arc<Connections>, Vec<Arc<Connection>>) {
        let table = Connections::new(phases.len(), PATIENCE, Arc::new(Uncounted));
        let mut connections = Vec::new();
        for (number, (phase, millis)) in (0..).zip(phases) {
            let connection = Arc::new(Connection::new(table.origin));
            let packed = millis << PHASE_BITS | *phase as u64;
            connection.phase.store(packed, Ordering::Relaxed);
            table.lock().insert(number, Arc::clone(&connection));
            connections.push(connection);
        }
        (table, connections)
    }

    #[test]
    fn the_connection_that_has_waited_longest_for_its_header_makes_room() {
        for (phases, expected) in [
            // The oldest of those without a request, whatever else is older.
            (
                vec![
                    (Phase::Body, 1),
                    (Phase::Header, 9),
                    (Phase::Idle, 5),
                    (Phase::Work, 0),
                ],
                Some(2),
            ),
            (
                vec![(Phase::Header, 9), (Phase::Header, 3), (Phase::Answer, 1)],
                Some(1),
            ),
            (
                vec![(Phase::Body, 1), (Phase::Answer, 8), (Phase::Answer, 9)],
                Some(1),
            ),
            (vec![(Phase::Work, 1), (Phase::Body, 8)], Some(1)),
            (vec![(Phase::Work, 1), (Phase::Work, 2)], None),
            // The server has had no time to read from it: its request may be there.
            (vec![(Phase::New, 1), (Phase::Body, 8)], Some(1)),
            (vec![(Phase::New, 1), (Phase::Work, 2)], None),
            // One that has just come is not closed for those that stay: the limit is 250 ms.
            (vec![(Phase::Body, 1), (Phase::Header, 751)], Some(0)),
            (vec![(Phase::Body, 1), (Phase::Header, 750)], Some(1)),
            (
                vec![
                    (Phase::Body, 760),
                    (Phase::Header, 755),
                    (Phase::Answer, 753),
                    (Phase::Work, 752),
                ],
                Some(2),
            ),
        ] {
            let (table, connections) = held(&phases);
            table.make_room_at(Duration::from_secs(1));
            let closed = connections
                .iter()
                .position(|connection| *connection.lock_reason() == Some(Closed::Full));
            assert_eq!(closed, expected, "{phases:?}");
        }
    }

    #[test]
    fn an_answer_ends_when_it_was_sent_and_another_request_begins_with_its_first_byte() {
        let connection = Connection::new(Instant::now());
        connection.enter(Phase::Answer);
        connection.flushed();
        assert_eq!(
            connection.phase().0,
            Phase::Answer,
            "not all was handed over"
        );
        connection.answered();
        connection.received();
        assert_eq!(connection.phase().0, Phase::Answer, "not all was sent");
        connection.flushed();
        assert_eq!(connection.phase().0, Phase::Idle);
        connection.received();
        assert_eq!(connection.phase().0, Phase::Header);
    }

    /// Of 16 places two are kept: the 14th connection ends none, the 15th and the 16th end one each without waiting
    /// for it.
    #[tokio::test]
    async fn a_new_connection_need_not_wait_for_the_one_that_makes_room() {
        let table = Connections::new(16, PATIENCE, Arc::new(Uncounted));
        let mut places = Vec::new();
        for taken in 1..=16 {
            let place = table.place().await;
            place.connection.reads();
            places.push(place);
            let ending = places.iter().filter(|place| place.connection.is_ending());
            assert_eq!(ending.count(), usize::max(taken, 14) - 14, "{taken}");
        }
    }

    #[tokio::test]
    async fn a_connection_whose_request_has_come_meanwhile_is_not_closed() {
        let connection = Connection::new(Instant::now());
        connection.close(Closed::Full);
        connection.enter(Phase::Work);
        let closed = tokio::time::timeout(Duration::from_millis(20), connection.must_close()).await;
        assert!(closed.is_err());
        connection.enter(Phase::Header);
        connection.close(Closed::HeaderTimeout);
        assert_eq!(connection.must_close().await, Closed::HeaderTimeout);
    }
}
