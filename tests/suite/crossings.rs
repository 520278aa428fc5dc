//! By time alone a customer leaves a segment when the reference says and when a scan of every day sees it.
//!
//! `SEGSTREAM_TEST_MODELS=10000` is the default; `SEGSTREAM_TEST_SEED=n` replays one random model.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use rand::Rng;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256Plus;
use segstream::model::artifact::Transform;
use segstream::model::kmeans::crossing::Borders;
use segstream::model::kmeans::crossing::next_crossing;
use segstream::model::path::Coordinate;
use segstream::model::path::Crossing;
use serde::Deserialize;

const MILLISECOND_DAYS: f64 = 1.0 / 86_400_000.0;
const SCAN_DAYS: u32 = 3000;

/// The file says where its figures are from.
#[derive(Deserialize)]
struct Reference {
    models: Vec<ReferenceModel>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct ReferenceModel {
    id: String,
    mean: Vec<f64>,
    std: Vec<f64>,
    centroids: Vec<Vec<f64>>,
    growth: Vec<f64>,
    log1p: Vec<bool>,
    cap: Vec<Option<f64>>,
}

#[derive(Deserialize)]
struct Case {
    id: u32,
    kind: String,
    model: String,
    x0: Vec<f64>,
    assigned: usize,
    margin_sq: f64,
    margin_geo: f64,
    expected: Option<Expected>,
    trajectory: Vec<(f64, usize)>,
}

#[derive(Deserialize)]
struct Expected {
    days: f64,
    segment: usize,
}

/// At most so many successive changes are listed.
const TRAJECTORY_MAX: usize = 10;

/// Squared distance and margin less the own squared distance, by segment, at some moment.
struct Gaps {
    gaps: Vec<f64>,
    /// Gaps are differences of squared distances: what is below this is rounding.
    visible: f64,
}

impl Gaps {
    fn lowest(&self) -> f64 {
        self.gaps.iter().copied().fold(f64::INFINITY, f64::min)
    }
}

/// A path among segments.
#[derive(Clone, Debug)]
struct Journey {
    path: Vec<Coordinate>,
    centroids: Vec<Vec<f64>>,
    margin_squared: f64,
    margin_distance: f64,
    own: usize,
}

fn squared_distance(left: &[f64], right: &[f64]) -> f64 {
    let pairs = left.iter().zip(right);
    pairs.map(|(left, right)| (left - right).powi(2)).sum()
}

impl Journey {
    fn margins(&self) -> Vec<f64> {
        let own = &self.centroids[self.own];
        let apart = self
            .centroids
            .iter()
            .map(|row| squared_distance(row, own).sqrt());
        apart
            .map(|apart| self.margin_squared + 2.0 * self.margin_distance * apart)
            .collect()
    }

    fn next(&self, until_days: f64) -> Option<Crossing> {
        let borders = Borders {
            centroids: &self.centroids.concat(),
            margins: &self.margins(),
            own: self.own,
        };
        next_crossing(&self.path, borders, until_days)
    }

    /// The same customer later, in another segment.
    fn after(&self, crossing: Crossing) -> Self {
        let mut later = self.clone();
        later.own = crossing.segment;
        for coordinate in &mut later.path {
            coordinate.raw += coordinate.growth_per_day * crossing.days;
        }
        later
    }

