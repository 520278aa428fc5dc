//! A disk that can be made full.

use std::path::Path;
use std::process::Command;
use std::process::Output;

use tempfile::TempDir;

use crate::disk::count;
use crate::disk::seed;
use crate::disk::segstream;
use crate::support::Chance;

pub(super) const PAGE_BYTES: u64 = 4096;
/// What is left of the disk. A new log and its stores in fjall take about 40 pages.
const PAGES: [u64; 20] = [
    0, 1, 2, 3, 5, 8, 12, 16, 20, 24, 28, 33, 40, 50, 65, 80, 100, 130, 180, 256,
];

/// A tmpfs, which is unmounted when it is dropped.
pub(super) struct SmallDisk {
    mounted: TempDir,
    /// Where the program may write what is no log and no store.
    pub(super) elsewhere: TempDir,
}

impl SmallDisk {
    /// `None` where this user may not mount one.
    pub(super) fn new() -> Option<Self> {
        let point = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=256m,mode=700", "tmpfs"])
            .arg(point.path())
            .output();
        if mounted.as_ref().is_ok_and(|output| output.status.success()) {
            let disk = Self {
                mounted: point,
                elsewhere: tempfile::tempdir().unwrap(),
            };
            // A size of 0 would be no limit.
            std::fs::write(disk.root().join("ballast"), [0; 4096]).unwrap();
            return Some(disk);
        }
        let is_required = std::env::var("SEGSTREAM_REQUIRE_DISK").is_ok_and(|value| value == "1");
        assert!(!is_required, "no tmpfs can be mounted: {mounted:?}");
        eprintln!("skipped: no tmpfs can be mounted ({mounted:?})");
        None
    }

    pub(super) fn root(&self) -> &Path {
        self.mounted.path()
    }

    /// From now on so many files can be made besides those on it, however small they are.
    pub(super) fn leave_files(&self, files: u64) {
        let found = rustix::fs::statvfs(self.root()).unwrap();
        let used = found.f_files - found.f_ffree;
        self.remount(&format!("nr_inodes={}", used + files));
    }

    fn remount(&self, option: &str) {
        let status = Command::new("mount")
            .args(["-o", &format!("remount,{option}")])
            .arg(self.root())
            .status();
        assert!(status.unwrap().success());
    }

    /// Nothing on it can be changed from now on.
    pub(super) fn make_read_only(&self) {
        self.remount("ro");
    }

    /// From now on the disk has room for so many bytes besides what is on it.
    pub(super) fn leave(&self, bytes: u64) {
        let found = rustix::fs::statvfs(self.root()).unwrap();
        let used = (found.f_blocks - found.f_bfree) * found.f_frsize;
        self.remount(&format!("size={}", used + bytes));
    }

    pub(super) fn segstream(&self, arguments: &[&str], settings: &[&str]) -> Command {
        let mut command = segstream(self.elsewhere.path(), arguments);
        let store = self.root().join("store");
        command
            .args(["--set", &format!("store.directory={}", store.display())])
            .args(settings)
            .env("TMPDIR", self.elsewhere.path());
        command
    }

    pub(super) fn output(&self, arguments: &[&str], settings: &[&str]) -> Output {
        self.segstream(arguments, settings).output().unwrap()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // At once, whatever still uses it.
        let unmounted = Command::new("umount").arg("-l").arg(self.root()).status();
        if !unmounted.is_ok_and(|status| status.success()) {
            eprintln!("{} is still mounted", self.root().display());
        }
    }
}

/// Pages that are left of the disk.
pub(super) fn sizes() -> Vec<u64> {
    let mut chance = Chance(seed("disk::full"));
    let mut sizes = PAGES.to_vec();
    while sizes.len() as u64 > count(PAGES.len() as u64) {
        sizes.remove(chance.below(sizes.len() as u64) as usize);
    }
    sizes
}
