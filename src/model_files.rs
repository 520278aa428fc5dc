//! Model files, and the model shipped in the binary.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use crate::model::artifact::Artifact;
use crate::model::segment_model::Misfit;
use crate::model::segment_model::SegmentModel;

/// The shipped model: six segments of the marketing data.
const SHIPPED: &str = include_str!("../models/retail-6.json");
const SHIPPED_NAME: &str = "the shipped model";

/// Why a model cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read or written.
    #[error("cannot access {path}")]
    Io {
        /// Path of the file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The file is not a model.
    #[error("{path} is not a model file")]
    Json {
        /// Path of the file.
        path: PathBuf,
        /// The cause.
        source: serde_json::Error,
    },
    /// Its parts do not fit together.
    #[error("{path} cannot be used")]
    Misfit {
        /// Path of the file.
        path: PathBuf,
        /// The problems.
        source: Misfit,
    },
}

/// The shipped model.
///
/// # Errors
/// If the binary was built with a damaged artifact.
pub fn shipped_model() -> Result<SegmentModel, Error> {
    let name = Path::new(SHIPPED_NAME);
    check(name, &parse(name, SHIPPED)?)
}

/// The shipped model as it is in its file.
///
/// # Errors
/// If the binary was built with a damaged artifact.
pub fn shipped_artifact() -> Result<Artifact, Error> {
    parse(Path::new(SHIPPED_NAME), SHIPPED)
}

/// Reads a model and checks it; returns the artifact as it is in the file.
///
/// # Errors
/// If it cannot be read or does not fit.
pub fn load_artifact(path: &Path) -> Result<Artifact, Error> {
    let artifact = read(path)?;
    check(path, &artifact)?;
    Ok(artifact)
}

/// Reads and checks a model.
///
/// # Errors
/// If it cannot be read or does not fit.
pub fn load(path: &Path) -> Result<SegmentModel, Error> {
    check(path, &read(path)?)
}

fn read(path: &Path) -> Result<Artifact, Error> {
    let text = fs::read_to_string(path).map_err(|source| Error::Io {
        path: path.to_owned(),
        source,
    })?;
    parse(path, &text)
}

fn parse(path: &Path, text: &str) -> Result<Artifact, Error> {
    serde_json::from_str(text).map_err(|source| Error::Json {
        path: path.to_owned(),
        source,
    })
}

/// Checks an artifact that will be written to `path`.
///
/// # Errors
/// If it does not fit.
pub fn check(path: &Path, artifact: &Artifact) -> Result<SegmentModel, Error> {
    SegmentModel::from_artifact(artifact).map_err(|source| Error::Misfit {
        path: path.to_owned(),
        source,
    })
}

/// An artifact as indented JSON; `path` names it in an error.
///
/// # Errors
/// If it has a number that JSON cannot have.
pub fn to_text(path: &Path, artifact: &Artifact) -> Result<String, Error> {
    let mut text = serde_json::to_string_pretty(artifact).map_err(|source| Error::Json {
        path: path.to_owned(),
        source,
    })?;
    text.push('\n');
    Ok(text)
}
