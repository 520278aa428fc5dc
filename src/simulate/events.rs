//! The events of a customer of the shop.

use rand::Rng;
use rand_xoshiro::Xoshiro256Plus;
use serde_json::json;

use crate::domain::time::BusinessZone;
use crate::domain::time::Timestamp;
use crate::simulate::customer::Customer;

/// Incomes differ from the typical one by up to so many times this.
const INCOME_STEPS: i32 = 18;
const INCOME_STEP: i32 = 500;

pub(super) fn profile(
    chance: &mut Xoshiro256Plus,
    customer: &Customer,
    customer_id: &str,
    at: Timestamp,
) -> serde_json::Value {
    let persona = customer.persona;
    let age = persona.age + chance.gen_range(-persona.age_spread..=persona.age_spread);
    let birth_year = BusinessZone::UTC.year_of(at) - age;
    let income = persona.income + chance.gen_range(-INCOME_STEPS..=INCOME_STEPS) * INCOME_STEP;
    json!({
        "event_id": format!("{customer_id}-joined"), "type": "customer.updated",
        "occurred_at": at.to_string(), "customer_id": customer_id,
        "profile": {
            "birth_year": birth_year, "income": income, "joined_at": at.to_string(),
            "attributes": {"web_visits_month": chance.gen_range(0..10)},
        },
    })
}

pub(super) fn purchase(
    chance: &mut Xoshiro256Plus,
    customer: &Customer,
    customer_id: &str,
    order: u32,
    at: Timestamp,
) -> serde_json::Value {
    let persona = customer.persona;
    let usual_cents = persona.basket_cents * customer.basket_percent / 100;
    let cents = usual_cents * chance.gen_range(40..=180) / 100;
    let revenue = format!("{}.{:02}", cents / 100, cents % 100);
    let channel = match chance.gen_range(0..100) {
        drawn if drawn < persona.web_percent => "web",
        drawn if drawn < persona.web_percent + persona.store_percent => "store",
        _ => persona.other_channel,
    };
    let categories = ["wine", "meat", "fish", "fruit", "sweets", "gold"];
    let category = categories
        .get(chance.gen_range(0..categories.len()))
        .unwrap_or(&"wine");
    let mut body = json!({
        "event_id": format!("{customer_id}-e-{order}"), "type": "order.completed",
        "occurred_at": at.to_string(), "customer_id": customer_id,
        "order_id": format!("{customer_id}-o-{order}"), "currency": "USD", "revenue": revenue,
        "channel": channel, "store_locale": "en-US",
        "products": [{"sku": format!("sku-{category}"), "category": category, "quantity": 1, "price": revenue}],
    });
    if chance.gen_bool(persona.coupon_chance)
        && let Some(event) = body.as_object_mut()
    {
        event.insert("coupon".to_owned(), json!("WELCOME"));
    }
    body
}
