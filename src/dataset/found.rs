//! What was found about a file, for people to check.

/// What was found about a file, for people to check: `replay --dry-run` and `train` print it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// One fact a line, such as "encoding: UTF-8" or "separator: ;", in the order in which they were found.
    pub facts: Vec<Fact>,
}

/// One fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What it is about, such as "encoding".
    pub about: String,
    /// What was found.
    pub what: String,
    /// Commands print it without --dry-run too, such as ids that are read without .0.
    pub is_notable: bool,
}

impl Found {
    pub(super) fn plain(&mut self, about: &str, what: &str) {
        self.add(about, what, false);
    }

    pub(super) fn notable(&mut self, about: &str, what: &str) {
        self.add(about, what, true);
    }

    fn add(&mut self, about: &str, what: &str, is_notable: bool) {
        let fact = Fact {
            about: about.to_owned(),
            what: what.to_owned(),
            is_notable,
        };
        if !self.facts.contains(&fact) {
            self.facts.push(fact);
        }
    }
}

impl std::fmt::Display for Fact {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", self.about, self.what)
    }
}
