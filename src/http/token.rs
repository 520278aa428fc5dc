//! The bearer token.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use subtle::ConstantTimeEq;

/// The bearer token. It may be replaced while requests are compared with it; none of them waits.
pub struct Token(ArcSwap<String>);

impl Token {
    /// A token that is not empty.
    #[must_use]
    pub fn new(token: &str) -> Self {
        Self(ArcSwap::from_pointee(token.to_owned()))
    }

    /// From the next request on, another token is the right one.
    pub fn replace(&self, token: &str) {
        self.0.store(Arc::new(token.to_owned()));
    }

    /// Compares in a time that does not depend on where the texts differ.
    pub(super) fn is(&self, given: &str) -> bool {
        given.as_bytes().ct_eq(self.0.load().as_bytes()).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(secret)")
    }
}
