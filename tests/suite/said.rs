//! What `train` says of a segment holds for most of its customers: columns made so that a word would be wrong, and the words.
//! `tests/fixtures/names/check.py` checks every sentence on the same rows.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use crate::names::features;
use crate::names::groups;
use crate::names::segment_of;
use crate::names::train;
use crate::names::train_within;
use crate::names::trained_and_checked;

/// What must and must not be said of a segment, which its size names.
struct Said {
    what: &'static str,
    columns: Vec<(&'static str, Vec<f64>)>,
    k: usize,
    size: u64,
    says: &'static [&'static str],
    never: &'static [&'static str],
}

/// So many rows of each value.
fn rows(of: &[(usize, f64)]) -> Vec<f64> {
    let each = of.iter();
    each.flat_map(|(count, value)| std::iter::repeat_n(*value, *count))
        .collect()
}

/// The rows of a case as a file with ids.
fn written(columns: &[(&str, Vec<f64>)], folder: &Path) -> PathBuf {
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let mut text = format!("id,{}\n", names.join(","));
    for row in 0..columns[0].1.len() {
        let values = columns.iter().map(|(_, values)| values[row].to_string());
        let values: Vec<String> = values.collect();
        text += &format!("{row},{}\n", values.join(","));
    }
    let path = folder.join("rows.csv");
    fs::write(&path, text).unwrap();
    path
}

