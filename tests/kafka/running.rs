//! A process of the program.

use std::io::BufRead;
use std::io::BufReader;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc;
use std::time::Duration;
use std::time::Instant;

use crate::PATIENCE;
use crate::support::kafka;

/// A process whose messages are read as they come.
pub struct Running {
    pub child: Child,
    lines: mpsc::Receiver<String>,
    pub seen: Arc<Mutex<Vec<String>>>,
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let messages = BufReader::new(child.stderr.take().unwrap()).lines();
        let (sender, lines) = mpsc::channel();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let keep = Arc::clone(&seen);
        std::thread::spawn(move || {
            for line in messages.map_while(Result::ok) {
                keep.lock().unwrap().push(line.clone());
                sender.send(line).ok();
            }
        });
        Self { child, lines, seen }
    }

    /// Waits for a message that contains a text.
    pub fn wait_for(&self, text: &str) {
        self.wait_until(text, |line| line.contains(text));
    }

    pub fn wait_until(&self, what: &str, is_it: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if is_it(&line) => return,
                Ok(_) => {}
                Err(error) => panic!("{error}: no {what} in {:#?}", self.seen.lock().unwrap()),
            }
        }
    }

    /// Waits until a replay has told that it sent so many events.
    pub fn wait_sent(&self, moment: u64) {
        self.wait_until("progress", |line| {
            let sent = line
                .strip_prefix("replayed ")
                .and_then(|rest| rest.split(' ').next())
                .and_then(|sent| sent.parse::<u64>().ok());
            sent.is_some_and(|sent| sent >= moment)
        });
    }

    /// The last lines of the log, without the transactions.
    pub fn said(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        let lines = seen.iter();
        let others = lines.filter(|line| !line.contains("transaction committed"));
        let mut last: Vec<String> = others.rev().take(60).cloned().collect();
        last.reverse();
        last
    }

    pub fn signal(&self, signal: &str) {
        kafka::send_signal(self.child.id(), signal);
    }

    /// Kills it; `true` if a transaction was open.
    pub fn kill(mut self) -> bool {
        assert!(self.child.try_wait().unwrap().is_none(), "it still ran");
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        // The reader ends with the pipe.
        while self.lines.recv_timeout(PATIENCE).is_ok() {}
        let seen = self.seen.lock().unwrap();
        let latest = seen.iter().rev().find(|line| line.contains("transaction"));
        latest.is_some_and(|line| line.contains("transaction begun"))
    }

    pub fn code(mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(
                Instant::now() < deadline,
                "it does not end: {:#?}",
                self.seen.lock().unwrap()
            );
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
