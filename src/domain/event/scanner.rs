//! A pass over JSON in UTF-8 that takes what nearly every producer writes and gives up on everything else: on
//! escapes, exponents, deep nesting, and whatever is not JSON. What it takes is JSON. Who gives up asks `serde_json`.

/// Bytes of a word: the scanner tests them for the end of a text at once.
const WORD_BYTES: usize = 8;
/// 1 in each byte of a word.
const ONES: u64 = 0x0101_0101_0101_0101;
/// The high bit in each byte of a word.
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
/// Values within values that are taken.
const DEPTH_MAX: u32 = 16;

/// A value that holds no other values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar<'a> {
    /// The text between the quotes.
    Text(&'a str),
    /// The digits, with a sign and a point if there are any, as written.
    Number(&'a str),
    Boolean(bool),
    Null,
}

/// The text that is left of a JSON document.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    /// Calls `member` for each member of an object with its name; `member` takes the value.
    pub(super) fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, &'a str) -> Option<()>,
    ) -> Option<()> {
        self.expect(b'{')?;
        if self.next_is(b'}') {
            return self.expect(b'}');
        }
        loop {
            self.skip_whitespace();
            let name = self.text()?;
            self.expect(b':')?;
            member(self, name)?;
            if self.next_is(b'}') {
                return self.expect(b'}');
            }
            self.expect(b',')?;
        }
    }

    /// Calls `element` for each element of an array; `element` takes it.
    pub(super) fn array(&mut self, mut element: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.expect(b'[')?;
        if self.next_is(b']') {
            return self.expect(b']');
        }
        loop {
            element(self)?;
            if self.next_is(b']') {
                return self.expect(b']');
            }
            self.expect(b',')?;
        }
    }

    /// Takes a value that holds no others.
    pub(super) fn scalar(&mut self) -> Option<Scalar<'a>> {
        self.skip_whitespace();
        match self.rest.as_bytes().first()? {
            b'"' => self.text().map(Scalar::Text),
            b't' => self.literal("true", Scalar::Boolean(true)),
            b'f' => self.literal("false", Scalar::Boolean(false)),
            b'n' => self.literal("null", Scalar::Null),
            _ => self.number().map(Scalar::Number),
        }
    }

    /// Takes any value.
    pub(super) fn skip_value(&mut self) -> Option<()> {
        self.skip_nested(DEPTH_MAX)
    }

    /// Takes the end: only white space is left.
    pub(super) fn end(&mut self) -> Option<()> {
        self.skip_whitespace();
        self.rest.is_empty().then_some(())
    }

    /// The next byte that is not white space is this one.
    pub(super) fn next_is(&mut self, byte: u8) -> bool {
        self.skip_whitespace();
        self.rest.as_bytes().first() == Some(&byte)
    }

    fn skip_nested(&mut self, depth: u32) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        if self.next_is(b'{') {
            self.object(|scanner, _| scanner.skip_nested(depth))
        } else if self.next_is(b'[') {
            self.array(|scanner| scanner.skip_nested(depth))
        } else {
            self.scalar().map(drop)
        }
    }

    fn skip_whitespace(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.rest.as_bytes().first() {
            self.rest = self.rest.get(1..).unwrap_or_default();
        }
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        if self.next_is(byte) {
            self.rest = self.rest.get(1..)?;
            Some(())
        } else {
            None
        }
    }

    fn literal(&mut self, word: &str, value: Scalar<'a>) -> Option<Scalar<'a>> {
        self.rest = self.rest.strip_prefix(word)?;
        Some(value)
    }

    /// Takes a text without escapes.
    fn text(&mut self) -> Option<&'a str> {
        let text = self.rest.strip_prefix('"')?;
        let length = plain_bytes(text.as_bytes());
        let (text, rest) = (text.get(..length)?, text.get(length..)?);
        self.rest = rest.strip_prefix('"')?;
        Some(text)
    }

    /// Takes a number without an exponent.
    fn number(&mut self) -> Option<&'a str> {
        let bytes = self.rest.as_bytes();
        let sign = usize::from(bytes.first() == Some(&b'-'));
        let whole = digits(bytes, sign);
        let has_leading_zero = whole > 1 && bytes.get(sign) == Some(&b'0');
        if whole == 0 || has_leading_zero {
            return None;
        }
        let mut end = sign + whole;
        if bytes.get(end) == Some(&b'.') {
            let fraction = digits(bytes, end + 1);
            if fraction == 0 {
                return None;
            }
            end += 1 + fraction;
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            return None;
        }
        let number = self.rest.get(..end)?;
        self.rest = self.rest.get(end..)?;
        Some(number)
    }
}

