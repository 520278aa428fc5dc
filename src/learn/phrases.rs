//! What may be said of a segment: a phrase for each feature in which it differs.
//! models/README.md, Names and descriptions, has the rules.

use crate::learn::meaning::Meaning;
use crate::learn::standing::Degree;
use crate::learn::standing::Portrait;
use crate::learn::standing::Standing;
use crate::learn::wording;

/// Days since the last order, as they are typical of the segment, up to which it is recent.
const RECENT_DAYS: f64 = 31.0;
/// Days since the last order from which it is long ago, if it is also twice the usual time between two orders.
const LONG_DAYS: f64 = 180.0;
const INTERVALS: f64 = 2.0;
/// A mean up to which orders are few, and from which they are many.
const FEW: f64 = 3.0;
const MANY: f64 = 4.0;
/// Years within which the middle half of a segment must be for its age to be stated as that of its customers.
const AGES_TOGETHER: f64 = 20.0;
const STRENGTH_MIN: f64 = 0.4;
const STRENGTH_MAX: f64 = 2.5;

/// Kinds of phrases, in the order of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Income, spend and order value.
    Money,
    /// Numbers of orders.
    Orders,
    /// The time since the last order.
    Recency,
    /// The time as a customer.
    Tenure,
    /// The age.
    Age,
    /// A column of which only the name is known.
    Column,
}

/// A phrase in the words of a name, of a sentence and of an id. An id has no numbers: they change with every
/// training.
#[derive(Clone, Debug, PartialEq)]
pub struct Phrase {
    /// What it is about.
    pub kind: Kind,
    /// How far the segment lies from all customers, 0.4 to 2.5.
    pub strength: f64,
    /// In a name: "about 38 years old".
    pub name: String,
    /// In a sentence: "a lower age".
    pub sentence: String,
    /// In an id: "younger".
    pub id: String,
}

/// How long ago the last order is, where that is known and differs from all customers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Last {
    /// A month at most.
    Recent,
    /// Half a year at least, and longer than these customers usually wait.
    LongAgo,
    /// Neither.
    Between,
}

/// The phrases of a segment, strongest first.
#[must_use]
pub fn phrases(portrait: &Portrait<'_>, segment: usize) -> Vec<Phrase> {
    let standings = portrait.standings(segment);
    let mut found: Vec<Phrase> = money(&standings).into_iter().collect();
    for standing in &standings {
        let Some(degree) = standing.degree else {
            continue;
        };
        let phrase = match standing.meaning {
            Meaning::Income | Meaning::Spend | Meaning::OrderValue => continue,
            Meaning::Age => age(standing, degree),
            Meaning::Counted(what) => counted(standing, degree, what),
            Meaning::Recency => recency(standing, degree, last(&standings)),
            Meaning::Tenure => tenure(standing, degree),
            Meaning::Unknown => {
                let words = format!(
                    "{} {}",
                    degree.adjective(),
                    wording::label(&standing.all.name)
                );
                same(Kind::Column, standing, &words)
            }
        };
        found.push(phrase);
    }
    found.sort_by(|one, other| {
        let by_strength = other.strength.total_cmp(&one.strength);
        by_strength.then_with(|| one.sentence.cmp(&other.sentence))
    });
    found
}

/// How long ago the last order is, judged by days and by the segment's own time between two orders.
#[must_use]
pub fn last(standings: &[Standing<'_>]) -> Option<Last> {
    let recency = of(standings, Meaning::Recency)?;
    let degree = recency.degree?;
    let days = recency.typical();
    let is_beyond = interval_days(standings).is_none_or(|interval| days >= INTERVALS * interval);
    Some(match degree.is_above() {
        false if days <= RECENT_DAYS => Last::Recent,
        true if days >= LONG_DAYS && is_beyond => Last::LongAgo,
        _ => Last::Between,
    })
}

/// The feature of this meaning.
#[must_use]
pub fn of<'a, 'b>(standings: &'b [Standing<'a>], meaning: Meaning) -> Option<&'b Standing<'a>> {
    standings.iter().find(|one| one.meaning == meaning)
}

/// Mean days between two orders of the segment's customers, where the features tell: from the beginning of their time as
/// customers, or of the window, to the last order. Where most have bought once at most there is no such time.
fn interval_days(standings: &[Standing<'_>]) -> Option<f64> {
    // The mean and the median.
    let counted = |what: &'static str| {
        let one = of(standings, Meaning::Counted(what))?;
        Some((one.own.mean, one.own.numbers.median))
    };
    let orders = counted("orders").or_else(|| counted("purchase days"));
    let (orders, usual) = orders.or_else(|| {
        let channels = ["web orders", "store orders", "catalogue orders"];
        let each = channels.into_iter().filter_map(counted);
        each.reduce(|one, other| (one.0 + other.0, one.1 + other.1))
    })?;
    let counted = standings
        .iter()
        .find(|one| matches!(one.meaning, Meaning::Counted(_)))?;
    let tenure = of(standings, Meaning::Tenure).map(|one| one.own.mean);
    let window = counted.all.window_days.map(f64::from);
    let since_first = match (window, tenure) {
        (Some(window), Some(tenure)) => window.min(tenure),
        (window, tenure) => window.or(tenure)?,
    };
    let since_last = of(standings, Meaning::Recency).map_or(0.0, |one| one.own.mean);
    let between = (since_first - since_last).max(0.0);
    (usual > 1.0 && orders > 1.0).then(|| between / (orders - 1.0))
}

