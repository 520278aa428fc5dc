//! Amounts and numbers: signs, thousands, prices without cents, currencies.

use segstream::dataset::Column;
use segstream::dataset::DecimalSign;
use segstream::dataset::Kind;
use segstream::dataset::Others;
use segstream::dataset::Rows;
use segstream::domain::money::Currency;

use super::Options;
use super::assert_says;
use super::file;
use super::of_amounts;
use super::options;
use super::read;
use super::refused;

fn amounts(amounts: &[&str], options: &Options) -> Result<Vec<String>, String> {
    let rows = read("orders.csv", of_amounts(amounts).as_bytes(), options)?;
    Ok(rows
        .iter()
        .map(|row| row.split(' ').skip(4).collect::<Vec<_>>().join(" "))
        .collect())
}

#[test]
fn amounts_are_read_in_every_form_that_exports_have() {
    for (texts, expected) in [
        (vec!["1,234.50", "7"], vec!["1234.50", "7"]),
        (vec!["1.234,50", "1.234"], vec!["1234.50", "1234"]),
        (vec!["1,234", "0.5"], vec!["1234", "0.5"]),
        (vec!["1,234", "2,5"], vec!["1.234", "2.5"]),
        (
            vec!["1 234,50", "1\u{a0}234,5", "1\u{202f}234"],
            vec!["1234.50", "1234.5", "1234"],
        ),
        (vec!["1'234.50"], vec!["1234.50"]),
        // No program writes thousands before an exponent.
        (
            vec!["1,234E+05", "2,500E+03"],
            vec!["1.234e+05", "2.500e+03"],
        ),
        (vec!["1.234E+05", "7"], vec!["1.234e+05", "7"]),
        (vec!["1,234,567"], vec!["1234567"]),
        (
            vec!["(12.50)", "-12.50", "12.50-", "\u{2212}12.50"],
            vec!["-12.50"; 4],
        ),
        (
            vec![
                "$ (5.00)",
                "$1,234.50",
                "-$5.00",
                "($5.00)",
                "USD 12.50",
                "12.50 USD",
            ],
            vec![
                "-5.00 USD",
                "1234.50 USD",
                "-5.00 USD",
                "-5.00 USD",
                "12.50 USD",
                "12.50 USD",
            ],
        ),
        (
            vec!["12,50 \u{20ac}", "EUR 1.234,00"],
            vec!["12.50 EUR", "1234.00 EUR"],
        ),
        (vec!["\u{a3}5", "\u{a3}5.5"], vec!["5 GBP", "5.5 GBP"]),
        (vec![".5", "1e3"], vec!["0.5", "1e3"]),
        // Prices without cents, as they are written in Germany and in Switzerland.
        (
            vec!["\u{20ac} 20,-", "7,50", "5,-", "5,\u{2013}", "-5,--"],
            vec!["20 EUR", "7.50", "5", "5", "-5"],
        ),
        (vec!["CHF 5.-", "7.50"], vec!["5 CHF", "7.50"]),
        // Lakhs.
        (
            vec!["\u{20b9}1,23,456.00", "\u{20b9} 12,34,567"],
            vec!["123456.00 INR", "1234567 INR"],
        ),
        (vec!["NULL", "", "N/A", "-5.5"], vec!["-", "-", "-", "-5.5"]),
    ] {
        assert_eq!(amounts(&texts, &options()).unwrap(), expected, "{texts:?}");
    }
}

#[test]
fn amounts_that_are_wrong_or_can_be_read_in_two_ways_are_refused() {
    let asked = |sign: DecimalSign| Options {
        decimal: Some(sign),
        ..options()
    };
    let in_euros = Options {
        currency: Currency::parse("EUR"),
        ..options()
    };
    for (texts, options, parts) in [
        (
            vec!["1,234", "2,345"],
            options(),
            vec!["line 2", "1,234", "--decimal"],
        ),
        (
            vec!["1.234"],
            options(),
            vec!["line 2", "1.234", "--decimal"],
        ),
        (
            vec!["1,5", "1.5"],
            options(),
            vec![
                "\"1,5\" in line 2",
                "\"1.5\" in line 3",
                "with --decimal point or --decimal comma all rows are read that way",
            ],
        ),
        // A number below one has no thousands.
        (
            vec!["12.50", "0,125"],
            asked(DecimalSign::Point),
            vec!["line 3", "0,125"],
        ),
        (
            vec!["12,50", "0.125"],
            asked(DecimalSign::Comma),
            vec!["line 3", "0.125"],
        ),
        (
            vec!["1,5"],
            asked(DecimalSign::Point),
            vec!["line 2", "1,5", "1234.50"],
        ),
        (
            vec!["1.5"],
            asked(DecimalSign::Comma),
            vec!["line 2", "1.5", "1234,50", "decimal comma"],
        ),
        (vec!["5,---"], options(), vec!["line 2", "5,---"]),
        (vec!["5,-", "7.50"], options(), vec!["two ways"]),
        (
            vec!["149 kr"],
            options(),
            vec!["--currency", "SEK, NOK, DKK"],
        ),
        (vec!["1,23,4.5"], options(), vec!["line 2"]),
        (vec!["12 34"], options(), vec!["line 2"]),
        (vec!["--5"], options(), vec!["line 2"]),
        (vec!["12%"], options(), vec!["line 2"]),
        (vec!["twelve"], options(), vec!["line 2", "twelve"]),
        (vec!["1e999"], options(), vec!["line 2"]),
        (
            vec!["1234567890.123456789"],
            options(),
            vec!["line 2", "18 digits"],
        ),
        (vec!["$5"], in_euros.clone(), vec!["line 2", "$5", "EUR"]),
        (vec!["USD 5"], in_euros, vec!["USD 5", "EUR"]),
        (vec!["\u{a5}500"], options(), vec!["--currency", "JPY, CNY"]),
    ] {
        println!("{texts:?}");
        assert_says(&refused(of_amounts(&texts).as_bytes(), &options), &parts);
    }
    assert_eq!(
        amounts(&["1,234"], &asked(DecimalSign::Point)).unwrap(),
        ["1234"]
    );
    assert_eq!(
        amounts(&["1,234"], &asked(DecimalSign::Comma)).unwrap(),
        ["1.234"]
    );
    let yen = Options {
        currency: Currency::parse("JPY"),
        ..options()
    };
    assert_eq!(amounts(&["\u{a5}500"], &yen).unwrap(), ["500 JPY"]);
}

