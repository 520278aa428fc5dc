//! Calls of a client that may not return.
//!
//! librdkafka takes a limit for a call and checks it when the broker's answer comes. In some states no answer comes: the
//! coordinator of the group that leaves the cluster while offsets are sent to a transaction is one that version 2.12.1
//! has. So a thread makes the calls, and the worker gives up a call that does not return. The client cannot be destroyed while a
//! call is in it. The thread keeps it, and destroys it if the call ever returns.

use std::sync::Arc;
use std::sync::mpsc;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::error::KafkaResult;

/// What a call does with the client.
type Act<Client> = Box<dyn FnOnce(&Client) -> KafkaResult<()> + Send>;

/// Makes the calls of one client, one at a time.
pub(super) struct BoundedCalls<Client> {
    client: Arc<Client>,
    acts: Option<Sender<Act<Client>>>,
    results: Receiver<KafkaResult<()>>,
    thread: Option<JoinHandle<()>>,
    is_given_up: bool,
}

impl<Client: Send + Sync + 'static> BoundedCalls<Client> {
    /// # Errors
    /// If the system has no thread left.
    pub(super) fn new(client: Client) -> std::io::Result<Self> {
        let client = Arc::new(client);
        let (acts, to_do) = mpsc::channel::<Act<Client>>();
        let (done, results) = mpsc::channel();
        let of_thread = Arc::clone(&client);
        let calls = std::thread::Builder::new().name("kafka-calls".to_owned());
        let thread = calls.spawn(move || {
            for act in to_do {
                if done.send(act(&of_thread)).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self {
            client,
            acts: Some(acts),
            results,
            thread: Some(thread),
            is_given_up: false,
        })
    }

    /// The client, for what returns at once.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// A call that has `limit` to return; `None` if it does not, and from then on.
    pub(super) fn call(
        &mut self,
        limit: Duration,
        act: impl FnOnce(&Client) -> KafkaResult<()> + Send + 'static,
    ) -> Option<KafkaResult<()>> {
        if self.is_given_up {
            return None;
        }
        let is_sent = self.acts.as_ref()?.send(Box::new(act)).is_ok();
        // The thread ends before its channels only by a panic of the client.
        let result = is_sent.then(|| self.results.recv_timeout(limit).ok());
        let result = result.flatten();
        self.is_given_up = result.is_none();
        result
    }
}

impl<Client> Drop for BoundedCalls<Client> {
    /// Without a call in it, the client is destroyed when this returns.
    fn drop(&mut self) {
        self.acts = None;
        if self.is_given_up {
            return;
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::warn!("the thread of a Kafka client panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::sync::atomic::Ordering;

    use rdkafka::error::KafkaError;
    use rdkafka::types::RDKafkaErrorCode;

    use super::*;

    /// Long enough that a call which should return fails the test.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// Says when it is destroyed.
    struct Client(Arc<AtomicBool>);

    impl Drop for Client {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    fn calls() -> (BoundedCalls<Client>, Arc<AtomicBool>) {
        let is_destroyed = Arc::new(AtomicBool::new(false));
        let client = Client(Arc::clone(&is_destroyed));
        (BoundedCalls::new(client).unwrap(), is_destroyed)
    }

    #[test]
    fn each_call_gives_its_result_and_the_client_ends_with_its_calls() {
        let (mut calls, is_destroyed) = calls();
        let refused = || KafkaError::Flush(RDKafkaErrorCode::QueueFull);
        assert_eq!(calls.call(PATIENCE, |_| Ok(())), Some(Ok(())));
        assert_eq!(
            calls.call(PATIENCE, move |_| Err(refused())),
            Some(Err(refused()))
        );
        assert_eq!(calls.call(PATIENCE, |_| Ok(())), Some(Ok(())));
        assert!(!calls.is_given_up);
        drop(calls);
        assert!(is_destroyed.load(Ordering::SeqCst));
    }

    #[test]
    fn a_call_that_does_not_return_is_given_up_and_keeps_its_client() {
        let (mut calls, is_destroyed) = calls();
        let (let_go, held) = mpsc::channel::<()>();
        let holds = move |_: &Client| {
            held.recv().unwrap();
            Ok(())
        };
        assert_eq!(calls.call(Duration::from_millis(1), holds), None);
        assert!(calls.is_given_up);
        assert_eq!(calls.call(PATIENCE, |_| Ok(())), None, "at once");
        let thread = calls.thread.take().unwrap();
        drop(calls);
        assert!(!is_destroyed.load(Ordering::SeqCst), "a call is in it");
        let_go.send(()).unwrap();
        thread.join().unwrap();
        assert!(is_destroyed.load(Ordering::SeqCst));
    }

    #[test]
    fn after_a_panic_of_the_client_no_call_is_waited_for() {
        let (mut calls, _) = calls();
        assert_eq!(calls.call(PATIENCE, |_| panic!("as asked")), None);
        assert_eq!(calls.call(PATIENCE, |_| Ok(())), None);
        assert!(calls.is_given_up);
    }
}
