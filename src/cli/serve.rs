//! The asynchronous side of a process: HTTP and signals. Workers are threads of their own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::net::TcpSocket;
use tokio::runtime::Runtime;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::cli::compose::AnyLog;
use crate::cli::compose::Parts;
use crate::cli::dead_letters::service::LogDeadLetters;
use crate::cli::http_meter::HttpMeter;
use crate::cli::open_files;
use crate::cli::services::CommittedState;
use crate::cli::services::LogChanges;
use crate::cli::services::LogIntake;
use crate::cli::services::ShopIntake;
use crate::cli::shop::ShopClock;
use crate::cli::token_file;
use crate::config::http::Http;
use crate::config::secret::Secret;
use crate::config::settings::Settings;
use crate::http::EventIntake;
use crate::http::PublishedChanges;
use crate::http::Services;
use crate::http::connections::Patience;
use crate::http::router::Limits;
use crate::http::router::router;
use crate::http::server::ConnectionLimits;
use crate::http::server::serve;
use crate::http::token::Token;
use crate::store::directory::StoreDirectory;

const RUNTIME_THREADS: usize = 2;
/// Connections that the system keeps until they are taken; net.core.somaxconn may be less. Where they were more, the
/// system would drop the first packet of the next, and its client would send it again a second later.
const WAITING_CONNECTIONS_MAX: u32 = 4096;
/// Threads of work that may block. Further work waits for one.
const BLOCKING_THREADS_MAX: usize = 64;
/// Requests in progress get this long when the process ends.
const LAST_REQUESTS: Duration = Duration::from_secs(2);

/// The running server.
#[derive(Debug)]
pub struct Server {
    runtime: Runtime,
    /// Until requests are answered.
    listener: Option<TcpListener>,
    address: Option<SocketAddr>,
    stop: watch::Sender<bool>,
    served: Option<JoinHandle<()>>,
    directory: StoreDirectory,
}

impl Server {
    /// Listens for signals, and for HTTP where there is an address. With `may_move`, it listens on a free port
    /// where the port of the address is taken.
    ///
    /// # Errors
    /// If the address cannot be listened on.
    pub fn start(settings: &Settings, parts: &Parts, may_move: bool) -> anyhow::Result<Self> {
        let mut server = Self::listen(settings, parts, may_move)?;
        server.answer(settings, parts, None)?;
        Ok(server)
    }

    /// The same, but requests wait until [`Self::answer`].
    ///
    /// # Errors
    /// If the address cannot be listened on.
    pub fn listen(settings: &Settings, parts: &Parts, may_move: bool) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(RUNTIME_THREADS)
            .max_blocking_threads(BLOCKING_THREADS_MAX)
            .enable_all()
            .build()
            .context("cannot start the server's threads")?;
        listen_for_signals(&runtime, parts)?;
        let (mut listener, mut address) = (None, None);
        if let Some(wanted) = settings.http.address {
            let bound = runtime.block_on(async { bind(wanted, may_move) })?;
            address = Some(bound.local_addr()?);
            listener = Some(bound);
        }
        let directory = parts.shared.partitions.directory().clone();
        directory.set_http_address(address)?;
        Ok(Self {
            runtime,
            listener,
            address,
            stop: watch::channel(false).0,
            served: None,
            directory,
        })
    }

    /// Answers the requests from now on. Events that are posted to a shop arrive at its time.
    ///
    /// # Errors
    /// If the limits of the system cannot be read.
    pub fn answer(
        &mut self,
        settings: &Settings,
        parts: &Parts,
        shop: Option<&ShopClock>,
    ) -> anyhow::Result<()> {
        let Some(listener) = self.listener.take() else {
            return Ok(());
        };
        let services = services(settings, parts, shop);
        let connections = connection_limits(&settings.http)?;
        let metrics = &parts.shared.metrics;
        let most = i64::try_from(connections.connections_max).unwrap_or(i64::MAX);
        metrics.http.connections_max.set(most);
        follow_token(&self.runtime, &settings.http, &services, parts);
        let meter = Arc::clone(&services.meter);
        let router = router(services, limits(&settings.http));
        let served = serve(listener, router, connections, meter, self.stop.subscribe());
        self.served = Some(self.runtime.spawn(served));
        Ok(())
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Ends the server; requests in progress get a moment to finish.
    pub fn stop(self) {
        if let Err(error) = self.directory.set_http_address(None) {
            tracing::warn!(%error, "the address of HTTP stays noted in store.directory");
        }
        self.stop.send_replace(true);
        if let Some(served) = self.served {
            let last = async move { tokio::time::timeout(LAST_REQUESTS, served).await };
            // What is not answered by then is not answered.
            drop(self.runtime.block_on(last));
        }
        self.runtime.shutdown_timeout(LAST_REQUESTS);
    }
}

