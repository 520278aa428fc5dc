//! THIRD_PARTY_NOTICES.txt names all that is built into the program, with its licences, as they are in the sources that cargo
//! builds. `just notices` writes it anew.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

const FILE: &str = "THIRD_PARTY_NOTICES.txt";
const WRITE: &str = "SEGSTREAM_TEST_WRITE_NOTICES";
/// What the image is built for. Crates of other systems alone are not built in, and cargo may not have their sources.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";
/// Beginnings of the names of files with a licence.
const LICENCE_FILES: [&str; 5] = ["LICEN", "COPYING", "NOTICE", "COPYRIGHT", "UNLICENSE"];
/// Beginnings and parts of names of files that must go along whichever licence is taken.
const ALWAYS: [&str; 2] = ["NOTICE", "THIRD-PARTY"];
const APACHE: &str = "Apache-2.0";

/// A crate that builds or links what is not Rust: its libraries, each with the file of its licence and, where that file has
/// none, the line of its copyright.
type Library = (&'static str, &'static str, &'static str);
const LIBRARIES: [(&str, &[Library]); 7] = [
    (
        "openssl-src",
        &[(
            "OpenSSL",
            "openssl/LICENSE.txt",
            "Copyright (c) 1998-2026 The OpenSSL Project Authors, Copyright (c) 1995-1998 Eric A. Young, Tim J. Hudson",
        )],
    ),
    // What it links is of openssl-src.
    ("openssl-sys", &[]),
    // With LZ4, Snappy, cJSON and the others in its one file of licences.
    (
        "rdkafka-sys",
        &[("librdkafka", "librdkafka/LICENSES.txt", "")],
    ),
    ("zstd-sys", &[("Zstandard", "zstd/LICENSE", "")]),
    ("libz-sys", &[("zlib", "src/zlib/LICENSE", "")]),
    ("tikv-jemalloc-sys", &[("jemalloc", "jemalloc/COPYING", "")]),
    // It links nothing: the key only forbids a second version of the crate.
    ("rayon-core", &[]),
];

#[derive(Debug, Clone)]
struct Crate {
    name: String,
    version: String,
    licence: String,
    authors: Vec<String>,
    folder: PathBuf,
    /// It links a library, or a compiler for C is one of its dependencies.
    is_native: bool,
}

impl Crate {
    fn of(package: &Value) -> Self {
        let text = |key: &str| package[key].as_str().unwrap_or_default().to_owned();
        let compilers = ["cc", "cmake"];
        let dependencies = package["dependencies"].as_array().unwrap();
        let builds = dependencies
            .iter()
            .any(|one| compilers.contains(&one["name"].as_str().unwrap()));
        Self {
            name: text("name"),
            version: text("version"),
            licence: text("license"),
            authors: serde_json::from_value(package["authors"].clone()).unwrap(),
            folder: Path::new(&text("manifest_path")).parent().unwrap().into(),
            is_native: builds || package["links"].is_string(),
        }
    }

    /// How the notices name it.
    fn label(&self) -> String {
        format!("{} {}", self.name, self.version)
    }

    /// Apache-2.0 is one of the licences that may be chosen.
    fn offers_apache(&self) -> bool {
        let is_choice = !self.licence.contains("AND") && !self.licence.contains('(');
        is_choice
            && self
                .licence
                .replace('/', " OR ")
                .split(" OR ")
                .any(|one| one.trim() == APACHE)
    }

    /// The texts that apply, by file.
    fn texts(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(&self.folder)
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.file_type().unwrap().is_file())
            .map(|entry| entry.file_name().into_string().unwrap())
            .filter(|name| {
                let name = name.to_uppercase();
                LICENCE_FILES.iter().any(|start| name.starts_with(start))
            })
            .collect();
        names.sort();
        if self.offers_apache() {
            let is_needed =
                |name: &String| ALWAYS.iter().any(|part| name.to_uppercase().contains(part));
            names.retain(is_needed);
        }
        let mut texts: Vec<String> = names
            .iter()
            .map(|name| read(&self.folder.join(name)))
            .collect();
        if self.offers_apache() {
            texts.insert(0, apache());
        }
        if texts.is_empty() {
            texts.push(self.standard_text());
        }
        texts
    }

    /// For a crate without a file: the licence that its manifest names, with its authors.
    fn standard_text(&self) -> String {
        let terms = match self.licence.as_str() {
            "MIT" => include_str!("MIT.txt"),
            "0BSD" => include_str!("0BSD.txt"),
            other => panic!("{} has no file of its licence, {other}", self.label()),
        };
        format!("Copyright (c) {}\n\n{terms}", self.authors.join(", "))
    }
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let text = String::from_utf8_lossy(&bytes).replace("\r\n", "\n");
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n").trim_matches('\n').to_owned()
}

fn apache() -> String {
    read(&repository().join("LICENSE"))
}

