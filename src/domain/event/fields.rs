//! Readers of single JSON fields. Each keeps the raw text, so that a wrong value is quoted as it
//! was written and a decimal is exact.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::domain::event::rejection::InvalidEvent;
use crate::domain::event::rejection::RejectReason;
use crate::domain::ids::has_control_character;
use crate::domain::ids::without_blank;
use crate::domain::money::Decimal;

/// Characters of an offending value that a message quotes.
const QUOTED_CHARACTERS_MAX: usize = 80;

/// One field of an object: its name, its raw JSON (absent and null are the same), and the reason
/// under which it is rejected.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    name: &'static str,
    raw: Option<&'a str>,
    reason: RejectReason,
}

impl<'a> Field<'a> {
    /// A field as found in an object.
    #[must_use]
    pub fn new(name: &'static str, raw: Option<&'a RawValue>, reason: RejectReason) -> Self {
        Self {
            name,
            raw: raw.map(RawValue::get),
            reason,
        }
    }

    /// There is a value that is not null.
    #[must_use]
    pub fn is_present(&self) -> bool {
        self.raw.is_some()
    }

    /// The raw JSON.
    #[must_use]
    pub fn raw(&self) -> Option<&'a str> {
        self.raw
    }

    /// The rejection of this field's value; `allowed` describes the values that are accepted.
    #[must_use]
    pub fn invalid(&self, allowed: &str) -> InvalidEvent {
        let value = self.raw.map(quoted);
        let detail = match &value {
            Some(value) => format!("{}: {value} is not {allowed}", self.name),
            None => format!("{} is missing: it must be {allowed}", self.name),
        };
        InvalidEvent::new(self.reason, self.name, allowed, (value, detail))
    }

    /// A text of at most `characters_max` characters; an empty one is absent.
    ///
    /// # Errors
    /// Rejects a value that is not a text, and a longer text.
    pub fn text(&self, characters_max: usize) -> Result<Option<Cow<'a, str>>, InvalidEvent> {
        let Some(raw) = self.raw else { return Ok(None) };
        let allowed = || format!("a text of 1 to {characters_max} characters");
        let text = json_text(raw).ok_or_else(|| self.invalid(&allowed()))?;
        let is_short = text.len() <= characters_max || text.chars().count() <= characters_max;
        if !is_short {
            return Err(self.invalid(&allowed()));
        }
        Ok((!text.is_empty()).then_some(text))
    }

    /// An id of at most `characters_max` characters; one of white space only is absent.
    ///
    /// # Errors
    /// Rejects a value that is not a text, a longer text, and one with a control character.
    pub fn id(&self, characters_max: usize) -> Result<Option<Cow<'a, str>>, InvalidEvent> {
        let Some(raw) = self.raw else { return Ok(None) };
        if json_text(raw).is_some_and(|text| without_blank(&text).is_none()) {
            return Ok(None);
        }
        match self.text(characters_max)? {
            Some(id) if has_control_character(&id) => {
                Err(self.invalid("a text without control characters"))
            }
            id => Ok(id),
        }
    }

    /// `true` or `false`; absent is `false`.
    ///
    /// # Errors
    /// Rejects anything else.
    pub fn flag(&self) -> Result<bool, InvalidEvent> {
        match self.raw {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(self.invalid("true or false")),
        }
    }

    /// An exact decimal, written as a number or as a text.
    ///
    /// # Errors
    /// Rejects a value that is not a decimal of at most 18 significant digits.
    pub fn decimal(&self) -> Result<Option<Decimal>, InvalidEvent> {
        let Some(raw) = self.raw else { return Ok(None) };
        let text = json_text(raw).unwrap_or(Cow::Borrowed(raw));
        let decimal = Decimal::parse(&text);
        decimal
            .map(Some)
            .ok_or_else(|| self.invalid("a decimal number of at most 18 significant digits"))
    }

    /// A decimal that is zero or more.
    ///
    /// # Errors
    /// Rejects a value that is not a decimal, and a negative one.
    pub fn amount(&self) -> Result<Option<Decimal>, InvalidEvent> {
        match self.decimal()? {
            Some(decimal) if decimal.is_negative() => Err(self.invalid("zero or more")),
            amount => Ok(amount),
        }
    }
}

/// The text of a JSON string; `None` if the raw value is not a string. Borrows unless it is escaped.
#[must_use]
pub fn json_text(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        serde_json::from_str::<String>(raw).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

/// The beginning of a value, for a message.
#[must_use]
pub fn quoted(raw: &str) -> String {
    visible(raw, QUOTED_CHARACTERS_MAX)
}

/// The beginning of a text, for a person. Control characters, and those that change how the text around them is shown, are
/// escaped.
#[must_use]
pub fn visible(text: &str, characters_max: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(characters_max));
    let mut characters = text.chars();
    for character in characters.by_ref().take(characters_max) {
        match character {
            ' '..='~' => shown.push(character),
            '\t' | '\n' | '\r' => shown.extend(character.escape_default()),
            _ if character.is_control() || is_hidden(character) => {
                shown.extend(character.escape_unicode());
            }
            _ => shown.push(character),
        }
    }
    if characters.next().is_some() {
        shown.push_str("...");
    }
    shown
}

/// Has no width, or turns the direction of a text.
fn is_hidden(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_escaped_and_the_rest_stays() {
        for (text, expected) in [
            ("Käse \\ \"x\" 顧客 e\u{301}", "Käse \\ \"x\" 顧客 e\u{301}"),
            ("a\tb\nc\r", "a\\tb\\nc\\r"),
            ("\u{1b}[31m\u{7f}\u{9b}", "\\u{1b}[31m\\u{7f}\\u{9b}"),
            (
                "a\u{202e}b\u{200b}\u{feff}",
                "a\\u{202e}b\\u{200b}\\u{feff}",
            ),
        ] {
            assert_eq!(quoted(text), expected, "{text:?}");
        }
        assert_eq!(visible("abcd", 4), "abcd");
        assert_eq!(visible("äbcde", 4), "äbcd...");
    }
}
