//! Amounts and numbers as files write them.

use crate::dataset::options::DecimalSign;

/// Digits between two thousands separators.
const GROUP_DIGITS: usize = 3;
/// Digits between two separators of lakhs and crores, before the last group.
const LAKH_DIGITS: usize = 2;
/// What stands for the cents where there are none.
const NO_CENTS: [&str; 4] = ["-", "--", "\u{2013}", "\u{2014}"];

/// What one value says of the decimal sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Says {
    Nothing,
    /// It can be read with either sign, such as `1,234`.
    Ambiguous,
    Sign(DecimalSign),
}

/// What may stand between the digits of a number.
const SIGNS_WITHIN: [char; 11] = [
    '.', ',', '\'', '\u{2019}', ' ', '\u{a0}', '\u{202f}', 'e', 'E', '+', '-',
];

/// A number in plain form, and what stands beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// Digits, perhaps a minus sign, a point and an exponent.
    pub(super) plain: String,
    /// A currency sign such as `$`, or a code of three capital letters.
    pub(super) mark: Option<String>,
}

/// A text without its currency and sign.
struct Bare<'a> {
    digits: &'a str,
    is_negative: bool,
    mark: Option<&'a str>,
}

/// What a value says of the decimal sign.
pub(super) fn says(text: &str) -> Says {
    let Some(bare) = bare(text) else {
        return Says::Nothing;
    };
    match said_by(bare.digits) {
        // What is no number with that sign, such as 1.2.3, says nothing of the others.
        Says::Sign(sign) if plain_digits(bare.digits, sign).is_none() => Says::Nothing,
        says @ (Says::Nothing | Says::Ambiguous | Says::Sign(_)) => says,
    }
}

fn said_by(digits: &str) -> Says {
    if digits.contains(['e', 'E']) {
        // No program writes thousands before an exponent.
        return match (digits.contains('.'), digits.contains(',')) {
            (true, _) => Says::Sign(DecimalSign::Point),
            (false, true) => Says::Sign(DecimalSign::Comma),
            (false, false) => Says::Nothing,
        };
    }
    let points = digits.matches('.').count();
    let commas = digits.matches(',').count();
    match (points, commas) {
        (0, 0) => Says::Nothing,
        // Of two different signs the last one is before the fraction.
        (1.., 1..) if digits.rfind('.') > digits.rfind(',') => Says::Sign(DecimalSign::Point),
        (1.., 1..) => Says::Sign(DecimalSign::Comma),
        // A sign that is there twice stands between thousands.
        (2.., 0) => Says::Sign(DecimalSign::Comma),
        (0, 2..) => Says::Sign(DecimalSign::Point),
        (1, 0) => one_sign(digits, '.', DecimalSign::Point),
        (0, 1) => one_sign(digits, ',', DecimalSign::Comma),
    }
}

fn one_sign(digits: &str, sign: char, as_decimal: DecimalSign) -> Says {
    let (before, after) = digits.split_once(sign).unwrap_or((digits, ""));
    let could_be_thousands = after.len() == GROUP_DIGITS
        && (1..=GROUP_DIGITS).contains(&before.len())
        && !before.starts_with('0');
    if could_be_thousands {
        Says::Ambiguous
    } else {
        Says::Sign(as_decimal)
    }
}

/// Reads a number whose decimal sign is known; `None` where it is no number.
pub(super) fn read(text: &str, decimal: DecimalSign) -> Option<Written> {
    let bare = bare(text)?;
    let digits = plain_digits(bare.digits, decimal)?;
    let sign = if bare.is_negative { "-" } else { "" };
    Some(Written {
        plain: format!("{sign}{digits}"),
        mark: bare.mark.map(str::to_owned),
    })
}

