//! The two data sets, standard-scaled.

use std::fs::File;
use std::io::BufWriter;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use ndarray::Array2;
use ndarray::Axis;
use rand::Rng;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256Plus;

const DIMENSIONS: usize = 6;
const BLOBS: usize = 6;
const BLOBS_SEED: u64 = 7;
/// With these the blobs overlap: most centres are two to five standard deviations apart.
const CENTRE_MAX: f64 = 2.0;
const SPREAD_MIN: f64 = 0.75;
const SPREAD_MAX: f64 = 1.5;
/// What is left of 2,240: 24 have no income, 3 people would be over a hundred, 1 income is a placeholder.
const MARKETING_ROWS: usize = 2212;
const YEAR: f64 = 2014.0;
const BIRTH_YEAR_MIN: f64 = 1940.0;
const INCOME_PLACEHOLDER: f64 = 666_666.0;
const SPENT: [&str; 6] = [
    "MntWines",
    "MntFruits",
    "MntMeatProducts",
    "MntFishProducts",
    "MntSweetProducts",
    "MntGoldProds",
];

pub fn marketing() -> Result<Array2<f64>, String> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let folder = std::env::var_os("SEGSTREAM_DATA").map_or(beside, PathBuf::from);
    let path = folder.join("marketing_campaign.csv");
    let mut reader = csv::Reader::from_path(&path)
        .map_err(|error| format!("{}: {error} (set SEGSTREAM_DATA)", path.display()))?;
    let columns = reader.headers().unwrap().clone();
    let mut values = Vec::new();
    for record in reader.records() {
        let record = record.unwrap();
        let value = |name: &str| {
            let place = columns.iter().position(|column| column == name).unwrap();
            record[place].parse::<f64>().ok()
        };
        values.extend(marketing_row(value).into_iter().flatten());
    }
    let rows = values.len() / DIMENSIONS;
    assert_eq!(rows, MARKETING_ROWS, "the rows of the reference");
    Ok(scaled(
        Array2::from_shape_vec((rows, DIMENSIONS), values).unwrap(),
    ))
}

/// `None`: the row is dropped.
fn marketing_row(value: impl Fn(&str) -> Option<f64>) -> Option<[f64; DIMENSIONS]> {
    let income = value("Income")?;
    let must = |name: &str| value(name).expect(name);
    let birth_year = must("Year_Birth");
    if birth_year < BIRTH_YEAR_MIN || income >= INCOME_PLACEHOLDER {
        return None;
    }
    Some([
        YEAR - birth_year,
        income,
        SPENT.iter().map(|name| must(name)).sum(),
        must("NumWebPurchases"),
        must("NumStorePurchases"),
        must("Recency"),
    ])
}

/// Gaussian blobs of about as many rows each.
pub fn blobs(rows: usize) -> Array2<f64> {
    let mut random = Xoshiro256Plus::seed_from_u64(BLOBS_SEED);
    let blobs: Vec<([f64; DIMENSIONS], f64)> = (0..BLOBS)
        .map(|_| {
            let centre = [(); DIMENSIONS].map(|()| random.gen_range(-CENTRE_MAX..CENTRE_MAX));
            (centre, random.gen_range(SPREAD_MIN..SPREAD_MAX))
        })
        .collect();
    let mut values = Vec::with_capacity(rows * DIMENSIONS);
    for _ in 0..rows {
        let (centre, spread) = &blobs[random.gen_range(0..BLOBS)];
        for pair in centre.chunks_exact(2) {
            let normals = two_normals(&mut random);
            values.extend(
                pair.iter()
                    .zip(normals)
                    .map(|(x, normal)| x + spread * normal),
            );
        }
    }
    scaled(Array2::from_shape_vec((rows, DIMENSIONS), values).unwrap())
}

/// By Box and Muller, "A Note on the Generation of Random Normal Deviates" (1958).
fn two_normals(random: &mut Xoshiro256Plus) -> [f64; 2] {
    // Above 0, as its logarithm is taken.
    let uniform: f64 = 1.0 - random.gen_range(0.0..1.0);
    let angle = random.gen_range(0.0..std::f64::consts::TAU);
    let radius = (-2.0 * uniform.ln()).sqrt();
    [radius * angle.cos(), radius * angle.sin()]
}

/// Each column with mean 0 and population standard deviation 1.
fn scaled(mut rows: Array2<f64>) -> Array2<f64> {
    for mut column in rows.axis_iter_mut(Axis(1)) {
        let mean = column.mean().unwrap();
        column -= mean;
        let deviation = column.mapv(|x| x * x).mean().unwrap().sqrt();
        column /= deviation;
    }
    rows
}

/// Row after row as little-endian doubles.
pub fn write(rows: &Array2<f64>, path: &Path) {
    let mut file = BufWriter::new(File::create(path).unwrap());
    for value in rows {
        file.write_all(&value.to_le_bytes()).unwrap();
    }
    file.flush().unwrap();
}
