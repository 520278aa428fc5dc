//! The past of a whole record: everything that lies in the tail of its head and in its chunks.

use crate::codec::frame;
use crate::codec::frame::CodecError;
use crate::codec::names::SlotReader;
use crate::codec::part;
use crate::codec::part::Part;
use crate::codec::part::PartOf;
use crate::codec::past::Past;
use crate::codec::past::take_past;
use crate::domain::categories::Categories;
use crate::domain::purchase::Purchase;
use crate::engine::state::chunk::ChunkNumber;
use crate::engine::state::record::CustomerRecord;
use crate::engine::state::remembered::RememberedEvents;
use crate::engine::state::table::DefinitionTable;

/// Adds what lies in the tail of the head and in the chunks.
pub(super) fn read<'a>(
    record: &mut CustomerRecord,
    mut tail: &[u8],
    part: PartOf<'_, 'a>,
    table: &DefinitionTable,
) -> Result<(), CodecError> {
    let mut chunks = Vec::with_capacity(record.layout.chunks.len());
    for chunk in &record.layout.chunks {
        let bytes = part(Part::Chunk(chunk.number)).ok_or(CodecError::Missing)?;
        chunks.push((chunk.number, frame::checked(bytes)?));
    }
    // Those of the last chunk are the latest.
    let mut categories = match chunks.last() {
        Some((_, content)) => part::take_sums(&mut { *content }, table)?,
        None => Categories::default(),
    };
    let mut counting = SlotReader::Named(&mut categories, table);
    let mut in_head = Past::default();
    take_past(&mut tail, ChunkNumber::HEAD, &mut counting, &mut in_head)?;
    end_of(tail)?;
    let mut past = Past::default();
    for (number, mut content) in chunks {
        let slots = part::take_slots(&mut content, &categories, table)?;
        take_past(
            &mut content,
            number,
            &mut SlotReader::Places(&slots),
            &mut past,
        )?;
        end_of(content)?;
    }
    record.aggregate.categories = categories;
    remember(record, past.followed_by(in_head));
    Ok(())
}

/// Puts events and sums into the record. Forgotten events count in the sums of their days.
fn remember(record: &mut CustomerRecord, past: Past) {
    let floor = record.remembered.floor();
    let first_kept = record.layout.first_kept;
    let is_kept = |day| first_kept.is_none_or(|first| day >= first);
    let (ledger, layout) = (&mut record.aggregate.ledger, &mut record.layout);
    let mut events = past.events;
    let mut last = None;
    let is_new_day = |purchase: &&Purchase| {
        is_kept(purchase.day) && last.replace(purchase.day) != Some(purchase.day)
    };
    let purchases = events.iter().filter_map(|event| event.purchase.as_ref());
    // Events are mostly in the order of their days. There is room for one more.
    ledger.reserve(purchases.filter(is_new_day).count() + past.sums.len() + 1);
    for sum in past.sums.iter().filter(|sum| is_kept(sum.day)) {
        ledger.restore_day(sum.day, &sum.totals);
        layout.add_sum(sum.chunk, sum.day, &sum.totals);
    }
    events.retain(|event| {
        let purchase = event.purchase.as_ref();
        if let Some(purchase) = purchase.filter(|purchase| is_kept(purchase.day)) {
            ledger.restore_day(purchase.day, &purchase.totals());
        }
        let is_forgotten = floor.is_some_and(|floor| floor.covers(&event.id));
        if let Some(purchase) = purchase.filter(|_| is_forgotten) {
            layout.add_sum(event.chunk, purchase.day, &purchase.totals());
        }
        !is_forgotten
    });
    record.remembered = RememberedEvents::restore(events, floor);
}

fn end_of(rest: &[u8]) -> Result<(), CodecError> {
    if rest.is_empty() {
        Ok(())
    } else {
        Err(CodecError::Content)
    }
}
