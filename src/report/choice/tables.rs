//! What each index would have chosen, and its values.

use crate::learn::analysis::Choice;
use crate::report::choice::index::INDICES;
use crate::report::numbers;
use crate::report::text;

pub(super) fn tables(choice: &Choice) -> String {
    // With a single number of segments there is no choice.
    if choice.candidates.len() < 2 && choice.recommendations.is_empty() {
        return String::new();
    }
    format!(
        r#"<h3>What each index would choose</h3>
{recommendations}
<details><summary>All values by number of segments</summary>
{values}</details>
"#,
        recommendations = recommendations(choice),
        values = values(choice),
    )
}

fn recommendations(choice: &Choice) -> String {
    let chosen = choice.candidates.iter().find(|one| one.k == choice.k);
    let known = INDICES.iter().map(|index| {
        let value = chosen.and_then(index.value);
        let k = choice.recommendations.get(index.key).copied();
        recommendation(index.name, index.meaning, k, value)
    });
    let unknown = choice.recommendations.iter().filter_map(|(key, k)| {
        let is_known = INDICES.iter().any(|index| index.key == key);
        (!is_known).then(|| recommendation(&text::words(key), "", Some(*k), None))
    });
    let rows: String = known.chain(unknown).collect();
    format!(
        r#"<div class="scroll" role="region" tabindex="0" aria-label="Indices"><table class="terse">
<caption class="hidden">Number of segments that each index would choose</caption>
<thead><tr><th scope="col">Index</th><th scope="col">Would choose</th><th scope="col">Value at {k}</th></tr></thead>
<tbody>{rows}</tbody></table></div>
"#,
        k = choice.k,
    )
}

fn recommendation(name: &str, meaning: &str, k: Option<usize>, value: Option<f64>) -> String {
    let k = k.map_or_else(|| "no result".to_owned(), |k| k.to_string());
    format!(
        r#"<tr><th scope="row">{}<small>{}</small></th><td>{k}</td><td>{}</td></tr>
"#,
        text::escape(name),
        text::escape(meaning),
        numbers::maybe(value),
    )
}

fn values(choice: &Choice) -> String {
    let heads: String = INDICES
        .iter()
        .map(|index| match index.key {
            "elbow" => r#"<th scope="col">Inertia</th>"#.to_owned(),
            _ => format!(r#"<th scope="col">{}</th>"#, index.name),
        })
        .collect();
    let rows: String = choice
        .candidates
        .iter()
        .map(|candidate| {
            let cells = INDICES
                .iter()
                .map(|index| format!("<td>{}</td>", numbers::maybe((index.value)(candidate))));
            let class = if candidate.k == choice.k {
                r#" class="all""#
            } else {
                ""
            };
            format!(
                r#"<tr{class}><th scope="row">{}</th>{}</tr>
"#,
                candidate.k,
                cells.collect::<String>(),
            )
        })
        .collect();
    format!(
        r#"<div class="scroll" role="region" tabindex="0" aria-label="Values, a wide table"><table>
<caption class="hidden">Value of each index by number of segments</caption>
<thead><tr><th scope="col">Segments</th>{heads}</tr></thead>
<tbody>{rows}</tbody></table></div>
"#
    )
}
