//! Reads the file of the token again while the process runs.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::config::http::token_of_file;
use crate::config::secret::Secret;
use crate::http::token::Token;
use crate::telemetry::metrics::Metrics;

/// How often it is read.
const INTERVAL: Duration = Duration::from_secs(1);

/// What a reading of the file means.
#[derive(Debug, PartialEq, Eq)]
enum News {
    None,
    Changed(Secret),
    Unusable(String),
    Usable,
}

/// The readings so far. A new text counts when it was read twice, because a file may be half written.
#[derive(Debug)]
struct Readings {
    used: Secret,
    last: Result<Secret, String>,
    told: Option<String>,
}

impl Readings {
    fn new(used: Secret) -> Self {
        Self {
            last: Ok(used.clone()),
            used,
            told: None,
        }
    }

    fn next(&mut self, read: Result<Secret, String>) -> News {
        let last = std::mem::replace(&mut self.last, read);
        if last != self.last {
            return News::None;
        }
        match &self.last {
            Ok(token) if *token != self.used => {
                self.used = token.clone();
                self.told = None;
                News::Changed(token.clone())
            }
            Ok(_) if self.told.take().is_some() => News::Usable,
            Err(problem) if self.told.as_ref() != Some(problem) => {
                self.told = Some(problem.clone());
                News::Unusable(problem.clone())
            }
            Ok(_) | Err(_) => News::None,
        }
    }
}

/// Replaces the token when the file has another one that can be used, for as long as the process runs.
pub async fn follow(path: PathBuf, used: Secret, token: Arc<Token>, metrics: Arc<Metrics>) {
    let mut readings = Readings::new(used);
    let mut every = tokio::time::interval(INTERVAL);
    loop {
        every.tick().await;
        let path = path.clone();
        let Ok(read) = tokio::task::spawn_blocking(move || token_of_file(&path)).await else {
            continue;
        };
        let unusable = &metrics.http.token_file_unusable;
        match readings.next(read) {
            News::None => {}
            News::Changed(changed) => {
                token.replace(changed.reveal());
                unusable.set(0);
                tracing::info!("http.token_file has another token, which is used from here on");
            }
            News::Unusable(problem) => {
                unusable.set(1);
                tracing::warn!("the token before is kept: http.token_file must be {problem}");
            }
            News::Usable => unusable.set(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_changed_once_it_was_read_twice_and_a_bad_file_is_told_once() {
        let secret = |text: &str| Secret::new(text.to_owned());
        let bad = || Err("a file with a token: it is empty".to_owned());
        let mut readings = Readings::new(secret("one"));
        assert_eq!(readings.next(Ok(secret("one"))), News::None);
        assert_eq!(readings.next(Ok(secret("tw"))), News::None, "half written");
        assert_eq!(readings.next(Ok(secret("two"))), News::None);
        let changed = News::Changed(secret("two"));
        assert_eq!(readings.next(Ok(secret("two"))), changed);
        assert_eq!(readings.next(Ok(secret("two"))), News::None);
        assert_eq!(readings.next(bad()), News::None);
        let told = News::Unusable("a file with a token: it is empty".to_owned());
        assert_eq!(readings.next(bad()), told);
        assert_eq!(readings.next(bad()), News::None);
        assert_eq!(readings.next(Ok(secret("two"))), News::None);
        assert_eq!(readings.next(Ok(secret("two"))), News::Usable);
    }
}
