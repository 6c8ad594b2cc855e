//! Finding the few keys of a token among very many of others, in each of the two ways.

use std::time::Instant;

use serde_json::json;

use crate::emulator::Emulator;
use crate::key::KEYS;
use crate::module::Module;
use crate::{Child, Result, memory};

const FOREIGN: usize = 99_950;
const OURS: usize = 50;
/// The number of the key that is looked for, twice: its id.
const LOOKED_FOR: u8 = 0x77;
const ABSENT: u8 = 0xee;

/// A way to find keys, and how many requests a second it may send of one kind.
struct Way {
    name: &'static str,
    discovery: &'static str,
    listing_rate: u32,
}

const WAYS: [Way; 3] = [
    Way {
        name: "tagging-api",
        discovery: "tagging-api",
        listing_rate: 1000,
    },
    Way {
        name: "list-keys",
        discovery: "list-keys",
        listing_rate: 1000,
    },
    Way {
        name: "list-keys, no budget",
        discovery: "list-keys",
        listing_rate: 1_000_000,
    },
];

pub(crate) fn compare() -> Result<()> {
    println!(
        "\nDiscovery: {} P-256 keys, of which {OURS} have the token's tag. First: from C_Initialize until a key is\n\
         found by its id. Then: a search for an id that no key has, which looks for new keys. Peak: of the process\n\
         (VmHWM), in MiB. The budget is the setting rates.listing, in requests a second of one kind.\n\n\
         {:<21} {:>7} | {:>8} {:>8} | {:>8} {:>8} | {:>6} |\n\
         {:<21} {:>7} | {:>8} {:>8} | {:>8} {:>8} | {:>6} | the first's requests",
        FOREIGN + OURS,
        "",
        "",
        "first",
        "first",
        "then",
        "then",
        "peak",
        "discovery",
        "budget",
        "requests",
        "s",
        "requests",
        "s",
        "MiB",
    );
    let [key, ..] = &KEYS;
    let emulator = Emulator::start()?;
    emulator.create_tagged_keys(FOREIGN, key.spec, &json!({ "Team": "others" }))?;
    let tags = json!({ "Team": "ours", "p11:id": "{n}{n}", "p11:label": "key-{n}" });
    emulator.create_tagged_keys(OURS, key.spec, &tags)?;
    for way in WAYS {
        emulator.control().forget_calls()?;
        let config = format!(
            "[[token]]\nlabel = \"bench\"\nregion = \"us-east-1\"\nendpoint = \"{}\"\n\
             tags = {{ Team = \"ours\" }}\ndiscovery = \"{}\"\nlisting_deadline = 600\n\
             miss_refresh_interval = 0.001\nrates = {{ listing = {} }}\n",
            emulator.endpoint(),
            way.discovery,
            way.listing_rate
        );
        let mut process = Child::with_config(&emulator, &["discovery"], &config)?.converse()?;
        let first = process.ask("first")?;
        let first_calls = emulator.control().calls()?;
        emulator.control().forget_calls()?;
        let then = process.ask("then")?;
        let then_calls = emulator.control().calls()?;
        println!(
            "{:<21} {:>7} | {:>8} {:>8.2} | {:>8} {:>8.3} | {:>6.1} | {}",
            way.name,
            way.listing_rate,
            first_calls.total,
            first["seconds"].as_f64().ok_or("no time")?,
            then_calls.total,
            then["seconds"].as_f64().ok_or("no time")?,
            then["peak_mib"].as_f64().ok_or("no peak")?,
            first_calls.operations,
        );
    }
    Ok(())
}

/// Starts, finds a key, looks for one that is not there; each when it is asked to.
pub(crate) fn child() -> Result<()> {
    let [key, ..] = &KEYS;
    let mut module = None;
    for question in std::io::stdin().lines() {
        let begin = Instant::now();
        if question? == "first" {
            let loaded = Module::load()?;
            loaded.signer_by_id(key, LOOKED_FOR)?;
            module = Some(loaded);
        } else {
            let module = module.as_ref().ok_or("it was not started")?;
            if module.signer_by_id(key, ABSENT).is_ok() {
                return Err("a key was found that is not there".into());
            }
        }
        let seconds = begin.elapsed().as_secs_f64();
        let answer = json!({ "seconds": seconds, "peak_mib": memory::peak()? });
        println!("{answer}");
    }
    Ok(())
}
