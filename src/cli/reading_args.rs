//! The flags that say how a file is to be read, the same in every command that reads one.

use std::io;
use std::io::Write;

use crate::cli::exit::CallError;
use crate::dataset::ColumnNames;
use crate::dataset::DecimalSign;
use crate::dataset::Encoding;
use crate::dataset::Found;
use crate::dataset::Options;
use crate::dataset::Separator;
use crate::dataset::check_date_format;
use crate::domain::money::Currency;
use crate::domain::time::BusinessZone;

/// How a file is to be read. What is not given is found in the file.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "How the file is read")]
pub struct ReadingArgs {
    /// Encoding of a text file; if absent, UTF-8, or UTF-16 where the file shows it.
    #[arg(long, value_enum)]
    encoding: Option<Encoding>,
    /// What stands between the fields: one character, or comma, semicolon, tab or pipe; if absent, found in the header.
    #[arg(long)]
    separator: Option<Separator>,
    /// The sheet of a workbook (.xlsx); if absent, the first one.
    #[arg(long)]
    sheet: Option<String>,
    /// Which column of the file stands for which of the format, such as customer_id=CustomerID,revenue=Total; may be given several
    /// times.
    #[arg(long, value_name = "NAME=COLUMN,...")]
    columns: Vec<String>,
    /// How dates are written, such as %m/%d/%Y or "%d.%m.%Y %H:%M" (strftime, as jiff has it).
    #[arg(long, value_name = "FORMAT")]
    date_format: Option<String>,
    /// The sign before the fraction of numbers.
    #[arg(long, value_enum)]
    decimal: Option<DecimalSign>,
    /// Currency of amounts whose row states none, such as EUR; if absent, the base currency.
    #[arg(long, value_parser = parse_currency)]
    currency: Option<Currency>,
}

/// Says on standard error what a person should know about a file, where standard output has something else.
///
/// # Errors
/// If it cannot be written.
pub fn print_notes(found: &Found) -> io::Result<()> {
    let mut out = io::stderr().lock();
    for fact in found.facts.iter().filter(|fact| fact.is_notable) {
        writeln!(out, "note on the file: {fact}")?;
    }
    Ok(())
}

fn parse_currency(text: &str) -> Result<Currency, String> {
    Currency::parse(text).ok_or_else(|| {
        format!("{text:?} is not an ISO 4217 code of three capital letters, such as EUR")
    })
}

impl ReadingArgs {
    /// What the flags say, with the zone of local times and the base currency, if money has a meaning.
    ///
    /// # Errors
    /// If a flag has a wrong value.
    pub fn options(&self, zone: BusinessZone, base: Option<Currency>) -> anyhow::Result<Options> {
        let mut columns = ColumnNames::default();
        for text in &self.columns {
            let added = columns.add(text);
            added.map_err(|problem| CallError(format!("--columns: {problem}")))?;
        }
        if let Some(format) = &self.date_format {
            let checked = check_date_format(format);
            checked.map_err(|problem| CallError(format!("--date-format: {problem}")))?;
        }
        Ok(Options {
            encoding: self.encoding,
            separator: self.separator,
            sheet: self.sheet.clone(),
            columns,
            date_format: self.date_format.clone(),
            decimal: self.decimal,
            currency: self.currency,
            base,
            zone,
        })
    }

    /// Refuses flags that do not apply to what is read, as none may be ignored silently.
    ///
    /// # Errors
    /// Names the first of them. `what` is what is read, such as "--format jsonl".
    pub fn refuse_all_but(&self, what: &str, applying: &[&str]) -> anyhow::Result<()> {
        let given = [
            ("--encoding", self.encoding.is_some()),
            ("--separator", self.separator.is_some()),
            ("--sheet", self.sheet.is_some()),
            ("--columns", !self.columns.is_empty()),
            ("--date-format", self.date_format.is_some()),
            ("--decimal", self.decimal.is_some()),
            ("--currency", self.currency.is_some()),
        ];
        let mut wrong = given
            .into_iter()
            .filter(|(flag, is_given)| *is_given && !applying.contains(flag));
        match wrong.next() {
            None => Ok(()),
            Some((flag, _)) if applying.is_empty() => {
                Err(CallError(format!("{flag} does not apply to {what}")).into())
            }
            Some((flag, _)) => {
                let applying = applying.join(", ");
                let problem = format!("{flag} does not apply to {what}, which takes {applying}");
                Err(CallError(problem).into())
            }
        }
    }
}
