//! Why so many segments: two curves, and what each index would have chosen.

use plotly::Scatter;
use plotly::Trace;
use plotly::common::DashType;
use plotly::common::ErrorData;
use plotly::common::ErrorType;
use plotly::common::Line;
use plotly::common::Marker;
use plotly::common::MarkerSymbol;
use plotly::common::Mode;

use crate::learn::analysis::Candidate;
use crate::learn::analysis::Choice;
use crate::report::figure;
use crate::report::figure::Figure;
use crate::report::numbers;
use crate::report::text;

const HEIGHT: usize = 320;
const CHOSEN: &str = "var(--chosen)";
const MARKED: &str = "var(--marked)";

/// What an index is called, what it looks at, and its value for a candidate.
struct Index {
    key: &'static str,
    name: &'static str,
    meaning: &'static str,
    value: fn(&Candidate) -> Option<f64>,
}

const INDICES: [Index; 5] = [
    Index {
        key: "elbow",
        name: "Elbow of the inertia",
        meaning: "where more segments stop paying off",
        value: |candidate| Some(candidate.inertia),
    },
    Index {
        key: "silhouette",
        name: "Silhouette",
        meaning: "how much closer customers are to their own segment than to the next; greater is better",
        value: |candidate| candidate.silhouette,
    },
    Index {
        key: "calinski_harabasz",
        name: "Calinski-Harabasz",
        meaning: "spread between segments against spread within; greater is better",
        value: |candidate| candidate.calinski_harabasz,
    },
    Index {
        key: "davies_bouldin",
        name: "Davies-Bouldin",
        meaning: "overlap of the most alike segments; smaller is better",
        value: |candidate| candidate.davies_bouldin,
    },
    Index {
        key: "stability",
        name: "Stability",
        meaning: "agreement of repeated fits on resampled customers; at most 1",
        value: |candidate| candidate.stability,
    },
];

/// The section.
pub(super) fn section(choice: &Choice) -> String {
    let decided = match choice.decided_by.as_str() {
        "business" => "A business choice".to_owned(),
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

fn tables(choice: &Choice) -> String {
    // One number tried leaves nothing to choose from.
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

fn charts(choice: &Choice) -> String {
    // One number tried is a point, not a curve.
    if choice.candidates.len() < 2 {
        return String::new();
    }
    let elbow = choice.recommendations.get("elbow").copied();
    let inertia = curve(
        choice,
        "inertia-chart",
        "Inertia: what the segments leave unexplained",
        ("Elbow", elbow),
        |candidate| Some(candidate.inertia),
    );
    let silhouette = if choice.candidates.iter().any(|one| one.silhouette.is_some()) {
        curve(
            choice,
            "silhouette-chart",
            "Silhouette: how well the segments are parted",
            ("Best", choice.recommendations.get("silhouette").copied()),
            |candidate| candidate.silhouette,
        )
    } else {
        String::new()
    };
    format!(r#"<div class="charts pair">{inertia}{silhouette}</div>"#)
}

fn curve(
    choice: &Choice,
    id: &str,
    title: &str,
    (word, marked): (&str, Option<usize>),
    value: fn(&Candidate) -> Option<f64>,
) -> String {
    let points: Vec<(usize, f64, f64)> = choice
        .candidates
        .iter()
        .filter_map(|one| {
            let error = one.silhouette_standard_error.unwrap_or(0.0);
            Some((one.k, value(one)?, error))
        })
        .collect();
    let line = Scatter::new(
        points.iter().map(|(k, _, _)| *k).collect(),
        points.iter().map(|(_, value, _)| *value).collect(),
    )
    .mode(Mode::LinesMarkers)
    .line(Line::new().color(figure::ACCENT).width(2.0))
    .marker(Marker::new().color(figure::ACCENT).size(6))
    .hover_template("%{x} segments: %{y:,.4~g}<extra></extra>");
    let has_errors = id == "silhouette-chart" && points.iter().any(|(_, _, error)| *error > 0.0);
    let line = if has_errors {
        let errors = points.iter().map(|(_, _, error)| *error).collect();
        let bars = ErrorData::new(ErrorType::Data).array(errors);
        line.error_y(bars.color(figure::FAINT).thickness(1.5).width(4))
    } else {
        line
    };
    let mut traces: Vec<Box<dyn Trace>> = vec![line];
    let mut legend = String::new();
    let marks = [
        (
            word,
            marked,
            MarkerSymbol::SquareOpen,
            MARKED,
            "square-mark",
        ),
        (
            "Chosen",
            Some(choice.k),
            MarkerSymbol::CircleOpen,
            CHOSEN,
            "ring",
        ),
    ];
    for (word, k, symbol, colour, class) in marks {
        let found = points.iter().find(|(at, _, _)| Some(*at) == k);
        if let Some((k, value, _)) = found {
            traces.push(mark(*k, *value, symbol, colour));
            legend.push_str(&format!(
                r#"<li><span class="item"><span class="{class}"></span>{word}: {k}</span></li>"#
            ));
        }
    }
    let has_many = points.len() > 16;
    let axis = figure::titled_axis("Number of segments").show_grid(false);
    let chart = Figure {
        id: id.to_owned(),
        label: format!("{title}, by number of segments; the values are in the table below"),
        height: HEIGHT,
        width_min: 0,
        traces,
        layout: figure::layout()
            .x_axis(if has_many { axis } else { axis.dtick(1.0) })
            .y_axis(figure::axis()),
    };
    format!(
        r#"<figure><figcaption>{title}</figcaption><ul class="legend">{legend}</ul>{chart}</figure>"#,
        title = text::escape(title),
        chart = chart.html(),
    )
}

fn mark(k: usize, value: f64, symbol: MarkerSymbol, colour: &'static str) -> Box<dyn Trace> {
    // The square is the larger one: both are seen where they mark the same point.
    let size = if matches!(symbol, MarkerSymbol::SquareOpen) {
        22
    } else {
        15
    };
    let line = Line::new().color(colour).width(3.0).dash(DashType::Solid);
    Scatter::new(vec![k], vec![value])
        .mode(Mode::Markers)
        .marker(
            Marker::new()
                .symbol(symbol)
                .size(size)
                .color(colour)
                .line(line),
        )
        .hover_info(plotly::common::HoverInfo::Skip)
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
    let k = k.map_or_else(|| "cannot tell".to_owned(), |k| k.to_string());
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
