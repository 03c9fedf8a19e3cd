//! Files and folders of one test, which are gone when it has passed. Those of a test that failed stay to be looked at, until
//! the next run of the tests.

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

/// A file or folder that goes when this is dropped.
pub struct Scratch {
    folder: PathBuf,
    path: PathBuf,
}

/// An empty folder whose name tells what it is for.
pub fn folder(name: &str) -> Scratch {
    let folder = place(name);
    // Whoever takes away the last folder of this process may be at it right now.
    let made = (0..100).any(|_| fs::create_dir_all(&folder).is_ok());
    assert!(made, "{} cannot be made", folder.display());
    Scratch { path: folder.clone(), folder }
}

/// A file with that name and text.
pub fn file(name: &str, text: &str) -> Scratch {
    let mut scratch = folder("file");
    scratch.path.push(name);
    fs::write(&scratch.path, text).unwrap();
    scratch
}

/// A path that nobody else has, in the folder of this process.
fn place(name: &str) -> PathBuf {
    static SWEPT: Once = Once::new();
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let all = Path::new(env!("CARGO_TARGET_TMPDIR"));
    SWEPT.call_once(|| sweep(all));
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    all.join(format!("test-{}", std::process::id())).join(format!("{name}-{number}"))
}

/// Takes away what processes left behind that are gone, whatever way they ended.
fn sweep(all: &Path) {
    for entry in fs::read_dir(all).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix("test-")?.parse::<u32>().ok());
        if process.is_some_and(|process| !Path::new("/proc").join(process.to_string()).exists()) {
            drop(fs::remove_dir_all(entry.path()));
        }
    }
}

impl Deref for Scratch {
    type Target = Path;
    fn deref(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            drop(fs::remove_dir_all(&self.folder));
            drop(self.folder.parent().map(fs::remove_dir));
        }
    }
}
