//! Log lines on standard error, as text or as JSON.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Plain text.
    Text,
    /// One JSON object a line.
    Json,
}

/// Logging could not be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filter cannot be read.
    #[error("log.filter {filter:?} is not a filter such as info or segstream=debug")]
    Filter {
        /// The setting.
        filter: String,
        /// The cause.
        source: tracing_subscriber::filter::ParseError,
    },
    /// Logging has been started before.
    #[error("logging was started twice")]
    Twice,
}

/// What libraries say of their daily work is of no use to a reader. The filter of the settings may say otherwise.
const OF_LIBRARIES: &str = "lsm_tree=warn";

/// Starts logging to standard error.
///
/// # Errors
/// If the filter is wrong, or logging was started before.
pub fn init(format: LogFormat, filter: &str) -> Result<(), Error> {
    let parsed =
        EnvFilter::try_new(format!("{OF_LIBRARIES},{filter}")).map_err(|source| Error::Filter {
            filter: filter.to_owned(),
            source,
        })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(parsed)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_span_events(FmtSpan::NONE);
    match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    }
    .map_err(|_| Error::Twice)
}
