//! How a coordinate of a path moves: it waits for 0 under `Log1p`, grows, and stays at its cap.

use crate::model::artifact::Transform;
use crate::model::path::Coordinate;

/// A scaled coordinate and the size of what it was computed from, at least one standard deviation: a
/// customer stopped on a border may stand at a 0 that is a difference of greater numbers.
#[derive(Clone, Copy)]
pub(super) struct Position {
    pub(super) scaled: f64,
    pub(super) size: f64,
}

impl Position {
    pub(super) const NONE: Self = Self {
        scaled: 0.0,
        size: 0.0,
    };

    pub(super) fn of(coordinate: &Coordinate, raw: f64) -> Self {
        let capped = raw.min(coordinate.cap);
        let transformed = match coordinate.transform {
            Transform::Identity => capped,
            Transform::Log1p => libm::log1p(capped.max(0.0)),
        };
        let per_deviation = 1.0 / coordinate.standard_deviation;
        Self {
            scaled: (transformed - coordinate.mean) * per_deviation,
            size: 1.0 + (transformed.abs() + coordinate.mean.abs()) * per_deviation,
        }
    }
}

/// A coordinate that moves at some time.
#[derive(Clone, Copy)]
pub(super) struct Mover<'path> {
    coordinate: &'path Coordinate,
    /// Which coordinate it is, and where the own centroid has it.
    pub(super) place: usize,
    pub(super) own: f64,
    /// One by the standard deviation.
    pub(super) per_deviation: f64,
    /// When it begins to grow and when it reaches its cap, in days from the start of the path.
    begins_days: f64,
    ends_days: f64,
    /// How far the scaled value has come at the start of the current chunk, and the size of what that was
    /// computed from.
    pub(super) moved: f64,
    pub(super) moved_size: f64,
    /// Growth of the scaled value, per day; 0 unless it grows linearly in this chunk.
    pub(super) pace: f64,
    /// u of ln(1 + u t), per day; 0 unless it grows so in this chunk.
    pub(super) rate: f64,
}

impl<'path> Mover<'path> {
    pub(super) fn idle(coordinate: &'path Coordinate) -> Self {
        Self {
            coordinate,
            place: 0,
            own: 0.0,
            per_deviation: 0.0,
            begins_days: 0.0,
            ends_days: 0.0,
            moved: 0.0,
            moved_size: 0.0,
            pace: 0.0,
            rate: 0.0,
        }
    }

    /// `None` where the coordinate never moves.
    pub(super) fn of(coordinate: &'path Coordinate, place: usize, own: f64) -> Option<Self> {
        let waits = match coordinate.transform {
            Transform::Identity => 0.0,
            Transform::Log1p => (-coordinate.raw).max(0.0),
        };
        let grows = coordinate.growth_per_day > 0.0;
        (grows && coordinate.raw + waits < coordinate.cap).then(|| Self {
            place,
            own,
            per_deviation: 1.0 / coordinate.standard_deviation,
            begins_days: waits / coordinate.growth_per_day,
            ends_days: (coordinate.cap - coordinate.raw) / coordinate.growth_per_day,
            ..Self::idle(coordinate)
        })
    }

    /// Sets the motion at the start of a chunk, and returns when it changes next; infinite where it does not.
    pub(super) fn enter(&mut self, at_days: f64) -> f64 {
        let coordinate = self.coordinate;
        let is_capped = at_days >= self.ends_days;
        let raw = if is_capped {
            coordinate.cap
        } else {
            coordinate.raw + coordinate.growth_per_day * at_days
        };
        if at_days > 0.0 {
            let (start, now) = (
                Position::of(coordinate, coordinate.raw),
                Position::of(coordinate, raw),
            );
            self.moved = now.scaled - start.scaled;
            self.moved_size = now.size + start.size;
        }
        (self.pace, self.rate) = (0.0, 0.0);
        if is_capped {
            return f64::INFINITY;
        }
        if at_days < self.begins_days {
            return self.begins_days;
        }
        let growth_per_day = coordinate.growth_per_day;
        match coordinate.transform {
            Transform::Identity => self.pace = growth_per_day * self.per_deviation,
            Transform::Log1p => self.rate = growth_per_day / (1.0 + raw.max(0.0)),
        }
        self.ends_days
    }

    /// Whether it waits or stays at its cap in the current chunk.
    pub(super) fn is_still(&self) -> bool {
        self.pace <= 0.0 && self.rate <= 0.0
    }
}
