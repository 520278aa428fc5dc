//! What `train` says of segments: every word and number must be borne by the rows. `tests/fixtures/names/check.py`
//! takes each sentence apart and computes it anew from the rows; the tests here say what must and must not be said.

use crate::support;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use rand::Rng;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_xoshiro::Xoshiro256Plus;
use segstream::learn::analysis::FeatureSummary;
use segstream::learn::analysis::FiveNumbers;
use segstream::learn::analysis::Histogram;
use segstream::learn::analysis::SegmentAnalysis;
use segstream::learn::analysis::SegmentFeature;
use segstream::learn::choice::ChooseK;
use segstream::learn::kmeans::FitOptions;
use segstream::learn::naming;
use segstream::learn::preparation::TrainingRow;
use segstream::learn::preparation::TrainingTable;
use segstream::learn::recommendations::Range;
use segstream::learn::standing::Portrait;
use segstream::learn::training;
use segstream::learn::training::Trained;
use segstream::learn::training::TrainingOptions;
use segstream::model::segment_model::SegmentModel;
use serde_json::Value;

/// Words that only a feature of that kind bears: income, money, the last order, age, channels, loyalty.
const MONEY: [&str; 7] = [
    "income",
    "spend",
    "order value",
    "affluent",
    "revenue",
    "money",
    "premium",
];
const TIME: [&str; 5] = ["last order", "recent", "lapsed", "dormant", "come back"];
const OTHER: [&str; 8] = [
    "very",
    "years old",
    "senior",
    "young",
    "loyal",
    "on the web",
    "in stores",
    "orders",
];

fn fixture(name: &str) -> PathBuf {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/names");
    Path::new(folder).join(name)
}

/// Runs the program to success and gives what it printed.
fn output_of(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_segstream"));
    let output = command.args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Trains with `k` segments, checks every sentence where there is a python3, and gives the answer.
pub(crate) fn trained_and_checked(rows: &Path, source: &[&str], k: usize) -> Value {
    let few = [source, &["--runs", "5"]].concat();
    trained_with(rows, &few, k)
}

fn trained_with(rows: &Path, source: &[&str], k: usize) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (model, report, answer) = (path("model.json"), path("report.html"), path("answer.json"));
    let k = k.to_string();
    let mut arguments = vec!["train", "--k", &k, "--k-min", &k, "--k-max", &k];
    arguments.extend(["--json", "--out", &model, "--report", &report]);
    arguments.extend(source);
    let printed = output_of(&arguments);
    fs::write(&answer, &printed).unwrap();
    let python = Command::new("python3")
        .arg(fixture("check.py"))
        .args([
            "--rows",
            rows.to_str().unwrap(),
            "--model",
            &model,
            "--answer",
            &answer,
            "--report",
            &report,
        ])
        .output();
    match python {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{source:?}, k {k}:\n{said}");
        }
        Err(problem) => assert!(
            std::env::var_os("SEGSTREAM_REQUIRE_PYTHON").is_none(),
            "python3: {problem}"
        ),
    }
    serde_json::from_str(&printed).unwrap()
}

pub(crate) fn features<'a>(input: &'a Path, id: &'a str, names: &'a str) -> Vec<&'a str> {
    let input = input.to_str().unwrap();
    vec![
        "--format",
        "features",
        "--input",
        input,
        "--id",
        id,
        "--features",
        names,
    ]
}

/// Everything that the answer says of its segments, in lower case.
fn said(answer: &Value) -> String {
    let segments = answer["segments"].as_array().unwrap().iter();
    let texts = segments.flat_map(|one| {
        ["name", "id", "description", "suggested_action"].map(|text| one[text].as_str().unwrap())
    });
    texts.collect::<Vec<&str>>().join("\n").to_lowercase()
}

fn says_none_of(answer: &Value, words: &[&str], k: usize) {
    let said = said(answer);
    for word in words {
        assert!(!has_word(&said, word), "k {k} says {word:?}: {said}");
    }
}

