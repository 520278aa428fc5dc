//! Sentences on money: the currency, and what a segment spent.

use crate::learn::analysis::Analysis;
use crate::learn::analysis::SegmentAnalysis;
use crate::learn::meaning::Meaning;
use crate::learn::wording;

/// The currency in a few words; absent where there are no amounts and none was given.
#[must_use]
pub fn currency(analysis: &Analysis) -> Option<String> {
    let mut features = analysis.features.iter();
    let has_money = features.any(|feature| Meaning::of(feature).is_money());
    match &analysis.currency {
        Some(currency) => Some(currency.clone()),
        None if has_money => Some("not known".to_owned()),
        None => None,
    }
}

/// The same in a sentence.
#[must_use]
pub fn currency_sentence(analysis: &Analysis) -> String {
    match currency(analysis) {
        Some(_) if analysis.currency.is_none() => {
            "The currency of the amounts is not known.".to_owned()
        }
        Some(currency) => format!("Amounts are in {currency}."),
        None => "No feature is known to be an amount of money.".to_owned(),
    }
}

/// What a segment spent, and its share; absent without a feature for it.
#[must_use]
pub fn revenue_sentence(segment: &SegmentAnalysis, analysis: &Analysis) -> Option<String> {
    let own = segment.revenue?;
    let all = analysis.revenue?;
    let unit = match &analysis.currency {
        Some(currency) => format!(" {currency}"),
        None => String::new(),
    };
    let window = match all.window_days {
        Some(days) => format!(" over {} days", wording::thousands(f64::from(days))),
        None => String::new(),
    };
    let amount = wording::thousands(own.sum);
    let total = wording::thousands(all.sum);
    Some(match own.share {
        Some(share) => format!(
            "Revenue{window}: {amount}{unit}, {} of the {total}{unit} of all customers used.",
            wording::percent(share)
        ),
        None => format!(
            "Revenue{window}: {amount}{unit}. Shares have no meaning, because {}.",
            why_no_shares(analysis)
        ),
    })
}

fn why_no_shares(analysis: &Analysis) -> String {
    let is_negative = |one: &SegmentAnalysis| one.revenue.is_some_and(|revenue| revenue.sum < 0.0);
    let segments = analysis.segments.iter().enumerate();
    let negative = segments.filter(|(_, one)| is_negative(one));
    let negative: Vec<String> = negative.map(|(place, _)| (place + 1).to_string()).collect();
    match negative.as_slice() {
        [] => "the revenue of all customers is 0".to_owned(),
        [one] => format!("the revenue of segment {one} is negative"),
        several => format!(
            "the revenue of segments {} is negative",
            wording::list(several)
        ),
    }
}
