//! Settings of the HTTP server.

use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::reader::Reader;
use crate::config::reader::small;
use crate::config::secret::Secret;
use crate::config::sources::unread;
use crate::config::units::MINUTE;

/// The HTTP server.
#[derive(Clone, Debug)]
pub struct Http {
    /// Listen address; `None`: no server.
    pub address: Option<SocketAddr>,
    /// Bearer token.
    pub token: Option<Secret>,
    /// The file of the token, which is read again when it changes.
    pub token_file: Option<PathBuf>,
    /// How much later a wrong token is answered.
    pub failed_login_delay: Duration,
    /// Largest body.
    pub body_bytes_max: usize,
    /// Most lines of a body.
    pub body_lines_max: usize,
    /// Most bytes of all bodies together.
    pub bodies_bytes_max: usize,
    /// Most bytes of all answers that are not sent yet.
    pub answers_bytes_max: usize,
    /// Most events that may wait in the embedded log.
    pub backlog_events_max: u64,
    /// Longest time of a request, without its body.
    pub request_timeout: Duration,
    /// The connections.
    pub connections: Connections,
}

/// Limits of connections.
#[derive(Clone, Copy, Debug)]
pub struct Connections {
    /// Most open connections.
    pub max: usize,
    /// File handles that connections leave free.
    pub files_reserve: u64,
    /// Longest time of a header.
    pub header_timeout: Duration,
    /// Longest time of a body.
    pub body_timeout: Duration,
    /// Longest time between two requests of a connection.
    pub idle_timeout: Duration,
    /// Longest time until a client has read its answer.
    pub answer_timeout: Duration,
}

fn connections(reader: &mut Reader) -> Option<Connections> {
    let mut timeout = |key| reader.duration(key, Duration::from_millis(100), MINUTE * 10);
    let header_timeout = timeout("http.header_timeout");
    let body_timeout = timeout("http.body_timeout");
    let idle_timeout = timeout("http.idle_timeout");
    let answer_timeout = timeout("http.answer_timeout");
    let max = reader
        .integer("http.connections_max", 16, 100_000)
        .and_then(small);
    let files_reserve = reader.integer("http.files_reserve", 64, 1_000_000);
    Some(Connections {
        max: max?,
        files_reserve: files_reserve?,
        header_timeout: header_timeout?,
        body_timeout: body_timeout?,
        idle_timeout: idle_timeout?,
        answer_timeout: answer_timeout?,
    })
}

/// Bytes that all bodies may hold, not less than one.
fn bodies_bytes_max(reader: &mut Reader, body_bytes_max: Option<usize>) -> Option<usize> {
    let all = reader
        .bytes("http.bodies_bytes_max", 1024)
        .and_then(small)?;
    let one = body_bytes_max?;
    if all < one {
        let allowed = format!("at least http.body_bytes_max, which is {one} bytes");
        reader.problem("http.bodies_bytes_max", &allowed);
        return None;
    }
    Some(all)
}

pub(super) fn http(reader: &mut Reader) -> Option<Http> {
    let address = reader.parsed(
        "http.address",
        "an address such as 127.0.0.1:8080, with a number and not a name, or empty",
        |text| {
            if text.is_empty() {
                Some(None)
            } else {
                text.parse::<SocketAddr>().ok().map(Some)
            }
        },
    );
    let token_file = reader.optional_path("http.token_file");
    let token = token(reader, token_file.clone());
    let failed_login_delay = reader.duration(
        "http.failed_login_delay",
        Duration::ZERO,
        Duration::from_secs(10),
    );
    let body_bytes_max = reader.bytes("http.body_bytes_max", 1024).and_then(small);
    let body_lines_max = reader
        .integer("http.body_lines_max", 1, 1_000_000)
        .and_then(small);
    let bodies_bytes_max = bodies_bytes_max(reader, body_bytes_max);
    let answers_bytes_max = reader
        .bytes("http.answers_bytes_max", 4 * 1024 * 1024)
        .and_then(small);
    let backlog_events_max = reader.integer("http.backlog_events_max", 1, 1_000_000_000_000);
    let connections = connections(reader);
    let request_timeout = reader.duration(
        "http.request_timeout",
        Duration::from_millis(100),
        MINUTE * 10,
    );
    let token = token?;
    let is_open = address?.is_some_and(|address| !address.ip().is_loopback());
    if is_open && token.is_none() {
        reader.problem(
            "http.address",
            "allowed without http.token or http.token_file: others than this machine can reach it",
        );
        return None;
    }
    Some(Http {
        address: address?,
        token,
        token_file: token_file?,
        failed_login_delay: failed_login_delay?,
        body_bytes_max: body_bytes_max?,
        body_lines_max: body_lines_max?,
        bodies_bytes_max: bodies_bytes_max?,
        answers_bytes_max: answers_bytes_max?,
        backlog_events_max: backlog_events_max?,
        connections: connections?,
        request_timeout: request_timeout?,
    })
}

/// Shorter tokens can be found by trying.
const TOKEN_CHARACTERS_MIN: usize = 16;

fn token(reader: &mut Reader, file: Option<Option<PathBuf>>) -> Option<Option<Secret>> {
    let given = reader.text("http.token");
    let given = given?.trim().to_owned();
    let Some(path) = file? else {
        if given.is_empty() {
            return Some(None);
        }
        return told(reader, "http.token", usable("a token", given)).map(Some);
    };
    if !given.is_empty() {
        reader.problem("http.token", "allowed together with http.token_file");
        return None;
    }
    let token = told(reader, "http.token_file", token_of_file(&path));
    if token.is_none() {
        reader.blame_rights(&path);
    }
    token.map(Some)
}

fn told(reader: &mut Reader, key: &str, token: Result<Secret, String>) -> Option<Secret> {
    token.map_err(|allowed| reader.problem(key, &allowed)).ok()
}

/// Longer files are no token's.
const TOKEN_FILE_BYTES_MAX: u64 = 64 * 1024;

/// The token of a file.
///
/// # Errors
/// What is allowed, if the file cannot be read or has no token that can be used. It has nothing of the token but its length.
pub fn token_of_file(path: &Path) -> Result<Secret, String> {
    let mut text = String::new();
    let opened = std::fs::File::open(path);
    opened
        .and_then(|file| file.take(TOKEN_FILE_BYTES_MAX).read_to_string(&mut text))
        .map_err(|error| format!("a readable file: {}", unread(&error)))?;
    let token = text.trim();
    if token.is_empty() {
        return Err("a file with a token: it is empty".to_owned());
    }
    usable("a file with a token", token.to_owned())
}

/// Refuses a token that can be found by trying, or that no header can carry. `what` names where it is.
fn usable(what: &str, token: String) -> Result<Secret, String> {
    let characters = token.chars().count();
    if characters < TOKEN_CHARACTERS_MIN {
        return Err(format!(
            "{what} of {TOKEN_CHARACTERS_MIN} characters or more: it has {characters}"
        ));
    }
    if !token.chars().all(|character| character.is_ascii_graphic()) {
        return Err(format!(
            "{what} of one line, of printable ASCII characters without spaces"
        ));
    }
    Ok(Secret::new(token))
}
