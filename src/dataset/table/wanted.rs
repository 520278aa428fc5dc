//! The columns that a reader of a table asks for.

/// The columns that a reader asks for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Their names, in a table of features or as the marketing data gives them.
    pub names: &'a [String],
    /// A file that lacks one is read, and its values are missing.
    pub may_be_absent: bool,
}
