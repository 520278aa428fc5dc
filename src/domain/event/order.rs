//! The fields of an order.

use std::borrow::Cow;

use crate::domain::event::Order;
use crate::domain::event::amount::converted;
use crate::domain::event::amount::currency;
use crate::domain::event::fields::Field;
use crate::domain::event::kinds::Channel;
use crate::domain::event::raw::RawEvent;
use crate::domain::event::raw::RawProduct;
use crate::domain::event::rejection::InvalidEvent;
use crate::domain::event::rejection::RejectReason;
use crate::domain::event::rules::IntakeRules;
use crate::domain::event::unknown_fields::UnknownFields;
use crate::domain::ids::CUSTOMER_ID_CHARACTERS_MAX;
use crate::domain::ids::EVENT_ID_CHARACTERS_MAX;
use crate::domain::money::Decimal;
use crate::domain::money::Money;
use crate::domain::nearest::did_you_mean;

/// Longest category name, in characters.
pub(super) const CATEGORY_CHARACTERS_MAX: usize = 128;

pub(super) fn completed_order<'a>(
    raw: &RawEvent<'a>,
    rules: &IntakeRules,
    unknown: &mut UnknownFields,
) -> Result<Order<'a>, InvalidEvent> {
    let order_id = order_id(raw)?;
    let (currency, rate) = currency(raw, rules)?;
    let revenue = [
        ("revenue", raw.revenue),
        ("subtotal", raw.subtotal),
        ("total", raw.total),
        ("value", raw.value),
    ]
    .into_iter()
    .map(|(name, value)| Field::new(name, value, RejectReason::Revenue))
    .find(Field::is_present)
    .unwrap_or(Field::new("revenue", None, RejectReason::Revenue));
    let spend = converted(&revenue, [rate, Decimal::ONE], rules)?
        .ok_or_else(|| revenue.invalid("a decimal number, zero or more"))?;
    let discount = Field::new("discount", raw.discount, RejectReason::Discount).amount()?;
    let coupon = Field::new("coupon", raw.coupon, RejectReason::Discount)
        .text(CUSTOMER_ID_CHARACTERS_MAX)?;
    let is_deal =
        coupon.is_some() || discount.is_some_and(|discount| discount.is_positive_in(&currency));
    let channel_field = Field::new("channel", raw.channel, RejectReason::Channel);
    let channel = match channel_field.text(CUSTOMER_ID_CHARACTERS_MAX)? {
        None => Channel::Unknown,
        Some(text) => Channel::parse(&text).ok_or_else(|| {
            let names = Channel::ALL.map(Channel::as_str);
            let similar = did_you_mean(&text, names);
            channel_field.invalid(&format!("one of {}{similar}", names.join(", ")))
        })?,
    };
    let category_spend = category_spend(raw, rate, rules, unknown)?;
    Ok(Order {
        order_id,
        spend,
        channel,
        is_deal,
        category_spend,
    })
}

pub(super) fn order_id<'a>(raw: &RawEvent<'a>) -> Result<Cow<'a, str>, InvalidEvent> {
    let field = Field::new("order_id", raw.order_id, RejectReason::OrderId);
    let order_id = field.id(EVENT_ID_CHARACTERS_MAX)?;
    order_id.ok_or_else(|| field.invalid("a text of 1 to 128 characters"))
}

fn category_spend<'a>(
    raw: &RawEvent<'a>,
    rate: Decimal,
    rules: &IntakeRules,
    unknown: &mut UnknownFields,
) -> Result<Vec<(Cow<'a, str>, Money)>, InvalidEvent> {
    let field = Field::new("products", raw.products, RejectReason::Products);
    let Some(json) = field.raw() else {
        return Ok(Vec::new());
    };
    let products: Vec<RawProduct<'a>> = serde_json::from_str(json)
        .map_err(|_| field.invalid("a list of {sku, category, quantity, price}"))?;
    let mut spend_by_line = Vec::with_capacity(products.len());
    for product in &products {
        unknown.add_all(product.unknown);
        let named = |name, value| Field::new(name, value, RejectReason::Products);
        let category =
            named("products.category", product.category).text(CATEGORY_CHARACTERS_MAX)?;
        let quantity = named("products.quantity", product.quantity).amount()?;
        let price = named("products.price", product.price);
        let spend = converted(&price, [quantity.unwrap_or(Decimal::ONE), rate], rules)?;
        if let (Some(category), Some(spend)) = (category, spend) {
            spend_by_line.push((category, spend));
        }
    }
    Ok(spend_by_line)
}