    /// The gaps from their definition.
    fn gaps(&self, margins: &[f64], days: f64) -> Gaps {
        let scaled: Vec<f64> = self
            .path
            .iter()
            .map(|coordinate| {
                let raw = coordinate.raw + coordinate.growth_per_day * days;
                let transformed = coordinate.transform.apply(raw.min(coordinate.cap));
                (transformed - coordinate.mean) / coordinate.standard_deviation
            })
            .collect();
        let own = squared_distance(&scaled, &self.centroids[self.own]);
        let mut greatest = own;
        let rows = self.centroids.iter().zip(margins).enumerate();
        let gaps = rows.map(|(segment, (row, margin))| {
            if segment == self.own {
                return f64::INFINITY;
            }
            let distance = squared_distance(&scaled, row);
            greatest = greatest.max(distance);
            distance + margin - own
        });
        Gaps {
            gaps: gaps.collect(),
            visible: 1e-10 + 1e-14 * greatest,
        }
    }
}

fn journey(case: &Case, model: &ReferenceModel) -> Journey {
    let path = (0..case.x0.len()).map(|place| Coordinate {
        raw: case.x0[place],
        growth_per_day: model.growth[place],
        cap: model.cap[place].unwrap_or(f64::INFINITY),
        transform: if model.log1p[place] {
            Transform::Log1p
        } else {
            Transform::Identity
        },
        mean: model.mean[place],
        standard_deviation: model.std[place],
    });
    Journey {
        path: path.collect(),
        centroids: model.centroids.clone(),
        margin_squared: case.margin_sq,
        margin_distance: case.margin_geo,
        own: case.assigned,
    }
}

/// Asserts every case and its trajectory, and returns the cases by kind. The tolerance is the reference's own,
/// 1e-6 (1 + days).
fn follow(text: &str) -> BTreeMap<String, usize> {
    let reference: Reference = serde_json::from_str(text).unwrap();
    let mut kinds = BTreeMap::new();
    let mut worst: f64 = 0.0;
    for case in &reference.cases {
        *kinds.entry(case.kind.clone()).or_default() += 1;
        let model = reference.models.iter().find(|model| model.id == case.model);
        let mut journey = journey(case, model.unwrap());
        let expected = case.expected.as_ref().map(|next| (next.days, next.segment));
        assert_eq!(expected, case.trajectory.first().copied());
        let mut days = 0.0;
        for (step, (expected_days, expected_segment)) in case.trajectory.iter().enumerate() {
            let context = format!("case {} ({}), change {}", case.id, case.kind, step + 1);
            let found = journey.next(f64::INFINITY);
            let found = found.unwrap_or_else(|| panic!("{context}: never"));
            days += found.days;
            let error = (days - expected_days).abs() / (1.0 + expected_days);
            assert!(error <= 1e-6, "{context}: {days}, not {expected_days}");
            assert_eq!(found.segment, *expected_segment, "{context}");
            worst = worst.max(error);
            journey = journey.after(found);
        }
        if case.trajectory.len() < TRAJECTORY_MAX {
            let further = journey.next(f64::INFINITY);
            assert_eq!(
                further, None,
                "case {} ({}), at the end",
                case.id, case.kind
            );
        }
    }
    println!(
        "{} cases, worst error {worst:e} of 1 + days",
        reference.cases.len()
    );
    kinds
}

#[test]
fn a_case_of_each_kind_changes_when_the_reference_says_and_so_do_the_changes_after_it() {
    let kinds = follow(include_str!("../fixtures/kmeans_crossings.json"));
    assert_eq!(
        kinds.len(),
        19,
        "the kinds of the whole reference: {kinds:?}"
    );
}

/// The whole reference lies beside the repository's data, where there is any.
#[test]
fn all_200_cases_of_the_reference_change_when_it_says_and_so_do_the_changes_after_them() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/reference");
    let path = beside.join("kmeans_crossings.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("skipped: {} is not there", path.display());
        return;
    };
    assert_eq!(follow(&text).values().sum::<usize>(), 200);
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs a property on each seed, or on the given one.
fn on_seeds(test: &str, models: u64, property: impl Fn(u64, &mut Xoshiro256Plus)) {
    let seeds: Range<u64> = match number("SEGSTREAM_TEST_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SEGSTREAM_TEST_MODELS").unwrap_or(models),
    };
    for seed in seeds {
        let mut random = Xoshiro256Plus::seed_from_u64(seed);
        let replay = std::panic::AssertUnwindSafe(|| property(seed, &mut random));
        if let Err(panic) = std::panic::catch_unwind(replay) {
            eprintln!(
                "replay: SEGSTREAM_TEST_SEED={seed} cargo test --test suite crossings {test}"
            );
            std::panic::resume_unwind(panic);
        }
    }
}

