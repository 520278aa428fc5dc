//! The commands of the runbook.

use std::path::Path;

/// The calls of the program in the blocks and the code of the page, without the container around them.
fn calls(text: &str) -> Vec<Vec<String>> {
    let joined = text.replace("\\\n", " ");
    let code = joined.split('`').flat_map(str::lines);
    let mut found = Vec::new();
    for line in code {
        let line = line.trim();
        let is_call = ["segstream ", "docker compose exec", "docker compose run"];
        if !is_call.iter().any(|begin| line.starts_with(begin)) || line.contains("--entrypoint") {
            continue;
        }
        let line = line.split([';', '|', '<', '>']).next().unwrap();
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        // `exec SERVICE segstream ...`, `run SERVICE ...`, or the call alone.
        let is_service = |word: &String| word == "segstream" || word == "standalone";
        let Some(first) = words.iter().position(is_service) else {
            continue;
        };
        let rest = &words[first + 1..];
        let call = match (words[0].as_str(), words.get(2).map(String::as_str)) {
            ("docker", Some("exec")) if rest.first().is_some_and(|word| word == "segstream") => {
                &rest[1..]
            }
            ("docker", Some("exec")) => continue,
            _ => rest,
        };
        if call.iter().any(|word| {
            word.chars()
                .all(|letter| "abcdefghijklmnopqrstuvwxyz-0123456789".contains(letter))
        }) {
            found.push(call.to_vec());
        }
    }
    found
}

#[test]
fn every_command_of_the_runbook_is_one_of_the_program() {
    use clap::Parser;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/RUNBOOK.md");
    let text = std::fs::read_to_string(path).unwrap();
    let found = calls(&text);
    let named = |words: &[&str]| {
        found.iter().any(|call| {
            call.starts_with(
                &words
                    .iter()
                    .map(|word| (*word).to_owned())
                    .collect::<Vec<_>>(),
            )
        })
    };
    for words in [
        &["dead-letters", "list"][..],
        &["dead-letters", "show", "0:0"],
        &["dead-letters", "export"],
        &["replay", "--input"],
        &["topics", "check"],
        &["state", "recount"],
    ] {
        assert!(named(words), "{words:?}: {found:#?}");
    }
    for call in &found {
        let words = std::iter::once("segstream".to_owned()).chain(call.iter().cloned());
        match segstream::cli::Cli::try_parse_from(words) {
            Ok(_) => {}
            Err(error) => {
                use clap::error::ErrorKind;
                // A command that is only named, and help.
                let is_named = [ErrorKind::DisplayHelp, ErrorKind::MissingRequiredArgument];
                assert!(is_named.contains(&error.kind()), "{call:?}: {error}");
            }
        }
    }
}
