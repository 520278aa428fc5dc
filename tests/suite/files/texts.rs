//! Encodings, compression, separators, quotes and lines.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use segstream::dataset::Encoding;
use segstream::dataset::Separator;

use super::assert_says;
use super::file;
use super::options;
use super::read;
use super::read_with_notes;
use super::refused;

const ORDERS: &str = "customer_id,order_id,occurred_at,revenue,category\r\n\
                      c1,o1,2013-02-13,12.50,caf\u{e9}\r\n\
                      c2,o2,2013-02-14 08:26:00,7,\"a, b\"\r\n";
const ROWS: [&str; 2] = [
    "2 c1 o1 2013-02-13T12:00:00.000Z 12.50 caf\u{e9}",
    "3 c2 o2 2013-02-14T08:26:00.000Z 7 a, b",
];

fn utf_16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstandard(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

fn latin_1() -> Vec<u8> {
    ORDERS.chars().map(|character| character as u8).collect()
}

#[test]
fn a_table_is_the_same_in_every_encoding_and_compression_and_with_every_line_end() {
    let (first, rest) = ORDERS.split_at(60);
    let half = |text: &str| gzip(text.as_bytes());
    for (what, bytes) in [
        ("UTF-8", ORDERS.as_bytes().to_vec()),
        (
            "a byte order mark",
            format!("\u{feff}{ORDERS}").into_bytes(),
        ),
        (
            "two byte order marks",
            format!("\u{feff}\u{feff}{ORDERS}").into_bytes(),
        ),
        (
            "a mark and a header in quotes",
            format!(
                "\u{feff}{}",
                ORDERS.replacen("customer_id", "\"customer_id\"", 1)
            )
            .into_bytes(),
        ),
        (
            "UTF-16 LE",
            utf_16(&format!("\u{feff}{ORDERS}"), u16::to_le_bytes),
        ),
        (
            "UTF-16 BE",
            utf_16(&format!("\u{feff}{ORDERS}"), u16::to_be_bytes),
        ),
        ("UTF-16 LE without a mark", utf_16(ORDERS, u16::to_le_bytes)),
        ("UTF-16 BE without a mark", utf_16(ORDERS, u16::to_be_bytes)),
        ("line feeds", ORDERS.replace("\r\n", "\n").into_bytes()),
        (
            "carriage returns",
            ORDERS.replace("\r\n", "\r").into_bytes(),
        ),
        (
            "no line end at the end",
            ORDERS.trim_end().as_bytes().to_vec(),
        ),
        ("gzip", gzip(ORDERS.as_bytes())),
        ("two members of gzip", [half(first), half(rest)].concat()),
        ("Zstandard", zstandard(ORDERS.as_bytes())),
        (
            "two frames of Zstandard",
            [zstandard(first.as_bytes()), zstandard(rest.as_bytes())].concat(),
        ),
        (
            "gzip of Zstandard of UTF-16",
            gzip(&zstandard(&utf_16(ORDERS, u16::to_le_bytes))),
        ),
        (
            "spaces around names and values",
            ORDERS
                .replace("order_id,", " order_id ,")
                .replace("o1,", " o1\t,")
                .into_bytes(),
        ),
        (
            "columns without a name",
            ORDERS.replace("\r\n", ",,\r\n").into_bytes(),
        ),
        (
            "a file behind another with its mark",
            ORDERS.replace("c2,", "\u{feff}c2,").into_bytes(),
        ),
        (
            "a mark before a field in quotes",
            ORDERS.replace("c2,", "\u{feff}\"c2\",").into_bytes(),
        ),
        (
            "the end mark of DOS",
            format!("{ORDERS}\u{1a}").into_bytes(),
        ),
        (
            "what keeps a spreadsheet from reading a number",
            ORDERS
                .replace("c1,o1,", "=\"c1\",\"=\"\"o1\"\"\",")
                .into_bytes(),
        ),
        (
            "spaces without width",
            ORDERS.replace("o2,", "\u{200b}o2\u{200b},").into_bytes(),
        ),
        (
            "empty rows at the end",
            format!("{ORDERS}\r\n,,,,\r\n \r\n").into_bytes(),
        ),
    ] {
        // A name says nothing: what a file is shows in it.
        for name in ["orders.csv", "orders.dat"] {
            assert_eq!(read(name, &bytes, &options()).unwrap(), ROWS, "{what}");
        }
    }
    let latin = super::Options {
        encoding: Some(Encoding::Latin1),
        ..options()
    };
    assert_eq!(read("orders.csv", &latin_1(), &latin).unwrap(), ROWS);
}

/// 0x80 is the euro sign in windows-1252, which the WHATWG reads for Latin-1, and a control character in ISO 8859-1.
#[test]
fn latin_1_is_windows_1252() {
    let latin = super::Options {
        encoding: Some(Encoding::Latin1),
        ..options()
    };
    let text = b"customer_id,order_id,occurred_at,revenue\nc1,o1,2013-02-13,\x8012.50\n";
    let rows = read("orders.csv", text, &latin).unwrap();
    assert_eq!(rows, ["2 c1 o1 2013-02-13T12:00:00.000Z 12.50 EUR"]);
}

#[test]
fn bytes_that_are_no_text_are_refused_with_their_place() {
    let utf_16_bytes = utf_16(&format!("\u{feff}{ORDERS}"), u16::to_le_bytes);
    let cut = utf_16_bytes.len() - 1;
    for (what, bytes, parts) in [
        (
            "Latin-1",
            latin_1(),
            vec!["line 2", "character 27", "0xe9", "--encoding latin1"],
        ),
        (
            "Latin-1 with carriage returns",
            String::from_utf8_lossy(&latin_1())
                .replace("\r\n", "\r")
                .replace('\u{fffd}', "~")
                .into_bytes()
                .iter()
                .map(|byte| if *byte == b'~' { 0xe9 } else { *byte })
                .collect(),
            vec!["line 2", "character 27"],
        ),
        (
            "a character that is cut off",
            ORDERS.as_bytes()[..ORDERS.find('\u{e9}').unwrap() + 1].to_vec(),
            vec!["line 2", "--encoding latin1"],
        ),
        (
            "UTF-8 with a line of Latin-1",
            [ORDERS.as_bytes(), &latin_1()[51..]].concat(),
            vec!["line 4", "0xe9", "the file is damaged", "mend that line"],
        ),
        (
            "a zero byte",
            ORDERS.replace("o2", "o\0").into_bytes(),
            vec!["line 3", "zero byte"],
        ),
        (
            "UTF-16 that is cut off",
            utf_16_bytes[..cut].to_vec(),
            vec!["UTF-16"],
        ),
        (
            "gzip that is cut off",
            gzip(ORDERS.as_bytes())[..80].to_vec(),
            vec!["gzip", "damaged"],
        ),
        (
            "Zstandard that is cut off",
            {
                let bytes = zstandard(ORDERS.as_bytes());
                bytes[..bytes.len() - 5].to_vec()
            },
            vec!["Zstandard", "damaged"],
        ),
        (
            "gzip with a wrong checksum",
            {
                let mut bytes = gzip(ORDERS.as_bytes());
                let at = bytes.len() - 6;
                bytes[at] ^= 1;
                bytes
            },
            vec!["gzip"],
        ),
        (
            "an old workbook",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec(),
            vec![".xls", "save it as .xlsx"],
        ),
        (
            "an archive",
            b"PK\x03\x04 no directory".to_vec(),
            vec!["ZIP"],
        ),
        ("Parquet", b"PAR1\x15\x04".to_vec(), vec!["Parquet"]),
        ("bzip2", b"BZh91AY&SY\x01".to_vec(), vec!["bzip2"]),
        ("xz", b"\xfd7zXZ\0\0".to_vec(), vec!["xz"]),
        (
            "HTML with the name of a workbook",
            b"\n<HTML><table><tr><td>customer_id".to_vec(),
            vec!["HTML"],
        ),
        (
            "JSON",
            b"[{\"customer_id\": 1}]".to_vec(),
            vec!["JSON", "--format jsonl"],
        ),
        (
            "a long window of Zstandard",
            // Version, a window of 2^28 bytes, and an empty block: RFC 8878.
            b"\x28\xb5\x2f\xfd\x00\x90\x01\x00\x00".to_vec(),
            vec!["128 MiB", "without --long"],
        ),
        ("nothing", Vec::new(), vec!["has no rows"]),
        (
            "a mark alone",
            "\u{feff}".as_bytes().to_vec(),
            vec!["has no rows"],
        ),
        ("empty lines", b"\n\r\n \n".to_vec(), vec!["has no rows"]),
    ] {
        println!("{what}");
        assert_says(&refused(&bytes, &options()), &parts);
    }
    let utf_8 = super::Options {
        encoding: Some(Encoding::Utf8),
        ..options()
    };
    assert_says(&refused(&utf_16_bytes, &utf_8), &["UTF-16", "--encoding"]);
}

#[test]
fn what_stands_between_fields_is_found_in_the_header_or_stated() {
    let with = |separator: &str| ORDERS.replace("\"a, b\"", "ab").replace(',', separator);
    let asked = |separator: char| super::Options {
        separator: Some(Separator(separator)),
        ..options()
    };
    for (what, text, options) in [
        ("semicolons", with(";"), options()),
        ("tabs", with("\t"), options()),
        ("bars", with("|"), options()),
        ("a stated one", format!("sep=;\r\n{}", with(";")), options()),
        (
            "a stated one that the header does not show",
            format!("SEP=^\r\n{}", with("^")),
            options(),
        ),
        (
            "a stated tab in quotes",
            format!("\"sep=\t\"\r\n{}", with("\t")),
            options(),
        ),
        ("a given one", with("~"), asked('~')),
        (
            "a name of two lines in quotes",
            with(";")
                .replace(
                    "customer_id;",
                    "customer_id;\"Kunde\nseit, wann, und wo, etwa\";",
                )
                .replace("c1;", "c1;x;")
                .replace("c2;", "c2;x;"),
            options(),
        ),
        (
            "a name with another one in quotes",
            with(";").replace("category", "\"category, of goods, in all, of the shop\""),
            super::Options {
                columns: super::with_columns(
                    "\"category=category, of goods, in all, of the shop\"",
                )
                .columns,
                ..options()
            },
        ),
    ] {
        let (rows, _) = read_with_notes(&file("orders.csv", text.as_bytes()), &options).unwrap();
        let is_longer = text.to_lowercase().contains("sep=") || text.contains("Kunde\n");
        let lines = u64::from(is_longer);
        let first = ROWS[0].replacen('2', &(2 + lines).to_string(), 1);
        assert_eq!(rows[0], first, "{what}");
    }
    let tie = b"customer_id,order_id;occurred_at\n1,2;3\n";
    assert_says(&refused(tie, &options()), &["--separator"]);
    assert_says(
        &refused(b"customer_id\n1\n", &options()),
        &["no column \"order_id\"", "it has customer_id"],
    );
}

#[test]
fn rows_that_do_not_fit_the_header_are_refused_with_their_line() {
    let header = "customer_id,order_id,occurred_at,revenue\n";
    let long = "x".repeat(1 << 20);
    for (what, rows, parts) in [
        (
            "too few",
            "c1,o1,2013-02-13,5\nc1,o2,2013-02-13\n",
            vec!["line 3", "3 fields", "not 4"],
        ),
        (
            "too many",
            "\n\nc1,o1,2013-02-13,5,6\n",
            vec!["line 4", "5 fields"],
        ),
        (
            "a decimal comma without quotes",
            "c1,o1,2013-02-13,5,50\n",
            vec!["line 2", "5 fields"],
        ),
        (
            "names of rows that have no name in the header",
            "1,c1,o1,2013-02-13,\n",
            vec!["line 2", "5 fields"],
        ),
        (
            "a quote that is open",
            "c1,o1,2013-02-13,5\nc2,\"o2,2013-02-13,5\nc3,o3,2013-02-13,5\n",
            vec!["line 3", "quote"],
        ),
        (
            "a quote that another row closes",
            "c1,\"o1,2013-02-13,5\nc2,\"o2\",2013-02-13,5\n",
            vec!["line 2", "quote"],
        ),
        (
            "a quote with a backslash",
            "c1,\"o \\\"1\\\"\",2013-02-13,5\n",
            vec!["line 2", "\"\""],
        ),
        (
            "a row of a mebibyte",
            &format!("c1,{long},2013-02-13,5\n"),
            vec!["line 2", "1048576"],
        ),
        (
            "an open quote and a mebibyte",
            &format!("c1,\"{long},2013-02-13,5\n{long}"),
            vec!["line 2", "quote"],
        ),
    ] {
        println!("{what}");
        for end in ["\n", "\r\n", "\r"] {
            let text = format!("{header}{rows}").replace('\n', end);
            assert_says(&refused(text.as_bytes(), &options()), &parts);
        }
    }
    let tabs = "customer_id\torder_id\toccurred_at\trevenue\tproduct\nc1\to1\t2013-02-13\t5\t\"12 inch\n\
                c2\to2\t2013-02-13\t6\tlamp\nc3\to3\t2013-02-13\t7\t15\"\nc4\to4\t2013-02-13\t8\tx\n";
    // Also in a file that has a space behind each separator.
    let commas = tabs.replace('\t', ", ");
    for text in [tabs, &commas] {
        for end in ["\n", "\r\n", "\r"] {
            assert_says(
                &refused(text.replace('\n', end).as_bytes(), &options()),
                &[
                    "line 2",
                    "quote",
                    "in line 4",
                    "whole rows",
                    "take the line breaks out of it",
                ],
            );
        }
    }
    // Titles and lines in quotes are headers of one column.
    for (text, parts) in [
        (
            "Export of 2013-02-13\n\ncustomer_id;order_id\nc1;o1,5\n",
            vec!["line 4", "2 fields, not 1", "title"],
        ),
        ("Export\ncustomer_id\nc1\n", vec!["it has Export", "title"]),
        (
            "\"customer_id,order_id,occurred_at,revenue\"\n\"c1,o1,2013-02-13,5\"\n",
            vec!["it has \"customer_id,order_id", "each line", "quotes"],
        ),
        (
            "customer_id,order_id\nc1\n",
            vec!["line 2", "1 field, not 2"],
        ),
    ] {
        assert_says(&refused(text.as_bytes(), &options()), &parts);
    }
    let open = "\"customer_id,order_id,occurred_at,revenue\nc1,o1,2013-02-13,5\n";
    assert_says(&refused(open.as_bytes(), &options()), &["line 1", "quote"]);
}

#[test]
fn lines_are_those_of_the_file_behind_quoted_line_breaks_and_empty_lines() {
    let text = "sep=,\n\ncustomer_id,order_id,occurred_at,revenue,category\n\nc1,o1,2013-02-13,5,\"two\nlines\"\n\n,,,,\nc2,o2,2013-02-13,6,x\n";
    for end in ["\n", "\r\n", "\r"] {
        let (rows, notes) = read_with_notes(
            &file("f.csv", text.replace('\n', end).as_bytes()),
            &options(),
        )
        .unwrap();
        assert_eq!(super::part(&rows, 0)[0], "5");
        assert_eq!(rows.last().unwrap(), "9 c2 o2 2013-02-13T12:00:00.000Z 6 x");
        assert_says(
            &notes,
            &["empty rows: 1 row without any value was left out"],
        );
    }
}
