//! Where mistakes are planted: `mutants.toml`, and how a source file changes by it.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The marks around the expression that is replaced.
const MARKS: [char; 2] = ['«', '»'];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    mutant: Vec<Mutant>,
}

/// A mistake.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mutant {
    /// What the mistake is; `<name> is found` is the name of its test.
    pub(crate) name: String,
    /// Where it is planted.
    pub(crate) places: Vec<Place>,
}

/// An expression that the mistake replaces.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Place {
    /// Of the repository.
    pub(crate) file: String,
    /// Text that occurs once in the file, but for white space, with marks around the expression.
    pub(crate) find: String,
    /// The expression that is there instead.
    pub(crate) replace: String,
}

/// The table.
pub(crate) fn mutants(text: &str) -> Result<Vec<Mutant>, String> {
    let table: Table = toml::from_str(text).map_err(|error| error.to_string())?;
    for (place, mutant) in table.mutant.iter().enumerate() {
        let mut before = table.mutant.iter().take(place);
        if before.any(|other| other.name == mutant.name) {
            return Err(format!("two mutants are named {:?}", mutant.name));
        }
    }
    Ok(table.mutant)
}

/// A source file in which each expression is chosen by the mistake that shows.
pub(crate) fn planted(file: &str, source: &str, mutants: &[Mutant]) -> Result<String, String> {
    let mut replaced: BTreeMap<(usize, usize), Vec<(&str, &str)>> = BTreeMap::new();
    for mutant in mutants {
        for place in mutant.places.iter().filter(|place| place.file == file) {
            let span = span(source, &place.find)
                .map_err(|problem| format!("{:?}, {file}: {problem}", mutant.name))?;
            let here = replaced.entry(span).or_default();
            here.push((&mutant.name, &place.replace));
        }
    }
    let mut planted = String::new();
    let mut copied = 0;
    for ((start, end), choices) in replaced {
        let (Some(between), Some(original)) = (source.get(copied..start), source.get(start..end))
        else {
            return Err(format!("two expressions overlap: {file}, at byte {start}"));
        };
        planted.push_str(between);
        planted.push('(');
        for (name, replacement) in choices {
            planted.push_str(&format!(
                "if crate::planted::is({name:?}) {{ {replacement} }} else "
            ));
        }
        planted.push_str(&format!("{{ {original} }})"));
        copied = end;
    }
    planted.push_str(&source[copied..]);
    Ok(planted)
}

/// The bytes of the marked expression.
fn span(source: &str, find: &str) -> Result<(usize, usize), String> {
    let is_seen = |(_, letter): &(usize, char)| !letter.is_whitespace();
    let letters: Vec<(usize, char)> = source.char_indices().filter(is_seen).collect();
    let mut wanted: Vec<char> = Vec::new();
    let mut marks: Vec<usize> = Vec::new();
    for letter in find.chars().filter(|letter| !letter.is_whitespace()) {
        if MARKS.get(marks.len()) == Some(&letter) {
            marks.push(wanted.len());
        } else {
            wanted.push(letter);
        }
    }
    let &[first, after] = marks.as_slice() else {
        return Err(format!("no expression is marked in {find:?}"));
    };
    if first >= after {
        return Err(format!("nothing is marked in {find:?}"));
    }
    let is_there = |place: &usize| {
        let there = letters[*place..].iter().map(|(_, letter)| letter);
        there.take(wanted.len()).eq(&wanted)
    };
    let mut places = (0..letters.len()).filter(is_there);
    match (places.next(), places.next()) {
        (Some(place), None) => {
            let (end, last) = letters[place + after - 1];
            Ok((letters[place + first].0, end + last.len_utf8()))
        }
        (None, _) => Err(format!("{find:?} is not there any more")),
        (Some(_), Some(_)) => Err(format!("{find:?} is there more than once")),
    }
}

/// The name of a trial, and the trial.
pub(crate) type NamedTrial = (&'static str, fn() -> Result<(), String>);

/// What this file promises.
pub(crate) const TRIALS: [NamedTrial; 3] = [
    (
        "an expression is chosen by the mistake that shows",
        an_expression_is_chosen,
    ),
    (
        "a text that is not there exactly once is refused",
        a_text_that_is_not_there_once,
    ),
    ("two mutants of one name are refused", two_of_one_name),
];

const TWO: &str = r#"
    [[mutant]]
    name = "a"
    places = [{ file = "f", find = "if «x == y» {", replace = "true" }]
    [[mutant]]
    name = "b"
    places = [{ file = "f", find = "«x == y» { z", replace = "false" }]
"#;

fn an_expression_is_chosen() -> Result<(), String> {
    let mutants = mutants(TWO)?;
    let planted = planted("f", "w();\nif x\n  == y {\n  z();\n}\n", &mutants)?;
    let expected = "w();\nif (if crate::planted::is(\"a\") { true } else if crate::planted::is(\"b\") \
                    { false } else { x\n  == y }) {\n  z();\n}\n";
    if planted == expected {
        Ok(())
    } else {
        Err(planted)
    }
}

fn a_text_that_is_not_there_once() -> Result<(), String> {
    let mutants = mutants(TWO)?;
    for (source, problem) in [
        ("if x == z { z", "is not there any more"),
        ("if x == y { z } if x == y { w }", "is there more than once"),
    ] {
        match planted("f", source, &mutants) {
            Err(said) if said.contains(problem) => {}
            other => return Err(format!("{source}: {other:?}")),
        }
    }
    Ok(())
}

fn two_of_one_name() -> Result<(), String> {
    match mutants(&TWO.replace("\"b\"", "\"a\"")) {
        Err(said) if said.contains("\"a\"") => Ok(()),
        other => Err(format!("{other:?}")),
    }
}
