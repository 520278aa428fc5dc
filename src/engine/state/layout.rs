//! Where the parts of a record lie: in its head, which every transaction writes, or in sealed chunks, each under a key
//! of its own. So an event writes a head of bounded size, whatever the customer's history.
//!
//! A chunk is written once. New events lie in the head; when they take too much room there, they are sealed into a
//! chunk. When a level has enough chunks, they become one of the next level. What a record is does not depend on where
//! its events lie.

use crate::domain::ledger::Totals;
use crate::domain::profile::SharedProfile;
use crate::domain::purchase::Purchase;
use crate::domain::time::Day;
use crate::engine::state::chunk::Chunk;
use crate::engine::state::chunk::ChunkNumber;

/// The chunks of the last level are merged into one of the same level.
const LEVEL_MAX: u8 = 7;

/// What was bought on one day in events that are forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DaySum {
    /// The day.
    pub day: Day,
    /// What was bought.
    pub totals: Totals,
    /// Where the sum lies, or the events that it is made of.
    pub chunk: ChunkNumber,
}

/// The profile as it is written under its own key.
#[derive(Clone, Debug, Default)]
pub struct WrittenProfile {
    /// How often it was written; 0 for never.
    pub version: u32,
    /// What was written; empty for never.
    pub profile: SharedProfile,
}

/// Where the parts of a record lie.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// Ascending by number.
    pub chunks: Vec<Chunk>,
    /// Ascending by chunk and day.
    pub sums: Vec<DaySum>,
    /// The profile, where it is not empty.
    pub profile: WrittenProfile,
    /// Sums of days before this one are not needed any more.
    pub first_kept: Option<Day>,
    /// The head cannot hold what is there: only a chunk has sums of categories.
    pub needs_chunk: bool,
}

impl Layout {
    /// The event of an order was forgotten. What it adds to its day is still needed.
    pub fn keep_sum(&mut self, chunk: ChunkNumber, purchase: &Purchase) {
        self.needs_chunk |= chunk.is_head();
        self.add_sum(chunk, purchase.day, &purchase.totals());
    }

    /// Adds to the sum of a day.
    pub fn add_sum(&mut self, chunk: ChunkNumber, day: Day, totals: &Totals) {
        if self.first_kept.is_some_and(|first| day < first) {
            return;
        }
        let key = |sum: &DaySum| (sum.chunk, sum.day);
        match self.sums.binary_search_by_key(&(chunk, day), key) {
            Ok(place) => {
                if let Some(sum) = self.sums.get_mut(place) {
                    sum.totals.add_of_same_day(totals);
                }
            }
            Err(place) => {
                let totals = Totals { days: 1, ..*totals };
                self.sums.insert(place, DaySum { day, totals, chunk });
            }
        }
    }

    /// Sums that lie in a chunk or in the head.
    pub fn sums_in(&self, chunk: ChunkNumber) -> impl Iterator<Item = &DaySum> + Clone {
        let start = self.sums.partition_point(|sum| sum.chunk < chunk);
        let sums = self.sums.iter().skip(start);
        sums.take_while(move |sum| sum.chunk == chunk)
    }

    /// Other chunks are merged into the next one, if they fit.
    #[must_use]
    pub fn merges_next(&self, chunks_of_a_level: usize) -> bool {
        let of_level_0 = self.chunks.iter().filter(|chunk| chunk.level == 0);
        of_level_0.count() + 1 >= chunks_of_a_level
    }

    /// The chunk for what lies in the head, and the chunks that are merged into it: those of each level that is full, and then
    /// the oldest of which all events `are_forgotten`, as long as they `fit`. Without the latter, a level that does not fit
    /// would never be merged, and a customer would have more chunks with each purchase.
    pub(super) fn next_chunk(
        &mut self,
        chunks_of_a_level: usize,
        fit: impl Fn(&[ChunkNumber]) -> bool,
        are_forgotten: impl Fn(&ChunkNumber) -> bool,
    ) -> (Chunk, Vec<ChunkNumber>) {
        let last = self.chunks.last().map_or(0, |chunk| chunk.number.0);
        let number = ChunkNumber(last.saturating_add(1));
        let mut merged = Vec::new();
        let mut level = 0_u8;
        loop {
            let of_level = self.chunks.iter().filter(|chunk| chunk.level == level);
            let numbers: Vec<ChunkNumber> = of_level.map(|chunk| chunk.number).collect();
            if numbers.len() + 1 < chunks_of_a_level {
                break;
            }
            let before = merged.len();
            merged.extend(numbers);
            if !fit(&merged) {
                merged.truncate(before);
                break;
            }
            if level == LEVEL_MAX {
                break;
            }
            level += 1;
        }
        for chunk in &self.chunks {
            if !are_forgotten(&chunk.number) || merged.contains(&chunk.number) {
                continue;
            }
            merged.push(chunk.number);
            if !fit(&merged) {
                merged.pop();
            }
        }
        self.chunks.retain(|chunk| !merged.contains(&chunk.number));
        let chunk = Chunk { number, level };
        self.chunks.push(chunk);
        (chunk, merged)
    }

    /// Moves the sums that lie in the head or in one of these chunks into another one.
    pub(super) fn move_sums(&mut self, into: ChunkNumber, from: &[ChunkNumber]) {
        let is_moved = |sum: &DaySum| sum.chunk.is_head() || from.contains(&sum.chunk);
        let (moved, rest): (Vec<DaySum>, Vec<DaySum>) = std::mem::take(&mut self.sums)
            .into_iter()
            .partition(is_moved);
        self.sums = rest;
        for sum in moved {
            self.add_sum(into, sum.day, &sum.totals);
        }
    }
}
