//! The events of a simulated shop: customers of a few personas who join, buy, pause and come back, and a
//! feed with the faults of a real one. Pure: the same options give the same bytes.

pub use crate::simulate::shop::Shop;
pub use crate::simulate::shop::ShopEvent;
pub use crate::simulate::shop::ShopOptions;

mod customer;
mod events;
pub mod persona;
mod shop;
