//! The six kinds of customers of the shop.

/// A kind of customer.
#[derive(Clone, Copy, Debug)]
pub struct Persona {
    /// Typical year of birth.
    pub birth_year: i32,
    /// Typical yearly income.
    pub income: i32,
    /// Mean days between orders.
    pub days_between_orders: f64,
    /// Typical basket, in cents.
    pub basket_cents: i64,
    /// Orders of the web channel, in 100.
    pub web_percent: u32,
    /// Orders of the store channel, in 100.
    pub store_percent: u32,
    /// Chance that an order has a coupon.
    pub coupon_chance: f64,
    /// Chance that an order is the last.
    pub lapse_chance: f64,
}

/// The value that is used where a list is empty.
pub const DEFAULT: Persona = Persona {
    birth_year: 1980,
    income: 45_000,
    days_between_orders: 30.0,
    basket_cents: 4_000,
    web_percent: 40,
    store_percent: 45,
    coupon_chance: 0.15,
    lapse_chance: 0.02,
};

/// All kinds, equally frequent.
pub const PERSONAS: [Persona; 6] = [
    // Young, low income, bought recently.
    Persona {
        birth_year: 1989,
        income: 31_000,
        days_between_orders: 35.0,
        basket_cents: 2_000,
        ..DEFAULT
    },
    // Older, low income, seldom.
    Persona {
        birth_year: 1957,
        income: 40_000,
        days_between_orders: 70.0,
        basket_cents: 2_500,
        ..DEFAULT
    },
    // Senior, web-minded, steady.
    Persona {
        birth_year: 1964,
        income: 62_000,
        days_between_orders: 14.0,
        basket_cents: 5_500,
        web_percent: 55,
        store_percent: 35,
        lapse_chance: 0.005,
        ..DEFAULT
    },
    // Older, affluent, loses interest.
    Persona {
        birth_year: 1960,
        income: 69_000,
        days_between_orders: 18.0,
        basket_cents: 7_500,
        lapse_chance: 0.06,
        ..DEFAULT
    },
    // Young, affluent, in the store.
    Persona {
        birth_year: 1988,
        income: 77_000,
        days_between_orders: 12.0,
        basket_cents: 9_500,
        web_percent: 25,
        store_percent: 60,
        coupon_chance: 0.05,
        ..DEFAULT
    },
    // The middle.
    DEFAULT,
];
