//! The AWS implementation against `kms-emulator`.

use aws_config::ConfigLoader;

/// What a test has in place of the process's environment and files.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings;

impl Surroundings {
    pub(super) fn apply(&self, loader: ConfigLoader) -> ConfigLoader {
        loader
    }
}
