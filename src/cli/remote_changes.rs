//! The changes of an instance that holds the embedded log, asked for over HTTP.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::time::Duration;
use std::time::Instant;

use crate::config::http::Http;
use crate::config::secret::Secret;
use crate::domain::ids::Partition;
use crate::domain::time::Timestamp;
use crate::log::Error;
use crate::log::OutputRecord;
use crate::log::changes::ChangesChunk;
use crate::log::changes::ChangesReader;
use crate::log::changes::PublishedChange;
use crate::view::changes::ChangesView;

/// One answer comes within this time.
const ANSWER_WAIT: Duration = Duration::from_secs(30);
/// An instance that is busy or restores is asked again for so long.
const BUSY_PATIENCE: Duration = Duration::from_secs(30);
const BUSY_RETRY: Duration = Duration::from_secs(1);
/// Largest answer: 1,000 changes are about 2 MB.
const ANSWER_BYTES_MAX: u64 = 256 << 20;

/// The changes of a running instance.
#[derive(Debug)]
pub struct RemoteChanges {
    agent: ureq::Agent,
    address: SocketAddr,
    token: Option<Secret>,
    partitions: u32,
}

impl RemoteChanges {
    /// Asks the instance at an address that it noted in its store directory.
    ///
    /// # Errors
    /// If it does not answer, refuses the token, or may not be given the token.
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
        let mut changes = Self {
            agent: ureq::Agent::new_with_config(config.build()),
            address,
            token: http.token.clone(),
            partitions: 0,
        };
        changes.partitions = changes.ask(Partition(0), 0, 1)?.partitions;
        Ok(changes)
    }

    fn ask(&self, partition: Partition, from: u64, limit: usize) -> Result<ChangesView, Error> {
        let (address, begun) = (self.address, Instant::now());
        let url =
            format!("http://{address}/v1/changes?partition={partition}&from={from}&limit={limit}");
        loop {
            let (status, body) = self
                .answer(&url)
                .map_err(|error| self.unusable(format!("it does not answer: {error}")))?;
            match status {
                200 => {
                    return serde_json::from_str(&body).map_err(|error| {
                        self.unusable(format!("its answer is of another version: {error}"))
                    });
                }
                408 | 503 if begun.elapsed() < BUSY_PATIENCE => {
                    std::thread::park_timeout(BUSY_RETRY)
                }
                _ => {
                    let problem: Option<serde_json::Value> = serde_json::from_str(&body).ok();
                    let detail = problem
                        .and_then(|problem| Some(problem.get("detail")?.as_str()?.to_owned()));
                    let detail = detail.unwrap_or_else(|| "it gave no reason".to_owned());
                    return Err(self.unusable(format!("it answered {status}: {detail}")));
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

impl ChangesReader for RemoteChanges {
    fn partitions(&self) -> u32 {
        self.partitions
    }

    fn read_changes(
        &mut self,
        partition: Partition,
        from: u64,
        limit: usize,
    ) -> Result<ChangesChunk, Error> {
        let view = self.ask(partition, from, limit)?;
        let changes = view.changes.iter().map(|change| PublishedChange {
            offset: change.offset,
            // An answer has the value alone.
            record: OutputRecord {
                key: None,
                value: Some(change.change.get().as_bytes().to_vec()),
                headers: Vec::new(),
                timestamp: Timestamp::default(),
            },
        });
        Ok(ChangesChunk {
            changes: changes.collect(),
            offset_next: view.offset_next,
            end: view.end,
        })
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
        let refused = RemoteChanges::open(noted, &http).unwrap_err();
        assert!(refused.to_string().contains("token"), "{refused}");
    }
}
