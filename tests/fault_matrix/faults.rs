//! What goes wrong.

use kms_emulator::{Change, Effect};
use serde_json::json;

use super::codes::{CODES, Code};
use super::expectations::Class;
use super::operations::{Answer, Operation};

/// A fault of the table.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    /// The row of the report.
    pub(crate) name: &'static str,
    /// What it is within its row, such as the error code.
    pub(crate) detail: String,
    pub(crate) class: Class,
    pub(crate) strike: Strike,
    /// How many requests it strikes.
    pub(crate) times: u32,
    /// It leaves nothing behind in the token, so that others of its kind can follow there.
    pub(crate) is_light: bool,
    /// The call waits, and computes nothing meanwhile.
    pub(crate) waits: bool,
    pub(crate) afterwards: Afterwards,
}

#[derive(Clone, Debug)]
pub(crate) enum Strike {
    /// The requests of the operation meet this.
    Effect(Effect),
    /// What the answer of the operation is changed into.
    Answer(AnswerFault),
    /// Nobody listens.
    Unreachable,
    /// No request of the operation is admitted.
    Quota,
    /// So many reads do not show what was changed.
    Stale(u32),
}

/// Where an answer is wrong, whatever its members are called.
#[derive(Clone, Copy, Debug)]
pub(crate) enum AnswerFault {
    NoKey,
    OtherKey,
    NoAlgorithm,
    OtherAlgorithm,
    NoOutput,
    /// In place of the output a number.
    NumberAsOutput,
    /// In place of the output a text that is no Base64.
    TextAsOutput,
    /// The output is there, and has no bytes.
    EmptyOutput,
    /// The output is another one, and the answer says that it is of another key.
    OfOtherKey,
    /// The output is off by one bit.
    OneBitOff,
    /// The public key is one of another curve.
    OtherCurve,
    /// The public key is DER, and none.
    NoPublicKey,
}

/// What has to be done for the next call to succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Afterwards {
    Nothing,
    /// New credentials are put where the old ones were.
    NewCredentials,
    /// The server's clock goes right, and signatures are checked by it.
    RightClock,
}

/// A table of faults.
pub(crate) struct Faults(Vec<Fault>);

/// A SubjectPublicKeyInfo, in Base64.
const P384_PUBLIC_KEY: &str = "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEKRRFeBgiNC1OdLvJYDX2v2TEHDY76qiLDtAsSNms5VvyN4B1a+lZAr7b9EXW\
     ig4UWirIin7pgsfD+YlU/7yVrzT8ck3v6UpNxsY+ZkIBSGuVVKTjyvWshMjFDjIJWGeG";

/// Enough for every attempt of a call.
const ALWAYS: u32 = 10_000;

impl Faults {
    /// Every kind of fault, errors by the codes that stand for the others of their class.
    pub(crate) fn usual() -> Self {
        Self::with(|code| !code.is_rare)
    }

    /// Those, all other error codes, and what would take minutes, were it not for deadlines.
    pub(crate) fn all() -> Self {
        let mut all = Self::with(|_| true);
        all.0.extend(slow());
        all
    }

    fn with(codes: fn(&Code) -> bool) -> Self {
        let mut all = errors(codes);
        all.extend(lasting());
        all.extend(passing());
        all.extend(answers());
        all.extend(surroundings());
        Self(all)
    }

    /// Those that an operation can meet.
    pub(crate) fn of(&self, operation: &Operation) -> Vec<&Fault> {
        let faults = self.0.iter();
        faults.filter(|fault| fault.applies_to(operation)).collect()
    }
}

impl Fault {
    fn applies_to(&self, operation: &Operation) -> bool {
        let Answer {
            key,
            algorithm,
            output,
        } = &operation.answer;
        match &self.strike {
            Strike::Answer(AnswerFault::NoKey | AnswerFault::OtherKey) => key.is_some(),
            Strike::Answer(AnswerFault::OfOtherKey) => {
                key.is_some() && algorithm.is_some() && output.is_some()
            }
            Strike::Answer(AnswerFault::NoAlgorithm | AnswerFault::OtherAlgorithm) => {
                algorithm.is_some()
            }
            Strike::Answer(AnswerFault::EmptyOutput) => output.is_some() && !operation.may_be_empty,
            Strike::Answer(AnswerFault::OtherCurve | AnswerFault::NoPublicKey) => {
                *output == Some("PublicKey")
            }
            // Nothing else tells a right answer from a wrong one.
            Strike::Answer(AnswerFault::OneBitOff) | Strike::Effect(Effect::AnotherKey) => {
                operation.is_verified
            }
            // Of an answer that says nothing, nobody reads the body.
            Strike::Answer(_)
            | Strike::Effect(
                Effect::Body { .. } | Effect::TruncatedBody | Effect::ContentLength { .. },
            ) => output.is_some(),
            Strike::Stale(_) => operation.makes_keys,
            Strike::Effect(_) | Strike::Unreachable | Strike::Quota => true,
        }
    }
}

