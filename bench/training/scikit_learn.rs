//! scikit-learn in a child process that keeps the data in memory and times its own fits.

use std::fmt;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Lines;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::ChildStdin;
use std::process::ChildStdout;
use std::process::Command;
use std::process::Stdio;

use ndarray::Array2;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::Fitted;
use crate::data;

/// The exit code of the script where a package is not installed.
const IS_MISSING: i32 = 3;
const HOW_TO_GET_IT: &str = "scikit-learn is missing; get it, in the root of the repository, by\n  \
    python3 -m venv target/scikit-learn && \
    target/scikit-learn/bin/pip install scikit-learn==1.9.1";

/// What the script says first.
#[derive(Debug, Deserialize)]
pub struct Hello {
    python: String,
    numpy: String,
    scikit_learn: String,
    threads: usize,
    rows: usize,
}

impl fmt::Display for Hello {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "scikit-learn {}, numpy {}, Python {}; threads of scikit-learn: {}",
            self.scikit_learn, self.numpy, self.python, self.threads
        )
    }
}

#[derive(Debug, Deserialize)]
struct Answer {
    seconds: f64,
    inertia: f64,
}

pub struct ScikitLearn {
    child: Child,
    commands: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    pub hello: Hello,
}

impl ScikitLearn {
    /// Returns when the child has the rows in memory.
    pub fn start(rows: &Array2<f64>, clusters: usize, threads: usize) -> Result<Self, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.f64");
        data::write(rows, &path);
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = interpreter(root);
        let mut child = Command::new(&python)
            .arg(root.join("bench/training/scikit_learn.py"))
            .arg(&path)
            .args([rows.ncols(), clusters].map(|number| number.to_string()))
            // By itself it takes the physical cores alone.
            .env("OMP_NUM_THREADS", threads.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}\n{HOW_TO_GET_IT}", python.display()))?;
        let commands = child.stdin.take().unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
        let Some(hello) = next::<Hello>(&mut answers) else {
            let status = child.wait().unwrap();
            return Err(match status.code() {
                Some(IS_MISSING) => HOW_TO_GET_IT.to_owned(),
                _ => format!("{} did not start: {status}", python.display()),
            });
        };
        assert_eq!(hello.rows, rows.nrows(), "both sides have the same rows");
        Ok(Self {
            child,
            commands,
            answers,
            hello,
        })
    }

    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    pub fn fit(&mut self, starts: usize, seed: u64) -> Fitted {
        let command = serde_json::json!({ "seed": seed, "n_init": starts });
        writeln!(self.commands, "{command}").unwrap();
        let answer: Answer = next(&mut self.answers).expect("scikit-learn answers");
        Fitted {
            seconds: answer.seconds,
            inertia: answer.inertia,
        }
    }

    /// The child ends at the end of its input.
    pub fn finish(self) {
        let Self {
            mut child,
            commands,
            ..
        } = self;
        drop(commands);
        let status = child.wait().unwrap();
        assert!(status.success(), "{status}");
    }
}

fn interpreter(root: &Path) -> PathBuf {
    let own = root.join("target/scikit-learn/bin/python");
    if own.exists() {
        own
    } else {
        PathBuf::from("python3")
    }
}

fn next<T: DeserializeOwned>(answers: &mut Lines<BufReader<ChildStdout>>) -> Option<T> {
    let line = answers.next()?.unwrap();
    Some(serde_json::from_str(&line).unwrap())
}