#[test]
fn a_sign_that_contradicts_the_currency_of_its_row_is_refused() {
    let text = "customer_id;order_id;occurred_at;revenue;currency\nc;o1;2013-02-13;$5;CAD\nc;o2;2013-02-13;\u{20ac}5;USD\n";
    assert_says(
        &refused(text.as_bytes(), &options()),
        &["line 3", "\u{20ac}5", "USD"],
    );
    // Small letters are of the same code, and what is not available is not stated.
    for (currency, expected) in [("cad", "5 CAD"), ("N/A", "5 USD"), ("", "5 USD")] {
        let text = text.replace("CAD", currency).replace('\u{20ac}', "$");
        let rows = read("f.csv", text.as_bytes(), &options()).unwrap();
        assert_says(&rows[0], &[expected]);
    }
    assert_says(
        &refused(text.replace("CAD", "dollars").as_bytes(), &options()),
        &["line 2", "\"dollars\"", "a currency code such as USD"],
    );
}

/// The sums and counts of a table to learn from.
#[test]
fn a_number_has_a_currency_only_where_it_is_money() {
    let read = |values: &[&str], options: &Options| {
        let rows: String = values.iter().map(|value| format!("{value};3\n")).collect();
        let file = file("f.csv", format!("income;visits\n{rows}").as_bytes());
        let said = |error: segstream::dataset::Error| error.to_string();
        let mut rows = Rows::open(&file.path, options).map_err(said)?;
        let columns = [
            Column::required("income", Kind::Money),
            Column::required("visits", Kind::Number),
        ];
        rows.expect(&columns, Others::Ignored).map_err(said)?;
        let mut numbers = Vec::new();
        while let Some(row) = rows.next_row().map_err(said)? {
            numbers.push(row.number("income").map_err(said)?);
            row.number("visits").map_err(said)?;
        }
        Ok::<_, String>(numbers)
    };
    let in_euros = Options {
        currency: Currency::parse("EUR"),
        ..Options::default()
    };
    for (values, expected) in [
        (vec!["$58,138.00 ", "71613"], vec![58138.0, 71613.0]),
        (vec!["$5.5", "5.5 USD", "US$5.5", "$5.5"], vec![5.5; 4]),
    ] {
        let expected: Vec<Option<f64>> = expected.into_iter().map(Some).collect();
        assert_eq!(
            read(&values, &Options::default()),
            Ok(expected),
            "{values:?}"
        );
    }
    for (values, options, parts) in [
        (
            vec!["$5.5", "5", "\u{20ac}5.5"],
            Options::default(),
            vec!["income", "\"$5.5\" in line 2", "\"\u{20ac}5.5\" in line 4"],
        ),
        // A sign of several currencies is of the one that another row states.
        (
            vec!["$5", "5 USD", "5 CAD"],
            Options::default(),
            vec!["\"5 USD\" in line 3", "\"5 CAD\" in line 4"],
        ),
        (
            vec!["$5", "C$7", "$6", "A$9"],
            Options::default(),
            vec!["\"C$7\" in line 3", "\"A$9\" in line 5"],
        ),
        (vec!["$5.5"], in_euros, vec!["line 2", "$5.5", "EUR"]),
        (
            vec!["5;$3\n5"],
            Options::default(),
            vec!["line 2", "visits", "\"$3\"", "without a currency"],
        ),
    ] {
        assert_says(&read(&values, &options).unwrap_err(), &parts);
    }
}

/// Programs write a point and no thousands; a comma may be either.
#[test]
fn whether_numbers_can_be_read_in_two_ways_does_not_depend_on_the_order_of_rows() {
    for (values, line) in [
        (["1.234", "1,234", "2.345"], "line 3"),
        (["1,234", "1.234", "2.345"], "line 2"),
        (["1.234", "2.345", "-1,234"], "line 4"),
    ] {
        let rows: String = values.iter().map(|value| format!("{value}\t1\n")).collect();
        let file = file("f.tsv", format!("x\ty\n{rows}").as_bytes());
        let mut rows = Rows::open(&file.path, &Options::default()).unwrap();
        let columns = ["x", "y"].map(|name| Column::required(name, Kind::Number));
        let problem = rows.expect(&columns, Others::Ignored).unwrap_err();
        assert_says(&problem.to_string(), &[line, "1,234", "two ways"]);
    }
}