/// What may be in the path of a random journey.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Linear,
    Caps,
    Logarithm,
    Logarithms,
    LogarithmsWithCaps,
}

const KINDS: [Kind; 5] = [
    Kind::Linear,
    Kind::Caps,
    Kind::Logarithm,
    Kind::Logarithms,
    Kind::LogarithmsWithCaps,
];

fn random_coordinate(
    random: &mut Xoshiro256Plus,
    transform: Transform,
    may_cap: bool,
) -> Coordinate {
    let summary = random.gen_range(-2.0..2.0);
    let (mean, standard_deviation, raw) = match transform {
        Transform::Identity => {
            let standard_deviation = 10_f64.powf(random.gen_range(0.0..2.5));
            let mean = standard_deviation * random.gen_range(-1.0..2.0);
            (
                mean,
                standard_deviation,
                mean + standard_deviation * summary,
            )
        }
        Transform::Log1p => {
            let (mean, deviation) = (random.gen_range(1.0..6.0), random.gen_range(0.3..1.5));
            let raw: f64 = mean + deviation * summary;
            let raw = raw.max(0.0).exp_m1();
            (
                mean,
                deviation,
                raw * f64::from(random.gen_range(0..4_u8).min(1)),
            )
        }
    };
    let growth_per_day = match random.gen_range(0..5) {
        0 | 1 => 1.0,
        2 => 1.0 / 365.2425,
        3 => 10_f64.powf(random.gen_range(-3.0..1.0)),
        _ => 0.0,
    };
    let cap = match random.gen_range(0..5) {
        _ if !may_cap => f64::INFINITY,
        0 => raw - random.gen_range(0.0..10.0),
        1 => f64::INFINITY,
        _ => raw + growth_per_day * random.gen_range(0.0..1500.0),
    };
    let starts_below_zero = transform == Transform::Log1p && random.gen_bool(0.1);
    Coordinate {
        raw: if starts_below_zero {
            -growth_per_day * random.gen_range(0.0..500.0)
        } else {
            raw
        },
        growth_per_day,
        cap,
        transform,
        mean,
        standard_deviation,
    }
}

fn random_journey(random: &mut Xoshiro256Plus, kind: Kind) -> Journey {
    let (dimensions, k) = (random.gen_range(1..=6), random.gen_range(2..=8));
    let path: Vec<Coordinate> = (0..dimensions)
        .map(|place| {
            let (is_logarithm, may_cap) = match kind {
                Kind::Linear => (false, false),
                Kind::Caps => (false, true),
                Kind::Logarithm => (place == 0, false),
                Kind::Logarithms => (random.gen_bool(0.7), false),
                Kind::LogarithmsWithCaps => (random.gen_bool(0.7), true),
            };
            let transform = if is_logarithm {
                Transform::Log1p
            } else {
                Transform::Identity
            };
            random_coordinate(random, transform, may_cap)
        })
        .collect();
    let mut centroids: Vec<Vec<f64>> = Vec::new();
    for _ in 0..k {
        let drawn = (0..dimensions).map(|_| random.gen_range(-2.0..2.0));
        let mut row: Vec<f64> = drawn.collect();
        if let Some(before) = centroids.last() {
            // Segments that agree in a coordinate, or in all.
            let chance = [0.0, 0.2, 1.0][random.gen_range(0..20_usize).saturating_sub(17)];
            for (value, before) in row.iter_mut().zip(before) {
                *value = if random.gen_bool(chance) {
                    *before
                } else {
                    *value
                };
            }
        }
        centroids.push(row);
    }
    let mut journey = Journey {
        path,
        centroids,
        margin_squared: [0.0, 0.1][random.gen_range(0..2)] * random.gen_range(0.0..3.0),
        margin_distance: [0.0, 0.05][random.gen_range(0..2)] * random.gen_range(0.0..3.0),
        own: random.gen_range(0..k),
    };
    // Most customers begin where the rule puts them, some past the border.
    if random.gen_bool(0.9) {
        while let Some(other) = nearer(&journey) {
            journey.own = other;
        }
    }
    journey
}