/// Is the word there by itself, and not within another one, as "age" is in "average"?
fn has_word(text: &str, word: &str) -> bool {
    let is_letter = |letter: Option<char>| letter.is_some_and(char::is_alphabetic);
    text.match_indices(word).any(|(place, word)| {
        let before = text[..place].chars().next_back();
        let after = text[place + word.len()..].chars().next();
        !is_letter(before) && !is_letter(after)
    })
}

#[test]
fn every_sentence_on_mall_customers_holds_and_none_is_on_money_orders_or_time() {
    let rows = fixture("mall.csv");
    let source = features(
        &rows,
        "CustomerID",
        "Age,Annual Income (k$),Spending Score (1-100)",
    );
    for k in 2..=8 {
        let answer = trained_and_checked(&rows, &source, k);
        // The columns' own names have "income" and "spending" in them.
        let words = said(&answer)
            .replace("annual income (k$)", "")
            .replace("annual-income-k", "")
            .replace("spending score (1-100)", "")
            .replace("spending-score-1-100", "");
        for word in MONEY
            .iter()
            .chain(&TIME)
            .chain(["very", "loyal", "orders"].iter())
        {
            assert!(!has_word(&words, word), "k {k} says {word:?}: {words}");
        }
        assert_eq!(answer["revenue"], Value::Null);
        assert_eq!(answer["currency"], Value::Null);
        assert_eq!(answer["dates"]["first"], Value::Null);
    }
}

#[test]
fn the_five_groups_of_mall_customers_have_the_names_of_their_two_columns() {
    let rows = fixture("mall.csv");
    let names = "Annual Income (k$),Spending Score (1-100)";
    let answer = trained_and_checked(&rows, &features(&rows, "CustomerID", names), 5);
    let names = answer["segments"].as_array().unwrap().iter();
    let names: BTreeSet<&str> = names.map(|one| one["name"].as_str().unwrap()).collect();
    // The groups of make.py: low or high in both, and one in the middle.
    let expected = [
        "Low Annual Income (k$), low Spending Score (1-100)",
        "Low Annual Income (k$), high Spending Score (1-100)",
        "High Annual Income (k$), low Spending Score (1-100)",
        "High Annual Income (k$), high Spending Score (1-100)",
        "Near the average",
    ];
    let sorted = |name: &str| -> BTreeSet<String> {
        name.to_lowercase().split(", ").map(str::to_owned).collect()
    };
    let found: BTreeSet<_> = names.into_iter().map(sorted).collect();
    assert_eq!(found, expected.into_iter().map(sorted).collect());
}

#[test]
fn every_sentence_on_wholesale_customers_holds_and_columns_of_unknown_units_are_no_money() {
    let rows = fixture("wholesale.csv");
    let names = "Fresh,Milk,Grocery,Frozen,Detergents_Paper,Delicassen";
    let mut source = features(&rows, "Region", names);
    source.extend(["--as-of", "2011-12-31"]);
    for k in 2..=8 {
        let answer = trained_and_checked(&rows, &source, k);
        for words in [&MONEY[..], &TIME, &OTHER] {
            says_none_of(&answer, words, k);
        }
        assert_eq!(answer["dates"]["as_of"], "2011-12-31");
    }
}

#[test]
fn every_sentence_on_a_grocer_with_returns_holds() {
    let rows = fixture("grocer.csv");
    for names in [
        "age,tenure_days,orders,recency_days,total_spending",
        "total_spending,recency_days,deal_purchases,returned_value",
        "orders,tenure_days",
    ] {
        for k in 2..=8 {
            let answer = trained_and_checked(&rows, &features(&rows, "customer", names), k);
            if !names.contains("spending") {
                says_none_of(&answer, &MONEY, k);
            }
            if !names.contains("recency") {
                says_none_of(&answer, &TIME, k);
            }
            if !names.contains("age,") {
                says_none_of(&answer, &["years old", "age", "younger"], k);
            }
        }
    }
}

