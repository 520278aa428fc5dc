//! One chart: traces and a layout of `plotly`, written as JSON beside the box that the page's script
//! draws it in. Colours are references to the style's variables, which the script resolves.

use plotly::Configuration;
use plotly::Layout;
use plotly::Trace;
use plotly::Traces;
use plotly::common::Font;
use plotly::common::Label;
use plotly::common::Title;
use plotly::configuration::DisplayModeBar;
use plotly::layout::Axis;
use plotly::layout::DragMode;
use plotly::layout::HoverMode;
use plotly::layout::Margin;
use serde::Serialize;

use crate::report::text;

pub(super) const INK: &str = "var(--ink)";
pub(super) const FAINT: &str = "var(--faint)";
pub(super) const GRID: &str = "var(--grid)";
pub(super) const SURFACE: &str = "var(--surface)";
pub(super) const ACCENT: &str = "var(--accent)";
const TRANSPARENT: &str = "rgba(0,0,0,0)";
const FONT: &str = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif";

/// Pixels that a chart has on a narrow phone.
const PHONE_WIDTH: usize = 330;

/// A chart and the box it is drawn in.
pub(super) struct Figure {
    /// Id of the box.
    pub(super) id: String,
    /// What it shows, for readers who cannot see it.
    pub(super) label: String,
    /// Pixels.
    pub(super) height: usize,
    /// Pixels; where a page has fewer, the box scrolls.
    pub(super) width_min: usize,
    /// What is drawn.
    pub(super) traces: Vec<Box<dyn Trace>>,
    /// On what.
    pub(super) layout: Layout,
}

#[derive(Serialize)]
struct Drawing {
    data: Traces,
    layout: Layout,
    config: Configuration,
}

impl Figure {
    /// The box and its JSON.
    pub(super) fn html(self) -> String {
        let mut data = Traces::new();
        for trace in self.traces {
            data.push(trace);
        }
        let config = Configuration::new()
            .responsive(true)
            .display_mode_bar(DisplayModeBar::False)
            .show_tips(false)
            .typeset_math(false);
        let drawing = Drawing {
            data,
            layout: self.layout,
            config,
        };
        // Its parts always serialise; without JSON a chart would be empty, and the tables have the same numbers.
        let json = serde_json::to_string(&drawing).unwrap_or_default();
        let (id, label, height, width) = (self.id, self.label, self.height, self.width_min);
        // A part that scrolls must be reachable by keyboard.
        let focus = if width > PHONE_WIDTH {
            r#" tabindex="0""#
        } else {
            ""
        };
        format!(
            r#"<div class="scroll"{focus}><div class="chart" id="{id}" role="img" aria-label="{label}" style="height:{height}px;min-width:{width}px"></div></div>
<script type="application/json" data-chart="{id}">{json}</script>
"#,
            label = text::escape(&label),
            json = text::inside_script(&json),
        )
    }
}

/// What all charts have in common.
pub(super) fn layout() -> Layout {
    let font = Font::new().family(FONT).size(13).color(INK);
    let label = Label::new()
        .background_color(SURFACE)
        .border_color(FAINT)
        .font(Font::new().family(FONT).size(13).color(INK))
        .align("left");
    Layout::new()
        .auto_size(true)
        .font(font)
        .paper_background_color(TRANSPARENT)
        .plot_background_color(TRANSPARENT)
        .hover_label(label)
        .hover_mode(HoverMode::Closest)
        // A finger on a chart scrolls the page.
        .drag_mode(DragMode::False)
        .show_legend(false)
        .margin(Margin::new().left(8).right(12).top(8).bottom(8).pad(4))
}

/// What all axes have in common.
pub(super) fn axis() -> Axis {
    Axis::new()
        .auto_margin(true)
        .fixed_range(true)
        .zero_line(false)
        .grid_color(GRID)
        .line_color(GRID)
        .tick_font(Font::new().size(12).color(FAINT))
}

/// An axis with a title.
pub(super) fn titled_axis(title: &str) -> Axis {
    let font = Font::new().size(13).color(FAINT);
    axis().title(Title::with_text(text::escape(title)).font(font))
}

/// An axis with a label at each whole number.
pub(super) fn labelled_axis(labels: Vec<String>) -> Axis {
    let places = (0..labels.len()).map(crate::learn::scaler::count).collect();
    axis().tick_values(places).tick_text(labels)
}