/// A segment whose gap is below zero at the start.
fn nearer(journey: &Journey) -> Option<usize> {
    let Gaps { gaps, .. } = journey.gaps(&journey.margins(), 0.0);
    let segment = (0..gaps.len()).min_by(|left, right| gaps[*left].total_cmp(&gaps[*right]))?;
    (gaps[segment] < 0.0).then_some(segment)
}

#[derive(Debug, Default)]
struct Tally {
    checked: u32,
    never: u32,
    brief: u32,
    shallow: u32,
}

/// The scan and the search agree on the day, and the evaluation just after the instant on the segment.
fn check_against_scan(journey: &Journey, tally: &mut Tally) -> Option<Crossing> {
    let margins = journey.margins();
    let at = |days: f64| journey.gaps(&margins, days);
    let seen = (0..=SCAN_DAYS).find(|day| {
        let gaps = at(f64::from(*day));
        gaps.lowest() < -gaps.visible
    });
    let found = journey.next(f64::from(SCAN_DAYS));
    tally.checked += 1;
    let Some(crossing) = found else {
        tally.never += 1;
        assert_eq!(seen, None, "only the scan sees a change");
        return None;
    };
    let just_after = at(crossing.days + MILLISECOND_DAYS);
    let gap = just_after.gaps[crossing.segment];
    let highest = just_after.lowest().min(0.0) + just_after.visible;
    assert!(
        gap <= highest,
        "{crossing:?}: {gap} just after, not {highest}"
    );
    if crossing.days > 0.0 {
        let then = at(crossing.days);
        let (least, visible) = (then.lowest(), then.visible);
        assert!(
            least.abs() <= visible,
            "{crossing:?}: a gap of {least} then"
        );
    }
    let first_day = crossing.days.ceil();
    let seen = seen.map_or(f64::INFINITY, f64::from);
    assert!(seen >= first_day, "{crossing:?}, the scan sees day {seen}");
    if seen > first_day {
        // For a gap that is hardly below zero by then, or that has been and returned.
        let on_the_day = at(first_day);
        let moments = (1..1000).map(|part| {
            at(crossing.days + (first_day - crossing.days) * f64::from(part) / 1000.0).lowest()
        });
        if on_the_day.lowest() < on_the_day.visible {
            tally.shallow += 1;
        } else if moments.fold(f64::INFINITY, f64::min) < 0.0 {
            tally.brief += 1;
        } else {
            panic!("{crossing:?}, the scan sees day {seen}");
        }
    }
    found
}

#[test]
fn the_first_change_is_on_the_day_a_daily_scan_sees_it_and_to_the_segment_of_the_next_millisecond()
{
    let tally = std::cell::RefCell::new(BTreeMap::<Kind, Tally>::new());
    on_seeds("daily_scan", 10_000, |seed, random| {
        let kind = KINDS[(seed % 5) as usize];
        let journey = random_journey(random, kind);
        let mut tally = tally.borrow_mut();
        let tally = tally.entry(kind).or_default();
        if let Some(crossing) = check_against_scan(&journey, tally) {
            let again = journey.next(crossing.days + MILLISECOND_DAYS).unwrap();
            assert_eq!(again.segment, crossing.segment);
            let later = check_against_scan(&journey.after(crossing), tally);
            let is_back = later
                .is_some_and(|later| later.segment == journey.own && later.days < MILLISECOND_DAYS);
            assert!(!is_back, "{crossing:?}, and straight back");
        }
    });
    println!("{:#?}", tally.into_inner());
}