#[test]
fn every_sentence_on_the_marketing_data_holds() {
    let Some(rows) = support::data_file("marketing_campaign.csv") else {
        return;
    };
    for k in 2..=8 {
        let answer = trained_and_checked(&rows, &["--input", rows.to_str().unwrap()], k);
        // Nobody's last order is more than 99 days ago.
        says_none_of(&answer, &["long time", "come back", "very"], k);
        // The file's first and last Dt_Customer.
        let dates = &answer["dates"];
        assert_eq!(
            (&dates["first"], &dates["last"]),
            (&"2012-07-30".into(), &"2014-06-29".into())
        );
        assert_eq!(answer["revenue"]["window_days"], 730);
        assert_eq!(answer["currency"], Value::Null);
    }
}

#[test]
fn every_sentence_on_the_state_of_cdnow_holds_with_its_currency_and_dates() {
    let Some(rows) = support::data_file("cdnow_master.txt") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store").to_str().unwrap().to_owned();
    let directory = format!("store.directory={store}");
    output_of(&[
        "replay",
        "--input",
        rows.to_str().unwrap(),
        "--format",
        "cdnow",
        "--set",
        &directory,
    ]);
    for k in [3, 6] {
        let source = [
            "--format",
            "state",
            "--dir",
            &store,
            "--window-days",
            "0",
            "--features",
            "orders,total_spending,recency_days",
        ];
        let answer = trained_and_checked(&rows, &source, k);
        assert_eq!(answer["currency"], "USD");
        // The file's first and last day.
        let dates = &answer["dates"];
        assert_eq!(
            (&dates["first"], &dates["last"]),
            (&"1997-01-01".into(), &"1998-06-30".into())
        );
        says_none_of(
            &answer,
            &["years old", "age", "in stores", "on the web", "income"],
            k,
        );
    }
}

/// The ids of models/retail-6.json are in the changes, exports and dashboards of those who run it.
#[test]
fn a_training_that_finds_the_shipped_segments_again_keeps_their_ids() {
    let Some(rows) = support::data_file("marketing_campaign.csv") else {
        return;
    };
    let answer = trained_with(&rows, &["--input", rows.to_str().unwrap()], 6);
    let segments = answer["segments"].as_array().unwrap().iter();
    let named = segments.map(|one| (one["id"].as_str().unwrap(), one["name"].as_str().unwrap()));
    let named: BTreeMap<&str, &str> = named.collect();
    let shipped: Value = serde_json::from_str(include_str!("../../models/retail-6.json")).unwrap();
    let ids = shipped["segments"].as_array().unwrap().iter();
    let ids: BTreeSet<&str> = ids.map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(named.keys().copied().collect::<BTreeSet<_>>(), ids);
    // Ages are stated.
    assert!(
        named["affluent-active-young"].contains("about 36 years old"),
        "{named:?}"
    );
}

/// Trains on columns in memory.
pub(crate) fn train(columns: &[(&str, Vec<f64>)], k: usize) -> Trained {
    train_in(columns, k, None)
}

fn train_in(columns: &[(&str, Vec<f64>)], k: usize, currency: Option<&str>) -> Trained {
    train_within(columns, k, currency, 0)
}

/// With a window of so many days for spend and orders; 0: without one.
pub(crate) fn train_within(
    columns: &[(&str, Vec<f64>)],
    k: usize,
    currency: Option<&str>,
    window_days: u32,
) -> Trained {
    let rows = 0..columns[0].1.len();
    let table = TrainingTable {
        columns: columns.iter().map(|(name, _)| (*name).to_owned()).collect(),
        rows: rows
            .map(|row| TrainingRow {
                id: row.to_string(),
                values: columns
                    .iter()
                    .map(|(_, values)| Some(values[row]))
                    .collect(),
            })
            .collect(),
        ..TrainingTable::default()
    };
    let options = TrainingOptions {
        features: columns
            .iter()
            .map(|(name, _)| {
                let is_counted = window_days > 0 && ["orders", "total_spending"].contains(name);
                ((*name).to_owned(), is_counted.then_some(window_days))
            })
            .collect(),
        choose: ChooseK::Given(k),
        range: Range { k_min: k, k_max: k },
        fit: FitOptions {
            k,
            seed: 1,
            runs: Some(10),
            threads: 1,
        },
        version: "test".to_owned(),
        trained_at: support::at("2026-11-24T00:00:00Z"),
        as_of: support::at("2026-11-24T00:00:00Z"),
        source: "test".to_owned(),
        currency: currency.map(str::to_owned),
        known: None,
    };
    let trained = training::train(&table, &options).unwrap();
    SegmentModel::from_artifact(&trained.artifact).unwrap();
    trained
}

