//! What may be meant where a file lacks a column that a format expects.

use crate::dataset::column::Column;
use crate::dataset::shape::Shape;
use crate::domain::event::means_customer;
use crate::domain::money::Currency;
use crate::domain::nearest::did_you_mean;

/// What exports call the columns of a format: small letters and digits only.
const OTHER_NAMES: [(&str, &[&str]); 10] = [
    (
        // Those that say customer id are found by `means_customer`. A bare `id` is of the row, as in exports of orders.
        "customer_id",
        &[
            "masterid",
            "client",
            "user",
            "kundennummer",
            "kundennr",
            "kunde",
            "email",
            "customeremail",
        ],
    ),
    (
        "order_id",
        &[
            "orderid",
            "invoiceno",
            "invoice",
            "invoiceid",
            "invoicenumber",
            "orderno",
            "ordernumber",
            "order",
            "transactionid",
            "transaction",
            "receiptid",
            "bestellnummer",
            "rechnungsnummer",
            "rechnung",
            "bonnummer",
            "bonnr",
            "belegnummer",
            "belegnr",
            "name",
        ],
    ),
    (
        "occurred_at",
        &[
            "occurredat",
            "invoicedate",
            "orderdate",
            "purchasedate",
            "transactiondate",
            "date",
            "datetime",
            "timestamp",
            "createdat",
            "paidat",
            "updatedat",
            "time",
            "datum",
            "bestelldatum",
            "rechnungsdatum",
            "auftragsdatum",
            "kaufdatum",
            "belegdatum",
            "zeitpunkt",
        ],
    ),
    (
        "revenue",
        &[
            "revenue",
            "sales",
            "total",
            "amount",
            "totalprice",
            "linetotal",
            "netamount",
            "subtotal",
            "value",
            "dollarvalue",
            "spend",
            "umsatz",
            "betrag",
        ],
    ),
    (
        "quantity",
        &["quantity", "qty", "units", "lineitemquantity", "menge"],
    ),
    (
        "price",
        &["price", "unitprice", "itemprice", "lineitemprice", "preis"],
    ),
    ("currency", &["currency", "currencycode", "waehrung"]),
    (
        "channel",
        &["channel", "saleschannel", "kanal", "vertriebskanal"],
    ),
    (
        "category",
        &[
            "category",
            "productcategory",
            "productline",
            "department",
            "kategorie",
        ],
    ),
    ("discount", &["discount", "discountamount", "rabatt"]),
];

fn plain(name: &str) -> String {
    let letters = name.chars().filter(|character| character.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

/// Is it the name in other letters, or as an export of customers calls it, `features.age`?
#[must_use]
pub fn is_spelling(header: &str, name: &str) -> bool {
    let last = header.rsplit('.').next().unwrap_or(header);
    plain(header) == plain(name) || plain(last) == plain(name)
}
/// What may be wrong with the header as a whole, as a sentence; else empty.
pub(super) fn doubt(shape: &Shape) -> String {
    let of_header = match shape.header.as_slice() {
        [only] if only.contains([',', ';', '\t', '|']) => {
            ". The whole line is one field: where each line of a file stands in quotes, take them away; else --separator says what stands \
             between the fields"
        }
        [_] => ". If that is a title, cut it off: the header is the first line that is not empty",
        _ => "",
    };
    let of_sheets = &shape.other_sheets;
    format!("{of_header}{of_sheets}")
}

/// The pair of `--columns` that leaves a column out, or takes it for another one.
pub(super) fn taken_by(shape: &Shape, column: &str) -> Option<String> {
    let mut pairs = shape.options.columns.pairs.iter();
    let is_there = shape.header.iter().any(|header| header == column);
    let (name, header) =
        pairs.find(|(name, header)| header == column || name == column && header.is_empty())?;
    is_there.then(|| pair(name, header))
}

/// Whether a header has this name, perhaps with a currency behind it, as in `Umsatz EUR`.
fn is_called(header: &str, name: &str) -> bool {
    let without_currency = header.rsplit_once([' ', '_']).and_then(|(first, last)| {
        let code = last.trim_matches(['(', ')', '[', ']']);
        Currency::parse(code).map(|_| first)
    });
    plain(header) == name || without_currency.is_some_and(|first| plain(first) == name)
}

/// The header that may be meant by a name of the format, among those that `--columns` does not name.
fn guess<'a>(shape: &'a Shape, name: &str) -> Option<&'a String> {
    let is_free = |header: &&String| {
        let mut pairs = shape.options.columns.pairs.iter();
        !pairs.any(|(_, named)| named == *header)
    };
    let free = || shape.header.iter().filter(is_free);
    if let ("customer_id", Some(header)) = (name, free().find(|header| means_customer(header))) {
        return Some(header);
    }
    let others = OTHER_NAMES.iter().find(|(known, _)| *known == name)?.1;
    let mut found = others
        .iter()
        .filter_map(|other| free().find(|header| is_called(header, other)));
    found.next()
}

