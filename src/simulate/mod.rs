//! The events of a simulated shop: customers of a few personas who join, buy and stop buying, and a feed
//! with the faults of a real one. Pure: the same options give the same bytes.

pub use crate::simulate::shop::Shop;
pub use crate::simulate::shop::ShopEvent;
pub use crate::simulate::shop::ShopOptions;

mod events;
pub mod persona;
mod shop;
