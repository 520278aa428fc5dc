//! Everything that is wrong with the settings.

use std::fmt;

/// Everything that is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems {
    /// One sentence each.
    pub list: Vec<String>,
    /// The settings are right, and only files that they name may not be read.
    pub of_rights_alone: bool,
}

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the settings are wrong:")?;
        for problem in &self.list {
            write!(formatter, "\n  {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
