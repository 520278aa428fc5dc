//! `config/pin-images`, with a stand-in for docker: it knows a digest for each tag, or none.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::process::Output;

use tempfile::TempDir;

use super::repository;
use super::text_of;

const FILES: [&str; 2] = ["docker-compose.yml", "Dockerfile"];
/// Images of others in both files.
const IMAGES: [&str; 5] = [
    "apache/kafka",
    "prom/prometheus",
    "grafana/grafana",
    "rust",
    "debian",
];
/// `pull` succeeds unless the image is the one of REFUSED; `image inspect` prints the digest whose digits are DIGIT, after one
/// of another registry.
const DOCKER: &str = r#"#!/bin/sh
case "$1" in
  pull) [ "$3" != "${REFUSED-}" ] ;;
  image)
    name=${5%:*}
    printf 'mirror.example/%s@sha256:%064d\n' "$name" 0
    printf '%s@sha256:%s\n' "$name" "$(printf '%064d' 0 | tr 0 "$DIGIT")"
    ;;
esac
"#;

/// A copy of what the script works on.
struct Copy(TempDir);

impl Copy {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for file in FILES.iter().chain(&["config/pin-images"]) {
            let target = folder.path().join(file);
            std::fs::create_dir_all(target.parent().unwrap()).unwrap();
            std::fs::copy(repository().join(file), target).unwrap();
        }
        let docker = folder.path().join("bin/docker");
        std::fs::create_dir(docker.parent().unwrap()).unwrap();
        std::fs::write(&docker, DOCKER).unwrap();
        std::fs::set_permissions(&docker, PermissionsExt::from_mode(0o755)).unwrap();
        Self(folder)
    }

    fn run(&self, arguments: &[&str], digit: &str, refused: &str) -> Output {
        let path = std::env::var("PATH").unwrap();
        Command::new(self.0.path().join("config/pin-images"))
            .args(arguments)
            .env(
                "PATH",
                format!("{}:{path}", self.0.path().join("bin").display()),
            )
            .env("DIGIT", digit)
            .env("REFUSED", refused)
            .output()
            .unwrap()
    }

    fn texts(&self) -> [String; 2] {
        let read = |file: &str| std::fs::read_to_string(Path::new(self.0.path()).join(file));
        FILES.map(|file| read(file).unwrap())
    }
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

/// The files with a digest of one digit behind each tag.
fn pinned(digit: &str) -> [String; 2] {
    let digest = format!("@sha256:{}", digit.repeat(64));
    FILES.map(|file| {
        let lines = text_of(file);
        let lines = lines.lines().map(|line| {
            let is_image = line.trim_start().starts_with("image: ") || line.starts_with("FROM ");
            let word = line.split(' ').find(|word| {
                IMAGES
                    .iter()
                    .any(|image| word.starts_with(&format!("{image}:")))
            });
            match word {
                Some(reference) if is_image => {
                    let tag = reference.split('@').next().unwrap();
                    line.replace(reference, &format!("{tag}{digest}"))
                }
                _ => line.to_owned(),
            }
        });
        lines.map(|line| line + "\n").collect()
    })
}

pub(super) fn digests() {
    let copy = Copy::new();
    let before = copy.texts();

    // Missing digests are shown, and nothing is written.
    let shown = copy.run(&["--check"], "a", "");
    assert_eq!(code(&shown), Some(1), "{shown:?}");
    assert_eq!(copy.texts(), before);
    let said = String::from_utf8(shown.stdout).unwrap();
    for image in IMAGES {
        let is_shown = said
            .lines()
            .any(|line| line.starts_with('+') && line.contains(&format!("{image}:")));
        assert!(is_shown, "{image}: {said}");
    }

    // Each image of others gets its digest, and nothing else changes.
    let written = copy.run(&[], "a", "");
    assert_eq!(code(&written), Some(0), "{written:?}");
    assert_eq!(copy.texts(), pinned("a"));
    assert_eq!(
        code(&copy.run(&["--check"], "a", "")),
        Some(0),
        "nothing is missing"
    );

    // A tag that was moved.
    assert_eq!(code(&copy.run(&["--check"], "b", "")), Some(1));
    assert_eq!(code(&copy.run(&[], "b", "")), Some(0));
    assert_eq!(copy.texts(), pinned("b"));

    // One that cannot be had.
    let tag = before[0]
        .lines()
        .find_map(|line| line.trim().strip_prefix("image: prom/"));
    let refused = format!("prom/{}", tag.unwrap().split('@').next().unwrap());
    assert_eq!(code(&copy.run(&[], "c", &refused)), Some(1));
    assert_eq!(copy.texts(), pinned("b"), "all or nothing");

    assert_eq!(code(&copy.run(&["--chek"], "c", "")), Some(2));
    assert_eq!(copy.texts(), pinned("b"));
}