fn plain_digits(digits: &str, decimal: DecimalSign) -> Option<String> {
    if let Some((mantissa, exponent)) = digits.split_once(['e', 'E']) {
        exponent.parse::<i16>().ok()?;
        return Some(format!("{}e{exponent}", plain_digits(mantissa, decimal)?));
    }
    let sign = match decimal {
        DecimalSign::Point => '.',
        DecimalSign::Comma => ',',
    };
    let (whole, fraction) = match digits.split_once(sign) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (digits, None),
    };
    let is_digits = |text: &str| text.chars().all(|character| character.is_ascii_digit());
    let whole = without_thousands(whole)?;
    match fraction {
        None if whole.is_empty() => None,
        None => Some(whole),
        Some(fraction) if !is_digits(fraction) || whole.is_empty() && fraction.is_empty() => None,
        Some("") => Some(whole),
        Some(fraction) if whole.is_empty() => Some(format!("0.{fraction}")),
        Some(fraction) => Some(format!("{whole}.{fraction}")),
    }
}

/// `1.234.567` as `1234567`: one kind of separator, groups of three digits behind it; and `12,34,567`, as India writes it.
fn without_thousands(whole: &str) -> Option<String> {
    let separator = whole.chars().find(|character| !character.is_ascii_digit());
    let Some(separator) = separator else {
        return Some(whole.to_owned());
    };
    if !matches!(
        separator,
        '.' | ',' | '\'' | '\u{2019}' | ' ' | '\u{a0}' | '\u{202f}'
    ) {
        return None;
    }
    let mut groups = whole.split(separator);
    let first = groups.next()?;
    let is_digits = |text: &str| text.chars().all(|character| character.is_ascii_digit());
    let lengths: Vec<usize> = groups.clone().map(str::len).collect();
    let (last, middle) = lengths.split_last()?;
    let is_thousands = (1..=GROUP_DIGITS).contains(&first.len())
        && middle.iter().all(|length| *length == GROUP_DIGITS);
    let is_lakhs = separator == ','
        && (1..=LAKH_DIGITS).contains(&first.len())
        && middle.iter().all(|length| *length == LAKH_DIGITS);
    // `0,125` has no thousands.
    let is_number = *last == GROUP_DIGITS
        && !first.starts_with('0')
        && is_digits(first)
        && groups.all(is_digits);
    (is_number && (is_thousands || is_lakhs))
        .then(|| whole.chars().filter(char::is_ascii_digit).collect())
}

/// `5,-` and `5.\u{2013}`, which are prices without cents from the Netherlands to Sweden, without what stands for the cents. The decimal
/// sign stays, as it says which one it is.
fn without_cents(text: &str) -> &str {
    let whole = NO_CENTS.iter().filter_map(|none| text.strip_suffix(none));
    let mut whole = whole.filter(|whole| whole.ends_with(['.', ',']));
    whole.next().unwrap_or(text)
}

/// `None` where there is no digit at all, or a sign twice.
fn bare(text: &str) -> Option<Bare<'_>> {
    let mut rest = text.trim();
    let mut is_negative = false;
    let mut mark = None;
    // A sign may stand before the currency, between it and the number, or behind the number; parentheses are one.
    for _ in 0..3 {
        rest = without_cents(rest);
        let in_parentheses = rest
            .strip_prefix('(')
            .and_then(|rest| rest.strip_suffix(')'));
        if let Some(inner) = in_parentheses {
            if is_negative {
                return None;
            }
            (rest, is_negative) = (inner.trim(), true);
        } else if let Some(after) = rest.strip_prefix(['-', '\u{2212}']).or_else(|| {
            rest.strip_suffix('-')
                .filter(|rest| !rest.ends_with(['-', '.', ',']))
        }) {
            if is_negative {
                return None;
            }
            (rest, is_negative) = (after.trim(), true);
        } else if let Some(after) = rest.strip_prefix('+') {
            rest = after.trim();
        } else if let (None, Some((found, after))) = (mark, currency_mark(rest)) {
            (mark, rest) = (Some(found), after.trim());
        } else {
            break;
        }
    }
    let has_digit = rest.chars().any(|character| character.is_ascii_digit());
    // What is no number says nothing of the others.
    let is_of_number =
        |character: char| character.is_ascii_digit() || SIGNS_WITHIN.contains(&character);
    (has_digit && rest.chars().all(is_of_number)).then_some(Bare {
        digits: rest,
        is_negative,
        mark,
    })
}

