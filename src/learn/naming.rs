//! Names of segments by rule: deterministic, unique, for any number of segments.
//! models/README.md, Names and descriptions.

use std::collections::BTreeMap;

use crate::learn::scaler::count;

const SCALED_MAX: f64 = 2.5;
/// Share of the customers below which a cluster is a group of outliers.
const OUTLIER_SHARE: f64 = 0.005;

/// The input of the rule.
#[derive(Clone, Copy, Debug)]
pub struct Clusters<'a> {
    /// Names of the features.
    pub features: &'a [&'a str],
    /// Scaled centroids, k rows.
    pub centroids: &'a [Vec<f64>],
    /// Customers of each.
    pub sizes: &'a [usize],
}

impl Clusters<'_> {
    fn scaled(&self, cluster: usize, feature: &str) -> Option<f64> {
        let place = self.features.iter().position(|name| *name == feature)?;
        let value = self.centroids.get(cluster)?.get(place)?;
        Some(value.clamp(-SCALED_MAX, SCALED_MAX))
    }
}

/// One name a cluster, no two the same.
#[must_use]
pub fn names(clusters: Clusters<'_>) -> Vec<String> {
    let k = clusters.centroids.len();
    if k == 1 {
        return vec!["All customers".to_owned()];
    }
    let base: Vec<String> = (0..k).map(|cluster| base_name(clusters, cluster)).collect();
    let with_channel = refine(&base, |group| channel_suffixes(clusters, group));
    refine(&with_channel, |group| rank_suffixes(clusters, group))
}

fn base_name(clusters: Clusters<'_>, cluster: usize) -> String {
    let total: usize = clusters.sizes.iter().sum();
    let size = clusters.sizes.get(cluster).copied().unwrap_or(0);
    if count(size) < OUTLIER_SHARE * count(total) {
        return "Outlier group".to_owned();
    }
    let words = value_words(clusters, cluster);
    match clusters.scaled(cluster, "age") {
        None => words,
        Some(age) => {
            let age = match age {
                age if age < -0.4 => "young",
                age if age < 0.4 => "mid-age",
                _ => "senior",
            };
            format!("{words}, {age}")
        }
    }
}

fn value_words(clusters: Clusters<'_>, cluster: usize) -> String {
    let known = ["income", "total_spending"].map(|name| clusters.scaled(cluster, name));
    let values: Vec<f64> = known.into_iter().flatten().collect();
    let value = values.iter().sum::<f64>() / count(values.len().max(1));
    let recency = clusters
        .scaled(cluster, "recency_days")
        .or_else(|| clusters.scaled(cluster, "recency"))
        .unwrap_or(0.0);
    let (tier, words) = match value {
        value if value < -0.4 => ("Low-value", ["recent", "inactive", "dormant"]),
        value if value < 0.6 => ("Mid-value", ["active", "steady", "lapsing"]),
        value if value < 1.0 => ("Premium", ["recent", "loyal", "lapsing"]),
        _ => ("Affluent", ["engaged", "active", "lapsing"]),
    };
    let [recent, middle, late] = words;
    let word = match recency {
        recency if recency < -0.4 => recent,
        recency if recency < 0.4 => middle,
        _ => late,
    };
    format!("{tier} {word}")
}

/// Appends the result of `suffixes` to the names of each group of equal names.
fn refine(names: &[String], suffixes: impl Fn(&[usize]) -> Option<Vec<String>>) -> Vec<String> {
    let mut groups: BTreeMap<&String, Vec<usize>> = BTreeMap::new();
    for (cluster, name) in names.iter().enumerate() {
        groups.entry(name).or_default().push(cluster);
    }
    let mut refined = names.to_vec();
    for group in groups.values().filter(|group| group.len() > 1) {
        let Some(suffixes) = suffixes(group) else {
            continue;
        };
        for (cluster, suffix) in group.iter().zip(suffixes) {
            if let Some(name) = refined.get_mut(*cluster) {
                name.push_str(&suffix);
            }
        }
    }
    refined
}

fn channel_suffixes(clusters: Clusters<'_>, group: &[usize]) -> Option<Vec<String>> {
    let word = |cluster: &usize| {
        let web = clusters.scaled(*cluster, "web_purchases")?;
        let store = clusters.scaled(*cluster, "store_purchases")?;
        let mean = f64::midpoint(web, store);
        Some(match web - store {
            gap if gap >= 0.4 => "web-leaning",
            gap if gap <= -0.4 => "store-leaning",
            _ if mean >= 0.4 => "omnichannel",
            _ if mean < -0.4 => "low-activity",
            _ => "balanced",
        })
    };
    let words: Vec<&str> = group.iter().map(word).collect::<Option<_>>()?;
    let differ = words.iter().any(|word| Some(word) != words.first());
    differ.then(|| words.iter().map(|word| format!(", {word}")).collect())
}

fn rank_suffixes(clusters: Clusters<'_>, group: &[usize]) -> Option<Vec<String>> {
    let vector = |cluster: usize| -> Vec<f64> {
        clusters
            .features
            .iter()
            .filter_map(|name| clusters.scaled(cluster, name))
            .collect()
    };
    let mut widest: Option<(f64, &str)> = None;
    for name in clusters.features {
        let values: Vec<f64> = group
            .iter()
            .filter_map(|cluster| clusters.scaled(*cluster, name))
            .collect();
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        if widest.is_none_or(|(spread, _)| high - low > spread) {
            widest = Some((high - low, name));
        }
    }
    let (spread, feature) = widest?;
    let mut order = group.to_vec();
    order.sort_by(|left, right| {
        let by_feature = |cluster: &usize| clusters.scaled(*cluster, feature).unwrap_or(0.0);
        let by_vector = || {
            let pairs = vector(*left).into_iter().zip(vector(*right));
            pairs
                .map(|(left, right)| left.total_cmp(&right))
                .find(|order| order.is_ne())
        };
        by_feature(left)
            .total_cmp(&by_feature(right))
            .then_with(|| by_vector().unwrap_or(std::cmp::Ordering::Equal))
            .then(left.cmp(right))
    });
    let label = feature.replace('_', " ");
    let suffix = |cluster: &usize| {
        let rank = order.iter().position(|other| other == cluster).unwrap_or(0);
        match (order.len(), rank) {
            (2, 0) if spread > 0.0 => format!(" (lower {label})"),
            (2, _) if spread > 0.0 => format!(" (higher {label})"),
            (members, rank) => format!(" ({label} rank {} of {members})", rank + 1),
        }
    };
    Some(group.iter().map(suffix).collect())
}

/// A stable id from a name: lower-case letters, digits and hyphens.
#[must_use]
pub fn slug(name: &str) -> String {
    let mut slug = String::with_capacity(name.len());
    for character in name.chars() {
        if character.is_ascii_alphanumeric() {
            slug.push(character.to_ascii_lowercase());
        } else if !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.trim_matches('-').to_owned()
}
