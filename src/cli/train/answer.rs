//! What `train` prints.

use std::io::Write;

use serde_json::json;

use crate::cli::train::args::Args;
use crate::cli::train::dates::Dates;
use crate::learn::analysis::Analysis;
use crate::learn::analysis::Candidate;
use crate::learn::analysis::SegmentAnalysis;
use crate::learn::money;
use crate::learn::training::Trained;

pub(super) fn answer(args: &Args, trained: &Trained, dates: &Dates) -> serde_json::Value {
    let facts = &trained.artifact.training;
    let segments = &trained.artifact.segments;
    let sizes: Vec<u64> = segments.iter().map(|segment| segment.size).collect();
    let names: Vec<&str> = segments
        .iter()
        .map(|segment| segment.name.as_str())
        .collect();
    json!({
        "version": trained.artifact.version, "k": facts.k, "inertia": facts.inertia,
        "silhouette": facts.silhouette, "rows": facts.rows, "rows_read": facts.rows_read,
        "rows_dropped": facts.rows_dropped, "sizes": sizes, "names": names, "out": args.out,
        "report": args.report, "preparation": trained.analysis.preparation,
        "choice": trained.analysis.choice, "segments": trained.analysis.segments.iter().map(segment).collect::<Vec<_>>(),
        "currency": trained.analysis.currency, "revenue": trained.analysis.revenue, "dates": dates,
    })
}

fn segment(segment: &SegmentAnalysis) -> serde_json::Value {
    json!({
        "id": segment.id, "name": segment.name, "description": segment.description, "size": segment.size,
        "share": segment.share, "revenue": segment.revenue, "suggested_action": segment.suggested_action,
    })
}

pub(super) fn print(
    out: &mut impl Write,
    args: &Args,
    trained: &Trained,
    dates: &Dates,
) -> std::io::Result<()> {
    let artifact = &trained.artifact;
    let facts = &artifact.training;
    let preparation = &trained.analysis.preparation;
    writeln!(out, "model {} in {}", artifact.version, args.out.display())?;
    if let Some(report) = &args.report {
        writeln!(out, "report in {}", report.display())?;
    }
    writeln!(
        out,
        "{} of {} rows, inertia {:.3}",
        facts.rows, facts.rows_read, facts.inertia
    )?;
    for (reason, noted) in &preparation.dropped {
        writeln!(out, "  left out, {reason}: {} ({})", noted.rows, noted.rule)?;
    }
    for (what, noted) in &preparation.noted {
        writeln!(out, "  noted, {what}: {} ({})", noted.rows, noted.rule)?;
    }
    writeln!(out, "{}", dates.sentence())?;
    writeln!(out, "{}", money::currency_sentence(&trained.analysis))?;
    writeln!(out, "{}", trained.analysis.choice.explanation)?;
    writeln!(
        out,
        "{:>4} {:>14} {:>12} {:>18} {:>15} {:>10}",
        "k", "inertia", "silhouette", "Calinski-Harabasz", "Davies-Bouldin", "stability"
    )?;
    for candidate in &trained.analysis.choice.candidates {
        print_candidate(out, candidate)?;
    }
    for segment in &trained.analysis.segments {
        print_segment(out, segment, &trained.analysis)?;
    }
    Ok(())
}

fn print_segment(
    out: &mut impl Write,
    segment: &SegmentAnalysis,
    analysis: &Analysis,
) -> std::io::Result<()> {
    writeln!(out, "\n{} ({})", segment.name, segment.id)?;
    writeln!(out, "  {}", segment.description)?;
    if let Some(sentence) = money::revenue_sentence(segment, analysis) {
        writeln!(out, "  {sentence}")?;
    }
    writeln!(out, "  {}", segment.suggested_action)
}

fn print_candidate(out: &mut impl Write, candidate: &Candidate) -> std::io::Result<()> {
    let shown = |value: Option<f64>, decimals: usize| {
        value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"))
    };
    writeln!(
        out,
        "{:>4} {:>14.3} {:>12} {:>18} {:>15} {:>10}",
        candidate.k,
        candidate.inertia,
        shown(candidate.silhouette, 3),
        shown(candidate.calinski_harabasz, 1),
        shown(candidate.davies_bouldin, 3),
        shown(candidate.stability, 2)
    )
}
