//! Crowds against the real program with 1,024 file handles: whatever a thousand clients do or leave undone, `/livez`
//! answers within a second, no accepted event is lost, and memory stays below 512 MiB.
//!
//! Each crowd stays for some seconds; with `SEGSTREAM_TEST_LONG=1` for a minute.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    unreachable_pub,
    reason = "a test may panic, and says what it saw"
)]

mod server;

use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::time::Duration;
use std::time::Instant;

use server::Server;
use server::ask;
use server::status_of;

const MIB: usize = 1024 * 1024;

/// How long a crowd stays.
fn stay() -> Duration {
    let is_long = std::env::var("SEGSTREAM_TEST_LONG").is_ok_and(|value| value == "1");
    Duration::from_secs(if is_long { 60 } else { 8 })
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5)).unwrap();
    stream
        .set_write_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream
}

/// Clients, each of which has sent these bytes; the server may have closed some of them.
fn crowd(address: SocketAddr, clients: usize, sent: &[u8]) -> Vec<TcpStream> {
    (0..clients)
        .map(|_| {
            let mut client = connect(address);
            // It may be closed already.
            drop(client.write_all(sent));
            client
        })
        .collect()
}

/// Goes on for as long as a crowd stays.
fn while_it_stays(mut act: impl FnMut()) {
    let until = Instant::now() + stay();
    while Instant::now() < until {
        act();
    }
}

/// As many bytes as the connection takes without waiting.
fn push(client: &mut TcpStream, bytes: &[u8]) -> usize {
    client.set_nonblocking(true).unwrap();
    let mut sent = 0;
    while sent < bytes.len() {
        match client.write(&bytes[sent..]) {
            Ok(0) | Err(_) => break,
            Ok(more) => sent += more,
        }
    }
    sent
}

/// Whether the server has ended the connection.
fn is_closed(client: &mut TcpStream) -> bool {
    client.set_nonblocking(true).unwrap();
    loop {
        match client.read(&mut [0; 4096]) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() != ErrorKind::WouldBlock,
        }
    }
}

fn post(bytes: usize) -> Vec<u8> {
    format!("POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-length: {bytes}\r\n\r\n").into()
}

#[test]
fn a_thousand_silent_connections_do_no_harm() {
    let server = Server::start(&[]);
    let clients = crowd(server.address, 1010, b"");
    while_it_stays(|| std::thread::park_timeout(Duration::from_millis(100)));
    drop(clients);
    server.stands();
}

#[test]
fn requests_that_are_half_sent_do_no_harm_and_are_closed_after_the_time_of_a_header() {
    let server = Server::start(&[]);
    let mut clients = crowd(
        server.address,
        1100,
        b"GET /v1/segments HTTP/1.1\r\nhost: local",
    );
    while_it_stays(|| std::thread::park_timeout(Duration::from_millis(100)));
    // The header's 5 s are over for each of them.
    let open = clients.iter_mut().filter_map(|client| {
        let is_open = !is_closed(client);
        is_open.then_some(())
    });
    assert_eq!(open.count(), 0);
    server.stands();
}

#[test]
fn bodies_that_come_slowly_do_no_harm() {
    let server = Server::start(&[]);
    let mut clients = crowd(server.address, 40, &post(16 * MIB));
    let piece = b"x".repeat(256 * 1024);
    while_it_stays(|| {
        for client in &mut clients {
            push(client, &piece);
        }
        std::thread::park_timeout(Duration::from_millis(50));
    });
    server.stands();
}

#[test]
fn sixteen_mebibytes_of_tiny_lines_are_refused_by_their_number_and_do_no_harm() {
    let server = Server::start(&[]);
    let body = b"1\n".repeat(8 * MIB);
    while_it_stays(|| {
        let answers = server::at_once(4, || ask(server.address, &post(body.len()), &body));
        for answer in answers {
            assert_eq!(status_of(&answer), 413, "{answer}");
            assert!(answer.contains("http.body_lines_max"), "{answer}");
        }
    });
    server.stands();
}

