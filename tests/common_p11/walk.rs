//! A random walk over all functions of the module, with arguments that no well-meaning caller would give.
//!
//! What the walk keeps to is what C itself demands: a pointer is NULL or to mapped memory, and a length is one
//! that the memory has or that no memory can have.

use cryptoki_sys::*;
use fastrand::Rng;

use super::attribute::{id, label};
use super::{Module, names};

/// Bytes at which pointers begin, and bytes that lie behind each.
const STARTS: usize = 4096;
const BEHIND: usize = 8192;

/// What an argument is made of.
#[derive(Clone, Copy)]
enum Kind {
    Session,
    Object,
    Slot,
    Number,
    Flags,
    /// A pointer to something to be written, or to nothing.
    Out,
    /// A pointer and a number of bytes.
    Input,
    /// A pointer, and a pointer to the number of bytes or values there.
    Output,
    /// A pointer to handles and their number.
    Handles,
    Template,
    Mechanism,
    /// A NUL-terminated string.
    Text,
    /// A pointer that has to be NULL, at most times.
    Reserved,
}

use Kind::*;

/// The functions that look at their arguments. The others get words without meaning.
const FUNCTIONS: &[(&str, &[Kind])] = &[
    ("C_GetInfo", &[Out]),
    ("C_GetFunctionList", &[Out]),
    ("C_GetSlotList", &[Number, Output]),
    ("C_GetSlotInfo", &[Slot, Out]),
    ("C_GetTokenInfo", &[Slot, Out]),
    ("C_GetMechanismList", &[Slot, Output]),
    ("C_GetMechanismInfo", &[Slot, Number, Out]),
    ("C_OpenSession", &[Slot, Flags, Reserved, Reserved, Out]),
    ("C_CloseSession", &[Session]),
    ("C_CloseAllSessions", &[Slot]),
    ("C_GetSessionInfo", &[Session, Out]),
    ("C_Login", &[Session, Number, Input]),
    ("C_Logout", &[Session]),
    ("C_CreateObject", &[Session, Template, Out]),
    ("C_CopyObject", &[Session, Object, Template, Out]),
    ("C_DestroyObject", &[Session, Object]),
    ("C_GetObjectSize", &[Session, Object, Out]),
    ("C_GetAttributeValue", &[Session, Object, Template]),
    ("C_SetAttributeValue", &[Session, Object, Template]),
    ("C_FindObjectsInit", &[Session, Template]),
    ("C_FindObjects", &[Session, Handles, Out]),
    ("C_FindObjectsFinal", &[Session]),
    ("C_EncryptInit", &[Session, Mechanism, Object]),
    ("C_Encrypt", &[Session, Input, Output]),
    ("C_DecryptInit", &[Session, Mechanism, Object]),
    ("C_Decrypt", &[Session, Input, Output]),
    ("C_DigestInit", &[Session, Mechanism]),
    ("C_Digest", &[Session, Input, Output]),
    ("C_DigestUpdate", &[Session, Input]),
    ("C_DigestFinal", &[Session, Output]),
    ("C_SignInit", &[Session, Mechanism, Object]),
    ("C_Sign", &[Session, Input, Output]),
    ("C_SignUpdate", &[Session, Input]),
    ("C_SignFinal", &[Session, Output]),
    ("C_VerifyInit", &[Session, Mechanism, Object]),
    ("C_Verify", &[Session, Input, Input]),
    ("C_VerifyUpdate", &[Session, Input]),
    ("C_VerifyFinal", &[Session, Input]),
    (
        "C_GenerateKeyPair",
        &[Session, Mechanism, Template, Template, Out, Out],
    ),
    ("C_GenerateKey", &[Session, Mechanism, Template, Out]),
    ("C_SeedRandom", &[Session, Input]),
    ("C_GenerateRandom", &[Session, Input]),
    ("C_GetFunctionStatus", &[Session]),
    ("C_CancelFunction", &[Session]),
    ("C_GetInterfaceList", &[Output]),
    ("C_GetInterface", &[Text, Out, Out, Flags]),
    ("C_MessageEncryptInit", &[Session, Mechanism, Object]),
    ("C_EncryptMessage", &[Session, Input, Input, Input, Output]),
    ("C_EncryptMessageBegin", &[Session, Input, Input]),
    (
        "C_EncryptMessageNext",
        &[Session, Input, Input, Output, Flags],
    ),
    ("C_MessageEncryptFinal", &[Session]),
    ("C_MessageDecryptInit", &[Session, Mechanism, Object]),
    ("C_DecryptMessage", &[Session, Input, Input, Input, Output]),
    ("C_DecryptMessageBegin", &[Session, Input, Input]),
    (
        "C_DecryptMessageNext",
        &[Session, Input, Input, Output, Flags],
    ),
    ("C_MessageDecryptFinal", &[Session]),
    ("C_MessageSignInit", &[Session, Mechanism, Object]),
    ("C_SignMessage", &[Session, Input, Input, Output]),
    ("C_SignMessageBegin", &[Session, Input]),
    ("C_SignMessageNext", &[Session, Input, Input, Output]),
    ("C_MessageSignFinal", &[Session]),
    ("C_MessageVerifyInit", &[Session, Mechanism, Object]),
    ("C_VerifyMessage", &[Session, Input, Input, Input]),
    ("C_VerifyMessageBegin", &[Session, Input]),
    ("C_VerifyMessageNext", &[Session, Input, Input, Input]),
    ("C_MessageVerifyFinal", &[Session]),
    (
        "C_VerifySignatureInit",
        &[Session, Mechanism, Object, Input],
    ),
    ("C_VerifySignature", &[Session, Input]),
    ("C_VerifySignatureUpdate", &[Session, Input]),
    ("C_VerifySignatureFinal", &[Session]),
];

