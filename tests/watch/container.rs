//! The service as it is in its container, without one: the image's user and scripts, no rights, and a file system of which only
//! the volume can be written.

use std::collections::BTreeMap;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::chown;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::Running;
use super::scraper::free_address;
use super::services;
use super::text_of;
use super::wait;

/// The user of the image.
const USER: u32 = 10001;
const VOLUME: &str = "/var/lib/segstream";
const SCRIPTS: &str = "/usr/local/bin/";
/// Makes all but the volume read-only for what follows, which keeps no right of root. What is mounted below / stays as it
/// is, apart from the places where anybody can write.
const CONFINE: &str = r#"
set -eu
if [ -n "$VOLUME" ]; then mount --bind "$VOLUME" "$VOLUME"; fi
for place in /tmp /var/tmp /dev/shm; do
  mount --rbind "$place" "$place"
  mount -o remount,bind,ro "$place"
done
mount -o remount,bind,ro /
exec setpriv --reuid="$USER_ID" --regid="$USER_ID" --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all -- "$@"
"#;

/// Why a process cannot be confined here; `None` also where it must be.
pub(super) fn lacks_confinement() -> Option<String> {
    if super::is_required("SEGSTREAM_REQUIRE_WATCH") {
        return None;
    }
    let is_possible = Command::new("unshare")
        .args([
            "--mount",
            "setpriv",
            "--reuid=10001",
            "--clear-groups",
            "true",
        ])
        .output()
        .is_ok_and(|output| output.status.success());
    (!is_possible).then(|| "unshare and setpriv need the rights of root".to_owned())
}

/// The program and the scripts of the Dockerfile, and an empty volume of the image's user.
struct Image {
    folder: TempDir,
}

impl Image {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let image = Self { folder };
        let open = |path: &Path| {
            std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
        };
        open(image.folder.path());
        std::fs::create_dir(image.scripts()).unwrap();
        open(&image.scripts());
        let program = image.scripts().join("segstream");
        std::fs::copy(env!("CARGO_BIN_EXE_segstream"), &program).unwrap();
        open(&program);
        let text = text_of("Dockerfile");
        let (_, scripts) = text.split_once("\nRUN printf ").unwrap();
        let (scripts, _) = scripts.split_once("\nCOPY ").unwrap();
        let here = format!("{}/", image.scripts().display());
        let scripts = format!("printf {}", scripts.replace(SCRIPTS, &here));
        let made = Command::new("sh")
            .args(["-euc", &scripts])
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        std::fs::create_dir(image.volume()).unwrap();
        chown(image.volume(), Some(USER), Some(USER)).unwrap();
        std::fs::set_permissions(image.volume(), PermissionsExt::from_mode(0o700)).unwrap();
        image
    }

    fn scripts(&self) -> PathBuf {
        self.folder.path().join("bin")
    }

    fn volume(&self) -> PathBuf {
        self.folder.path().join("volume")
    }

    /// What the compose file sets for the service without a broker, in this volume and at this address.
    fn settings(&self, address: SocketAddr) -> BTreeMap<String, String> {
        let text = text_of("docker-compose.yml");
        let volume = self.volume().display().to_string();
        let lines = services(&text)["standalone"].clone().into_iter();
        let pairs = lines
            .filter(|line| line.starts_with("SEGSTREAM_"))
            .map(|line| {
                let (name, value) = line.split_once(": ").unwrap();
                let value = value.trim_matches('"').replace(VOLUME, &volume);
                (name.to_owned(), value)
            });
        let mut settings: BTreeMap<String, String> = pairs.collect();
        settings.insert("SEGSTREAM_HTTP__ADDRESS".to_owned(), address.to_string());
        settings
    }

    /// Starts `run` as the container does; `has_volume`: the volume is mounted.
    fn start(&self, address: SocketAddr, has_volume: bool) -> Running {
        let volume = if has_volume {
            self.volume()
        } else {
            PathBuf::new()
        };
        let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", self.scripts().display());
        let mut command = Command::new("unshare");
        command
            .args([
                "--mount",
                "--propagation",
                "private",
                "sh",
                "-c",
                CONFINE,
                "sh",
            ])
            .args(["segstream-entrypoint", "run"])
            .env_clear()
            .env("PATH", path)
            .env("VOLUME", volume)
            .env("USER_ID", USER.to_string())
            .envs(self.settings(address))
            .current_dir("/");
        Running::start(&mut command)
    }

    /// Waits until the health check of the image says that the service is ready.
    fn wait_ready(&self, address: SocketAddr, running: &Running) {
        wait(|| {
            let check = Command::new(self.scripts().join("segstream-ready"))
                .env("SEGSTREAM_HTTP__ADDRESS", address.to_string())
                .output()
                .unwrap();
            let said = || format!("it is not ready:\n{}", running.said.so_far());
            check.status.success().then_some(()).ok_or_else(said)
        });
    }

    fn token(&self) -> String {
        std::fs::read_to_string(self.volume().join("token")).unwrap()
    }
}

