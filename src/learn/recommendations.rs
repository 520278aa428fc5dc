//! What each index would choose, in numbers and in words.

use std::collections::BTreeMap;

use crate::learn::analysis::Candidate;
use crate::learn::scaler::count;

/// A silhouette below this shows no groups. Kaufman and Rousseeuw (1990).
const SILHOUETTE_WEAK: f64 = 0.25;

/// The range over which the indices are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Fewest segments, at least 1.
    pub k_min: usize,
    /// Most segments.
    pub k_max: usize,
}

/// What each index would choose; an index without a result is absent.
pub(super) fn recommendations(candidates: &[Candidate]) -> BTreeMap<String, usize> {
    let best = |value: fn(&Candidate) -> Option<f64>| {
        let known = candidates
            .iter()
            .filter_map(|one| Some((one.k, value(one)?)));
        let mut best: Option<(usize, f64)> = None;
        for (k, value) in known {
            if best.is_none_or(|(_, greatest)| value > greatest) {
                best = Some((k, value));
            }
        }
        best.map(|(k, _)| k)
    };
    let curve: Vec<(usize, f64)> = candidates.iter().map(|one| (one.k, one.inertia)).collect();
    let each = [
        ("elbow", elbow(&curve)),
        ("silhouette", best(|one| one.silhouette)),
        ("calinski_harabasz", best(|one| one.calinski_harabasz)),
        (
            "davies_bouldin",
            best(|one| one.davies_bouldin.map(|index| -index)),
        ),
        ("stability", best(|one| one.stability)),
    ];
    each.into_iter()
        .filter_map(|(name, k)| Some((name.to_owned(), k?)))
        .collect()
}

/// The elbow of a falling, convex curve of k and inertia: where it lies deepest under the line from its first
/// to its last point, both axes scaled to 1. `None` where it has no bend. It depends on the range. The
/// kneedle of Satopaa et al. (2011) with a sensitivity of 0.
#[must_use]
pub fn elbow(curve: &[(usize, f64)]) -> Option<usize> {
    let (first, last) = (curve.first()?, curve.last()?);
    let width = count(last.0 - first.0);
    let height = first.1 - last.1;
    if curve.len() < 3 || height <= 0.0 {
        return None;
    }
    let mut deepest = (None, f64::EPSILON);
    for (k, inertia) in curve {
        let depth = (first.1 - inertia) / height - count(k - first.0) / width;
        if depth > deepest.1 {
            deepest = (Some(*k), depth);
        }
    }
    deepest.0
}

/// `compared` are the candidates of the range; `candidates` has the chosen one too.
pub(super) fn explain(
    k: usize,
    decided_by: &str,
    compared: &[Candidate],
    candidates: &[Candidate],
    recommendations: &BTreeMap<String, usize>,
) -> String {
    let choice = |(name, k): (&String, &usize)| format!("{} {k}", words(name));
    let others: Vec<String> = recommendations.iter().map(choice).collect();
    let others = if others.is_empty() {
        "no number, as none of them has a result".to_owned()
    } else {
        others.join(", ")
    };
    let were = if k == 1 {
        "segment was"
    } else {
        "segments were"
    };
    let decision = match decided_by {
        "business" => format!("{k} {were} set (--k), not found in the data"),
        "default" => format!("{k} segments are the default of --k, not found in the data"),
        _ if compared.len() < 2 => format!("k = {k} is the only number that was compared"),
        _ => format!("k = {k} has the greatest silhouette"),
    };
    let comparison = match (compared.first(), compared.last()) {
        (Some(first), Some(last)) if first.k < last.k => {
            format!(
                " Over k = {} to {} the indices choose: {others}.",
                first.k, last.k
            )
        }
        _ => String::new(),
    };
    let silhouette = candidates
        .iter()
        .find(|one| one.k == k)
        .and_then(|one| one.silhouette);
    let note = match silhouette {
        Some(silhouette) if silhouette < SILHOUETTE_WEAK => format!(
            " A silhouette of {silhouette:.2} is weak (below {SILHOUETTE_WEAK}): the segments have no clear borders."
        ),
        Some(_) | None => String::new(),
    };
    format!("{decision}.{comparison}{note}")
}

fn words(name: &str) -> &str {
    match name {
        "calinski_harabasz" => "Calinski-Harabasz",
        "davies_bouldin" => "Davies-Bouldin",
        name => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_elbow_depends_on_the_range_and_may_not_be_there() {
        // By hand: from 100 to 0 over 1..5; at 2 the depth is 0.6 - 0.25, at 3 it is 0.8 - 0.5.
        let curve = [(1, 100.0), (2, 40.0), (3, 20.0), (4, 10.0), (5, 0.0)];
        assert_eq!(elbow(&curve), Some(2));
        // From 40 over 2..5: at 3 0.5 - 0.333, at 4 0.75 - 0.667.
        assert_eq!(elbow(&curve[1..]), Some(3));
        let line = [(1, 30.0), (2, 20.0), (3, 10.0)];
        assert_eq!(elbow(&line), None);
        assert_eq!(elbow(&curve[..2]), None);
    }

    #[test]
    fn the_sentences_say_what_was_compared_and_who_chose() {
        let candidate = |k: usize, silhouette: Option<f64>| Candidate {
            k,
            inertia: 10.0,
            silhouette,
            silhouette_standard_error: None,
            calinski_harabasz: None,
            davies_bouldin: None,
            stability: None,
        };
        let (two, three) = (candidate(2, Some(0.6)), candidate(3, Some(0.2)));
        let by_index = BTreeMap::from([("silhouette".to_owned(), 2)]);
        let none = BTreeMap::new();
        for (k, decided_by, compared, chosen, said) in [
            (
                2,
                "silhouette",
                &[two, three][..],
                &by_index,
                "k = 2 has the greatest silhouette. Over k = 2 to 3 the indices choose: silhouette 2.",
            ),
            (
                2,
                "business",
                &[two, three],
                &by_index,
                "2 segments were set (--k), not found in the data. Over k = 2 to 3 the indices choose: silhouette 2.",
            ),
            (
                2,
                "default",
                &[two, three],
                &by_index,
                "2 segments are the default of --k, not found in the data. Over k = 2 to 3 the indices choose: silhouette 2.",
            ),
            (
                3,
                "business",
                &[three],
                &none,
                "3 segments were set (--k), not found in the data. A silhouette of 0.20 is weak (below 0.25): the segments have no clear borders.",
            ),
            (
                2,
                "silhouette",
                &[two],
                &none,
                "k = 2 is the only number that was compared.",
            ),
        ] {
            assert_eq!(explain(k, decided_by, compared, compared, chosen), said);
        }
    }
}
