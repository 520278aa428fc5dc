//! Base64 with padding, by RFC 4648: bytes that are no text, in JSON.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const PADDING: char = '=';
/// Bits of a digit.
const DIGIT_BITS: u32 = 6;

/// The text of bytes.
pub(super) fn encoded(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let shifts = [16, 8, 0];
        let bits = group.iter().zip(shifts);
        let bits = bits.fold(0_u32, |bits, (byte, shift)| {
            bits | u32::from(*byte) << shift
        });
        for place in 0..4 {
            let is_padding = place > group.len();
            let digit = bits >> (DIGIT_BITS * (3 - u32::try_from(place).unwrap_or(3))) & 63;
            let digit = ALPHABET.get(usize::try_from(digit).unwrap_or(0));
            let digit = digit.map_or(PADDING, |digit| char::from(*digit));
            text.push(if is_padding { PADDING } else { digit });
        }
    }
    text
}

/// The bytes of a text; `None` if it is not one of [`encoded`].
pub(super) fn decoded(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let digits = text.trim_end_matches(PADDING);
    if text.len() - digits.len() > 2 {
        return None;
    }
    let (mut bytes, mut bits, mut count) = (Vec::with_capacity(digits.len() * 3 / 4), 0_u32, 0);
    for digit in digits.bytes() {
        let value = ALPHABET.iter().position(|known| *known == digit)?;
        bits = bits << DIGIT_BITS | u32::try_from(value).ok()?;
        count += DIGIT_BITS;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 255).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4648, Test Vectors.
    #[test]
    fn texts_and_bytes_are_those_of_the_standard() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encoded(bytes.as_bytes()), text);
            assert_eq!(decoded(text).as_deref(), Some(bytes.as_bytes()));
        }
        for wrong in ["Zg", "Zg=", "====", "Zm9v!A==", "Zm8=Zm8="] {
            assert_eq!(decoded(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn every_byte_comes_back() {
        let all: Vec<u8> = (0..=255).collect();
        for length in 0..all.len() {
            let bytes = &all[length..];
            assert_eq!(decoded(&encoded(bytes)).as_deref(), Some(bytes));
        }
    }
}
