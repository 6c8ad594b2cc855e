//! A service that has the credentials and does not answer costs some calls their time, and the others nothing.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::thread;
use std::time::{Duration, Instant};

use common_p11::issuers::Issuer;
use common_p11::{Rv, Session, World, call, ok, set_environment};
use cryptoki_sys::*;
use kms_emulator::{Emulator, Options};

const DEADLINE: Duration = Duration::from_secs(4);
const THREADS: usize = 6;
const CALLS: usize = 3;
/// A call that takes no longer has waited for nobody.
const AT_ONCE: Duration = Duration::from_millis(500);
/// Far longer than anything here takes that is not broken.
const LONG: Duration = Duration::from_secs(30);

#[test]
fn credentials_that_do_not_come_fail_calls_at_once_and_are_used_as_soon_as_they_are_there() {
    let emulator = Emulator::start(Options::default()).unwrap();
    let world = World::not_initialized(emulator, &["deadline = 4"]);
    let source = Issuer::container();
    set_environment(world.directory.path());
    // SAFETY: the test is alone in its process, and its servers do not look at the environment.
    unsafe {
        std::env::remove_var("AWS_ACCESS_KEY_ID");
        std::env::remove_var("AWS_SECRET_ACCESS_KEY");
        let uri = format!("{}/credentials", source.endpoint);
        std::env::set_var("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri);
    }
    world.initialize();
    source.hang(true);
    let session = world.module.session();

    let begun = Instant::now();
    let times: Vec<Duration> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| scope.spawn(|| [(); CALLS].map(|()| failing(session))))
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    let took = begun.elapsed();
    // The first of each thread, and one at a time that looks whether it is over.
    let slow = times.iter().filter(|time| **time > AT_ONCE).count();
    assert!(slow <= THREADS + 1, "{times:?}");
    assert!(took < 2 * DEADLINE, "{times:?}");
    assert!(times.iter().all(|time| *time < DEADLINE), "{times:?}");
    let log = world.log();
    let failures: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("C_GenerateRandom: CKR_DEVICE_ERROR"))
        .collect();
    assert_eq!(failures.len(), THREADS * CALLS, "{log}");
    for line in failures {
        assert!(
            line.contains("no credentials: credentials provider timed out"),
            "{line}"
        );
    }
    assert_eq!(log.matches("credentials do not come").count(), 1, "{log}");
    assert_eq!(world.emulator.calls().total, 0);

    source.hang(false);
    let begun = Instant::now();
    while random(session).is_err() {
        assert!(begun.elapsed() < LONG, "{}", world.log());
        thread::sleep(Duration::from_millis(20));
    }
    assert!(world.log().contains("credentials are there again"));
}

/// How long a call took that failed.
#[track_caller]
fn failing(session: Session<'_>) -> Duration {
    let begun = Instant::now();
    assert_eq!(random(session), Err(CKR_DEVICE_ERROR));
    begun.elapsed()
}

fn random(session: Session<'_>) -> Rv<()> {
    let mut bytes = [0; 32];
    ok(call!(
        session.module,
        C_GenerateRandom,
        session.handle,
        bytes.as_mut_ptr(),
        32
    ))
}
