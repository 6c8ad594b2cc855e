#![no_main]

libfuzzer_sys::fuzz_target!(
    init: {
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
            // SAFETY: no other thread of this process reads its environment yet.
            unsafe { std::env::set_var(name, "fuzz") };
        }
    },
    |input: &[u8]| kms_pkcs11::fuzzing::run("responses", input)
);
