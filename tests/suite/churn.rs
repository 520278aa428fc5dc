//! What the churn model promises: reference values of the public CDNOW data, fits that end where others'
//! did, levels crossed where they are, and scores that predict who bought again.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;

use segstream::learn::churn::fit::Fit;
use segstream::learn::churn::fit::Observation;
use segstream::learn::churn::fit::Prior;
use segstream::learn::churn::fit::fit;
use segstream::learn::churn::fit::log_likelihood;
use segstream::learn::churn::fit::prior_mean;
use segstream::learn::churn::quality;
use segstream::model::churn::ChurnModel;
use segstream::model::churn::Crossing;
use segstream::model::churn::Family;
use segstream::model::churn::History;
use segstream::model::churn::Parameters;
use serde::Deserialize;

use crate::support::Chance;
use crate::support::data_file;

const FAMILIES: [Family; 2] = [Family::MbgNbd, Family::BgNbd];
/// 1997-09-30 and 1998-06-30 as days from 1997-01-01.
const CALIBRATION_END: i32 = 272;
const HOLDOUT_END: i32 = 545;

/// Figures of mpmath and scipy; the file says where they are from.
#[derive(Deserialize)]
struct Reference {
    fit: BTreeMap<String, FitFigures>,
    fit_in_days: BTreeMap<String, FitInDays>,
    sums_of_the_sample: BTreeMap<String, SumFigures>,
    holdout: Holdout,
    customers: Vec<CustomerFigures>,
}

#[derive(Deserialize)]
struct FitFigures {
    #[serde(flatten)]
    parameters: Parameters,
    #[serde(rename = "LL")]
    log_likelihood: f64,
}

#[derive(Deserialize)]
struct FitInDays {
    alpha: f64,
    #[serde(rename = "LL")]
    log_likelihood: f64,
}

#[derive(Deserialize)]
struct SumFigures {
    p_alive: f64,
    expected_purchases_39w: f64,
}

#[derive(Deserialize)]
struct Holdout {
    repeat_purchases: usize,
    buyers: usize,
}

#[derive(Deserialize)]
struct CustomerFigures {
    x: u32,
    t_x_days: u32,
    #[serde(rename = "T_days")]
    age_days: u32,
    #[serde(flatten)]
    by_family: BTreeMap<String, ValueFigures>,
}

#[derive(Deserialize)]
struct ValueFigures {
    p_alive: f64,
    p_alive_at_last_purchase: f64,
    expected_purchases_39w: f64,
    p_buy_within_12w: f64,
    p_buy_within_39w: f64,
    crossings: Vec<CrossingFigures>,
    p_buy_12w_crossings: Vec<CrossingFigures>,
}

#[derive(Deserialize)]
struct CrossingFigures {
    p: f64,
    #[serde(rename = "T_star_weeks")]
    age_weeks: Option<f64>,
    state: String,
}

fn fixture(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

fn reference() -> Reference {
    serde_json::from_str(&fixture("bgnbd_cdnow.json")).unwrap()
}

/// The model with the parameters that the reference values are of.
fn reference_model(reference: &Reference, family: Family) -> ChurnModel {
    ChurnModel::new(family, reference.fit[family.as_str()].parameters).unwrap()
}

/// A history in weeks.
fn history(repeat_days: u32, last_days: u32, age_days: u32) -> History {
    History {
        repeat_days,
        last_purchase_age: f64::from(last_days) / 7.0,
        age: f64::from(age_days) / 7.0,
    }
}

/// The 2,357 customers of the sample by their id in the master file, with x, t_x and T in days.
fn sample_in_days() -> BTreeMap<String, (u32, u32, u32)> {
    let text = fixture("cdnow_calibration.csv");
    let lines = text.lines().skip(1);
    lines
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            let number = |place: usize| fields[place].parse::<u32>().unwrap();
            (fields[1].to_owned(), (number(3), number(4), number(5)))
        })
        .collect()
}

