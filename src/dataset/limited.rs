//! How much of a file one row may take.

/// Most bytes of a row, quoted line breaks included.
pub const ROW_BYTES_MAX: u64 = 1 << 20;