#[test]
fn as_many_bad_lines_as_are_allowed_do_no_harm() {
    let server = Server::start(&["http.request_timeout=60s"]);
    // 100,000 lines, the default of http.body_lines_max, in 16 MiB.
    let line = format!("{{\"type\":\"{}\"}}\n", "x".repeat(150));
    let body = line.repeat(100_000).into_bytes();
    assert!(body.len() <= 16 * MIB);
    while_it_stays(|| {
        let answers = server::at_once(8, || ask(server.address, &post(body.len()), &body));
        for answer in answers {
            // 503 where the bodies of all take too much.
            assert!([400, 503].contains(&status_of(&answer)), "{answer}");
        }
    });
    server.stands();
}

#[test]
fn headers_that_come_byte_by_byte_do_no_harm() {
    let server = Server::start(&[]);
    let mut clients = crowd(server.address, 800, b"GET / HTTP/1.1\r\nx-slow: ");
    let mut open = clients.len();
    while_it_stays(|| {
        clients.retain_mut(|client| !is_closed(client) && push(client, b"x") == 1);
        open = clients.len();
        std::thread::park_timeout(Duration::from_millis(200));
    });
    assert_eq!(open, 0, "a byte now and then does not prolong a header");
    server.stands();
}

#[test]
fn headers_without_an_end_do_no_harm() {
    let server = Server::start(&[]);
    let mut sent = b"GET / HTTP/1.1\r\nx-long: ".to_vec();
    sent.extend(b"x".repeat(MIB));
    while_it_stays(|| drop(crowd(server.address, 50, &sent)));
    server.stands();
}

#[test]
fn answers_that_nobody_reads_do_no_harm() {
    let server = Server::start(&[]);
    let request = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let mut clients = crowd(server.address, 1000, request);
    while_it_stays(|| {
        for client in &mut clients {
            push(client, request);
        }
        std::thread::park_timeout(Duration::from_millis(50));
    });
    server.stands();
}

#[test]
fn changes_that_nobody_reads_do_no_harm() {
    let server = Server::start(&[]);
    server.fill(20_000);
    let request = b"GET /v1/changes?limit=1000 HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(20);
    let mut clients = crowd(server.address, 400, &request);
    while_it_stays(|| {
        for client in &mut clients {
            push(client, &request);
        }
        std::thread::park_timeout(Duration::from_millis(50));
    });
    server.stands();
}

#[test]
fn requests_in_a_pipeline_do_no_harm() {
    let server = Server::start(&[]);
    let requests = b"GET /v1/segments HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(2000);
    let mut clients = crowd(server.address, 100, b"");
    while_it_stays(|| {
        for client in &mut clients {
            push(client, &requests);
        }
        std::thread::park_timeout(Duration::from_millis(50));
    });
    server.stands();
}

/// Each wrong token is answered half a second later.
#[test]
fn wrong_tokens_in_a_pipeline_do_no_harm() {
    let server = Server::start(&["http.token=the-token-of-the-test"]);
    let request =
        b"GET /v1/customers/x HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer wrong\r\n\r\n";
    let clients = crowd(server.address, 1010, &request.repeat(100));
    while_it_stays(|| std::thread::park_timeout(Duration::from_millis(100)));
    drop(clients);
    server.stands();
}

#[test]
fn connections_that_are_kept_alive_and_idle_do_no_harm() {
    let server = Server::start(&["http.idle_timeout=4s"]);
    let request = b"GET /v1/segments HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let mut clients = crowd(server.address, 1010, request);
    while_it_stays(|| std::thread::park_timeout(Duration::from_millis(100)));
    assert!(clients.iter_mut().all(is_closed));
    server.stands();
}

