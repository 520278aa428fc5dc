//! What a process used, by the kernel's figures.

use std::process::Child;
use std::time::Duration;
use std::time::Instant;

use crate::kafka;

const LOOK: Duration = Duration::from_millis(50);
/// Linux counts CPU time for user space in hundredths of a second.
const TICKS_PER_SECOND: f64 = 100.0;

/// Of a process, or of a part of its life.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    pub cpu_seconds: f64,
    pub rss_bytes_max: u64,
    /// Written to the disk.
    pub disk_bytes: u64,
    /// CPU time of the broker meanwhile; `None` where it is not a process of this benchmark.
    pub broker_cpu_seconds: Option<f64>,
}

impl Usage {
    /// Of a process from its start to its end.
    pub fn until_end(child: &mut Child) -> Self {
        let before = children();
        let broker_before = broker_cpu_seconds();
        let mut usage = Self::default();
        let status = loop {
            if let Some(now) = look(child.id()) {
                usage.rss_bytes_max = usage.rss_bytes_max.max(now.rss_bytes_max);
            }
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            std::thread::sleep(LOOK);
        };
        assert!(status.success(), "{status}");
        let after = children();
        usage.cpu_seconds = after.cpu_seconds - before.cpu_seconds;
        usage.disk_bytes = after.disk_bytes - before.disk_bytes;
        usage.broker_cpu_seconds = difference(broker_before);
        usage
    }

    /// Of a process that goes on, for so long. Then `stop` ends it; what it writes at its end is counted.
    pub fn during(child: &mut Child, duration: Duration, stop: impl FnOnce(&mut Child)) -> Self {
        let (before, ended_before) = (look(child.id()).unwrap(), children());
        let broker_before = broker_cpu_seconds();
        let started = Instant::now();
        let mut usage = before;
        while started.elapsed() < duration {
            assert!(child.try_wait().unwrap().is_none(), "it still runs");
            std::thread::sleep(LOOK);
            usage = look(child.id()).unwrap();
        }
        usage.cpu_seconds -= before.cpu_seconds;
        usage.broker_cpu_seconds = difference(broker_before);
        stop(child);
        child.wait().unwrap();
        let whole_life = children().disk_bytes - ended_before.disk_bytes;
        usage.disk_bytes = whole_life - before.disk_bytes;
        usage
    }
}

fn broker_cpu_seconds() -> Option<f64> {
    Some(look(kafka::node()?.process_id)?.cpu_seconds)
}

fn difference(before: Option<f64>) -> Option<f64> {
    Some(broker_cpu_seconds()? - before?)
}

fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn look(process_id: u32) -> Option<Usage> {
    let process = process_id.to_string();
    Some(Usage {
        cpu_seconds: cpu_seconds(&read(&process, "stat")?, 11)?,
        rss_bytes_max: field(&read(&process, "status")?, "VmHWM:")? * 1024,
        disk_bytes: disk_bytes(&process),
        ..Usage::default()
    })
}

/// Of all children that have ended. The kernel adds what they wrote to what this process has written.
fn children() -> Usage {
    Usage {
        cpu_seconds: cpu_seconds(&read("self", "stat").unwrap(), 13).unwrap(),
        disk_bytes: disk_bytes("self"),
        ..Usage::default()
    }
}

fn read(process: &str, name: &str) -> Option<String> {
    std::fs::read_to_string(format!("/proc/{process}/{name}")).ok()
}

fn disk_bytes(process: &str) -> u64 {
    let io = read(process, "io");
    io.and_then(|io| field(&io, "write_bytes:")).unwrap_or(0)
}

/// User and system time: two fields that follow each other, counted after the name in brackets.
fn cpu_seconds(stat: &str, first: usize) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |place: usize| fields.get(place)?.parse::<u64>().ok();
    Some((ticks(first)? + ticks(first + 1)?) as f64 / TICKS_PER_SECOND)
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