fn effect(name: &'static str, class: Class, effect: Effect) -> Fault {
    Fault {
        name,
        detail: String::new(),
        class,
        strike: Strike::Effect(effect),
        times: ALWAYS,
        is_light: true,
        waits: false,
        afterwards: Afterwards::Nothing,
    }
}

fn error(code: &str, message: &str, status: u16) -> Effect {
    Effect::Error {
        code: code.to_owned(),
        message: message.to_owned(),
        status,
    }
}

/// Latencies of up to minutes.
fn slow() -> Vec<Fault> {
    [60_000, 240_000]
        .map(|ms| Fault {
            detail: format!("{} s", ms / 1000),
            is_light: false,
            waits: true,
            ..effect("latency", Class::NothingDone, Effect::Latency { ms })
        })
        .into()
}

/// Error codes.
fn errors(codes: fn(&Code) -> bool) -> Vec<Fault> {
    let mut faults: Vec<Fault> = CODES
        .iter()
        .filter(|code| codes(code))
        .map(|code| {
            let name = match code.class {
                Class::Throttled => "throttled",
                Class::Unavailable => "error of the service",
                Class::Credentials => "credentials refused",
                Class::Denied => "permission refused",
                _ => "another error of KMS",
            };
            Fault {
                detail: code.name.to_owned(),
                is_light: code.class != Class::Throttled,
                ..effect(
                    name,
                    code.class,
                    error(code.name, "on purpose", code.status),
                )
            }
        })
        .collect();
    faults.push(Fault {
        detail: "ValidationException about a length".to_owned(),
        ..effect(
            "another error of KMS",
            Class::Length,
            error("ValidationException", "it has an invalid length", 400),
        )
    });
    faults.push(Fault {
        strike: Strike::Quota,
        is_light: false,
        detail: "above a quota".to_owned(),
        ..effect("throttled", Class::Throttled, Effect::Hang)
    });
    faults
}

/// What lasts for as long as the call tries.
fn lasting() -> Vec<Fault> {
    let mut faults = vec![
        effect(
            "reset before the work",
            Class::NothingDone,
            Effect::ResetBefore,
        ),
        effect("reset after the work", Class::Done, Effect::ResetAfter),
        effect("half an answer", Class::Done, Effect::TruncatedBody),
        Fault {
            is_light: false,
            waits: true,
            ..effect("hang before the work", Class::NothingDone, Effect::Hang)
        },
        Fault {
            is_light: false,
            waits: true,
            ..effect("hang after the work", Class::Done, Effect::HangAfter)
        },
        Fault {
            is_light: false,
            waits: true,
            ..effect(
                "latency",
                Class::NothingDone,
                Effect::Latency { ms: 20_000 },
            )
        },
        Fault {
            is_light: false,
            waits: true,
            ..effect(
                "Content-Length too long",
                Class::Done,
                Effect::ContentLength { by: 9 },
            )
        },
        effect(
            "Content-Length too short",
            Class::Done,
            Effect::ContentLength { by: -9 },
        ),
    ];
    for status in [500, 502, 503, 504] {
        let page = |processed| Effect::Page { status, processed };
        faults.push(Fault {
            detail: format!("{status}"),
            ..effect("page of a proxy", Class::NothingDone, page(false))
        });
    }
    faults.push(Fault {
        detail: "502 after the work".to_owned(),
        ..effect(
            "page of a proxy",
            Class::Done,
            Effect::Page {
                status: 502,
                processed: true,
            },
        )
    });
    faults
}

/// What strikes one attempt: the next one goes well.
fn passing() -> Vec<Fault> {
    [
        (
            "reset before the work",
            Class::HealsUndone,
            Effect::ResetBefore,
        ),
        ("reset after the work", Class::Heals, Effect::ResetAfter),
        (
            "throttled",
            Class::Heals,
            error("ThrottlingException", "Rate exceeded", 400),
        ),
        (
            "error of the service",
            Class::HealsUndone,
            error("KMSInternalException", "", 500),
        ),
        (
            "page of a proxy",
            Class::HealsUndone,
            Effect::Page {
                status: 503,
                processed: false,
            },
        ),
        (
            "page of a proxy after the work",
            Class::Heals,
            Effect::Page {
                status: 502,
                processed: true,
            },
        ),
    ]
    .map(|(what, class, strike)| Fault {
        detail: what.to_owned(),
        times: 1,
        ..effect("once, then well", class, strike)
    })
    .into()
}

