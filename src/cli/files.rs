//! Files that the user asked for: looked at before the organization is read, and written whole or not at all.

use std::path::Path;
use std::{fs, io};

use super::failure::Failure;

/// Whether a file can be written there, as far as that is seen without writing: asked before the organization is read, which
/// may take an hour.
///
/// # Errors
/// For people: there is no such directory, or it is one itself.
pub fn check_output(path: &Path) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let (why, help) = match folder {
        Some(folder) if !folder.is_dir() => (
            format!("there is no directory `{}`", folder.display()),
            "make the directory first, or give another path".to_owned(),
        ),
        _ if path.is_dir() => ("it is a directory".to_owned(), "give the path of a file".to_owned()),
        _ => return Ok(()),
    };
    Err(Failure::new(format!("`{}` cannot be written: {why}", path.display()), help))
}

/// Whether files can be written into that directory, as far as that is seen without writing; it is made where it is missing.
///
/// # Errors
/// For people: it, or what is to hold it, is a file.
pub fn check_directory(path: &Path) -> Result<(), Failure> {
    match path.ancestors().find(|above| above.exists()) {
        Some(file) if !file.is_dir() => Err(Failure::new(
            format!("`{}` cannot hold files: `{}` is a file", path.display(), file.display()),
            "give the path of a directory",
        )),
        _ => Ok(()),
    }
}

/// Writes what the user asked to have in a file: there as a whole, or not at all. Something that is no regular file (a pipe,
/// `/dev/stdout`) is written to as it is.
///
/// # Errors
/// For people: the file cannot be written.
pub fn write_output(path: &Path, text: &str) -> Result<(), Failure> {
    check_output(path)?;
    let plain = !path.starts_with("/dev") && fs::metadata(path).map_or(true, |there| there.is_file());
    let written = if plain { write_beside(path, text) } else { fs::write(path, text) };
    written.map_err(|error| {
        let help = "check the path, the room on its disk and the right to write there";
        Failure::new(format!("`{}` cannot be written: {}", path.display(), plainly(&error)), help)
    })
}

fn write_beside(path: &Path, text: &str) -> io::Result<()> {
    // A link is followed, so that what it names gets the text.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let Some(name) = path.file_name() else { return fs::write(path, text) };
    let temporary = path.with_file_name(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
    let before = fs::metadata(path).ok().map(|there| there.permissions());
    if before.as_ref().is_some_and(fs::Permissions::readonly) {
        // To put another file in its place would get around what somebody set on purpose.
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is write-protected"));
    }
    // Who may read it stays as it was, before there is anything to read.
    let made =
        fs::File::create(&temporary).and_then(|made| before.map_or(Ok(()), |before| made.set_permissions(before)));
    let written = made.and_then(|()| fs::write(&temporary, text));
    match written {
        // A file may be writable in a directory that is not.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            drop(fs::remove_file(&temporary));
            fs::write(path, text)
        }
        written => {
            written.and_then(|()| fs::rename(&temporary, path)).inspect_err(|_| drop(fs::remove_file(&temporary)))
        }
    }
}

/// The error without the operating system's number.
#[must_use]
pub fn plainly(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}
