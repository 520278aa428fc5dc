//! `segstream predict`: the segment of one customer, or of each row of a file.

use std::io::BufWriter;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;

use crate::cli::exit::CallError;
use crate::cli::reading_args::ReadingArgs;
use crate::cli::reading_args::print_notes;
use crate::cli::train::MARKETING_BY_DEFAULT;
use crate::dataset::is_spelling;
use crate::dataset::table;
use crate::dataset::table::Format;
use crate::dataset::table::Wanted;
use crate::domain::counted::counted;
use crate::domain::nearest::did_you_mean;
use crate::domain::profile::NUMBER_MAX;
use crate::domain::time::BusinessZone;
use crate::learn::preparation::TrainingRow;
use crate::model::segment_model::SegmentModel;
use crate::model_files;
use crate::view::prediction::Prediction;
use crate::view::prediction::PredictionRow;

/// Predicts the segment of one customer, or of each row of a file.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  segstream predict --set age=45 --set income=52000 --set total_spending=900\n  segstream predict --input marketing_campaign.csv"
)]
pub struct Args {
    /// The model file; the shipped model if absent.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// One feature of one customer, a number; a feature that is not set is the model's median.
    #[arg(long = "set", value_name = "FEATURE=VALUE", conflicts_with = "input")]
    set: Vec<String>,
    /// A file of customers, instead of --set.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Format of the file; `marketing` if absent.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// The column of ids, for `features`; if absent, the number of the row's line.
    #[arg(long, value_name = "COLUMN")]
    id: Option<String>,
    #[command(flatten)]
    reading: ReadingArgs,
    /// Print JSON instead of text, and JSON Lines instead of CSV.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// If the call or the data is wrong.
pub fn run(args: &Args) -> anyhow::Result<()> {
    if args.input.is_none() && args.set.is_empty() {
        let problem =
            "nothing to predict: --set FEATURE=NUMBER for one customer, or --input FILE for many";
        return Err(CallError(problem.to_owned()).into());
    }
    let model = match &args.model {
        Some(path) => model_files::load(path)?,
        None => model_files::shipped_model()?,
    };
    match &args.input {
        Some(input) => file(args, input, &model),
        None => {
            args.refuse_flags_of_files()?;
            one(args, &model)
        }
    }
}

impl Args {
    fn refuse_flags_of_files(&self) -> anyhow::Result<()> {
        self.reading.refuse_all_but("--set", &[])?;
        let given = [
            ("--format", self.format.is_some()),
            ("--id", self.id.is_some()),
        ];
        match given.into_iter().find(|(_, is_given)| *is_given) {
            None => Ok(()),
            Some((flag, _)) => {
                Err(CallError(format!("{flag} does not apply to --set: it is for --input")).into())
            }
        }
    }
}

/// Says of which features of the model a file has no column. A file that has none of them is refused when it is read.
fn note_absent(columns: &[String], wanted: &[String]) -> std::io::Result<()> {
    let mut out = std::io::stderr().lock();
    for name in wanted.iter().filter(|name| !columns.contains(name)) {
        let spelling = columns.iter().find(|column| is_spelling(column, name));
        let near = spelling.map_or_else(String::new, |column| {
            format!("; perhaps --columns '{name}={column}'")
        });
        writeln!(
            out,
            "note on the file: it has no column {name:?}, so the model's median stands for it in all rows{near}"
        )?;
    }
    Ok(())
}

fn file(args: &Args, input: &std::path::Path, model: &SegmentModel) -> anyhow::Result<()> {
    let wanted: Vec<String> = model
        .features()
        .iter()
        .map(|feature| feature.name.to_string())
        .collect();
    let options = args.reading.options(BusinessZone::UTC, None)?;
    let id = args.id.as_deref();
    let format = args.format.unwrap_or(Format::Marketing);
    if id.is_some() && format == Format::Marketing {
        let problem = "--id does not apply to --format marketing: it is for --format features";
        return Err(CallError(problem.to_owned()).into());
    }
    let asked = Wanted {
        names: &wanted,
        may_be_absent: true,
    };
    let read = table::read(input, format, id, asked, &options);
    let read = match args.format {
        Some(_) => read?,
        None => read.context(MARKETING_BY_DEFAULT)?,
    };
    print_notes(&read.found)?;
    let table = read.rows;
    note_absent(&table.columns, &wanted)?;
    if let Some(noted) = table.noted.get(table::REPEATED_ID) {
        let (rows, rule) = (counted(noted.rows, "row", "rows"), &noted.rule);
        writeln!(
            std::io::stderr(),
            "note on the file: {rows} with a repeated id ({rule})"
        )?;
    }
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
        let evaluation = model.evaluate(places.iter().map(known), None);
        PredictionRow::of(row.id.clone(), &evaluation, model)
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

/// One value a feature; `None` where it is not set.
fn known_values(args: &Args, model: &SegmentModel) -> anyhow::Result<Vec<Option<f64>>> {
    let mut known = vec![None; model.features().len()];
    for text in &args.set {
        let (name, value) = feature_and_number(text, model)?;
        let mut places = model.features().iter().zip(&mut known);
        if let Some((_, slot)) = places.find(|(feature, _)| *feature.name == *name)
            && slot.replace(value).is_some()
        {
            return Err(CallError(format!("--set has {name} twice")).into());
        }
    }
    Ok(known)
}

/// The feature and the number of `--set FEATURE=NUMBER`.
fn feature_and_number<'a>(text: &'a str, model: &SegmentModel) -> anyhow::Result<(&'a str, f64)> {
    let wrong =
        |problem: String| anyhow::Error::from(CallError(format!("--set {text:?}{problem}")));
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| wrong(" is not FEATURE=NUMBER, such as income=52000".to_owned()))?;
    let names: Vec<&str> = model
        .features()
        .iter()
        .map(|feature| &*feature.name)
        .collect();
    if !names.contains(&name) {
        let near = did_you_mean(name, names.iter().copied());
        let names = names.join(", ");
        return Err(wrong(format!(": {name:?} is not one of {names}{near}")));
    }
    let number = value.parse::<f64>().ok();
    let number = number.filter(|number| number.abs() <= NUMBER_MAX);
    let number = number.ok_or_else(|| {
        wrong(format!(
            ": {value:?} is not a number from -{NUMBER_MAX} to {NUMBER_MAX}"
        ))
    })?;
    Ok((name, number))
}

