//! A place for the files of one test, which is gone when the test ends, however it ends.

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};

/// A directory; removed on drop.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// An empty directory of that name and this process.
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("bylaw-{}-{name}", std::process::id()));
        drop(fs::remove_dir_all(&path));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Deref for Scratch {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

#[test]
fn nothing_is_left_of_a_test_that_fails() {
    let mut path = PathBuf::new();
    let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let folder = Scratch::new("scratch");
        fs::create_dir_all(folder.join("a/b")).unwrap();
        path = folder.to_path_buf();
        std::panic::resume_unwind(Box::new("failed"));
    }));
    assert!(failed.is_err() && path.is_absolute() && !path.exists());
}
