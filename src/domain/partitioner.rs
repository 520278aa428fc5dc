//! The partition of a record's key: the same function as the producers', so that every client agrees.

use serde::Deserialize;
use serde::Serialize;

use crate::domain::ids::Partition;

/// The function that assigns keys to partitions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Partitioner {
    /// Java's default, `murmur2_random` in librdkafka.
    #[default]
    Murmur2Random,
    /// librdkafka's default, `consistent_random`: the CRC-32 of the key.
    Crc32,
    /// Not known: the partition of a delivery is not compared with its key's. Where segstream places a record itself
    /// it does so by murmur2.
    Unchecked,
}

impl Partitioner {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Murmur2Random, Self::Crc32, Self::Unchecked];

    /// The value of the setting `input.partitioner`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Murmur2Random => "murmur2_random",
            Self::Crc32 => "crc32",
            Self::Unchecked => "unchecked",
        }
    }

    /// Reads the value of the setting.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == text)
    }

    /// The partition of a key among `partitions` of them; partition 0 where there are none.
    #[must_use]
    pub fn partition_of(self, key: &[u8], partitions: u32) -> Partition {
        match self {
            Self::Murmur2Random | Self::Unchecked => partition_of(key, partitions),
            Self::Crc32 => Partition(crc32fast::hash(key).checked_rem(partitions).unwrap_or(0)),
        }
    }

    /// Whether a key that was delivered on a partition belongs there.
    #[must_use]
    pub fn accepts(self, key: &[u8], partition: Partition, partitions: u32) -> bool {
        self == Self::Unchecked || self.partition_of(key, partitions) == partition
    }
}

/// The partition of a key by murmur2, as Java's default partitioner and the embedded log have it.
#[must_use]
pub fn partition_of(key: &[u8], partitions: u32) -> Partition {
    let positive = murmur2(key) & 0x7fff_ffff;
    Partition(positive.checked_rem(partitions).unwrap_or(0))
}

/// Murmur2, 32 bits, with the seed that Apache Kafka's clients use.
fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    const SEED: u32 = 0x9747_b28c;
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let mut hash = SEED ^ length;
    let (words, rest) = data.as_chunks::<4>();
    for word in words {
        let mut mixed = u32::from_le_bytes(*word).wrapping_mul(M);
        mixed ^= mixed >> 24;
        hash = hash.wrapping_mul(M) ^ mixed.wrapping_mul(M);
    }
    if !rest.is_empty() {
        for (place, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * place);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_hash_as_in_the_java_client() {
        // Apache Kafka's own vectors: UtilsTest.testMurmur2.
        for (key, expected) in [
            ("21", -973_932_308_i32),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            (
                "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
                -58_897_971,
            ),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()), expected.cast_unsigned(), "{key}");
        }
    }

    /// Computed with Python: zlib.crc32(key) % 12.
    #[test]
    fn crc32_places_keys_as_zlib_computes_it() {
        for (key, expected) in [
            ("c-1", 2),
            ("c-2", 0),
            ("c-1042", 9),
            ("00001", 11),
            ("customer-17", 11),
            ("ä", 11),
        ] {
            let found = Partitioner::Crc32.partition_of(key.as_bytes(), 12);
            assert_eq!(found, Partition(expected), "{key}");
        }
    }
}
