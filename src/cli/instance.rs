//! Asks the instance that holds the embedded log over HTTP.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::time::Duration;
use std::time::Instant;

use serde::de::DeserializeOwned;

use crate::config::http::Http;
use crate::config::secret::Secret;
use crate::log::Error;

/// One answer comes within this time.
const ANSWER_WAIT: Duration = Duration::from_secs(30);
/// An instance that is busy or restores is asked again for so long.
const BUSY_PATIENCE: Duration = Duration::from_secs(30);
const BUSY_RETRY: Duration = Duration::from_secs(1);
/// The token is wrong or missing.
const UNAUTHORIZED: u16 = 401;
/// Largest answer: 1,000 changes are about 2 MB, dead letters with their records at most 32 MB.
const ANSWER_BYTES_MAX: u64 = 256 << 20;

/// A running instance.
#[derive(Debug)]
pub struct Instance {
    agent: ureq::Agent,
    address: SocketAddr,
    token: Option<Secret>,
}

/// What it answers.
#[derive(Debug)]
pub(super) enum Answered {
    /// The body of an answer of 200.
    Found(String),
    /// It does not have what was asked for, or does not take the question.
    Refused {
        /// The status.
        status: u16,
        /// The sentence of the problem.
        detail: String,
    },
}

impl Instance {
    /// The instance at an address that it noted in its store directory.
    ///
    /// # Errors
    /// If it may not be given the token.
    pub fn open(noted: SocketAddr, http: &Http) -> Result<Self, Error> {
        let address = reachable(noted);
        let is_own = http.address.is_some_and(|own| own.ip() == noted.ip());
        if http.token.is_some() && !address.ip().is_loopback() && !is_own {
            return Err(Error::Unusable {
                path: format!("the instance at {address}"),
                problem: "the token is sent to a loopback address or to that of http.address only: set http.address"
                    .to_owned(),
            });
        }
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(ANSWER_WAIT))
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None);
        Ok(Self {
            agent: ureq::Agent::new_with_config(config.build()),
            address,
            token: http.token.clone(),
        })
    }

    /// What it answers to a path that must be there.
    ///
    /// # Errors
    /// If it does not answer or refuses.
    pub(super) fn ask<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        match self.get(path)? {
            Answered::Found(body) => self.read(&body),
            Answered::Refused { status, detail } => Err(self.refused(status, &detail)),
        }
    }

    /// The error of a refusal.
    pub(super) fn refused(&self, status: u16, detail: &str) -> Error {
        let how = if status == UNAUTHORIZED {
            "; give this command the token too, with --set http.token_file=FILE or the environment variable SEGSTREAM_HTTP__TOKEN"
        } else {
            ""
        };
        self.unusable(format!("it answered {status}: {detail}{how}"))
    }

    /// What a body says.
    ///
    /// # Errors
    /// If the instance is of another version.
    pub(super) fn read<T: DeserializeOwned>(&self, body: &str) -> Result<T, Error> {
        serde_json::from_str(body)
            .map_err(|error| self.unusable(format!("its answer is of another version: {error}")))
    }

    /// What it answers to a path. One that is busy is asked again for a while.
    ///
    /// # Errors
    /// If it does not answer.
    pub(super) fn get(&self, path: &str) -> Result<Answered, Error> {
        let (address, begun) = (self.address, Instant::now());
        let url = format!("http://{address}{path}");
        loop {
            let (status, body) = self
                .answer(&url)
                .map_err(|error| self.unusable(format!("it does not answer: {error}")))?;
            match status {
                200 => return Ok(Answered::Found(body)),
                408 | 503 if begun.elapsed() < BUSY_PATIENCE => {
                    std::thread::park_timeout(BUSY_RETRY)
                }
                _ => {
                    let problem: Option<serde_json::Value> = serde_json::from_str(&body).ok();
                    let detail = problem
                        .and_then(|problem| Some(problem.get("detail")?.as_str()?.to_owned()));
                    let detail = detail.unwrap_or_else(|| "it gave no reason".to_owned());
                    return Ok(Answered::Refused { status, detail });
                }
            }
        }
    }

    fn answer(&self, url: &str) -> Result<(u16, String), ureq::Error> {
        let mut request = self.agent.get(url);
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {}", token.reveal()));
        }
        let mut response = request.call()?;
        let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX);
        let body = body.read_to_string()?;
        Ok((response.status().as_u16(), body))
    }

    fn unusable(&self, problem: String) -> Error {
        Error::Unusable {
            path: format!("the instance at {}", self.address),
            problem,
        }
    }
}

/// An instance that listens on every address is asked on the loopback one.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;

    #[test]
    fn the_token_is_not_sent_to_an_address_that_is_not_this_services() {
        let noted: SocketAddr = "203.0.113.5:80".parse().unwrap();
        let token = (
            "SEGSTREAM_HTTP__TOKEN".to_owned(),
            "open-sesame-open-sesame".to_owned(),
        );
        let sets = ["http.address=".to_owned()];
        let settings = load(None, std::iter::once(token), &sets).unwrap();
        let http = settings.http;
        let refused = Instance::open(noted, &http).unwrap_err();
        assert!(refused.to_string().contains("token"), "{refused}");
    }
}
