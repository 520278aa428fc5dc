//! Names and ids of segments by rule: deterministic, unique, for any number of segments.
//! models/README.md, Names and descriptions.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::learn::analysis::FeatureSummary;
use crate::learn::meaning::Meaning;
use crate::learn::phrases::Kind;
use crate::learn::phrases::Phrase;
use crate::learn::phrases::phrases;
use crate::learn::standing::APART;
use crate::learn::standing::Portrait;
use crate::learn::wording;

/// Phrases of a name.
const PHRASES_MAX: usize = 3;
/// What money, the last order and the age count more than other features.
const PREFERENCE: f64 = 0.5;
/// Letters of a name or an id before what tells it from its likes.
const LETTERS_MAX: usize = 70;
/// Letters of what tells it, and of a noun in it.
const CONTRAST_LETTERS_MAX: usize = 48;
const NOUN_LETTERS_MAX: usize = 20;
/// Features that tell segments of the same name apart.
const CONTRASTS_MAX: usize = 2;

/// A segment's name and its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// For people.
    pub name: String,
    /// Lower-case letters, digits and hyphens.
    pub id: String,
}

/// One name and id a segment, no two the same.
#[must_use]
pub fn names(portrait: &Portrait<'_>) -> Vec<Named> {
    let segments = portrait.segments.len();
    if segments == 1 {
        return vec![Named {
            name: "All customers".to_owned(),
            id: "all-customers".to_owned(),
        }];
    }
    let (names, ids): (Vec<String>, Vec<String>) =
        (0..segments).map(|segment| base(portrait, segment)).unzip();
    let names = apart(&names, |group| contrasts(portrait, group));
    let ids = apart(&ids, |group| ranks(portrait, group));
    let names = distinct(names, " no. ").into_iter();
    let ids = distinct(ids, "-").into_iter();
    let pairs = names.zip(ids);
    pairs.map(|(name, id)| Named { name, id }).collect()
}

/// Is the segment within 0.4 standard deviations of all customers in every feature?
pub(super) fn is_near_average(portrait: &Portrait<'_>, segment: usize) -> bool {
    let features = portrait.segments.get(segment).into_iter().flatten();
    features.into_iter().all(|feature| feature.z.abs() < APART)
}

fn base(portrait: &Portrait<'_>, segment: usize) -> (String, String) {
    let chosen = chosen(phrases(portrait, segment));
    if chosen.is_empty() {
        return plain(portrait, segment);
    }
    let name: Vec<&str> = chosen.iter().map(|one| one.name.as_str()).collect();
    let id: Vec<&str> = chosen.iter().map(|one| one.id.as_str()).collect();
    (wording::capitalised(&name.join(", ")), slug(&id.join("-")))
}

/// The strongest phrases that have room, in the order of their kinds.
fn chosen(mut phrases: Vec<Phrase>) -> Vec<Phrase> {
    let weight = |phrase: &Phrase| match phrase.kind {
        Kind::Money | Kind::Recency | Kind::Age => phrase.strength + PREFERENCE,
        Kind::Orders | Kind::Tenure | Kind::Column => phrase.strength,
    };
    phrases.sort_by(|one, other| weight(other).total_cmp(&weight(one)));
    let mut chosen: Vec<Phrase> = Vec::with_capacity(PHRASES_MAX);
    let mut letters = 0;
    for phrase in phrases {
        // Orders of several channels say nearly the same.
        let is_said =
            phrase.kind == Kind::Orders && chosen.iter().any(|one| one.kind == Kind::Orders);
        let longer = letters + phrase.name.chars().count();
        let has_room = chosen.is_empty() || longer <= LETTERS_MAX;
        if chosen.len() < PHRASES_MAX && has_room && !is_said {
            letters = longer;
            chosen.push(phrase);
        }
    }
    chosen.sort_by_key(|one| one.kind);
    chosen
}

