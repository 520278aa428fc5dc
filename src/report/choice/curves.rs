//! The curves of inertia and silhouette over the number of segments.

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
use crate::report::text;

const HEIGHT: usize = 320;
const CHOSEN: &str = "var(--chosen)";
const MARKED: &str = "var(--marked)";

pub(super) fn charts(choice: &Choice) -> String {
    // A single number of segments is a point, not a curve.
    if choice.candidates.len() < 2 {
        return String::new();
    }
    let elbow = choice.recommendations.get("elbow").copied();
    let inertia = curve(
        choice,
        "inertia-chart",
        "Inertia: the differences that the segments do not explain",
        ("Elbow", elbow),
        |candidate| Some(candidate.inertia),
    );
    let silhouette = if choice.candidates.iter().any(|one| one.silhouette.is_some()) {
        curve(
            choice,
            "silhouette-chart",
            "Silhouette: how well the segments are separated",
            ("Best", choice.recommendations.get("silhouette").copied()),
            |candidate| candidate.silhouette,
        )
    } else {
        String::new()
    };
    format!(r#"<div class="charts pair">{inertia}{silhouette}</div>"#)
}

/// A number of segments, the value of its index, and the standard error of its silhouette.
type Point = (usize, f64, f64);

fn curve(
    choice: &Choice,
    id: &str,
    title: &str,
    (word, marked): (&str, Option<usize>),
    value: fn(&Candidate) -> Option<f64>,
) -> String {
    let points: Vec<Point> = choice
        .candidates
        .iter()
        .filter_map(|one| {
            let error = one.silhouette_standard_error.unwrap_or(0.0);
            Some((one.k, value(one)?, error))
        })
        .collect();
    let mut traces: Vec<Box<dyn Trace>> = vec![line(&points, id == "silhouette-chart")];
    let legend = marks(&points, (word, marked), choice.k, &mut traces);
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

fn line(points: &[Point], shows_errors: bool) -> Box<dyn Trace> {
    let line = Scatter::new(
        points.iter().map(|(k, _, _)| *k).collect(),
        points.iter().map(|(_, value, _)| *value).collect(),
    )
    .mode(Mode::LinesMarkers)
    .line(Line::new().color(figure::ACCENT).width(2.0))
    .marker(Marker::new().color(figure::ACCENT).size(6))
    .hover_template("%{x} segments: %{y:,.4~g}<extra></extra>");
    let has_errors = shows_errors && points.iter().any(|(_, _, error)| *error > 0.0);
    if has_errors {
        let errors = points.iter().map(|(_, _, error)| *error).collect();
        let bars = ErrorData::new(ErrorType::Data).array(errors);
        line.error_y(bars.color(figure::FAINT).thickness(1.5).width(4))
    } else {
        line
    }
}

/// Marks what the index would choose and what was chosen; gives the entries of the legend.
fn marks(
    points: &[Point],
    (word, marked): (&str, Option<usize>),
    chosen: usize,
    traces: &mut Vec<Box<dyn Trace>>,
) -> String {
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
            Some(chosen),
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
    legend
}

fn mark(k: usize, value: f64, symbol: MarkerSymbol, colour: &'static str) -> Box<dyn Trace> {
    // The square is larger, so that both are visible where they mark the same point.
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