fn bind(wanted: SocketAddr, may_move: bool) -> anyhow::Result<TcpListener> {
    match listen(wanted) {
        Err(error) if may_move && error.kind() == std::io::ErrorKind::AddrInUse => {
            let free = SocketAddr::new(wanted.ip(), 0);
            listen(free).with_context(|| format!("cannot listen on {free}"))
        }
        bound => bound.with_context(|| format!("cannot listen on http.address {wanted}")),
    }
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // The address can be taken again at once after a restart.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(WAITING_CONNECTIONS_MAX)
}

fn limits(http: &Http) -> Limits {
    Limits {
        body_bytes_max: http.body_bytes_max,
        body_lines_max: http.body_lines_max,
        body_timeout: http.connections.body_timeout,
        bodies_bytes_max: http.bodies_bytes_max,
        answers_bytes_max: http.answers_bytes_max,
        backlog_events_max: http.backlog_events_max,
        failed_login_delay: http.failed_login_delay,
        timeout: http.request_timeout,
    }
}

fn connection_limits(http: &Http) -> anyhow::Result<ConnectionLimits> {
    let limits = http.connections;
    Ok(ConnectionLimits {
        connections_max: open_files::connections_max(limits.max, limits.files_reserve)?,
        patience: Patience {
            header: limits.header_timeout,
            idle: limits.idle_timeout,
            answer: limits.answer_timeout,
        },
    })
}

fn follow_token(runtime: &Runtime, http: &Http, services: &Services, parts: &Parts) {
    let (Some(path), Some(used), Some(token)) = (&http.token_file, &http.token, &services.token)
    else {
        return;
    };
    runtime.spawn(token_file::follow(
        path.clone(),
        used.clone(),
        Arc::clone(token),
        Arc::clone(&parts.shared.metrics),
    ));
}

fn services(settings: &Settings, parts: &Parts, shop: Option<&ShopClock>) -> Services {
    let shared = Arc::clone(&parts.shared);
    let (intake, changes) = match &parts.log {
        AnyLog::Embedded(log) => {
            let intake = LogIntake {
                log: log.clone(),
                shared: Arc::clone(&shared),
            };
            let intake: Arc<dyn EventIntake> = match shop {
                Some(clock) => Arc::new(ShopIntake {
                    intake,
                    clock: clock.clone(),
                }),
                None => Arc::new(intake),
            };
            let changes = LogChanges(log.clone());
            (
                Some(intake),
                Some(Arc::new(changes) as Arc<dyn PublishedChanges>),
            )
        }
        AnyLog::Kafka(_) => (None, None),
    };
    Services {
        queries: Arc::new(CommittedState {
            shared,
            partitions: parts.log.partitions(),
            owns_all: intake.is_some(),
        }),
        meter: Arc::new(HttpMeter::new(Arc::clone(&parts.shared.metrics))),
        intake,
        changes,
        dead_letters: Arc::new(LogDeadLetters::new(parts.log.clone())),
        token: settings
            .http
            .token
            .as_ref()
            .map(Secret::reveal)
            .map(|token| Arc::new(Token::new(token))),
    }
}

/// The first signal requests a clean stop, the second ends the process at once.
fn listen_for_signals(runtime: &Runtime, parts: &Parts) -> anyhow::Result<()> {
    let guard = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    drop(guard);
    let shared = Arc::clone(&parts.shared);
    runtime.spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if shared.control.is_stopping() {
                std::process::exit(130);
            }
            tracing::info!("stopping");
            shared.control.stop();
        }
    });
    Ok(())
}
