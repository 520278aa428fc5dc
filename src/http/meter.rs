//! What the server counts. Labels are routes and reasons, never anything of a request.

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Too many requests are in progress.
    Requests,
    /// The bytes of all bodies are at their limit.
    Bodies,
    /// The bytes of all answers are at their limit.
    Answers,
    /// The log has too many events that are not processed.
    Backlog,
    /// The body is too large.
    BodyBytes,
    /// The body has too many lines.
    BodyLines,
    /// The body did not arrive in time.
    BodyTimeout,
    /// The answer took too long.
    RequestTimeout,
    /// The token is wrong or missing.
    Token,
    /// The request was made to another host, or by a page of another origin.
    Host,
}

impl Refused {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Requests,
        Self::Bodies,
        Self::Answers,
        Self::Backlog,
        Self::BodyBytes,
        Self::BodyLines,
        Self::BodyTimeout,
        Self::RequestTimeout,
        Self::Token,
        Self::Host,
    ];

    /// The label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Bodies => "bodies",
            Self::Answers => "answers",
            Self::Backlog => "backlog",
            Self::BodyBytes => "body_bytes",
            Self::BodyLines => "body_lines",
            Self::BodyTimeout => "body_timeout",
            Self::RequestTimeout => "request_timeout",
            Self::Token => "token",
            Self::Host => "host",
        }
    }
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// By the client, or after an answer that closes it.
    Done,
    /// The client broke it off, or sent what is not HTTP.
    Broken,
    /// The header of a request did not arrive in time.
    HeaderTimeout,
    /// No further request came.
    IdleTimeout,
    /// The client did not read its answer.
    AnswerTimeout,
    /// It made room for a new connection.
    Full,
}

impl Closed {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Done,
        Self::Broken,
        Self::HeaderTimeout,
        Self::IdleTimeout,
        Self::AnswerTimeout,
        Self::Full,
    ];

    /// The label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Broken => "broken",
            Self::HeaderTimeout => "header_timeout",
            Self::IdleTimeout => "idle_timeout",
            Self::AnswerTimeout => "answer_timeout",
            Self::Full => "full",
        }
    }
}

/// What bytes are held for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holding {
    /// Bodies of requests.
    Bodies,
    /// Answers that are not sent yet.
    Answers,
}

impl Holding {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Bodies, Self::Answers];

    /// The label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bodies => "bodies",
            Self::Answers => "answers",
        }
    }
}

/// Counts what happens.
pub trait Meter: Send + Sync + std::fmt::Debug + 'static {
    /// Requests in progress became more or fewer.
    fn requests_changed(&self, change: i64);
    /// A request was answered. `route` is the pattern of its path, `class` such as `2xx`.
    fn answered(&self, route: &str, class: &'static str);
    /// A request was refused.
    fn refused(&self, reason: Refused);
    /// A connection was opened.
    fn connection_opened(&self);
    /// A connection ended.
    fn connection_closed(&self, reason: Closed);
    /// A connection could not be taken.
    fn accept_failed(&self);
    /// The bytes held became more or fewer.
    fn bytes_changed(&self, holding: Holding, change: i64);
}

/// Counts nothing.
#[derive(Clone, Copy, Debug)]
pub struct Uncounted;

impl Meter for Uncounted {
    fn requests_changed(&self, _: i64) {}
    fn answered(&self, _: &str, _: &'static str) {}
    fn refused(&self, _: Refused) {}
    fn connection_opened(&self) {}
    fn connection_closed(&self, _: Closed) {}
    fn accept_failed(&self) {}
    fn bytes_changed(&self, _: Holding, _: i64) {}
}
