//! The kinds of customers of the shop.
//!
//! A customer buys several times in a row, then makes a pause, and comes back. The numbers are chosen so that in the third
//! year of the shop the customers are spread over all six segments of the shipped model, which looks back two years.

/// A kind of customer.
#[derive(Clone, Copy, Debug)]
pub struct Persona {
    /// So many of 100 customers are of this kind.
    pub customers_in_100: u32,
    /// Typical age when they join, in years.
    pub age: i32,
    /// Ages differ from it by up to so many years.
    pub age_spread: i32,
    /// Typical yearly income.
    pub income: i32,
    /// Mean days between orders that are in a row.
    pub days_between_orders: f64,
    /// Mean number of orders in a row.
    pub orders_in_a_row: f64,
    /// A pause has at least so many days.
    pub pause_days_min: f64,
    /// Mean days of a pause beyond them.
    pub pause_days_more: f64,
    /// Typical basket, in cents.
    pub basket_cents: i64,
    /// Orders of the web channel, in 100.
    pub web_percent: u32,
    /// Orders of the store channel, in 100.
    pub store_percent: u32,
    /// The channel of the other orders.
    pub other_channel: &'static str,
    /// Chance that an order has a coupon.
    pub coupon_chance: f64,
}

/// The middle; it also stands for a list that is empty.
pub const MIDDLE: Persona = Persona {
    customers_in_100: 9,
    age: 45,
    age_spread: 9,
    income: 52_000,
    days_between_orders: 30.0,
    orders_in_a_row: 6.0,
    pause_days_min: 30.0,
    pause_days_more: 70.0,
    basket_cents: 2_500,
    web_percent: 33,
    store_percent: 42,
    other_channel: "app",
    coupon_chance: 0.15,
};

/// All kinds.
pub const PERSONAS: [Persona; 6] = [
    // Young, low income: small baskets, mostly in the app.
    Persona {
        customers_in_100: 26,
        age: 36,
        income: 33_000,
        days_between_orders: 22.0,
        pause_days_min: 40.0,
        pause_days_more: 80.0,
        basket_cents: 800,
        web_percent: 18,
        store_percent: 25,
        coupon_chance: 0.3,
        ..MIDDLE
    },
    // Older, low income: seldom.
    Persona {
        customers_in_100: 15,
        age: 57,
        age_spread: 7,
        income: 40_500,
        days_between_orders: 55.0,
        orders_in_a_row: 5.0,
        pause_days_min: 40.0,
        pause_days_more: 60.0,
        basket_cents: 1_100,
        web_percent: 22,
        store_percent: 33,
        other_channel: "phone",
        ..MIDDLE
    },
    // Older, good income: steady, short pauses.
    Persona {
        customers_in_100: 15,
        age: 50,
        income: 62_000,
        days_between_orders: 24.0,
        orders_in_a_row: 12.0,
        pause_days_more: 30.0,
        basket_cents: 3_000,
        web_percent: 30,
        store_percent: 33,
        other_channel: "catalog",
        ..MIDDLE
    },
    // Older, high income: large baskets, often away.
    Persona {
        customers_in_100: 20,
        age: 56,
        age_spread: 8,
        income: 69_000,
        days_between_orders: 26.0,
        orders_in_a_row: 4.0,
        pause_days_min: 45.0,
        basket_cents: 7_300,
        web_percent: 34,
        store_percent: 48,
        other_channel: "catalog",
        ..MIDDLE
    },
    // Young, highest income: the largest baskets, in the store.
    Persona {
        customers_in_100: 15,
        age: 35,
        age_spread: 7,
        income: 77_000,
        days_between_orders: 40.0,
        orders_in_a_row: 8.0,
        pause_days_more: 40.0,
        web_percent: 28,
        store_percent: 55,
        basket_cents: 7_000,
        coupon_chance: 0.05,
        ..MIDDLE
    },
    MIDDLE,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kinds_are_all_customers() {
        let of_100: u32 = PERSONAS.iter().map(|kind| kind.customers_in_100).sum();
        assert_eq!(of_100, 100);
    }
}
