//! Numbers as bytes: fixed ones little-endian, the others seven bits a byte, the low ones first. Signed numbers are
//! written with their sign in the lowest bit.

use crate::codec::frame::CodecError;
use crate::domain::time::Timestamp;

/// Ten bytes hold 64 bits.
const BYTES_MAX: u32 = 10;

/// Takes so many bytes off the front.
pub(super) fn take<const BYTES: usize>(bytes: &mut &[u8]) -> Result<[u8; BYTES], CodecError> {
    let (taken, rest) = bytes
        .split_first_chunk::<BYTES>()
        .ok_or(CodecError::Content)?;
    *bytes = rest;
    Ok(*taken)
}

/// Takes a run of bytes with its length before it.
pub(super) fn take_run<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], CodecError> {
    let length = take_length(bytes)?;
    let (run, rest) = bytes.split_at_checked(length).ok_or(CodecError::Content)?;
    *bytes = rest;
    Ok(run)
}

/// Takes a number.
pub(super) fn take_number(bytes: &mut &[u8]) -> Result<u64, CodecError> {
    let mut number = 0;
    for place in 0..BYTES_MAX {
        let [byte] = take(bytes)?;
        let part = u64::from(byte & 0x7F);
        let shifted = part << (7 * place);
        // Each number is written in one way only, so that what is written again unchanged has the same bytes.
        let is_whole = shifted >> (7 * place) == part;
        let is_shortest = byte != 0 || place == 0;
        if !is_whole || !is_shortest {
            return Err(CodecError::Content);
        }
        number |= shifted;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(CodecError::Content)
}

/// Takes a number of 32 bits.
pub(super) fn take_small(bytes: &mut &[u8]) -> Result<u32, CodecError> {
    u32::try_from(take_number(bytes)?).map_err(|_| CodecError::Content)
}

/// Takes a length in bytes or in elements, which is never more than the bytes that are left.
pub(super) fn take_length(bytes: &mut &[u8]) -> Result<usize, CodecError> {
    let length = usize::try_from(take_number(bytes)?).map_err(|_| CodecError::Content)?;
    if length > bytes.len() {
        return Err(CodecError::Content);
    }
    Ok(length)
}

/// Takes a signed number.
pub(super) fn take_signed(bytes: &mut &[u8]) -> Result<i64, CodecError> {
    let number = take_number(bytes)?;
    Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
}

/// The instant of so many milliseconds.
pub(super) fn timestamp(milliseconds: i64) -> Result<Timestamp, CodecError> {
    Timestamp::from_milliseconds(milliseconds).ok_or(CodecError::Content)
}

/// Appends a number.
pub(super) fn push_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        let [low, ..] = number.to_le_bytes();
        bytes.push(low | 0x80);
        number >>= 7;
    }
    let [low, ..] = number.to_le_bytes();
    bytes.push(low);
}

/// Appends a length.
pub(super) fn push_length(bytes: &mut Vec<u8>, length: usize) {
    push_number(bytes, u64::try_from(length).unwrap_or(u64::MAX));
}

/// How many bytes a length takes.
pub(super) fn length_bytes(length: usize) -> usize {
    let mut bytes = 1;
    let mut left = length >> 7;
    while left > 0 {
        bytes += 1;
        left >>= 7;
    }
    bytes
}

/// Appends a signed number.
pub(super) fn push_signed(bytes: &mut Vec<u8>, number: i64) {
    push_number(bytes, ((number << 1) ^ (number >> 63)).cast_unsigned());
}

/// Appends a run of bytes with its length before it.
pub(super) fn push_run(bytes: &mut Vec<u8>, run: &[u8]) {
    push_length(bytes, run.len());
    bytes.extend_from_slice(run);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_at_the_borders_of_a_byte_read_back() {
        let borders = (0..64).flat_map(|bit| {
            let power = 1_u64 << bit;
            [power - 1, power, power + 1]
        });
        for number in borders.chain([0, u64::MAX]) {
            let mut bytes = Vec::new();
            push_number(&mut bytes, number);
            push_signed(&mut bytes, number.cast_signed());
            push_signed(&mut bytes, number.cast_signed().wrapping_neg());
            let mut rest = bytes.as_slice();
            assert_eq!(take_number(&mut rest), Ok(number));
            assert_eq!(take_signed(&mut rest), Ok(number.cast_signed()));
            let negative = number.cast_signed().wrapping_neg();
            assert_eq!(take_signed(&mut rest), Ok(negative));
            assert!(rest.is_empty());
        }
    }

    /// By hand: 1 and 127 take a byte, 128 takes two.
    #[test]
    fn a_number_takes_a_byte_for_each_seven_bits() {
        for (number, expected) in [
            (1, &[1][..]),
            (127, &[127]),
            (128, &[0x80, 1]),
            (300, &[0xAC, 2]),
        ] {
            let mut bytes = Vec::new();
            push_number(&mut bytes, number);
            assert_eq!(bytes, expected);
        }
    }

    #[test]
    fn a_number_that_is_too_long_cut_or_padded_is_refused() {
        let refused: [&[u8]; 5] = [
            &[],
            &[0x80],
            &[0x80, 0],
            &[0xFF; 11],
            &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 2],
        ];
        for mut bytes in refused {
            assert_eq!(take_number(&mut bytes), Err(CodecError::Content));
        }
    }

    #[test]
    fn a_length_beyond_the_end_is_refused() {
        assert_eq!(take_run(&mut [2, 7].as_slice()), Err(CodecError::Content));
        assert_eq!(take_run(&mut [1, 7].as_slice()), Ok([7].as_slice()));
    }
}
