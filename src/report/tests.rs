//! What must hold for every page.

use super::*;
use crate::learn::analysis::Candidate;
use crate::learn::analysis::Choice;
use crate::learn::analysis::FeatureSummary;
use crate::learn::analysis::FiveNumbers;
use crate::learn::analysis::Histogram;
use crate::learn::analysis::Noted;
use crate::learn::analysis::PreparationReport;
use crate::learn::analysis::ProjectedPoint;
use crate::learn::analysis::Projection;
use crate::learn::analysis::RevenueFacts;
use crate::learn::analysis::SegmentAnalysis;
use crate::learn::analysis::SegmentFeature;
use crate::learn::analysis::SegmentRevenue;
use crate::learn::scaler::count;

fn numbers() -> FiveNumbers {
    FiveNumbers {
        minimum: 0.0,
        first_quartile: 10.0,
        median: 20.0,
        third_quartile: 30.0,
        maximum: 1_234.0,
    }
}

fn segment(place: usize, features: usize) -> SegmentAnalysis {
    let feature = SegmentFeature {
        mean: 1_200.4,
        z: count(place) - 2.0,
        numbers: numbers(),
    };
    SegmentAnalysis {
        id: format!("segment-{place}"),
        name: format!("Group {place}"),
        description: "Some customers.".to_owned(),
        size: 1_000,
        share: 0.25,
        revenue: Some(SegmentRevenue {
            sum: 1_200_400.0,
            share: Some(0.25),
        }),
        suggested_action: "Consider a thank-you.".to_owned(),
        features: vec![feature; features],
    }
}

fn candidate(k: usize) -> Candidate {
    let only_for_more_than_one = |value: f64| (k > 1).then_some(value);
    Candidate {
        k,
        inertia: 1_000.0 / count(k),
        silhouette: only_for_more_than_one(0.3),
        silhouette_standard_error: only_for_more_than_one(0.01),
        calinski_harabasz: only_for_more_than_one(500.0),
        davies_bouldin: only_for_more_than_one(1.2),
        stability: only_for_more_than_one(0.9),
    }
}

fn analysis(k: usize, features: usize) -> Analysis {
    let feature = |place: usize| FeatureSummary {
        name: format!("feature_number_{place}"),
        window_days: None,
        mean: 20.0,
        standard_deviation: 5.0,
        numbers: numbers(),
        histogram: Histogram {
            edges: vec![0.0, 617.0, 1_234.0],
            counts: vec![3_999, 1],
        },
    };
    let noted = Noted {
        rows: 24,
        rule: "no value".to_owned(),
    };
    Analysis {
        preparation: PreparationReport {
            rows_read: 4_024,
            rows_used: 4_000,
            dropped: [("missing_value".to_owned(), noted)].into(),
            noted: [].into(),
        },
        features: (0..features).map(feature).collect(),
        correlations: vec![vec![0.5; features]; features],
        choice: Choice {
            candidates: (1..=k).map(candidate).collect(),
            k,
            decided_by: "silhouette".to_owned(),
            recommendations: [("silhouette".to_owned(), k)].into(),
            explanation: "It parts them best.".to_owned(),
        },
        segments: (0..k).map(|place| segment(place, features)).collect(),
        projection: Projection {
            explained: [0.6, 0.4],
            loadings: vec![[0.8, -0.6]; features],
            points: vec![ProjectedPoint {
                at: [1.0, 2.0],
                segment: 0,
            }],
            centroids: vec![[0.0, 0.0]; k],
        },
        currency: Some("EUR".to_owned()),
        revenue: Some(RevenueFacts {
            sum: 4_801_600.0,
            window_days: Some(730),
        }),
    }
}

fn facts() -> ReportFacts {
    ReportFacts {
        title: "Segments of spring".to_owned(),
        model_version: "retail-6".to_owned(),
        trained_at: "2026-11-24T00:00:00Z".to_owned(),
        source: "customers.csv".to_owned(),
        dates: "The data has purchases from 2024-01-02 to 2026-03-04.".to_owned(),
        period: "2024-01-02 to 2026-03-04".to_owned(),
        seed: 1,
        runs: 50,
    }
}

