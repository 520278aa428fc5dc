//! Days as files write them.

use crate::domain::time::Day;

/// Reads `2013-09-04`, `04-09-2013` or `4/9/2013` (day first).
#[must_use]
pub fn parse_date(text: &str) -> Option<Day> {
    let mut parts = text.split(['-', '/', '.']);
    let (first, second, third) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let (year, month, day) = if first.len() == 4 {
        (first, second, third)
    } else {
        (third, second, first)
    };
    Day::from_date(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
}
