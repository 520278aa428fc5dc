//! Describes a segment in plain words: how it differs from all customers, its size and its means.

use crate::learn::meaning::Meaning;
use crate::learn::naming::is_near_average;
use crate::learn::phrases::phrases;
use crate::learn::standing::Portrait;
use crate::learn::standing::Standing;
use crate::learn::wording;

/// Differences that a description names.
const PHRASES_MAX: usize = 4;
/// Means that a description states, those that lie farthest from all customers.
const MEANS_MAX: usize = 8;

/// A sentence on the differences, one on the number of customers, one on the means.
#[must_use]
pub fn describe(portrait: &Portrait<'_>, segment: usize) -> String {
    let customers = wording::whole(portrait.customers());
    let start = if portrait.segments.len() == 1 {
        format!("All {customers} customers. Means: ")
    } else {
        format!(
            "{} {} of {customers} customers ({}). Means, in brackets those of all customers: ",
            differences(portrait, segment),
            wording::whole(portrait.size(segment)),
            wording::percent(portrait.share(segment)),
        )
    };
    format!("{start}{}.{}", means(portrait, segment), windows(portrait))
}

fn differences(portrait: &Portrait<'_>, segment: usize) -> String {
    let found = phrases(portrait, segment).into_iter().take(PHRASES_MAX);
    let found: Vec<String> = found.map(|phrase| phrase.sentence).collect();
    if !found.is_empty() {
        return format!("Compared with all customers: {}.", wording::list(&found));
    }
    if is_near_average(portrait, segment) {
        "Near the average of all customers in every feature.".to_owned()
    } else {
        "No single feature sets most of these customers clearly apart.".to_owned()
    }
}

fn means(portrait: &Portrait<'_>, segment: usize) -> String {
    let standings = portrait.standings(segment);
    let mut farthest: Vec<usize> = (0..standings.len()).collect();
    let distance = |place: &usize| standings.get(*place).map_or(0.0, |one| one.own.z.abs());
    farthest.sort_by(|one, other| distance(other).total_cmp(&distance(one)));
    farthest.truncate(MEANS_MAX);
    let stated = standings.iter().enumerate();
    let stated: Vec<String> = stated
        .filter(|(place, _)| farthest.contains(place))
        .map(|(_, one)| mean(portrait, one))
        .collect();
    let rest = standings.len() - stated.len();
    let stated = stated.join("; ");
    match rest {
        0 => stated,
        1 => format!("{stated}; and 1 more feature"),
        rest => format!("{stated}; and {rest} more features"),
    }
}

/// "income 40,886 EUR (51,959)".
fn mean(portrait: &Portrait<'_>, standing: &Standing<'_>) -> String {
    let spread = standing.all.standard_deviation;
    let noun = standing.meaning.noun(&standing.all.name);
    let own = wording::number(standing.own.mean, spread);
    let unit = match portrait.currency {
        Some(currency) if standing.meaning.is_money() => format!(" {currency}"),
        _ => String::new(),
    };
    if portrait.segments.len() == 1 {
        return format!("{noun} {own}{unit}");
    }
    let all = wording::number(standing.all.mean, spread);
    format!("{noun} {own}{unit} ({all})")
}

/// Over which days the amounts and orders count, where it is the same for all that have a window.
fn windows(portrait: &Portrait<'_>) -> String {
    let mut windows = portrait.features.iter().filter_map(|one| one.window_days);
    match windows.next() {
        Some(days) if windows.all(|other| other == days) => {
            let days = wording::thousands(f64::from(days));
            format!(" {} {days} days.", windowed(portrait))
        }
        _ => String::new(),
    }
}

/// "Spend and orders are those of": what has a window, each once.
fn windowed(portrait: &Portrait<'_>) -> String {
    let mut what: Vec<String> = Vec::new();
    let mut is_plural = false;
    let windowed = portrait.features.iter();
    for feature in windowed.filter(|one| one.window_days.is_some()) {
        let meaning = Meaning::of(feature);
        let noun = match meaning {
            Meaning::Counted("purchase days") => "purchase days".to_owned(),
            Meaning::Counted(_) => "orders".to_owned(),
            Meaning::Age
            | Meaning::Income
            | Meaning::Spend
            | Meaning::OrderValue
            | Meaning::Recency
            | Meaning::Tenure
            | Meaning::Unknown => meaning.noun(&feature.name),
        };
        is_plural |= matches!(meaning, Meaning::Counted(_));
        if !what.contains(&noun) {
            what.push(noun);
        }
    }
    let verb = if is_plural || what.len() > 1 {
        "are those of"
    } else {
        "is that of"
    };
    format!("{} {verb}", wording::capitalised(&wording::list(&what)))
}
