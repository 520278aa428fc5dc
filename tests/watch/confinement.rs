//! What the compose file must say of every service, and the versions of images.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use super::repository;
use super::succeeds;
use super::text_of;

/// A service of the merged compose file: the values of each key, a list item or nested line each.
type Service = BTreeMap<String, Vec<String>>;

const NEEDED: [(&str, &str); 3] = [
    ("read_only", "true"),
    ("cap_drop", "ALL"),
    ("security_opt", "no-new-privileges:true"),
];
const LIMITS: [&str; 2] = ["mem_limit", "pids_limit"];
/// Keys that give a container more of its host.
const FORBIDDEN: [&str; 9] = [
    "cap_add",
    "cgroup_parent",
    "device_cgroup_rules",
    "devices",
    "ipc",
    "network_mode",
    "pid",
    "privileged",
    "userns_mode",
];
const VOLUME: &str = "/var/lib/segstream";

/// What docker-compose makes of a compose file, all profiles included.
fn merged(file: &Path) -> BTreeMap<String, Service> {
    let text = std::fs::read_to_string(file).unwrap();
    let mut command = Command::new("docker-compose");
    let profiles = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("profiles: ["));
    for profile in profiles.flat_map(|line| line.trim_end_matches(']').split(',')) {
        command.args(["--profile", profile.trim()]);
    }
    command.arg("-f").arg(file).arg("config");
    parsed(&succeeds(command.current_dir(repository())).printed)
}

fn deployment() -> BTreeMap<String, Service> {
    merged(&repository().join("docker-compose.yml"))
}

/// The services of a file as docker-compose prints it, where each key has a line of its own.
fn parsed(text: &str) -> BTreeMap<String, Service> {
    let mut services: BTreeMap<String, Service> = BTreeMap::new();
    let (mut service, mut key) = (None, None);
    for line in text.lines().skip_while(|line| *line != "services:").skip(1) {
        let content = line.trim_start();
        match line.len() - content.len() {
            0 => break,
            2 => {
                service = content.strip_suffix(':').map(str::to_owned);
                key = None;
            }
            4 if !content.starts_with("- ") => {
                let (name, value) = content.split_once(':').unwrap();
                let service = services.entry(service.clone().unwrap()).or_default();
                let value = value.trim().trim_matches(['\'', '"']).to_owned();
                service.insert(
                    name.to_owned(),
                    if value.is_empty() {
                        Vec::new()
                    } else {
                        vec![value]
                    },
                );
                key = Some(name.to_owned());
            }
            _ => {
                let (service, key) = (service.as_ref().unwrap(), key.as_ref().unwrap());
                let values = services.get_mut(service).unwrap().get_mut(key).unwrap();
                values.push(content.trim_start_matches("- ").to_owned());
            }
        }
    }
    services
}

/// What a service may do that it must not.
fn findings(name: &str, service: &Service) -> Vec<String> {
    let mut found = Vec::new();
    for (key, value) in NEEDED {
        let values = service.get(key).map_or(&[][..], Vec::as_slice);
        if values != [value] {
            found.push(format!("{name}: {key} is {values:?}, not {value}"));
        }
    }
    for key in LIMITS {
        let value = service.get(key).and_then(|values| values.first());
        if value.is_none_or(|value| value == "-1" || value == "0") {
            found.push(format!("{name}: {key} is {value:?}"));
        }
    }
    for key in FORBIDDEN {
        if service.contains_key(key) {
            found.push(format!("{name}: has {key}"));
        }
    }
    let values = |key: &str| service.get(key).into_iter().flatten();
    // A port without an address is printed as two lines.
    for port in values("ports").filter(|line| !line.starts_with("target: ")) {
        if !port.starts_with("127.0.0.1:") {
            found.push(format!("{name}: the port {port} is not of loopback alone"));
        }
    }
    for volume in values("volumes").filter(|volume| volume.starts_with('/')) {
        // One path alone is a volume without a name.
        let is_of_host = volume.contains(':');
        if is_of_host && (!volume.ends_with(":ro") || volume.contains(".sock")) {
            found.push(format!("{name}: can write {volume}"));
        }
    }
    found
}

pub(super) fn every_service() {
    let services = deployment();
    let found: Vec<String> = services
        .iter()
        .flat_map(|(name, service)| findings(name, service))
        .collect();
    assert_eq!(found, Vec::<String>::new());
    let text = text_of("docker-compose.yml");
    let written: Vec<&str> = super::services(&text).into_keys().collect();
    let read: Vec<&str> = services.keys().map(String::as_str).collect();
    assert_eq!(read, written, "every service was looked at");
}

/// A change of one service, and what is found of it then.
type Loosened = (&'static str, fn(&mut Service), &'static str);