/// A currency sign or code at either end of a text, and the text without it.
fn currency_mark(text: &str) -> Option<(&str, &str)> {
    let is_mark = |part: &str| {
        let is_code = part.len() == 3 && part.chars().all(|letter| letter.is_ascii_uppercase());
        is_code || MARKS.iter().any(|(mark, _)| *mark == part)
    };
    let first = text.find(|character: char| {
        character.is_ascii_digit() || "+-.,\u{2212} \u{a0}".contains(character)
    })?;
    let (before, after) = text.split_at_checked(first)?;
    // `Rs.` and `kr.` are words that are cut short.
    let is_word = |mark: &str| mark.ends_with(|letter: char| letter.is_lowercase());
    if is_mark(before) {
        let point = after.strip_prefix('.').filter(|_| is_word(before));
        return Some((before, point.unwrap_or(after)));
    }
    let text = text
        .strip_suffix('.')
        .filter(|word| is_word(word))
        .unwrap_or(text);
    let last = text.rfind(|character: char| {
        character.is_ascii_digit() || "-.,\u{2013}\u{2014} \u{a0}".contains(character)
    })?;
    let length = text.get(last..)?.chars().next()?.len_utf8();
    let (before, after) = text.split_at_checked(last + length)?;
    is_mark(after).then_some((after, before))
}

/// Signs of currencies, and the codes that each may stand for. Where nothing states which, only a sign of one code and the pound sign are
/// taken.
const MARKS: [(&str, &[&str]); 28] = [
    (
        "$",
        &[
            "USD", "CAD", "AUD", "NZD", "SGD", "HKD", "MXN", "ARS", "CLP", "COP", "TWD",
        ],
    ),
    ("US$", &["USD"]),
    ("C$", &["CAD"]),
    ("CA$", &["CAD"]),
    ("A$", &["AUD"]),
    ("AU$", &["AUD"]),
    ("NZ$", &["NZD"]),
    ("S$", &["SGD"]),
    ("HK$", &["HKD"]),
    ("NT$", &["TWD"]),
    ("R$", &["BRL"]),
    ("kr", &["SEK", "NOK", "DKK", "ISK"]),
    ("Kr", &["SEK", "NOK", "DKK", "ISK"]),
    ("Rs", &["INR", "PKR", "LKR", "NPR", "MUR"]),
    ("Fr", &["CHF"]),
    ("K\u{10d}", &["CZK"]),
    ("Ft", &["HUF"]),
    ("lei", &["RON", "MDL"]),
    ("\u{20ab}", &["VND"]),
    ("\u{20aa}", &["ILS"]),
    ("\u{20b1}", &["PHP"]),
    ("\u{20ac}", &["EUR"]),
    ("\u{a3}", &["GBP", "EGP", "GIP", "FKP"]),
    ("\u{a5}", &["JPY", "CNY"]),
    ("\u{20b9}", &["INR"]),
    ("\u{20a9}", &["KRW"]),
    ("\u{20ba}", &["TRY"]),
    ("z\u{142}", &["PLN"]),
];

/// The codes that a mark may stand for.
pub(super) fn codes(mark: &str) -> Vec<&str> {
    let known = MARKS.iter().find(|(known, _)| *known == mark);
    known.map_or_else(|| vec![mark], |(_, codes)| codes.to_vec())
}

/// The currency sign or code beside a number.
pub(super) fn mark(text: &str) -> Option<&str> {
    bare(text)?.mark
}

#[cfg(test)]
mod tests {
    use super::*;

