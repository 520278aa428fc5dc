//! Feature by feature: boxes of the segments, and a histogram of all customers.

use plotly::Bar;
use plotly::BoxPlot;
use plotly::Trace;
use plotly::common::Line;
use plotly::common::Marker;
use plotly::layout::RangeMode;
use plotly::layout::Shape;
use plotly::layout::ShapeLine;
use plotly::layout::ShapeType;

use crate::learn::analysis::Analysis;
use crate::learn::analysis::FeatureSummary;
use crate::learn::analysis::SegmentAnalysis;
use crate::learn::scaler::count;
use crate::report::figure;
use crate::report::figure::Figure;
use crate::report::numbers;
use crate::report::palette;
use crate::report::segments;
use crate::report::text;

const HEIGHT: usize = 260;
/// Segments up to which boxes have room in a narrow chart.
const NARROW_MAX: usize = 12;
/// Pixels that a box needs, with its gap.
const BOX_WIDTH: usize = 24;

/// The section.
pub(super) fn section(analysis: &Analysis) -> String {
    let boxes = analysis.features.iter().enumerate();
    let boxes: String = boxes
        .map(|(place, summary)| boxes_figure(place, summary, &analysis.segments))
        .collect();
    let histograms = analysis.features.iter().enumerate();
    let histograms: String = histograms
        .map(|(place, summary)| histogram_figure(place, summary))
        .collect();
    let width = if analysis.segments.len() > NARROW_MAX {
        "charts wide"
    } else {
        "charts"
    };
    format!(
        r#"<section id="distributions" aria-labelledby="distributions-title">
<h2 id="distributions-title">Feature by feature</h2>
<h3>By segment</h3>
<p class="note">The box holds the middle half of a segment's customers, its line is the median, and the whiskers reach from the smallest value to the greatest.</p>
{legend}
<div class="{width}">{boxes}</div>
<h3>All customers</h3>
<p class="note">How many customers have which value; the dashed line is the median.</p>
<div class="charts">{histograms}</div>
</section>
"#,
        legend = segments::legend(&analysis.segments, None),
    )
}

fn boxes_figure(place: usize, summary: &FeatureSummary, segments: &[SegmentAnalysis]) -> String {
    let name = text::words(&summary.name);
    let numbers = (1..=segments.len()).map(|number| number.to_string());
    let traces = segments.iter().enumerate();
    let chart = Figure {
        id: format!("boxes-{place}"),
        label: format!("Boxes of {name} by segment; quartiles are in the table of profiles"),
        height: HEIGHT,
        width_min: 60 + BOX_WIDTH * segments.len(),
        traces: traces
            .filter_map(|(segment, of)| boxed(segment, of, place))
            .collect(),
        layout: figure::layout()
            .x_axis(
                figure::labelled_axis(numbers.collect())
                    .range(vec![-0.6, count(segments.len()) - 0.4])
                    .show_grid(false)
                    .tick_angle(0.0),
            )
            .y_axis(figure::axis().n_ticks(6))
            .box_gap(0.25),
    };
    format!(
        "<figure><figcaption>{}</figcaption>{}</figure>\n",
        text::escape(&name),
        chart.html()
    )
}

fn boxed(place: usize, segment: &SegmentAnalysis, feature: usize) -> Option<Box<dyn Trace>> {
    let five = segment.features.get(feature)?.numbers;
    let trace: Box<BoxPlot<f64, f64>> = Box::default();
    Some(
        trace
            .x(vec![count(place)])
            .lower_fence(vec![five.minimum])
            .q1(vec![five.first_quartile])
            .median(vec![five.median])
            .q3(vec![five.third_quartile])
            .upper_fence(vec![five.maximum])
            .name(format!("{}  {}", place + 1, text::escape(&segment.name)))
            .line(Line::new().width(1.5).color(palette::colour(place)))
            .marker(Marker::new().color(palette::colour(place))),
    )
}

fn histogram_figure(place: usize, summary: &FeatureSummary) -> String {
    let name = text::words(&summary.name);
    let decimals = numbers::decimals_of(&summary.numbers);
    let edges = summary.histogram.edges.iter();
    let bins: Vec<(f64, f64)> = edges.clone().copied().zip(edges.skip(1).copied()).collect();
    let centres = bins.iter().map(|(low, high)| f64::midpoint(*low, *high));
    let width = bins.first().map_or(0.0, |(low, high)| high - low);
    let texts = bins.iter().zip(&summary.histogram.counts);
    let texts = texts.map(|((low, high), rows)| {
        format!(
            "{} to {}: {} customers",
            numbers::short(*low, decimals),
            numbers::short(*high, decimals),
            numbers::whole(*rows),
        )
    });
    let bars = Bar::new(centres.collect(), summary.histogram.counts.clone())
        // A feature with one value has bins without a width.
        .width(if width > 0.0 { width } else { 1.0 })
        .hover_text_array(texts.collect::<Vec<String>>())
        .hover_template("%{hovertext}<extra></extra>")
        .marker(
            Marker::new()
                .color(figure::ACCENT)
                .line(Line::new().color(figure::SURFACE).width(1.0)),
        );
    let median = Shape::new()
        .shape_type(ShapeType::Line)
        .x0(summary.numbers.median)
        .x1(summary.numbers.median)
        .y_ref("paper")
        .y0(0.0)
        .y1(1.0)
        .line(
            ShapeLine::new()
                .color(figure::INK)
                .width(1.5)
                .dash(plotly::common::DashType::Dash),
        );
    let chart = Figure {
        id: format!("histogram-{place}"),
        label: format!("Histogram of {name} over all customers"),
        height: HEIGHT - 40,
        width_min: 0,
        traces: vec![bars],
        layout: figure::layout()
            .x_axis(figure::axis().show_grid(false).n_ticks(6))
            .y_axis(figure::axis().range_mode(RangeMode::ToZero).n_ticks(5))
            .shapes(vec![median]),
    };
    format!(
        "<figure><figcaption>{name}<small>Median {median}, mean {mean}, {low} to {high}</small></figcaption>{chart}</figure>\n",
        name = text::escape(&name),
        median = numbers::short(summary.numbers.median, decimals),
        mean = numbers::short(summary.mean, decimals),
        low = numbers::short(summary.numbers.minimum, decimals),
        high = numbers::short(summary.numbers.maximum, decimals),
        chart = chart.html(),
    )
}
