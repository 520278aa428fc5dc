//! The page around the sections: head, key facts, contents, how to read it, style and scripts.

use plotly::Plot;

use crate::learn::analysis::Analysis;
use crate::learn::money;
use crate::report::facts::ReportFacts;
use crate::report::numbers;
use crate::report::palette;
use crate::report::text;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
/// Marks around the embedded library, so that tests can separate it from the rest of a page.
pub(super) const LIBRARY_BEGINS: &str = "<!-- plotly.js begins -->";
pub(super) const LIBRARY_ENDS: &str = "<!-- plotly.js ends -->";
/// Features that the first sentence names.
const NAMED_MAX: usize = 8;

/// The whole page around its sections.
pub(super) fn page(analysis: &Analysis, facts: &ReportFacts, sections: &str) -> String {
    format!(
        r##"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>
{colours}
{STYLE}</style>
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
{header}
<main id="content">
<noscript><p class="lead">The charts need JavaScript; the tables show the same without it.</p></noscript>
{sections}{reading}</main>
{footer}
{LIBRARY_BEGINS}
{library}
{LIBRARY_ENDS}
<script>
{SCRIPT}</script>
</body>
</html>
"##,
        title = text::escape(&facts.title),
        colours = colours(analysis.segments.len()),
        header = header(analysis, facts),
        reading = READING,
        footer = footer(facts),
        library = library(),
    )
}

/// The library alone. The crate also embeds code for formulas, which no chart here has.
fn library() -> String {
    let end = "</script>";
    let sources = Plot::offline_js_sources();
    match sources.split_once(end) {
        Some((library, _)) => format!("{library}{end}"),
        None => String::new(),
    }
}

fn colours(segments: usize) -> String {
    let [on_light, on_dark] = palette::definitions(segments);
    format!(":root{{{on_light}}}\n@media (prefers-color-scheme:dark){{:root{{{on_dark}}}}}")
}

fn header(analysis: &Analysis, facts: &ReportFacts) -> String {
    let segments = analysis.segments.len();
    let currency = money::currency(analysis).map(|currency| ("Currency", text::escape(&currency)));
    let items: String = [
        ("Segments", segments.to_string()),
        ("Customers", numbers::whole(analysis.preparation.rows_used)),
        ("Features", analysis.features.len().to_string()),
        ("Model", text::escape(&facts.model_version)),
        ("Trained", text::escape(&day(&facts.trained_at))),
        ("Dates", text::escape(&facts.period)),
    ]
    .into_iter()
    .chain(currency)
    .chain([("Source", text::escape(&facts.source))])
    .map(|(term, value)| format!("<div><dt>{term}</dt><dd>{value}</dd></div>"))
    .collect();
    format!(
        r#"<header>
<h1>{title}</h1>
<p class="lead">{lead}</p>
<dl class="facts">{items}</dl>
<nav aria-label="On this page">{contents}</nav>
</header>"#,
        title = text::escape(&facts.title),
        lead = lead(analysis),
        contents = contents(analysis.features.len()),
    )
}

fn lead(analysis: &Analysis) -> String {
    let segments = analysis.segments.len();
    let customers = numbers::whole(analysis.preparation.rows_used);
    let features = analysis.features.len();
    let names: Vec<String> = analysis
        .features
        .iter()
        .take(NAMED_MAX)
        .map(|feature| text::escape(&text::words_within(&feature.name)))
        .collect();
    let names = if features > NAMED_MAX {
        format!("{} and {} more", names.join(", "), features - NAMED_MAX)
    } else {
        text::list(&names)
    };
    if segments == 1 {
        return format!("{customers} customers in one segment, by {names}.");
    }
    format!("{customers} customers in {segments} segments, by {names}.")
}

fn contents(features: usize) -> String {
    [
        ("segments", "Segments"),
        ("profiles", "Profiles"),
        ("distributions", "Features"),
        ("correlations", "Correlations"),
        ("choice", "Number of segments"),
        ("map", "Map"),
        ("quality", "Data"),
        ("reading", "How to read this"),
    ]
    .into_iter()
    .filter(|(id, _)| *id != "correlations" || features > 1)
    .map(|(id, word)| format!(r##"<a href="#{id}">{word}</a>"##))
    .collect()
}

/// The day of an instant such as 2026-11-24T00:00:00Z.
fn day(instant: &str) -> String {
    match instant.split_once('T') {
        Some((day, _)) => day.to_owned(),
        None => instant.to_owned(),
    }
}

fn footer(facts: &ReportFacts) -> String {
    format!(
        r#"<footer><p>Model {version}, trained at {trained} from {source}, the best of {runs} runs from seed {seed}. This page holds everything that it shows and needs no network.</p></footer>"#,
        version = text::escape(&facts.model_version),
        trained = text::escape(&facts.trained_at),
        source = text::escape(&facts.source),
        runs = numbers::whole(facts.runs),
        seed = facts.seed,
    )
}

const READING: &str = r#"<section id="reading" aria-labelledby="reading-title">
<h2 id="reading-title">How to read this page</h2>
<dl class="terms">
<div><dt>Segment</dt><dd>A group of customers who are more like each other than like the rest. Every customer is in exactly one: the one whose mean is nearest. Number, colour and mark of a segment are the same in all charts.</dd></div>
<div><dt>Mean and median</dt><dd>The mean is the sum divided by the number of customers; a few very large values raise it. Half of the customers lie below the median.</dd></div>
<div><dt>Middle half</dt><dd>The values between the lowest quarter of the customers and the highest quarter.</dd></div>
<div><dt>Standard deviation</dt><dd>The usual distance from the mean. A segment that lies 0.8 above is called high, one from 0.4 on above-average, and one within 0.4 of 0 in every feature near the average.</dd></div>
<div><dt>Borders</dt><dd>Segments divide customers who differ gradually. Customers near a border have much in common with the segment next to them.</dd></div>
</dl>
</section>
"#;
