//! The instant as of which a customer is shown. docs/COMMAND_LINE.md, As of when.

use crate::domain::time::Timestamp;

/// As of when customers are shown. What was committed last of a customer is never shown as of an earlier instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsOf {
    /// The clock of the customer's partition.
    Clock,
    /// The wall clock, which said this; where the partition's clock is ahead of it, that one.
    Now(Timestamp),
    /// The customer's last evaluation.
    Evaluated,
    /// One instant for all customers.
    At(Timestamp),
}

/// The instant is before the customer's last evaluation: what the customer was then is not known any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BeforeEvaluation;

impl AsOf {
    /// The instant for a customer who was evaluated last at `evaluated_at`, in a partition whose clock stands at `clock`.
    ///
    /// # Errors
    /// If one instant was asked for and it is before `evaluated_at`.
    pub fn of(
        self,
        evaluated_at: Timestamp,
        clock: Option<Timestamp>,
    ) -> Result<Timestamp, BeforeEvaluation> {
        let by_clock = as_of_clock(evaluated_at, clock);
        match self {
            Self::Clock => Ok(by_clock),
            Self::Now(wall) => Ok(wall.max(by_clock)),
            Self::Evaluated => Ok(evaluated_at),
            Self::At(instant) if instant < evaluated_at => Err(BeforeEvaluation),
            Self::At(instant) => Ok(instant),
        }
    }
}

/// The clock of a partition, for a customer of it; an event may have been evaluated ahead of it.
#[must_use]
pub fn as_of_clock(evaluated_at: Timestamp, clock: Option<Timestamp>) -> Timestamp {
    clock.map_or(evaluated_at, |clock| clock.max(evaluated_at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_milliseconds(milliseconds).unwrap()
    }

    #[test]
    fn no_customer_is_shown_as_of_an_instant_before_its_last_evaluation() {
        let evaluated_at = at(50);
        for (as_of, clock, expected) in [
            (AsOf::Clock, None, Ok(50)),
            (AsOf::Clock, Some(60), Ok(60)),
            (AsOf::Clock, Some(49), Ok(50)),
            (AsOf::Evaluated, Some(60), Ok(50)),
            (AsOf::Now(at(70)), Some(60), Ok(70)),
            (AsOf::Now(at(70)), Some(80), Ok(80)),
            (AsOf::Now(at(40)), Some(45), Ok(50)),
            (AsOf::Now(at(40)), None, Ok(50)),
            (AsOf::At(at(50)), Some(60), Ok(50)),
            (AsOf::At(at(55)), Some(60), Ok(55)),
            (AsOf::At(at(90)), Some(60), Ok(90)),
            (AsOf::At(at(49)), Some(40), Err(BeforeEvaluation)),
        ] {
            let found = as_of.of(evaluated_at, clock.map(at));
            assert_eq!(found, expected.map(at), "{as_of:?} {clock:?}");
        }
    }
}
