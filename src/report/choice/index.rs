//! The names and descriptions of the indices on the page.

use crate::learn::analysis::Candidate;

/// Name and meaning of an index, and its value for a candidate.
pub(super) struct Index {
    pub(super) key: &'static str,
    pub(super) name: &'static str,
    pub(super) meaning: &'static str,
    pub(super) value: fn(&Candidate) -> Option<f64>,
}

pub(super) const INDICES: [Index; 5] = [
    Index {
        key: "elbow",
        name: "Elbow of the inertia",
        meaning: "where more segments add little",
        value: |candidate| Some(candidate.inertia),
    },
    Index {
        key: "silhouette",
        name: "Silhouette",
        meaning: "how much closer customers are to their own segment than to the next; greater is better",
        value: |candidate| candidate.silhouette,
    },
    Index {
        key: "calinski_harabasz",
        name: "Calinski-Harabasz",
        meaning: "spread between segments against spread within; greater is better",
        value: |candidate| candidate.calinski_harabasz,
    },
    Index {
        key: "davies_bouldin",
        name: "Davies-Bouldin",
        meaning: "overlap of the most alike segments; smaller is better",
        value: |candidate| candidate.davies_bouldin,
    },
    Index {
        key: "stability",
        name: "Stability",
        meaning: "agreement of repeated fits on resampled customers; at most 1",
        value: |candidate| candidate.stability,
    },
];
