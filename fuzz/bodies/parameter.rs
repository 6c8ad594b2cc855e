//! Mechanism parameters: the structures of the specification, field by field, in memory of exactly their size.

use pkcs11_sys::*;

use super::arguments::{Arguments, word};
use super::input::Input;
use super::values;
use crate::mechanism::parameter::Shape;

/// A field of a structure: 8 bytes with its padding, as 64-bit targets have them all.
#[derive(Clone, Copy)]
enum Field {
    Number,
    Object,
    /// A pointer to bytes, of which the next field is the length.
    Bytes,
    /// A length, and the next field is the pointer to as many bytes.
    LengthOf,
    /// A pointer to another structure.
    Inner(&'static [Field]),
}

use Field::{Bytes, Inner, LengthOf, Number, Object};

const OAEP: &[Field] = &[Number, Number, Number, Bytes];

fn fields(shape: Shape) -> &'static [Field] {
    match shape {
        Shape::None | Shape::Bytes => &[],
        Shape::Ulong => &[Number],
        Shape::Pss | Shape::AesCtr => &[Number, Number, Number],
        Shape::Oaep => OAEP,
        Shape::RsaAes => &[Number, Inner(OAEP)],
        Shape::EdDsa => &[Number, LengthOf],
        Shape::SignContext => &[Number, Bytes],
        Shape::HashSignContext => &[Number, Bytes, Number],
        Shape::Gcm => &[Bytes, Number, Bytes, Number],
        Shape::Ecdh => &[Number, LengthOf, LengthOf],
        Shape::Hkdf => &[Number, Number, Number, Bytes, Object, Bytes],
        Shape::KmsSymmetric => &[Object, Bytes],
        Shape::KmsReEncrypt => &[Object, Bytes, Bytes],
    }
}

/// The address and length of a parameter.
pub(super) fn parameter(
    input: &mut Input<'_>,
    arguments: &mut Arguments,
    shape: Shape,
    objects: &[CK_OBJECT_HANDLE],
) -> (usize, usize) {
    let bytes = match input.byte() {
        0 => return (0, 0),
        // Bytes without meaning, which must not be as long as the structure: its pointers would lead anywhere.
        1 => match input.piece() {
            bytes if bytes.len() == 8 * structure_words(fields(shape)) => &[],
            bytes => bytes,
        }
        .to_vec(),
        2 => return (0, word(values::length(input))),
        3 => return (arguments.input(&[]), usize::MAX - usize::from(input.byte())),
        _ if shape == Shape::Bytes => initialisation_vector(input),
        _ => structure(input, arguments, fields(shape), objects),
    };
    (arguments.input(&bytes), bytes.len())
}

fn structure_words(fields: &[Field]) -> usize {
    let words = |field: &Field| match field {
        Bytes | LengthOf => 2,
        Number | Object | Inner(_) => 1,
    };
    fields.iter().map(words).sum()
}

fn structure(
    input: &mut Input<'_>,
    arguments: &mut Arguments,
    fields: &[Field],
    objects: &[CK_OBJECT_HANDLE],
) -> Vec<u8> {
    let mut words = Vec::new();
    for field in fields {
        match field {
            Number => words.push(word(values::number(input))),
            Object => words.push(word(values::handle(input, objects))),
            Bytes => {
                let (address, len) = bytes(input, arguments);
                words.extend([address, len]);
            }
            LengthOf => {
                let (address, len) = bytes(input, arguments);
                words.extend([len, address]);
            }
            Inner(fields) => {
                let inner = structure(input, arguments, fields, objects);
                words.push(if input.one_in(16) {
                    0
                } else {
                    arguments.input(&inner)
                });
            }
        }
    }
    words.into_iter().flat_map(usize::to_le_bytes).collect()
}

/// The address and length of bytes that a structure points to.
fn bytes(input: &mut Input<'_>, arguments: &mut Arguments) -> (usize, usize) {
    match input.byte() {
        0 => (0, 0),
        1 => (0, usize::from(input.byte())),
        2 => (arguments.input(&[]), usize::MAX - usize::from(input.byte())),
        3 => (arguments.input(&[]), 0),
        4..64 => {
            let value = values::known(input);
            (arguments.input(value), value.len())
        }
        _ => {
            let piece = input.piece();
            (arguments.input(piece), piece.len())
        }
    }
}

fn initialisation_vector(input: &mut Input<'_>) -> Vec<u8> {
    if input.one_in(4) {
        return input.piece().to_vec();
    }
    let mut vector = input.bytes(16).to_vec();
    vector.resize(16, 0);
    vector
}

/// The address and length of CK_GCM_MESSAGE_PARAMS, whose vector and tag may be written.
pub(super) fn of_message(input: &mut Input<'_>, arguments: &mut Arguments) -> (usize, usize) {
    const IV: usize = 12;
    // As long as any tag of the mode.
    const TAG: usize = 16;
    let len = match input.byte() {
        0 => return (0, 0),
        1 => word(values::number(input)),
        _ => IV,
    };
    let iv = if input.one_in(16) {
        0
    } else {
        arguments.bounded(&[7; IV])
    };
    let (fixed_bits, generator) = if input.one_in(2) {
        (values::number(input), values::number(input))
    } else {
        (0, CKG_NO_GENERATE)
    };
    let tag = if input.one_in(16) {
        0
    } else {
        arguments.bounded(&[9; TAG])
    };
    let tag_bits = if input.one_in(4) {
        values::number(input)
    } else {
        128
    };
    let words = [
        iv,
        len,
        word(fixed_bits),
        word(generator),
        tag,
        word(tag_bits),
    ];
    let mut bytes: Vec<u8> = words.into_iter().flat_map(usize::to_le_bytes).collect();
    if input.one_in(32) {
        bytes.truncate(usize::from(input.byte()) % bytes.len());
    }
    (arguments.input(&bytes), bytes.len())
}
