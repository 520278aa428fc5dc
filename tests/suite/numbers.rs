//! No value of a customer and no model gives a number that is not finite, and what explains a segment is readable at its
//! borders too.

use std::sync::Arc;

use rand::Rng;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256Plus;
use segstream::domain::money::Currency;
use segstream::domain::money::Decimal;
use segstream::domain::money::Money;
use segstream::domain::profile::Attribute;
use segstream::domain::profile::Fact;
use segstream::domain::profile::Profile;
use segstream::domain::profile::Statement;
use segstream::model::artifact::Artifact;
use segstream::model::artifact::Transform;
use segstream::model::evaluation::Evaluation;
use segstream::model::segment_model::SegmentModel;
use segstream::telemetry::metrics::DescribedModel;
use segstream::telemetry::metrics::Metrics;
use segstream::view::prediction::Prediction;
use serde_json::Value;

use crate::support;

fn artifact() -> Artifact {
    serde_json::from_str(include_str!("../../models/retail-6.json")).unwrap()
}

/// The model of an artifact that was changed.
fn changed(change: impl FnOnce(&mut Artifact)) -> Result<SegmentModel, String> {
    let mut artifact = artifact();
    change(&mut artifact);
    artifact.fingerprint = artifact.compute_fingerprint().unwrap();
    SegmentModel::from_artifact(&artifact).map_err(|misfit| misfit.to_string())
}

