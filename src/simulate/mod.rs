//! A shop's events, seeded: customers of a few personas who join, buy, fall silent, and a feed
//! with the dirt of a real one. Pure: the same options give the same bytes.

pub use crate::simulate::shop::Shop;
pub use crate::simulate::shop::ShopEvent;
pub use crate::simulate::shop::ShopOptions;

mod events;
pub mod persona;
mod shop;
