//! The files that a command writes: what cannot be written is refused before the work, the file is whole or not there, and it
//! is never the one that is read.

use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::ErrorKind;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use rustix::fs::Access;

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
    if path == Path::new("-") {
        let file = " is no file: standard output has the answer of this command, so name a file (./- is one)";
        return wrong(file.to_owned());
    }
    match path.metadata() {
        Ok(found) if found.is_dir() => {
            return wrong(" is a directory: it must be a file".to_owned());
        }
        // To open a pipe and close it again would end its reader.
        Ok(_) if disk::is_special(path) => {
            return rustix::fs::access(path, Access::WRITE_OK)
                .map_err(io::Error::from)
                .with_context(|| format!("cannot write {flag} {shown}"));
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
    let directory = disk::directory_of(path);
    if !directory.is_dir() {
        return wrong(format!(": there is no directory {}", directory.display()));
    }
    if path.as_os_str().as_bytes().ends_with(b"/") {
        return wrong(": there is no such directory, and it must be a file".to_owned());
    }
    // Nothing else says for sure whether a file can be made there.
    match Replacement::begin(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            wrong(": no file can be made there".to_owned())
        }
        Err(error) => Err(error).with_context(|| format!("cannot write {flag} {shown}")),
    }
}

/// Refuses an output within one of these directories, which hold what must not be replaced.
///
/// # Errors
/// Names the flag, the path and the directory.
pub fn check_outside(output: Named<'_>, directories: &[(&str, &Path)]) -> anyhow::Result<()> {
    let (flag, path) = (output.flag, output.path);
    let real = disk::real(path);
    let within = |(_, directory): &&(&str, &Path)| real.starts_with(disk::real(directory));
    match directories.iter().find(within) {
        None => Ok(()),
        Some((what, directory)) => Err(CallError(format!(
            "{flag} {} is within {what} {}, where only the program's own files may be: name another one",
            path.display(),
            directory.display()
        ))
        .into()),
    }
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
    write_all(&[(output, content)])
}

/// Writes whole files. Where one cannot be written, all are as they were; only a rename may still fail between them.
///
/// # Errors
/// Names the flag and the path.
pub fn write_all(outputs: &[(Named<'_>, &[u8])]) -> anyhow::Result<()> {
    let mut files = Vec::with_capacity(outputs.len());
    for (output, content) in outputs {
        let mut file = OutputFile::begin(*output)?;
        let written = file.write_all(content);
        written.with_context(|| file.cannot_write())?;
        files.push(file);
    }
    files.into_iter().try_for_each(OutputFile::finish)
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
        Self::begin_as(output, Replacement::begin)
    }

    /// Begins to write a file that only its owner may use.
    ///
    /// # Errors
    /// Names the flag and the path.
    pub fn begin_private(output: Named<'_>) -> anyhow::Result<Self> {
        Self::begin_as(output, Replacement::begin_private)
    }

    fn begin_as(
        output: Named<'_>,
        make: impl FnOnce(&Path) -> io::Result<Replacement>,
    ) -> anyhow::Result<Self> {
        let begun = if disk::is_special(output.path) {
            OpenOptions::new()
                .write(true)
                .open(output.path)
                .map(To::Special)
        } else {
            make(output.path).map(To::Replacement)
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
            ("newdir/", "there is no such directory"),
        ] {
            let problem = problem(&at(name), &at("input"));
            assert!(problem.contains(said), "{name}: {problem}");
            assert!(problem.contains(name), "{name}: {problem}");
        }
        assert_eq!(problem(&at("out"), &at("input")), "");
        assert_eq!(problem(Path::new("/dev/null"), &at("input")), "");
        assert!(problem(Path::new("-"), &at("input")).contains("is no file"));
        let nowhere = problem(Path::new("/proc/a.json"), &at("input"));
        assert_eq!(nowhere, "--out /proc/a.json: no file can be made there");
        assert!(problem(Path::new(""), &at("input")).contains("is empty"));
        assert_eq!(std::fs::read(at("input")).unwrap(), b"precious");
        let there = std::fs::read_dir(root.path()).unwrap().count();
        assert_eq!(there, 6, "a check leaves nothing behind");
    }

    #[test]
    fn what_holds_state_is_no_place_for_an_output() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        std::fs::create_dir(at("store")).unwrap();
        symlink("store", at("link")).unwrap();
        symlink("store/new", at("link to a file")).unwrap();
        let store = at("store");
        let refused = |path: &str| {
            let path = at(path);
            check_outside(Named::new("--out", &path), &[("store.directory", &store)]).is_err()
        };
        for path in [
            "store/instance.id",
            "store/new/a",
            "link/a",
            "link to a file",
            "store/../store/a",
        ] {
            assert!(refused(path), "{path}");
        }
        for path in ["a", "store-log/a", "storeys", "store/../a"] {
            assert!(!refused(path), "{path}");
        }
    }

    #[test]
    fn the_message_has_the_path_that_was_typed_and_no_other_one() {
        let root = tempfile::tempdir().unwrap();
        let shut = root.path().join("shut");
        std::fs::create_dir(&shut).unwrap();
        std::fs::set_permissions(&shut, std::fs::Permissions::from_mode(0o555)).unwrap();
        let path = shut.join("out");
        let problem = problem(&path, Path::new("input"));
        // Root may write everywhere.
        if !problem.is_empty() {
            let expected = format!("cannot write --out {}: ", path.display());
            assert!(problem.starts_with(&expected), "{problem}");
            assert!(!problem.contains(".segstream-"), "{problem}");
        }
        // Nobody can create a file in /proc, not even root.
        let error = Replacement::begin(Path::new("/proc/a")).unwrap_err();
        assert!(error.raw_os_error().is_some(), "{error}");
    }

    #[test]
    fn all_files_are_as_they_were_where_one_cannot_be_written() {
        let root = tempfile::tempdir().unwrap();
        let model = root.path().join("model");
        std::fs::write(&model, "before").unwrap();
        let outputs: [(Named<'_>, &[u8]); 2] = [
            (Named::new("--out", &model), b"after"),
            (Named::new("--report", Path::new("/dev/full")), b"page"),
        ];
        assert!(write_all(&outputs).is_err());
        assert_eq!(std::fs::read(&model).unwrap(), b"before");
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_that_leads_to_no_file_yet_stays_and_the_file_is_made() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        symlink("second", at("first")).unwrap();
        symlink("made", at("second")).unwrap();
        let first = at("first");
        write(Named::new("--out", &first), b"new").unwrap();
        assert_eq!(std::fs::read(at("made")).unwrap(), b"new");
        assert!(first.is_symlink() && at("second").is_symlink());
        assert!(!at("made").is_symlink());
    }

    #[test]
    fn a_private_file_is_for_its_owner_alone_whatever_it_replaces() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("customers");
        for before in [None, Some(0o644)] {
            if let Some(mode) = before {
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            }
            let file = OutputFile::begin_private(Named::new("--out", &path)).unwrap();
            file.finish().unwrap();
            let mode = path.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn an_output_that_is_not_there_yet_is_known_by_its_name() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        std::fs::create_dir(at("a")).unwrap();
        assert!(problem(&at("new"), &at("a/../new")).contains("the same file"));
        symlink("new", at("link")).unwrap();
        symlink("a/../new", at("other link")).unwrap();
        for (one, other) in [("link", "new"), ("new", "link"), ("link", "other link")] {
            let problem = problem(&at(one), &at(other));
            assert!(
                problem.contains("the same file"),
                "{one} {other}: {problem}"
            );
        }
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
