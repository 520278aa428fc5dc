//! Which column of a file stands for which of the format.

use std::path::Path;

use crate::dataset::column::Column;
use crate::dataset::column::Others;
use crate::dataset::error::Error;
use crate::dataset::options::ColumnNames;
use crate::dataset::shape::Name;
use crate::dataset::shape::Shape;
use crate::domain::nearest::did_you_mean;

/// What exports call the columns of a format: small letters and digits only.
const OTHER_NAMES: [(&str, &[&str]); 10] = [
    (
        "customer_id",
        &[
            "customerid",
            "custid",
            "customer",
            "clientid",
            "client",
            "userid",
            "user",
            "memberid",
            "masterid",
            "customerno",
            "customernumber",
            "kundennummer",
            "kunde",
            "accountid",
            "id",
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
    ("channel", &["channel", "saleschannel"]),
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

/// The names of the columns: those of `--columns` where it names them, else those of the header.
///
/// # Errors
/// If `--columns` names a column that the file does not have, or has twice.
pub(super) fn names(
    path: &Path,
    header: &[String],
    columns: &ColumnNames,
) -> Result<Vec<Name>, Error> {
    let mut names = Vec::new();
    for (name, wanted) in &columns.pairs {
        let mut places = header
            .iter()
            .enumerate()
            .filter(|(_, text)| *text == wanted);
        let Some((place, _)) = places.next() else {
            return Err(Error::UnknownColumn {
                path: path.to_owned(),
                name: name.clone(),
                column: wanted.clone(),
                found: format!(
                    "; it has {}{}",
                    header.join(", "),
                    did_you_mean(wanted, header.iter().map(String::as_str))
                ),
            });
        };
        if places.next().is_some() {
            return Err(twice(path, wanted));
        }
        names.push(Name {
            name: name.clone(),
            header: wanted.clone(),
            place,
        });
    }
    for (place, text) in header.iter().enumerate() {
        let is_named = |name: &&Name| name.name == *text || name.place == place;
        if !text.is_empty() && !names.iter().any(|name| is_named(&name)) {
            names.push(Name {
                name: text.clone(),
                header: text.clone(),
                place,
            });
        }
    }
    Ok(names)
}

fn twice(path: &Path, column: &str) -> Error {
    Error::ColumnTwice {
        path: path.to_owned(),
        column: column.to_owned(),
    }
}

/// Compares a file's columns with those that a format expects.
///
/// # Errors
/// Names a required column that is missing, with a guess at `--columns`; a name of `--columns` that the format does not know; a column that
/// is there twice.
pub(super) fn check(shape: &Shape, columns: &[Column], others: Others) -> Result<(), Error> {
    let known: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
    for (name, _) in &shape.options.columns.pairs {
        if others == Others::Ignored && !known.contains(name) {
            return Err(Error::UnknownName {
                name: name.clone(),
                similar: did_you_mean(name, known.iter().map(String::as_str)),
                known: known.join(", "),
            });
        }
    }
    let mut missing: Vec<String> = Vec::new();
    for column in columns {
        match shape.names.iter().find(|name| name.name == column.name) {
            Some(name) => {
                let same = shape.header.iter().filter(|text| **text == name.header);
                if same.count() > 1 {
                    return Err(twice(&shape.path, &name.header));
                }
            }
            None if column.is_required => missing.push(format!("{:?}", column.name)),
            None => {}
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::MissingColumn {
        path: shape.path.clone(),
        column: missing.join(" and no "),
        found: shape.header.join(", "),
        hint: hint(shape, columns),
    })
}

/// A guess at `--columns`, with a leading sentence; empty where nothing is like a name of the format.
fn hint(shape: &Shape, columns: &[Column]) -> String {
    let mut guessed: Vec<String> = Vec::new();
    let guess = |name: &str| {
        let others = OTHER_NAMES.iter().find(|(known, _)| *known == name)?.1;
        let found = |other: &&str| shape.header.iter().find(|text| plain(text) == **other);
        others.iter().find_map(found)
    };
    let missing = |name: &str| !shape.names.iter().any(|known| known.name == name);
    let pair = |name: &str, header: &String| {
        if header.contains(',') {
            format!("\"{name}={header}\"")
        } else {
            format!("{name}={header}")
        }
    };
    let mut lines = "";
    for column in columns.iter().filter(|column| missing(&column.name)) {
        let name = column.name.as_str();
        if let Some(header) = guess(name) {
            guessed.push(pair(name, header));
        } else if let (true, "revenue", Some(quantity), Some(price)) =
            (column.is_required, name, guess("quantity"), guess("price"))
        {
            guessed.push(pair("quantity", quantity));
            guessed.push(pair("price", price));
            lines = ", and --lines sum where an order has several rows";
        } else if column.is_required {
            let mut header = shape.header.iter();
            let spelled = header.find(|text| is_spelling(text, name));
            guessed.extend(spelled.map(|header| pair(name, header)));
        }
    }
    guessed.extend(
        shape
            .options
            .columns
            .pairs
            .iter()
            .map(|(name, header)| pair(name, header)),
    );
    if guessed.is_empty() {
        let missing = columns
            .iter()
            .filter(|column| column.is_required && missing(&column.name));
        let near = missing
            .map(|column| did_you_mean(&column.name, shape.header.iter().map(String::as_str)));
        let near = near.into_iter().next().unwrap_or_default();
        let end = if near.is_empty() { "." } else { "" };
        format!("{near}{end} --columns NAME=COLUMN says which column stands for it")
    } else {
        let guessed = guessed.join(",");
        let quoted = if guessed.contains(' ') {
            format!("'{guessed}'")
        } else {
            guessed
        };
        format!(". Perhaps --columns {quoted}{lines}")
    }
}
