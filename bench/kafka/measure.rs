//! What a process used, by the kernel's figures.

use std::process::Child;
use std::time::Duration;
use std::time::Instant;

const LOOK: Duration = Duration::from_millis(50);
/// Linux counts CPU time for user space in hundredths of a second.
const TICKS_PER_SECOND: f64 = 100.0;

#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    pub cpu_seconds: f64,
    pub rss_bytes_max: u64,
    pub disk_bytes: u64,
}

impl Usage {
    /// Of a process from its start to its end.
    pub fn until_end(child: &mut Child) -> Self {
        let before = children_cpu_seconds();
        let mut usage = Self::default();
        loop {
            if let Some(now) = look(child.id()) {
                usage.rss_bytes_max = usage.rss_bytes_max.max(now.rss_bytes_max);
                usage.disk_bytes = usage.disk_bytes.max(now.disk_bytes);
            }
            if let Some(status) = child.try_wait().unwrap() {
                assert!(status.success(), "{status}");
                break;
            }
            std::thread::sleep(LOOK);
        }
        usage.cpu_seconds = children_cpu_seconds() - before;
        usage
    }

    /// Of a process that goes on, for so long.
    pub fn during(child: &mut Child, duration: Duration) -> Self {
        let before = look(child.id()).unwrap();
        let started = Instant::now();
        let mut usage = before;
        while started.elapsed() < duration {
            assert!(child.try_wait().unwrap().is_none(), "it still runs");
            std::thread::sleep(LOOK);
            usage = look(child.id()).unwrap();
        }
        usage.cpu_seconds -= before.cpu_seconds;
        usage.disk_bytes -= before.disk_bytes;
        usage
    }
}

fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn look(process_id: u32) -> Option<Usage> {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{process_id}/{name}")).ok();
    Some(Usage {
        cpu_seconds: cpu_seconds(&read("stat")?, 11)?,
        rss_bytes_max: field(&read("status")?, "VmHWM:")? * 1024,
        disk_bytes: read("io")
            .and_then(|io| field(&io, "write_bytes:"))
            .unwrap_or(0),
    })
}

/// User and system time: two fields that follow each other, counted after the name in brackets.
fn cpu_seconds(stat: &str, first: usize) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |place: usize| fields.get(place)?.parse::<u64>().ok();
    Some((ticks(first)? + ticks(first + 1)?) as f64 / TICKS_PER_SECOND)
}

/// Of all children that have ended.
fn children_cpu_seconds() -> f64 {
    cpu_seconds(&std::fs::read_to_string("/proc/self/stat").unwrap(), 13).unwrap()
}

pub fn print_surroundings() {
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processor
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown", |rest| rest.trim_start_matches([' ', '\t', ':']));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory_gb = field(&memory, "MemTotal:").unwrap_or(0) / 1_000_000;
    println!(
        "machine: {model}, {cores} cores shared with the broker and the load, {memory_gb} GB; \
         librdkafka {}",
        rdkafka::util::get_rdkafka_version().1
    );
}