#[test]
fn bodies_that_are_announced_and_never_sent_do_no_harm() {
    let server = Server::start(&[]);
    let request = b"POST /v1/events HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\n\
                    content-length: 16777216\r\n\r\n";
    let clients = crowd(server.address, 1010, request);
    while_it_stays(|| std::thread::park_timeout(Duration::from_millis(100)));
    drop(clients);
    server.stands();
}

#[test]
fn bodies_in_chunks_of_a_byte_do_no_harm() {
    let server = Server::start(&[]);
    let request =
        b"POST /v1/events HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n";
    // More of them, and the test itself would leave the program no time.
    let mut clients = crowd(server.address, 50, request);
    let chunks = b"1\r\nx\r\n".repeat(2000);
    while_it_stays(|| {
        for client in &mut clients {
            // A part of a chunk may be lost at its end: then the rest is not HTTP.
            push(client, &chunks);
        }
    });
    server.stands();
}

/// A client that comes meanwhile is served as soon as there are handles again.
#[test]
fn a_lack_of_file_handles_is_waited_out() {
    let server = Server::start(&[]);
    let head = b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    for _ in 0..5 {
        let answers = std::thread::scope(|scope| {
            let clients = server.without_handles(Duration::from_millis(300), || {
                let clients = (0..20).map(|_| scope.spawn(|| ask(server.address, head, b"")));
                clients.collect::<Vec<_>>()
            });
            let answers = clients.into_iter().map(|client| client.join().unwrap());
            answers.collect::<Vec<_>>()
        });
        for answer in answers {
            assert_eq!(status_of(&answer), 200, "{answer}");
        }
    }
    let failures = server::value(&server.page(), "segstream_http_accept_failures_total ");
    assert!(failures >= 1.0, "there were handles throughout");
    server.stands();
}

#[test]
fn events_beyond_the_backlog_are_refused_whole_with_a_time_to_wait() {
    // No worker gets anything done while its transactions stay open.
    let server = Server::start(&[
        "http.backlog_events_max=10",
        "commit.interval=60s",
        "workers=1",
    ]);
    let body = server::events("backlog", 0..200);
    let answer = ask(server.address, &post(body.len()), &body);
    assert_eq!(status_of(&answer), 202, "{answer}");
    let answer = ask(server.address, &post(body.len()), &body);
    assert_eq!(status_of(&answer), 429, "{answer}");
    assert!(answer.contains("\r\nretry-after: 5\r\n"), "{answer}");
    assert!(answer.contains("http.backlog_events_max"), "{answer}");
    let page = server.page();
    let counted = "segstream_http_requests_refused_total{reason=\"backlog\"} ";
    assert!(server::value(&page, counted) >= 1.0, "{page}");
    server.accepted(200);
    server.stands();
}

#[test]
fn a_token_that_changes_is_taken_over_and_a_bad_file_keeps_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "first-token-of-the-test\n").unwrap();
    let server = Server::start_with_token(&path, "first-token-of-the-test");
    let status = |token: &str| {
        let head = format!(
            "GET /v1/customers/nobody HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             authorization: Bearer {token}\r\n\r\n"
        );
        status_of(&ask(server.address, head.as_bytes(), b""))
    };
    assert_eq!(status("first-token-of-the-test"), 404);
    assert_eq!(status("other-token-of-the-test"), 401);
    std::fs::write(&path, "short").unwrap();
    server.wait_for("segstream_http_token_file_unusable 1");
    assert_eq!(status("first-token-of-the-test"), 404);
    std::fs::write(&path, "other-token-of-the-test\n").unwrap();
    server.wait_for("segstream_http_token_file_unusable 0");
    assert_eq!(status("other-token-of-the-test"), 404);
    assert_eq!(status("first-token-of-the-test"), 401);
    let failed = "segstream_http_requests_refused_total{reason=\"token\"} ";
    assert_eq!(server::value(&server.page(), failed).to_string(), "2");
}
