//! The choice of the number of segments: two curves, and what each index would have chosen.

mod curves;
mod index;
mod tables;

use crate::learn::analysis::Choice;
use crate::report::choice::curves::charts;
use crate::report::choice::tables::tables;
use crate::report::text;

/// The section.
pub(super) fn section(choice: &Choice) -> String {
    let decided = match choice.decided_by.as_str() {
        "business" => "The number was given".to_owned(),
        "default" => "The number is the default".to_owned(),
        index => format!(
            "Decided by the {}",
            text::escape(&text::words_within(index))
        ),
    };
    format!(
        r#"<section id="choice" aria-labelledby="choice-title">
<h2 id="choice-title">Why {k} {segments}</h2>
<p class="lead">{explanation}</p>
<p class="note">{decided}.</p>
{charts}
{tables}</section>
"#,
        k = choice.k,
        segments = if choice.k == 1 { "segment" } else { "segments" },
        explanation = text::escape(&choice.explanation),
        charts = charts(choice),
        tables = tables(choice),
    )
}
