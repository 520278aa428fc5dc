//! The report of a training: one file of HTML that needs no network.
//! Pure: an analysis comes in, text goes out.

mod choice;
mod correlations;
mod distributions;
mod facts;
mod figure;
mod numbers;
mod page;
mod palette;
mod preparation;
mod profiles;
mod projection;
mod segments;
mod text;

use crate::learn::analysis::Analysis;
pub use crate::report::facts::ReportFacts;

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
        preparation::section(analysis, facts),
    ];
    page::page(analysis, facts, &sections.concat())
}

#[cfg(test)]
mod tests;