/// Finds where a gap to one of two segments is lowest, if that is neither at the start nor at the end.
fn lowest_inside(journey: &Journey, other: usize) -> Option<(f64, f64)> {
    let gap = |days: f64| journey.gaps(&[0.0, 0.0], days).gaps[other];
    let gaps = (0..=SCAN_DAYS).map(|day| (f64::from(day), gap(f64::from(day))));
    let (day, _) = gaps.min_by(|left, right| left.1.total_cmp(&right.1))?;
    let (mut low, mut high) = (day - 1.0, day + 1.0);
    if low < 0.0 || high > f64::from(SCAN_DAYS) {
        return None;
    }
    for _ in 0..100 {
        let third = (high - low) / 3.0;
        if gap(low + third) < gap(high - third) {
            high -= third;
        } else {
            low += third;
        }
    }
    Some((low, gap(low)))
}

#[test]
fn a_dip_below_a_border_is_found_however_shallow_and_a_near_touch_is_no_crossing() {
    let tried = std::cell::Cell::new(0);
    on_seeds("near_touch", 3000, |_, random| {
        let mut journey = random_journey(random, Kind::Logarithms);
        journey.centroids.truncate(2);
        journey.own = 0;
        // Without corners the lowest point is the only one around.
        for coordinate in &mut journey.path {
            coordinate.raw = coordinate.raw.max(0.0);
        }
        let Some((lowest_days, least)) = lowest_inside(&journey, 1) else {
            return;
        };
        let visible = journey.gaps(&[0.0, 0.0], lowest_days).visible;
        let depth = visible * 10_f64.powf(random.gen_range(0.5..5.0));
        if journey.gaps(&[0.0, 0.0], 0.0).gaps[1] - least < 2.0 * depth {
            return;
        }
        tried.set(tried.get() + 1);
        let centroids = journey.centroids.concat();
        let next = |margin: f64| {
            let borders = Borders {
                centroids: &centroids,
                margins: &[0.0, margin],
                own: 0,
            };
            next_crossing(&journey.path, borders, f64::from(SCAN_DAYS))
        };
        // The margin moves the whole gap up or down, so that its lowest point is where it is wanted.
        assert_eq!(next(depth - least), None, "{depth} above the border");
        let found = next(-depth - least).expect("a dip");
        let margins = [0.0, -depth - least];
        let at_crossing = journey.gaps(&margins, found.days).gaps[1];
        assert!(at_crossing.abs() <= visible, "{found:?}: {at_crossing}");
        let inside = 0.5 * (found.days + lowest_days);
        assert!(found.days <= lowest_days && journey.gaps(&margins, inside).gaps[1] < 0.0);
    });
    println!("{} dips", tried.get());
    let chosen = number("SEGSTREAM_TEST_SEED").or(number("SEGSTREAM_TEST_MODELS"));
    assert!(chosen.is_some() || tried.get() > 100, "too few");
}

/// A journey whose gaps are exact in f64 and linear between quarters of a day.
fn lattice_journey(random: &mut Xoshiro256Plus, may_cap: bool) -> Journey {
    let (dimensions, k) = (random.gen_range(1..=3), random.gen_range(2..=6));
    let halves = |random: &mut Xoshiro256Plus| f64::from(random.gen_range(-6..=6)) / 2.0;
    let path = (0..dimensions).map(|_| {
        let raw = halves(random);
        let ahead = f64::from(random.gen_range(-1..=8)) / 2.0;
        let is_capped = may_cap && random.gen_bool(0.6);
        Coordinate {
            raw,
            growth_per_day: [0.0, 0.5, 1.0, 2.0][random.gen_range(0..4)],
            cap: if is_capped {
                raw + ahead
            } else {
                f64::INFINITY
            },
            transform: Transform::Identity,
            mean: 0.0,
            standard_deviation: 1.0,
        }
    });
    let path = path.collect();
    let mut row = || {
        (0..dimensions)
            .map(|_| f64::from(random.gen_range(-3..=3)))
            .collect()
    };
    Journey {
        path,
        centroids: (0..k).map(|_| row()).collect(),
        margin_squared: 0.0,
        margin_distance: 0.0,
        own: 0,
    }
}