fn sample() -> Vec<Observation> {
    let in_days = sample_in_days().into_values();
    in_days
        .map(|(repeats, last, age)| history(repeats, last, age))
        .collect()
}

/// Purchase days of each customer of the master file, from 1997-01-01 on.
fn purchase_days(file: &Path) -> BTreeMap<String, BTreeSet<i32>> {
    let text = std::fs::read_to_string(file).unwrap();
    let mut customers: BTreeMap<String, BTreeSet<i32>> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let days = customers.entry(fields[0].to_owned()).or_default();
        days.insert(day(fields[1]));
    }
    customers
}

/// A date of 1997 or 1998 as days from 1997-01-01.
fn day(date: &str) -> i32 {
    let months = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let (year, month) = (&date[..4], date[4..6].parse::<usize>().unwrap());
    let before: i32 = months[..month - 1].iter().sum();
    let years = i32::from(year == "1998") * 365;
    assert!(["1997", "1998"].contains(&year), "{date}");
    years + before + date[6..].parse::<i32>().unwrap() - 1
}

/// x, t_x and T in days at the end of calibration.
fn calibrated(days: &BTreeSet<i32>) -> (u32, u32, u32) {
    let first = days.first().unwrap();
    let last = days.range(..=CALIBRATION_END).next_back().unwrap();
    let repeats = days.range(..=CALIBRATION_END).count() - 1;
    let between = |day: &i32| u32::try_from(day - first).unwrap();
    (
        u32::try_from(repeats).unwrap(),
        between(last),
        between(&CALIBRATION_END),
    )
}

fn as_array(parameters: Parameters) -> [f64; 4] {
    let Parameters { r, alpha, a, b } = parameters;
    [r, alpha, a, b]
}

/// Greatest relative difference of the four parameters.
fn difference(found: Parameters, expected: Parameters) -> f64 {
    let pairs = as_array(found).into_iter().zip(as_array(expected));
    pairs.fold(0.0, |most, (found, expected)| {
        most.max((found / expected - 1.0).abs())
    })
}