/// Letters and digits alone: texts that differ in their layout are one.
fn essence(text: &str) -> String {
    let kept = text.chars().filter(char::is_ascii_alphanumeric);
    kept.map(|letter| letter.to_ascii_lowercase()).collect()
}

/// The terms of a text: of Apache-2.0 without the appendix, which is an example.
fn terms(text: &str) -> String {
    let whole = essence(text);
    match whole.split_once("endoftermsandconditions") {
        Some((terms, _)) if terms.starts_with("apachelicenseversion20january2004") => {
            terms.to_owned()
        }
        _ => whole,
    }
}

/// What is built in, by name: all that the program depends on, and what its dependencies are built with, as some of those
/// carry the sources of a library.
fn crates() -> Vec<Crate> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--filter-platform",
            PLATFORM,
        ])
        .current_dir(repository())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let by_id = |list: &Value| -> BTreeMap<String, Value> {
        let list = list.as_array().unwrap().iter();
        list.map(|one| (one["id"].as_str().unwrap().to_owned(), one.clone()))
            .collect()
    };
    let (packages, nodes) = (
        by_id(&metadata["packages"]),
        by_id(&metadata["resolve"]["nodes"]),
    );
    let root = metadata["resolve"]["root"].as_str().unwrap().to_owned();
    let mut seen = BTreeSet::from([root.clone()]);
    let mut open = vec![root.clone()];
    while let Some(id) = open.pop() {
        for dependency in nodes[&id]["deps"].as_array().unwrap() {
            let kinds = dependency["dep_kinds"].as_array().unwrap();
            let is_built_in = kinds.iter().any(|kind| kind["kind"] != "dev");
            let id = dependency["pkg"].as_str().unwrap().to_owned();
            if is_built_in && seen.insert(id.clone()) {
                open.push(id);
            }
        }
    }
    seen.remove(&root);
    let mut crates: Vec<Crate> = seen.iter().map(|id| Crate::of(&packages[id])).collect();
    crates.sort_by_key(Crate::label);
    crates
}

/// The libraries of a crate that is not only Rust; `None` if nobody has looked into it.
fn libraries(name: &str) -> Option<&'static [Library]> {
    let known = LIBRARIES.iter().find(|(crate_name, _)| *crate_name == name);
    known.map(|(_, libraries)| *libraries)
}

/// The texts of licences, each once, and who each is of.
#[derive(Debug, Default)]
struct Texts {
    texts: Vec<(String, String)>,
}

impl Texts {
    /// The number of a text, from 1.
    fn number(&mut self, text: &str) -> usize {
        let terms = terms(text);
        let at = self.texts.iter().position(|(known, _)| *known == terms);
        at.unwrap_or_else(|| {
            self.texts.push((terms, text.to_owned()));
            self.texts.len() - 1
        }) + 1
    }

    fn numbers(&mut self, texts: &[String]) -> String {
        let numbers: BTreeSet<usize> = texts.iter().map(|text| self.number(text)).collect();
        let numbers: Vec<String> = numbers.iter().map(|number| format!("[{number}]")).collect();
        numbers.join(" ")
    }
}

fn notices(crates: &[Crate]) -> String {
    let mut texts = Texts::default();
    texts.number(&apache());
    let mut page = String::from(
        "Third-party notices of segstream\n\n\
         segstream itself is under Apache-2.0, text [1]. What follows is built into the program. Behind a name are its\n\
         version, its licence and the numbers of the texts that apply; where there is a choice, Apache-2.0 is taken.\n\n\
         # Libraries\n\n",
    );
    for one in crates {
        for (name, file, copyright) in libraries(&one.name).unwrap_or_default() {
            let number = texts.numbers(&[read(&one.folder.join(file))]);
            let copyright = if copyright.is_empty() {
                String::new()
            } else {
                format!(", {copyright}")
            };
            page.push_str(&format!("{name}, of {}{copyright} {number}\n", one.label()));
        }
    }
    page.push_str(&format!("\n{}\n# Crates\n\n", include_str!("rust.txt")));
    for one in crates {
        let numbers = texts.numbers(&one.texts());
        page.push_str(&format!("{}: {} {numbers}\n", one.label(), one.licence));
    }
    page.push_str("\n# Scripts of the training report\n\n");
    page.push_str(include_str!("mathjax.txt"));
    page.push_str(&format!("\n{}\n\n", include_str!("plotly.txt").trim_end()));
    for (number, (_, text)) in (1..).zip(&texts.texts) {
        page.push_str(&format!("{}\n[{number}]\n\n{text}\n\n", "=".repeat(80)));
    }
    format!("{}\n", page.trim_end())
}

fn committed() -> String {
    std::fs::read_to_string(repository().join(FILE)).unwrap_or_default()
}

