//! The asynchronous side of a process: HTTP and signals. Workers are threads of their own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio::sync::watch;

use crate::cli::compose::AnyLog;
use crate::cli::compose::Parts;
use crate::cli::services::CommittedState;
use crate::cli::services::LogChanges;
use crate::cli::services::LogIntake;
use crate::config::secret::Secret;
use crate::config::settings::Settings;
use crate::http::EventIntake;
use crate::http::PublishedChanges;
use crate::http::Services;
use crate::http::router::Limits;
use crate::http::router::router;
use crate::store::directory::StoreDirectory;

const RUNTIME_THREADS: usize = 2;
/// Requests in progress get this long when the process ends.
const LAST_REQUESTS: Duration = Duration::from_secs(2);

/// The running server.
#[derive(Debug)]
pub struct Server {
    runtime: Runtime,
    address: Option<SocketAddr>,
    stop: watch::Sender<bool>,
    directory: StoreDirectory,
}

impl Server {
    /// Listens for signals, and for HTTP where there is an address. With `may_move`, it listens on a free port
    /// where the port of the address is taken.
    ///
    /// # Errors
    /// If the address cannot be listened on.
    pub fn start(settings: &Settings, parts: &Parts, may_move: bool) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(RUNTIME_THREADS)
            .enable_all()
            .build()
            .context("cannot start the server's threads")?;
        let (stop, stopped) = watch::channel(false);
        listen_for_signals(&runtime, parts)?;
        let mut address = None;
        if let Some(wanted) = settings.http.address {
            let listener = runtime.block_on(bind(wanted, may_move))?;
            address = Some(listener.local_addr()?);
            let limits = Limits {
                body_bytes_max: settings.http.body_bytes_max,
                timeout: settings.http.request_timeout,
            };
            let router = router(services(settings, parts), limits);
            runtime.spawn(serve(listener, router, stopped));
        }
        parts
            .shared
            .partitions
            .directory()
            .set_http_address(address)?;
        Ok(Self {
            runtime,
            address,
            stop,
            directory: parts.shared.partitions.directory().clone(),
        })
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
        self.runtime.shutdown_timeout(LAST_REQUESTS);
    }
}

async fn bind(wanted: SocketAddr, may_move: bool) -> anyhow::Result<TcpListener> {
    match TcpListener::bind(wanted).await {
        Err(error) if may_move && error.kind() == std::io::ErrorKind::AddrInUse => {
            let free = SocketAddr::new(wanted.ip(), 0);
            TcpListener::bind(free)
                .await
                .with_context(|| format!("cannot listen on {free}"))
        }
        bound => bound.with_context(|| format!("cannot listen on http.address {wanted}")),
    }
}

async fn serve(listener: TcpListener, router: axum::Router, mut stopped: watch::Receiver<bool>) {
    let until_stopped = async move {
        // A sender that was dropped means the same.
        drop(stopped.wait_for(|is_stopped| *is_stopped).await);
    };
    let served = axum::serve(listener, router)
        .with_graceful_shutdown(until_stopped)
        .await;
    if let Err(error) = served {
        tracing::error!(%error, "the HTTP server failed");
    }
}

fn services(settings: &Settings, parts: &Parts) -> Services {
    let shared = Arc::clone(&parts.shared);
    let (intake, changes) = match &parts.log {
        AnyLog::Embedded(log) => {
            let intake = LogIntake {
                log: log.clone(),
                shared: Arc::clone(&shared),
            };
            let changes = LogChanges(log.clone());
            (
                Some(Arc::new(intake) as Arc<dyn EventIntake>),
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
        intake,
        changes,
        token: settings
            .http
            .token
            .as_ref()
            .map(Secret::reveal)
            .map(Arc::from),
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
