//! What the page says of the model beside the analysis.

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
