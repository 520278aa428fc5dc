//! Which columns of a file are read, and in which zone and currency.

use crate::dataset::column::Column;
use crate::dataset::found::Found;
use crate::dataset::options::Options;
use crate::dataset::replay::source_event::Context;
use crate::dataset::rows::Rows;

/// Notes which columns a format reads. `rest` says what the others are.
pub(super) fn note_columns(
    found: &mut Found,
    rows: &Rows,
    expected: &[Column],
    rest: &str,
    options: &Options,
) {
    let is_expected = |name: &&str| expected.iter().any(|column| column.name == *name);
    let (used, others): (Vec<&str>, Vec<&str>) = rows.columns().partition(is_expected);
    let shown = used
        .into_iter()
        .map(|name| match options.columns.header_of(name) {
            Some(header) if header != name => format!("{name} is {header}"),
            Some(_) | None => name.to_owned(),
        });
    found.plain("columns used", &shown.collect::<Vec<String>>().join(", "));
    if !others.is_empty() {
        found.plain(rest, &others.join(", "));
    }
}

/// Notes what the settings and flags give to rows that do not state it.
pub(super) fn note_settings(found: &mut Found, context: &Context, options: &Options) {
    let zone = context.zone.name();
    found.plain(
        "zone of local times",
        &format!("{zone} (time.business_zone)"),
    );
    let currency = match options.currency {
        Some(currency) => format!("{currency} (--currency)"),
        None => format!("{} (money.base_currency)", context.base),
    };
    found.plain("currency of amounts without one", &currency);
}
