//! The segments one by one: their size, their customers, and their differences.

use crate::learn::analysis::Analysis;
use crate::learn::analysis::FeatureSummary;
use crate::learn::analysis::SegmentAnalysis;
use crate::learn::analysis::SegmentFeature;
use crate::learn::money;
use crate::learn::wording;
use crate::report::numbers;
use crate::report::palette;
use crate::report::text;

/// The most features shown of a segment, those with the largest differences.
const SHOWN_MAX: usize = 8;
/// Standard deviations that fill a bar at least, so that small differences look small.
const LIMIT_MIN: f64 = 1.0;

/// The section.
pub(super) fn section(analysis: &Analysis) -> String {
    let limit = limit(&analysis.segments);
    let cards = analysis.segments.iter().enumerate();
    let cards: String = cards
        .map(|(place, segment)| card(place, segment, analysis, limit))
        .collect();
    // A single segment has all customers, so it differs from nothing.
    let start = if analysis.segments.len() > 1 {
        format!("{}{}", strip(&analysis.segments), note(limit))
    } else {
        String::new()
    };
    format!(
        r#"<section id="segments" aria-labelledby="segments-title">
<h2 id="segments-title">The segments</h2>
{start}<div class="cards">{cards}</div>
</section>
"#
    )
}

/// All segments with their marks; with a chart to act on, as switches of which the first ones are on.
pub(super) fn legend(segments: &[SegmentAnalysis], chart: Option<(&str, usize)>) -> String {
    let items = segments.iter().enumerate().map(|(place, segment)| {
        let content = format!(
            r#"{glyph}<span>{number}&nbsp;&nbsp;{name}</span>"#,
            glyph = palette::glyph(place),
            number = place + 1,
            name = text::escape(&segment.name),
        );
        match chart {
            Some((chart, shown)) if segments.len() > 1 => format!(
                r#"<li><button type="button" aria-pressed="{is_shown}" data-of="{chart}" data-group="segment-{place}">{content}</button></li>"#,
                is_shown = place < shown,
            ),
            _ => format!(r#"<li><span class="item">{content}</span></li>"#),
        }
    });
    format!(r#"<ul class="legend">{}</ul>"#, items.collect::<String>())
}

fn limit(segments: &[SegmentAnalysis]) -> f64 {
    let features = segments.iter().flat_map(|segment| &segment.features);
    let greatest = features
        .map(|feature| feature.z.abs())
        .filter(|z| z.is_finite())
        .fold(LIMIT_MIN, f64::max);
    (greatest * 10.0).ceil() / 10.0
}

fn note(limit: f64) -> String {
    let limit = numbers::short(limit, 1);
    let deviations = if limit == "1" {
        "standard deviation"
    } else {
        "standard deviations"
    };
    format!(
        r#"<p class="note">Each bar shows how far a segment lies <span class="keyed"><span class="key below"></span> below</span> or <span class="keyed"><span class="key above"></span> above</span> all customers; a bar from the middle to an end is {limit} {deviations}. The number beside it is the segment's mean.</p>
"#
    )
}

fn strip(segments: &[SegmentAnalysis]) -> String {
    let parts = segments.iter().enumerate().map(|(place, segment)| {
        // A number in a sliver would be cut off.
        let number = if segment.share < 0.05 {
            String::new()
        } else {
            (place + 1).to_string()
        };
        format!(
            r#"<span style="flex-grow:{share:.5};border-color:{colour}">{number}</span>"#,
            share = segment.share.max(0.0),
            colour = palette::colour(place),
        )
    });
    let parts: String = parts.collect();
    format!(r#"<div class="strip" aria-hidden="true">{parts}</div>"#)
}

fn card(place: usize, segment: &SegmentAnalysis, analysis: &Analysis, limit: f64) -> String {
    format!(
        r#"<article class="card" style="--colour:{colour}">
<h3>{glyph}<span class="number">{number}</span>{name}</h3>
<p class="size"><strong>{size}</strong> {customers}, <strong>{share}</strong> of all</p>
<p>{description}</p>
{revenue}<p class="action"><strong>Suggested action:</strong> {action}</p>
{bars}</article>
"#,
        colour = palette::colour(place),
        glyph = palette::glyph(place),
        number = place + 1,
        name = text::escape(&segment.name),
        size = numbers::whole(segment.size),
        customers = if segment.size == 1 {
            "customer"
        } else {
            "customers"
        },
        share = wording::percent(segment.share),
        description = text::escape(&segment.description),
        revenue = revenue(segment, analysis),
        action = text::escape(&segment.suggested_action),
        bars = bars(segment, &analysis.features, limit),
    )
}

fn revenue(segment: &SegmentAnalysis, analysis: &Analysis) -> String {
    let sentence = money::revenue_sentence(segment, analysis);
    sentence.map_or_else(String::new, |sentence| {
        format!("<p>{}</p>\n", text::escape(&sentence))
    })
}

fn bars(segment: &SegmentAnalysis, features: &[FeatureSummary], limit: f64) -> String {
    let mut pairs: Vec<_> = features.iter().zip(&segment.features).collect();
    let all = pairs.len();
    if all > SHOWN_MAX {
        pairs.sort_by(|(_, one), (_, other)| other.z.abs().total_cmp(&one.z.abs()));
        pairs.truncate(SHOWN_MAX);
    }
    let rows: String = pairs
        .iter()
        .map(|(summary, feature)| bar(summary, feature, limit))
        .collect();
    let rest = match all - pairs.len() {
        0 => String::new(),
        rest => format!(
            r#"<p class="note">The {SHOWN_MAX} largest differences; {rest} more features in the profiles below.</p>"#
        ),
    };
    format!(
        r#"<table class="bars"><caption class="hidden">How it differs from all customers</caption>
<colgroup><col class="name"><col><col class="value"></colgroup>
<thead class="hidden"><tr><th scope="col">Feature</th><th scope="col">Against all customers</th><th scope="col">Mean</th></tr></thead>
<tbody>{rows}</tbody></table>{rest}
"#
    )
}

fn bar(summary: &FeatureSummary, feature: &SegmentFeature, limit: f64) -> String {
    let z = if feature.z.is_finite() {
        feature.z
    } else {
        0.0
    };
    let (side, word) = if z < 0.0 {
        ("below", "below")
    } else {
        ("above", "above")
    };
    let width = (z.abs() / limit * 50.0).min(50.0);
    format!(
        r#"<tr><th scope="row">{name}</th><td><span class="track"><span class="bar {side}" style="width:{width:.2}%"></span></span><span class="hidden">{distance} standard deviations {word}</span></td><td>{mean}</td></tr>
"#,
        name = text::escape(&text::words(&summary.name)),
        distance = numbers::number(z.abs(), 2),
        mean = numbers::number(feature.mean, numbers::decimals_of(&summary.numbers)),
    )
}
