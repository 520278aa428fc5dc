//! The chunks of a record: where events lie that are not in its head.

/// The number of a chunk among those of its customer; later ones are greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChunkNumber(pub u32);

impl ChunkNumber {
    /// The head, which is no chunk.
    pub const HEAD: Self = Self(0);

    /// Whether it stands for the head.
    #[must_use]
    pub fn is_head(self) -> bool {
        self == Self::HEAD
    }
}

/// A sealed chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Its number.
    pub number: ChunkNumber,
    /// How often its events were merged.
    pub level: u8,
}