/// `views` and `visits` only part the segments: two columns outweigh a third one.
fn cases() -> Vec<Said> {
    let parted = |sizes: &[usize]| {
        let each = sizes.iter().zip([0.0, 1000.0, 2000.0, 3000.0]);
        rows(&each.map(|(size, at)| (*size, at)).collect::<Vec<_>>())
    };
    vec![
        Said {
            what: "three quarters of the segment spent nothing, as all others did",
            columns: vec![
                ("views", parted(&[500, 300])),
                ("visits", parted(&[500, 300])),
                ("total_spending", rows(&[(725, 0.0), (75, 100.0)])),
            ],
            k: 2,
            size: 300,
            says: &["high visits"],
            never: &["high spend", "thank-you"],
        },
        Said {
            what: "three quarters of the segment used no offer, as all others did",
            columns: vec![
                ("views", parted(&[500, 300])),
                ("visits", parted(&[500, 300])),
                ("deal_purchases", rows(&[(725, 0.0), (75, 20.0)])),
            ],
            k: 2,
            size: 300,
            says: &["high visits"],
            never: &["many orders", "more orders", "use offers"],
        },
        Said {
            what: "three quarters of the segment have the greatest value, as all others do",
            columns: vec![
                ("views", parted(&[500, 300])),
                ("visits", parted(&[500, 300])),
                ("total_spending", rows(&[(725, 100.0), (75, 0.0)])),
            ],
            k: 2,
            size: 300,
            says: &["high visits"],
            never: &["low spend", "their spend alone"],
        },
        Said {
            what: "most have nothing, and a few others something: nothing is low for most",
            columns: vec![
                ("views", parted(&[500, 300])),
                ("visits", parted(&[500, 300])),
                ("deal_purchases", rows(&[(575, 0.0), (225, 20.0)])),
            ],
            k: 2,
            size: 500,
            says: &["no orders at a discount"],
            never: &["they use offers"],
        },
        Said {
            what: "days that a few customers make",
            columns: vec![
                ("views", parted(&[100, 12])),
                ("visits", parted(&[100, 12])),
                ("recency_days", rows(&[(100, 5.0), (10, 14.0), (2, 500.0)])),
            ],
            k: 2,
            size: 12,
            says: &["last order about 14 days ago"],
            // The mean is (10 * 14 + 2 * 500) / 12 = 95.
            never: &["about 95 days", "come back"],
        },
        Said {
            // One order 460 days ago, 480 days as customers: nothing says how long they wait between two.
            what: "customers who bought once",
            columns: vec![
                ("orders", rows(&[(60, 1.0), (61, 9.0)])),
                ("tenure_days", rows(&[(60, 480.0), (61, 500.0)])),
                ("recency_days", rows(&[(60, 460.0), (61, 20.0)])),
                ("total_spending", rows(&[(60, 20.0), (61, 400.0)])),
            ],
            k: 2,
            size: 60,
            says: &["a long time since the last order", "cheap reminder"],
            never: &["a longer time since"],
        },
        Said {
            // One of sixty came back: the others have no time between two orders either.
            what: "customers who bought once, but for one",
            columns: vec![
                ("orders", rows(&[(1, 2.0), (59, 1.0), (61, 9.0)])),
                ("tenure_days", rows(&[(60, 480.0), (61, 500.0)])),
                ("recency_days", rows(&[(60, 460.0), (61, 20.0)])),
                ("total_spending", rows(&[(60, 20.0), (61, 400.0)])),
            ],
            k: 2,
            size: 60,
            says: &["a long time since the last order", "cheap reminder"],
            never: &["a longer time since"],
        },
        Said {
            // The mean is -0.5 / 200 = -0.0025, and 199 of 200 have 0.
            what: "one refund among customers without orders",
            columns: vec![
                (
                    "total_spending",
                    rows(&[(199, 0.0), (1, -0.5), (200, 100.0)]),
                ),
                ("orders", rows(&[(200, 0.0), (200, 4.0)])),
            ],
            k: 2,
            size: 200,
            says: &["low spend"],
            never: &["negative", "goes back"],
        },
        Said {
            what: "more web orders than others, and still more in stores",
            columns: vec![
                ("views", parted(&[60, 40])),
                ("visits", parted(&[60, 40])),
                ("web_purchases", rows(&[(60, 4.0), (40, 6.0)])),
                ("store_purchases", rows(&[(60, 7.1), (20, 7.0), (20, 7.2)])),
            ],
            k: 2,
            size: 40,
            says: &["many web orders"],
            never: &["meet them"],
        },
        Said {
            // All: (60 * 4 + 40 * 9) / 100 = 6 web orders, (60 * 7 + 40 * 2) / 100 = 5 in stores.
            what: "more web orders than others and than in stores",
            columns: vec![
                ("views", parted(&[60, 40])),
                ("visits", parted(&[60, 40])),
                ("web_purchases", rows(&[(60, 4.0), (40, 9.0)])),
                ("store_purchases", rows(&[(60, 7.0), (40, 2.0)])),
            ],
            k: 2,
            size: 40,
            says: &[
                "meet them on the web: 9.0 web orders and 2.0 store orders on average, where all customers have 6.0 and 5.0.",
            ],
            never: &[],
        },
        Said {
            what: "the least of the money that goes back",
            columns: vec![
                ("total_spending", rows(&[(30, -13.0), (31, -130.0)])),
                ("orders", rows(&[(30, 1.0), (31, 2.0)])),
            ],
            k: 2,
            size: 30,
            says: &["less negative spend", "find out why money goes back"],
            never: &["high spend", "thank-you"],
        },
        Said {
            what: "the most of the money that goes back",
            columns: vec![
                ("total_spending", rows(&[(30, -13.0), (31, -130.0)])),
                ("orders", rows(&[(30, 1.0), (31, 2.0)])),
            ],
            k: 2,
            size: 31,
            says: &["negative spend", "find out why money goes back"],
            never: &["less negative"],
        },
        Said {
            what: "a single customer",
            columns: vec![
                ("views", parted(&[99, 1])),
                ("visits", parted(&[99, 1])),
                ("total_spending", rows(&[(50, 9.0), (49, 11.0), (1, 900.0)])),
            ],
            k: 2,
            size: 1,
            says: &["no action follows from a single customer."],
            never: &["these customers", "thank-you"],
        },
        Said {
            what: "four customers",
            columns: vec![
                ("views", parted(&[99, 4])),
                ("visits", parted(&[99, 4])),
                ("total_spending", rows(&[(50, 9.0), (49, 11.0), (4, 900.0)])),
            ],
            k: 2,
            size: 4,
            says: &["no action follows from 4 customers: they are too few."],
            never: &["thank-you"],
        },
        Said {
            // 15 of 60 have 1 order, the mean is 0.25; the deviation of all is about 20.
            what: "a mean that is small, and not 0",
            columns: vec![
                ("views", parted(&[60, 40])),
                ("visits", parted(&[60, 40])),
                (
                    "orders",
                    rows(&[(45, 0.0), (15, 1.0), (20, 30.0), (20, 50.0)]),
                ),
            ],
            k: 2,
            size: 60,
            says: &["orders 0.25 ("],
            never: &["orders 0 ("],
        },
        Said {
            // A third of 0.1 three times is not 0.1, and 2,000 / 3 is rounded.
            what: "nothing at all, in amounts that are rounded",
            columns: vec![
                (
                    "total_spending",
                    rows(&[(195, 0.0), (171, 1234.1), (137, 5432.7)]),
                ),
                ("orders", rows(&[(195, 0.0), (171, 3.1), (137, 7.7)])),
            ],
            k: 3,
            size: 195,
            says: &["spend 0 (", "orders 0.0 (", "no orders"],
            never: &["e-1", "negative"],
        },
    ]
}

