//! Bytes that all requests together may hold.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use axum::body::Bytes;

use crate::http::meter::Holding;
use crate::http::meter::Meter;

/// A number of bytes, of which requests hold parts.
#[derive(Clone, Debug)]
pub(super) struct Budget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    max: usize,
    used: AtomicUsize,
    holding: Holding,
    meter: Arc<dyn Meter>,
}

impl Budget {
    pub(super) fn new(max: usize, holding: Holding, meter: Arc<dyn Meter>) -> Self {
        Self(Arc::new(Inner {
            max,
            used: AtomicUsize::new(0),
            holding,
            meter,
        }))
    }

    /// Holds nothing yet.
    pub(super) fn empty(&self) -> Held {
        Held {
            budget: self.clone(),
            bytes: 0,
        }
    }
}

/// Bytes of a budget; they are given back when this is dropped.
#[derive(Debug)]
pub(super) struct Held {
    budget: Budget,
    bytes: usize,
}

impl Held {
    /// Takes further bytes; `false`, and nothing is taken, where there are not as many.
    #[must_use]
    pub(super) fn grow(&mut self, bytes: usize) -> bool {
        let Inner { max, used, .. } = self.budget.0.as_ref();
        let grown = used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(bytes).filter(|used| used <= max)
        });
        if grown.is_err() {
            return false;
        }
        self.bytes += bytes;
        self.change(bytes, 1);
        true
    }

    fn change(&self, bytes: usize, sign: i64) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let Inner { holding, meter, .. } = self.budget.0.as_ref();
        meter.bytes_changed(*holding, sign * bytes);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.0.used.fetch_sub(self.bytes, Ordering::Relaxed);
        self.change(self.bytes, -1);
    }
}

/// Bytes that stay counted until the last reader of them is gone.
pub(super) fn counted(bytes: Bytes, held: Held) -> Bytes {
    struct Counted {
        bytes: Bytes,
        _held: Held,
    }
    impl AsRef<[u8]> for Counted {
        fn as_ref(&self) -> &[u8] {
            &self.bytes
        }
    }
    Bytes::from_owner(Counted { bytes, _held: held })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::meter::Uncounted;

    #[test]
    fn a_budget_is_never_exceeded_and_all_of_it_comes_back() {
        let budget = Budget::new(10, Holding::Bodies, Arc::new(Uncounted));
        let (mut one, mut other) = (budget.empty(), budget.empty());
        assert!(one.grow(6) && other.grow(4));
        assert!(!other.grow(1) && !one.grow(usize::MAX));
        drop(one);
        assert!(other.grow(6) && !other.grow(1));
        let bytes = counted(Bytes::from_static(b"answer"), other);
        let part = bytes.slice(1..2);
        drop(bytes);
        assert!(!budget.empty().grow(1), "a part is still read");
        drop(part);
        assert!(budget.empty().grow(10));
    }
}
