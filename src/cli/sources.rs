//! `-f FILE|DIR|-`: where manifests are read from. The only place that opens them.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::desired::{Issue, Origin, Severity, Source};

/// Largest file that is read. 50,000 accounts in one file are 20 MB.
const MAX_BYTES: u64 = 256 << 20;
/// Deepest nesting of directories.
const MAX_DEPTH: usize = 64;

/// Reads what the `-f` arguments name, in their order; a directory's files sorted by path, hidden ones left out, each
/// file once however often it is named. What cannot be read is an issue, and the rest is read all the same.
pub fn load(paths: &[PathBuf], stdin: &mut dyn Read) -> (Vec<Source>, Vec<Issue>) {
    let mut load = Load { sources: Vec::new(), issues: Vec::new(), seen: HashSet::new() };
    let mut stdin_read = false;
    for path in paths {
        if path.as_os_str() == "-" {
            if !std::mem::replace(&mut stdin_read, true) {
                load.stdin(stdin);
            }
            continue;
        }
        match fs::metadata(path) {
            Ok(meta) if meta.is_dir() => {
                let (sources, issues, seen) = (load.sources.len(), load.issues.len(), load.seen.len());
                load.directory(path, 0);
                let nothing = load.sources.len() == sources && load.issues.len() == issues;
                // All of it named before is not the same as nothing in it.
                if nothing && load.seen.len() == seen + 1 {
                    load.issue(
                        path,
                        "empty-directory",
                        "the directory holds no manifests (`.yaml`, `.yml`, `.json`)".into(),
                        "check the path; files of other names are read when they are named themselves",
                    );
                }
            }
            Ok(_) => load.file(path),
            Err(error) => load.failed(path, &error),
        }
    }
    (load.sources, load.issues)
}

struct Load {
    sources: Vec<Source>,
    issues: Vec<Issue>,
    /// Files and directories by their real path: a link that leads back is met once.
    seen: HashSet<PathBuf>,
}

impl Load {
    fn issue(&mut self, path: &Path, rule: &'static str, message: String, help: &str) {
        let origin = Origin { file: path.to_string_lossy().into(), line: 0, column: 0 };
        self.issues.push(Issue::new(Severity::Error, rule, origin, None, "", message).help(help));
    }

    fn failed(&mut self, path: &Path, error: &io::Error) {
        let shown = path.display();
        match error.kind() {
            io::ErrorKind::NotFound if path.is_symlink() => {
                self.issue(
                    path,
                    "no-such-file",
                    format!("`{shown}` is a link to a file that is not there"),
                    "mend or remove the link",
                );
            }
            io::ErrorKind::NotFound => {
                self.issue(
                    path,
                    "no-such-file",
                    format!("there is no file or directory `{shown}`"),
                    "check the path, and the directory that the command runs in",
                );
            }
            // `ErrorKind::FilesystemLoop` is not stable yet.
            _ if path.is_symlink()
                && path.canonicalize().is_err()
                && error.kind() != io::ErrorKind::PermissionDenied =>
            {
                self.issue(
                    path,
                    "unreadable-file",
                    format!("`{shown}` is a link that leads in a circle, or through what is no directory"),
                    "mend or remove the link",
                );
            }
            io::ErrorKind::PermissionDenied => {
                self.issue(
                    path,
                    "unreadable-file",
                    format!("no permission to read `{shown}`"),
                    "give yourself the right to read it (`chmod u+r`), or leave it out",
                );
            }
            _ => self.issue(
                path,
                "unreadable-file",
                format!("`{shown}` cannot be read: {error}"),
                "check the file system it is on",
            ),
        }
    }

    fn is_new(&mut self, path: &Path) -> bool {
        // A path that cannot be resolved fails when it is opened.
        fs::canonicalize(path).is_ok_and(|real| self.seen.insert(real)) || !path.exists()
    }

    fn stdin(&mut self, stdin: &mut dyn Read) {
        let mut bytes = Vec::new();
        match stdin.take(MAX_BYTES + 1).read_to_end(&mut bytes) {
            Ok(_) => self.push("<stdin>", bytes),
            Err(error) => self.issue(
                Path::new("<stdin>"),
                "unreadable-file",
                format!("standard input cannot be read: {error}"),
                "pipe the manifests in, or name a file with `-f`",
            ),
        }
    }

