//! Sequences of calls through the function list.

use pkcs11_sys::*;

use super::arguments::Arguments;
use super::functions::{FUNCTIONS, Function};
use super::input::Input;
use super::machine::Machine;
use super::values::ATTRIBUTES;

/// Enough to begin, go on with and end a few operations.
const MOST_CALLS: usize = 64;

/// Any functions.
pub(super) fn calls(bytes: &[u8]) {
    sequence(bytes, |_| true, |_, _| {});
}

/// Those that take templates.
pub(super) fn templates(bytes: &[u8]) {
    sequence(bytes, |function| function.has_template, read_whole);
}

/// Those that take mechanisms, and those that go on with what they begin.
pub(super) fn parameters(bytes: &[u8]) {
    sequence(bytes, |function| function.has_parameter, |_, _| {});
}

fn sequence(
    bytes: &[u8],
    is_of_interest: impl Fn(&Function) -> bool,
    look_at: impl Fn(&mut Machine, CK_OBJECT_HANDLE),
) {
    let functions: Vec<&Function> = FUNCTIONS
        .iter()
        .filter(|function| is_of_interest(function))
        .collect();
    let mut input = Input::new(bytes);
    let mut machine = Machine::start();
    for _ in 0..MOST_CALLS {
        if input.is_empty() {
            break;
        }
        if let Some(made) = machine.step(&mut input, &functions) {
            look_at(&mut machine, made);
        }
    }
}

/// Reads all attributes of a new object, each with several rooms, and finds it by what it says of itself.
fn read_whole(machine: &mut Machine, object: CK_OBJECT_HANDLE) {
    machine.heal();
    let mut description = Vec::new();
    for type_ in ATTRIBUTES {
        let Some(value) = read(machine, object, *type_) else {
            continue;
        };
        if [CKA_CLASS, CKA_ID, CKA_LABEL].contains(type_) {
            description.push((*type_, value));
        }
    }
    if !description.iter().any(|(type_, _)| *type_ == CKA_CLASS) {
        return;
    }
    let found = machine.find(&description);
    assert!(
        found.contains(&object),
        "object {object} is not among {found:?}, though it says {description:?}"
    );
}

/// The value of an attribute, if the object has it and shows it.
fn read(
    machine: &mut Machine,
    object: CK_OBJECT_HANDLE,
    type_: CK_ATTRIBUTE_TYPE,
) -> Option<Vec<u8>> {
    let (rv, len, _) = ask(machine, object, type_, None);
    if rv != CKR_OK {
        assert!(
            [
                CKR_ATTRIBUTE_SENSITIVE,
                CKR_ATTRIBUTE_TYPE_INVALID,
                CKR_OBJECT_HANDLE_INVALID
            ]
            .contains(&rv),
            "attribute {type_:#x} of a new object answered {rv:#x}"
        );
        return None;
    }
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    let (rv, filled, value) = ask(machine, object, type_, Some(len));
    assert_eq!(
        (rv, filled),
        (CKR_OK, len as CK_ULONG),
        "attribute {type_:#x}"
    );
    if let Some(less) = len.checked_sub(1) {
        let (rv, told, _) = ask(machine, object, type_, Some(less));
        let refused = (CKR_BUFFER_TOO_SMALL, CK_UNAVAILABLE_INFORMATION);
        assert_eq!(
            (rv, told),
            refused,
            "attribute {type_:#x} in too small a room"
        );
    }
    Some(value)
}

fn ask(
    machine: &mut Machine,
    object: CK_OBJECT_HANDLE,
    type_: CK_ATTRIBUTE_TYPE,
    room: Option<usize>,
) -> (CK_RV, CK_ULONG, Vec<u8>) {
    let mut arguments: Arguments = machine.in_session();
    arguments.number(object);
    let template = arguments.attributes(&[(type_, room)]);
    arguments.words.extend([template, 1]);
    let (rv, arguments) = machine.call_and_keep("C_GetAttributeValue", arguments);
    let filled = arguments.filled();
    let (len, value) = filled.first().copied().unwrap_or_default();
    (rv, len, value.to_vec())
}