fn one(args: &Args, model: &SegmentModel) -> anyhow::Result<()> {
    let known = known_values(args, model)?;
    let evaluation = model.evaluate(known.into_iter(), None);
    let prediction = Prediction::of(&evaluation, model);
    let mut out = std::io::stdout().lock();
    if args.json {
        // Members are sorted by name.
        writeln!(out, "{}", serde_json::to_value(prediction)?)?;
        return Ok(());
    }
    let (name, description) = (&prediction.segment_name, &prediction.description);
    writeln!(out, "{name}: {description}")?;
    writeln!(
        out,
        "confidence {:.2}, next would be {}",
        prediction.confidence, prediction.runner_up_id
    )?;
    for contribution in &prediction.explanation {
        let feature = &contribution.feature;
        writeln!(
            out,
            "  {feature} {:.2} (segment {:.2}) pull {:+.2}",
            contribution.value, contribution.segment_mean, contribution.pull
        )?;
    }
    for other in &prediction.what_would_change_it {
        let direction = if other.step > 0.0 { "above" } else { "below" };
        writeln!(
            out,
            "  with {} {direction} {:.2}: {}",
            other.feature, other.to, other.segment_name
        )?;
    }
    if !prediction.imputed.is_empty() {
        writeln!(out, "filled from medians: {}", prediction.imputed.join(" "))?;
    }
    Ok(())
}
