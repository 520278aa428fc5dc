//! A customer of the shop, and when the customer acts.

use rand::Rng;
use rand_xoshiro::Xoshiro256Plus;

use crate::simulate::persona::MIDDLE;
use crate::simulate::persona::PERSONAS;
use crate::simulate::persona::Persona;

/// Mean days between joining and the first order.
const FIRST_ORDER_DAYS: f64 = 0.2;
/// Chance that a pause is a long one, and how many times as long it is beyond its least days.
const LONG_PAUSE_CHANCE: f64 = 0.1;
const LONG_PAUSE_TIMES: f64 = 4.0;

/// A customer of the shop.
#[derive(Debug)]
pub(super) struct Customer {
    pub(super) persona: &'static Persona,
    /// The customer's usual basket, in 100 of that of the persona.
    pub(super) basket_percent: i64,
    /// Events so far: the profile, then orders.
    acts: u32,
}

impl Customer {
    pub(super) fn drawn(chance: &mut Xoshiro256Plus) -> Self {
        let mut drawn: u32 = chance.gen_range(0..100);
        let persona = PERSONAS.iter().find(|persona| {
            let is_drawn = drawn < persona.customers_in_100;
            drawn = drawn.saturating_sub(persona.customers_in_100);
            is_drawn
        });
        Self {
            persona: persona.unwrap_or(&MIDDLE),
            basket_percent: chance.gen_range(50..=160),
            acts: 0,
        }
    }

    /// Counts an event, and returns how many there were before.
    pub(super) fn next_act(&mut self) -> u32 {
        let before = self.acts;
        self.acts += 1;
        before
    }

    /// Days until the customer acts again.
    pub(super) fn rest_days(&self, chance: &mut Xoshiro256Plus) -> f64 {
        let persona = self.persona;
        if self.acts == 1 {
            return exponential(chance, FIRST_ORDER_DAYS);
        }
        if !chance.gen_bool(1.0 / persona.orders_in_a_row.max(1.0)) {
            return exponential(chance, persona.days_between_orders);
        }
        let times = if chance.gen_bool(LONG_PAUSE_CHANCE) {
            LONG_PAUSE_TIMES
        } else {
            1.0
        };
        persona.pause_days_min + times * exponential(chance, persona.pause_days_more)
    }
}

/// A random number of days with this mean, most of them less.
pub(super) fn exponential(chance: &mut Xoshiro256Plus, mean_days: f64) -> f64 {
    -(1.0 - chance.r#gen::<f64>()).ln() * mean_days
}
