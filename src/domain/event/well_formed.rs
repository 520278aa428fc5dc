//! Reads a well-formed order in one pass. What [`read`] gives is what the field rules give ([`super::parse`]); where it
//! gives nothing, they have to be asked: the event may be of another type, unusual, or wrong.

use std::borrow::Cow;

use crate::domain::event::CustomerEvent;
use crate::domain::event::EventBody;
use crate::domain::event::EventCustomer;
use crate::domain::event::Order;
use crate::domain::event::instant::accepted_instant;
use crate::domain::event::instant::instant_of_text;
use crate::domain::event::kinds::Channel;
use crate::domain::event::kinds::EventType;
use crate::domain::event::order::CATEGORY_CHARACTERS_MAX;
use crate::domain::event::rules::IntakeRules;
use crate::domain::event::scanner::Scalar;
use crate::domain::event::scanner::Scanner;
use crate::domain::event::unknown_fields::Level;
use crate::domain::event::unknown_fields::UNREAD_OF_EVENT;
use crate::domain::event::unknown_fields::UNREAD_OF_PRODUCT;
use crate::domain::event::unknown_fields::UnknownFields;
use crate::domain::ids::CUSTOMER_ID_CHARACTERS_MAX;
use crate::domain::ids::EVENT_ID_CHARACTERS_MAX;
use crate::domain::ids::has_control_character;
use crate::domain::ids::without_blank;
use crate::domain::money::Currency;
use crate::domain::money::Decimal;
use crate::domain::money::Money;
use crate::domain::time::Timestamp;

/// Most orders have no more lines.
const LINES_USUAL: usize = 4;

/// The members of an order that the reader uses. An object that has a name twice is wrong, so the reader takes each once.
#[derive(Default)]
struct Members<'a> {
    event_id: Option<Scalar<'a>>,
    event_type: Option<Scalar<'a>>,
    occurred_at: Option<Scalar<'a>>,
    customer_id: Option<Scalar<'a>>,
    is_guest: Option<Scalar<'a>>,
    order_id: Option<Scalar<'a>>,
    currency: Option<Scalar<'a>>,
    /// By their precedence: revenue, subtotal, total, value.
    amounts: [Option<Scalar<'a>>; 4],
    discount: Option<Scalar<'a>>,
    coupon: Option<Scalar<'a>>,
    channel: Option<Scalar<'a>>,
    test: Option<Scalar<'a>>,
    products: Option<Vec<Line<'a>>>,
    unknown: UnknownFields,
}

/// A product line.
#[derive(Default)]
struct Line<'a> {
    category: Option<Scalar<'a>>,
    quantity: Option<Scalar<'a>>,
    price: Option<Scalar<'a>>,
}

/// Reads a completed order that breaks no rule; `None` where that is not certain.
pub(super) fn read<'a>(
    payload: &'a [u8],
    record_time: Timestamp,
    rules: &IntakeRules,
) -> Option<CustomerEvent<'a>> {
    let members = Members::read(std::str::from_utf8(payload).ok()?)?;
    if text(members.event_type)? != Some(EventType::OrderCompleted.as_str()) {
        return None;
    }
    let is_set = |flag: Option<Scalar<'_>>| match flag {
        None | Some(Scalar::Null | Scalar::Boolean(false)) => Some(false),
        Some(_) => None,
    };
    if is_set(members.is_guest)? || is_set(members.test)? {
        return None;
    }
    let customer_id = id(members.customer_id, CUSTOMER_ID_CHARACTERS_MAX)??;
    let mut ignored = rules.customer_ids_ignored.iter();
    if ignored.any(|none| none == customer_id) {
        return None;
    }
    let event_id = id(members.event_id, EVENT_ID_CHARACTERS_MAX)??;
    let instant = instant_of_text(text(members.occurred_at)??)?;
    Some(CustomerEvent {
        event_id: Cow::Borrowed(event_id),
        occurred_at: accepted_instant(instant, record_time, rules).ok()?,
        customer: EventCustomer::Known(Cow::Borrowed(customer_id)),
        is_test: false,
        body: EventBody::OrderCompleted(members.order(rules)?),
        unknown: members.unknown,
    })
}

