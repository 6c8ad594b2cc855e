//! The built library as a file: what it exports, what it needs, what it says of itself.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::collections::BTreeSet;
use std::ffi::CStr;
use std::ptr;

use common_p11::{Module, call, names, ok};
use cryptoki_sys::*;
use kms_pkcs11_testkit::{module, run};

/// The C library, its parts, the compiler's unwinder, and the loader.
const MAY_NEED: [&str; 4] = ["libc.so.6", "libm.so.6", "libgcc_s.so.1", "ld-linux-"];

#[test]
fn the_functions_of_pkcs11_are_exported_and_nothing_else() {
    let exported: BTreeSet<String> = output("nm", &["-D", "--defined-only", "--format=posix"])
        .lines()
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect();
    let functions = [&names::V2_40[..], &names::SINCE_3_0, &names::SINCE_3_2].concat();
    assert_eq!(functions.len(), 92 + 12);
    let functions: BTreeSet<String> = functions.into_iter().map(str::to_owned).collect();
    assert_eq!(exported, functions);
}

#[test]
fn the_library_has_its_name_and_is_never_unmapped() {
    let dynamic = output("readelf", &["--dynamic", "--wide"]);
    assert!(dynamic.contains("(SONAME)"), "{dynamic}");
    assert!(dynamic.contains("[libkms_pkcs11.so]"), "{dynamic}");
    let flags = dynamic.lines().find(|line| line.contains("(FLAGS_1)"));
    assert!(
        flags.is_some_and(|line| line.contains("NODELETE")),
        "{dynamic}"
    );
    for unwanted in ["(TEXTREL)", "(RPATH)", "(RUNPATH)"] {
        assert!(!dynamic.contains(unwanted), "{dynamic}");
    }
}

#[test]
fn the_module_ends_before_any_other_destructor_of_the_library_runs() {
    let sections = output("readelf", &["--sections", "--wide"]);
    let sections: Vec<&str> = sections.split_whitespace().collect();
    let name = sections.iter().position(|word| *word == ".fini_array");
    // Type, address, offset, size.
    let of_section = |column| hexadecimal(sections[name.unwrap() + column]);
    let last = of_section(2) + of_section(4) - 8;
    // They run from the last to the first.
    let relocations = output("readelf", &["--relocs", "--wide"]);
    let mut relocations = relocations
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|words| words.len() == 4 && words[2].ends_with("_RELATIVE"));
    let of_last = relocations.find(|words| hexadecimal(words[0]) == last);
    let symbols = output("nm", &["--format=posix"]);
    let ours = symbols
        .lines()
        .find_map(|line| line.strip_prefix("first_of_all t "));
    let ours = ours.unwrap().split(' ').next().unwrap();
    assert_eq!(hexadecimal(of_last.unwrap()[3]), hexadecimal(ours));
}

#[test]
fn the_library_needs_the_c_library_and_the_unwinder_alone() {
    let dynamic = output("readelf", &["--dynamic", "--wide"]);
    let needed: Vec<&str> = dynamic
        .lines()
        .filter(|line| line.contains("(NEEDED)"))
        .filter_map(|line| line.split(['[', ']']).nth(1))
        .collect();
    assert!(needed.contains(&"libc.so.6"), "{dynamic}");
    for library in needed {
        let allowed = MAY_NEED.iter().any(|name| library.starts_with(name));
        assert!(allowed, "{library}");
    }
}

#[test]
fn no_page_of_the_library_is_writable_and_executable() {
    let segments = output("readelf", &["--segments", "--wide"]);
    assert!(segments.contains("GNU_RELRO"), "{segments}");
    let stack = segments.lines().find(|line| line.contains("GNU_STACK"));
    assert!(
        stack.is_some_and(|line| line.contains(" RW ")),
        "{segments}"
    );
    assert!(!segments.contains(" RWE "), "{segments}");
}

#[test]
fn nothing_that_is_for_fuzzing_is_in_the_library() {
    let symbols = output("nm", &["--demangle"]);
    assert!(symbols.contains("kms_pkcs11::module::Module"), "no symbols");
    for unwanted in ["kms_pkcs11::fuzzing", "kms_emulator"] {
        assert!(!symbols.contains(unwanted), "{unwanted}");
    }
}