/// The page without the embedded library.
fn own_part(page: &str) -> String {
    let (before, rest) = page.split_once(page::LIBRARY_BEGINS).unwrap();
    let (library, after) = rest.split_once(page::LIBRARY_ENDS).unwrap();
    assert!(library.len() > 1_000_000, "{} bytes", library.len());
    format!("{before}{after}")
}

#[test]
fn the_page_names_every_segment_feature_and_fact() {
    let page = own_part(&render(&analysis(4, 3), &facts()));
    for expected in [
        "<title>Segments of spring</title>",
        "Group 0",
        "Group 1",
        "Group 2",
        "Group 3",
        "Feature number 2",
        "1,000</strong> customers",
        "4,000 of 4,024 rows",
        "Missing value",
        "no value",
        "It parts them best.",
        "retail-6",
        "2026-11-24",
        "customers.csv",
        "Revenue over 730 days: 1,200,400 EUR, 25.0% of the 4,801,600 EUR of all customers used.",
        "Suggested action:</strong> Consider a thank-you.",
        "<dt>Currency</dt><dd>EUR</dd>",
        "<dt>Dates</dt><dd>2024-01-02 to 2026-03-04</dd>",
        "The data has purchases from 2024-01-02 to 2026-03-04.",
        "Amounts are in EUR.",
    ] {
        assert!(page.contains(expected), "{expected}");
    }
}

#[test]
fn text_of_others_stays_text() {
    let hostile = "</script><script>alert('x')</script> & \"<b>";
    let mut analysis = analysis(2, 2);
    let tame = own_part(&render(&analysis, &facts()));
    analysis.segments[0].name = hostile.to_owned();
    analysis.segments[0].description = hostile.to_owned();
    analysis.segments[0].suggested_action = hostile.to_owned();
    analysis.currency = Some(hostile.to_owned());
    analysis.features[0].name = hostile.to_owned();
    analysis.choice.explanation = hostile.to_owned();
    analysis.choice.decided_by = hostile.to_owned();
    let noted = Noted {
        rows: 1,
        rule: hostile.to_owned(),
    };
    analysis.preparation.noted = [(hostile.to_owned(), noted)].into();
    analysis.choice.recommendations = [(hostile.to_owned(), 2)].into();
    let hostile = ReportFacts {
        title: hostile.to_owned(),
        model_version: hostile.to_owned(),
        trained_at: hostile.to_owned(),
        source: hostile.to_owned(),
        dates: hostile.to_owned(),
        period: hostile.to_owned(),
        ..facts()
    };
    let page = own_part(&render(&analysis, &hostile));
    assert!(!page.contains("<script>alert"));
    for tag in ["<script", "</script"] {
        assert_eq!(
            page.matches(tag).count(),
            tame.matches(tag).count(),
            "{tag}"
        );
    }
    assert!(page.contains("&lt;/script&gt;"));
}

#[test]
fn nothing_is_asked_of_another_machine() {
    let page = own_part(&render(&analysis(3, 3), &facts()));
    for reference in ["http://", "https://", "src=", "url(", "@import", "MathJax"] {
        assert!(!page.contains(reference), "{reference}");
    }
}

#[test]
fn every_number_of_segments_and_features_has_a_page() {
    for (k, features) in [(1, 1), (1, 3), (2, 1), (12, 6), (64, 64)] {
        let page = own_part(&render(&analysis(k, features), &facts()));
        assert_eq!(page.matches("<article").count(), k);
        assert!(page.contains(&format!("histogram-{}", features - 1)));
        assert_eq!(page.contains("correlations-chart"), features > 1);
        assert_eq!(page.contains("silhouette-chart"), k > 1);
        for script in page.split("data-chart=").skip(1) {
            let (_, json) = script.split_once('>').unwrap();
            let (json, _) = json.split_once("</script>").unwrap();
            let chart: serde_json::Value = serde_json::from_str(json).unwrap();
            assert!(chart["data"].is_array() && chart["layout"].is_object());
        }
    }
}

#[test]
fn numbers_that_are_none_leave_a_page() {
    let mut analysis = analysis(2, 2);
    analysis.segments[0].features[0].z = f64::NAN;
    analysis.segments[1].features[0].mean = f64::INFINITY;
    analysis.correlations[0][1] = f64::NAN;
    let page = own_part(&render(&analysis, &facts()));
    assert!(!page.contains("NaN") && !page.contains("inf<"));
}
