//! Colours, marks and dashes of segments, which differ without colour vision too. The colours are those of
//! the dashboard, after Okabe and Ito, each a little darker or lighter where its contrast (3 to 1, WCAG
//! 1.4.11) on a light or a dark page would be too low.

use plotly::common::DashType;
use plotly::common::MarkerSymbol;

/// On a light page and on a dark one.
const COLOURS: [([u8; 3], [u8; 3]); 8] = [
    ([0x00, 0x72, 0xB2], [0x1F, 0x84, 0xC6]), // blue
    ([0xD5, 0x5E, 0x00], [0xD5, 0x5E, 0x00]), // vermillion
    ([0x00, 0x9E, 0x73], [0x00, 0x9E, 0x73]), // bluish green
    ([0xBD, 0x7F, 0x00], [0xE6, 0x9F, 0x00]), // orange
    ([0xC2, 0x69, 0x9A], [0xCC, 0x79, 0xA7]), // reddish purple
    ([0x2B, 0x98, 0xC9], [0x56, 0xB4, 0xE9]), // sky blue
    ([0x8F, 0x87, 0x00], [0xF0, 0xE4, 0x42]), // yellow
    ([0x76, 0x76, 0x76], [0x99, 0x99, 0x99]), // grey
];

/// Per cent of black or white mixed in at each repeat, neighbours far from each other; only away from
/// the page, so that no repeat stands out less than the first.
const SHIFTS: [u16; 8] = [0, 40, 20, 54, 10, 47, 30, 60];

/// The symbol of a chart and the same mark as a path in 16 x 16.
const MARKS: [(MarkerSymbol, &str); 8] = [
    (
        MarkerSymbol::Circle,
        "M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 1 0 0-13z",
    ),
    (MarkerSymbol::Square, "M2.5 2.5h11v11h-11z"),
    (MarkerSymbol::Diamond, "M8 .5L15.5 8L8 15.5L.5 8z"),
    (MarkerSymbol::TriangleUp, "M8 1.5L15.5 14H.5z"),
    (
        MarkerSymbol::Cross,
        "M5.5 1h5v4.5H15v5h-4.5V15h-5v-4.5H1v-5h4.5z",
    ),
    (
        MarkerSymbol::X,
        "M4.2 1L8 4.8L11.8 1L15 4.2L11.2 8L15 11.8L11.8 15L8 11.2L4.2 15L1 11.8L4.8 8L1 4.2z",
    ),
    (MarkerSymbol::TriangleDown, "M8 14.5L.5 2h15z"),
    (
        MarkerSymbol::Hexagon,
        "M8 .8L14.2 4.4V11.6L8 15.2L1.8 11.6V4.4z",
    ),
];

const DASHES: [DashType; 6] = [
    DashType::Solid,
    DashType::Dash,
    DashType::Dot,
    DashType::DashDot,
    DashType::LongDash,
    DashType::LongDashDot,
];

/// Colour of a segment as a reference that the page's style or the script resolves.
pub(super) fn colour(segment: usize) -> String {
    format!(
        "var(--segment-{})",
        segment % (COLOURS.len() * SHIFTS.len())
    )
}

/// Mark of a segment in charts; no two of 64 have both the mark and the colour.
pub(super) fn symbol(segment: usize) -> MarkerSymbol {
    mark(segment).0
}

/// Line of a segment in charts.
pub(super) fn dash(segment: usize) -> DashType {
    let mut dashes = DASHES.iter().cycle().skip(segment / COLOURS.len());
    dashes.next().cloned().unwrap_or(DashType::Solid)
}

/// The mark of a segment beside its name.
pub(super) fn glyph(segment: usize) -> String {
    let path = mark(segment).1;
    let fill = colour(segment);
    format!(
        r#"<svg class="glyph" viewBox="0 0 16 16" aria-hidden="true" focusable="false"><path d="{path}" fill="{fill}"/></svg>"#
    )
}

/// Definitions of the colours of so many segments on a light page, and on a dark one.
pub(super) fn definitions(segments: usize) -> [String; 2] {
    let mut definitions = [String::new(), String::new()];
    let [on_light, on_dark] = &mut definitions;
    let colours = COLOURS.iter().cycle();
    let shifts = SHIFTS.iter().cycle().flat_map(|shift| [*shift; 8]);
    for (segment, ((light, dark), shift)) in colours.zip(shifts).take(segments.min(64)).enumerate()
    {
        on_light.push_str(&definition(segment, *light, 0, shift));
        on_dark.push_str(&definition(segment, *dark, 255, shift));
    }
    definitions
}

fn mark(segment: usize) -> (MarkerSymbol, &'static str) {
    let mut marks = MARKS.iter().cycle().skip(segment + segment / MARKS.len());
    marks.next().cloned().unwrap_or((MarkerSymbol::Circle, ""))
}

fn definition(segment: usize, colour: [u8; 3], mixed_in: u16, shift: u16) -> String {
    let [red, green, blue] =
        colour.map(|part| (u16::from(part) * (100 - shift) + mixed_in * shift) / 100);
    format!("--segment-{segment}:#{red:02x}{green:02x}{blue:02x};")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_of_64_segments_look_the_same() {
        let looks = (0..64).map(|segment| format!("{}{:?}", colour(segment), symbol(segment)));
        assert_eq!(looks.collect::<BTreeSet<_>>().len(), 64);
        for definitions in definitions(64) {
            let values = definitions.split(';').filter_map(|one| one.split_once(':'));
            assert_eq!(
                values
                    .map(|(_, colour)| colour)
                    .collect::<BTreeSet<_>>()
                    .len(),
                64
            );
        }
    }
}
