//! Any bytes as a file of manifests: read and built without a panic.
#![no_main]

use bylaw::desired::{Source, build, read};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let (manifests, _) = read(&[Source { file: "fuzz".into(), bytes: bytes.to_vec() }]);
    let _ = build(manifests, None);
});
