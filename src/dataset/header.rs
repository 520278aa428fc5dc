//! Which column of a file stands for which of the format.

use std::collections::HashSet;
use std::path::Path;

use crate::dataset::column::Column;
use crate::dataset::column::Kind;
use crate::dataset::column::Others;
use crate::dataset::error::Error;
use crate::dataset::options::ColumnNames;
use crate::dataset::shape::Joined;
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

/// The names of the columns: those of `--columns` where it names them, else those of the header. `occurred_at=DATE+TIME` makes a column
/// of two; the pairs are the second of what is returned.
///
/// # Errors
/// If `--columns` names a column that the file does not have, or has twice.
pub(super) fn names(
    path: &Path,
    header: &[String],
    columns: &ColumnNames,
) -> Result<(Vec<Name>, Vec<Joined>), Error> {
    let mut names = Vec::new();
    let mut joined = Vec::new();
    for (name, wanted) in &columns.pairs {
        let place = match place_of(path, header, wanted)? {
            Some(place) => place,
            None => match parts_of(path, header, wanted)? {
                Some(parts) => {
                    joined.push(parts);
                    header.len() + joined.len() - 1
                }
                None => {
                    return Err(Error::UnknownColumn {
                        path: path.to_owned(),
                        name: name.clone(),
                        column: wanted.clone(),
                        found: format!(
                            "{}; it has {}",
                            did_you_mean(wanted, header.iter().map(String::as_str)),
                            listed(header)
                        ),
                    });
                }
            },
        };
        names.push(Name {
            name: name.clone(),
            header: wanted.clone(),
            place,
            kind: None,
        });
    }
    let parts = joined.iter().flat_map(|pair| [pair.date, pair.time]);
    let places: HashSet<usize> = names.iter().map(|name| name.place).chain(parts).collect();
    let mut known: HashSet<String> = names.iter().map(|name| name.name.clone()).collect();
    for (place, text) in header.iter().enumerate() {
        if !text.is_empty() && !places.contains(&place) && known.insert(text.clone()) {
            names.push(Name {
                name: text.clone(),
                header: text.clone(),
                place,
                kind: None,
            });
        }
    }
    Ok((names, joined))
}

/// Where a column is, from 0.
fn place_of(path: &Path, header: &[String], wanted: &str) -> Result<Option<usize>, Error> {
    let places = header.iter().enumerate();
    let mut places = places.filter(|(_, text)| *text == wanted);
    let place = places.next().map(|(place, _)| place);
    match places.next() {
        Some(_) => Err(twice(path, wanted)),
        None => Ok(place),
    }
}

/// The columns of `DATE+TIME`.
fn parts_of(path: &Path, header: &[String], wanted: &str) -> Result<Option<Joined>, Error> {
    let Some((date, time)) = wanted.split_once('+') else {
        return Ok(None);
    };
    let date = place_of(path, header, date.trim())?;
    let time = place_of(path, header, time.trim())?;
    Ok(date.zip(time).map(|(date, time)| Joined { date, time }))
}

/// The names of a header, those with a comma in quotes.
fn listed(header: &[String]) -> String {
    let names = header.iter().map(|name| {
        if name.contains(',') {
            format!("{name:?}")
        } else {
            name.clone()
        }
    });
    names.collect::<Vec<String>>().join(", ")
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
/// is there twice; two columns that are to make one that is no time.
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
    let mut seen = HashSet::new();
    let mut named = shape.header.iter().filter(|text| !text.is_empty());
    let again = named.find(|text| !seen.insert(text.as_str()));
    if let (Others::Read, Some(text)) = (others, again) {
        return Err(twice(&shape.path, text));
    }
    let joined = shape.names.iter().find(|name| {
        let kind = columns.iter().find(|column| column.name == name.name);
        let is_time = kind.is_some_and(|column| column.kind == Kind::Instant);
        name.place >= shape.header.len() && !is_time
    });
    if let Some(name) = joined {
        return Err(Error::UnknownColumn {
            path: shape.path.clone(),
            name: name.name.clone(),
            column: name.header.clone(),
            found: format!("; two columns make a time, and {} is none", name.name),
        });
    }
    for column in columns {
        match shape.names.iter().find(|name| name.name == column.name) {
            Some(name) => {
                let same = shape.header.iter().filter(|text| **text == name.header);
                if same.count() > 1 {
                    return Err(twice(&shape.path, &name.header));
                }
            }
            None if column.is_required => {
                return Err(Error::MissingColumn {
                    path: shape.path.clone(),
                    column: column.name.clone(),
                    found: listed(&shape.header),
                    hint: format!("{}{}", hint(shape, columns), doubt(shape)),
                });
            }
            None => {}
        }
    }
    Ok(())
}

/// What may be wrong with the header as a whole, as a sentence; else empty.
fn doubt(shape: &Shape) -> String {
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
            let spelled = shape.header.iter().find(|text| plain(text) == plain(name));
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
        format!("{near}. --columns NAME=COLUMN says which column stands for it")
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
