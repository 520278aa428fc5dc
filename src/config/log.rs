//! Settings of the log lines.

use tracing_subscriber::EnvFilter;

use crate::config::reader::Reader;

/// Log lines.
#[derive(Clone, Debug)]
pub struct Log {
    /// JSON instead of text.
    pub is_json: bool,
    /// What is logged.
    pub filter: String,
}

pub(super) fn log(reader: &mut Reader) -> Option<Log> {
    let is_json = reader.parsed("log.format", "\"text\" or \"json\"", |text| match text {
        "text" => Some(false),
        "json" => Some(true),
        _ => None,
    });
    let filter = reader.parsed(
        "log.filter",
        "a filter such as info or segstream=debug",
        |text| {
            let is_filter = !text.is_empty() && EnvFilter::try_new(text).is_ok();
            is_filter.then(|| text.to_owned())
        },
    );
    Some(Log {
        is_json: is_json?,
        filter: filter?,
    })
}
