//! The facts of the model on the page, besides the analysis.

/// The facts of the model on the page, besides the analysis.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReportFacts {
    /// Heading of the page.
    pub title: String,
    /// Version of the model.
    pub model_version: String,
    /// When it was trained.
    pub trained_at: String,
    /// The source of its rows, such as the name of a file.
    pub source: String,
    /// The dates of the data in one sentence.
    pub dates: String,
    /// The first and the last of them in a few words.
    pub period: String,
    /// Seed of the fit.
    pub seed: u64,
    /// Runs of which the best was taken.
    pub runs: u64,
}
