//! What a section is to the loader, and the macro that declares one: struct, defaults and table in one place.

use super::value::Given;
use crate::fault::FieldError;

/// A section of the settings, by the names of its keys.
pub(super) trait Section {
    /// Its name, as in `[name]`.
    fn name(&self) -> &'static str;

    /// The names of its keys.
    fn keys(&self) -> &'static [&'static str];

    /// Sets one key; the error says what its value must be.
    fn set(&mut self, key: &str, value: Given<'_>) -> Result<(), String>;

    /// Every key with its value as TOML writes it.
    fn show(&self) -> Vec<(&'static str, String)>;

    /// What is wrong with the values together, by the names of keys.
    fn check(&self) -> Vec<FieldError>;
}

/// Declares a section. The type needs a method `validate(&self) -> Vec<FieldError>` besides.
macro_rules! section {
    ($(#[$about:meta])+ $type:ident = $name:literal {
        $($(#[$doc:meta])+ $key:ident: $value:ty = $default:expr;)+
    }) => {
        $(#[$about])+
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $type { $($(#[$doc])+ pub $key: $value,)+ }

        impl Default for $type {
            fn default() -> Self {
                Self { $($key: $default,)+ }
            }
        }

        impl $crate::config::section::Section for $type {
            fn name(&self) -> &'static str {
                $name
            }

            fn keys(&self) -> &'static [&'static str] {
                &[$(stringify!($key),)+]
            }

            fn set(&mut self, key: &str, value: $crate::config::value::Given<'_>) -> Result<(), String> {
                match key {
                    $(stringify!($key) => self.$key = $crate::config::value::Setting::read(value)?,)+
                    _ => return Err(format!("is unknown; [{}] has {}", $name, self.keys().join(", "))),
                }
                Ok(())
            }

            fn show(&self) -> Vec<(&'static str, String)> {
                vec![$((stringify!($key), $crate::config::value::Setting::show(&self.$key)),)+]
            }

            fn check(&self) -> Vec<$crate::fault::FieldError> {
                self.validate()
            }
        }
    };
}
pub(super) use section;

/// Complaints about the keys whose value is nought, where nought means nothing.
pub(super) fn positive(values: &[(&str, u64)]) -> Vec<FieldError> {
    let nought = values.iter().filter(|(_, value)| *value == 0);
    nought
        .map(|(key, _)| FieldError::new(*key, "must be at least 1"))
        .collect()
}