/// Crates that the notices do not name with their version.
fn missing(notices: &str, crates: &[Crate]) -> Vec<String> {
    let lines: BTreeSet<&str> = notices
        .lines()
        .filter_map(|line| line.split_once(": ").map(|(label, _)| label))
        .collect();
    let labels = crates.iter().map(Crate::label);
    labels
        .filter(|label| !lines.contains(label.as_str()))
        .collect()
}

#[test]
fn the_notices_name_every_crate_that_is_built_in_with_the_licences_of_its_sources() {
    let crates = crates();
    let expected = notices(&crates);
    if std::env::var(WRITE).is_ok_and(|value| value == "1") {
        std::fs::write(repository().join(FILE), &expected).unwrap();
    }
    let committed = committed();
    assert_eq!(
        missing(&committed, &crates),
        Vec::<String>::new(),
        "{FILE} lacks crates: run `just notices`"
    );
    let differs = expected
        .lines()
        .zip(committed.lines())
        .find(|(new, old)| new != old);
    assert_eq!(differs, None, "{FILE} is out of date: run `just notices`");
    assert_eq!(
        expected.len(),
        committed.len(),
        "{FILE} is out of date: run `just notices`"
    );
}

#[test]
fn a_crate_of_the_lock_that_the_notices_lack_is_named() {
    let mut crates = crates();
    let notices = notices(&crates);
    // None is too many to notice one that is added, and none is named by a mere beginning.
    let mut added = crates[0].clone();
    added.version = format!("{}0", added.version);
    crates.push(added.clone());
    assert_eq!(missing(&notices, &crates), vec![added.label()]);
    let without: Vec<&str> = notices
        .lines()
        .filter(|line| !line.starts_with("sled "))
        .collect();
    let lacks = missing(&without.join("\n"), &crates[..crates.len() - 1]);
    assert_eq!(
        lacks,
        vec!["sled 0.34.7".to_owned()],
        "the version that Cargo.toml pins"
    );
}

#[test]
fn crates_of_tests_alone_are_not_in_the_notices() {
    let names: BTreeSet<String> = crates().into_iter().map(|one| one.name).collect();
    for (name, is_built_in) in [
        ("rdkafka-sys", true),
        ("openssl-src", true),
        ("proptest", false),
        ("criterion", false),
    ] {
        assert_eq!(names.contains(name), is_built_in, "{name}");
    }
}

#[test]
fn a_library_in_c_has_its_own_licence() {
    let crates = crates();
    let unknown: Vec<String> = crates
        .iter()
        .filter(|one| one.is_native && libraries(&one.name).is_none())
        .map(Crate::label)
        .collect();
    assert_eq!(
        unknown,
        Vec::<String>::new(),
        "look what they build, and add them to LIBRARIES"
    );
    let notices = committed();
    for name in ["OpenSSL", "librdkafka", "Zstandard", "zlib", "jemalloc"] {
        let start = format!("{name}, of ");
        assert!(
            notices.lines().any(|line| line.starts_with(&start)),
            "{name}"
        );
    }
    // Where librdkafka has them.
    for text in ["LICENSE.lz4", "LICENSE.snappy", "LICENSE.cjson"] {
        assert!(notices.contains(text), "{text}");
    }
}

/// Their notices are kept by hand, so another version needs a look.
#[test]
fn the_scripts_of_the_report_are_of_the_versions_that_the_notices_name() {
    let crates = crates();
    let plotly = crates.iter().find(|one| one.name == "plotly").unwrap();
    let resources = plotly.folder.join("resource");
    let script = std::fs::read_to_string(resources.join("plotly.min.js")).unwrap();
    let version = script
        .lines()
        .find_map(|line| line.strip_prefix("* plotly.js v"));
    let named = format!("plotly.js {} is ", version.unwrap());
    assert!(include_str!("plotly.txt").starts_with(&named), "{named}");
    let named = include_str!("mathjax.txt")
        .strip_prefix("MathJax ")
        .unwrap();
    let (version, _) = named.split_once(':').unwrap();
    let sources = read(&plotly.folder.join("src/plot.rs"));
    assert!(
        sources.contains(&format!("/tex-svg-{version}.js")),
        "MathJax {version}"
    );
}

/// Every text is of somebody, and every number has a text.
#[test]
fn the_numbers_of_the_notices_are_those_of_their_texts() {
    let notices = committed();
    let (names, texts) = notices.split_once(&"=".repeat(80)).unwrap();
    let is_number = |word: &&str| word.starts_with('[') && word.ends_with(']');
    let used: BTreeSet<&str> = names.split_whitespace().filter(is_number).collect();
    let present: BTreeSet<&str> = texts
        .lines()
        .filter(is_number)
        .filter(|line| line[1..line.len() - 1].parse::<usize>().is_ok())
        .collect();
    assert_eq!(used, present);
}

#[test]
fn the_program_prints_the_notices() {
    let output = Command::new(env!("CARGO_BIN_EXE_segstream"))
        .arg("notices")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), committed());
}
