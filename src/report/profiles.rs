//! Segments side by side: a table in original units and one chart of distances from the mean of all.

use plotly::Scatter;
use plotly::Trace;
use plotly::common::Line;
use plotly::common::Marker;
use plotly::common::Mode;
use plotly::layout::Shape;
use plotly::layout::ShapeLayer;
use plotly::layout::ShapeLine;
use plotly::layout::ShapeType;

use crate::learn::analysis::Analysis;
use crate::learn::analysis::FeatureSummary;
use crate::learn::analysis::FiveNumbers;
use crate::learn::analysis::SegmentAnalysis;
use crate::learn::scaler::count;
use crate::report::figure;
use crate::report::figure::Figure;
use crate::report::numbers;
use crate::report::palette;
use crate::report::segments;
use crate::report::text;

const CHART: &str = "profile-chart";
/// Tint of a cell per standard deviation, and at most: text on it must stay readable.
const TINT: f64 = 14.0;
const TINT_MAX: f64 = 24.0;
/// With more lines than these, only the first ones are shown, and the reader chooses.
const LINES_MAX: usize = 12;
const LINES_FIRST: usize = 6;

/// The section.
pub(super) fn section(analysis: &Analysis) -> String {
    format!(
        r#"<section id="profiles" aria-labelledby="profiles-title">
<h2 id="profiles-title">Profiles side by side</h2>
<p class="note">The mean of each segment in original units; below it the median and the range of the middle half. Tinted <span class="keyed"><span class="key below"></span> below</span> and <span class="keyed"><span class="key above"></span> above</span> the mean of all customers.</p>
{table}
<h3>Distance from the average customer</h3>
<p class="note">In standard deviations: 0 is the mean of all customers.{switches}</p>
<figure>
{legend}
{chart}</figure>
</section>
"#,
        table = table(analysis),
        switches = switches(analysis.segments.len()),
        legend = segments::legend(&analysis.segments, Some((CHART, shown(analysis)))),
        chart = chart(analysis).html(),
    )
}

/// Lines that are on at first.
fn shown(analysis: &Analysis) -> usize {
    let segments = analysis.segments.len();
    if segments > LINES_MAX {
        LINES_FIRST
    } else {
        segments
    }
}

fn switches(segments: usize) -> String {
    match segments {
        0 | 1 => String::new(),
        2..=LINES_MAX => " A segment's name switches its line off and on.".to_owned(),
        _ => format!(
            " The first {LINES_FIRST} segments are shown; a segment's name switches its line on and off."
        ),
    }
}

fn table(analysis: &Analysis) -> String {
    let heads: String = analysis
        .features
        .iter()
        .map(|feature| {
            let name = text::escape(&text::words(&feature.name));
            format!(r#"<th scope="col">{name}</th>"#)
        })
        .collect();
    let all: String = analysis
        .features
        .iter()
        .map(|feature| cell(feature.mean, 0.0, &feature.numbers, feature))
        .collect();
    let rows: String = analysis
        .segments
        .iter()
        .enumerate()
        .map(|(place, segment)| row(place, segment, &analysis.features))
        .collect();
    format!(
        r#"<div class="scroll" role="region" tabindex="0" aria-label="Profiles, a wide table"><table class="profiles">
<caption class="hidden">Mean, median and middle half of each feature by segment</caption>
<thead><tr><th scope="col">Segment</th>{heads}</tr></thead>
<tbody><tr class="all"><th scope="row">All customers</th>{all}</tr>
{rows}</tbody></table></div>
"#
    )
}

fn row(place: usize, segment: &SegmentAnalysis, features: &[FeatureSummary]) -> String {
    let cells: String = features
        .iter()
        .zip(&segment.features)
        .map(|(summary, feature)| cell(feature.mean, feature.z, &feature.numbers, summary))
        .collect();
    format!(
        r#"<tr><th scope="row"><span class="named">{glyph}<span>{number}&nbsp;&nbsp;{name}</span></span></th>{cells}</tr>
"#,
        glyph = palette::glyph(place),
        number = place + 1,
        name = text::escape(&segment.name),
    )
}

fn cell(mean: f64, z: f64, five: &FiveNumbers, summary: &FeatureSummary) -> String {
    let decimals = numbers::decimals_of(&summary.numbers);
    let side = if z < 0.0 { "below" } else { "above" };
    let tint = if z.is_finite() {
        (z.abs() * TINT).min(TINT_MAX)
    } else {
        0.0
    };
    format!(
        r#"<td class="tint {side}" style="--tint:{tint:.1}%"><strong>{mean}</strong><small>{median} <span>({first} to {third})</span></small></td>"#,
        mean = numbers::number(mean, decimals),
        median = numbers::short(five.median, decimals),
        first = numbers::short(five.first_quartile, decimals),
        third = numbers::short(five.third_quartile, decimals),
    )
}

fn chart(analysis: &Analysis) -> Figure {
    let features = analysis.features.len();
    let labels = analysis
        .features
        .iter()
        .map(|feature| text::lines(&text::words(&feature.name), 16))
        .collect();
    let zero = Shape::new()
        .shape_type(ShapeType::Line)
        .layer(ShapeLayer::Below)
        .x0(0.0)
        .x1(0.0)
        .y_ref("paper")
        .y0(0.0)
        .y1(1.0)
        .line(ShapeLine::new().color(figure::FAINT).width(1.5));
    let traces = analysis.segments.iter().enumerate();
    Figure {
        id: CHART.to_owned(),
        label: "Line for each segment: standard deviations from the mean of all customers, by feature; \
                the same numbers are in the cards above"
            .to_owned(),
        height: 90 + 52 * features.max(2),
        width_min: 0,
        traces: traces
            .map(|(place, segment)| line(place, segment, &analysis.features))
            .collect(),
        layout: figure::layout()
            .x_axis(figure::titled_axis("Standard deviations"))
            .y_axis(
                figure::labelled_axis(labels).range(vec![count(features) - 0.6, -0.4]),
            )
            .shapes(vec![zero]),
    }
}

fn line(place: usize, segment: &SegmentAnalysis, features: &[FeatureSummary]) -> Box<dyn Trace> {
    let values = segment.features.iter().map(|feature| feature.z);
    let places = (0..segment.features.len()).map(count);
    let texts: Vec<String> = features
        .iter()
        .zip(&segment.features)
        .map(|(summary, feature)| {
            format!(
                "{}: {} ({})",
                text::escape(&text::words(&summary.name)),
                numbers::number(feature.mean, numbers::decimals_of(&summary.numbers)),
                numbers::signed(feature.z, 2),
            )
        })
        .collect();
    Scatter::new(values.collect(), places.collect::<Vec<f64>>())
        .name(format!("{}  {}", place + 1, text::escape(&segment.name)))
        .legend_group(format!("segment-{place}"))
        .mode(Mode::LinesMarkers)
        .line(
            Line::new()
                .color(palette::colour(place))
                .dash(palette::dash(place))
                .width(2.0),
        )
        .marker(
            Marker::new()
                .color(palette::colour(place))
                .symbol(palette::symbol(place))
                .size(11),
        )
        .hover_text_array(texts)
        .hover_template("<b>%{fullData.name}</b><br>%{hovertext}<extra></extra>")
}