/// The first crossing of a lattice journey: the first quarter of a day at whose end a gap is below zero, and
/// the root of the straight line in it.
fn crossing_on_lattice(journey: &Journey, until_days: u32) -> Option<Crossing> {
    let margins = journey.margins();
    let at = |quarters: u32| journey.gaps(&margins, f64::from(quarters) / 4.0).gaps;
    let mut before = at(0);
    for quarters in 0..4 * until_days {
        let after = at(quarters + 1);
        let is_past = before.iter().any(|gap| *gap < 0.0);
        let gaps = before.iter().zip(&after).enumerate();
        let leaving = gaps.filter(|(_, (start, end))| **start < 0.0 || !is_past && **end < 0.0);
        let first = leaving.min_by(|(left, (left_start, left_end)), (right, (start, end))| {
            let (left_fall, fall) = (*left_start - *left_end, *start - *end);
            let by_instant = if is_past {
                left_start.total_cmp(start)
            } else {
                // left_start / left_fall against start / fall; the products are exact.
                (*left_start * fall).total_cmp(&(*start * left_fall))
            };
            by_instant
                .then(fall.total_cmp(&left_fall))
                .then(left.cmp(right))
        });
        if let Some((segment, (start, end))) = first {
            let part = if is_past { 0.0 } else { start / (start - end) };
            let days = (f64::from(quarters) + part) / 4.0;
            return Some(Crossing { days, segment });
        }
        before = after;
    }
    None
}

#[test]
fn ties_and_corners_of_exact_paths_end_as_exact_arithmetic_says() {
    on_seeds("exact_paths", 20_000, |_, random| {
        let mut journey = lattice_journey(random, true);
        journey.margin_squared = f64::from(random.gen_range(0..4_u8).saturating_sub(1));
        let expected = crossing_on_lattice(&journey, 60);
        let found = journey.next(60.0);
        let is_equal = match (found, expected) {
            (Some(found), Some(expected)) => {
                let error = (found.days - expected.days).abs();
                error <= 1e-12 * (1.0 + expected.days) && found.segment == expected.segment
            }
            (found, expected) => found == expected,
        };
        assert!(is_equal, "{found:?}, exact {expected:?}");
    });
}

/// docs/TIME_AND_CHURN.md, Crossings: without caps the customer only moves on to segments further along the
/// growth.
#[test]
fn without_caps_and_margins_no_segment_is_entered_twice_even_from_a_border() {
    on_seeds("entered_twice", 20_000, |_, random| {
        let mut journey = lattice_journey(random, false);
        // A third makes instants that no f64 holds.
        journey.path[0].raw += f64::from(random.gen_range(0..3_u8)) / 3.0;
        while let Some(other) = nearer(&journey) {
            journey.own = other;
        }
        let mut entered = vec![journey.own];
        while let Some(crossing) = journey.next(f64::INFINITY) {
            assert!(
                !entered.contains(&crossing.segment),
                "{entered:?}, {crossing:?}"
            );
            entered.push(crossing.segment);
            journey = journey.after(crossing);
        }
    });
}

/// A coordinate that needs no scaling and grows by 1 a day.
fn plain(raw: f64, transform: Transform) -> Coordinate {
    Coordinate {
        raw,
        growth_per_day: 1.0,
        cap: f64::INFINITY,
        transform,
        mean: 0.0,
        standard_deviation: 1.0,
    }
}