/// Groups of values around their centres, 30 rows each, the same in every run.
pub(crate) fn groups(centres: &[f64], width: f64) -> Vec<f64> {
    let offsets = (0..30).map(|place| width * (f64::from(place) / 29.0 - 0.5));
    let offsets: Vec<f64> = offsets.collect();
    let each = centres.iter();
    each.flat_map(|centre| offsets.iter().map(move |offset| centre + offset))
        .collect()
}

pub(crate) fn segment_of<'a>(trained: &'a Trained, part: &str) -> &'a SegmentAnalysis {
    let names: Vec<&str> = trained
        .analysis
        .segments
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    let found = trained
        .analysis
        .segments
        .iter()
        .find(|one| one.name.contains(part));
    found.unwrap_or_else(|| panic!("no {part:?} in {names:?}"))
}

#[test]
fn one_customer_of_eight_thousand_is_under_a_tenth_of_a_percent_and_no_outlier_group() {
    let mut spend: Vec<f64> = (0..7_999).map(|row| 50.0 + f64::from(row % 40)).collect();
    spend.push(1_000_000.0);
    let trained = train_in(&[("total_spending", spend)], 2, Some("EUR"));
    let one = segment_of(&trained, "High spend");
    assert!(
        one.description
            .contains("1 of 8,000 customers (under 0.1%)"),
        "{}",
        one.description
    );
    assert!(
        one.description.contains("spend 1,000,000 EUR ("),
        "{}",
        one.description
    );
    let rest = trained
        .analysis
        .segments
        .iter()
        .find(|one| one.size == 7_999)
        .unwrap();
    assert!(
        rest.description.contains("(over 99.9%)"),
        "{}",
        rest.description
    );
    // 7,999 spend 50 to 89, 69.5 on average, and so 555,930.5 and a half of the last rest: a third of the whole.
    let share = rest.revenue.unwrap().share.unwrap();
    assert!((0.35..0.36).contains(&share), "{share}");
}

#[test]
fn a_segment_that_sent_back_more_than_it_bought_is_named_so_and_has_no_share() {
    let spend = groups(&[-120.0, 300.0, 900.0], 20.0);
    let trained = train(&[("total_spending", spend)], 3);
    let back = segment_of(&trained, "Negative spend");
    assert!(
        back.suggested_action
            .contains("mean spend -120 (all customers 360)"),
        "{}",
        back.suggested_action
    );
    assert!(
        trained
            .analysis
            .segments
            .iter()
            .all(|one| one.revenue.unwrap().share.is_none())
    );
    // 30 x (-120 + 300 + 900).
    assert!((trained.analysis.revenue.unwrap().sum - 32_400.0).abs() < 1e-6);
}

#[test]
fn a_single_segment_is_all_customers_and_is_compared_with_nobody() {
    let trained = train(&[("total_spending", groups(&[10.0, 90.0], 4.0))], 1);
    let one = &trained.analysis.segments[0];
    assert_eq!(
        (one.name.as_str(), one.id.as_str()),
        ("All customers", "all-customers")
    );
    assert_eq!(one.description, "All 60 customers. Means: spend 50.");
    assert!(
        one.suggested_action.starts_with("The only segment"),
        "{}",
        one.suggested_action
    );
}

