//! A directory that is removed when the demo ends.

use std::path::PathBuf;

use anyhow::Context;

/// A directory that is removed when the demo ends.
pub(super) struct TemporaryDirectory {
    pub(super) path: PathBuf,
    is_ours: bool,
}

impl TemporaryDirectory {
    pub(super) fn unless_given(given: Option<&PathBuf>) -> anyhow::Result<Self> {
        let name = format!("segstream-demo-{}", uuid::Uuid::new_v4());
        let path = std::env::temp_dir().join(name);
        if given.is_none() {
            std::fs::create_dir_all(&path)
                .with_context(|| format!("cannot create {}", path.display()))?;
        }
        Ok(Self {
            path,
            is_ours: given.is_none(),
        })
    }
}

impl Drop for TemporaryDirectory {
    fn drop(&mut self) {
        if self.is_ours && std::fs::remove_dir_all(&self.path).is_err() {
            tracing::warn!(path = %self.path.display(), "cannot remove the demo's directory");
        }
    }
}
