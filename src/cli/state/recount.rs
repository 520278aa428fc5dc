//! `segstream state recount`: counts customers again, and compares with the counts that the stores keep.

use std::collections::BTreeMap;
use std::io::Write;

use crate::cli::exit::Failed;
use crate::cli::reading::stores;
use crate::codec::stored::Group;
use crate::config::settings::Settings;
use crate::engine::state::table::DefinitionTable;
use crate::engine::state::table::SegmentNumber;

/// Customers by segment, and by band of churn risk in it; records with a deadline.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    segments: BTreeMap<String, u64>,
    bands: BTreeMap<String, BTreeMap<&'static str, u64>>,
    deadlines: u64,
}

impl Counts {
    fn add(&mut self, group: Group, customers: u64, table: &DefinitionTable) -> Result<(), Failed> {
        let unnamed = || Failed(format!("no segment has the number {}", group.segment.0));
        let segment = table
            .segment(group.segment)
            .ok_or_else(unnamed)?
            .to_string();
        if let Some(band) = group.band {
            let bands = self.bands.entry(segment.clone()).or_default();
            *bands.entry(band.as_str()).or_default() += customers;
        }
        *self.segments.entry(segment).or_default() += customers;
        Ok(())
    }
}

/// Prints both counts.
///
/// # Errors
/// If the stores cannot be read, or the counts differ.
pub(super) fn run(settings: &Settings) -> anyhow::Result<()> {
    let mut kept = Counts::default();
    let mut counted = Counts::default();
    let stores = stores(settings)?;
    for store in stores.iter() {
        let table = store.table();
        for (group, customers) in store.customers() {
            kept.add(group, customers, &table)?;
        }
        kept.deadlines += store.deadlines();
        for entry in store.records() {
            let record = entry?.1.into_record();
            // Aliases and suppressions are in no segment and have no deadline.
            let Some(record) = record else { continue };
            counted.deadlines += u64::from(record.deadline.is_some());
            if let Some(segment) = record.segment_id() {
                let group = Group {
                    segment: SegmentNumber::of(segment),
                    band: record.band,
                };
                counted.add(group, 1, &table)?;
            }
        }
    }
    let mut out = std::io::stdout().lock();
    let is_equal = counted == kept;
    let answer = serde_json::json!({
        "segments": counted.segments, "churn_risk": counted.bands, "deadlines": counted.deadlines,
        "kept": kept.segments, "kept_churn_risk": kept.bands, "kept_deadlines": kept.deadlines,
        "equal": is_equal,
    });
    writeln!(out, "{answer}")?;
    if is_equal {
        Ok(())
    } else {
        Err(Failed("the counts that the stores keep differ from the recount".to_owned()).into())
    }
}