#[test]
fn no_spend_at_all_is_not_negative_and_a_tiny_unit_has_its_digits() {
    // The mean of zeros, computed from a scaled one, is -1e-16.
    let spend = groups(&[0.0, 0.0, 3.0, 7.0], 0.0);
    let rate: Vec<f64> = groups(&[1.0, 9.0, 4.0, 4.0], 0.5)
        .iter()
        .map(|value| value * 1e-7)
        .collect();
    let columns = [("average_order_value", spend), ("rate", rate)];
    for k in 2..=6 {
        for one in &train(&columns, k).analysis.segments {
            let text = format!("{} {} {}", one.name, one.description, one.suggested_action);
            let has_words = text.to_lowercase().contains("negative") || text.contains("money goes");
            assert!(!has_words, "{text}");
            assert!(text.contains("e-7 ("), "{text}");
        }
    }
}

#[test]
fn the_same_rows_in_another_order_of_rows_and_columns_have_the_same_names_and_ids() {
    let mut random = Xoshiro256Plus::seed_from_u64(3);
    let around = |centres: &[f64]| groups(centres, 8.0);
    let columns = vec![
        ("total_spending", around(&[100.0, 200.0, 100.0, 900.0])),
        ("Score", around(&[10.0, 90.0, 90.0, 50.0])),
        ("recency_days", around(&[10.0, 200.0, 400.0, 30.0])),
        ("age", around(&[25.0, 45.0, 65.0, 40.0])),
    ];
    let named = |columns: &[(&str, Vec<f64>)]| -> BTreeSet<(String, String, u64)> {
        let segments = train(columns, 4).analysis.segments.into_iter();
        segments.map(|one| (one.name, one.id, one.size)).collect()
    };
    let first = named(&columns);
    for _ in 0..5 {
        let mut order: Vec<usize> = (0..120).collect();
        order.shuffle(&mut random);
        let mut other = columns.clone();
        other.shuffle(&mut random);
        for (_, values) in &mut other {
            *values = order.iter().map(|row| values[*row]).collect();
        }
        assert_eq!(named(&other), first);
    }
}

#[test]
fn columns_with_any_name_give_names_and_ids_that_a_model_may_have() {
    let long =
        "a column with a name that is much longer than anybody would read in a sentence ".repeat(9);
    for names in [
        ["購買金額", "来店回数"],
        ["\u{1f600}", "\u{1f601}"],
        [long.as_str(), "b"],
        ["two\nlines\u{7}", "  "],
        ["<b>", "-5, 7 (8)"],
        ["very recent affluent", "100%"],
    ] {
        // A model's feature has 128 letters at most.
        let names = names.map(|name| name.chars().take(128).collect::<String>());
        let columns: Vec<(&str, Vec<f64>)> = vec![
            (&names[0], groups(&[1.0, 1.0, 9.0, 9.0, 5.0], 0.5)),
            (&names[1], groups(&[2.0, 8.0, 2.0, 8.0, 5.0], 0.5)),
        ];
        for k in 2..=8 {
            let trained = train(&columns, k);
            for one in &trained.analysis.segments {
                assert!(!one.name.contains(char::is_control), "{:?}", one.name);
                assert!(
                    !one.description.contains(char::is_control),
                    "{:?}",
                    one.description
                );
            }
        }
    }
}

#[test]
fn the_age_of_an_account_is_not_that_of_a_person() {
    let columns = [
        ("age", groups(&[0.5, 1.5, 3.0], 0.2)),
        ("visits", groups(&[1.0, 9.0, 4.0], 1.0)),
    ];
    let trained = train(&columns, 3);
    for one in &trained.analysis.segments {
        for word in [
            "years old",
            "a lower age",
            "a higher age",
            "younger",
            "older",
        ] {
            assert!(
                !one.name.contains(word) && !one.description.contains(word),
                "{one:?}"
            );
        }
    }
    let ages = train(&[("Age", groups(&[22.0, 45.0, 63.0], 4.0))], 3);
    assert!(
        segment_of(&ages, "About 22 years old")
            .description
            .contains("age 22 ")
    );
}