/// Columns that a format still lacks, and headers that may be meant.
#[derive(Default)]
struct Guessed {
    pairs: Vec<String>,
    /// What else the call needs.
    more: &'static str,
}

fn pair(name: &str, header: &str) -> String {
    if header.contains(',') {
        format!("\"{name}={header}\"")
    } else {
        format!("{name}={header}")
    }
}

/// A text as a shell takes it for one word.
fn for_shell(text: &str) -> String {
    let is_plain = |character: char| character.is_alphanumeric() || "_=,.-+".contains(character);
    if text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

impl Guessed {
    fn of(shape: &Shape, missing: &[&Column]) -> Self {
        let mut guessed = Self::default();
        let factors = guess(shape, "quantity").zip(guess(shape, "price"));
        for column in missing {
            let name = column.name.as_str();
            let found = guess(shape, name);
            if let (true, "revenue", Some((quantity, price))) = (column.is_required, name, factors)
            {
                // Where a file says that its rows are lines, a total is that of the order and stands on one of them.
                if found.is_none() || plain(price).starts_with("lineitem") {
                    guessed.pairs.push(pair("quantity", quantity));
                    guessed.pairs.push(pair("price", price));
                    guessed.more = ", and --lines sum where an order has several rows";
                    continue;
                }
            }
            let spelled = || {
                let mut headers = shape.header.iter();
                headers.find(|text| column.is_required && is_spelling(text, name))
            };
            guessed
                .pairs
                .extend(found.or_else(spelled).map(|header| pair(name, header)));
        }
        guessed
    }
}

/// A guess at `--columns` and at other flags, with a leading sentence.
pub(super) fn hint(shape: &Shape, columns: &[Column]) -> String {
    let is_missing = |column: &&Column| !shape.names.iter().any(|known| known.name == column.name);
    let missing: Vec<&Column> = columns.iter().filter(is_missing).collect();
    let lacks = |name: &str| {
        let mut missing = missing.iter();
        missing.any(|column| column.is_required && column.name == name)
    };
    let is_there = |name: &str| shape.header.iter().any(|header| plain(header) == name);
    let lacks_order = lacks("order_id") && guess(shape, "order_id").is_none();
    let lacks_amount = lacks("revenue") && guess(shape, "revenue").is_none();
    let is_of_customers = ["birthyear", "income", "joinedat"]
        .into_iter()
        .any(is_there);
    if lacks_order && lacks_amount && is_of_customers {
        return ". Are these customers? --format customers reads them".to_owned();
    }
    let row_ids = if lacks_order {
        "; if orders have no ids, --order-id row makes them"
    } else {
        ""
    };
    let guessed = Guessed::of(shape, &missing);
    if guessed.pairs.is_empty() {
        let required = missing.iter().find(|column| column.is_required);
        let near = required.map_or_else(String::new, |column| {
            did_you_mean(&column.name, shape.header.iter().map(String::as_str))
        });
        let end = if near.is_empty() { "." } else { "" };
        return format!(
            "{near}{end} --columns NAME=COLUMN says which column stands for it{row_ids}"
        );
    }
    let typed = shape.options.columns.pairs.iter();
    let typed = typed.map(|(name, header)| pair(name, header));
    let pairs: Vec<String> = guessed.pairs.into_iter().chain(typed).collect();
    let pairs = pairs.join(",");
    let pairs = for_shell(&pairs);
    let more = guessed.more;
    format!(". Perhaps --columns {pairs}{more}{row_ids}")
}
