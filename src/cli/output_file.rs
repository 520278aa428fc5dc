//! The files that a command writes: what cannot be written is refused before the work, the file is whole or not there, and it
//! is never the one that is read.

use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::ErrorKind;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;

use crate::cli::exit::CallError;
use crate::disk;
use crate::disk::Replacement;

/// A file that a flag names.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// The flag.
    pub flag: &'static str,
    /// The path as it was typed.
    pub path: &'a Path,
}

impl<'a> Named<'a> {
    /// The file of a flag.
    #[must_use]
    pub fn new(flag: &'static str, path: &'a Path) -> Self {
        Self { flag, path }
    }
}

/// Refuses an output that cannot be written, or that is one of the inputs.
///
/// # Errors
/// Names the flag, the path and the reason.
pub fn check(output: Named<'_>, inputs: &[Named<'_>]) -> anyhow::Result<()> {
    let (flag, path) = (output.flag, output.path);
    let shown = path.display();
    let wrong = |problem: String| Err(CallError(format!("{flag} {shown}{problem}")).into());
    if path.as_os_str().is_empty() {
        return wrong(" is empty: it must be a file".to_owned());
    }
    for input in inputs {
        if is_same_file(path, input.path) {
            let (flag, input) = (input.flag, input.path.display());
            return wrong(format!(
                " is the same file as {flag} {input}: name another one"
            ));
        }
    }
    match path.metadata() {
        Ok(found) if found.is_dir() => {
            return wrong(" is a directory: it must be a file".to_owned());
        }
        Ok(_) => {
            let opened = OpenOptions::new().append(true).open(path);
            opened.with_context(|| format!("cannot write {flag} {shown}"))?;
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            return wrong(": there is a file where its directory should be".to_owned());
        }
        Err(error) => {
            return Err(error).with_context(|| format!("cannot write {flag} {shown}"));
        }
    }
    if disk::is_special(path) {
        return Ok(());
    }
    let directory = disk::directory_of(path);
    if !directory.is_dir() {
        return wrong(format!(": there is no directory {}", directory.display()));
    }
    // Nothing else says for sure whether a file can be made there.
    Replacement::begin(path)
        .map(drop)
        .with_context(|| format!("cannot write {flag} {shown}"))
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    match (one.metadata(), other.metadata()) {
        (Ok(one), Ok(other)) if one.is_file() => {
            (one.dev(), one.ino()) == (other.dev(), other.ino())
        }
        (Ok(_), _) => false,
        // One that is not there yet has only its name.
        (Err(_), _) => disk::real(one) == disk::real(other),
    }
}

/// Writes a whole file, or leaves what was there.
///
/// # Errors
/// Names the flag and the path.
pub fn write(output: Named<'_>, content: &[u8]) -> anyhow::Result<()> {
    let mut file = OutputFile::begin(output)?;
    let written = file.write_all(content);
    written.with_context(|| file.cannot_write())?;
    file.finish()
}

/// A file that is written bit by bit, and there once it is finished.
#[derive(Debug)]
pub struct OutputFile {
    flag: &'static str,
    path: PathBuf,
    to: To,
}

#[derive(Debug)]
enum To {
    /// A device or a pipe.
    Special(File),
    Replacement(Replacement),
}

impl OutputFile {
    /// Begins to write.
    ///
    /// # Errors
    /// Names the flag and the path.
    pub fn begin(output: Named<'_>) -> anyhow::Result<Self> {
        let begun = if disk::is_special(output.path) {
            OpenOptions::new()
                .write(true)
                .open(output.path)
                .map(To::Special)
        } else {
            Replacement::begin(output.path).map(To::Replacement)
        };
        let (flag, path) = (output.flag, output.path);
        let to = begun.with_context(|| format!("cannot write {flag} {}", path.display()))?;
        Ok(Self {
            flag,
            path: path.to_owned(),
            to,
        })
    }

    /// What to say of an error.
    #[must_use]
    pub fn cannot_write(&self) -> String {
        format!("cannot write {} {}", self.flag, self.path.display())
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// Names the flag and the path.
    pub fn finish(self) -> anyhow::Result<()> {
        let said = self.cannot_write();
        match self.to {
            To::Special(_) => Ok(()),
            To::Replacement(replacement) => replacement.finish().context(said),
        }
    }
}

impl Write for OutputFile {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match &mut self.to {
            To::Special(file) => file.write(buffer),
            To::Replacement(replacement) => replacement.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.to {
            To::Special(file) => file.flush(),
            To::Replacement(replacement) => replacement.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::fs::symlink;

    use super::*;

    fn problem(path: &Path, input: &Path) -> String {
        let inputs = [Named::new("--input", input)];
        let checked = check(Named::new("--out", path), &inputs);
        checked.map_or_else(|error| format!("{error:#}"), |()| String::new())
    }

    #[test]
    fn what_cannot_be_written_and_what_is_read_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        std::fs::write(at("input"), "precious").unwrap();
        std::fs::create_dir(at("directory")).unwrap();
        symlink("input", at("link")).unwrap();
        symlink("link", at("second link")).unwrap();
        symlink(at("directory"), at("link to a directory")).unwrap();
        std::fs::hard_link(at("input"), at("second name")).unwrap();
        for (name, said) in [
            ("input", "is the same file as --input"),
            ("link", "is the same file as --input"),
            ("second link", "is the same file as --input"),
            ("second name", "is the same file as --input"),
            ("directory/../input", "is the same file as --input"),
            ("directory", "is a directory"),
            ("link to a directory", "is a directory"),
            ("missing/out", "there is no directory"),
            ("input/out", "there is a file where its directory should be"),
        ] {
            let problem = problem(&at(name), &at("input"));
            assert!(problem.contains(said), "{name}: {problem}");
            assert!(problem.contains(name), "{name}: {problem}");
        }
        assert_eq!(problem(&at("out"), &at("input")), "");
        assert_eq!(problem(Path::new("/dev/null"), &at("input")), "");
        assert!(problem(Path::new(""), &at("input")).contains("is empty"));
        assert_eq!(std::fs::read(at("input")).unwrap(), b"precious");
        let there = std::fs::read_dir(root.path()).unwrap().count();
        assert_eq!(there, 6, "a check leaves nothing behind");
    }

    #[test]
    fn an_output_that_is_not_there_yet_is_known_by_its_name() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        std::fs::create_dir(at("a")).unwrap();
        assert!(problem(&at("new"), &at("a/../new")).contains("the same file"));
        assert_eq!(problem(&at("new"), &at("a/new")), "");
    }

    #[test]
    fn a_file_is_whole_or_as_it_was() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        let flag = |path| Named::new("--out", path);
        std::fs::write(at("old"), "before").unwrap();
        std::fs::set_permissions(at("old"), std::fs::Permissions::from_mode(0o640)).unwrap();
        symlink("old", at("link")).unwrap();
        let (old, link) = (at("old"), at("link"));
        let mut begun = OutputFile::begin(flag(&link)).unwrap();
        begun.write_all(b"half").unwrap();
        drop(begun);
        assert_eq!(std::fs::read(&old).unwrap(), b"before");
        write(flag(&link), b"after").unwrap();
        assert_eq!(std::fs::read(&old).unwrap(), b"after");
        assert!(link.is_symlink(), "the link stays one");
        let mode = old.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640, "the mode stays");
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 2);
        write(flag(Path::new("/dev/null")), b"gone").unwrap();
        let full = write(flag(Path::new("/dev/full")), b"too much").unwrap_err();
        assert!(format!("{full:#}").contains("--out /dev/full"), "{full:#}");
    }
}
