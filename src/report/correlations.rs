//! The features that rise and fall together.

use plotly::HeatMap;
use plotly::Scatter;
use plotly::common::ColorScale;
use plotly::common::ColorScaleElement;
use plotly::common::Font;
use plotly::common::HoverInfo;
use plotly::common::Mode;

use crate::learn::analysis::Analysis;
use crate::learn::scaler::count;
use crate::report::figure;
use crate::report::figure::Figure;
use crate::report::numbers;
use crate::report::text;

/// Pixels of a cell that has room for its number; a few narrow ones fit on a phone.
const CELL_WIDTH: usize = 46;
const CELL_WIDTH_NARROW: usize = 38;
const NARROW_MAX: usize = 6;
/// Number of features from which on the table takes the whole width.
const WIDE: usize = 16;
const CELL_HEIGHT: usize = 44;
/// Pixels for the names, at the side and below.
const NAMES: usize = 100;

/// The section; nothing where there is only one feature.
pub(super) fn section(analysis: &Analysis) -> String {
    if analysis.features.len() < 2 {
        return String::new();
    }
    format!(
        r#"<section id="correlations" aria-labelledby="correlations-title">
<h2 id="correlations-title">What goes together</h2>
<p class="note">Correlations of the features over all customers: near 1 both are high together, near {minus}1 one is high where the other is low, near 0 one says nothing about the other.</p>
<figure{class}>{chart}</figure>
</section>
"#,
        minus = '\u{2212}',
        class = if analysis.features.len() < WIDE {
            r#" class="square""#
        } else {
            ""
        },
        chart = chart(analysis).html(),
    )
}

fn chart(analysis: &Analysis) -> Figure {
    let features = analysis.features.len();
    let labels: Vec<String> = analysis
        .features
        .iter()
        .map(|feature| text::lines(&text::words(&feature.name), 12))
        .collect();
    let places: Vec<f64> = (0..features).map(count).collect();
    let heat = HeatMap::new(places.clone(), places, analysis.correlations.clone())
        .zmin(-1.0)
        .zmid(0.0)
        .zmax(1.0)
        .color_scale(ColorScale::Vector(vec![
            ColorScaleElement(0.0, "var(--scale-low)".to_owned()),
            ColorScaleElement(0.5, "var(--scale-middle)".to_owned()),
            ColorScaleElement(1.0, "var(--scale-high)".to_owned()),
        ]))
        .show_scale(false)
        .x_gap(2)
        .y_gap(2)
        .hover_text_matrix(hover_texts(analysis))
        .hover_template("%{hovertext}<extra></extra>");
    let cell_width = if features > NARROW_MAX {
        CELL_WIDTH
    } else {
        CELL_WIDTH_NARROW
    };
    let range = vec![-0.5, count(features) - 0.5];
    let reversed = vec![count(features) - 0.5, -0.5];
    Figure {
        id: "correlations-chart".to_owned(),
        label: strongest(analysis),
        height: NAMES + CELL_HEIGHT * features,
        width_min: NAMES + cell_width * features,
        traces: vec![heat, numbers_in_cells(&analysis.correlations)],
        layout: figure::layout()
            .x_axis(
                figure::labelled_axis(labels.clone())
                    .range(range)
                    .show_grid(false)
                    .tick_length(0),
            )
            .y_axis(
                figure::labelled_axis(labels)
                    .range(reversed)
                    .show_grid(false)
                    .tick_length(0),
            ),
    }
}

fn numbers_in_cells(correlations: &[Vec<f64>]) -> Box<Scatter<f64, f64>> {
    let mut columns = Vec::new();
    let mut rows = Vec::new();
    let mut texts = Vec::new();
    for (row, values) in correlations.iter().enumerate() {
        for (column, value) in values.iter().enumerate() {
            columns.push(count(column));
            rows.push(count(row));
            texts.push(numbers::number(*value, 2));
        }
    }
    Scatter::new(columns, rows)
        .mode(Mode::Text)
        .text_array(texts)
        .text_font(Font::new().size(12).color(figure::INK))
        .hover_info(HoverInfo::Skip)
}

fn hover_texts(analysis: &Analysis) -> Vec<Vec<String>> {
    let names: Vec<String> = analysis
        .features
        .iter()
        .map(|feature| text::escape(&text::words(&feature.name)))
        .collect();
    let rows = names.iter().zip(&analysis.correlations);
    rows.map(|(row, values)| {
        let cells = names.iter().zip(values);
        cells
            .map(|(column, value)| format!("{row}<br>{column}<br>{}", numbers::signed(*value, 2)))
            .collect()
    })
    .collect()
}

/// The label of the chart: its strongest correlation.
fn strongest(analysis: &Analysis) -> String {
    let mut best: Option<(f64, String)> = None;
    for (row, values) in analysis.features.iter().zip(&analysis.correlations) {
        for (column, value) in analysis.features.iter().zip(values) {
            if row.name == column.name {
                break;
            }
            if best
                .as_ref()
                .is_none_or(|(greatest, _)| value.abs() > greatest.abs())
            {
                let (row, column) = (text::words(&row.name), text::words_within(&column.name));
                best = Some((*value, format!("{row} and {column}")));
            }
        }
    }
    let start = "Table of correlations of each feature with each other";
    best.map_or_else(
        || start.to_owned(),
        |(value, pair)| format!("{start}; strongest: {pair}, {}", numbers::signed(value, 2)),
    )
}
