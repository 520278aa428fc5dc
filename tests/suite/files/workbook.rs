//! Workbooks (.xlsx) made part by part, so that each cell is what a test says.

/// A part of an archive: its name and its bytes, which are stored as they are.
pub(super) fn archive(parts: &[(&str, &[u8])]) -> Vec<u8> {
    archive_of(parts, false)
}

/// The same archive, whose directory has its numbers where large ones stand (ZIP64), as programs do that write without knowing the size.
pub(super) fn long_archive(parts: &[(&str, &[u8])]) -> Vec<u8> {
    archive_of(parts, true)
}

fn archive_of(parts: &[(&str, &[u8])], is_long: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut directory = Vec::new();
    for (name, part) in parts {
        let local = u32::try_from(bytes.len()).unwrap();
        let size = u32::try_from(part.len()).unwrap();
        // Version, flags, method, time and date; then sum and sizes.
        let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
        common.extend(crc32fast::hash(part).to_le_bytes());
        common.extend([size.to_le_bytes(), size.to_le_bytes()].concat());
        common.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
        common.extend([0, 0]);
        bytes.extend(b"PK\x03\x04");
        bytes.extend(&common);
        bytes.extend(name.as_bytes());
        bytes.extend(*part);
        directory.extend(b"PK\x01\x02\x14\0");
        if is_long {
            let (sum, lengths) = (&common[..14], &common[22..24]);
            directory.extend([sum, &[0xff; 8], lengths, &[28, 0], &[0; 10], &[0xff; 4]].concat());
            directory.extend(name.as_bytes());
            directory.extend([1, 0, 24, 0]);
            for number in [size, size, local] {
                directory.extend(u64::from(number).to_le_bytes());
            }
            continue;
        }
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend(local.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let start = u32::try_from(bytes.len()).unwrap();
    let count = u16::try_from(parts.len()).unwrap().to_le_bytes();
    let length = u32::try_from(directory.len()).unwrap().to_le_bytes();
    bytes.extend(directory);
    if is_long {
        let end = bytes.len() as u64;
        let count = (parts.len() as u64).to_le_bytes();
        bytes.extend(b"PK\x06\x06");
        bytes.extend(44_u64.to_le_bytes());
        bytes.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend([count, count].concat());
        bytes.extend(
            [u64::from(u32::from_le_bytes(length)), u64::from(start)]
                .map(u64::to_le_bytes)
                .concat(),
        );
        bytes.extend(b"PK\x06\x07\0\0\0\0");
        bytes.extend(end.to_le_bytes());
        bytes.extend([1, 0, 0, 0]);
    }
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    if is_long {
        bytes.extend([0xff; 12]);
    } else {
        bytes.extend([count, count].concat());
        bytes.extend([length, start.to_le_bytes()].concat());
    }
    bytes.extend([0, 0]);
    bytes
}

const SHEETS: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const RELATIONS: &str = "http://schemas.openxmlformats.org/package/2006/relationships";
const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";

/// A workbook of sheets, each a name and the XML of its rows. Style 1 is a date, style 2 a date with a time. A sheet whose name begins with
/// `hidden` is hidden.
pub(super) fn workbook(sheets: &[(&str, &str)], is_1904: bool) -> Vec<u8> {
    workbook_of(sheets, is_1904, archive)
}

/// Makes an archive of files, each with its name.
type Archive = fn(&[(&str, &[u8])]) -> Vec<u8>;

/// The same workbook in an archive of another kind.
pub(super) fn workbook_of(sheets: &[(&str, &str)], is_1904: bool, archive: Archive) -> Vec<u8> {
    let numbered = || (1..).zip(sheets);
    let list: String = numbered()
        .map(|(number, (name, _))| {
            let state = if name.starts_with("hidden") {
                "hidden"
            } else {
                "visible"
            };
            format!(
                "<sheet name=\"{name}\" sheetId=\"{number}\" state=\"{state}\" r:id=\"r{number}\"/>"
            )
        })
        .collect();
    let relations: String = numbered()
        .map(|(number, _)| {
            format!("<Relationship Id=\"r{number}\" Type=\"{OFFICE}/worksheet\" Target=\"worksheets/sheet{number}.xml\"/>")
        })
        .collect();
    let dates = if is_1904 {
        "<workbookPr date1904=\"1\"/>"
    } else {
        ""
    };
    let book = format!(
        "<workbook xmlns=\"{SHEETS}\" xmlns:r=\"{OFFICE}\">{dates}<sheets>{list}</sheets></workbook>"
    );
    let styles = format!(
        "<styleSheet xmlns=\"{SHEETS}\"><cellXfs><xf numFmtId=\"0\"/><xf numFmtId=\"14\"/><xf numFmtId=\"22\"/></cellXfs></styleSheet>"
    );
    let root = format!(
        "<Relationships xmlns=\"{RELATIONS}\"><Relationship Id=\"r1\" Type=\"{OFFICE}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"
    );
    let relations = format!(
        "<Relationships xmlns=\"{RELATIONS}\">{relations}<Relationship Id=\"s\" Type=\"{OFFICE}/styles\" Target=\"styles.xml\"/></Relationships>"
    );
    let mut parts = vec![
        ("_rels/.rels".to_owned(), root),
        ("xl/workbook.xml".to_owned(), book),
        ("xl/_rels/workbook.xml.rels".to_owned(), relations),
        ("xl/styles.xml".to_owned(), styles),
    ];
    for (number, (_, rows)) in numbered() {
        let sheet =
            format!("<worksheet xmlns=\"{SHEETS}\"><sheetData>{rows}</sheetData></worksheet>");
        parts.push((format!("xl/worksheets/sheet{number}.xml"), sheet));
    }
    let parts: Vec<(&str, &[u8])> = parts
        .iter()
        .map(|(name, part)| (name.as_str(), part.as_bytes()))
        .collect();
    archive(&parts)
}

/// A row of a sheet. A cell is text; `n:5` a number, `d:41318` a date, `t:41318.5` a date with a time, `b:1` a truth, `e:#REF!` an error,
/// `f:5` the value of a formula, `f:` a formula without a value, `s:5` the text of one, `-` a cell without a value, and nothing is no cell.
pub(super) fn row(number: u32, cells: &[&str]) -> String {
    let letters = ('A'..='Z').map(|letter| format!("{letter}{number}"));
    let cells = letters.zip(cells).filter(|(_, cell)| !cell.is_empty());
    let cells = cells.map(|(place, cell)| match cell.split_once(':') {
        Some(("n", value)) => format!("<c r=\"{place}\"><v>{value}</v></c>"),
        Some(("d", value)) => format!("<c r=\"{place}\" s=\"1\"><v>{value}</v></c>"),
        Some(("t", value)) => format!("<c r=\"{place}\" s=\"2\"><v>{value}</v></c>"),
        Some(("b", value)) => format!("<c r=\"{place}\" t=\"b\"><v>{value}</v></c>"),
        Some(("e", value)) => format!("<c r=\"{place}\" t=\"e\"><v>{value}</v></c>"),
        Some(("s", value)) => {
            format!("<c r=\"{place}\" t=\"str\"><f>T(A1)</f><v>{value}</v></c>")
        }
        None if *cell == "-" => format!("<c r=\"{place}\" s=\"1\"/>"),
        Some(("f", value)) => format!("<c r=\"{place}\"><f>SUM(A1)</f><v>{value}</v></c>"),
        _ => format!("<c r=\"{place}\" t=\"inlineStr\"><is><t>{cell}</t></is></c>"),
    });
    format!("<row r=\"{number}\">{}</row>", cells.collect::<String>())
}