/// The name of a segment of which no phrase holds: near the average, or the mean that lies farthest from it.
fn plain(portrait: &Portrait<'_>, segment: usize) -> (String, String) {
    let own = portrait.segments.get(segment).into_iter().flatten();
    let each = portrait.features.iter().zip(own);
    let farthest = each.max_by(|(one, own), (other, others)| {
        let by_distance = own.z.abs().total_cmp(&others.z.abs());
        by_distance.then_with(|| other.name.cmp(&one.name))
    });
    match farthest {
        Some((all, own)) if !is_near_average(portrait, segment) => {
            let noun = Meaning::of(all).noun(&all.name);
            let mean = wording::number(own.mean, all.standard_deviation);
            (format!("Mean {noun} {mean}"), slug(&noun))
        }
        _ => ("Near the average".to_owned(), "near-average".to_owned()),
    }
}

/// Appends the result of `suffixes` to the texts of each group of equal texts.
fn apart(texts: &[String], suffixes: impl Fn(&[usize]) -> Vec<String>) -> Vec<String> {
    let mut groups: BTreeMap<&String, Vec<usize>> = BTreeMap::new();
    for (segment, text) in texts.iter().enumerate() {
        groups.entry(text).or_default().push(segment);
    }
    let mut parted = texts.to_vec();
    for group in groups.values().filter(|group| group.len() > 1) {
        for (segment, suffix) in group.iter().zip(suffixes(group)) {
            if let Some(text) = parted.get_mut(*segment) {
                text.push_str(&suffix);
            }
        }
    }
    parted
}

/// Places of the features in which the segments of a group differ, most different first.
fn differing(portrait: &Portrait<'_>, group: &[usize]) -> Vec<usize> {
    let range = |place: usize| {
        let (least, greatest) = group
            .iter()
            .filter_map(|segment| z(portrait, *segment, place))
            .fold(
                (f64::INFINITY, f64::NEG_INFINITY),
                |(least, greatest), z| (least.min(z), greatest.max(z)),
            );
        greatest - least
    };
    let name = |place: &usize| portrait.features.get(*place).map(|one| one.name.as_str());
    let mut places: Vec<usize> = (0..portrait.features.len()).collect();
    places.sort_by(|one, other| {
        let by_range = range(*other).total_cmp(&range(*one));
        by_range.then_with(|| name(one).cmp(&name(other)))
    });
    places
}

fn z(portrait: &Portrait<'_>, segment: usize, place: usize) -> Option<f64> {
    Some(portrait.segments.get(segment)?.get(place)?.z)
}

/// The means in which segments of one name differ: " (spend 91)".
fn contrasts(portrait: &Portrait<'_>, group: &[usize]) -> Vec<String> {
    let places = differing(portrait, group);
    let text = |segment: usize, places: &[usize]| {
        let parts = places.iter().filter_map(|place| {
            let all = portrait.features.get(*place)?;
            let own = portrait.segments.get(segment)?.get(*place)?;
            let mean = wording::number(own.mean, all.standard_deviation);
            Some(format!("{} {mean}", short_noun(all)))
        });
        format!(" ({})", parts.collect::<Vec<String>>().join(", "))
    };
    let mut suffixes = Vec::new();
    for used in 1..=CONTRASTS_MAX.min(places.len()) {
        let used = places.get(..used).unwrap_or_default();
        let tried: Vec<String> = group.iter().map(|segment| text(*segment, used)).collect();
        let has_room = tried
            .iter()
            .all(|one| one.chars().count() <= CONTRAST_LETTERS_MAX);
        if has_room || suffixes.is_empty() {
            suffixes = tried;
        }
        let different: BTreeSet<&String> = suffixes.iter().collect();
        if different.len() == group.len() {
            break;
        }
    }
    suffixes
}

fn short_noun(feature: &FeatureSummary) -> String {
    let meaning = Meaning::of(feature);
    let noun = meaning.noun(&feature.name);
    if meaning == Meaning::Unknown {
        noun.chars().take(NOUN_LETTERS_MAX).collect()
    } else {
        noun
    }
}

