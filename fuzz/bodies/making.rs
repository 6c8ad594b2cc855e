//! Arguments as the input says: good ones mostly, and all the others that C lets a caller give.

use pkcs11_sys::*;

use super::arguments::{Arguments, word};
use super::functions::Kind;
use super::input::Input;
use super::parameter;
use super::values;
use crate::mechanism::parameter_shape;

/// The handles that calls so far have answered.
pub(super) struct Known<'k> {
    pub(super) sessions: &'k [CK_SESSION_HANDLE],
    pub(super) objects: &'k [CK_OBJECT_HANDLE],
}

/// Appends the words of an argument.
pub(super) fn argument(
    kind: Kind,
    input: &mut Input<'_>,
    arguments: &mut Arguments,
    known: &Known<'_>,
) {
    // Now and then, where it is to be aligned, it is not.
    let shift = |input: &mut Input<'_>| usize::from(input.one_in(64));
    match kind {
        Kind::Session => arguments.number(values::handle(input, known.sessions)),
        Kind::Object => arguments.number(values::handle(input, known.objects)),
        Kind::Slot => arguments.number(input.choose(&[0, 0, 0, 1, 2, CK_ULONG::MAX])),
        Kind::Number => arguments.number(values::number(input)),
        Kind::Flags => arguments.number(input.choose(&[6, 6, 6, 4, 0, 2, CK_ULONG::MAX])),
        Kind::Reserved => arguments.word(usize::from(input.one_in(64))),
        Kind::Callback => arguments.word(0),
        Kind::DontWait => arguments.number(values::number(input) | CKF_DONT_BLOCK),
        Kind::Input => bytes(input, arguments),
        Kind::Bytes(len) => {
            let bytes = input.bytes(len);
            let is_whole = bytes.len() == len;
            let address = if is_whole { arguments.input(bytes) } else { 0 };
            arguments.word(address);
        }
        Kind::Text => {
            let text = input.choose(&[&b"PKCS 11\0"[..], b"\0", b"Vendor\0", b"PKCS 11 \0"]);
            let address = if input.one_in(4) {
                0
            } else {
                arguments.input(text)
            };
            arguments.word(address);
        }
        Kind::Value(len) => {
            let shift = shift(input);
            let is_null = input.one_in(32);
            let address = arguments.value(&vec![0xa5; len], shift);
            arguments.word(if is_null { 0 } else { address });
        }
        Kind::NewSession | Kind::NewObject => {
            let is_null = input.one_in(64);
            if is_null {
                arguments.word(0);
            } else {
                let shift = shift(input);
                let address = arguments.value(&[0xa5; size_of::<CK_ULONG>()], shift);
                arguments.word(address);
            }
        }
        Kind::Fill => match input.byte() {
            0 => arguments.words.extend([0, usize::from(input.byte())]),
            1 => {
                arguments.word(0);
                arguments.number(values::length(input));
            }
            byte => {
                let len = usize::from(byte) * if input.one_in(8) { 32 } else { 1 };
                let address = arguments.value(&vec![0xa5; len], 0);
                arguments.words.extend([address, len]);
            }
        },
        Kind::Output(unit) => output(input, arguments, unit, None),
        Kind::Transform => {
            if input.one_in(8) {
                // In place.
                let data = input.piece();
                let room = data.len() + usize::from(input.byte() % 64);
                let at = arguments.words.len();
                arguments.words.extend([0, data.len()]);
                output(input, arguments, 1, Some((data, room)));
                arguments.words[at] = arguments.words[at + 2];
            } else {
                bytes(input, arguments);
                output(input, arguments, 1, None);
            }
        }
        Kind::Found => {
            let most = usize::from(input.byte() % 8);
            let len = most * size_of::<CK_ULONG>();
            let (buffer, count) = arguments.found(&vec![0xa5; len], size_of::<CK_ULONG>());
            let buffer = if input.one_in(32) { 0 } else { buffer };
            arguments.words.extend([buffer, most, count]);
        }
        Kind::Template => values::template(input, arguments),
        Kind::Wanted => values::wanted(input, arguments),
        Kind::Mechanism => mechanism(input, arguments, known),
        Kind::MessageParameter => {
            let (address, len) = parameter::of_message(input, arguments);
            arguments.words.extend([address, len]);
        }
        Kind::InitializeArguments => {
            let flags = values::number(input);
            let reserved = input.choose(&[0, 0, 1]) * arguments.input(b"config=/dev/null\0");
            let words = [0, 0, 0, 0, word(flags), reserved];
            let bytes: Vec<u8> = words.into_iter().flat_map(usize::to_le_bytes).collect();
            let address = arguments.input(&bytes);
            arguments.word(if input.one_in(4) { 0 } else { address });
        }
    }
}

/// The address and length of bytes to be read.
fn bytes(input: &mut Input<'_>, arguments: &mut Arguments) {
    match input.byte() {
        0 => arguments.words.extend([0, 0]),
        1 => {
            arguments.word(0);
            arguments.number(values::length(input));
        }
        2 => {
            let address = arguments.input(&[]);
            arguments
                .words
                .extend([address, usize::MAX - usize::from(input.byte())]);
        }
        byte @ 3..128 => {
            // The lengths of digests, signatures and ciphertexts.
            const LENGTHS: [usize; 12] = [16, 20, 28, 32, 48, 64, 72, 96, 132, 256, 2420, 1088];
            let len = LENGTHS[usize::from(byte) % LENGTHS.len()];
            let mut bytes = input.bytes(8).to_vec();
            bytes.resize(len, byte);
            let address = arguments.input(&bytes);
            arguments.words.extend([address, len]);
        }
        128..160 => {
            let known = values::known(input);
            let address = arguments.input(known);
            arguments.words.extend([address, known.len()]);
        }
        _ => {
            let piece = input.piece();
            let address = arguments.input(piece);
            arguments.words.extend([address, piece.len()]);
        }
    }
}

/// A buffer, which may begin with data, and its length; or the question how long it has to be.
fn output(
    input: &mut Input<'_>,
    arguments: &mut Arguments,
    unit: usize,
    in_place: Option<(&[u8], usize)>,
) {
    let shift = usize::from(input.one_in(64));
    if let Some((data, room)) = in_place {
        let mut contents = data.to_vec();
        contents.resize(room, 0xa5);
        let (buffer, count) = arguments.counted(Some(&contents), unit, shift);
        return arguments.words.extend([buffer, count]);
    }
    let room = match input.byte() {
        0..48 => None,
        48 => Some(0),
        byte @ 49..160 => Some(usize::from(byte)),
        _ => Some(6144 / unit),
    };
    let contents = room.map(|room| vec![0xa5; room * unit]);
    let (buffer, count) = arguments.counted(contents.as_deref(), unit, shift);
    let count = if input.one_in(64) { 0 } else { count };
    arguments.words.extend([buffer, count]);
}

fn mechanism(input: &mut Input<'_>, arguments: &mut Arguments, known: &Known<'_>) {
    let type_ = values::mechanism(input);
    let shape = parameter_shape(type_);
    let (address, len) = if input.one_in(4) {
        (0, 0)
    } else {
        parameter::parameter(input, arguments, shape, known.objects)
    };
    let words = [word(type_), address, len];
    let bytes: Vec<u8> = words.into_iter().flat_map(usize::to_le_bytes).collect();
    let address = arguments.input(&bytes);
    arguments.word(match input.byte() {
        0 => 0,
        1 => address + 1,
        _ => address,
    });
}
