//! What other processes took of the machine meanwhile.

use std::time::Instant;

/// Linux counts CPU time for user space in hundredths of a second.
const TICKS_PER_SECOND: f64 = 100.0;

pub struct Others {
    child: u32,
    started: Instant,
    before: Option<f64>,
}

impl Others {
    /// Others than this process and its child.
    pub fn watch(child: u32) -> Self {
        Self {
            child,
            started: Instant::now(),
            before: ticks_of_others(child),
        }
    }

    /// Cores they kept busy since then; `None` where the kernel has no figure.
    pub fn cores(&self) -> Option<f64> {
        let ticks = ticks_of_others(self.child)? - self.before?;
        Some(ticks / TICKS_PER_SECOND / self.started.elapsed().as_secs_f64())
    }
}

fn ticks_of_others(child: u32) -> Option<f64> {
    let own = process_ticks("self")? + process_ticks(&child.to_string())?;
    Some(machine_ticks()? - own)
}

/// User, nice, system, two kinds of interrupts and what the host took; not the two idle ones.
fn machine_ticks() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    let fields: Vec<f64> = stat
        .lines()
        .next()?
        .split_whitespace()
        .filter_map(|field| field.parse().ok())
        .collect();
    [0, 1, 2, 5, 6, 7]
        .iter()
        .map(|place| fields.get(*place))
        .sum()
}

/// User and system time: two fields that follow each other, counted after the name in brackets.
fn process_ticks(process: &str) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |place: usize| fields.get(place)?.parse::<f64>().ok();
    Some(ticks(11)? + ticks(12)?)
}
