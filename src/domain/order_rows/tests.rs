//! Rows that become orders, by hand.

use super::*;
use crate::domain::money::Decimal;
use crate::domain::money::Exact;
use crate::domain::order_rows::row::CustomerOfRow;
use crate::domain::time::Timestamp;

/// `line customer order minute amount`, then `key=value` of what else the row states; `-` is a guest, and an amount `?` a bad row.
fn row(text: &str) -> Row {
    let words: Vec<&str> = text.split(' ').collect();
    let [line, customer, order, minute, amount, rest @ ..] = words.as_slice() else {
        panic!("{text}");
    };
    let exact = |text: &str| {
        let parse = |text| Decimal::parse(text).expect("a decimal");
        match text.split_once('x') {
            Some((quantity, price)) => Exact::product(parse(quantity), parse(price)),
            None => parse(text).into(),
        }
    };
    let stated = |name: &str| {
        let pairs = rest.iter().filter_map(|pair| pair.split_once('='));
        let mut found = pairs.filter(|(known, _)| *known == name);
        found.next().map(|(_, value)| value.to_owned())
    };
    let (line, customer_id) = (
        line.parse().expect("a line"),
        (*customer != "-").then(|| (*customer).to_owned()),
    );
    if *amount == "?" {
        return Row::Bad(BadRow {
            line,
            customer: match *customer {
                "#REF!" => CustomerOfRow::Unknown,
                _ => CustomerOfRow::Stated(customer_id),
            },
            order_id: Some((*order).to_owned()),
            column: "revenue".to_owned(),
            detail: "revenue: \"?\" is not a decimal number".to_owned(),
            lacks_amount: rest == ["empty"],
        });
    }
    Row::Good(OrderRow {
        line,
        customer_id,
        order_id: (*order).to_owned(),
        occurred_at: Timestamp::default().plus_milliseconds(
            minute
                .parse::<i64>()
                .expect("a minute")
                .saturating_mul(60_000),
        ),
        amount: exact(amount),
        currency: stated("currency").unwrap_or_else(|| "USD".to_owned()),
        channel: stated("channel"),
        category: stated("category"),
        discount: stated("discount").map(|discount| exact(&discount)),
        rest: crate::domain::ids::stable_hash(&[&stated("product").unwrap_or_default()]),
    })
}

/// Each order as `customer order minute amount`, then what else it has.
fn shown(orders: &[Order]) -> Vec<String> {
    let one = |order: &Order| {
        let customer = order.customer_id.as_deref().unwrap_or("-");
        let minute = order.occurred_at.as_milliseconds() / 60_000;
        let mut text = format!("{customer} {} {minute} {}", order.order_id, order.revenue);
        let channel = order
            .channel
            .iter()
            .map(|channel| format!(" channel={channel}"));
        let discount = order
            .discount
            .iter()
            .map(|discount| format!(" discount={discount}"));
        let categories = order.categories.iter();
        let categories = categories.map(|(category, spent)| format!(" {category}={spent}"));
        text.extend(channel.chain(discount).chain(categories));
        text
    };
    orders.iter().map(one).collect()
}

fn of(rows: &[&str], lines: Lines) -> Orders {
    orders(rows.iter().map(|text| row(text)), lines)
}