/// The greatest relative difference seen, by what it is of.
#[derive(Default)]
struct Differences(BTreeMap<&'static str, f64>);

impl Differences {
    fn note(&mut self, what: &'static str, found: f64, expected: f64) {
        let off = (found - expected).abs() / expected.abs().max(f64::MIN_POSITIVE);
        assert!(!off.is_nan(), "{what}: {found} {expected}");
        let most = self.0.entry(what).or_default();
        *most = most.max(off);
    }

    fn assert_below(&self, limit: f64) {
        eprintln!("{:?}", self.0);
        assert!(!self.0.is_empty());
        for (what, off) in &self.0 {
            assert!(*off < limit, "{what} is off by {off:e}");
        }
    }
}

/// The state that the reference names, and the age where there is one.
fn assert_crossing(
    differences: &mut Differences,
    what: &'static str,
    found: Crossing,
    expected: &CrossingFigures,
    now: f64,
) {
    let state = match found {
        Crossing::BelowAtLastPurchase => "below_at_last_purchase",
        Crossing::Never => "never",
        Crossing::At(age) if age > now => "future",
        Crossing::At(_) => "past",
    };
    assert_eq!(state, expected.state, "{what} {}", expected.p);
    if let Crossing::At(age) = found {
        differences.note(what, age, expected.age_weeks.unwrap());
    }
}

#[test]
fn values_and_crossings_are_those_of_the_reference() {
    let reference = reference();
    assert_eq!(reference.customers.len(), 50);
    for family in FAMILIES {
        let model = reference_model(&reference, family);
        let mut differences = Differences::default();
        for customer in &reference.customers {
            let one = history(customer.x, customer.t_x_days, customer.age_days);
            let expected = &customer.by_family[family.as_str()];
            for (what, found, expected) in [
                ("P(alive)", model.probability_alive(one), expected.p_alive),
                (
                    "P0",
                    model.probability_alive_at_purchase(one.repeat_days),
                    expected.p_alive_at_last_purchase,
                ),
                (
                    "E 39 weeks",
                    model.expected_purchases(one, 39.0),
                    expected.expected_purchases_39w,
                ),
                (
                    "Q 12 weeks",
                    model.probability_of_purchase(one, 12.0),
                    expected.p_buy_within_12w,
                ),
                (
                    "Q 39 weeks",
                    model.probability_of_purchase(one, 39.0),
                    expected.p_buy_within_39w,
                ),
            ] {
                differences.note(what, found, expected);
            }
            let (x, last) = (one.repeat_days, one.last_purchase_age);
            assert_eq!(expected.crossings.len(), 3);
            for level in &expected.crossings {
                let found = model.age_when_alive_falls_to(x, last, level.p);
                assert_crossing(&mut differences, "P(alive) = p", found, level, one.age);
            }
            assert_eq!(expected.p_buy_12w_crossings.len(), 3);
            for level in &expected.p_buy_12w_crossings {
                let found = model.age_when_purchase_falls_to(x, last, 12.0, level.p);
                assert_crossing(&mut differences, "Q 12 weeks = q", found, level, one.age);
            }
        }
        differences.assert_below(1e-12);
    }
}

#[test]
fn sums_over_the_sample_are_those_of_the_reference() {
    let reference = reference();
    for family in FAMILIES {
        let model = reference_model(&reference, family);
        let expected = &reference.sums_of_the_sample[family.as_str()];
        let sum = |of: &dyn Fn(History) -> f64| sample().into_iter().map(of).sum::<f64>();
        let mut differences = Differences::default();
        let alive = sum(&|one| model.probability_alive(one));
        differences.note("P(alive)", alive, expected.p_alive);
        let purchases = sum(&|one| model.expected_purchases(one, 39.0));
        differences.note("E", purchases, expected.expected_purchases_39w);
        differences.assert_below(1e-12);
    }
}

#[test]
fn the_fit_of_the_sample_is_that_of_the_reference() {
    let reference = reference();
    let sample = sample();
    for family in FAMILIES {
        let expected = &reference.fit[family.as_str()];
        let found = fit(family, &sample, Prior::None).unwrap();
        eprintln!("{found:?}");
        let off = difference(found.parameters, expected.parameters);
        assert!(off < 1e-6, "{found:?} is off by {off:e}");
        assert!((found.log_likelihood - expected.log_likelihood).abs() < 1e-6);
        assert_eq!(found.customers, 2357);
        assert!(found.evaluations < 60, "{found:?}");
        let there = log_likelihood(family, expected.parameters, &sample);
        assert!((there - expected.log_likelihood).abs() < 1e-8, "{there}");
        // The weak prior moves it by less than 0.7 %.
        let weak = fit(family, &sample, Prior::Weak).unwrap();
        let moved = difference(weak.parameters, expected.parameters);
        assert!(moved < 0.007, "{weak:?} moved by {moved}");
    }
    // In days, alpha alone is another.
    let expected = &reference.fit_in_days[Family::BgNbd.as_str()];
    let in_days: Vec<Observation> = sample
        .iter()
        .map(|one| History {
            last_purchase_age: one.last_purchase_age * 7.0,
            age: one.age * 7.0,
            ..*one
        })
        .collect();
    let found = fit(Family::BgNbd, &in_days, Prior::None).unwrap();
    let parameters = Parameters {
        alpha: expected.alpha,
        ..reference.fit[Family::BgNbd.as_str()].parameters
    };
    assert!(difference(found.parameters, parameters) < 1e-6, "{found:?}");
    assert!((found.log_likelihood - expected.log_likelihood).abs() < 1e-6);
}

#[test]
fn the_sample_is_what_the_master_file_says_of_its_customers() {
    let Some(file) = data_file("cdnow_master.txt") else {
        return;
    };
    let all = purchase_days(&file);
    let sample = sample_in_days();
    assert_eq!(sample.len(), 2357);
    for (id, expected) in sample {
        assert_eq!(calibrated(&all[&id]), expected, "{id}");
    }
}

#[test]
fn the_fit_of_all_customers_is_that_of_the_reference() {
    let Some(file) = data_file("cdnow_master.txt") else {
        return;
    };
    let all: Vec<Observation> = purchase_days(&file)
        .values()
        .map(calibrated)
        .map(|(repeats, last, age)| history(repeats, last, age))
        .collect();
    assert_eq!(all.len(), 23_570);
    // scipy's, to five decimals and to two.
    for (family, [r, alpha, a, b], expected) in [
        (
            Family::BgNbd,
            [0.25162, 4.78894, 0.72343, 2.16109],
            -95_368.44,
        ),
        (
            Family::MbgNbd,
            [0.63714, 7.31029, 0.80747, 1.22839],
            -95_336.96,
        ),
    ] {
        let found = fit(family, &all, Prior::None).unwrap();
        eprintln!("{found:?}");
        let off = difference(found.parameters, Parameters { r, alpha, a, b });
        assert!(off < 1e-4, "{found:?} is off by {off:e}");
        assert!((found.log_likelihood - expected).abs() < 0.01, "{found:?}");
    }
}

#[test]
fn the_probability_of_a_purchase_tells_who_bought_in_the_39_weeks_after() {
    let Some(file) = data_file("cdnow_master.txt") else {
        return;
    };
    let reference = reference();
    let all = purchase_days(&file);
    let mut histories = Vec::new();
    let mut bought = Vec::new();
    let mut purchases = 0;
    for (id, (repeats, last, age)) in sample_in_days() {
        let after = all[&id].range(CALIBRATION_END + 1..=HOLDOUT_END).count();
        purchases += after;
        bought.push(after > 0);
        histories.push(history(repeats, last, age));
    }
    assert_eq!(purchases, reference.holdout.repeat_purchases);
    let buyers = bought.iter().filter(|bought| **bought).count();
    assert_eq!(buyers, reference.holdout.buyers);

    let model = reference_model(&reference, Family::MbgNbd);
    let scores = |of: &dyn Fn(History) -> f64| histories.iter().copied().map(of).collect();
    let within: Vec<f64> = scores(&|one| model.probability_of_purchase(one, 39.0));
    let area = quality::area_under_curve(&within, &bought).unwrap();
    let brier = quality::brier(&within, &bought).unwrap();
    eprintln!("area {area}, Brier {brier}");
    // The figures of the reference's author; a base rate alone has a Brier score of 0.206.
    assert!((area - 0.760).abs() <= 0.001, "{area}");
    assert!(brier <= 0.162, "{brier}");
    let alive: Vec<f64> = scores(&|one| model.probability_alive(one));
    let area = quality::area_under_curve(&alive, &bought).unwrap();
    assert!((area - 0.687).abs() <= 0.001, "{area}");
    let bg = reference_model(&reference, Family::BgNbd);
    let within_bg: Vec<f64> = scores(&|one| bg.probability_of_purchase(one, 39.0));
    let area = quality::area_under_curve(&within_bg, &bought).unwrap();
    assert!((area - 0.757).abs() <= 0.001, "{area}");

    let bins = quality::calibration(&within, &bought, 10);
    let customers: usize = bins.iter().map(|bin| bin.customers).sum();
    assert_eq!(customers, 2357);
    let hits: f64 = bins
        .iter()
        .map(|bin| bin.share_observed * bin.customers as f64)
        .sum();
    assert!((hits - buyers as f64).abs() < 1e-6);
    for pair in bins.windows(2) {
        assert!(pair[0].mean_predicted < pair[1].mean_predicted);
    }
}

/// A number between two others, evenly by its logarithm.
fn between(chance: &mut Chance, low: f64, high: f64) -> f64 {
    let share = share(chance);
    low * (high / low).powf(share)
}

fn share(chance: &mut Chance) -> f64 {
    (chance.below(1 << 53) as f64 + 0.5) / (1_u64 << 53) as f64
}

#[test]
fn every_level_is_reached_where_it_is_said_to_be() {
    let mut chance = Chance(1);
    let mut crossed = 0;
    let mut differences = Differences::default();
    for case in 0..20_000 {
        let parameters = Parameters {
            r: between(&mut chance, 0.05, 20.0),
            alpha: between(&mut chance, 0.1, 300.0),
            a: between(&mut chance, 0.05, 20.0),
            b: between(&mut chance, 0.05, 20.0),
        };
        let model = ChurnModel::new(FAMILIES[case % 2], parameters).unwrap();
        let repeat_days = [0, 0, 1, 2, 3, 8, 40, 300][case / 2 % 8];
        let last = f64::from(u8::from(repeat_days > 0)) * between(&mut chance, 1.0, 300.0);
        let horizon = between(&mut chance, 0.1, 300.0);
        let at = |age| History {
            repeat_days,
            last_purchase_age: last,
            age,
        };
        for level in [0.5, 0.2, 0.01, share(&mut chance)] {
            let top = model.probability_alive(at(last));
            match model.age_when_alive_falls_to(repeat_days, last, level) {
                Crossing::BelowAtLastPurchase => assert!(top <= level),
                Crossing::Never => assert!(top > level),
                Crossing::At(age) => {
                    assert!(top > level && age >= last);
                    differences.note("P", model.probability_alive(at(age)), level);
                    crossed += 1;
                }
            }
            let top = model.probability_of_purchase(at(last), horizon);
            match model.age_when_purchase_falls_to(repeat_days, last, horizon, level) {
                Crossing::BelowAtLastPurchase => assert!(top <= level * (1.0 + 1e-13)),
                Crossing::Never => panic!("{model:?}: {top} never falls to {level}"),
                Crossing::At(age) => {
                    assert!(top >= level * (1.0 - 1e-13) && age >= last);
                    let back = model.probability_of_purchase(at(age), horizon);
                    differences.note("Q", back, level);
                    crossed += 1;
                }
            }
        }
    }
    assert!(crossed > 60_000, "{crossed}");
    differences.assert_below(1e-12);
}

#[test]
fn fifty_customers_do_not_run_away_from_a_weak_prior() {
    let sample = sample();
    let mut chance = Chance(50);
    for _ in 0..30 {
        let fifty: Vec<Observation> = (0..50)
            .map(|_| sample[usize::try_from(chance.below(2357)).unwrap()])
            .collect();
        for family in FAMILIES {
            let found = fit(family, &fifty, Prior::Weak).unwrap();
            let mean = as_array(prior_mean(&fifty));
            // Logarithms beyond 4 are what is called so of fits without a prior, a third of which do.
            for (parameter, mean) in as_array(found.parameters).into_iter().zip(mean) {
                assert!(parameter.ln().abs() < 4.0, "{found:?}");
                assert!((parameter / mean).ln().abs() < 4.0, "{found:?}");
            }
        }
    }
}

#[test]
fn a_fit_without_a_prior_converges_or_says_that_it_did_not() {
    let sample = sample();
    let mut chance = Chance(51);
    let mut converged = 0;
    for case in 0..60 {
        let some: Vec<Observation> = (0..50)
            .map(|_| sample[usize::try_from(chance.below(2357)).unwrap()])
            .collect();
        if let Ok(found) = fit(FAMILIES[case % 2], &some, Prior::None) {
            let Fit { gradient_max, .. } = found;
            assert!(gradient_max < 1e-6, "{found:?}");
            assert!(found.log_likelihood.is_finite(), "{found:?}");
            converged += 1;
        }
    }
    eprintln!("{converged} of 60 converged");
    assert!(converged >= 30, "{converged}");
}
