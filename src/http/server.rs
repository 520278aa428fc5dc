//! Takes connections and serves each. Neither silent clients nor a lack of file handles end it.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::http::connections::Connection;
use crate::http::connections::Connections;
use crate::http::connections::Patience;
use crate::http::connections::Phase;
use crate::http::connections::Place;
use crate::http::meter::Closed;
use crate::http::meter::Meter;
use crate::http::stream::WatchedBody;
use crate::http::stream::WatchedStream;

/// Most bytes of a header, and of what is read of a body at once.
const BUFFER_BYTES: usize = 16 * 1024;
/// Where the system has no more handles, a connection is taken again after this time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How often connections that have waited too long are looked for.
const SWEEP: Duration = Duration::from_millis(250);

/// Limits of the connections.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Most open connections.
    pub connections_max: usize,
    /// How long each may wait.
    pub patience: Patience,
}

/// Serves until it is stopped, then until each connection has had its answer.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ConnectionLimits,
    meter: Arc<dyn Meter>,
    stopped: watch::Receiver<bool>,
) {
    let connections = Connections::new(limits.connections_max, limits.patience, Arc::clone(&meter));
    let sweeper = tokio::spawn(sweep(Arc::clone(&connections)));
    let mut tasks = JoinSet::new();
    let mut is_failing = false;
    let mut until_stopped = stopped.clone();
    loop {
        let accepted = tokio::select! {
            // A sender that was dropped means the same.
            _ = until_stopped.wait_for(|is_stopped| *is_stopped) => break,
            accepted = listener.accept() => accepted,
        };
        // What tasks that have ended leave behind.
        while tasks.try_join_next().is_some() {}
        match accepted {
            Ok((stream, _)) => {
                is_failing = false;
                let place = tokio::select! {
                    _ = until_stopped.wait_for(|is_stopped| *is_stopped) => break,
                    place = connections.place() => place,
                };
                tasks.spawn(converse(stream, place, router.clone(), stopped.clone()));
            }
            Err(error) if is_of_client(&error) => {}
            Err(error) => {
                meter.accept_failed();
                if !std::mem::replace(&mut is_failing, true) {
                    tracing::warn!(%error, "no connection can be taken, trying again");
                }
                connections.make_room();
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    while tasks.join_next().await.is_some() {}
    sweeper.abort();
}

async fn sweep(connections: Arc<Connections>) {
    let mut every = tokio::time::interval(SWEEP);
    loop {
        every.tick().await;
        connections.sweep();
    }
}

/// Whether the client went before it was accepted.
fn is_of_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}

/// Lets the other connections go on before another request of the same one. Requests that came together would be
/// worked on one after the other for as long as there are some, and nothing would end their connection.
async fn take_turns(connection: &Connection) {
    tokio::task::yield_now().await;
    if connection.is_ending() {
        std::future::pending().await
    }
}

/// Serves one connection to its end.
async fn converse(
    stream: TcpStream,
    mut place: Place,
    router: Router,
    mut stopped: watch::Receiver<bool>,
) {
    let connection = Arc::clone(&place.connection);
    // Small answers are sent at once; without it they are only later.
    drop(stream.set_nodelay(true));
    let io = TokioIo::new(WatchedStream {
        stream,
        connection: Arc::clone(&connection),
    });
    let of_requests = Arc::clone(&connection);
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        let connection = Arc::clone(&of_requests);
        let router = router.clone();
        async move {
            if connection.is_used() {
                take_turns(&connection).await;
            }
            connection.enter(Phase::Work);
            request.extensions_mut().insert(Arc::clone(&connection));
            let answer = router.call(request).await?;
            connection.enter(Phase::Answer);
            Ok::<_, Infallible>(answer.map(|body| WatchedBody { body, connection }))
        }
    });
    let mut served = pin!(
        http1::Builder::new()
            // The table of connections has the time of a header: a timer of each connection would end idle ones too.
            .header_read_timeout(None::<Duration>)
            .max_buf_size(BUFFER_BYTES)
            .serve_connection(io, service)
    );
    let mut is_stopping = false;
    place.ended = loop {
        tokio::select! {
            biased;
            ended = served.as_mut() => break match ended {
                Ok(()) => Closed::Done,
                Err(_) => Closed::Broken,
            },
            reason = connection.must_close() => break reason,
            _ = stopped.wait_for(|is_stopped| *is_stopped), if !is_stopping => {
                if matches!(connection.phase().0, Phase::New | Phase::Idle | Phase::Header) {
                    break Closed::Done;
                }
                is_stopping = true;
                served.as_mut().graceful_shutdown();
            }
        }
    };
}