impl<'a> Members<'a> {
    fn read(document: &'a str) -> Option<Self> {
        let mut members = Self::default();
        let mut scanner = Scanner::new(document);
        scanner.object(|scanner, name| {
            let member = match name {
                "event_id" => &mut members.event_id,
                "type" => &mut members.event_type,
                "occurred_at" => &mut members.occurred_at,
                "customer_id" => &mut members.customer_id,
                "is_guest" => &mut members.is_guest,
                "order_id" => &mut members.order_id,
                "currency" => &mut members.currency,
                "revenue" => members.amounts.first_mut()?,
                "subtotal" => members.amounts.get_mut(1)?,
                "total" => members.amounts.get_mut(2)?,
                "value" => members.amounts.get_mut(3)?,
                "discount" => &mut members.discount,
                "coupon" => &mut members.coupon,
                "channel" => &mut members.channel,
                "test" => &mut members.test,
                "products" => return members.take_products(scanner),
                // Those of other types.
                "refund_amount" | "refund_id" | "profile" | "merged_from" => return None,
                UNREAD_OF_EVENT => return scanner.skip_value(),
                _ => {
                    members.unknown.add(Level::Event, name);
                    return scanner.skip_value();
                }
            };
            take_once(member, scanner)
        })?;
        scanner.end()?;
        Some(members)
    }

    fn take_products(&mut self, scanner: &mut Scanner<'a>) -> Option<()> {
        if self.products.is_some() {
            return None;
        }
        let lines = self.products.insert(Vec::with_capacity(LINES_USUAL));
        let unknown = &mut self.unknown;
        scanner.array(|scanner| {
            let mut line = Line::default();
            scanner.object(|scanner, name| {
                let member = match name {
                    "category" => &mut line.category,
                    "quantity" => &mut line.quantity,
                    "price" => &mut line.price,
                    UNREAD_OF_PRODUCT => return scanner.skip_value(),
                    _ => {
                        unknown.add(Level::Product, name);
                        return scanner.skip_value();
                    }
                };
                take_once(member, scanner)
            })?;
            lines.push(line);
            Some(())
        })
    }

    fn order(&self, rules: &IntakeRules) -> Option<Order<'a>> {
        let currency = Currency::parse(text(self.currency)??)?;
        let rate = rules.exchange.rate(currency)?;
        let is_present = |amount: &Option<Scalar<'a>>| present(*amount).is_some();
        let amount = self.amounts.iter().find(|amount| is_present(amount))?;
        let discount = amount_of(self.discount)?;
        let coupon = short_text(self.coupon, CUSTOMER_ID_CHARACTERS_MAX)?;
        let channel = match text(self.channel)? {
            None => Channel::Unknown,
            Some(name) => Channel::parse(name)?,
        };
        Some(Order {
            order_id: Cow::Borrowed(id(self.order_id, EVENT_ID_CHARACTERS_MAX)??),
            spend: converted(amount_of(*amount)??, [rate, Decimal::ONE], rules)?,
            channel,
            is_deal: coupon.is_some()
                || discount.is_some_and(|discount| discount.is_positive_in(&currency)),
            category_spend: self.category_spend(rate, rules)?,
        })
    }

    fn category_spend(
        &self,
        rate: Decimal,
        rules: &IntakeRules,
    ) -> Option<Vec<(Cow<'a, str>, Money)>> {
        let Some(lines) = &self.products else {
            return Some(Vec::new());
        };
        let mut spend_by_line = Vec::with_capacity(lines.len());
        for line in lines {
            let category = short_text(line.category, CATEGORY_CHARACTERS_MAX)?;
            let quantity = amount_of(line.quantity)?.unwrap_or(Decimal::ONE);
            let spend = match amount_of(line.price)? {
                None => None,
                Some(price) => Some(converted(price, [quantity, rate], rules)?),
            };
            if let (Some(category), Some(spend)) = (category, spend) {
                spend_by_line.push((Cow::Borrowed(category), spend));
            }
        }
        Some(spend_by_line)
    }
}

fn take_once<'a>(member: &mut Option<Scalar<'a>>, scanner: &mut Scanner<'a>) -> Option<()> {
    match member {
        Some(_) => None,
        None => {
            *member = Some(scanner.scalar()?);
            Some(())
        }
    }
}