/// serde writes a number that is not finite as null.
fn assert_without_null(value: &Value) {
    match value {
        Value::Null => panic!("a null"),
        Value::Array(values) => values.iter().for_each(assert_without_null),
        Value::Object(members) => members.values().for_each(assert_without_null),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn assert_finite(evaluation: &Evaluation, model: &SegmentModel) {
    let placement = &evaluation.placement;
    let numbers = [
        placement.distance_squared,
        placement.runner_up.unwrap().distance_squared,
        placement.confidence(),
    ];
    let all = numbers
        .iter()
        .chain(&evaluation.raw)
        .chain(&evaluation.scaled);
    for number in all {
        assert!(number.is_finite(), "{evaluation:?}");
    }
    assert_without_null(&serde_json::to_value(Prediction::of(evaluation, model)).unwrap());
    for contribution in model.explanation(evaluation) {
        assert!(contribution.pull.abs() <= 100.0, "{contribution:?}");
    }
}

#[test]
fn no_value_of_a_customer_gives_a_number_that_is_not_finite() {
    let model = support::model();
    let features = model.features().len();
    for value in [
        f64::MAX,
        f64::MIN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
        1e155,
        -1e155,
        5e-324,
        9_007_199_254_740_991.0,
        92_233_720_368_547_758.07,
    ] {
        for place in 0..features {
            let one = (0..features).map(|feature| (feature == place).then_some(value));
            assert_finite(&model.evaluate(one, None), &model);
        }
        let all = std::iter::repeat_n(Some(value), features);
        assert_finite(&model.evaluate(all, None), &model);
    }
}

#[test]
fn a_model_that_would_give_such_a_number_is_refused_and_its_field_is_named() {
    assert!(changed(|_| {}).is_ok());
    type Change = fn(&mut Artifact);
    let changes: [(Change, &str); 10] = [
        (
            |model| model.features[0].standard_deviation = 1e-200,
            "standard_deviation",
        ),
        (
            |model| model.features[0].standard_deviation = 5e-324,
            "standard_deviation",
        ),
        (|model| model.features[1].mean = 1e200, "not from"),
        (|model| model.features[1].median = -1e308, "not from"),
        (|model| model.features[1].cap = Some(1e300), "not from"),
        (|model| model.segments[0].centroid[0] = 1e200, "not from"),
        (
            |model| {
                model.features[0].transform = Transform::Log1p;
                // e to the power of a thousand.
                model.features[0].mean = 1000.0;
            },
            "not from",
        ),
        (|model| model.margin.distance = 1e300, "margin.distance"),
        (|model| model.margin.squared = 1e300, "margin.squared"),
        (
            |model| model.training.inertia = f64::INFINITY,
            "training.inertia",
        ),
    ];
    for (number, (change, field)) in changes.into_iter().enumerate() {
        let refused = changed(change).map(drop);
        let sentence = refused.expect_err(&format!("change {number}"));
        assert!(sentence.contains(field), "{sentence}");
    }
}

/// Random customers, each moved to each border that one of its features alone reaches.
#[test]
fn an_explanation_at_a_border_is_bounded_and_its_signs_say_which_segment_a_feature_speaks_for() {
    let model = support::model();
    let mut random = Xoshiro256Plus::seed_from_u64(4);
    let mut at_borders = 0;
    for _ in 0..2_000 {
        let raw: Vec<f64> = model
            .features()
            .iter()
            .map(|feature| feature.unscale(random.gen_range(-3.0..3.0)))
            .collect();
        let evaluation = model.evaluate(raw.iter().copied().map(Some), None);
        for step in model.steps(&evaluation) {
            let mut beside = raw.clone();
            beside[step.feature] = model.features()[step.feature].unscale(step.scaled);
            for current in [None, Some(evaluation.placement.segment)] {
                let there = model.evaluate(beside.iter().copied().map(Some), current);
                let gap = there.placement.runner_up.unwrap().distance_squared
                    - there.placement.distance_squared;
                at_borders += usize::from(gap.abs() < 1e-9);
                assert_finite(&there, &model);
            }
        }
    }
    assert!(at_borders > 1_000, "{at_borders}");
}

/// By hand: two segments at (0, 0) and (1, 1), in standard deviations.
#[test]
fn far_from_a_border_the_pulls_add_up_to_1_and_on_it_they_cancel_out() {
    let on_axes = |x: f64, y: f64| {
        let model = changed(|model| {
            model.features.truncate(2);
            for feature in &mut model.features {
                (feature.mean, feature.standard_deviation, feature.cap) = (0.0, 1.0, None);
                feature.transform = Transform::Identity;
            }
            let names: Vec<String> = model.features.iter().map(|one| one.name.clone()).collect();
            model.segments.truncate(2);
            model.training.k = 2;
            for (segment, at) in model.segments.iter_mut().zip([[0.0, 0.0], [1.0, 1.0]]) {
                segment.centroid = at.to_vec();
                segment.profile.retain(|name, _| names.contains(name));
                segment.quartiles.clear();
            }
        });
        let model = model.unwrap();
        let evaluation = model.evaluate([Some(x), Some(y)].into_iter(), Some(0));
        let explanation = model.explanation(&evaluation);
        let names: Vec<Arc<str>> = model
            .features()
            .iter()
            .map(|one| one.name.clone())
            .collect();
        let pull = |name: &Arc<str>| {
            let found = explanation.iter().find(|one| one.feature == *name);
            found.map(|one| one.pull)
        };
        (pull(&names[0]), pull(&names[1]))
    };
    // A coordinate x gains (x - 1)^2 - x^2 = 1 - 2x.
    assert_eq!(on_axes(0.0, 0.25), (Some(1.0 / 1.5), Some(0.5 / 1.5)));
    assert_eq!(on_axes(-1.0, 1.0), (Some(3.0 / 2.0), Some(-1.0 / 2.0)));
    // On the border one gains 1 and the other loses 1; a hundredth of all that is 0.02.
    assert_eq!(on_axes(0.0, 1.0), (Some(50.0), Some(-50.0)));
    // No feature tells the segments apart.
    assert_eq!(on_axes(0.5, 0.5), (None, None));
}

#[test]
fn a_number_of_an_older_profile_that_is_not_allowed_is_as_good_as_absent() {
    let stated = Statement {
        occurred_at: support::at("2026-01-01T00:00:00Z"),
        event_hash: 1,
    };
    let mut profile = Profile::default();
    for (name, value) in [("huge", 1e308), ("least", -1e16), ("right", 7.5)] {
        let value = Attribute::Number(value);
        profile
            .attributes
            .insert(name.to_owned(), Fact { value, stated });
    }
    assert_eq!(profile.number("huge"), None);
    assert_eq!(profile.number("least"), None);
    assert_eq!(profile.number("right"), Some(7.5));
}

#[test]
fn a_model_without_a_silhouette_has_no_metric_of_it() {
    let metrics = Metrics::new(&["a"]).unwrap();
    let mut facts = DescribedModel {
        version: "m",
        k: 1,
        churn: "none",
        trained_at_ms: 0,
        silhouette: None,
    };
    metrics.describe_model(&facts);
    let page = metrics.render().unwrap();
    assert!(!page.contains("NaN"), "{page}");
    assert!(!page.contains("model_silhouette"));
    facts.silhouette = Some(0.25);
    metrics.describe_model(&facts);
    let page = metrics.render().unwrap();
    assert!(page.contains("segstream_model_silhouette 0.25\n"), "{page}");
}

/// Python: `json.dumps(0.3 - 0.24)` gives the first, `0.1 + 0.2 - 0.3` the second.
#[test]
fn what_a_binary_float_leaves_behind_is_rounded_to_the_minor_unit() {
    let cents = |text: &str| {
        let decimal = Decimal::parse(text)?;
        decimal.to_minor(&Currency::parse("USD").unwrap())
    };
    for (text, expected) in [
        ("0.060000000000000005", 6),
        ("5.551115123125783e-17", 0),
        ("0.0000000000000000000000000001", 0),
        ("0.015000000000000001", 2),
        ("129.50000000000000000000000", 12_950),
    ] {
        assert_eq!(cents(text), Some(Money(expected)), "{text}");
    }
}
