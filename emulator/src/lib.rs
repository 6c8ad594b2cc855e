//! AWS KMS on loopback, with real cryptography and programmable faults.