#[test]
fn an_age_is_stated_as_that_of_the_customers_only_where_most_are_near_it() {
    let mut ages = groups(&[30.0], 2.0);
    ages.extend(groups(&[25.0, 85.0], 4.0));
    let visits = [groups(&[1.0], 0.5), groups(&[20.0, 20.0], 0.5)].concat();
    let trained = train(
        &[
            ("age", ages),
            ("visits", visits.iter().map(|x| x * 50.0).collect()),
        ],
        2,
    );
    let names: Vec<&str> = trained
        .analysis
        .segments
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    assert!(
        !names.iter().any(|name| name.contains("about 55 years old")),
        "{names:?}"
    );
}

#[test]
fn orders_of_a_week_ago_are_not_won_back_and_those_of_a_year_ago_are_not_recent() {
    let columns = [
        ("total_spending", groups(&[900.0, 900.0, 80.0, 80.0], 40.0)),
        ("recency_days", groups(&[7.0, 365.0, 7.0, 365.0], 6.0)),
    ];
    let trained = train(&columns, 4);
    for one in &trained.analysis.segments {
        let text = format!("{} {} {}", one.name, one.description, one.suggested_action);
        let is_recent = one.features[1].mean < 30.0;
        let is_high = one.features[0].mean > 500.0;
        assert_eq!(text.contains("a recent last order"), is_recent, "{text}");
        assert_eq!(
            text.contains("a long time since the last order"),
            !is_recent,
            "{text}"
        );
        assert_eq!(text.contains("come back"), !is_recent && is_high, "{text}");
        assert_eq!(text.contains("thank-you"), is_recent && is_high, "{text}");
    }
}

#[test]
fn half_a_year_is_not_long_for_customers_who_order_every_second_year() {
    let columns = [
        ("orders", groups(&[2.0, 2.0, 3.0], 0.4)),
        ("tenure_days", groups(&[1400.0, 1400.0, 2100.0], 100.0)),
        ("recency_days", groups(&[20.0, 200.0, 20.0], 10.0)),
    ];
    for one in &train(&columns, 3).analysis.segments {
        // 1,400 days since the first of two orders, 200 since the last: they wait 1,200 days, so 200 days are not long.
        assert!(
            !one.description.contains("long time"),
            "{}",
            one.description
        );
        assert!(
            !one.suggested_action.contains("reminder"),
            "{}",
            one.suggested_action
        );
    }
}

#[test]
fn a_feature_that_hardly_differs_gives_no_word() {
    // 600 and 620 days are a standard deviation apart, but nobody would call one of them recent.
    let columns = [
        ("recency_days", groups(&[600.0, 620.0], 2.0)),
        ("total_spending", groups(&[1000.0, 1010.0], 1.0)),
        ("age", groups(&[40.0, 41.0], 0.5)),
    ];
    for one in &train(&columns, 2).analysis.segments {
        for word in [
            "recent",
            "long",
            "spend,",
            "high",
            "low",
            "years old",
            "Near the average",
        ] {
            assert!(!one.name.contains(word), "{}", one.name);
        }
        assert!(
            one.suggested_action.starts_with("No action follows"),
            "{}",
            one.suggested_action
        );
    }
}

#[test]
fn a_mean_that_a_few_customers_raise_is_not_said_of_the_others() {
    // Of the first group three in a hundred spend 90,000, the others 10: less than the second group's 500.
    let mut spend: Vec<f64> = (0..100)
        .map(|row| if row < 3 { 90_000.0 } else { 10.0 })
        .collect();
    spend.extend(vec![500.0; 100]);
    let visits: Vec<f64> = (0..200)
        .map(|row| if row < 100 { 1.0 } else { 9.0 })
        .collect();
    let visits: Vec<f64> = visits.iter().map(|value| value * 1000.0).collect();
    let trained = train(&[("total_spending", spend), ("visits", visits)], 2);
    for one in &trained.analysis.segments {
        assert!(
            !one.name.contains("High spend") || one.size < 10,
            "{}",
            one.name
        );
        assert!(
            !one.suggested_action.contains("thank-you") || one.size < 10,
            "{}",
            one.suggested_action
        );
    }
}

