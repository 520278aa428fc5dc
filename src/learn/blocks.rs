//! Rows, and centroids in groups of four whose distances are computed together.

/// Centroids whose distances are computed together.
pub(super) const LANES: usize = 4;

type Lanes = [f64; LANES];

/// Rows by rows, each of d coordinates.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows<'a> {
    pub(super) values: &'a [f64],
    pub(super) dimensions: usize,
}

impl<'a> Rows<'a> {
    pub(super) fn iter(self) -> impl Iterator<Item = &'a [f64]> {
        self.values.chunks_exact(self.dimensions.max(1))
    }

    pub(super) fn number(self) -> usize {
        self.values.len() / self.dimensions.max(1)
    }

    pub(super) fn get(self, place: usize) -> &'a [f64] {
        let from = place * self.dimensions;
        self.values.get(from..from + self.dimensions).unwrap_or(&[])
    }
}

/// The cluster of a row, and bounds of its distances: while the distance to the own centroid is certainly the least,
/// no other has to be computed. Hamerly (2010), Making k-means even faster.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub(super) label: usize,
    /// The own centroid is at most this far.
    pub(super) own_most: f64,
    /// Every other centroid is at least this far.
    pub(super) others_least: f64,
}

/// Centroids in groups of four, coordinate by coordinate; the last group is filled with infinitely distant ones.
#[derive(Clone, Debug)]
pub(super) struct Blocks {
    lanes: Vec<Lanes>,
    pub(super) dimensions: usize,
}

impl Blocks {
    pub(super) fn of(centroids: &[f64], dimensions: usize) -> Self {
        let dimensions = dimensions.max(1);
        let mut lanes = Vec::with_capacity(centroids.len().div_ceil(LANES) + dimensions);
        for four in centroids.chunks(LANES * dimensions) {
            for axis in 0..dimensions {
                let mut coordinates = [f64::INFINITY; LANES];
                let each = four.chunks_exact(dimensions);
                for (lane, centroid) in coordinates.iter_mut().zip(each) {
                    *lane = centroid.get(axis).copied().unwrap_or(f64::INFINITY);
                }
                lanes.push(coordinates);
            }
        }
        Self { lanes, dimensions }
    }

    pub(super) fn blocks(&self) -> impl Iterator<Item = &[Lanes]> {
        self.lanes.chunks_exact(self.dimensions)
    }

    /// The nearest centroid, the lower index among equals, and the distances to it and to the next.
    pub(super) fn nearest_two(&self, row: &[f64]) -> Member {
        let mut nearest = Member {
            label: 0,
            own_most: f64::INFINITY,
            others_least: f64::INFINITY,
        };
        for (number, block) in self.blocks().enumerate() {
            for (lane, distance) in squared_distances(row, block).into_iter().enumerate() {
                if distance < nearest.own_most {
                    nearest.others_least = nearest.own_most;
                    nearest.own_most = distance;
                    nearest.label = number * LANES + lane;
                } else {
                    nearest.others_least = nearest.others_least.min(distance);
                }
            }
        }
        nearest.own_most = nearest.own_most.sqrt();
        nearest.others_least = nearest.others_least.sqrt();
        nearest
    }
}

#[inline]
pub(super) fn squared_distances(row: &[f64], block: &[Lanes]) -> Lanes {
    let mut distances = [0.0; LANES];
    for (x, centres) in row.iter().zip(block) {
        for (distance, centre) in distances.iter_mut().zip(centres) {
            *distance += (x - centre) * (x - centre);
        }
    }
    distances
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: from (0, 0), of (3, 4), (1, 0), (0, 1), (6, 8) and (1, 0) again, the second is the nearest,
    /// and the last is as near.
    #[test]
    fn the_nearest_of_more_than_four_is_found_and_the_lower_of_equals_wins() {
        let centroids = [3.0, 4.0, 1.0, 0.0, 0.0, -1.5, 6.0, 8.0, 1.0, 0.0];
        let blocks = Blocks::of(&centroids, 2);
        for (row, label, own, next) in [
            ([0.0, 0.0], 1, 1.0, 1.0),
            ([6.0, 8.0], 3, 0.0, 5.0),
            ([0.0, -3.0], 2, 1.5, 10.0_f64.sqrt()),
        ] {
            let found = blocks.nearest_two(&row);
            assert_eq!(
                (found.label, found.own_most, found.others_least),
                (label, own, next)
            );
        }
    }
}
