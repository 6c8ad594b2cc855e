#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| kms_pkcs11::fuzzing::run("parameters", input));