fn strength(standing: &Standing<'_>) -> f64 {
    standing.own.z.abs().clamp(STRENGTH_MIN, STRENGTH_MAX)
}

fn same(kind: Kind, standing: &Standing<'_>, words: &str) -> Phrase {
    Phrase {
        kind,
        strength: strength(standing),
        name: words.to_owned(),
        sentence: words.to_owned(),
        id: words.to_owned(),
    }
}

/// One phrase for all amounts: "low income and spend", "above-average income, low spend".
fn money(standings: &[Standing<'_>]) -> Option<Phrase> {
    let nouns = [
        (Meaning::Income, "income"),
        (Meaning::Spend, "spend"),
        (Meaning::OrderValue, "order value"),
    ];
    let mut parts: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut greatest: Option<Phrase> = None;
    for (meaning, noun) in nouns {
        let Some((standing, degree)) =
            of(standings, meaning).and_then(|one| Some((one, one.degree?)))
        else {
            continue;
        };
        let adjective = match (standing.is_negative(), degree.is_above()) {
            (true, false) => "negative",
            (true, true) => "less negative",
            (false, _) => degree.adjective(),
        };
        match parts.last_mut() {
            Some((before, nouns)) if *before == adjective => nouns.push(noun),
            _ => parts.push((adjective, vec![noun])),
        }
        let phrase = same(Kind::Money, standing, "");
        if greatest
            .as_ref()
            .is_none_or(|one| phrase.strength > one.strength)
        {
            greatest = Some(phrase);
        }
    }
    let words = parts.iter().map(|(adjective, nouns)| {
        let nouns: Vec<String> = nouns.iter().map(|noun| (*noun).to_owned()).collect();
        format!("{adjective} {}", wording::list(&nouns))
    });
    let words = words.collect::<Vec<String>>().join(", ");
    greatest.map(|phrase| Phrase {
        name: words.clone(),
        sentence: words.clone(),
        id: words,
        ..phrase
    })
}

fn counted(standing: &Standing<'_>, degree: Degree, what: &str) -> Phrase {
    let own = standing.own;
    if own.numbers.maximum == 0.0 {
        return none(standing, what);
    }
    let words = match degree {
        Degree::High if own.mean >= MANY => format!("many {what}"),
        Degree::Low if own.mean <= FEW => format!("few {what}"),
        Degree::High | Degree::Above => format!("more {what} than average"),
        Degree::Low | Degree::Below => format!("fewer {what} than average"),
    };
    same(Kind::Orders, standing, &words)
}

/// Somebody without orders in a window may well have ordered before it.
fn none(standing: &Standing<'_>, what: &str) -> Phrase {
    let words = match standing.all.window_days {
        Some(days) => format!("no {what} in {} days", wording::thousands(f64::from(days))),
        None => format!("no {what}"),
    };
    Phrase {
        id: format!("no {what}"),
        ..same(Kind::Orders, standing, &words)
    }
}

fn recency(standing: &Standing<'_>, degree: Degree, last: Option<Last>) -> Phrase {
    let (sentence, id) = match (last, degree.is_above()) {
        (Some(Last::Recent), _) => ("a recent last order", "recent order"),
        (Some(Last::LongAgo), _) => ("a long time since the last order", "long since order"),
        (_, true) => ("a longer time since the last order", "longer since order"),
        (_, false) => ("a shorter time since the last order", "shorter since order"),
    };
    Phrase {
        name: format!("last order {} ago", days(standing)),
        sentence: sentence.to_owned(),
        id: id.to_owned(),
        ..same(Kind::Recency, standing, "")
    }
}

fn tenure(standing: &Standing<'_>, degree: Degree) -> Phrase {
    let word = if degree.is_above() {
        "longer"
    } else {
        "shorter"
    };
    Phrase {
        name: format!("customers for {}", days(standing)),
        sentence: format!("a {word} time as customers"),
        id: format!("{word} tenure"),
        ..same(Kind::Tenure, standing, "")
    }
}

fn age(standing: &Standing<'_>, degree: Degree) -> Phrase {
    let own = standing.own;
    let (age, id) = if degree.is_above() {
        ("a higher age", "older")
    } else {
        ("a lower age", "younger")
    };
    let are_together = own.numbers.third_quartile - own.numbers.first_quartile <= AGES_TOGETHER;
    let name = if are_together {
        format!("about {} years old", wording::thousands(own.mean))
    } else {
        format!("mean age {}", wording::thousands(own.mean))
    };
    Phrase {
        name,
        sentence: age.to_owned(),
        id: id.to_owned(),
        ..same(Kind::Age, standing, "")
    }
}

/// The typical number of days: "about 25 days".
#[must_use]
pub fn days(standing: &Standing<'_>) -> String {
    match standing.typical() {
        // A mean of ones may be a rounding error below 1.
        days if days < 1.0 - 1e-9 => "less than a day".to_owned(),
        days if days < 1.5 => "about 1 day".to_owned(),
        days => format!("about {} days", wording::thousands(days)),
    }
}
