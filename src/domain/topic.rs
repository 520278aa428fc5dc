//! The topics of a deployment: one table of what each must be, and their names.

use crate::domain::ids::Source;

/// A topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Events, as producers send them.
    Input,
    /// Events that a partition hands to another one.
    Transfers,
    /// The state changelog.
    State,
    /// Changes of segment.
    Changes,
    /// The latest change of each customer.
    Current,
    /// Records that were not processed, as they came.
    DeadLetters,
}

/// How a topic gets rid of old records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cleanup {
    /// By their age or the topic's size.
    Delete,
    /// All but the latest record of each key.
    Compact,
}

impl Cleanup {
    /// The value of Kafka's `cleanup.policy`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::Compact => "compact",
        }
    }
}

/// What a topic must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The setting that holds its name.
    pub setting: &'static str,
    /// How it must get rid of old records; `None` where that is the operator's choice.
    pub cleanup: Option<Cleanup>,
    /// It must have as many partitions as the input.
    pub has_input_partitions: bool,
    /// A deployment may do without it.
    pub is_optional: bool,
    /// A transaction writes outputs to it.
    pub is_output: bool,
}

impl Topic {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Input,
        Self::Transfers,
        Self::State,
        Self::Changes,
        Self::Current,
        Self::DeadLetters,
    ];

    /// What it must be.
    #[must_use]
    pub const fn row(self) -> Row {
        const OUTPUT: Row = Row {
            setting: "",
            cleanup: Some(Cleanup::Delete),
            has_input_partitions: false,
            is_optional: false,
            is_output: true,
        };
        match self {
            Self::Input => Row {
                setting: "topics.events",
                cleanup: None,
                has_input_partitions: true,
                is_output: false,
                ..OUTPUT
            },
            Self::Transfers => Row {
                setting: "topics.transfers",
                has_input_partitions: true,
                is_optional: true,
                is_output: false,
                ..OUTPUT
            },
            Self::State => Row {
                setting: "topics.state",
                cleanup: Some(Cleanup::Compact),
                has_input_partitions: true,
                is_output: false,
                ..OUTPUT
            },
            Self::Changes => Row {
                setting: "topics.changes",
                ..OUTPUT
            },
            Self::Current => Row {
                setting: "topics.current",
                cleanup: Some(Cleanup::Compact),
                ..OUTPUT
            },
            Self::DeadLetters => Row {
                setting: "topics.dead_letters",
                ..OUTPUT
            },
        }
    }

    /// The topic of a source.
    #[must_use]
    pub fn of_source(source: Source) -> Self {
        match source {
            Source::Events => Self::Input,
            Source::Transfers => Self::Transfers,
        }
    }
}

/// Names of the topics, on Kafka and in causes and dead letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicNames {
    /// See [`Topic::Input`].
    pub events: String,
    /// See [`Topic::Transfers`].
    pub transfers: Option<String>,
    /// See [`Topic::State`].
    pub state: String,
    /// See [`Topic::Changes`].
    pub changes: String,
    /// See [`Topic::Current`].
    pub current: String,
    /// See [`Topic::DeadLetters`].
    pub dead_letters: String,
}

impl TopicNames {
    /// Name of a topic; `None` where the deployment does without it.
    #[must_use]
    pub fn name(&self, topic: Topic) -> Option<&str> {
        match topic {
            Topic::Input => Some(&self.events),
            Topic::Transfers => self.transfers.as_deref(),
            Topic::State => Some(&self.state),
            Topic::Changes => Some(&self.changes),
            Topic::Current => Some(&self.current),
            Topic::DeadLetters => Some(&self.dead_letters),
        }
    }

    /// The topics that the deployment has, with their names.
    pub fn each(&self) -> impl Iterator<Item = (Topic, &str)> {
        let all = Topic::ALL.into_iter();
        all.filter_map(|topic| Some((topic, self.name(topic)?)))
    }

    /// The sources that the deployment has, with the names of their topics.
    pub fn sources(&self) -> impl Iterator<Item = (Source, &str)> {
        let all = Source::ALL.into_iter();
        all.filter_map(|source| Some((source, self.name(Topic::of_source(source))?)))
    }
}