/// By hand: the rows, the orders that are taken, and the returns.
#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn lines_of_an_order_add_up_to_one_order() {
    for (rows, taken, returns) in [
        (
            // Far apart in the file, over midnight, the earliest time last.
            vec![
                "2 c1 o1 1450 1x261.96",
                "3 c2 o2 5 3x2",
                "4 c1 o1 1430 731.94",
            ],
            vec!["c1 o1 1430 993.90", "c2 o2 5 6.00"],
            vec![],
        ),
        (
            // Three halves of a cent, rounded once; each for itself would be nothing.
            vec![
                "2 c1 o1 1 1x0.005",
                "3 c1 o1 1 1x0.005",
                "4 c1 o1 1 0.5x0.01",
            ],
            vec!["c1 o1 1 0.02"],
            vec![],
        ),
        (
            // A half goes to the even cent, also below zero.
            vec!["2 c1 o1 1 0.125", "3 c1 o2 1 0.135", "4 c1 o3 1 -0.005"],
            vec!["c1 o1 1 0.12", "c1 o2 1 0.14", "c1 o3 1 0.00"],
            vec![],
        ),
        (
            // Exactly zero counts, also by a return within the order, and by a quantity or price of zero.
            vec![
                "2 c1 o1 1 2x5",
                "3 c1 o1 1 -1x10",
                "4 c1 o2 2 0x7.5",
                "5 c1 o3 3 4x0",
            ],
            vec!["c1 o1 1 0.00", "c1 o2 2 0.00", "c1 o3 3 0.00"],
            vec![],
        ),
        (
            vec![
                "2 c1 o1 1 5",
                "3 c1 o1 1 -2x2",
                "4 c1 C2 9 -1x5",
                "5 - C3 9 -1",
            ],
            vec!["c1 o1 1 1.00"],
            vec!["c1 C2 9 -5.00", "- C3 9 -1.00"],
        ),
        (
            // A fraction of a quantity, and currencies without cents and with three digits.
            vec![
                "2 c1 o1 1 0.333x2.99",
                "3 c1 o2 1 2x150.5 currency=JPY",
                "4 c1 o3 1 1x1.2345 currency=KWD",
            ],
            vec!["c1 o1 1 1.00", "c1 o2 1 301", "c1 o3 1 1.234"],
            vec![],
        ),
        (
            vec![
                "2 c1 o1 1 10 channel=web category=wine discount=1.5",
                "3 c1 o1 1 4 category=wine",
                "4 c1 o1 1 1 channel=web category=bread discount=0.25",
                "5 c1 o1 1 -2 category=glass",
                "6 c1 o2 1 1 channel=web",
                "7 c1 o2 1 1 channel=store",
            ],
            vec![
                "c1 o1 1 13.00 channel=web discount=1.75 bread=1.00 wine=14.00",
                "c1 o2 1 2.00 channel=unknown",
            ],
            vec![],
        ),
        (
            // Equal lines are two of a thing; a guest's lines are one order; an id of two customers is two orders.
            vec![
                "2 c1 o1 1 3",
                "3 c1 o1 1 3",
                "4 - g1 1 1",
                "5 - g1 1 2",
                "6 c2 o1 7 1",
            ],
            vec!["c1 o1 1 6.00", "- g1 1 3.00", "c2 o1 7 1.00"],
            vec![],
        ),
    ] {
        let found = of(&rows, Lines::Sum);
        assert_eq!(shown(&found.taken), taken, "{rows:?}");
        assert_eq!(shown(&found.returns), returns, "{rows:?}");
        assert_eq!(found.refused, [], "{rows:?}");
        let backwards: Vec<&str> = rows.iter().rev().copied().collect();
        let backwards = of(&backwards, Lines::Sum);
        assert_eq!(
            backwards.taken, found.taken,
            "the order of rows matters: {rows:?}"
        );
        assert_eq!(
            backwards.counts, found.counts,
            "the order of rows matters: {rows:?}"
        );
    }
}

/// By hand: the rows, how they are read, the lines that are refused, and what each sentence has.
#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn an_order_of_which_something_is_wrong_is_refused_as_a_whole() {
    for (rows, lines, refused, says) in [
        (
            vec!["2 c1 o1 1 261.96", "3 c1 o1 1 731.94"],
            Lines::Orders,
            vec![2, 3],
            vec!["in line 2 and in line 3", "--lines sum", "261.96", "731.94"],
        ),
        (
            vec!["2 c1 o1 1 5", "3 c1 o1 2 5", "4 c2 o2 1 1"],
            Lines::Orders,
            vec![2, 3],
            vec!["occurred_at", "--lines sum"],
        ),
        (
            vec!["2 c1 o1 1 5", "3 c1 o1 1 5 currency=EUR"],
            Lines::Orders,
            vec![2, 3],
            vec!["currency", "USD", "EUR"],
        ),
        (
            // Another column differs, so these may be two things of one price.
            vec!["2 c1 o1 1 5 product=a", "3 c1 o1 1 5.0 product=b"],
            Lines::Orders,
            vec![2, 3],
            vec![
                "a column that is not read differs",
                "--lines sum adds their amounts up (5 + 5)",
                "take one of them out",
            ],
        ),
        (
            // Each row is compared with one that it is not equal to.
            vec!["2 c1 o1 1 5", "3 c1 o1 1 5.0", "4 c1 o1 1 6"],
            Lines::Orders,
            vec![2, 3, 4],
            vec![
                "in line 2 and in line 4, which are not equal (amount: \"5\" and \"6\")",
                "in line 3 and in line 4, which are not equal (amount: \"5\" and \"6\")",
                "in line 4 and in line 2, which are not equal (amount: \"6\" and \"5\")",
            ],
        ),
        (
            vec![
                "2 c1 o1 1 5 product=a",
                "3 c1 o1 1 5 product=a",
                "4 c1 o1 1 5 product=b",
            ],
            Lines::Orders,
            vec![2, 3, 4],
            vec![
                "in line 2 and in line 4, which",
                "in line 3 and in line 4, which",
                "in line 4 and in line 2, which",
            ],
        ),
        (
            // The fault of a line is reported also where the customers of the order differ.
            vec!["2 c1 o1 1 5", "3 - o1 1 ?"],
            Lines::Sum,
            vec![2, 3],
            vec!["\"?\" is not a decimal number", "\"o1\" has customer"],
        ),
        (
            vec!["2 c1 o1 1 5", "3 c1 o1 1 6 currency=EUR", "4 c1 o2 1 6"],
            Lines::Sum,
            vec![2, 3],
            vec!["USD", "line 2", "EUR", "line 3"],
        ),
        (
            vec!["2 c1 o1 1 5", "3 c1 o2 1 6", "9 c1 o1 1 ?"],
            Lines::Sum,
            vec![2, 9],
            vec!["its line 9"],
        ),
        (
            vec!["2 c1 o1 1 ?", "3 c1 o1 1 5"],
            Lines::Orders,
            vec![2, 3],
            vec!["its line 2"],
        ),
        (
            // The line without a customer may be of either.
            vec![
                "2 c1 o1 1 5",
                "3 c3 o1 1 5",
                "4 #REF! o1 1 ?",
                "5 c1 o2 1 1",
            ],
            Lines::Sum,
            vec![2, 3, 4],
            vec!["its line 4"],
        ),
        (
            vec!["2 #REF! o1 1 ?", "3 c1 o1 1 5"],
            Lines::Orders,
            vec![2, 3],
            vec!["its line 2"],
        ),
        (
            vec!["2 c1 o1 1 5", "3 - o1 1 6"],
            Lines::Sum,
            vec![2, 3],
            vec!["no customer", "line 3"],
        ),
        (
            vec!["2 c1 o1 1 1e300", "3 c1 o1 1 1e-300"],
            Lines::Sum,
            vec![2, 3],
            vec!["more digits"],
        ),
    ] {
        let found = of(&rows, lines);
        let found_lines: Vec<u64> = found.refused.iter().map(|row| row.line).collect();
        assert_eq!(found_lines, refused, "{rows:?}");
        assert_eq!(found.counts.refused_rows, refused.len() as u64);
        assert_eq!(found.counts.rows, rows.len() as u64);
        let details: Vec<&str> = found
            .refused
            .iter()
            .map(|row| row.detail.as_str())
            .collect();
        let details = details.join("\n");
        for text in says {
            assert!(details.contains(text), "{text}: {details}");
        }
        assert!(
            found.taken.iter().all(|order| order.order_id == "o2"),
            "{rows:?}"
        );
    }
}

