//! Any input to any package type: whatever breaks a law of the format trait is a finding.
#![no_main]

use artifactapi_formats::laws;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Err(broken) = laws::check(input) {
        panic!("{broken}");
    }
});
