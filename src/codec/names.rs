//! Names of categories in an entry: by the number that the partition's table has for a name, or written out.

use std::sync::Arc;

use crate::codec::bytes::push_number;
use crate::codec::bytes::push_run;
use crate::codec::bytes::take_number;
use crate::codec::bytes::take_run;
use crate::codec::bytes::take_signed;
use crate::codec::frame::CodecError;
use crate::domain::categories::Categories;
use crate::domain::categories::CategorySlot;
use crate::domain::categories::OTHER_CATEGORY;
use crate::domain::money::Money;
use crate::engine::state::table::CategoryNumber;
use crate::engine::state::table::DefinitionTable;

/// Stands for the categories that are not kept apart.
const REST: u64 = 0;
/// Stands for a name that follows.
const WRITTEN_OUT: u64 = 1;
/// Numbers of the table follow.
const NUMBERS: u64 = 2;

/// What is read where a category stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named<'a> {
    /// None of those that are kept apart.
    Rest,
    /// One of the table.
    Shared(&'a Arc<str>),
    /// One that is written out.
    WrittenOut(&'a str),
}

impl Named<'_> {
    /// Counts its spend, and gives its slot.
    pub(super) fn count(self, categories: &mut Categories, spend: Money) -> CategorySlot {
        match self {
            Self::Rest => {
                categories.add_other(spend);
                CategorySlot::OTHER
            }
            Self::Shared(name) => categories.add_shared(name, spend).slot,
            Self::WrittenOut(name) => categories.add(name, spend).slot,
        }
    }

    /// The slot of its name among the categories of a customer; `None` for the rest.
    pub(super) fn slot_in(self, categories: &Categories) -> Option<CategorySlot> {
        match self {
            Self::Rest => None,
            Self::Shared(name) => Some(categories.slot_of_shared(name)),
            Self::WrittenOut(name) => Some(categories.slot_of(name)),
        }
    }

    /// The name; `None` for the rest.
    pub(super) fn name(self) -> Option<Arc<str>> {
        match self {
            Self::Rest => None,
            Self::Shared(name) => Some(Arc::clone(name)),
            Self::WrittenOut(name) => Some(Arc::from(name)),
        }
    }
}

/// How the categories of orders are written: in the tail of a head by [`push_category`], in a chunk by their places in the
/// list with which it begins, so that no name is there twice.
pub(super) enum SlotWriter<'a> {
    Named(&'a Categories, &'a mut DefinitionTable),
    Places,
}

impl SlotWriter<'_> {
    pub(super) fn push(&mut self, bytes: &mut Vec<u8>, slot: CategorySlot) {
        match self {
            Self::Named(categories, table) => push_category(bytes, slot, categories, table),
            Self::Places => {
                let place = slot.place().map_or(REST, |place| 1 + u64::from(place));
                push_number(bytes, place);
            }
        }
    }
}

/// How they are read again.
pub(super) enum SlotReader<'a> {
    /// Spend is counted.
    Named(&'a mut Categories, &'a DefinitionTable),
    /// The slots of the list's names.
    Places(&'a [CategorySlot]),
}

impl SlotReader<'_> {
    /// Takes a category, and its spend where that is not known.
    pub(super) fn take(
        &mut self,
        bytes: &mut &[u8],
        known: Option<Money>,
    ) -> Result<(CategorySlot, Money), CodecError> {
        match self {
            Self::Named(categories, table) => {
                let name = take_category(bytes, table)?;
                let spend = known.map_or_else(|| take_signed(bytes).map(Money), Ok)?;
                Ok((name.count(categories, spend), spend))
            }
            Self::Places(slots) => {
                let slot = match take_number(bytes)? {
                    REST => CategorySlot::OTHER,
                    place => {
                        let place = usize::try_from(place - 1).map_err(|_| CodecError::Content)?;
                        *slots.get(place).ok_or(CodecError::Content)?
                    }
                };
                let spend = known.map_or_else(|| take_signed(bytes).map(Money), Ok)?;
                Ok((slot, spend))
            }
        }
    }
}

/// Appends the category of a slot. A new name is added to the table while it has room.
pub(super) fn push_category(
    bytes: &mut Vec<u8>,
    slot: CategorySlot,
    categories: &Categories,
    table: &mut DefinitionTable,
) {
    match categories.name(slot) {
        None => push_number(bytes, REST),
        Some(name) => {
            let number = table.number_category(name, || Arc::clone(name));
            push_numbered(bytes, name, number);
        }
    }
}

/// Appends the category of a name. A new name is added to the table while it has room.
pub(super) fn push_name(bytes: &mut Vec<u8>, name: &str, table: &mut DefinitionTable) {
    if name == OTHER_CATEGORY {
        push_number(bytes, REST);
    } else {
        let number = table.number_category(name, || Arc::from(name));
        push_numbered(bytes, name, number);
    }
}

fn push_numbered(bytes: &mut Vec<u8>, name: &str, number: Option<CategoryNumber>) {
    match number {
        Some(CategoryNumber(number)) => push_number(bytes, NUMBERS + u64::from(number)),
        None => {
            push_number(bytes, WRITTEN_OUT);
            push_run(bytes, name.as_bytes());
        }
    }
}

/// Takes a category of which only the place is of interest.
pub(super) fn skip_category(bytes: &mut &[u8]) -> Result<(), CodecError> {
    if take_number(bytes)? == WRITTEN_OUT {
        take_run(bytes)?;
    }
    Ok(())
}

/// Takes a category.
pub(super) fn take_category<'a, 'b: 'a>(
    bytes: &mut &'b [u8],
    table: &'a DefinitionTable,
) -> Result<Named<'a>, CodecError> {
    match take_number(bytes)? {
        REST => Ok(Named::Rest),
        WRITTEN_OUT => {
            let name = std::str::from_utf8(take_run(bytes)?);
            Ok(Named::WrittenOut(name.map_err(|_| CodecError::Content)?))
        }
        number => {
            let number = u32::try_from(number - NUMBERS).map_err(|_| CodecError::Content)?;
            let name = table.category(CategoryNumber(number));
            name.map(Named::Shared)
                .ok_or(CodecError::Unnamed { number })
        }
    }
}