    const POINT: DecimalSign = DecimalSign::Point;
    const COMMA: DecimalSign = DecimalSign::Comma;

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table of cases")]
    fn numbers_are_read_in_every_form_that_exports_have() {
        // By hand.
        for (text, decimal, expected) in [
            ("12.50", POINT, Some("12.50")),
            ("-12.50", POINT, Some("-12.50")),
            ("(12.50)", POINT, Some("-12.50")),
            ("12.50-", POINT, Some("-12.50")),
            ("\u{2212}3", POINT, Some("-3")),
            ("+3", POINT, Some("3")),
            ("$1,234.56", POINT, Some("1234.56")),
            ("-$1,234.56", POINT, Some("-1234.56")),
            ("$-1,234.56", POINT, Some("-1234.56")),
            ("USD 12.50", POINT, Some("12.50")),
            ("12,50 \u{20ac}", COMMA, Some("12.50")),
            ("12,50\u{a0}EUR", COMMA, Some("12.50")),
            ("1.234,56", COMMA, Some("1234.56")),
            ("1 234,56", COMMA, Some("1234.56")),
            ("1\u{202f}234,56", COMMA, Some("1234.56")),
            ("1'234.56", POINT, Some("1234.56")),
            (".5", POINT, Some("0.5")),
            ("5.", POINT, Some("5")),
            ("1.5E-05", POINT, Some("1.5e-05")),
            ("1e3", POINT, Some("1e3")),
            ("12,34.5", POINT, None),
            ("0,125", POINT, None),
            ("00,125", POINT, None),
            ("0,12,345", POINT, None),
            ("0.125", COMMA, None),
            ("-0.125,5", COMMA, None),
            ("10,125", POINT, Some("10125")),
            ("0,125", COMMA, Some("0.125")),
            ("1,23,456", POINT, Some("123456")),
            ("\u{20b9}12,34,567.50", POINT, Some("1234567.50")),
            ("123,45,678", POINT, None),
            ("1,23,45", POINT, None),
            ("1.23.456", COMMA, None),
            ("5,-", COMMA, Some("5")),
            ("\u{20ac} 20,-", COMMA, Some("20")),
            ("1.234,-\u{20ac}", COMMA, Some("1234")),
            ("5,--", COMMA, Some("5")),
            ("CHF 5.\u{2013}", POINT, Some("5")),
            ("5.- CHF", POINT, Some("5")),
            ("-5,-", COMMA, Some("-5")),
            ("(5,-)", COMMA, Some("-5")),
            ("5,-", POINT, None),
            ("5,---", COMMA, None),
            ("5--", POINT, None),
            ("Rs. 1,23,456.00", POINT, Some("123456.00")),
            ("Rs.500", POINT, Some("500")),
            ("12,50 kr.", COMMA, Some("12.50")),
            ("149 kr", COMMA, Some("149")),
            ("HK$5", POINT, Some("5")),
            ("1 234,50 K\u{10d}", COMMA, Some("1234.50")),
            ("1.2.3", POINT, None),
            ("--5", POINT, None),
            ("(-5)", POINT, None),
            ("twelve", POINT, None),
            ("12 apples", POINT, None),
            ("", POINT, None),
            (".", POINT, None),
            ("1,5", POINT, None),
        ] {
            let plain = read(text, decimal).map(|written| written.plain);
            assert_eq!(plain.as_deref(), expected, "{text:?} {decimal:?}");
        }
    }

    #[test]
    fn a_value_shows_the_decimal_sign_or_does_not() {
        // By hand.
        for (text, expected) in [
            ("12", Says::Nothing),
            ("1.5", Says::Sign(POINT)),
            ("1,5", Says::Sign(COMMA)),
            ("0,125", Says::Sign(COMMA)),
            ("0,125.5", Says::Nothing),
            ("1,234", Says::Ambiguous),
            ("1.234", Says::Ambiguous),
            ("\u{20ac}1.234", Says::Ambiguous),
            ("1,234.5", Says::Sign(POINT)),
            ("1.234,5", Says::Sign(COMMA)),
            ("1,234,567", Says::Sign(POINT)),
            ("1.234.567", Says::Sign(COMMA)),
            ("1234,567", Says::Sign(COMMA)),
            ("1.2.3", Says::Nothing),
            ("about 1,5", Says::Nothing),
            ("1,23,4", Says::Nothing),
            ("1,23,456", Says::Sign(POINT)),
            ("5,-", Says::Sign(COMMA)),
            ("CHF 5.\u{2013}", Says::Sign(POINT)),
            ("5-", Says::Nothing),
            ("$ (5.00)", Says::Sign(POINT)),
            ("12,3456", Says::Sign(COMMA)),
        ] {
            assert_eq!(says(text), expected, "{text:?}");
        }
    }
}