pub(super) fn loosened_services() {
    let changes: [Loosened; 13] = [
        (
            "it can change its image",
            |one| drop(one.remove("read_only")),
            "read_only is",
        ),
        (
            "it can change its image, and says so",
            |one| one.get_mut("read_only").unwrap()[0] = "false".to_owned(),
            "read_only is",
        ),
        (
            "it keeps rights of root",
            |one| drop(one.remove("cap_drop")),
            "cap_drop is",
        ),
        (
            "it keeps all rights but one",
            |one| one.get_mut("cap_drop").unwrap()[0] = "NET_RAW".to_owned(),
            "cap_drop is",
        ),
        (
            "it can gain rights",
            |one| drop(one.remove("security_opt")),
            "security_opt is",
        ),
        (
            "it can call everything of the kernel",
            |one| {
                one.get_mut("security_opt")
                    .unwrap()
                    .push("seccomp:unconfined".to_owned())
            },
            "security_opt is",
        ),
        (
            "it can take all memory",
            |one| drop(one.remove("mem_limit")),
            "mem_limit is",
        ),
        (
            "it can take all processes",
            |one| drop(one.remove("pids_limit")),
            "pids_limit is",
        ),
        (
            "it has no limit of processes",
            |one| one.get_mut("pids_limit").unwrap()[0] = "-1".to_owned(),
            "pids_limit is",
        ),
        (
            "it is the host",
            |one| drop(one.insert("privileged".to_owned(), vec!["true".to_owned()])),
            "has privileged",
        ),
        (
            "it is in the host's network",
            |one| drop(one.insert("network_mode".to_owned(), vec!["host".to_owned()])),
            "has network_mode",
        ),
        (
            "others can reach it",
            |one| {
                one.entry("ports".to_owned())
                    .or_default()
                    .push("9999:9999/tcp".to_owned())
            },
            "the port 9999:9999/tcp",
        ),
        (
            "it can start containers",
            |one| {
                let socket = "/var/run/docker.sock:/var/run/docker.sock:ro".to_owned();
                one.entry("volumes".to_owned()).or_default().push(socket);
            },
            "can write /var/run/docker.sock",
        ),
    ];
    let services = deployment();
    for (name, service) in &services {
        for (meaning, change, expected) in &changes {
            let mut loosened = service.clone();
            change(&mut loosened);
            let found = findings(name, &loosened);
            let is_named = matches!(found.as_slice(), [one] if one.contains(expected));
            assert!(is_named, "{name}, {meaning}: {found:?}");
        }
    }
}

/// A service that somebody adds without a thought.
pub(super) fn added_service() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("docker-compose.yml");
    let added = "\n  added:\n    image: busybox:1.37.0\n    ports: [\"8090:80\"]\n    volumes: [\"/etc:/etc\"]\n\nvolumes:\n";
    let (services, volumes) = text_of("docker-compose.yml")
        .split_once("\nvolumes:\n")
        .map(|(services, volumes)| (services.to_owned(), volumes.to_owned()))
        .unwrap();
    std::fs::write(&file, services + added + &volumes).unwrap();
    let found = findings("added", &merged(&file)["added"]);
    for expected in [
        "read_only",
        "cap_drop",
        "security_opt",
        "mem_limit",
        "pids_limit",
        "the port published: 8090",
        "write /etc",
    ] {
        let is_found = found.iter().any(|one| one.contains(expected));
        assert!(is_found, "{expected} in {found:?}");
    }
    assert_eq!(found.len(), 7, "{found:?}");
}

/// What is not exact in the name of an image.
fn inexact(reference: &str) -> Option<String> {
    let (name, digest) = match reference.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (reference, None),
    };
    let is_hash = |digest: &str| {
        let hash = digest.strip_prefix("sha256:").unwrap_or_default();
        hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    if digest.is_some_and(|digest| !is_hash(digest)) {
        return Some(format!("{reference}: the digest is none"));
    }
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // A colon before a slash is that of a port.
    let tag = name
        .rsplit('/')
        .next()
        .unwrap()
        .split_once(':')
        .map_or("", |(_, tag)| tag);
    let is_exact = tag.split('-').any(|part| {
        let numbers: Vec<&str> = part.trim_start_matches('v').split('.').collect();
        let is_version = numbers.len() == 3 && numbers.iter().all(|number| is_number(number));
        is_version || part.len() == 8 && is_number(part)
    });
    (!is_exact).then(|| format!("{reference}: the tag {tag:?} is no exact version"))
}

/// The images that the compose file and the Dockerfile name.
fn images() -> Vec<String> {
    let mut images = Vec::new();
    for (file, keyword) in [("docker-compose.yml", "image: "), ("Dockerfile", "FROM ")] {
        let text = text_of(file);
        let named = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix(keyword));
        images.extend(named.map(|rest| rest.split(' ').next().unwrap().to_owned()));
    }
    images
}

