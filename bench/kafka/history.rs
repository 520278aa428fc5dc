//! The model and the settings of the loads whose customers have a history.

use std::path::Path;

use segstream::model::artifact::Artifact;

const SHIPPED: &str = "models/retail-6.json";
/// The three windows of the full job, in the order of the model's features.
const WINDOWS_DAYS: [(&str, u32); 3] = [
    ("total_spending", 730),
    ("web_purchases", 365),
    ("store_purchases", 30),
];

/// Sums since ever and no churn: what the same job does elsewhere.
pub fn plain(folder: &Path) -> Vec<String> {
    let model = with_windows(|_| None);
    let path = write(folder, "plain.json", &model);
    vec![path, "churn.method=off".to_owned()]
}

/// Windows of 30, 365 and 730 days, churn, and 60 days of refunds.
pub fn full(folder: &Path) -> Vec<String> {
    let model = with_windows(|feature| {
        let windowed = WINDOWS_DAYS.iter().find(|(name, _)| *name == feature);
        windowed.map(|(_, days)| *days)
    });
    let path = write(folder, "full.json", &model);
    vec![
        path,
        "state.ledger_days=800".to_owned(),
        "state.refund_days=60".to_owned(),
    ]
}

fn with_windows(window_days: impl Fn(&str) -> Option<u32>) -> Artifact {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(SHIPPED);
    let mut model: Artifact = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    for feature in &mut model.features {
        feature.window_days = window_days(&feature.name);
    }
    model.fingerprint = model.compute_fingerprint().unwrap();
    model
}

fn write(folder: &Path, name: &str, model: &Artifact) -> String {
    let path = folder.join(name);
    std::fs::write(&path, serde_json::to_vec(model).unwrap()).unwrap();
    format!("model.path={}", path.display())
}