/// What tells ids of a group apart: "-lower-spend" and "-higher-spend", or "-spend-1-of-3".
fn ranks(portrait: &Portrait<'_>, group: &[usize]) -> Vec<String> {
    let places = differing(portrait, group);
    let mut order = group.to_vec();
    order.sort_by(|one, other| {
        let differences = places.iter().map(|place| {
            let of = |segment: usize| z(portrait, segment, *place).unwrap_or(0.0);
            of(*one).total_cmp(&of(*other))
        });
        let first = differences.into_iter().find(|order| order.is_ne());
        first.unwrap_or(Ordering::Equal).then(one.cmp(other))
    });
    let label = places
        .first()
        .and_then(|place| portrait.features.get(*place))
        .map_or_else(String::new, short_noun);
    let suffix = |segment: &usize| {
        let rank = order.iter().position(|other| other == segment);
        match (order.len(), rank.unwrap_or(0)) {
            (2, 0) => format!("-{}", slug(&format!("lower {label}"))),
            (2, _) => format!("-{}", slug(&format!("higher {label}"))),
            (members, rank) => {
                format!("-{}", slug(&format!("{label} {} of {members}", rank + 1)))
            }
        }
    };
    group.iter().map(suffix).collect()
}

/// Numbers those that are still equal.
fn distinct(texts: Vec<String>, between: &str) -> Vec<String> {
    let all: BTreeSet<String> = texts.iter().cloned().collect();
    let mut taken = BTreeSet::new();
    let mut distinct = Vec::with_capacity(texts.len());
    for text in texts {
        let mut candidate = text.clone();
        let mut number = 1;
        while taken.contains(&candidate) || (number > 1 && all.contains(&candidate)) {
            number += 1;
            candidate = format!("{text}{between}{number}");
        }
        taken.insert(candidate.clone());
        distinct.push(candidate);
    }
    distinct
}

/// How letters of European languages are written without their marks.
const PLAIN_LETTERS: [(&str, &str); 22] = [
    ("ä", "ae"),
    ("ö", "oe"),
    ("ü", "ue"),
    ("ß", "ss"),
    ("æ", "ae"),
    ("œ", "oe"),
    ("þ", "th"),
    ("àáâãåāăą", "a"),
    ("çćčĉċ", "c"),
    ("ďđð", "d"),
    ("èéêëēĕėęě", "e"),
    ("ĝğġģ", "g"),
    ("ìíîïĩīĭįı", "i"),
    ("łĺļľ", "l"),
    ("ñńņň", "n"),
    ("òóôõøōŏő", "o"),
    ("ŕŗř", "r"),
    ("śŝşšș", "s"),
    ("ţťŧț", "t"),
    ("ùúûũūŭůűų", "u"),
    ("ýÿ", "y"),
    ("źżž", "z"),
];

/// The letters a to z that stand for a letter; absent where there are none.
fn plain_letters(letter: char) -> Option<&'static str> {
    let lower = letter.to_lowercase().next().unwrap_or(letter);
    let found = PLAIN_LETTERS
        .iter()
        .find(|(letters, _)| letters.contains(lower));
    found.map(|(_, plain)| *plain)
}

/// Lower-case letters, digits and hyphens: an id. What has none of them is a "segment".
#[must_use]
pub fn slug(name: &str) -> String {
    let mut slug = String::with_capacity(name.len());
    for character in name.chars() {
        if character.is_ascii_alphanumeric() {
            slug.push(character.to_ascii_lowercase());
        } else if let Some(plain) = plain_letters(character) {
            slug.push_str(plain);
        } else if !slug.ends_with('-') {
            slug.push('-');
        }
    }
    match slug.trim_matches('-') {
        "" => "segment".to_owned(),
        slug => slug.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_keeps_letters_with_marks() {
        for (name, id) in [
            ("high Größe", "high-groesse"),
            ("low Élan, Ærø", "low-elan-aero"),
            ("Über 20 %", "ueber-20"),
            ("Żółw Řeka", "zolw-reka"),
            ("購買金額", "segment"),
            ("high 購買金額", "high"),
        ] {
            assert_eq!(slug(name), id);
        }
    }
}
