//! The same flags in every command, and what the program does with files that are no plain ones.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use super::assert_says;
use super::file;
use super::workbook::row;
use super::workbook::workbook;
use crate::support::replaying::exported;
use crate::support::replaying::program;
use crate::support::replaying::replay;

const ORDERS: &str =
    "Kunde;Bestellnummer;Datum;Umsatz\nc1;o1;13.02.2013;1.234,50\nc2;o2;14.02.2013;7,00\n";
const COLUMNS: &str = "customer_id=Kunde,order_id=Bestellnummer,occurred_at=Datum,revenue=Umsatz";

/// Exit code, standard output and standard error.
fn said(command: &mut Command) -> (i32, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code().unwrap(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

/// The same bytes in the same way are the same replay, wherever they come from.
#[test]
fn a_replay_reads_standard_input_and_pipes_and_a_file_that_changes_is_what_was_read() {
    let root = tempfile::tempdir().unwrap();
    let pipe = root.path().join("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    for (input, is_stdin) in [
        (Path::new("-"), true),
        (Path::new("/dev/stdin"), true),
        (&pipe, false),
    ] {
        let mut command = program();
        command
            .args([
                "replay",
                "--json",
                "--format",
                "orders",
                "--columns",
                COLUMNS,
                "--input",
            ])
            .arg(input);
        command.arg("--set").arg(format!(
            "store.directory={}",
            root.path().join("store").display()
        ));
        command.stdin(if is_stdin {
            Stdio::piped()
        } else {
            Stdio::null()
        });
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let write = |to: &mut dyn Write| {
            for part in ORDERS.as_bytes().chunks(7) {
                to.write_all(part).unwrap();
            }
        };
        match child.stdin.take() {
            Some(mut stdin) => write(&mut stdin),
            None => write(&mut fs::OpenOptions::new().write(true).open(&pipe).unwrap()),
        }
        let output = child.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{input:?}: {errors}");
    }
    let customers = exported(root.path(), &[]);
    assert_eq!(customers["c1"]["total_spending"], "1234.50");
    assert_eq!(customers["c1"]["orders"], 1);
}

#[test]
fn a_totals_row_and_other_bad_rows_are_rejected_with_their_lines_and_the_rest_is_taken() {
    let text = format!("{ORDERS}Summe;;;1.241,50\nc3;o3;15.02.2013;zwei\nc4;o4;15.02.2013;#REF!\n");
    let root = tempfile::tempdir().unwrap();
    let replayed = replay(
        root.path(),
        &file("f.csv", text.as_bytes()).path,
        &["--format", "orders", "--columns", COLUMNS],
    );
    assert_eq!(replayed.code, 3, "{}", replayed.said());
    assert_eq!(replayed.file("rejected_rows"), 3, "{}", replayed.said());
    assert_eq!(exported(root.path(), &[]).len(), 2);
}

#[test]
fn files_that_cannot_be_read_end_with_the_code_of_their_kind_and_the_path_that_was_typed() {
    let root = tempfile::tempdir().unwrap();
    let good = file("orders.csv", ORDERS.as_bytes());
    let good = good.path.to_str().unwrap();
    for (input, more, code, parts) in [
        (
            "./nowhere/orders.csv",
            vec![],
            3,
            vec!["./nowhere/orders.csv", "No such file"],
        ),
        ("/tmp", vec![], 3, vec!["/tmp", "directory"]),
        (
            good,
            vec!["--columns", "customer_id"],
            2,
            vec!["--columns", "customer_id=CustomerID"],
        ),
        (
            good,
            vec!["--separator", "ab"],
            2,
            vec!["--separator", "tab"],
        ),
        (
            good,
            vec!["--encoding", "ebcdic"],
            2,
            vec!["--encoding", "latin1"],
        ),
        (
            good,
            vec!["--decimal", "dot"],
            2,
            vec!["--decimal", "point"],
        ),
        (
            good,
            vec!["--currency", "euro"],
            2,
            vec!["--currency", "EUR"],
        ),
        (
            good,
            vec!["--date-format", "dd/mm/yyyy"],
            2,
            vec!["--date-format", "%d/%m/%Y"],
        ),
        (
            good,
            vec!["--date-format", "%d/%m"],
            2,
            vec!["--date-format"],
        ),
        (good, vec![], 3, vec!["no column", COLUMNS]),
    ] {
        let mut arguments = vec!["--format", "orders"];
        arguments.extend(more);
        let replayed = replay(root.path(), Path::new(input), &arguments);
        assert_eq!(replayed.code, code, "{arguments:?}: {}", replayed.said());
        assert_says(&replayed.errors, &parts);
    }
    assert!(!root.path().join("store").exists(), "nothing was opened");
}

/// Binary data was taken for lines that are no events.
#[test]
fn what_is_no_text_is_no_file_of_events_or_purchases() {
    let root = tempfile::tempdir().unwrap();
    let book = workbook(&[("S", &row(1, &["customer_id"]))], false);
    for (bytes, parts) in [
        (book.as_slice(), vec!["a workbook or an archive"]),
        (b"PAR1\x15\x04", vec!["Parquet"]),
        (b"BZh91AY&SY\x01", vec!["bzip2"]),
        (b"<?xml version=\"1.0\"?>", vec!["XML"]),
    ] {
        for format in ["jsonl", "cdnow"] {
            let replayed = replay(root.path(), &file("f", bytes).path, &["--format", format]);
            assert_eq!(replayed.code, 3, "{}", replayed.said());
            assert_says(&replayed.errors, &parts);
        }
    }
    assert!(!root.path().join("store").exists(), "nothing was opened");
    // The lines of a file of purchases end as those of tables do.
    let purchases = file("f.txt", b"00001 19970101 1 11.77\r00002 19970112 1 12.00\r");
    let replayed = replay(root.path(), &purchases.path, &["--format", "cdnow"]);
    assert_eq!(replayed.code, 0, "{}", replayed.said());
    assert_eq!(exported(root.path(), &[]).len(), 2);
}

/// The rows of a large file are kept in a temporary file, which is no part of the data.
#[test]
fn a_temporary_directory_that_is_not_there_is_a_fault_of_the_surroundings() {
    let rows: String = (0..300_000)
        .map(|row| format!("c{row},o{row},2013-02-13,5\n"))
        .collect();
    let input = file(
        "f.csv",
        format!("customer_id,order_id,occurred_at,revenue\n{rows}").as_bytes(),
    );
    let (code, _, errors) = said(
        program()
            .args(["replay", "--dry-run", "--format", "orders", "--input"])
            .arg(&input.path)
            .env("TMPDIR", "/nowhere"),
    );
    assert_eq!(code, 4, "{errors}");
    assert_says(&errors, &["temporary file", "/nowhere"]);
}

#[test]
fn a_message_on_standard_input_says_so() {
    let mut command = program();
    command.args(["replay", "--dry-run", "--format", "orders", "--input", "-"]);
    let input = file(
        "f.csv",
        b"customer_id,order_id,occurred_at,revenue\nc,o,2013-02-13,x\n",
    );
    let rejected = said(command.stdin(fs::File::open(&input.path).unwrap()));
    assert_eq!(rejected.0, 3);
    assert_says(&rejected.2, &["standard input"]);
    let input = file("f.csv", b"a,b\n1,2\n");
    let refused = said(command.stdin(fs::File::open(&input.path).unwrap()));
    assert_eq!(refused.0, 3);
    assert_says(&refused.2, &["standard input has no column"]);
}

/// Of a date that is written in two ways, the command line is no better judge than a file.
#[test]
fn dates_of_the_command_line_can_be_read_in_one_way() {
    let table = file("f.csv", b"visits\n1\n2\n");
    let input = table.path.to_str().unwrap();
    let fit = ["churn", "fit", "--format", "orders", "--input", input];
    let train = ["train", "--format", "features", "--features", "visits"];
    for date in [
        "30-09-97",
        "30/06/14",
        "01/02/1998",
        "1998-02-01 10:00",
        "1998-02-30",
    ] {
        for call in [
            [&fit[..], &["--until", date]].concat(),
            [&train[..], &["--input", input, "--as-of", date]].concat(),
        ] {
            let (code, _, errors) = said(program().args(&call));
            assert_eq!(code, 2, "{call:?}: {errors}");
            assert_says(&errors, &[date, "is not a date such as"]);
        }
    }
}

/// What is called, and the flag that does not apply.
#[test]
fn no_flag_is_ignored_silently() {
    let good = file("orders.csv", ORDERS.as_bytes());
    let good = good.path.to_str().unwrap();
    for (call, flag) in [
        (
            vec!["replay", "--format", "jsonl", "--input", good],
            vec!["--separator", ";"],
        ),
        (
            vec!["replay", "--format", "jsonl", "--input", good],
            vec!["--columns", "customer_id=Kunde"],
        ),
        (
            vec!["replay", "--format", "cdnow", "--input", good],
            vec!["--decimal", "comma"],
        ),
        (
            vec!["replay", "--format", "cdnow", "--input", good],
            vec!["--sheet", "S"],
        ),
        (
            vec!["replay", "--format", "orders", "--input", good],
            vec!["--sheet", "S"],
        ),
        (
            vec!["train", "--format", "state"],
            vec!["--encoding", "latin1"],
        ),
        (
            vec!["churn", "fit", "--format", "state"],
            vec!["--date-format", "%Y"],
        ),
        (
            vec!["churn", "fit", "--format", "cdnow", "--input", good],
            vec!["--currency", "EUR"],
        ),
        (vec!["predict", "--set", "age=40"], vec!["--separator", ";"]),
    ] {
        let (code, _, errors) = said(program().args(&call).args(&flag));
        assert_eq!(code, 2, "{call:?} {flag:?}: {errors}");
        assert_says(&errors, &[flag[0], "does not apply"]);
    }
    let rows = row(1, &["customer_id", "order_id", "occurred_at", "revenue"])
        + &row(2, &["c", "o", "d:41318", "n:5"]);
    let book = file("f.xlsx", &workbook(&[("S", &rows)], false));
    let root = tempfile::tempdir().unwrap();
    for flag in [["--separator", ";"], ["--encoding", "latin1"]] {
        let replayed = replay(
            root.path(),
            &book.path,
            &["--format", "orders", flag[0], flag[1]],
        );
        assert_eq!(replayed.code, 2, "{}", replayed.said());
        assert_says(&replayed.errors, &[flag[0], "does not apply"]);
    }
}

/// The features of a file with semicolons, decimal commas and other names, and the same in a plain file, are one model.
#[test]
fn train_and_predict_read_what_replay_reads() {
    let plain: String = (0..40)
        .map(|row| format!("{row},{},{}.5\n", 20 + row, 100 * (row % 7)))
        .collect();
    let plain = format!("id,age,spend\n{plain}");
    let spreadsheet = plain
        .replace("id,age,spend", "Nr,Alter,Umsatz")
        .replace(',', ";")
        .replace('.', ",");
    let mut models = Vec::new();
    for (name, text, more) in [
        ("plain.csv", plain, vec!["--id", "id"]),
        (
            "plain.csv",
            spreadsheet,
            vec!["--columns", "id=Nr,age=Alter,spend=Umsatz", "--id", "id"],
        ),
    ] {
        let input = file(name, text.as_bytes());
        let model = input.path.with_file_name("model.json");
        let (code, _, errors) = said(
            program()
                .args([
                    "train",
                    "--format",
                    "features",
                    "--features",
                    "age,spend",
                    "--k",
                    "2",
                    "--runs",
                    "2",
                ])
                .args(["--trained-at", "2026-01-01T00:00:00Z", "--input"])
                .arg(&input.path)
                .arg("--out")
                .arg(&model)
                .args(&more),
        );
        assert_eq!(code, 0, "{errors}");
        let (code, predicted, errors) = said(
            program()
                .args(["predict", "--format", "features", "--model"])
                .arg(&model)
                .arg("--input")
                .arg(&input.path)
                .args(&more),
        );
        assert_eq!(code, 0, "{errors}");
        assert_eq!(predicted.lines().count(), 41);
        models.push((fs::read_to_string(&model).unwrap(), predicted));
    }
    assert_eq!(models[0], models[1]);
}

/// Ids of the sample are read as those of the file, whatever a spreadsheet has made of them.
#[test]
fn notes_about_a_file_are_said_by_commands_that_print_tables() {
    let rows: String = (0..40)
        .map(|row| format!("{}.0,{},{}\n", 100 + row, 20 + row, row % 7))
        .collect();
    let input = file("f.csv", format!("id,age,visits\n{rows}").as_bytes());
    let model = input.path.with_file_name("model.json");
    let (code, _, errors) = said(
        program()
            .args([
                "train",
                "--format",
                "features",
                "--id",
                "id",
                "--features",
                "age,visits",
                "--k",
                "2",
                "--runs",
                "2",
                "--input",
            ])
            .arg(&input.path)
            .arg("--out")
            .arg(&model),
    );
    assert_eq!(code, 0, "{errors}");
    assert_says(&errors, &["ids", "read as 100"]);
    let (code, predicted, errors) = said(
        program()
            .args(["predict", "--format", "features", "--id", "id", "--model"])
            .arg(&model)
            .arg("--input")
            .arg(&input.path),
    );
    assert_eq!(code, 0, "{errors}");
    assert_says(&errors, &["read as 100"]);
    assert_says(&predicted, &["\n100,"]);
}
