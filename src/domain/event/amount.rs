//! Amounts of an event in minor units of the base currency.

use crate::domain::event::fields::Field;
use crate::domain::event::raw::RawEvent;
use crate::domain::event::rejection::InvalidEvent;
use crate::domain::event::rejection::RejectReason;
use crate::domain::event::rules::IntakeRules;
use crate::domain::ids::EVENT_ID_CHARACTERS_MAX;
use crate::domain::money::Currency;
use crate::domain::money::Decimal;
use crate::domain::money::Money;

/// Currencies that a message names.
const CURRENCIES_NAMED_MAX: usize = 20;

/// The currency of an event and its rate into the base.
pub(super) fn currency(
    raw: &RawEvent<'_>,
    rules: &IntakeRules,
) -> Result<(Currency, Decimal), InvalidEvent> {
    let field = Field::new("currency", raw.currency, RejectReason::Currency);
    let currency = field
        .text(EVENT_ID_CHARACTERS_MAX)?
        .and_then(|text| Currency::parse(&text))
        .ok_or_else(|| field.invalid("an ISO 4217 code of three capital letters"))?;
    let rate = rules.exchange.rate(currency).ok_or_else(|| {
        Field::new("currency", raw.currency, RejectReason::UnknownCurrency)
            .invalid(&currencies_allowed(rules))
    })?;
    Ok((currency, rate))
}

/// The currencies that can be converted, by name.
fn currencies_allowed(rules: &IntakeRules) -> String {
    let exchange = &rules.exchange;
    let rates = exchange.rates.iter().take(CURRENCIES_NAMED_MAX);
    let mut named: Vec<&str> = rates.map(|(currency, _)| currency.as_str()).collect();
    named.sort_unstable();
    let more = exchange.rates.len() - named.len();
    let named = match (named.len(), more) {
        (0, _) => "none has one".to_owned(),
        (_, 0) => named.join(", "),
        _ => format!("{} and {more} more", named.join(", ")),
    };
    let base = exchange.base;
    format!("the base currency {base}, or one with a rate in money.rates ({named})")
}

/// An amount times two factors, such as the quantity and the rate of its currency, in minor units of the base; not over
/// the cap.
pub(super) fn converted(
    field: &Field<'_>,
    factors: [Decimal; 2],
    rules: &IntakeRules,
) -> Result<Option<Money>, InvalidEvent> {
    let Some(amount) = field.amount()? else {
        return Ok(None);
    };
    let over_cap = || {
        let cap = rules
            .exchange
            .amount_max
            .to_plain_decimal(&rules.exchange.base);
        field.invalid(&format!("at most {cap} {}", rules.exchange.base))
    };
    let money = amount.times_to_minor(factors, &rules.exchange.base);
    let money = money.filter(|money| *money <= rules.exchange.amount_max);
    money.map(Some).ok_or_else(over_cap)
}

pub(super) fn refund(
    raw: &RawEvent<'_>,
    rate: Decimal,
    rules: &IntakeRules,
) -> Result<(), InvalidEvent> {
    let amount = Field::new("refund_amount", raw.refund_amount, RejectReason::Refund);
    let is_positive =
        converted(&amount, [rate, Decimal::ONE], rules)?.is_some_and(|money| money > Money::ZERO);
    if !is_positive {
        return Err(amount.invalid("a decimal number above zero"));
    }
    Field::new("refund_id", raw.refund_id, RejectReason::Refund).id(EVENT_ID_CHARACTERS_MAX)?;
    Ok(())
}
