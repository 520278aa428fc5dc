//! Whole numbers on the command line.

use std::ops::RangeInclusive;

/// A reader of whole numbers within a range, both ends of which `T` can hold.
///
/// # Errors
/// The reader names the text and the numbers that are allowed.
pub fn whole_number<T: TryFrom<u64>>(
    range: RangeInclusive<u64>,
) -> impl Fn(&str) -> Result<T, String> + Clone {
    move |text: &str| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        let number = number.and_then(|number| T::try_from(number).ok());
        number.ok_or_else(|| format!("{text:?} is not a whole number {}", words(&range)))
    }
}

fn words(range: &RangeInclusive<u64>) -> String {
    let (first, last) = (range.start(), range.end());
    if *last == u64::MAX {
        format!("of {first} or more")
    } else {
        format!("from {first} to {last}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_outside_of_its_range_is_refused_with_the_range() {
        let k = whole_number::<u32>(1..=64);
        for (text, number) in [("1", 1), ("64", 64), ("007", 7)] {
            assert_eq!(k(text), Ok(number));
        }
        for text in [
            "0",
            "65",
            "two",
            "",
            "5%",
            "1.5",
            "-1",
            " 1",
            "18446744073709551616",
        ] {
            let said = format!("{text:?} is not a whole number from 1 to 64");
            assert_eq!(k(text), Err(said));
        }
        let all = whole_number::<u64>(0..=u64::MAX);
        assert_eq!(all("18446744073709551615"), Ok(u64::MAX));
        let said = "\"5%\" is not a whole number of 0 or more";
        assert_eq!(all("5%"), Err(said.to_owned()));
    }
}