/// The status of an answer and all of it.
fn ask(address: SocketAddr, token: &str, request: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "{request} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer)
}

/// Everything below a folder.
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path.clone());
            }
            found.push(path);
        }
    }
    found
}

fn stop(running: Running) {
    let id = running.child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .unwrap()
            .success()
    );
    running.end("the service");
}

pub(super) fn confined_service() {
    let image = Image::new();
    let address = free_address();

    let running = image.start(address, true);
    image.wait_ready(address, &running);
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.child.id())).unwrap();
    for line in [
        "Uid:\t10001\t10001\t10001\t10001",
        "CapEff:\t0000000000000000",
        "CapBnd:\t0000000000000000",
        "NoNewPrivs:\t1",
    ] {
        assert!(status.lines().any(|is| is == line), "{line}: {status}");
    }
    // 32 random bytes.
    let token = image.token();
    assert!(
        token.len() == 64 && token.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{token}"
    );
    let mode = std::fs::metadata(image.volume().join("token"))
        .unwrap()
        .mode();
    assert_eq!(mode & 0o777, 0o600, "nobody else reads the token");
    let event = r#"{"type":"order.completed","occurred_at":"2026-01-02T10:00:00Z","customer_id":"c-1","order_id":"o-1","currency":"USD","revenue":"12.50"}"#;
    let (status, answer) = ask(address, &token, "POST /v1/events", event);
    assert_eq!(status, 202, "{answer}");
    let customer = "GET /v1/customers/c-1";
    wait(|| match ask(address, &token, customer, "") {
        (200, answer) if answer.contains("\"12.50\"") => Ok(()),
        (_, answer) => Err(answer),
    });
    stop(running);

    // Another container with the same volume: the same token, and the customer is there at once.
    let running = image.start(address, true);
    image.wait_ready(address, &running);
    assert_eq!(image.token(), token, "a token is made once");
    let (status, answer) = ask(address, &token, customer, "");
    assert!(status == 200 && answer.contains("\"12.50\""), "{answer}");
    stop(running);

    let paths = below(&image.volume());
    assert!(
        paths.iter().any(|path| path.ends_with("log/segments")),
        "the log is in the volume"
    );
    for path in paths {
        assert_eq!(
            std::fs::metadata(&path).unwrap().uid(),
            USER,
            "{}",
            path.display()
        );
    }
}

/// Without its volume the service says what cannot be written, and ends: nothing else is a place for its data.
pub(super) fn service_without_volume() {
    let image = Image::new();
    let mut running = image.start(free_address(), false);
    let status = wait(|| {
        let ended = running.child.try_wait().unwrap();
        ended.ok_or_else(|| format!("it still runs:\n{}", running.said.so_far()))
    });
    let said = running.said.whole();
    assert!(!status.success(), "{said}");
    assert!(said.contains("Read-only file system"), "{said}");
    assert_eq!(below(&image.volume()), Vec::<PathBuf>::new());
}