pub(super) fn exact_images() {
    let digest = "@sha256:ed9b18bc3ba2c6fcce4f335feff0abbc2957fab9108dfdac7bb19f93648316a6";
    for exact in [
        "apache/kafka:4.3.1",
        "prom/prometheus:v3.5.0",
        "rust:1.90.0-bookworm",
        "debian:bookworm-20260824-slim",
    ] {
        assert_eq!(inexact(exact), None);
        assert_eq!(inexact(&format!("{exact}{digest}")), None);
        assert!(
            inexact(&format!("{exact}@sha256:ed9b")).is_some(),
            "a digest of 4 digits"
        );
    }
    for moved in [
        "segstream",
        "rust:1.90-bookworm",
        "debian:bookworm-slim",
        "debian:12.15-slim",
        "a/b:latest",
        "localhost:5000/b",
        "a/b:v3",
    ] {
        assert!(inexact(moved).is_some(), "{moved}");
    }
    let images = images();
    let found: Vec<String> = images.iter().filter_map(|image| inexact(image)).collect();
    assert_eq!(found, Vec::<String>::new());

    // The program is built by the version that its manifest asks for, and for the C library that it runs on.
    let of = |name: &str| {
        images
            .iter()
            .find_map(|image| image.strip_prefix(name))
            .unwrap()
    };
    let (rust, debian) = (of("rust:"), of("debian:"));
    assert!(rust.starts_with(env!("CARGO_PKG_RUST_VERSION")), "{rust}");
    let codename = debian.split('-').next().unwrap();
    assert!(
        rust.contains(codename),
        "{rust} is built on another Debian than {debian}"
    );

    // The image of the program has the program's version, also where a page names it.
    let own = concat!("segstream:", env!("CARGO_PKG_VERSION"));
    assert!(
        images.iter().any(|image| image == own),
        "{own} in {images:?}"
    );
    for page in ["README.md", "docs/RUNBOOK.md"] {
        let text = text_of(page);
        for (at, _) in text
            .match_indices("segstream:")
            .filter(|(at, _)| text[at + 10..].starts_with(char::is_numeric))
        {
            assert!(
                text[at..].starts_with(own),
                "{page} names another version than {own}"
            );
        }
    }
}

pub(super) fn embedded_log() {
    let services = deployment();
    let service = &services["standalone"];
    let volumes = &service["volumes"];
    let mount = format!("segstream:{VOLUME}");
    assert!(
        volumes[0].starts_with(&mount) && volumes.len() == 1,
        "{volumes:?}"
    );
    let text = text_of("docker-compose.yml");
    let (_, named) = text.rsplit_once("\nvolumes:\n").unwrap();
    assert!(
        named.lines().any(|line| line == "  segstream:"),
        "a volume of its own name: {named}"
    );
    for setting in [
        "SEGSTREAM_EMBEDDED__DIRECTORY",
        "SEGSTREAM_STORE__DIRECTORY",
        "SEGSTREAM_HTTP__TOKEN_FILE",
    ] {
        let start = format!("{setting}: {VOLUME}/");
        let is_within = service["environment"]
            .iter()
            .any(|line| line.starts_with(&start));
        assert!(
            is_within,
            "{setting} is in the volume: {:?}",
            service["environment"]
        );
    }
    // The user of the image owns the mount point, and a new volume takes its owner from there.
    let dockerfile = text_of("Dockerfile");
    let owned = format!("--owner=10001 --group=10001 --mode=0700 {VOLUME}");
    assert!(dockerfile.contains(&owned) && dockerfile.contains("\nUSER 10001:10001\n"));
}

/// Every file that the sources take in by its path is in what the image is built from.
pub(super) fn build_context() {
    let rules = text_of(".dockerignore");
    let kept: Vec<&str> = rules
        .lines()
        .filter_map(|line| line.strip_prefix('!'))
        .collect();
    assert!(
        rules.lines().any(|line| line == "*"),
        "nothing else is kept"
    );
    let mut folders = vec![repository().join("src")];
    let mut taken = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            for start in ["include_str!(\"", "include_bytes!(\""] {
                let files = text
                    .split(start)
                    .skip(1)
                    .map(|rest| rest.split('"').next().unwrap());
                taken.extend(files.map(|file| folder.join(file).canonicalize().unwrap()));
            }
        }
    }
    assert!(
        taken.len() >= 3,
        "the defaults, the model and the notices: {taken:?}"
    );
    let copied = ["LICENSE", "THIRD_PARTY_NOTICES.txt"].map(|file| repository().join(file));
    for file in taken.iter().chain(&copied) {
        let is_kept = kept
            .iter()
            .any(|rule| file.starts_with(repository().join(rule)));
        assert!(is_kept, "{} is missing in .dockerignore", file.display());
    }
    let dockerfile = text_of("Dockerfile");
    assert!(
        dockerfile.contains("\nCOPY LICENSE THIRD_PARTY_NOTICES.txt /usr/share/doc/segstream/\n")
    );
}
