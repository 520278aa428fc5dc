//! A page for people out of what training saw: one file of HTML that asks no server for anything.
//! Pure: an analysis comes in, text goes out.

mod choice;
mod correlations;
mod distributions;
mod figure;
mod numbers;
mod page;
mod palette;
mod preparation;
mod profiles;
mod projection;
mod segments;
#[cfg(test)]
mod tests;
mod text;

use crate::learn::analysis::Analysis;

/// What the page says of the model beside the analysis.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReportFacts {
    /// Heading of the page.
    pub title: String,
    /// Version of the model.
    pub model_version: String,
    /// When it was trained.
    pub trained_at: String,
    /// What it was trained from, such as the name of a file.
    pub source: String,
    /// Seed of the fit.
    pub seed: u64,
    /// Runs of which the best was taken.
    pub runs: u64,
}

/// The page.
#[must_use]
pub fn render(analysis: &Analysis, facts: &ReportFacts) -> String {
    let sections = [
        segments::section(analysis),
        profiles::section(analysis),
        distributions::section(analysis),
        correlations::section(analysis),
        choice::section(&analysis.choice),
        projection::section(analysis),
        preparation::section(&analysis.preparation),
    ];
    page::page(analysis, facts, &sections.concat())
}