/// Not called by the walk: they end what its other threads need.
const LEFT_OUT: [&str; 2] = ["C_Initialize", "C_Finalize"];

/// Called now and then: they end what the next calls could have gone on with.
const RARE: [&str; 3] = ["C_CloseSession", "C_CloseAllSessions", "C_DestroyObject"];

/// Mechanisms that lead somewhere.
const MECHANISMS: &[CK_MECHANISM_TYPE] = &[
    CKM_ECDSA,
    CKM_ECDSA_SHA256,
    CKM_RSA_PKCS,
    CKM_SHA256_RSA_PKCS,
    CKM_RSA_PKCS_OAEP,
    CKM_SHA256,
    CKM_EC_KEY_PAIR_GEN,
];

/// RSAES-OAEP with SHA-256 and without a label.
static OAEP: [CK_ULONG; 5] = [CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, 0, 0];

/// Types of attributes, mechanisms, users: small numbers, and what programs really use.
const NUMBERS: &[CK_ULONG] = &[
    0,
    1,
    CKA_LABEL,
    CKA_ID,
    CKA_KEY_TYPE,
    CKA_TOKEN,
    CKA_EC_PARAMS,
    CKA_MODULUS_BITS,
    CKA_VALUE,
    CKA_SIGN,
    CKM_RSA_PKCS,
    CKM_RSA_PKCS_KEY_PAIR_GEN,
    CKM_SHA256_RSA_PKCS,
    CKM_RSA_PKCS_PSS,
    CKM_RSA_PKCS_OAEP,
    CKM_ECDSA,
    CKM_ECDSA_SHA256,
    CKM_EC_KEY_PAIR_GEN,
    CKM_SHA256,
    CK_ULONG::MAX,
    1 << 63,
];

type Function = unsafe extern "C" fn(
    usize,
    usize,
    usize,
    usize,
    usize,
    usize,
    usize,
    usize,
    usize,
    usize,
) -> CK_RV;

/// One walker: its memory and what it found on its way.
pub(crate) struct Walk<'m> {
    module: &'m Module,
    rng: Rng,
    functions: Vec<(&'static str, Function)>,
    memory: Vec<u64>,
    sessions: Vec<CK_SESSION_HANDLE>,
    objects: Vec<CK_OBJECT_HANDLE>,
    templates: Vec<Vec<CK_ATTRIBUTE>>,
    mechanism: CK_MECHANISM,
}

