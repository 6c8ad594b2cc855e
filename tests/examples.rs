//! The example programs, built and run: what one encrypts the other decrypts, and so does Python; what was
//! tampered with is refused and leaves nothing behind.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use kms_emulator::{Emulator, NewKeys, Options};
use kms_pkcs11_testkit::{AccessKey, Finished, Token, boto3, module, root, run};

/// An emulator with a symmetric key, and both programs beside it.
struct Bench {
    emulator: Emulator,
    token: Token,
    key: String,
    programs: [PathBuf; 2],
}

impl Bench {
    fn start() -> Self {
        let emulator = Emulator::start(Options::default()).unwrap();
        let keys = NewKeys::new(1, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT");
        let key = emulator.create_keys(&keys).unwrap().remove(0).key_id;
        let token = Token::kms(&emulator.endpoint(), &AccessKey::test());
        let programs = [in_rust(), in_c(token.directory())];
        Self {
            emulator,
            token,
            key,
            programs,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.token.directory().join(name)
    }

    fn run(&self, program: &Path, direction: &str, input: &str, output: &str) -> Finished {
        run(self
            .token
            .command(program)
            .arg(direction)
            .arg(module())
            .args([&self.token.label, &self.key, input, output]))
    }

    fn python(&self, input: &str, output: &str) -> Finished {
        let (input, output) = (self.path(input), self.path(output));
        let arguments = [input.to_str().unwrap(), output.to_str().unwrap()];
        let endpoint = self.emulator.endpoint();
        boto3(
            &endpoint,
            &AccessKey::test(),
            include_str!("examples.py"),
            &arguments,
        )
    }
}

/// Cargo builds it with the tests.
fn in_rust() -> PathBuf {
    // From `target/debug/deps/libkms_pkcs11.so`.
    let built = module()
        .parent()
        .unwrap()
        .with_file_name("examples/encrypt_file");
    assert!(
        built.exists(),
        "{}: try `cargo build --example encrypt_file`",
        built.display()
    );
    built
}

fn in_c(directory: &Path) -> PathBuf {
    let program = directory.join("encrypt_file_c");
    let _ = run(Command::new("gcc")
        .args(["-std=c99", "-Wall", "-Wextra", "-Werror"])
        .args(["-isystem", "/usr/include/p11-kit-1", "-I"])
        .arg(root().join("include"))
        .arg("-o")
        .arg(&program)
        .arg(root().join("examples/encrypt_file.c")))
    .ok();
    program
}

fn contents(len: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(len as u64);
    std::iter::repeat_with(|| random.u8(..)).take(len).collect()
}

#[test]
fn files_of_any_size_go_from_either_program_to_either_and_to_python() {
    const CHUNK: usize = 1 << 16;
    let bench = Bench::start();
    for len in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 40 * CHUNK + 5] {
        let plain = contents(len);
        fs::write(bench.path("plain"), &plain).unwrap();
        for encrypts in &bench.programs {
            bench.emulator.reset_calls();
            let done = bench.run(encrypts, "encrypt", "plain", "encrypted").ok();
            assert!(done.stderr().ends_with("100 %\n"), "{done:?}");
            let requests = bench.emulator.calls().operations;
            assert_eq!(requests["GenerateDataKey"], 1);
            // The others are what it takes to find a key.
            let others = requests.keys().filter(|name| *name != "GenerateDataKey");
            assert!(
                others.clone().all(|name| FIND.contains(&name.as_str())),
                "{requests:?}"
            );
            for decrypts in &bench.programs {
                bench.emulator.reset_calls();
                let done = bench
                    .run(decrypts, "decrypt", "encrypted", "decrypted")
                    .ok();
                assert!(done.stderr().ends_with("100 %\n"), "{done:?}");
                assert_eq!(bench.emulator.calls().of("Decrypt"), 1);
                assert_eq!(fs::read(bench.path("decrypted")).unwrap(), plain, "{len}");
            }
            let _ = bench.python("encrypted", "in-python").ok();
            assert_eq!(fs::read(bench.path("in-python")).unwrap(), plain, "{len}");
        }
    }
}

const FIND: [&str; 5] = [
    "DescribeKey",
    "GetPublicKey",
    "ListAliases",
    "ListKeys",
    "ListResourceTags",
];

#[test]
fn a_file_that_was_tampered_with_is_refused_and_leaves_nothing_behind() {
    const CHUNK: usize = (1 << 16) + 16;
    let bench = Bench::start();
    fs::write(bench.path("plain"), contents(3 << 16)).unwrap();
    let _ = bench
        .run(&bench.programs[0], "encrypt", "plain", "encrypted")
        .ok();
    let whole = fs::read(bench.path("encrypted")).unwrap();
    let body = whole.len() - 3 * CHUNK;
    let swapped = {
        let (first, second) = (
            &whole[body..body + CHUNK],
            &whole[body + CHUNK..body + 2 * CHUNK],
        );
        [&whole[..body], second, first, &whole[body + 2 * CHUNK..]].concat()
    };
    let flipped = |at: usize| {
        let mut other = whole.clone();
        other[at] ^= 1;
        other
    };
    for (what, tampered) in [
        ("cut at a chunk", whole[..whole.len() - CHUNK].to_vec()),
        ("cut in a chunk", whole[..whole.len() - 1].to_vec()),
        ("cut in the header", whole[..body - 1].to_vec()),
        ("longer by a byte", [&whole[..], &[0]].concat()),
        (
            "longer by a chunk",
            [&whole[..], &whole[body..body + CHUNK]].concat(),
        ),
        ("chunks swapped", swapped),
        ("another magic", flipped(0)),
        ("chunks of another length", flipped(11)),
        ("another wrapped key", flipped(body - 1)),
        ("another byte", flipped(body + 5)),
        ("another tag", flipped(whole.len() - 1)),
        ("nothing", Vec::new()),
    ] {
        fs::write(bench.path("tampered"), tampered).unwrap();
        for program in &bench.programs {
            let refused = bench.run(program, "decrypt", "tampered", "out");
            assert!(!refused.success(), "{what}: {refused:?}");
            assert!(!bench.path("out").exists(), "{what}");
            assert!(!bench.path("out.partial").exists(), "{what}");
        }
    }
    for program in &bench.programs {
        let _ = bench.run(program, "decrypt", "encrypted", "out").ok();
        fs::remove_file(bench.path("out")).unwrap();
    }
}
