//! Settings of what is accepted as an event.

use crate::config::reader::Reader;
use crate::domain::event::rules::IntakeRules;
use crate::domain::money::Currency;
use crate::domain::money::Decimal;
use crate::domain::money::Exchange;
use crate::domain::money::Money;
use crate::domain::time::Timestamp;

/// Highest `events.amount_max`, in units of the base currency.
const AMOUNT_MAX: i64 = 10_000_000_000;

pub(super) fn intake(reader: &mut Reader) -> Option<IntakeRules> {
    let earliest = reader.parsed(
        "events.earliest",
        "an RFC 3339 instant with an offset, such as 1990-01-01T00:00:00Z",
        Timestamp::parse_rfc3339,
    );
    let customer_ids_ignored = reader.list("events.customer_ids_ignored");
    let base = base_currency(reader);
    let mut rates = Vec::new();
    for name in reader.names_below("money.rates.") {
        let key = format!("money.rates.{name}");
        let code = Currency::parse(&name.to_uppercase());
        let rate = reader.parsed(
            &key,
            "a decimal above 0 for an ISO 4217 code, such as EUR = \"1.08\"",
            |text| Decimal::parse(text).filter(|rate| rate.is_positive()),
        );
        match (code, rate) {
            (Some(code), Some(rate))
                if base == Some(code) && rate.canonical() != Decimal::ONE.canonical() =>
            {
                let allowed = format!("1, as {code} is money.base_currency");
                reader.problem(&key, &allowed);
            }
            (Some(code), Some(rate)) => rates.push((code, rate)),
            (None, Some(_)) => reader.problem(&key, "the rate of an ISO 4217 code"),
            (_, None) => {}
        }
    }
    let amount_max = reader.parsed(
        "events.amount_max",
        "a decimal from 1 to 10000000000",
        |text| {
            let amount = Decimal::parse(text)?;
            // A wrong base currency is a problem of its own key only.
            let Some(base) = base else {
                return Some(Money::ZERO);
            };
            let amount = amount.to_minor(&base)?;
            let unit = Decimal::ONE.to_minor(&base)?.0;
            let highest = unit.checked_mul(AMOUNT_MAX)?;
            (unit..=highest).contains(&amount.0).then_some(amount)
        },
    );
    let exchange = Exchange {
        base: base?,
        rates,
        amount_max: amount_max?,
    };
    Some(IntakeRules {
        exchange,
        earliest: earliest?,
        customer_ids_ignored: customer_ids_ignored?,
    })
}

fn base_currency(reader: &mut Reader) -> Option<Currency> {
    let key = "money.base_currency";
    let typed = reader.text(key)?;
    let base = Currency::parse(&typed);
    if base.is_none() {
        let capitals = typed.trim().to_uppercase();
        let near = Currency::parse(&capitals).map(|_| format!("; did you mean {capitals:?}?"));
        let near = near.unwrap_or_default();
        reader.problem(
            key,
            &format!("an ISO 4217 code of three capital letters, such as EUR{near}"),
        );
    }
    base
}
