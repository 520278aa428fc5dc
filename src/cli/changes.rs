//! `segstream state changes`: the published changes, from the topic, from the embedded log, or, beside an instance that
//! holds that log, from the instance.

use std::io::BufWriter;
use std::io::Write;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;

use crate::cli::compose::connection;
use crate::config::bus::BusKind;
use crate::config::secret::Secret;
use crate::config::settings::Settings;
use crate::domain::ids::Partition;
use crate::faults::Faults;
use crate::log;
use crate::log::changes::ChangesReader;
use crate::log::embedded::EmbeddedLog;
use crate::log::kafka::KafkaChanges;
use crate::store::directory::Holder;
use crate::store::directory::StoreDirectory;
use crate::view::changes::ChangesView;

/// Changes read at a time.
const CHUNK_CHANGES: usize = 1000;
/// The instance answers within this time, or the command fails.
const ANSWER_WAIT: Duration = Duration::from_secs(30);

/// Writes all changes, JSON Lines by partition and offset.
///
/// # Errors
/// If they cannot be read or written.
pub fn run(settings: &Settings) -> anyhow::Result<()> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    match settings.bus {
        BusKind::Kafka => {
            let mut log = KafkaChanges::open(connection(settings, "state-changes"))?;
            write_log(&mut log, &mut out)?;
        }
        BusKind::Embedded => match StoreDirectory::holder(&settings.store.directory)? {
            Holder::Nobody => {
                let mut log = EmbeddedLog::open(
                    &settings.embedded.directory,
                    settings.embedded.partitions,
                    Faults::none(),
                )?;
                write_log(&mut log, &mut out)?;
            }
            Holder::Instance {
                http_address: Some(address),
            } => write_instance(address, settings.http.token.as_ref(), &mut out)?,
            Holder::Instance { http_address: None } => {
                let path = settings.store.directory.display().to_string();
                let problem = "a running command holds it and does not answer HTTP: wait until it has ended, or start \
                               the service with http.address";
                return Err(unusable(path, problem.to_owned()).into());
            }
        },
    }
    out.flush()?;
    Ok(())
}

fn write_log(log: &mut impl ChangesReader, out: &mut impl Write) -> anyhow::Result<()> {
    for partition in (0..log.partitions()).map(Partition) {
        let (mut from, mut end) = (0, None);
        loop {
            let chunk = log.read_changes(partition, from, CHUNK_CHANGES)?;
            for change in &chunk.changes {
                out.write_all(change.record.value.as_deref().unwrap_or_default())?;
                writeln!(out)?;
            }
            from = chunk.offset_next;
            // Up to the end as of the first question, so that a busy log does not hold the command for ever.
            if from >= *end.get_or_insert(chunk.end) {
                break;
            }
        }
    }
    Ok(())
}

fn write_instance(
    address: SocketAddr,
    token: Option<&Secret>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let agent = ureq::Agent::new_with_config(
        ureq::Agent::config_builder()
            .timeout_global(Some(ANSWER_WAIT))
            .http_status_as_error(false)
            .proxy(None)
            .build(),
    );
    let address = reachable(address);
    let (mut partition, mut from, mut end) = (0, 0, None);
    loop {
        let url = format!(
            "http://{address}/v1/changes?partition={partition}&from={from}&limit={CHUNK_CHANGES}"
        );
        let view = ask(&agent, &url, token)
            .with_context(|| format!("cannot read the changes of the instance at {address}"))?;
        for change in &view.changes {
            writeln!(out, "{}", change.change.get())?;
        }
        from = view.offset_next;
        if from >= *end.get_or_insert(view.end) {
            partition += 1;
            (from, end) = (0, None);
        }
        if partition >= view.partitions {
            return Ok(());
        }
    }
}

fn ask(agent: &ureq::Agent, url: &str, token: Option<&Secret>) -> anyhow::Result<ChangesView> {
    let mut request = agent.get(url);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {}", token.reveal()));
    }
    let mut response = request.call()?;
    let status = response.status();
    let body = response
        .body_mut()
        .with_config()
        .limit(u64::MAX)
        .read_to_string()?;
    if !status.is_success() {
        let problem: Option<serde_json::Value> = serde_json::from_str(&body).ok();
        let detail = problem.and_then(|problem| Some(problem["detail"].as_str()?.to_owned()));
        let detail = detail.unwrap_or_else(|| "it gave no reason".to_owned());
        let problem = format!("it answered {}: {detail}", status.as_u16());
        return Err(unusable(url.to_owned(), problem).into());
    }
    serde_json::from_str(&body).context("its answer is not one of this version")
}

fn unusable(path: String, problem: String) -> log::Error {
    log::Error::Unusable { path, problem }
}

/// An instance that listens on every address is asked on the loopback one.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
