//! A time in which no coordinate begins or ends to grow.

use std::slice::ChunksExact;

use crate::model::kmeans::crossing::borders::Borders;
use crate::model::kmeans::crossing::gap::Gap;
use crate::model::kmeans::crossing::leaving::Leaving;
use crate::model::kmeans::crossing::leaving::Reach;
use crate::model::kmeans::crossing::logarithm::Logarithm;
use crate::model::kmeans::crossing::motion::Mover;
use crate::model::kmeans::crossing::motion::Position;

/// Where a search for roots with logarithms ends, in days: later than any timestamp.
const LOGARITHMS_DAYS_MAX: f64 = 4e6;
/// How far past a limit such a search looks, in days, so that no root on the limit is lost to rounding.
const LEEWAY_DAYS: f64 = 1.0;

/// A time in which no coordinate begins or ends to grow.
pub(super) struct Chunk<'a, 'path> {
    pub(super) rows: ChunksExact<'a, f64>,
    pub(super) borders: Borders<'a>,
    pub(super) own_row: &'a [f64],
    /// At the start of the path.
    pub(super) positions: &'a [Position],
    pub(super) movers: &'a mut [Mover<'path>],
    pub(super) begins_days: f64,
    pub(super) ends_days: f64,
}

impl Chunk<'_, '_> {
    pub(super) fn enter(&mut self) {
        self.ends_days = f64::INFINITY;
        for mover in self.movers.iter_mut() {
            let changes_days = mover.enter(self.begins_days);
            self.ends_days = self.ends_days.min(changes_days);
        }
    }

    pub(super) fn first_leaving(
        &self,
        until_days: f64,
        logarithms: &mut [Logarithm],
    ) -> Option<Leaving> {
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

    /// The gap to a segment in this chunk. In a form that subtracts no large squares.
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

/// Adds a logarithm to those used: to one of the same rate, if there is one, so that opposite weights cancel.
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
