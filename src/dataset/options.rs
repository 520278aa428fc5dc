//! How a file is to be read: what the flags of the command line say, and the settings that matter.

use crate::domain::money::Currency;
use crate::domain::time::BusinessZone;

/// How a file is to be read. What is not said here is found in the file.
#[derive(Clone, Debug)]
pub struct Options {
    /// `--encoding`.
    pub encoding: Option<Encoding>,
    /// `--separator`.
    pub separator: Option<Separator>,
    /// `--sheet`.
    pub sheet: Option<String>,
    /// `--columns`.
    pub columns: ColumnNames,
    /// `--date-format`, as jiff's strftime has it.
    pub date_format: Option<String>,
    /// `--decimal`.
    pub decimal: Option<DecimalSign>,
    /// `--currency`: that of amounts whose row states none.
    pub currency: Option<Currency>,
    /// The base currency: that of amounts which neither row nor `currency` state. `None` where money has no meaning.
    pub base: Option<Currency>,
    /// The zone of local times and of days.
    pub zone: BusinessZone,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            encoding: None,
            separator: None,
            sheet: None,
            columns: ColumnNames::default(),
            date_format: None,
            decimal: None,
            currency: None,
            base: None,
            zone: BusinessZone::UTC,
        }
    }
}

impl Options {
    /// A text that differs where the flags make other rows of the same bytes; empty without flags. A replay that is continued must
    /// have the same one.
    #[must_use]
    pub fn identity(&self) -> String {
        let encoding = self.encoding.map(|encoding| format!("{encoding:?}"));
        let separator = self.separator.map(|separator| separator.to_string());
        let decimal = self.decimal.map(|decimal| format!("{decimal:?}"));
        let currency = self.currency.map(|currency| currency.to_string());
        let parts = [
            ("encoding", encoding),
            ("separator", separator),
            ("sheet", self.sheet.clone()),
            ("columns", self.columns.stated()),
            ("date", self.date_format.clone()),
            ("decimal", decimal),
            ("currency", currency),
        ];
        let given = parts
            .into_iter()
            .filter_map(|(name, value)| value.map(|value| format!("/{name}={value}")));
        given.collect()
    }
}

/// The encoding of a text file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Encoding {
    /// UTF-8.
    #[value(name = "utf-8", alias = "utf8")]
    Utf8,
    /// UTF-16, the low byte first.
    #[value(name = "utf-16le", alias = "utf16le")]
    Utf16LittleEndian,
    /// UTF-16, the high byte first.
    #[value(name = "utf-16be", alias = "utf16be")]
    Utf16BigEndian,
    /// Latin-1, read as windows-1252, as the WHATWG says.
    #[value(name = "latin1", alias = "windows-1252", alias = "iso-8859-1")]
    Latin1,
}

impl Encoding {
    pub(super) fn shown(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Utf16LittleEndian => "UTF-16, little-endian",
            Self::Utf16BigEndian => "UTF-16, big-endian",
            Self::Latin1 => "Latin-1 (windows-1252)",
        }
    }
}

/// What stands between the fields of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Separator(pub char);

impl std::str::FromStr for Separator {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = match text {
            "tab" | "\\t" => Some('\t'),
            "comma" => Some(','),
            "semicolon" => Some(';'),
            "pipe" => Some('|'),
            _ => None,
        };
        let mut characters = text.chars();
        let one = characters.next().filter(|_| characters.next().is_none());
        let is_possible = |character: &char| {
            !character.is_alphanumeric() && !matches!(character, '"' | '\r' | '\n' | '\0' | '.')
        };
        let found = named.or(one).filter(is_possible);
        found.map(Self).ok_or_else(|| {
            format!(
                "{text:?} is not a separator: it is one character, such as \";\", or comma, semicolon, tab or pipe"
            )
        })
    }
}

impl std::fmt::Display for Separator {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            '\t' => formatter.write_str("tab"),
            character => write!(formatter, "{character:?}"),
        }
    }
}

/// What stands before the fraction of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum DecimalSign {
    /// `1,234.56`
    Point,
    /// `1.234,56`
    Comma,
}

/// Which column of the file stands for which column of the format: `--columns customer_id=CustomerID,...`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnNames {
    /// The column of the format, and the one of the file.
    pub pairs: Vec<(String, String)>,
}

impl ColumnNames {
    /// Adds what one `--columns` says. A pair with a comma in it stands in quotes: `"revenue=Total, net"`. Lines may break between
    /// pairs.
    ///
    /// # Errors
    /// Names the pair and what is allowed.
    pub fn add(&mut self, text: &str) -> Result<(), String> {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        let mut count = 0;
        for record in reader.records() {
            let record = record.map_err(|error| format!("{text:?} cannot be read: {error}"))?;
            // A comma may stand before the break of a line.
            let last = record.len().saturating_sub(1);
            let pairs = record.iter().enumerate();
            for (_, pair) in pairs.filter(|(at, pair)| *at < last || !pair.is_empty()) {
                self.add_pair(pair)?;
                count += 1;
            }
        }
        if count == 0 {
            self.add_pair(text)?;
        }
        Ok(())
    }

    fn add_pair(&mut self, pair: &str) -> Result<(), String> {
        let parts = pair
            .split_once('=')
            .map(|(name, header)| (name.trim(), header.trim()));
        let Some((name, header)) = parts.filter(|(name, _)| !name.is_empty()) else {
            return Err(format!(
                "{pair:?} is not NAME=COLUMN, such as customer_id=CustomerID, or NAME= for a column that is not to be used"
            ));
        };
        if let Some((_, known)) = self.pairs.iter().find(|(known, _)| known == name) {
            return Err(format!(
                "{name} is given twice: as {known:?} and as {header:?}"
            ));
        }
        self.pairs.push((name.to_owned(), header.to_owned()));
        Ok(())
    }

    /// The column of the file that stands for a column of the format.
    #[must_use]
    pub fn header_of(&self, name: &str) -> Option<&str> {
        let mut pairs = self.pairs.iter();
        let pair = pairs.find(|(known, header)| known == name && !header.is_empty());
        pair.map(|(_, header)| header.as_str())
    }

    /// Whether a column of the file is not to be used: `--columns channel=`.
    #[must_use]
    pub fn leaves_out(&self, column: &str) -> bool {
        let mut pairs = self.pairs.iter();
        pairs.any(|(name, header)| name == column && header.is_empty())
    }

    fn stated(&self) -> Option<String> {
        let pairs = self.pairs.iter();
        let pairs: Vec<String> = pairs
            .map(|(name, header)| format!("{name}={header}"))
            .collect();
        (!pairs.is_empty()).then(|| pairs.join(","))
    }
}