fn digits(bytes: &[u8], from: usize) -> usize {
    let bytes = bytes.iter().skip(from);
    bytes.take_while(|byte| byte.is_ascii_digit()).count()
}

/// Bytes before the first quote, backslash or control character.
fn plain_bytes(bytes: &[u8]) -> usize {
    let mut place = 0;
    while let Some(word) = bytes.get(place..).and_then(<[u8]>::first_chunk) {
        let found = ends_in(u64::from_le_bytes(*word));
        if found != 0 {
            return place + usize::try_from(found.trailing_zeros() / u8::BITS).unwrap_or_default();
        }
        place += WORD_BYTES;
    }
    let rest = bytes.iter().skip(place);
    place
        + rest
            .take_while(|byte| !matches!(byte, b'"' | b'\\' | ..0x20))
            .count()
}

/// The high bit of each byte of a word that is a quote, a backslash or a control character. A byte above the first of
/// them may be marked too. Alan Mycroft's test for a zero byte: Henry S. Warren, Hacker's Delight, 6-1.
fn ends_in(word: u64) -> u64 {
    let below = |bound: u8| word.wrapping_sub(ONES * u64::from(bound)) & !word;
    let is = |byte: u8| {
        let zeros = word ^ (ONES * u64::from(byte));
        zeros.wrapping_sub(ONES) & !zeros
    };
    (below(0x20) | is(b'"') | is(b'\\')) & HIGH_BITS
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By the grammar of RFC 8259, without escapes and exponents.
    #[test]
    fn scalars_are_taken_as_they_are_written() {
        let taken = |text| Scanner::new(text).scalar();
        for number in ["0", "-0", "12", "0.50", "-3.25", "123456789012345678901"] {
            assert_eq!(taken(number), Some(Scalar::Number(number)));
        }
        for refused in [
            "",
            "-",
            "01",
            "-01",
            ".5",
            "5e1",
            "5E1",
            "1.5e-1",
            "+1",
            "nul",
            "True",
            "\"",
            "\"a",
            "\"a\\n\"",
            "\"a\nb\"",
            "\"\u{1f}\"",
            "'a'",
            "1.e1",
            "{}",
            "[]",
        ] {
            assert_eq!(taken(refused), None, "{refused:?}");
        }
        assert_eq!(taken(" \n\r\ttrue"), Some(Scalar::Boolean(true)));
        assert_eq!(taken("false"), Some(Scalar::Boolean(false)));
        assert_eq!(taken("null"), Some(Scalar::Null));
        assert_eq!(
            taken("\"\u{7f}ä\u{1F6D2}\""),
            Some(Scalar::Text("\u{7f}ä\u{1F6D2}"))
        );
        assert_eq!(taken("1."), None);
    }

    #[test]
    fn the_end_of_a_text_is_found_at_every_place_of_a_word() {
        for end in ['"', '\\', '\u{0}', '\u{1f}'] {
            for before in 0..40 {
                for after in 0..12 {
                    let text = format!("{}{end}{}", "ü".repeat(before), "\u{1}\"\\!".repeat(after));
                    assert_eq!(plain_bytes(text.as_bytes()), 2 * before, "{text:?}");
                }
            }
        }
        assert_eq!(plain_bytes("no end at all".as_bytes()), 13);
    }

    #[test]
    fn values_are_skipped_whole() {
        let skipped = |text: &str| {
            let mut scanner = Scanner::new(text);
            scanner.skip_value().and_then(|()| scanner.end())
        };
        for text in [
            "1",
            " { \"a\" : [ 1 , {} , [] , \"x\" ] , \"b\" : null } ",
            "[[[[]]]]",
        ] {
            assert_eq!(skipped(text), Some(()), "{text}");
        }
        for text in [
            "[1,]",
            "{\"a\"}",
            "{\"a\":1,}",
            "{a:1}",
            "[1 2]",
            "[",
            "{\"a\":1",
            "1 1",
            ",",
            "]",
        ] {
            assert_eq!(skipped(text), None, "{text}");
        }
        for (depth, expected) in [(16, Some(())), (17, None)] {
            let deep = "[".repeat(depth) + &"]".repeat(depth);
            assert_eq!(skipped(&deep), expected);
        }
    }
}
