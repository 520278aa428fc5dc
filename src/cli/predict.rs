//! `segstream predict`: the segment of one customer, or of each row of a file.

use std::io::BufWriter;
use std::io::Write;
use std::path::PathBuf;

use serde::Serialize;

use crate::cli::exit::CallError;
use crate::dataset::table;
use crate::dataset::table::Format;
use crate::engine::alternatives::alternatives;
use crate::engine::assignment::Evaluation;
use crate::learn::preparation::TrainingRow;
use crate::model::segment_model::SegmentModel;
use crate::model_files;

/// Features whose change is told.
const ALTERNATIVES_MAX: usize = 3;

/// Predicts the segment of one customer, or of each row of a file.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  segstream predict --set age=45 --set income=52000 --set total_spending=900\n  segstream predict --input marketing_campaign.csv"
)]
pub struct Args {
    /// The model artifact; the shipped one if absent.
    #[arg(long)]
    model: Option<PathBuf>,
    /// One feature of one customer; what is not set is the model's median.
    #[arg(long = "set", value_name = "FEATURE=VALUE", conflicts_with = "input")]
    set: Vec<String>,
    /// A file of customers.
    #[arg(long, required_unless_present = "set")]
    input: Option<PathBuf>,
    /// What is in it.
    #[arg(long, value_enum, default_value = "marketing")]
    format: Format,
    /// The column of ids, for `features`.
    #[arg(long)]
    id: Option<String>,
    /// JSON instead of CSV.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Prediction {
    id: String,
    segment_id: String,
    segment_name: String,
    confidence: f64,
    runner_up_id: String,
    imputed: String,
    verdict: &'static str,
}

/// Runs the command.
///
/// # Errors
/// If the call or the data is wrong.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let model = match &args.model {
        Some(path) => model_files::load(path)?,
        None => model_files::shipped_model()?,
    };
    match &args.input {
        Some(input) => file(args, input, &model),
        None => one(args, &model),
    }
}

fn file(args: &Args, input: &std::path::Path, model: &SegmentModel) -> anyhow::Result<()> {
    let wanted: Vec<String> = model
        .features()
        .iter()
        .map(|feature| feature.name.to_string())
        .collect();
    let table = table::read(input, args.format, args.id.as_deref(), Some(&wanted))?;
    let place = |name: &str| table.columns.iter().position(|column| column == name);
    let places: Vec<Option<usize>> = model
        .features()
        .iter()
        .map(|feature| place(&feature.name))
        .collect();
    let predict = |row: &TrainingRow| {
        let known = |place: &Option<usize>| {
            place.and_then(|place| row.values.get(place).copied().flatten())
        };
        let evaluation = evaluate(model, places.iter().map(known));
        prediction(model, &evaluation, row.id.clone())
    };
    let mut out = BufWriter::new(std::io::stdout().lock());
    if args.json {
        for row in &table.rows {
            serde_json::to_writer(&mut out, &predict(row))?;
            writeln!(out)?;
        }
        out.flush()?;
        return Ok(());
    }
    let mut csv = csv::Writer::from_writer(out);
    for row in &table.rows {
        csv.serialize(predict(row))?;
    }
    csv.flush()?;
    Ok(())
}

fn evaluate(model: &SegmentModel, known: impl Iterator<Item = Option<f64>>) -> Evaluation {
    let mut raw = Vec::new();
    let mut is_imputed = Vec::new();
    let mut scaled = Vec::new();
    for (feature, known) in model.features().iter().zip(known) {
        let value = known.unwrap_or(feature.median);
        raw.push(value);
        is_imputed.push(known.is_none());
        scaled.push(feature.scale(value));
    }
    let placement = model.assign(&scaled, None);
    Evaluation {
        raw,
        is_imputed,
        scaled,
        placement,
    }
}

fn prediction(model: &SegmentModel, evaluation: &Evaluation, id: String) -> Prediction {
    let segment = model.segments().get(evaluation.placement.segment);
    let other = evaluation
        .placement
        .runner_up
        .and_then(|other| model.segments().get(other.segment));
    Prediction {
        id,
        segment_id: segment.map_or_else(String::new, |segment| segment.id.to_string()),
        segment_name: segment.map_or_else(String::new, |segment| segment.name.to_string()),
        confidence: evaluation.placement.confidence(),
        runner_up_id: other.map_or_else(String::new, |segment| segment.id.to_string()),
        imputed: evaluation.imputed(model).join(" "),
        verdict: "predicted",
    }
}

/// One value a feature; `None` where it is not set.
fn known_values(args: &Args, model: &SegmentModel) -> anyhow::Result<Vec<Option<f64>>> {
    let mut known = vec![None; model.features().len()];
    for text in &args.set {
        let parsed = text.split_once('=').and_then(|(name, value)| {
            let place = model
                .features()
                .iter()
                .position(|feature| *feature.name == *name)?;
            let value = value
                .parse::<f64>()
                .ok()
                .filter(|value| value.is_finite())?;
            Some((known.get_mut(place)?, value))
        });
        let Some((slot, value)) = parsed else {
            let names: Vec<&str> = model
                .features()
                .iter()
                .map(|feature| &*feature.name)
                .collect();
            let message = format!(
                "--set {text:?} is not FEATURE=NUMBER with one of {}",
                names.join(", ")
            );
            return Err(CallError(message).into());
        };
        *slot = Some(value);
    }
    Ok(known)
}

fn one(args: &Args, model: &SegmentModel) -> anyhow::Result<()> {
    let known = known_values(args, model)?;
    let evaluation = evaluate(model, known.into_iter());
    let explanation = evaluation.explanation(model);
    let alternatives = alternatives(&evaluation, model, ALTERNATIVES_MAX);
    let prediction = prediction(model, &evaluation, String::new());
    let mut out = std::io::stdout().lock();
    let description = model
        .segments()
        .get(evaluation.placement.segment)
        .map_or("", |segment| &segment.description);
    if args.json {
        let answer = serde_json::json!({
            "segment_id": prediction.segment_id, "segment_name": prediction.segment_name,
            "description": description, "confidence": prediction.confidence,
            "runner_up_id": prediction.runner_up_id, "explanation": explanation,
            "imputed": evaluation.imputed(model), "what_would_change_it": alternatives,
        });
        writeln!(out, "{answer}")?;
        return Ok(());
    }
    writeln!(out, "{}: {description}", prediction.segment_name)?;
    writeln!(
        out,
        "confidence {:.2}, next would be {}",
        prediction.confidence, prediction.runner_up_id
    )?;
    for pull in explanation {
        let feature = &pull.feature;
        writeln!(
            out,
            "  {feature} {:.2} (segment {:.2}) pull {:+.2}",
            pull.value, pull.segment_mean, pull.pull
        )?;
    }
    for other in alternatives {
        let direction = if other.step > 0.0 { "above" } else { "below" };
        writeln!(
            out,
            "  with {} {direction} {:.2}: {}",
            other.feature, other.to, other.segment_name
        )?;
    }
    if !prediction.imputed.is_empty() {
        writeln!(out, "filled from medians: {}", prediction.imputed)?;
    }
    Ok(())
}
