//! Orders, or lines of orders, as a table.

use serde_json::Value;
use serde_json::json;

use crate::dataset::amount::Amount;
use crate::dataset::column::Column;
use crate::dataset::column::Kind;
use crate::dataset::column::Others;
use crate::dataset::column_error::ColumnError;
use crate::dataset::error::Error;
use crate::dataset::options::Options;
use crate::dataset::replay::differences::name_differences;
use crate::dataset::replay::history::History;
use crate::dataset::replay::history::refused;
use crate::dataset::replay::source_event::Context;
use crate::dataset::replay::source_event::OrderIds;
use crate::dataset::replay::source_event::SourceEvent;
use crate::dataset::replay::source_event::event;
use crate::dataset::row::Row;
use crate::dataset::rows::Rows;
use crate::domain::ids::EVENT_ID_CHARACTERS_MAX;
use crate::domain::ids::stable_hash;
use crate::domain::money::Decimal;
use crate::domain::money::Exact;
use crate::domain::order_rows::BadRow;
use crate::domain::order_rows::CustomerOfRow;
use crate::domain::order_rows::Lines;
use crate::domain::order_rows::Order;
use crate::domain::order_rows::OrderRow;
use crate::domain::order_rows::Row as RowOfOrder;
use crate::domain::order_rows::RowIds;
use crate::domain::order_rows::orders;

/// Which columns make the amount of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AmountOf {
    Revenue,
    QuantityAndPrice,
}

/// Reads the rows of a file of orders.
pub(super) fn read_orders(
    rows: &mut Rows,
    context: &Context,
    options: &Options,
) -> Result<History, Error> {
    if context.order_ids == OrderIds::Row && rows.has("order_id") {
        return Err(Error::from(ColumnError::OrderIdsThere {
            path: rows.path().to_owned(),
        }));
    }
    let amount_of = amount_of(rows, options);
    let columns = columns(context, amount_of);
    rows.expect(&columns, Others::Ignored)?;
    let mut ids = RowIds::default();
    let mut read = Vec::new();
    while let Some(row) = rows.next_row()? {
        match order_row(&row, context, amount_of) {
            Ok(mut order) => {
                if context.order_ids == OrderIds::Row {
                    order.order_id = ids.next_id(&order);
                }
                read.push(RowOfOrder::Good(order));
            }
            Err(error) => {
                let lacks_amount = amount_of == AmountOf::Revenue && row.text("revenue").is_none();
                let bad = bad_row(&row, context, error)?;
                read.push(RowOfOrder::Bad(BadRow {
                    lacks_amount,
                    ..bad
                }));
            }
        }
    }
    let mut history = history_of(read, context.lines, "order-");
    name_differences(rows, &mut history.refused)?;
    Ok(History { columns, ..history })
}

/// The events of rows. Ids of events are those of orders after `id_prefix`.
pub(super) fn history_of(rows: Vec<RowOfOrder>, lines: Lines, id_prefix: &str) -> History {
    let orders = orders(rows, lines);
    let events = orders
        .taken
        .iter()
        .map(|order| order_event(order, id_prefix));
    History {
        events: events.collect(),
        refused: orders.refused,
        rows: orders.counts.rows,
        orders: Some(orders.counts),
        ..History::default()
    }
}

/// Quantity and price where `--columns` or the header has them and no revenue.
fn amount_of(rows: &Rows, options: &Options) -> AmountOf {
    let is_named = |name| options.columns.header_of(name).is_some();
    let is_there = |name| is_named(name) || rows.has(name);
    let is_by_name = is_named("quantity") || is_named("price");
    let is_product = is_by_name && !is_named("revenue")
        || !is_there("revenue") && is_there("quantity") && is_there("price");
    if is_product {
        AmountOf::QuantityAndPrice
    } else {
        AmountOf::Revenue
    }
}

fn columns(context: &Context, amount_of: AmountOf) -> Vec<Column> {
    let mut columns = vec![Column::required("customer_id", Kind::Id)];
    if context.order_ids == OrderIds::Column {
        columns.push(Column::required("order_id", Kind::Id));
    }
    columns.push(Column::required("occurred_at", Kind::Instant));
    match amount_of {
        AmountOf::Revenue => columns.push(Column::required("revenue", Kind::Amount)),
        AmountOf::QuantityAndPrice => columns.extend([
            Column::required("quantity", Kind::Amount),
            Column::required("price", Kind::Amount),
        ]),
    }
    columns.extend([
        Column::optional("currency", Kind::Text),
        Column::optional("channel", Kind::Text),
        Column::optional("category", Kind::Text),
        Column::optional("discount", Kind::Amount),
    ]);
    columns
}

