//! Settings of the HTTP server.

use std::net::SocketAddr;
use std::time::Duration;

use crate::config::reader::Reader;
use crate::config::reader::small;
use crate::config::secret::Secret;
use crate::config::units::MINUTE;

/// The HTTP server.
#[derive(Clone, Debug)]
pub struct Http {
    /// Listen address; `None`: no server.
    pub address: Option<SocketAddr>,
    /// Bearer token.
    pub token: Option<Secret>,
    /// Largest body.
    pub body_bytes_max: usize,
    /// Longest time of a request.
    pub request_timeout: Duration,
}

pub(super) fn http(reader: &mut Reader) -> Option<Http> {
    let address = reader.parsed(
        "http.address",
        "an address such as 127.0.0.1:8080, or empty",
        |text| {
            if text.is_empty() {
                Some(None)
            } else {
                text.parse::<SocketAddr>().ok().map(Some)
            }
        },
    );
    let token = token(reader);
    let body_bytes_max = reader.bytes("http.body_bytes_max", 1024).and_then(small);
    let request_timeout = reader.duration(
        "http.request_timeout",
        Duration::from_millis(100),
        MINUTE * 10,
    );
    let token = token?;
    let is_open = address?.is_some_and(|address| !address.ip().is_loopback());
    if is_open && token.is_none() {
        reader.problem(
            "http.token_file",
            "set, as it or http.token must be when http.address is not loopback",
        );
        return None;
    }
    Some(Http {
        address: address?,
        token,
        body_bytes_max: body_bytes_max?,
        request_timeout: request_timeout?,
    })
}

/// Shorter tokens can be found by trying.
const TOKEN_CHARACTERS_MIN: usize = 16;

fn token(reader: &mut Reader) -> Option<Option<Secret>> {
    let given = reader.text("http.token");
    let file = reader.optional_path("http.token_file");
    let given = given?.trim().to_owned();
    let Some(path) = file? else {
        if given.is_empty() {
            return Some(None);
        }
        return usable(reader, ("http.token", "a token"), given).map(Some);
    };
    if !given.is_empty() {
        reader.problem("http.token", "allowed together with http.token_file");
        return None;
    }
    match std::fs::read_to_string(path) {
        Ok(text) if !text.trim().is_empty() => {
            let named = ("http.token_file", "a file with a token");
            usable(reader, named, text.trim().to_owned()).map(Some)
        }
        Ok(_) => {
            reader.problem("http.token_file", "a file with a token: it is empty");
            None
        }
        Err(error) => {
            reader.problem("http.token_file", &format!("a readable file: {error}"));
            None
        }
    }
}

/// Refuses a token that can be found by trying, or that no header can carry. The message has nothing of the token but its
/// length. `what` names where it is.
fn usable(reader: &mut Reader, (key, what): (&str, &str), token: String) -> Option<Secret> {
    let characters = token.chars().count();
    if characters < TOKEN_CHARACTERS_MIN {
        let allowed =
            format!("{what} of {TOKEN_CHARACTERS_MIN} characters or more: it has {characters}");
        reader.problem(key, &allowed);
        return None;
    }
    if !token.chars().all(|character| character.is_ascii_graphic()) {
        let allowed = format!("{what} of one line, of printable ASCII characters without spaces");
        reader.problem(key, &allowed);
        return None;
    }
    Some(Secret::new(token))
}
