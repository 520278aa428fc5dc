//! When a customer leaves a segment by time alone. CHURN_AND_TIME, sections 3.1 to 3.4.
//!
//! What decides is the gap to each other segment: the squared distance to its centroid and the margin, less
//! the squared distance to the own centroid. A path is cut into chunks, at the instants at which a coordinate
//! begins to grow or reaches its cap; `motion` knows how it moves in one, `gap` where a gap falls below zero.

mod gap;
mod motion;

use std::slice::ChunksExact;

use crate::model::artifact::FEATURES_MAX;
use crate::model::artifact::Transform;
use crate::model::crossing::gap::Gap;
use crate::model::crossing::gap::Leaving;
use crate::model::crossing::gap::Logarithm;
use crate::model::crossing::gap::Reach;
use crate::model::crossing::motion::Mover;
use crate::model::crossing::motion::Position;

/// Coordinates up to which a search makes do with a kilobyte. Beyond `FEATURES_MAX`, which no model is, it
/// allocates.
const FEW: usize = 8;
/// Where a search for roots with logarithms ends, in days: later than any timestamp.
const LOGARITHMS_DAYS_MAX: f64 = 4e6;
/// How far past a limit such a search looks, in days, so that no root on the limit is lost to rounding.
const LEEWAY_DAYS: f64 = 1.0;

/// One coordinate of a path.
#[derive(Clone, Copy, Debug)]
pub struct Coordinate {
    /// Raw value at the start, in the feature's unit; under `Log1p` it counts from 0 on.
    pub raw: f64,
    /// Growth of the raw value in its unit per day; a negative one is taken as 0.
    pub growth_per_day: f64,
    /// Greatest raw value that counts; infinite where there is none.
    pub cap: f64,
    /// Applied after the cap, before scaling.
    pub transform: Transform,
    /// Mean of the transformed training values.
    pub mean: f64,
    /// Standard deviation of the transformed training values, above zero.
    pub standard_deviation: f64,
}

/// Where a path leaves a segment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Crossing {
    /// When, in days from the start of the path.
    pub days: f64,
    /// Index of the segment entered.
    pub segment: usize,
}

/// The segments as a path sees them.
#[derive(Clone, Copy, Debug)]
pub struct Borders<'a> {
    /// The scaled centroids, k x d, row by row.
    pub centroids: &'a [f64],
    /// What the squared distance to each segment must gain over that to the own; k.
    pub margins: &'a [f64],
    /// Index of the assigned segment.
    pub own: usize,
}

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

/// Where a search keeps what it needs more than once.
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

/// A time in which no coordinate begins or ends to grow.
struct Chunk<'a, 'path> {
    rows: ChunksExact<'a, f64>,
    borders: Borders<'a>,
    own_row: &'a [f64],
    /// At the start of the path.
    positions: &'a [Position],
    movers: &'a mut [Mover<'path>],
    begins_days: f64,
    ends_days: f64,
}

impl Chunk<'_, '_> {
    fn enter(&mut self) {
        self.ends_days = f64::INFINITY;
        for mover in self.movers.iter_mut() {
            let changes_days = mover.enter(self.begins_days);
            self.ends_days = self.ends_days.min(changes_days);
        }
    }

    fn first_leaving(&self, until_days: f64, logarithms: &mut [Logarithm]) -> Option<Leaving> {
        let is_still = self.movers.iter().all(Mover::is_still);
        if is_still && self.begins_days > 0.0 {
            return None;
        }
        let length_days = self.ends_days - self.begins_days;
        let mut reach = Reach {
            length_days,
            logarithms_days: length_days
                .min(LOGARITHMS_DAYS_MAX - self.begins_days)
                .min(until_days - self.begins_days + LEEWAY_DAYS),
        };
        let mut first: Option<Leaving> = None;
        let rows = self.rows.clone().zip(self.borders.margins).enumerate();
        for (segment, (row, margin)) in rows {
            if segment == self.borders.own {
                continue;
            }
            let gap = self.gap(row, *margin, logarithms);
            if let Some(leaving) = gap.leaving(segment, reach)
                && first.is_none_or(|first| leaving.is_before(&first))
            {
                let enough_days = leaving.days.value + LEEWAY_DAYS;
                reach.logarithms_days = reach.logarithms_days.min(enough_days);
                first = Some(leaving);
            }
        }
        first
    }

    /// The gap to a segment in this chunk. In the form of section 3.1, which subtracts no large squares.
    fn gap<'a>(&self, row: &[f64], margin: f64, logarithms: &'a mut [Logarithm]) -> Gap<'a> {
        let (mut value, mut size) = (margin, margin.abs());
        for ((other, own), position) in row.iter().zip(self.own_row).zip(self.positions) {
            let (apart, sum) = (other - own, other + own);
            value += apart * (sum - 2.0 * position.scaled);
            size += apart.abs() * (sum.abs() + 2.0 * position.size);
        }
        let (mut pace, mut pace_size) = (0.0, 0.0);
        let mut used = 0;
        for mover in self.movers.iter() {
            let Some(other) = row.get(mover.place) else {
                continue;
            };
            let weight = -2.0 * (other - mover.own);
            value += weight * mover.moved;
            size += weight.abs() * mover.moved_size;
            pace += weight * mover.pace;
            pace_size += weight.abs() * mover.pace;
            if mover.rate > 0.0 && weight.abs() > 0.0 {
                let logarithm = Logarithm {
                    weight: weight * mover.per_deviation,
                    rate: mover.rate,
                };
                used = with(logarithms, used, logarithm);
            }
        }
        Gap {
            value,
            size,
            pace,
            pace_size,
            logarithms: logarithms.get(..used).unwrap_or(&[]),
        }
    }
}

/// Adds a logarithm to those used: to one of the same rate, if there is one, so that what cancels does.
fn with(logarithms: &mut [Logarithm], used: usize, added: Logarithm) -> usize {
    let mut before = logarithms.iter_mut().take(used);
    if let Some(same) = before.find(|logarithm| logarithm.has_rate_of(&added)) {
        same.weight += added.weight;
        return used;
    }
    let Some(free) = logarithms.get_mut(used) else {
        return used;
    };
    *free = added;
    used + 1
}