#[test]
fn what_is_said_of_a_segment_holds_for_most_of_it() {
    for case in cases() {
        let folder = tempfile::tempdir().unwrap();
        let path = written(&case.columns, folder.path());
        let names: Vec<&str> = case.columns.iter().map(|(name, _)| *name).collect();
        let names = names.join(",");
        let answer = trained_and_checked(&path, &features(&path, "id", &names), case.k);
        let segments = answer["segments"].as_array().unwrap();
        let one = segments.iter().find(|one| one["size"] == case.size);
        let one = one.unwrap_or_else(|| panic!("{}: {segments:?}", case.what));
        let text =
            ["name", "description", "suggested_action"].map(|part| one[part].as_str().unwrap());
        let text = text.join("\n").to_lowercase();
        for words in case.says {
            assert!(
                text.contains(words),
                "{}: no {words:?} in {text}",
                case.what
            );
        }
        for words in case.never {
            assert!(!text.contains(words), "{}: {words:?} in {text}", case.what);
        }
    }
}

#[test]
fn an_amount_that_nobody_of_a_segment_has_is_zero_in_the_model_and_in_the_report() {
    // 195 customers with 0; the mean of all is that of 1234.1 and 5432.7, so that 0 is scaled and back.
    let spend = rows(&[(195, 0.0), (171, 1234.1), (137, 5432.7)]);
    let trained = train(&[("total_spending", spend)], 3);
    let nothing = &trained.artifact.segments[0];
    assert_eq!(nothing.size, 195);
    assert_eq!(
        nothing.profile["total_spending"].to_bits(),
        0.0_f64.to_bits()
    );
    let feature = &trained.artifact.features[0];
    let scaled = (0.0 - feature.mean) / feature.standard_deviation;
    assert_eq!(nothing.centroid[0].to_bits(), scaled.to_bits());
    assert_eq!(
        trained.analysis.segments[0].features[0].mean.to_bits(),
        0.0_f64.to_bits()
    );
}

#[test]
fn without_orders_in_a_window_is_not_without_orders_and_only_what_is_a_feature_has_a_window() {
    let columns = [
        ("orders", groups(&[0.0, 5.0], 0.0)),
        ("recency_days", groups(&[480.0, 20.0], 4.0)),
    ];
    let windowed = |columns: &[(&str, Vec<f64>)]| train_within(columns, 2, None, 365);
    let trained = windowed(&columns);
    let gone = segment_of(
        &trained,
        "No orders in 365 days, last order about 480 days ago",
    );
    assert!(gone.id.starts_with("no-orders-long"), "{}", gone.id);
    assert!(
        gone.description.ends_with(" Orders are those of 365 days."),
        "{}",
        gone.description
    );
    let spend = [("total_spending", groups(&[10.0, 90.0], 4.0))];
    for one in &windowed(&spend).analysis.segments {
        assert!(
            one.description.ends_with(" Spend is that of 365 days."),
            "{}",
            one.description
        );
    }
}
