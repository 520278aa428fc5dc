//! The segments as a path sees them.

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
