//! Which column of a file stands for which of the format.

use std::collections::HashSet;
use std::path::Path;

use crate::dataset::column::Column;
use crate::dataset::column::Kind;
use crate::dataset::column::Others;
use crate::dataset::column_error::ColumnError;
use crate::dataset::error::Error;
use crate::dataset::hints::doubt;
use crate::dataset::hints::hint;
use crate::dataset::hints::taken_by;
use crate::dataset::options::ColumnNames;
use crate::dataset::shape::Joined;
use crate::dataset::shape::Name;
use crate::dataset::shape::Shape;
use crate::domain::nearest::did_you_mean;
/// The names of the columns: those of `--columns` where it names them, else those of the header. `occurred_at=DATE+TIME` makes a column
/// of two; the pairs are the second of what is returned.
///
/// # Errors
/// If `--columns` names a column that the file does not have, or has twice.
pub(super) fn names(
    path: &Path,
    header: &[String],
    columns: &ColumnNames,
) -> Result<(Vec<Name>, Vec<Joined>), Error> {
    let mut names = Vec::new();
    let mut joined = Vec::new();
    for (name, wanted) in &columns.pairs {
        let is_left_out = wanted.is_empty();
        let pair = format!("{name}={wanted}");
        let wanted = if is_left_out { name } else { wanted };
        let place = match place_of(path, header, wanted)? {
            Some(_) if is_left_out => continue,
            Some(place) => place,
            None => match parts_of(path, header, wanted)? {
                Some(parts) => {
                    joined.push(parts);
                    header.len() + joined.len() - 1
                }
                None => {
                    let there = header.iter().map(String::as_str);
                    // The name of the format stands first.
                    let near = if header.contains(name) {
                        format!("; did you mean {wanted}={name}?")
                    } else {
                        did_you_mean(wanted, there)
                    };
                    return Err(Error::from(ColumnError::UnknownColumn {
                        path: path.to_owned(),
                        pair,
                        column: wanted.clone(),
                        found: format!("; it has {}{near}", listed(header)),
                    }));
                }
            },
        };
        names.push(Name {
            name: name.clone(),
            header: wanted.clone(),
            place,
            kind: None,
        });
    }
    let parts = joined.iter().flat_map(|pair| [pair.date, pair.time]);
    let places: HashSet<usize> = names.iter().map(|name| name.place).chain(parts).collect();
    let mut known: HashSet<String> = names.iter().map(|name| name.name.clone()).collect();
    for (place, text) in header.iter().enumerate() {
        let is_left_out = places.contains(&place) || columns.leaves_out(text);
        if !text.is_empty() && !is_left_out && known.insert(text.clone()) {
            names.push(Name {
                name: text.clone(),
                header: text.clone(),
                place,
                kind: None,
            });
        }
    }
    Ok((names, joined))
}

/// Where a column is, from 0.
fn place_of(path: &Path, header: &[String], wanted: &str) -> Result<Option<usize>, Error> {
    let places = header.iter().enumerate();
    let mut places = places.filter(|(_, text)| *text == wanted);
    let place = places.next().map(|(place, _)| place);
    match places.next() {
        Some(_) => Err(twice(path, wanted)),
        None => Ok(place),
    }
}

/// The columns of `DATE+TIME`.
fn parts_of(path: &Path, header: &[String], wanted: &str) -> Result<Option<Joined>, Error> {
    let Some((date, time)) = wanted.split_once('+') else {
        return Ok(None);
    };
    let date = place_of(path, header, date.trim())?;
    let time = place_of(path, header, time.trim())?;
    Ok(date.zip(time).map(|(date, time)| Joined { date, time }))
}

/// The names of a header, those with a comma in quotes.
fn listed(header: &[String]) -> String {
    let names = header.iter().map(|name| {
        if name.contains(',') {
            format!("{name:?}")
        } else {
            name.clone()
        }
    });
    names.collect::<Vec<String>>().join(", ")
}

fn twice(path: &Path, column: &str) -> Error {
    Error::from(ColumnError::ColumnTwice {
        path: path.to_owned(),
        column: column.to_owned(),
    })
}

/// Compares a file's columns with those that a format expects.
///
/// # Errors
/// Names a required column that is missing, with a guess at `--columns`; a name of `--columns` that the format does not know; a column that
/// is there twice; two columns that are to make one that is no time.
pub(super) fn check(shape: &Shape, columns: &[Column], others: Others) -> Result<(), Error> {
    let known: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
    for (name, _) in &shape.options.columns.pairs {
        if others == Others::Ignored && !known.contains(name) {
            return Err(Error::from(ColumnError::UnknownName {
                name: name.clone(),
                similar: did_you_mean(name, known.iter().map(String::as_str)),
                known: known.join(", "),
            }));
        }
    }
    refuse_twice(shape, others)?;
    refuse_joined(shape, columns)?;
    let mut missing: Vec<String> = Vec::new();
    for column in columns {
        match shape.names.iter().find(|name| name.name == column.name) {
            Some(name) => {
                let same = shape.header.iter().filter(|text| **text == name.header);
                if same.count() > 1 {
                    return Err(twice(&shape.path, &name.header));
                }
            }
            None if column.is_required => {
                if let Some(by) = taken_by(shape, &column.name) {
                    return Err(Error::from(ColumnError::ColumnTaken {
                        column: column.name.clone(),
                        by,
                    }));
                }
                missing.push(format!("{:?}", column.name));
            }
            None => {}
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::from(ColumnError::MissingColumn {
        path: shape.path.clone(),
        column: missing.join(" and no "),
        found: listed(&shape.header),
        hint: format!("{}{}", hint(shape, columns), doubt(shape)),
    }))
}

/// Where every column is read, none may be there twice.
fn refuse_twice(shape: &Shape, others: Others) -> Result<(), Error> {
    let mut seen = HashSet::new();
    let mut named = shape.header.iter().filter(|text| !text.is_empty());
    let again = named.find(|text| !seen.insert(text.as_str()));
    if let (Others::Read, Some(text)) = (others, again) {
        return Err(twice(&shape.path, text));
    }
    Ok(())
}

/// Only a time is made of two columns.
fn refuse_joined(shape: &Shape, columns: &[Column]) -> Result<(), Error> {
    let joined = shape.names.iter().find(|name| {
        let kind = columns.iter().find(|column| column.name == name.name);
        let is_time = kind.is_some_and(|column| column.kind == Kind::Instant);
        name.place >= shape.header.len() && !is_time
    });
    if let Some(name) = joined {
        return Err(Error::from(ColumnError::TwoColumns {
            pair: format!("{}={}", name.name, name.header),
            name: name.name.clone(),
        }));
    }
    Ok(())
}
