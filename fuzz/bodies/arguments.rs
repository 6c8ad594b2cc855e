//! Arguments of C functions in memory of their own, and what has to be true of that memory after a call.
//!
//! What the module reads is exactly as long as it is told, so that a sanitizer sees what is read beyond; what it
//! writes lies between canaries.

use pkcs11_sys::*;

/// What stands where nothing was written.
const CANARY: u8 = 0xa5;
/// Bytes on each side of what may be written, a multiple of every alignment.
const GUARD: usize = 64;

/// The words and the memory of one call.
#[derive(Default)]
pub(super) struct Arguments {
    pub(super) words: Vec<usize>,
    /// Only to be read.
    inputs: Vec<Vec<u8>>,
    promises: Vec<Promise>,
}

/// Memory that a call may write.
struct Guarded {
    memory: Vec<u8>,
    before: Vec<u8>,
    start: usize,
    len: usize,
}

/// What a call owes to the memory it was given.
enum Promise {
    /// Written whole by a success, and by nothing else.
    Value(Guarded),
    /// May be written, within its bounds.
    Bounded(Guarded),
    /// As much of it is written by a success as `count` says then, in units of so many bytes; and nothing else.
    Counted {
        values: Option<Guarded>,
        count: Guarded,
        unit: usize,
        /// The count was the capacity, and tells what is needed when that is too small.
        is_capacity: bool,
    },
    /// By the rules of C_GetAttributeValue.
    Attributes {
        template: Guarded,
        values: Vec<Option<Guarded>>,
    },
}

impl Guarded {
    /// `shift` bytes away from alignment.
    fn new(contents: &[u8], shift: usize) -> Self {
        let start = GUARD + shift;
        let mut memory = vec![CANARY; start + contents.len() + GUARD];
        memory[start..start + contents.len()].copy_from_slice(contents);
        Self {
            before: memory.clone(),
            memory,
            start,
            len: contents.len(),
        }
    }

    fn address(&mut self) -> usize {
        self.memory.as_mut_ptr().wrapping_add(self.start) as usize
    }

    fn contents(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.len]
    }

    fn number(&self) -> CK_ULONG {
        self.contents()
            .first_chunk()
            .map_or(0, |bytes| CK_ULONG::from_le_bytes(*bytes))
    }

    fn is_untouched(&self) -> bool {
        self.is_untouched_beyond(0)
    }

    /// Whether nothing but the first bytes was written.
    fn is_untouched_beyond(&self, len: usize) -> bool {
        let end = self.start + len;
        len <= self.len
            && self.memory[..self.start] == self.before[..self.start]
            && self.memory[end..] == self.before[end..]
    }
}

impl Arguments {
    pub(super) fn word(&mut self, word: usize) {
        self.words.push(word);
    }

    pub(super) fn number(&mut self, number: CK_ULONG) {
        self.words.push(word(number));
    }

    /// The address of bytes to be read; that of nothing is not NULL.
    pub(super) fn input(&mut self, bytes: &[u8]) -> usize {
        self.inputs.push(bytes.to_vec());
        self.inputs
            .last()
            .map_or(0, |bytes| bytes.as_ptr() as usize)
    }

    /// The address of something to be written whole.
    pub(super) fn value(&mut self, contents: &[u8], shift: usize) -> usize {
        let mut memory = Guarded::new(contents, shift);
        let address = memory.address();
        self.promises.push(Promise::Value(memory));
        address
    }

    /// The address of something that may be written.
    pub(super) fn bounded(&mut self, contents: &[u8]) -> usize {
        let mut memory = Guarded::new(contents, 0);
        let address = memory.address();
        self.promises.push(Promise::Bounded(memory));
        address
    }

    /// The addresses of an output buffer, if there is one, and of its length, which is its capacity.
    pub(super) fn counted(
        &mut self,
        contents: Option<&[u8]>,
        unit: usize,
        shift: usize,
    ) -> (usize, usize) {
        let len = contents.map_or(0, <[u8]>::len);
        let count = CK_ULONG::try_from(len / unit).unwrap_or(0);
        self.counted_from(contents, unit, (count, shift), true)
    }

    /// The addresses of an output buffer, and of the number of values in it, which only the call tells.
    pub(super) fn found(&mut self, contents: &[u8], unit: usize) -> (usize, usize) {
        self.counted_from(Some(contents), unit, (CK_ULONG::MAX / 3, 0), false)
    }

    fn counted_from(
        &mut self,
        contents: Option<&[u8]>,
        unit: usize,
        (count, shift): (CK_ULONG, usize),
        is_capacity: bool,
    ) -> (usize, usize) {
        let mut values = contents.map(|contents| Guarded::new(contents, 0));
        let mut count = Guarded::new(&count.to_le_bytes(), shift);
        let addresses = (values.as_mut().map_or(0, Guarded::address), count.address());
        self.promises.push(Promise::Counted {
            values,
            count,
            unit,
            is_capacity,
        });
        addresses
    }

    /// The address of a template to be filled: types, and the rooms for their values.
    pub(super) fn attributes(&mut self, wanted: &[(CK_ATTRIBUTE_TYPE, Option<usize>)]) -> usize {
        let mut values = Vec::new();
        let mut words = Vec::new();
        for (type_, room) in wanted {
            let mut value = room.map(|len| Guarded::new(&vec![CANARY; len], 0));
            let address = value.as_mut().map_or(0, Guarded::address);
            words.extend([word(*type_), address, room.unwrap_or(usize::MAX / 3)]);
            values.push(value);
        }
        let bytes: Vec<u8> = words.into_iter().flat_map(usize::to_le_bytes).collect();
        let mut template = Guarded::new(&bytes, 0);
        let address = template.address();
        self.promises.push(Promise::Attributes { template, values });
        address
    }

