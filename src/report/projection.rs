//! Customers as points in the plane that shows most of their differences.

use plotly::Scatter;
use plotly::Trace;
use plotly::common::Font;
use plotly::common::HoverInfo;
use plotly::common::Line;
use plotly::common::Marker;
use plotly::common::Mode;

use crate::learn::analysis::Analysis;
use crate::learn::analysis::SegmentAnalysis;
use crate::learn::wording;
use crate::report::figure;
use crate::report::figure::Figure;
use crate::report::numbers;
use crate::report::palette;
use crate::report::segments;
use crate::report::text;

const CHART: &str = "map-chart";
/// The most features that are named for an axis, and the least weight of one.
const NAMED_MAX: usize = 3;
const WEIGHT_MIN: f64 = 0.2;

/// The section.
pub(super) fn section(analysis: &Analysis) -> String {
    let projection = &analysis.projection;
    let [first, second] = projection.explained;
    let meaning: Vec<String> = [("right", first), ("up", second)]
        .into_iter()
        .enumerate()
        .filter(|(_, (_, explained))| *explained > 0.0)
        .filter_map(|(axis, (way, _))| meaning(analysis, axis, way))
        .collect();
    format!(
        r#"<section id="map" aria-labelledby="map-title">
<h2 id="map-title">A map of the customers</h2>
<p class="note">{points} customers on the two axes (principal components) along which they differ most; together these show {share} of all differences. {meaning} Numbers mark the middle of each segment; segments that overlap here may lie apart in what the map leaves out.</p>
<figure>
{legend}
{chart}</figure>
<details><summary>What the two axes are made of</summary>
{table}</details>
</section>
"#,
        points = numbers::whole(projection.points.iter().map(|_| 1).sum()),
        share = wording::percent(first + second),
        meaning = meaning.join(" "),
        legend = segments::legend(&analysis.segments, Some((CHART, usize::MAX))),
        chart = chart(analysis).html(),
        table = table(analysis),
    )
}

fn meaning(analysis: &Analysis, axis: usize, way: &str) -> Option<String> {
    let mut weights: Vec<(f64, &str)> = analysis
        .features
        .iter()
        .zip(&analysis.projection.loadings)
        .filter_map(|(feature, weights)| Some((*weights.get(axis)?, feature.name.as_str())))
        .filter(|(weight, _)| weight.abs() >= WEIGHT_MIN)
        .collect();
    weights.sort_by(|(one, _), (other, _)| other.abs().total_cmp(&one.abs()));
    let named: Vec<String> = weights
        .into_iter()
        .take(NAMED_MAX)
        .map(|(weight, name)| {
            let more = if weight < 0.0 { "lower" } else { "higher" };
            format!("{more} {}", text::escape(&text::words_within(name)))
        })
        .collect();
    if named.is_empty() {
        return None;
    }
    Some(format!("Further {way} means {}.", text::list(&named)))
}

fn chart(analysis: &Analysis) -> Figure {
    let [first, second] = analysis.projection.explained;
    let mut traces: Vec<Box<dyn Trace>> = Vec::new();
    for (place, segment) in analysis.segments.iter().enumerate() {
        traces.push(points(place, segment, analysis));
    }
    for (place, segment) in analysis.segments.iter().enumerate() {
        traces.extend(middle(place, segment, analysis));
    }
    Figure {
        id: CHART.to_owned(),
        label:
            "Customers as points on the first two principal components, coloured by segment, with \
                the number of each segment at its middle"
                .to_owned(),
        height: 560,
        width_min: 0,
        traces,
        layout: figure::layout()
            .x_axis(figure::titled_axis(&axis_title("First", first)))
            .y_axis(figure::titled_axis(&axis_title("Second", second))),
    }
}

fn axis_title(which: &str, explained: f64) -> String {
    let share = wording::percent(explained);
    format!("{which} component ({share} explained)")
}

fn points(place: usize, segment: &SegmentAnalysis, analysis: &Analysis) -> Box<dyn Trace> {
    let own = || {
        let points = analysis.projection.points.iter();
        points.filter(move |point| point.segment == place)
    };
    Scatter::new(
        own().map(|point| rounded(point.at[0])).collect(),
        own().map(|point| rounded(point.at[1])).collect(),
    )
    .name(format!("{}  {}", place + 1, text::escape(&segment.name)))
    .legend_group(format!("segment-{place}"))
    .mode(Mode::Markers)
    .marker(
        Marker::new()
            .color(palette::colour(place))
            .symbol(palette::symbol(place))
            .size(7)
            .opacity(0.65),
    )
    .hover_template("%{fullData.name}<extra></extra>")
}

/// What a pixel shows, at a third of the page's size.
fn rounded(coordinate: f64) -> f64 {
    (coordinate * 1_000.0).round() / 1_000.0
}

fn middle(place: usize, segment: &SegmentAnalysis, analysis: &Analysis) -> Option<Box<dyn Trace>> {
    let [across, up] = analysis.projection.centroids.get(place)?;
    let line = Line::new().color(palette::colour(place)).width(3.0);
    Some(
        Scatter::new(vec![*across], vec![*up])
            .name(format!("{}  {}", place + 1, text::escape(&segment.name)))
            .legend_group(format!("segment-{place}"))
            .mode(Mode::MarkersText)
            .text((place + 1).to_string())
            .text_font(Font::new().size(14).color(figure::INK))
            .marker(Marker::new().color(figure::SURFACE).size(26).line(line))
            .hover_info(HoverInfo::Name),
    )
}

fn table(analysis: &Analysis) -> String {
    let rows = analysis.features.iter().zip(&analysis.projection.loadings);
    let rows: String = rows
        .map(|(feature, [first, second])| {
            format!(
                r#"<tr><th scope="row">{}</th><td>{}</td><td>{}</td></tr>
"#,
                text::escape(&text::words(&feature.name)),
                numbers::signed(*first, 2),
                numbers::signed(*second, 2),
            )
        })
        .collect();
    format!(
        r#"<div class="scroll"><table><caption class="hidden">Weight of each feature in the two components</caption>
<thead><tr><th scope="col">Feature</th><th scope="col">First component</th><th scope="col">Second component</th></tr></thead>
<tbody>{rows}</tbody></table></div>
"#
    )
}
