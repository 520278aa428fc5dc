//! Settings of the log lines.

use crate::config::filter;
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
    let is_json = reader.one_of("log.format", &[("text", false), ("json", true)]);
    let filter = log_filter(reader);
    Some(Log {
        is_json: is_json?,
        filter: filter?,
    })
}

fn log_filter(reader: &mut Reader) -> Option<String> {
    let key = "log.filter";
    let typed = reader.text(key)?;
    match filter::problem(&typed) {
        None => Some(filter::without_blanks(&typed)),
        Some(allowed) => {
            reader.problem(key, &allowed);
            None
        }
    }
}
