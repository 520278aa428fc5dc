//! Something that is wrong with a topic, or that may lose events.

use serde::Serialize;

/// What follows from a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// `run` does not start.
    Error,
    /// `run` logs it when it starts.
    Warning,
}

/// Something about a topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What follows from it.
    pub level: Level,
    /// Name of the topic.
    pub topic: String,
    /// Kafka's name of the setting; absent where it is about the topic itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub setting: Option<&'static str>,
    /// The setting's value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The value it should have, or the least one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wanted: Option<String>,
    /// A sentence that says what is wrong and what to do.
    pub problem: String,
}

impl Finding {
    /// A finding about the topic itself, which is an error.
    pub(super) fn of_topic(topic: &str, problem: String) -> Self {
        Self {
            level: Level::Error,
            topic: topic.to_owned(),
            setting: None,
            value: None,
            wanted: None,
            problem,
        }
    }
}
