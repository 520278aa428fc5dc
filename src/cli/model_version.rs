//! Names of model versions on the command line.

use crate::model::validation::NAME_CHARACTERS_MAX;

/// The name of a model's version.
///
/// # Errors
/// Says what is allowed.
pub fn parse_version(text: &str) -> Result<String, String> {
    let length = text.chars().count();
    if (1..=NAME_CHARACTERS_MAX).contains(&length) && !text.contains(char::is_control) {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "{text:?} is not a text of 1 to {NAME_CHARACTERS_MAX} characters on one line"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_one_line_of_a_model() {
        let longest = "é".repeat(NAME_CHARACTERS_MAX);
        for text in ["retail-6", "Größe 2", longest.as_str()] {
            assert_eq!(parse_version(text).as_deref(), Ok(text));
        }
        let long = format!("{longest}e");
        for text in ["", "a\nb", "a\tb", long.as_str()] {
            assert!(parse_version(text).is_err(), "{text:?}");
        }
    }
}
