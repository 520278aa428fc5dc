//! Where an export goes: a file, a pipe, a disk that is full.

use std::io::BufRead;
use std::io::BufReader;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use super::done;
use super::errors;
use super::one_customer;
use super::order;
use super::replay;
use super::run;
use super::segstream;

#[test]
fn a_file_is_there_whole_or_not_at_all_and_for_its_owner_only() {
    let root = tempfile::tempdir().unwrap();
    replay(root.path(), &one_customer(), &[]);
    let expected = done(root.path(), &["state", "export"]);
    let folder = root.path().join("out");
    std::fs::create_dir(&folder).unwrap();
    let (file, link) = (folder.join("a.jsonl"), folder.join("link"));
    let export_to = |path: &Path| {
        run(
            root.path(),
            &["state", "export", "--out", path.to_str().unwrap()],
        )
    };
    for is_there in [false, true] {
        if is_there {
            std::fs::write(&file, "a longer text than an export. ".repeat(1000)).unwrap();
            std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
        }
        let output = export_to(&file);
        assert!(output.status.success() && output.stdout.is_empty());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), expected);
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    std::os::unix::fs::symlink(&file, &link).unwrap();
    std::fs::write(&file, "old").unwrap();
    assert!(export_to(&link).status.success());
    assert!(link.is_symlink());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), expected);
    // A relative path, a device, and standard output.
    let mut here = segstream(root.path(), &["state", "export", "--out", "here.jsonl"]);
    assert!(here.current_dir(&folder).status().unwrap().success());
    assert_eq!(
        std::fs::read_to_string(folder.join("here.jsonl")).unwrap(),
        expected
    );
    assert!(export_to(Path::new("/dev/null")).status.success());
    assert!(!Path::new("/dev/null").is_file());
    assert_eq!(
        done(root.path(), &["state", "export", "--out", "-"]),
        expected
    );
    for (path, code, said) in [
        (folder.clone(), 2, "is a directory"),
        (folder.join("no/such/a.jsonl"), 2, "there is no directory"),
    ] {
        let output = export_to(&path);
        let text = errors(&output);
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(
            text.contains(said) && text.contains(path.to_str().unwrap()),
            "{text}"
        );
    }
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["a.jsonl", "here.jsonl", "link"]);
}

/// 300 customers are more than a pipe holds.
#[test]
fn a_reader_that_closes_the_output_early_is_no_error() {
    let root = tempfile::tempdir().unwrap();
    let events: Vec<Value> = (0..300)
        .map(|number| {
            order(
                number,
                &format!("c-{number:03}"),
                "2026-03-01T09:30:00Z",
                "20",
            )
        })
        .collect();
    replay(root.path(), &events, &[]);
    for format in ["jsonl", "csv"] {
        let mut command = segstream(root.path(), &["state", "export", "--format", format]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let mut reader = BufReader::with_capacity(64, child.stdout.take().unwrap());
        reader.read_line(&mut line).unwrap();
        drop(reader);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
        assert_eq!(errors(&output), "", "{format}");
    }
    // A disk that is full is one.
    for arguments in [
        &["state", "export"][..],
        &["state", "export", "--out", "/dev/full"],
    ] {
        let mut command = segstream(root.path(), arguments);
        let full = std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let output = command.stdout(full).output().unwrap();
        let code = output.status.code();
        assert!(code == Some(1) || code == Some(4), "{}", errors(&output));
        assert!(
            errors(&output).contains("No space left"),
            "{}",
            errors(&output)
        );
    }
}