#[test]
fn income_in_bands_is_income_and_neither_spend_nor_revenue() {
    let columns = [
        ("income", groups(&[1.0, 2.0, 3.0], 0.1)),
        ("visits", groups(&[5.0, 2.0, 9.0], 1.0)),
    ];
    let trained = train(&columns, 3);
    assert!(
        segment_of(&trained, "High income")
            .description
            .contains("income 3.00 (2.00)")
    );
    assert_eq!(trained.analysis.revenue, None);
    for one in &trained.analysis.segments {
        assert!(!format!("{one:?}").contains("spend"), "{one:?}");
        assert_eq!(one.revenue, None);
    }
}

#[test]
fn two_segments_that_differ_only_in_degree_are_told_apart_by_their_means() {
    let columns = [
        ("Milk", groups(&[1.0, 1.2, 60.0, 80.0], 0.1)),
        ("Fresh", groups(&[5.0, 5.0, 5.0, 5.1], 0.1)),
    ];
    let trained = train(&columns, 4);
    let names: BTreeSet<&str> = trained
        .analysis
        .segments
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    let ids: BTreeSet<&str> = trained
        .analysis
        .segments
        .iter()
        .map(|one| one.id.as_str())
        .collect();
    assert_eq!((names.len(), ids.len()), (4, 4), "{names:?} {ids:?}");
}

/// Replay one: SEGSTREAM_TEST_SEED=N cargo test --test suite names `no_two_names`.
#[test]
fn no_two_names_or_ids_are_equal_in_5000_random_models() {
    let columns = [
        "age",
        "income",
        "total_spending",
        "web_purchases",
        "Fresh",
        "recency_days",
    ];
    let given = std::env::var("SEGSTREAM_TEST_SEED").ok();
    let seeds = match given.and_then(|seed| seed.parse().ok()) {
        Some(seed) => seed..seed + 1,
        None => 0..5000,
    };
    let five = |middle: f64, width: f64| FiveNumbers {
        minimum: middle - width,
        first_quartile: middle - width / 3.0,
        median: middle,
        third_quartile: middle + width / 3.0,
        maximum: middle + width,
    };
    let features: Vec<FeatureSummary> = columns
        .iter()
        .map(|name| FeatureSummary {
            name: (*name).to_owned(),
            window_days: None,
            mean: 45.0,
            standard_deviation: 10.0,
            numbers: five(45.0, 40.0),
            histogram: Histogram::default(),
        })
        .collect();
    for seed in seeds {
        let mut random = Xoshiro256Plus::seed_from_u64(seed);
        let k = random.gen_range(2..=64);
        let spread = [0.1, 1.0, 3.0][random.gen_range(0..3)];
        let mut segments: Vec<Vec<SegmentFeature>> = Vec::new();
        for _ in 0..k {
            let drawn = columns.iter().map(|_| {
                let z = random.gen_range(-spread..=spread);
                let mean = 45.0 + 10.0 * z;
                SegmentFeature {
                    mean,
                    z,
                    numbers: five(mean, 5.0),
                }
            });
            let drawn: Vec<SegmentFeature> = drawn.collect();
            let again = random
                .gen_bool(0.1)
                .then(|| segments.last().cloned())
                .flatten();
            segments.push(again.unwrap_or(drawn));
        }
        let sizes: Vec<u64> = (0..k).map(|_| random.gen_range(1..2000)).collect();
        let portrait = Portrait {
            features: &features,
            segments: &segments,
            sizes: &sizes,
            currency: None,
        };
        let named = naming::names(&portrait);
        for one in &named {
            assert!(
                one.name.chars().count() <= 128 && one.id.len() <= 128,
                "seed {seed}: {one:?}"
            );
        }
        let names: BTreeSet<&str> = named.iter().map(|one| one.name.as_str()).collect();
        let ids: BTreeSet<&str> = named.iter().map(|one| one.id.as_str()).collect();
        assert_eq!((names.len(), ids.len()), (k, k), "seed {seed}");
    }
}