/// Answers that are none.
fn answers() -> Vec<Fault> {
    let body = |text: &str| Effect::Body {
        text: text.to_owned(),
    };
    let bodies = [
        ("garbage", body("{\"KeyId\": \u{fffd}\u{1}")),
        ("no body", body("")),
        ("null", body("null")),
        ("an array", body("[]")),
        ("an object without members", body("{}")),
        ("a page of HTML", body("<html><body>Login</body></html>")),
    ];
    let bodies = bodies.map(|(detail, strike)| Fault {
        detail: detail.to_owned(),
        ..effect("body that is no answer", Class::Misfit, strike)
    });
    let members = [
        ("no key id", AnswerFault::NoKey),
        ("another key id", AnswerFault::OtherKey),
        ("an output of another key", AnswerFault::OfOtherKey),
        ("no algorithm", AnswerFault::NoAlgorithm),
        ("another algorithm", AnswerFault::OtherAlgorithm),
        ("no output", AnswerFault::NoOutput),
        (
            "a number in place of the output",
            AnswerFault::NumberAsOutput,
        ),
        ("a text in place of the output", AnswerFault::TextAsOutput),
        ("an empty output", AnswerFault::EmptyOutput),
        ("a public key of another curve", AnswerFault::OtherCurve),
        ("a public key that is none", AnswerFault::NoPublicKey),
    ];
    let members = members.map(|(detail, strike)| Fault {
        detail: detail.to_owned(),
        strike: Strike::Answer(strike),
        ..effect("answer that does not fit", Class::Misfit, Effect::Hang)
    });
    let forgeries = [
        Fault {
            detail: "one bit off".to_owned(),
            strike: Strike::Answer(AnswerFault::OneBitOff),
            ..effect("signature that is none", Class::Misfit, Effect::Hang)
        },
        Fault {
            detail: "of another key".to_owned(),
            ..effect("signature that is none", Class::Misfit, Effect::AnotherKey)
        },
    ];
    bodies.into_iter().chain(members).chain(forgeries).collect()
}

/// What is wrong beside the requests themselves.
fn surroundings() -> Vec<Fault> {
    let mut faults = vec![
        Fault {
            strike: Strike::Unreachable,
            is_light: false,
            ..effect("connection refused", Class::Unreachable, Effect::Hang)
        },
        Fault {
            // It lasts by itself, for the access key.
            times: 1,
            afterwards: Afterwards::NewCredentials,
            is_light: false,
            ..effect(
                "credentials that expire",
                Class::Credentials,
                Effect::ExpiredCredentials,
            )
        },
        Fault {
            strike: Strike::Stale(1),
            is_light: false,
            ..effect("stale listings", Class::Heals, Effect::Hang)
        },
    ];
    for seconds in [600, -600] {
        faults.push(Fault {
            detail: format!("{} minutes", seconds / 60),
            afterwards: Afterwards::RightClock,
            is_light: false,
            ..effect("clock skew", Class::Heals, Effect::ClockSkew { seconds })
        });
    }
    faults
}

impl AnswerFault {
    pub(crate) fn effect(self, answer: &Answer) -> Effect {
        let set = |member: Option<&str>, value| Change::Set {
            member: member.unwrap().to_owned(),
            value,
        };
        let remove = |member: Option<&str>| Change::Remove {
            member: member.unwrap().to_owned(),
        };
        let other_key =
            "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-0000-0000-000000000000";
        let one_bit_off = || Change::FlipBit {
            member: answer.output.unwrap().to_owned(),
        };
        let change = match self {
            Self::OfOtherKey => {
                return Effect::Changed(vec![set(answer.key, json!(other_key)), one_bit_off()]);
            }
            Self::NoKey => remove(answer.key),
            Self::OtherKey => set(answer.key, json!(other_key)),
            Self::NoAlgorithm => remove(answer.algorithm),
            Self::OtherAlgorithm => set(answer.algorithm, json!("ANOTHER_ALGORITHM")),
            Self::NoOutput => remove(answer.output),
            Self::NumberAsOutput => set(answer.output, json!(7)),
            Self::TextAsOutput => set(answer.output, json!("%%%")),
            Self::EmptyOutput => set(answer.output, json!("")),
            Self::OtherCurve => set(answer.output, json!(P384_PUBLIC_KEY)),
            Self::NoPublicKey => set(answer.output, json!("MAAwADAA")),
            Self::OneBitOff => one_bit_off(),
        };
        Effect::Changed(vec![change])
    }
}
