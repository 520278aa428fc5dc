//! A suggested action for a segment. Each sentence names the numbers that it rests on, and promises nothing; where
//! the numbers suggest nothing, it says so.

use crate::learn::meaning::Meaning;
use crate::learn::phrases::Last;
use crate::learn::phrases::days;
use crate::learn::phrases::last;
use crate::learn::phrases::of;
use crate::learn::standing::Degree;
use crate::learn::standing::Portrait;
use crate::learn::standing::Standing;
use crate::learn::wording;

/// Standard deviations by which one channel must lie above the other.
const CHANNELS_APART: f64 = 0.4;
/// Fewer customers than these bear no conclusion.
const CUSTOMERS_MIN: u64 = 5;

/// What could be done, and why.
#[must_use]
pub fn suggestion(portrait: &Portrait<'_>, segment: usize) -> String {
    if portrait.segments.len() == 1 {
        return "The only segment has all customers, so nothing suggests an action for it."
            .to_owned();
    }
    match portrait.size(segment) {
        1 => return "No action follows from a single customer.".to_owned(),
        few @ 0..CUSTOMERS_MIN => {
            return format!("No action follows from {few} customers: they are too few.");
        }
        _ => {}
    }
    let standings = portrait.standings(segment);
    let first = by_spend_and_time(portrait, &standings);
    let others = [channel(&standings), discounts(&standings)];
    let mut sentences: Vec<String> = first.into_iter().collect();
    sentences.extend(others.into_iter().flatten());
    if sentences.is_empty() {
        sentences.push(neutral(portrait, &standings));
    }
    sentences.join(" ")
}

fn by_spend_and_time(portrait: &Portrait<'_>, standings: &[Standing<'_>]) -> Option<String> {
    let money = [Meaning::Spend, Meaning::OrderValue];
    let known = || {
        money
            .into_iter()
            .filter_map(|meaning| of(standings, meaning))
    };
    if let Some(negative) = known().find(|one| one.is_negative()) {
        let means = means(portrait, negative);
        return Some(format!(
            "Find out why money goes back to these customers: {means}."
        ));
    }
    let money = known().find(|one| one.degree.is_some());
    let recency = of(standings, Meaning::Recency);
    let ago = recency.map_or_else(String::new, days);
    let means = money.map_or_else(String::new, |one| means(portrait, one));
    let is_above = money.and_then(|one| one.degree).map(Degree::is_above);
    Some(match (last(standings), is_above) {
        (Some(Last::LongAgo), Some(true)) => format!(
            "Consider asking a part of them to come back, and compare with the others: the last order was {ago} ago, \
             and {means}."
        ),
        (Some(Last::LongAgo), Some(false)) => {
            format!("A cheap reminder at most: the last order was {ago} ago, and {means}.")
        }
        (Some(Last::LongAgo), None) => format!(
            "Consider a reminder to a part of them, and compare with the others: the last order was {ago} ago."
        ),
        (Some(Last::Recent), Some(true)) => {
            format!("Consider a thank-you: the last order was {ago} ago, and {means}.")
        }
        (Some(Last::Recent), _) => {
            format!("Consider showing them what goes with their last order: it was {ago} ago.")
        }
        (_, Some(true)) => {
            format!("Consider a thank-you or personal service: {means}.")
        }
        (_, Some(false)) => {
            format!("Their spend alone gives no reason for a special effort: {means}.")
        }
        (_, None) => return None,
    })
}

/// "mean spend 152 EUR (all customers 607)".
fn means(portrait: &Portrait<'_>, standing: &Standing<'_>) -> String {
    let spread = standing.all.standard_deviation;
    let unit = match portrait.currency {
        Some(currency) if standing.meaning.is_money() => format!(" {currency}"),
        _ => String::new(),
    };
    format!(
        "mean {} {}{unit} (all customers {})",
        standing.meaning.noun(&standing.all.name),
        wording::number(standing.own.mean, spread),
        wording::number(standing.all.mean, spread),
    )
}

/// Where they buy more than others and most themselves, if that is clearly one of two channels.
fn channel(standings: &[Standing<'_>]) -> Option<String> {
    let web = of(standings, Meaning::Counted("web orders"))?;
    let store = of(standings, Meaning::Counted("store orders"))?;
    let (more, less, place) = if web.own.z > store.own.z {
        (web, store, "on the web")
    } else {
        (store, web, "in stores")
    };
    let is_above = more.degree.is_some_and(Degree::is_above);
    let is_apart = more.own.z - less.own.z >= CHANNELS_APART;
    (is_above && is_apart && more.own.mean > less.own.mean).then(|| {
        let own = |one: &Standing<'_>| {
            let mean = wording::number(one.own.mean, one.all.standard_deviation);
            format!("{mean} {}", one.meaning.noun(&one.all.name))
        };
        let all = |one: &Standing<'_>| wording::number(one.all.mean, one.all.standard_deviation);
        format!(
            "Meet them {place}: {} and {} on average, where all customers have {} and {}.",
            own(more),
            own(less),
            all(more),
            all(less),
        )
    })
}

fn discounts(standings: &[Standing<'_>]) -> Option<String> {
    let deals = of(standings, Meaning::Counted("orders at a discount"))?;
    deals.degree.filter(|degree| degree.is_above())?;
    Some(format!(
        "They use offers: {} orders at a discount on average, where all customers have {}.",
        wording::number(deals.own.mean, deals.all.standard_deviation),
        wording::number(deals.all.mean, deals.all.standard_deviation),
    ))
}

fn neutral(portrait: &Portrait<'_>, standings: &[Standing<'_>]) -> String {
    let farthest = standings
        .iter()
        .filter(|one| one.degree.is_some())
        .max_by(|one, other| {
            let by_distance = one.own.z.abs().total_cmp(&other.own.z.abs());
            by_distance.then_with(|| other.all.name.cmp(&one.all.name))
        });
    match farthest {
        Some(standing) => format!(
            "No action follows from these numbers alone; what sets them apart most: {}.",
            means(portrait, standing)
        ),
        None => "No action follows from these numbers.".to_owned(),
    }
}