/// On one axis, from segment 0.
fn on_axis(coordinate: Coordinate, centroids: &[f64], until_days: f64) -> Option<Crossing> {
    let borders = Borders {
        centroids,
        margins: &vec![0.0; centroids.len()],
        own: 0,
    };
    next_crossing(&[coordinate], borders, until_days)
}

/// By hand: the border between 0 and 2 is at 1 = ln(1 + x), so at x = e - 1, and 0 is 10 days away.
#[test]
fn a_logarithm_of_a_value_below_zero_grows_once_that_is_past_zero() {
    let path = plain(-10.0, Transform::Log1p);
    let found = on_axis(path, &[0.0, 2.0], f64::INFINITY).unwrap();
    let expected = 10.0 + std::f64::consts::E - 1.0;
    assert!((found.days - expected).abs() < 1e-12, "{found:?}");
    let capped = Coordinate { cap: 0.0, ..path };
    assert_eq!(on_axis(capped, &[0.0, 2.0], f64::INFINITY), None);
}

/// By hand: from 0 by 1 a day, the border between 0 and 4 is reached after 2 days.
#[test]
fn the_last_instant_of_a_search_counts() {
    let path = plain(0.0, Transform::Identity);
    let reached = Crossing {
        days: 2.0,
        segment: 1,
    };
    assert_eq!(on_axis(path, &[0.0, 4.0], 2.0), Some(reached));
    assert_eq!(on_axis(path, &[0.0, 4.0], 1.999_999), None);
    assert_eq!(on_axis(path, &[0.0, 4.0], -1.0), None);
    assert_eq!(on_axis(path, &[0.0, 4.0], f64::NAN), None);
}

/// By hand: at 5 the squared distances to 0, 8 and 4 are 25, 9 and 1.
#[test]
fn a_customer_past_several_borders_goes_to_the_nearest_segment_as_an_assignment_would() {
    let path = plain(5.0, Transform::Identity);
    let found = on_axis(path, &[0.0, 8.0, 4.0], 1.0);
    let nearest = Crossing {
        days: 0.0,
        segment: 2,
    };
    assert_eq!(found, Some(nearest));
}

#[test]
fn a_path_that_shrinks_stays_and_one_without_a_segment_or_a_coordinate_has_none_to_leave() {
    let path = plain(0.0, Transform::Identity);
    let shrinking = Coordinate {
        growth_per_day: -1.0,
        ..path
    };
    assert_eq!(on_axis(shrinking, &[0.0, -4.0], f64::INFINITY), None);
    let nowhere = Borders {
        centroids: &[0.0, 4.0],
        margins: &[0.0, 0.0],
        own: 2,
    };
    assert_eq!(next_crossing(&[path], nowhere, f64::INFINITY), None);
    assert_eq!(next_crossing(&[], nowhere, f64::INFINITY), None);
}

/// What is added stands still, is the same for all or is out of reach: nothing may change but the sizes.
#[test]
fn coordinates_that_stand_still_and_segments_out_of_reach_change_nothing() {
    on_seeds("stand_still", 500, |seed, random| {
        let journey = random_journey(random, KINDS[(seed % 5) as usize]);
        let found = journey.next(3000.0);
        for size in [9, 64, 65, 200] {
            let mut padded = journey.clone();
            let still = Coordinate {
                growth_per_day: 0.0,
                ..plain(1.5, Transform::Identity)
            };
            padded.path.resize(size, still);
            for row in &mut padded.centroids {
                row.resize(size, 0.5);
            }
            padded.centroids.resize(size, vec![1e6; size]);
            let again = padded.next(3000.0);
            let days = again.map(|crossing| crossing.days);
            let error = (days.unwrap_or(0.0) - found.map_or(0.0, |found| found.days)).abs();
            assert!(error < 1e-6, "{again:?}, not {found:?}");
            let segment = |crossing: Option<Crossing>| crossing.map(|crossing| crossing.segment);
            assert_eq!(segment(again), segment(found), "{size} coordinates");
        }
    });
}