fn order_row(row: &Row<'_>, context: &Context, amount_of: AmountOf) -> Result<OrderRow, Error> {
    row.refuse_broken()?;
    let owned = |column: &str| row.text(column).map(str::to_owned);
    let order_id = match context.order_ids {
        OrderIds::Column => row.required("order_id", "the id of an order", |text| {
            Some(text.to_owned())
        })?,
        OrderIds::Row => String::new(),
    };
    let allowed = "a time such as 2013-09-04T10:30:00, or a date such as 2013-09-04";
    let occurred_at = row.instant("occurred_at")?;
    let occurred_at = occurred_at.ok_or_else(|| row.invalid("occurred_at", "", allowed))?;
    let mut quantity_and_price = [Exact::ZERO; 2];
    let (amount, currency) = match amount_of {
        AmountOf::Revenue => {
            let revenue = amount(row, "revenue")?;
            (Exact::from(revenue.decimal), revenue.currency)
        }
        AmountOf::QuantityAndPrice => {
            let (quantity, price) = (amount(row, "quantity")?, amount(row, "price")?);
            quantity_and_price = [quantity.decimal, price.decimal].map(Exact::from);
            let product = Exact::product(quantity.decimal, price.decimal);
            (product, price.currency)
        }
    };
    let currency = row.currency()?.or(currency).unwrap_or(context.base);
    // 2 x 3 and 1 x 6 are not the same thing.
    let [quantity, price] = quantity_and_price.map(|factor| factor.to_string());
    let others = row
        .unread()
        .flat_map(|(column, text)| [column, text])
        .chain([quantity.as_str(), price.as_str()]);
    Ok(OrderRow {
        line: row.line,
        customer_id: customer_of(row, context).map(str::to_owned),
        order_id,
        occurred_at,
        amount,
        currency: currency.as_str().to_owned(),
        channel: owned("channel"),
        category: owned("category"),
        discount: discount(row)?,
        rest: stable_hash(&others.collect::<Vec<&str>>()),
    })
}

fn amount(row: &Row<'_>, column: &str) -> Result<Amount, Error> {
    let amount = row.amount(column)?;
    amount.ok_or_else(|| row.invalid(column, "", "a decimal number"))
}

/// The discount of a row. Only whether there is one matters, so a share such as `10%` does as well, and so does an amount that is
/// written as what it takes away: `-5`.
fn discount(row: &Row<'_>) -> Result<Option<Exact>, Error> {
    let share = row
        .text("discount")
        .and_then(|text| text.strip_suffix('%'))
        .and_then(|share| Decimal::parse(share.trim().replace(',', ".").as_str()));
    let discount = match share {
        Some(share) => Some(share),
        None => row.amount("discount")?.map(|discount| discount.decimal),
    };
    Ok(discount.map(|discount| Exact::from(discount).magnitude()))
}

/// The customer of a row; a guest has none.
fn customer_of<'a>(row: &Row<'a>, context: &Context) -> Option<&'a str> {
    let id = row.text("customer_id")?;
    let mut ignored = context.customer_ids_ignored.iter();
    (!ignored.any(|none| none == id)).then_some(id)
}

fn bad_row(row: &Row<'_>, context: &Context, error: Error) -> Result<BadRow, Error> {
    let refused = refused(error)?;
    let customer = if row.has_broken("customer_id") {
        CustomerOfRow::Unknown
    } else {
        CustomerOfRow::Stated(customer_of(row, context).map(str::to_owned))
    };
    Ok(BadRow {
        line: refused.line,
        customer,
        order_id: row
            .text("order_id")
            .filter(|_| !row.has_broken("order_id"))
            .map(str::to_owned),
        column: refused.column,
        detail: refused.detail,
        lacks_amount: false,
    })
}

/// The id of an order's event: that of the order after a prefix, or a hash of it where the two are too long.
fn event_id(id_prefix: &str, order_id: &str) -> String {
    let event_id = format!("{id_prefix}{order_id}");
    let is_order_id = order_id.chars().count() <= EVENT_ID_CHARACTERS_MAX;
    if is_order_id && event_id.chars().count() > EVENT_ID_CHARACTERS_MAX {
        return format!("{id_prefix}{:016x}", stable_hash(&[order_id]));
    }
    event_id
}

fn order_event(order: &Order, id_prefix: &str) -> SourceEvent {
    let order_id = &order.order_id;
    let mut body = json!({
        "event_id": event_id(id_prefix, order_id), "type": "order.completed",
        "occurred_at": order.occurred_at.to_string(), "order_id": order_id,
        "currency": order.currency, "revenue": order.revenue,
        "channel": order.channel.as_deref().unwrap_or("unknown"),
    });
    if let Some(event) = body.as_object_mut() {
        if let Some(customer_id) = &order.customer_id {
            event.insert("customer_id".to_owned(), json!(customer_id));
        }
        if let Some(discount) = &order.discount {
            event.insert("discount".to_owned(), json!(discount));
        }
        let products = order
            .categories
            .iter()
            .map(|(category, spent)| json!({"category": category, "quantity": 1, "price": spent}));
        let products: Vec<Value> = products.collect();
        if !products.is_empty() {
            event.insert("products".to_owned(), Value::Array(products));
        }
    }
    let customer_id = order.customer_id.as_deref();
    SourceEvent {
        rows: order.rows,
        is_repeat: order.is_repeat,
        ..event(customer_id, order.occurred_at, order.line, &body)
    }
}
