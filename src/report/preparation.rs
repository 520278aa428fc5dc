//! The preparation of the rows before the training.

use std::collections::BTreeMap;

use crate::learn::analysis::Analysis;
use crate::learn::analysis::Noted;
use crate::learn::money;
use crate::report::facts::ReportFacts;
use crate::report::numbers;
use crate::report::text;

/// The section.
pub(super) fn section(analysis: &Analysis, facts: &ReportFacts) -> String {
    let preparation = &analysis.preparation;
    let dropped = rows(&preparation.dropped, "Left out");
    let noted = rows(&preparation.noted, "Kept");
    let table = if dropped.is_empty() && noted.is_empty() {
        "<p>No row was left out, and there is no note on the others.</p>".to_owned()
    } else {
        format!(
            r#"<div class="scroll" role="region" tabindex="0" aria-label="Rows left out or noted"><table class="terse">
<caption class="hidden">Rows left out, and rows kept with a note</caption>
<thead><tr><th scope="col">What</th><th scope="col">Rows</th><th scope="col">What was done</th></tr></thead>
<tbody>{dropped}{noted}</tbody></table></div>
"#
        )
    };
    format!(
        r#"<section id="quality" aria-labelledby="quality-title">
<h2 id="quality-title">The data</h2>
<p>{used} of {read} rows were used. {dates} {currency}</p>
{table}
</section>
"#,
        used = numbers::whole(preparation.rows_used),
        read = numbers::whole(preparation.rows_read),
        dates = text::escape(&facts.dates),
        currency = text::escape(&money::currency_sentence(analysis)),
    )
}

fn rows(of: &BTreeMap<String, Noted>, done: &str) -> String {
    of.iter()
        .map(|(what, noted)| {
            format!(
                r#"<tr><th scope="row">{what}<small>{rule}</small></th><td>{rows}</td><td>{done}</td></tr>
"#,
                what = text::escape(&text::words(what)),
                rows = numbers::whole(noted.rows),
                rule = text::escape(&noted.rule),
            )
        })
        .collect()
}
