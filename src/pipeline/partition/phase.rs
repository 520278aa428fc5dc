//! The life of a partition in a worker: which phase follows which, and what the worker does on the way. Pure: one
//! table, [`next`].

use std::fmt;

/// Where a partition stands in its worker. A partition that the worker has nothing to do with has no phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Assigned; the log has not said yet where it stands.
    Waiting,
    /// Its state is being read from the changelog.
    Restoring,
    /// It takes deliveries.
    Running,
    /// Handed over; the log takes it away at the next poll.
    Leaving,
    /// Dropped after an abort. The log has not said yet whether it is still assigned here.
    Unconfirmed,
    /// Another worker of this process has taken it over. One of the two has not heard yet that the group took it from
    /// it. If that is the other one, this worker goes on once it is free.
    Displaced,
}

/// What happens to a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhaseEvent {
    /// The log says that it is this worker's.
    Assigned,
    /// The log has said where it stands, and its store is open.
    RestoreBegan,
    /// The end of its changelog is reached.
    RestoreEnded,
    /// The group asks for it back, and waits.
    Revoked,
    /// The group may have given it to another member already.
    Lost,
    /// The log was polled after the hand-over.
    HandedOver,
    /// A transaction was aborted, or its outcome is unknown: everything goes back to the checkpoints.
    Aborted,
    /// Another worker of this process has taken it over.
    Displaced,
    /// The other worker has given it up.
    Freed,
}

/// What the worker does, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Takes the ownership within the process from any other worker.
    Take,
    /// Takes the ownership if no other worker has it; else the phase is [`Phase::Displaced`].
    TakeBack,
    /// Stops the deliveries.
    Pause,
    /// Writes the store to disk.
    Flush,
    /// Gives the ownership up: readers see nothing, and its customers are not counted any more.
    Release,
    /// Removes the mark that says that the store on disk is this instance's.
    Unmark,
}

/// An event that cannot happen in a phase: the worker or its log is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Impossible {
    /// The phase.
    pub phase: Option<Phase>,
    /// The event.
    pub event: PhaseEvent,
}

impl fmt::Display for Impossible {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { phase, event } = self;
        write!(formatter, "{event:?} cannot happen in phase {phase:?}")
    }
}

/// The phase after an event, and what the worker does.
///
/// # Errors
/// If the event cannot happen in the phase.
pub fn next(
    phase: Option<Phase>,
    event: PhaseEvent,
) -> Result<(Option<Phase>, &'static [Action]), Impossible> {
    use Action::Flush;
    use Action::Pause;
    use Action::Release;
    use Action::Take;
    use Action::TakeBack;
    use Action::Unmark;
    use Phase::Displaced;
    use Phase::Leaving;
    use Phase::Restoring;
    use Phase::Running;
    use Phase::Unconfirmed;
    use Phase::Waiting;
    Ok(match (phase, event) {
        (None, PhaseEvent::Assigned) => (Some(Waiting), &[Take]),
        // The log may say it again: after a restart, or when a rebalance was noted meanwhile.
        (Some(Waiting | Restoring | Running | Leaving), PhaseEvent::Assigned) => (phase, &[]),
        (Some(Unconfirmed | Displaced), PhaseEvent::Assigned)
        | (Some(Displaced), PhaseEvent::Freed) => (Some(Waiting), &[TakeBack]),
        (Some(Waiting), PhaseEvent::RestoreBegan) => (Some(Restoring), &[]),
        (Some(Restoring), PhaseEvent::RestoreEnded) => (Some(Running), &[]),
        (Some(Running), PhaseEvent::Revoked) => (Some(Leaving), &[Pause, Flush, Release, Unmark]),
        (Some(Waiting | Restoring | Unconfirmed | Displaced), PhaseEvent::Revoked) => {
            (Some(Leaving), &[Pause, Release, Unmark])
        }
        (Some(_), PhaseEvent::Lost) => (None, &[Pause, Release, Unmark]),
        (Some(Leaving), PhaseEvent::HandedOver | PhaseEvent::Aborted) => (None, &[]),
        (Some(Waiting | Restoring | Running | Unconfirmed), PhaseEvent::Aborted) => {
            (Some(Unconfirmed), &[Pause, Release])
        }
        (Some(Displaced), PhaseEvent::Aborted) => (phase, &[]),
        (Some(Waiting | Restoring | Running), PhaseEvent::Displaced) => (Some(Displaced), &[Pause]),
        // What this worker has nothing to do with may be another worker's.
        (None, PhaseEvent::Revoked | PhaseEvent::Lost | PhaseEvent::Aborted)
        | (Some(Leaving), PhaseEvent::Revoked) => (phase, &[]),
        (None | Some(_), _) => return Err(Impossible { phase, event }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand, from the promises of the log (`tests/support/contract.rs`): a row a phase, a column an event.
    #[test]
    fn every_phase_has_its_answer_to_every_event() {
        use PhaseEvent::Aborted;
        use PhaseEvent::Assigned;
        use PhaseEvent::Displaced;
        use PhaseEvent::Freed;
        use PhaseEvent::HandedOver;
        use PhaseEvent::Lost;
        use PhaseEvent::RestoreBegan;
        use PhaseEvent::RestoreEnded;
        use PhaseEvent::Revoked;
        let events = [
            Assigned,
            RestoreBegan,
            RestoreEnded,
            Revoked,
            Lost,
            HandedOver,
            Aborted,
            Displaced,
            Freed,
        ];
        // W, R, N, L, U, D: the phases; -: no phase; x: impossible.
        let table = [
            (None, "Wxx--x-xx"),
            (Some(Phase::Waiting), "WRxL-xUDx"),
            (Some(Phase::Restoring), "RxNL-xUDx"),
            (Some(Phase::Running), "NxxL-xUDx"),
            (Some(Phase::Leaving), "LxxL---xx"),
            (Some(Phase::Unconfirmed), "WxxL-xUxx"),
            (Some(Phase::Displaced), "WxxL-xDxW"),
        ];
        let letter = |phase: Option<Phase>| match phase {
            None => '-',
            Some(Phase::Waiting) => 'W',
            Some(Phase::Restoring) => 'R',
            Some(Phase::Running) => 'N',
            Some(Phase::Leaving) => 'L',
            Some(Phase::Unconfirmed) => 'U',
            Some(Phase::Displaced) => 'D',
        };
        for (phase, expected) in table {
            let found: String = events
                .iter()
                .map(|event| next(phase, *event).map_or('x', |(phase, _)| letter(phase)))
                .collect();
            assert_eq!(found, expected, "{phase:?}");
        }
    }

    #[test]
    fn what_is_taken_is_given_up_before_the_phase_ends() {
        use Phase::Restoring;
        use Phase::Running;
        use Phase::Waiting;
        for phase in [Waiting, Restoring, Running] {
            for event in [PhaseEvent::Revoked, PhaseEvent::Lost, PhaseEvent::Aborted] {
                let (_, actions) = next(Some(phase), event).unwrap();
                assert!(actions.contains(&Action::Release), "{phase:?} {event:?}");
                assert!(actions.contains(&Action::Pause), "{phase:?} {event:?}");
            }
            for event in [PhaseEvent::Revoked, PhaseEvent::Lost] {
                let (_, actions) = next(Some(phase), event).unwrap();
                assert!(actions.contains(&Action::Unmark), "{phase:?} {event:?}");
            }
        }
    }
}