    /// Panics when a promise is broken.
    pub(super) fn check(&self, name: &str, rv: CK_RV) {
        for promise in &self.promises {
            promise.check(name, rv);
        }
    }

    /// What was written into the only value of each promise, in order.
    pub(super) fn numbers(&self) -> impl Iterator<Item = CK_ULONG> {
        self.promises.iter().filter_map(|promise| match promise {
            Promise::Value(memory) => Some(memory.number()),
            _ => None,
        })
    }

    /// The handles that were found.
    pub(super) fn handles(&self) -> Vec<CK_ULONG> {
        let mut handles = Vec::new();
        for promise in &self.promises {
            if let Promise::Counted {
                values: Some(values),
                count,
                ..
            } = promise
            {
                let count = usize::try_from(count.number()).unwrap_or(usize::MAX);
                let all = values.contents().as_chunks().0.iter();
                handles.extend(all.take(count).map(|bytes| CK_ULONG::from_le_bytes(*bytes)));
            }
        }
        handles
    }

    /// The lengths and values of a template that was filled.
    pub(super) fn filled(&self) -> Vec<(CK_ULONG, &[u8])> {
        let templates = self.promises.iter().filter_map(|promise| match promise {
            Promise::Attributes { template, values } => Some((template, values)),
            _ => None,
        });
        let attribute = |(words, value): (&[[u8; 8]; 3], _)| {
            let value: &Option<Guarded> = value;
            let len = CK_ULONG::from_le_bytes(words[2]);
            let bytes = value.as_ref().map_or(&[][..], Guarded::contents);
            (len, bytes)
        };
        templates
            .flat_map(|(template, values)| words_of(template).iter().zip(values).map(attribute))
            .collect()
    }
}

impl Promise {
    fn check(&self, name: &str, rv: CK_RV) {
        match self {
            Self::Value(memory) => {
                let len = if rv == CKR_OK { memory.len } else { 0 };
                assert!(
                    memory.is_untouched_beyond(len),
                    "{name}, which answered {rv:#x}, wrote where it may not"
                );
            }
            Self::Bounded(memory) => assert!(
                memory.is_untouched_beyond(memory.len),
                "{name} wrote beyond a buffer"
            ),
            Self::Counted {
                values,
                count,
                unit,
                is_capacity,
            } => check_counted(name, rv, values.as_ref(), count, *unit, *is_capacity),
            Self::Attributes { template, values } => check_attributes(name, rv, template, values),
        }
    }
}

fn check_counted(
    name: &str,
    rv: CK_RV,
    values: Option<&Guarded>,
    count: &Guarded,
    unit: usize,
    is_capacity: bool,
) {
    let told = usize::try_from(count.number()).unwrap_or(usize::MAX);
    let len = values.map_or(0, |values| values.len);
    let is_too_small = rv == CKR_BUFFER_TOO_SMALL && is_capacity;
    assert!(
        count.is_untouched_beyond(count.len)
            && (rv == CKR_OK || is_too_small || count.is_untouched()),
        "{name}, which answered {rv:#x}, made {told} of the length"
    );
    let Some(values) = values else { return };
    assert!(
        !is_too_small || told > len / unit,
        "{name} finds {} too small for {told}",
        len / unit
    );
    let written = if rv == CKR_OK {
        told.saturating_mul(unit)
    } else {
        0
    };
    assert!(
        values.is_untouched_beyond(written),
        "{name}, which answered {rv:#x} and {told}, wrote more into room for {}",
        len / unit
    );
}

/// The rules of PKCS#11 5.7.5: every attribute is answered or unavailable, and the first refusal is the answer.
fn check_attributes(name: &str, rv: CK_RV, template: &Guarded, values: &[Option<Guarded>]) {
    assert!(
        template.is_untouched_beyond(template.len),
        "{name} wrote beyond the template"
    );
    let answered = [
        CKR_OK,
        CKR_ATTRIBUTE_SENSITIVE,
        CKR_ATTRIBUTE_TYPE_INVALID,
        CKR_BUFFER_TOO_SMALL,
    ];
    let mut unavailable = 0;
    for (words, value) in words_of(template).iter().zip(values) {
        let len = CK_ULONG::from_le_bytes(words[2]);
        let len = (len != CK_UNAVAILABLE_INFORMATION).then_some(word(len));
        unavailable += usize::from(len.is_none());
        if let Some(value) = value {
            let written = if answered.contains(&rv) {
                len.unwrap_or(0)
            } else {
                value.len
            };
            assert!(
                value.is_untouched_beyond(written),
                "{name}, which answered {rv:#x}, says {len:?} in room for {}",
                value.len
            );
        }
    }
    assert!(
        !answered.contains(&rv) || (rv == CKR_OK) == (unavailable == 0),
        "{name} answered {rv:#x} with {unavailable} attributes unavailable"
    );
}

fn words_of(template: &Guarded) -> &[[[u8; 8]; 3]] {
    let (words, _) = template.contents().as_chunks();
    words.as_chunks().0
}

/// A CK_ULONG as an argument.
pub(super) fn word(number: CK_ULONG) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
