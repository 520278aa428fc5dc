//! The owner of a partition's state, which alone may write it.

/// The number of an ownership of a partition within this process. It grows each time a worker takes the partition
/// over. A write that carries an older number than the store's is ignored: its worker has lost the partition, even
/// if it does not know that yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct OwnerEpoch(u64);

impl OwnerEpoch {
    /// The epoch of the next owner.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}
