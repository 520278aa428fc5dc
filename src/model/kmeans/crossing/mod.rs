//! When a customer leaves a segment by time alone. docs/TIME_AND_CHURN.md, Crossings.
//!
//! The gap to each other segment decides: the squared distance to its centroid and the margin, less the squared
//! distance to the own centroid. A path is cut into chunks at the instants at which a coordinate begins to grow or
//! reaches its cap. `motion` computes how coordinates move in a chunk. `leaving` finds where a gap falls below
//! zero: in closed form where it is linear, by branch and bound (`roots`) where logarithms grow.

mod borders;
mod chunk;
mod gap;
mod leaving;
mod logarithm;
mod motion;
mod roots;
mod rounded;

pub use crate::model::kmeans::crossing::borders::Borders;

use crate::model::artifact::FEATURES_MAX;
use crate::model::kmeans::crossing::chunk::Chunk;
use crate::model::kmeans::crossing::logarithm::Logarithm;
use crate::model::kmeans::crossing::motion::Mover;
use crate::model::kmeans::crossing::motion::Position;
use crate::model::path::Coordinate;
use crate::model::path::Crossing;

/// Coordinates for which a search has room on the stack, about a kilobyte. It would allocate for more, but no model
/// has more than `FEATURES_MAX`.
const FEW: usize = 8;

/// The first crossing within `until_days` (inclusive; may be infinite): the infimum of t >= 0 with
/// `D_k(t) + m_k < D_own(t)` for some k, and that k. Of gaps that fall below zero at the same instant the lowest
/// wins, then the one that falls fastest, then the lower index. Touching a border is no crossing. Where
/// logarithms grow, nothing is searched beyond four million days.
#[must_use]
pub fn next_crossing(
    path: &[Coordinate],
    borders: Borders<'_>,
    until_days: f64,
) -> Option<Crossing> {
    if until_days.is_nan() || until_days < 0.0 {
        return None;
    }
    let size = path.len();
    let idle = Mover::idle(path.first()?);
    if size <= FEW {
        let room = Room {
            positions: &mut [Position::NONE; FEW],
            movers: &mut [idle; FEW],
            logarithms: &mut [Logarithm::NONE; FEW],
        };
        search(path, borders, until_days, room)
    } else if size <= FEATURES_MAX {
        let room = Room {
            positions: &mut [Position::NONE; FEATURES_MAX],
            movers: &mut [idle; FEATURES_MAX],
            logarithms: &mut [Logarithm::NONE; FEATURES_MAX],
        };
        search(path, borders, until_days, room)
    } else {
        let room = Room {
            positions: &mut vec![Position::NONE; size],
            movers: &mut vec![idle; size],
            logarithms: &mut vec![Logarithm::NONE; size],
        };
        search(path, borders, until_days, room)
    }
}

/// What a search needs more than once.
struct Room<'a, 'path> {
    positions: &'a mut [Position],
    movers: &'a mut [Mover<'path>],
    logarithms: &'a mut [Logarithm],
}

fn search<'path>(
    path: &'path [Coordinate],
    borders: Borders<'_>,
    until_days: f64,
    room: Room<'_, 'path>,
) -> Option<Crossing> {
    let rows = borders.centroids.chunks_exact(path.len());
    let own_row = rows.clone().nth(borders.own)?;
    let mut moving = 0;
    let places = path.iter().zip(own_row).zip(room.positions.iter_mut());
    for (place, ((coordinate, own), position)) in places.enumerate() {
        *position = Position::of(coordinate, coordinate.raw);
        if let Some(mover) = Mover::of(coordinate, place, *own) {
            *room.movers.get_mut(moving)? = mover;
            moving += 1;
        }
    }
    let mut chunk = Chunk {
        rows,
        borders,
        own_row,
        positions: room.positions,
        movers: room.movers.get_mut(..moving)?,
        begins_days: 0.0,
        ends_days: 0.0,
    };
    loop {
        chunk.enter();
        if let Some(first) = chunk.first_leaving(until_days, room.logarithms) {
            let crossing = Crossing {
                days: chunk.begins_days + first.days.value,
                segment: first.segment,
            };
            return (crossing.days <= until_days).then_some(crossing);
        }
        if chunk.ends_days > until_days || chunk.ends_days.is_infinite() {
            return None;
        }
        chunk.begins_days = chunk.ends_days;
    }
}
