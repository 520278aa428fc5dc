//! Who may write a partition's state.

/// The number of an ownership of a partition within this process. It grows each time a worker takes the partition
/// over. A write that carries an older number than the store's is ignored: its worker has lost the partition,
/// whether it has heard of that or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct OwnerEpoch(u64);

impl OwnerEpoch {
    /// The epoch of the next owner.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}