#[test]
fn rows_that_are_equal_in_every_column_are_one_order_and_are_counted() {
    let rows = [
        "2 c1 o1 1 5 discount=1",
        "3 c1 o1 1 5.00 discount=1.0",
        "4 - g1 1 5",
        "5 - g1 1 5",
        "6 c2 o1 1 5",
    ];
    let found = of(&rows, Lines::Orders);
    // The rows that each stands for, and whether an earlier one says the same.
    let made_of: Vec<(u64, bool)> = found
        .taken
        .iter()
        .map(|order| (order.rows, order.is_repeat))
        .collect();
    assert_eq!(made_of, [(1, false), (1, true), (2, false), (1, false)]);
    assert_eq!(found.refused, []);
    // The engine calls the second row of o1 a duplicate; of guests it remembers none.
    let lines: Vec<u64> = found.taken.iter().map(|order| order.line).collect();
    assert_eq!(lines, [2, 3, 4, 6]);
    let Counts {
        orders,
        guests,
        customers,
        repeated_rows,
        shared_order_ids,
        ..
    } = found.counts;
    assert_eq!((orders, guests, customers), (3, 1, 2));
    assert_eq!(
        (repeated_rows.count, repeated_rows.lines),
        (2, Some((2, 3)))
    );
    assert_eq!(
        (shared_order_ids.count, shared_order_ids.lines),
        (1, Some((2, 6)))
    );
}

/// By hand: rows, and the counts of orders with lines far apart and of orders that have their amount on some lines only.
#[test]
fn lines_that_may_be_of_several_orders_or_have_no_amount_are_counted() {
    for (rows, far, partial) in [
        (vec!["2 c1 o1 1 5", "3 c1 o1 1441 5"], None, None),
        (
            vec!["2 c1 o1 1442 5", "3 c1 o1 1 5", "4 c1 o1 9 5"],
            Some((2, 3)),
            None,
        ),
        (vec!["2 c1 o1 1 5", "3 c1 o1 1 ? empty"], None, Some((2, 3))),
        (
            vec!["2 c1 o1 1 5", "3 c1 o1 1 ? empty", "4 c1 o1 1 ?"],
            None,
            None,
        ),
        (vec!["2 c1 o1 1 ? empty", "3 c1 o1 1 ? empty"], None, None),
    ] {
        let counts = of(&rows, Lines::Sum).counts;
        assert_eq!(counts.far_lines.lines, far, "{rows:?}");
        assert_eq!(counts.partial_amounts.lines, partial, "{rows:?}");
    }
}