    fn file(&mut self, path: &Path) {
        if !self.is_new(path) {
            return;
        }
        let read = fs::File::open(path).and_then(|file| {
            let mut bytes = Vec::new();
            file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map(|_| bytes)
        });
        match read {
            Ok(bytes) => self.push(&path.to_string_lossy(), bytes),
            Err(error) => self.failed(path, &error),
        }
    }

    fn push(&mut self, file: &str, bytes: Vec<u8>) {
        if bytes.len() as u64 > MAX_BYTES {
            self.issue(
                Path::new(file),
                "too-large",
                format!("`{file}` is larger than {} MiB", MAX_BYTES >> 20),
                "split it",
            );
        } else {
            self.sources.push(Source { file: file.into(), bytes });
        }
    }

    fn directory(&mut self, path: &Path, depth: usize) {
        if !self.is_new(path) {
            return;
        }
        if depth > MAX_DEPTH {
            self.issue(
                path,
                "unreadable-file",
                format!("directories are nested deeper than {MAX_DEPTH}"),
                "name the directory that holds the manifests",
            );
            return;
        }
        let entries = match fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
            Ok(entries) => entries,
            Err(error) => return self.failed(path, &error),
        };
        let mut paths: Vec<PathBuf> = entries.iter().map(fs::DirEntry::path).collect();
        paths.sort();
        for path in paths {
            let hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
            if hidden {
                continue;
            }
            let manifest = path
                .extension()
                .is_some_and(|e| ["yaml", "yml", "json"].iter().any(|known| e.eq_ignore_ascii_case(known)));
            match fs::metadata(&path) {
                Ok(meta) if meta.is_dir() => self.directory(&path, depth + 1),
                Ok(meta) if meta.is_file() && manifest => self.file(&path),
                Ok(_) => {}
                Err(error) if manifest => self.failed(&path, &error),
                // A link to nowhere that is no manifest by its name is nobody's loss.
                Err(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::scratch::Scratch;

    fn names(root: &Path, sources: &[Source]) -> Vec<String> {
        let prefix = format!("{}/", root.display());
        sources.iter().map(|s| s.file.replace(&prefix, "")).collect()
    }

    #[test]
    fn directories_are_read_in_order_and_links_lead_nowhere_twice() {
        let root = Scratch::new("tree");
        fs::create_dir_all(root.join("b/.git")).unwrap();
        fs::create_dir_all(root.join("..data")).unwrap();
        for file in
            ["b/2.yml", "b/1.yaml", "a.json", "c.YAML", "notes.txt", "b/.git/x.yaml", ".hidden.yaml", "..data/y.yaml"]
        {
            fs::write(root.join(file), file).unwrap();
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&*root, root.join("b/loop")).unwrap();
            std::os::unix::fs::symlink(root.join("..data/y.yaml"), root.join("y.yaml")).unwrap();
        }
        let (sources, issues) =
            load(&[root.to_path_buf(), root.join("a.json"), root.join("notes.txt")], &mut io::empty());
        assert!(issues.is_empty(), "{issues:?}");
        assert_eq!(names(&root, &sources), ["a.json", "b/1.yaml", "b/2.yml", "c.YAML", "y.yaml", "notes.txt"]);
    }

    #[test]
    fn what_cannot_be_read_is_told_and_the_rest_is_read() {
        let root = Scratch::new("bad");
        fs::create_dir_all(root.join("empty")).unwrap();
        fs::write(root.join("good.yaml"), "a: 1").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(root.join("gone"), root.join("link.yaml")).unwrap();
        let paths = [root.join("nowhere"), root.join("empty"), root.to_path_buf(), "-".into(), "-".into()];
        let (sources, issues) = load(&paths, &mut &b"b: 2"[..]);
        assert_eq!(names(&root, &sources), ["good.yaml", "<stdin>"]);
        let rules: Vec<_> = issues.iter().map(|i| i.rule).collect();
        assert_eq!(rules, ["no-such-file", "empty-directory", "no-such-file"]);
        assert!(issues.iter().all(|i| i.help.is_some()));
    }
}