/// Null is the same as nothing.
fn present(value: Option<Scalar<'_>>) -> Option<Scalar<'_>> {
    value.filter(|value| *value != Scalar::Null)
}

/// A text; an empty one is the same as none. The outer `None` where it is no text.
#[expect(clippy::option_option, reason = "not certain, absent, and there")]
fn text(value: Option<Scalar<'_>>) -> Option<Option<&str>> {
    match present(value) {
        None | Some(Scalar::Text("")) => Some(None),
        Some(Scalar::Text(text)) => Some(Some(text)),
        Some(_) => None,
    }
}

/// The same, of so many characters at most.
#[expect(clippy::option_option, reason = "not certain, absent, and there")]
fn short_text(value: Option<Scalar<'_>>, characters_max: usize) -> Option<Option<&str>> {
    let text = text(value)?;
    // A longer one may still have few characters.
    let is_short = text.is_none_or(|text| text.len() <= characters_max);
    is_short.then_some(text)
}

/// An id of so many characters at most. One of white space only is the same as none, and one with a control character is
/// not certain.
#[expect(clippy::option_option, reason = "not certain, absent, and there")]
fn id(value: Option<Scalar<'_>>, characters_max: usize) -> Option<Option<&str>> {
    let id = short_text(value, characters_max)?.and_then(without_blank);
    let is_clean = id.is_none_or(|id| !has_control_character(id));
    is_clean.then_some(id)
}

/// A decimal, zero or more, as a number or as a text. The outer `None` where it is neither.
#[expect(clippy::option_option, reason = "not certain, absent, and there")]
fn amount_of(value: Option<Scalar<'_>>) -> Option<Option<Decimal>> {
    let decimal = match present(value) {
        None => return Some(None),
        Some(Scalar::Text(text) | Scalar::Number(text)) => Decimal::parse(text)?,
        Some(Scalar::Boolean(_) | Scalar::Null) => return None,
    };
    (!decimal.is_negative()).then_some(Some(decimal))
}

fn converted(amount: Decimal, factors: [Decimal; 2], rules: &IntakeRules) -> Option<Money> {
    let money = amount.times_to_minor(factors, &rules.exchange.base)?;
    (money <= rules.exchange.amount_max).then_some(money)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::parse::parse_by_rules;
    use crate::domain::money::Exchange;

    fn rules() -> IntakeRules {
        IntakeRules {
            exchange: Exchange {
                base: Currency::parse("USD").unwrap(),
                rates: vec![(
                    Currency::parse("EUR").unwrap(),
                    Decimal::parse("1.08").unwrap(),
                )],
                amount_max: Money(100_000_000),
            },
            earliest: Timestamp::MIN,
            customer_ids_ignored: Vec::new(),
        }
    }

    /// What one pass does not take would be read twice.
    #[test]
    fn orders_as_platforms_send_them_are_read_in_one_pass() {
        let at = Timestamp::parse_rfc3339("2026-05-01T00:00:00Z").unwrap();
        for order in [
            r#"{"event_id":"e","type":"order.completed","occurred_at":"2026-04-30T12:00:00Z","customer_id":"c",
            "order_id":"o","currency":"USD","revenue":12.5,"channel":"web"}"#,
            r#"{"event_id":"e","type":"order.completed","occurred_at":"2026-04-30T12:00:00.250Z","customer_id":"c",
            "order_id":"o","currency":"EUR","total":"12.50","discount":0,"coupon":"","channel":"store","test":false,
            "is_guest":false,"products":[{"sku":"s","category":"Käse","quantity":2,"price":3.35},{"category":null}]}"#,
            r#"{"order_id":"o","shipping":{"city":"Bern","lines":[1,2]},"type":"order.completed","event_id":"e",
            "occurred_at":"2026-04-30T12:00:00+02:00","customer_id":"c","currency":"USD","value":0,"coupon":null}"#,
        ] {
            let event = read(order.as_bytes(), at, &rules());
            assert!(event.is_some(), "{order}");
            assert_eq!(event, parse_by_rules(order.as_bytes(), at, &rules()).ok());
        }
    }
}
