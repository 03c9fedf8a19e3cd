//! No text makes the policy reader panic; what it accepts is sent in a form that reads back as itself.

#![no_main]

use bylaw::names::PolicyType;
use bylaw::policy::{Document, diff};
use libfuzzer_sys::fuzz_target;

const KINDS: [&str; 5] =
    ["SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY", "DELEGATION_POLICY", "TAG_POLICY", "BACKUP_POLICY"];

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    let kind = PolicyType::new(KINDS[usize::from(*first) % KINDS.len()]);
    match Document::parse(&kind, text) {
        Err(flaws) => assert!(flaws.iter().any(|flaw| flaw.error)),
        Ok((document, _)) => {
            let (again, _) = Document::parse(&kind, document.minified()).expect("what is sent can be read");
            assert_eq!(again.minified(), document.minified());
            assert!(again.same_meaning(&document));
            assert_eq!(again.denies(), document.denies());
            assert!(diff::diff(Some(&again), Some(&document)).is_empty());
        }
    }
});
