//! Puts a solution in floating point on the first whole millisecond at which the rule itself holds.

use crate::domain::time::Timestamp;

/// How far from the solution the rule is evaluated, in doublings of a millisecond: a little over an hour.
const DOUBLINGS_MAX: u32 = 22;
/// Where the rule does not hold within that distance, it is evaluated again this much later.
const RETRY_MS: i64 = 1000;

/// The first millisecond from `now` (excluded) to `until` (included) at which a rule holds. The rule must hold
/// from some instant close to `near` on. If it does not hold anywhere close, the result is a second after `near`;
/// the evaluation at that instant then decides by the rule.
pub fn first_after(
    near: Timestamp,
    (now, until): (Timestamp, Timestamp),
    mut holds: impl FnMut(Timestamp) -> bool,
) -> Timestamp {
    let first = now.plus_milliseconds(1);
    let near = near.clamp(first, until.max(first));
    if holds(near) {
        let (mut reached, mut step_ms) = (near, 1);
        for _ in 0..DOUBLINGS_MAX {
            let earlier = reached.plus_milliseconds(-step_ms).max(now);
            if earlier == now || !holds(earlier) {
                return between(earlier, reached, holds);
            }
            reached = earlier;
            step_ms *= 2;
        }
        return reached;
    }
    let (mut reached, mut step_ms) = (near, 1);
    for _ in 0..DOUBLINGS_MAX {
        let later = reached.plus_milliseconds(step_ms).min(until);
        if holds(later) {
            return between(reached, later, holds);
        }
        if later == until {
            break;
        }
        reached = later;
        step_ms *= 2;
    }
    near.plus_milliseconds(RETRY_MS)
}

/// The first millisecond at which the rule holds; it does not hold at `not_yet` (or is not evaluated there) and
/// holds at `holding`.
fn between(
    mut not_yet: Timestamp,
    mut holding: Timestamp,
    mut holds: impl FnMut(Timestamp) -> bool,
) -> Timestamp {
    loop {
        let gap_ms = holding.as_milliseconds() - not_yet.as_milliseconds();
        if gap_ms <= 1 {
            return holding;
        }
        let middle = not_yet.plus_milliseconds(gap_ms / 2);
        if holds(middle) {
            holding = middle;
        } else {
            not_yet = middle;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_milliseconds(milliseconds).unwrap()
    }

    #[test]
    fn the_first_millisecond_is_found_wherever_the_solution_lies_near_it() {
        for first in [1, 2, 999, 1_000, 1_001, 1_700, 60_000] {
            for near in [-5, 0, 1, 2, 998, 1_000, 1_003, 61_000] {
                let found = first_after(at(near), (at(0), at(100_000)), |asked| asked >= at(first));
                assert_eq!(found, at(first), "near {near}");
            }
        }
    }

    #[test]
    fn a_rule_that_holds_nowhere_is_asked_again_a_second_later() {
        let found = first_after(at(5_000), (at(0), at(1 << 40)), |_| false);
        assert_eq!(found, at(6_000));
        let at_the_end = first_after(at(5_000), (at(0), at(5_000)), |_| false);
        assert_eq!(at_the_end, at(6_000));
    }
}