#[test]
fn every_version_that_the_module_tells_agrees() {
    let module = Module::load();
    let mut list: *mut CK_FUNCTION_LIST = ptr::null_mut();
    ok(call!(module, C_GetFunctionList, &raw mut list)).unwrap();
    // SAFETY: CKR_OK was answered, so the list is one.
    let version = unsafe { (*list).version };
    assert_eq!((version.major, version.minor), (2, 40));

    let mut count = 0;
    ok(call!(
        module,
        C_GetInterfaceList,
        ptr::null_mut(),
        &raw mut count
    ))
    .unwrap();
    assert_eq!(count, 3);
    let mut interfaces = vec![module.interface(3, 2).unwrap(); 3];
    ok(call!(
        module,
        C_GetInterfaceList,
        interfaces.as_mut_ptr(),
        &raw mut count
    ))
    .unwrap();
    let versions: Vec<(u8, u8)> = interfaces
        .iter()
        .map(|interface| {
            // SAFETY: an interface of the module has a NUL-terminated name and a list that begins with its
            // version.
            let (name, version) = unsafe {
                let name = CStr::from_ptr(interface.pInterfaceName.cast_const().cast());
                (name, *interface.pFunctionList.cast::<CK_VERSION>())
            };
            assert_eq!((name, interface.flags), (c"PKCS 11", 0));
            (version.major, version.minor)
        })
        .collect();
    assert_eq!(versions, [(3, 2), (3, 0), (2, 40)]);
    let mut default: *mut CK_INTERFACE = ptr::null_mut();
    ok(call!(
        module,
        C_GetInterface,
        ptr::null_mut(),
        ptr::null_mut(),
        &raw mut default,
        0
    ))
    .unwrap();
    // SAFETY: CKR_OK was answered, so `default` is to an interface that the library keeps.
    let default = unsafe { (*default).pFunctionList };
    assert_eq!(
        default, interfaces[0].pFunctionList,
        "the first of the list"
    );
    let oldest = interfaces[2].pFunctionList;
    assert_eq!(oldest.cast(), list, "what C_GetFunctionList answers");
    for (major, minor) in [(2, 1), (2, 4), (3, 1), (3, 3), (4, 0)] {
        let unknown = module.interface(major, minor).map(drop);
        assert_eq!(unknown, Err(CKR_FUNCTION_FAILED), "{major}.{minor}");
    }

    module.initialize_reserved("").unwrap();
    let mut info = CK_INFO::default();
    ok(call!(module, C_GetInfo, &raw mut info)).unwrap();
    let newest = (info.cryptokiVersion.major, info.cryptokiVersion.minor);
    assert_eq!(newest, versions[0], "the version of the default interface");
    let (mut slot, token) = (CK_SLOT_INFO::default(), module.token_info(0).unwrap());
    ok(call!(module, C_GetSlotInfo, 0, &raw mut slot)).unwrap();
    let package = env!("CARGO_PKG_VERSION")
        .split('.')
        .map(|part| part.parse().unwrap());
    let package: Vec<u8> = package.collect();
    for version in [
        info.libraryVersion,
        slot.firmwareVersion,
        token.firmwareVersion,
    ] {
        assert_eq!([version.major, version.minor], package[..2]);
    }
}

#[test]
fn the_function_lists_hold_the_exported_functions() {
    let module = Module::load();
    let all = [&names::V2_40[..], &names::SINCE_3_0, &names::SINCE_3_2].concat();
    for (count, (major, minor)) in [(68, (2, 40)), (92, (3, 0)), (104, (3, 2))] {
        let list = module.interface(major, minor).unwrap().pFunctionList;
        for (index, name) in all.iter().take(count).enumerate() {
            // SAFETY: the list of this version is a CK_VERSION, padded to a pointer's size, and `count`
            // functions.
            let listed = unsafe { *list.cast::<*const ()>().add(1 + index) };
            // SAFETY: the symbol is a function, of which only the address is looked at.
            let exported = unsafe { module.library().get::<*const ()>(name.as_bytes()) };
            assert_eq!(listed, *exported.unwrap(), "{name} of {major}.{minor}");
        }
    }
}

fn hexadecimal(digits: &str) -> u64 {
    u64::from_str_radix(digits, 16).unwrap()
}

/// What a tool of binutils prints about the library.
fn output(tool: &str, arguments: &[&str]) -> String {
    let mut command = std::process::Command::new(tool);
    run(command.args(arguments).arg(module()).env("LC_ALL", "C"))
        .ok()
        .stdout()
}
