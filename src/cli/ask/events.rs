//! CloudTrail's events of the organization, read from files for those who ask about the past.

use std::path::PathBuf;

use crate::cli::failure::Failure;
use crate::cli::show::safe::plain;
use crate::cli::terminal::Terminal;
use crate::judge::{Chronicle, chronicle};
use crate::trail::gather::gather;

/// What the files hold of the organization; what could not be read is warned of.
///
/// # Errors
/// Nothing of what was named can be read.
pub fn chronicle(paths: &[PathBuf], terminal: &Terminal) -> Result<Chronicle, Failure> {
    if paths.is_empty() {
        return Ok(Chronicle::default());
    }
    let mut events = vec![];
    let gathered = gather(paths, "organizations.amazonaws.com", &mut |record| events.extend(chronicle::read(record)));
    for unread in &gathered.left_out.told {
        let byte = unread.byte.map(|byte| format!(", byte {byte}")).unwrap_or_default();
        terminal.warn(&format!("{}{byte}: {}", plain(&unread.file), plain(&unread.what)));
        terminal.help(&plain(&unread.help));
    }
    if gathered.files == 0 {
        return Err(Failure::new("there are no events to read", "name CloudTrail's files, or directories with them"));
    }
    Ok(Chronicle::new(events))
}