impl<'m> Walk<'m> {
    pub(crate) fn new(module: &'m Module, seed: u64) -> Self {
        let names = [&names::V2_40[..], &names::SINCE_3_0, &names::SINCE_3_2].concat();
        let list = module
            .interface(3, 2)
            .unwrap()
            .pFunctionList
            .cast::<Function>();
        let function = |index: usize| {
            // SAFETY: the list is a CK_VERSION, padded to a pointer's size, and a function for each name.
            unsafe { *list.add(1 + index) }
        };
        let functions = names.into_iter().enumerate();
        let mut rng = Rng::with_seed(seed);
        Self {
            module,
            functions: functions
                .map(|(index, name)| (name, function(index)))
                .collect(),
            memory: (0..(STARTS + BEHIND) / 8).map(|_| rng.u64(..)).collect(),
            rng,
            sessions: Vec::new(),
            objects: Vec::new(),
            templates: Vec::new(),
            mechanism: CK_MECHANISM {
                mechanism: 0,
                pParameter: std::ptr::null_mut(),
                ulParameterLen: 0,
            },
        }
    }

    /// Calls one function, any of them; answers its name and what it answered.
    pub(crate) fn step(&mut self) -> (&'static str, CK_RV) {
        if self.sessions.is_empty() || self.rng.u8(..) < 8 {
            self.look_around();
        }
        let (name, function) = loop {
            let (name, function) = self.functions[self.rng.usize(..self.functions.len())];
            let by_name = FUNCTIONS.iter().any(|(known, _)| *known == name);
            // Most functions are not built, and of no interest most times.
            let chance = if by_name && !RARE.contains(&name) {
                255
            } else {
                16
            };
            if !LEFT_OUT.contains(&name) && self.rng.u8(..) < chance {
                break (name, function);
            }
        };
        self.templates.clear();
        let kinds = FUNCTIONS.iter().find(|(known, _)| *known == name);
        let mut words: Vec<usize> = match kinds {
            Some((_, kinds)) => kinds.iter().flat_map(|kind| self.argument(*kind)).collect(),
            None => Vec::new(),
        };
        words.resize_with(10, || self.rng.usize(..));
        let w = words;
        // SAFETY: pointers are NULL, or to memory of this walker or of the library, and the lengths beside them
        // are ones that this memory has or that the module has to refuse. Functions that take more than words
        // without meaning are in the table.
        let rv = unsafe { function(w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7], w[8], w[9]) };
        (name, rv)
    }

    /// Opens a session and finds keys, so that some calls get further than their handles.
    fn look_around(&mut self) {
        let flags = CKF_SERIAL_SESSION | if self.rng.bool() { CKF_RW_SESSION } else { 0 };
        let slot = self.rng.u64(..2) as CK_SLOT_ID;
        // Another walker may close all sessions at any time.
        let Ok(session) = self.module.open(slot, flags) else {
            return;
        };
        if self.objects.len() < 4 {
            let name = [self.rng.u8(..)];
            session.generate_p256(name, name).ok();
        }
        let template = match self.rng.u8(..3) {
            0 => vec![label([self.rng.u8(..)])],
            1 => vec![id([self.rng.u8(..)])],
            _ => Vec::new(),
        };
        if let Ok(found) = session.find(&template) {
            self.objects.extend(found);
        }
        self.sessions.push(session.handle);
        keep_last(&mut self.sessions, 8);
        keep_last(&mut self.objects, 16);
    }

    fn argument(&mut self, kind: Kind) -> Vec<usize> {
        match kind {
            Session => vec![self.handle(|walk| &walk.sessions)],
            Object => vec![self.handle(|walk| &walk.objects)],
            Slot => vec![[0, 1, 2, usize::MAX][self.rng.usize(..4)]],
            Number => vec![self.number()],
            Flags => vec![[4, 6, 0, 2, usize::MAX][self.rng.usize(..5)]],
            Out => vec![self.pointer(8)],
            Input => vec![self.pointer(1), self.length()],
            Handles => vec![self.pointer(8), self.length() / 8],
            Output => {
                let room = [0, 8, 64, 256, BEHIND / 8, usize::MAX][self.rng.usize(..6)];
                let count = self.pointer(8);
                if count.is_multiple_of(8) && count != 0 {
                    let index = (count - self.memory.as_ptr() as usize) / 8;
                    self.memory[index] = room as u64;
                }
                vec![self.pointer(8), count]
            }
            Template => self.template(),
            Mechanism => vec![self.mechanism()],
            Text => {
                let texts = [c"PKCS 11", c"", c"Vendor", c"PKCS 11 "];
                let text = texts[self.rng.usize(..4)].as_ptr() as usize;
                vec![if self.rng.bool() { text } else { 0 }]
            }
            Reserved => vec![0],
        }
    }

    fn handle(&mut self, known: impl Fn(&Self) -> &Vec<CK_ULONG>) -> usize {
        let at = self.rng.usize(..);
        let known = known(self);
        let handle = match known.len() {
            len if len > 0 && !at.is_multiple_of(8) => known[at % len],
            _ => NUMBERS[at % NUMBERS.len()],
        };
        usize::try_from(handle).unwrap()
    }

    fn number(&mut self) -> usize {
        let number = match self.rng.u8(..8) {
            0 => self.rng.u64(..) as CK_ULONG,
            1 => self.rng.u64(..0x1100) as CK_ULONG,
            _ => NUMBERS[self.rng.usize(..NUMBERS.len())],
        };
        usize::try_from(number).unwrap()
    }

    /// A pointer to memory of this walker: NULL, not aligned, or aligned as said.
    fn pointer(&mut self, aligned: usize) -> usize {
        let start = self.memory.as_ptr() as usize;
        let offset = self.rng.usize(..STARTS);
        match self.rng.u8(..8) {
            0 => 0,
            1 => start + offset,
            _ => start + offset / aligned * aligned,
        }
    }

    /// Bytes that are there behind every pointer, or more than there can be anywhere.
    fn length(&mut self) -> usize {
        match self.rng.u8(..10) {
            0 => usize::MAX,
            1 => isize::MAX as usize + 1 + self.rng.usize(..64),
            2 => 0,
            3 => BEHIND,
            4..6 => [20, 28, 32, 48, 64][self.rng.usize(..5)],
            6 => 256,
            _ => self.rng.usize(..300),
        }
    }

    fn template(&mut self) -> Vec<usize> {
        let count = self.rng.usize(..6);
        let attributes = (0..count)
            .map(|_| CK_ATTRIBUTE {
                type_: self.number() as CK_ULONG,
                pValue: self.pointer(1) as *mut _,
                ulValueLen: if self.rng.bool() { self.length() } else { 8 } as CK_ULONG,
            })
            .collect();
        self.templates.push(attributes);
        let attributes = self
            .templates
            .last_mut()
            .map_or(0, |template| template.as_mut_ptr() as usize);
        match self.rng.u8(..12) {
            0 => vec![0, count],
            1 => vec![attributes + 1, count],
            2 => vec![attributes, usize::MAX],
            3 => vec![
                attributes,
                isize::MAX as usize / size_of::<CK_ATTRIBUTE>() + 1,
            ],
            _ => vec![attributes, count],
        }
    }

    fn mechanism(&mut self) -> usize {
        let lengths = [0, 0, 24, 40, usize::MAX];
        self.mechanism = CK_MECHANISM {
            mechanism: self.number() as CK_ULONG,
            pParameter: self.pointer(1) as *mut _,
            ulParameterLen: lengths[self.rng.usize(..5)] as CK_ULONG,
        };
        if self.rng.u8(..4) > 0 {
            let type_ = MECHANISMS[self.rng.usize(..MECHANISMS.len())];
            let parameter = if type_ == CKM_RSA_PKCS_OAEP {
                &OAEP[..]
            } else {
                &[]
            };
            self.mechanism = CK_MECHANISM {
                mechanism: type_,
                pParameter: parameter.as_ptr().cast_mut().cast(),
                ulParameterLen: size_of_val(parameter) as CK_ULONG,
            };
        }
        let mechanism = std::ptr::from_mut(&mut self.mechanism) as usize;
        match self.rng.u8(..16) {
            0 => mechanism + 1,
            1 => 0,
            _ => mechanism,
        }
    }
}

fn keep_last<T>(all: &mut Vec<T>, most: usize) {
    all.drain(..all.len().saturating_sub(most));
}
