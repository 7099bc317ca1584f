//! Values of settings: read from TOML or from text, shown as TOML.

use std::path::PathBuf;

use toml::Value;
use url::Url;

use crate::repository::Secret;

/// A value as some layer gave it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Given<'a> {
    /// From a file.
    Toml(&'a Value),
    /// From the environment or a flag.
    Text(&'a str),
}

impl<'a> Given<'a> {
    /// The text of it, if it is text.
    fn text(self) -> Result<&'a str, String> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Toml(Value::String(text)) => Ok(text),
            Self::Toml(_) => Err("must be a string".to_owned()),
        }
    }
}

/// A type that a setting may have.
pub(super) trait Setting: Sized {
    /// Reads a value; the error says what it must be.
    fn read(given: Given<'_>) -> Result<Self, String>;

    /// The value as TOML writes it; a secret as `***`.
    fn show(&self) -> String;
}

macro_rules! numbers {
    ($($type:ty),+) => {$(
        impl Setting for $type {
            fn read(given: Given<'_>) -> Result<Self, String> {
                let number = match given {
                    Given::Toml(value) => value.as_integer().and_then(|number| Self::try_from(number).ok()),
                    Given::Text(text) => text.trim().parse().ok(),
                };
                number.ok_or_else(|| "must be a whole number".to_owned())
            }

            fn show(&self) -> String {
                self.to_string()
            }
        }
    )+};
}
numbers!(u32, u64, usize);

impl Setting for bool {
    fn read(given: Given<'_>) -> Result<Self, String> {
        let value = match given {
            Given::Toml(value) => value.as_bool(),
            Given::Text(text) => text.trim().parse().ok(),
        };
        value.ok_or_else(|| "must be true or false".to_owned())
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Setting for String {
    fn read(given: Given<'_>) -> Result<Self, String> {
        given.text().map(str::to_owned)
    }

    fn show(&self) -> String {
        quoted(self)
    }
}

impl Setting for PathBuf {
    fn read(given: Given<'_>) -> Result<Self, String> {
        match given.text()? {
            "" => Err("must be a path".to_owned()),
            path => Ok(path.into()),
        }
    }

    fn show(&self) -> String {
        quoted(&self.to_string_lossy())
    }
}

impl Setting for Url {
    fn read(given: Given<'_>) -> Result<Self, String> {
        let read = given.text()?.parse();
        read.map_err(|error| format!("must be a URL: {error}"))
    }

    fn show(&self) -> String {
        quoted(self.as_str())
    }
}

impl Setting for Secret {
    fn read(given: Given<'_>) -> Result<Self, String> {
        given.text().map(|text| Self(text.to_owned()))
    }

    fn show(&self) -> String {
        quoted("***")
    }
}

/// Absent is written as an empty string.
impl<T: Setting> Setting for Option<T> {
    fn read(given: Given<'_>) -> Result<Self, String> {
        if given.text().is_ok_and(str::is_empty) {
            return Ok(None);
        }
        T::read(given).map(Some)
    }

    fn show(&self) -> String {
        self.as_ref().map_or_else(|| quoted(""), T::show)
    }
}

/// Text as TOML quotes it.
pub(super) fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

/// Declares an enum whose words are values of a setting.
macro_rules! words {
    ($(#[$about:meta])+ $type:ident { $($(#[$doc:meta])+ $variant:ident = $word:literal,)+ }) => {
        $(#[$about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $type { $($(#[$doc])+ $variant,)+ }

        impl $type {
            /// The word for it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl $crate::config::value::Setting for $type {
            fn read(given: $crate::config::value::Given<'_>) -> Result<Self, String> {
                match <String as $crate::config::value::Setting>::read(given)?.as_str() {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(format!("must be one of {}", [$($word),+].join(", "))),
                }
            }

            fn show(&self) -> String {
                $crate::config::value::quoted(self.as_str())
            }
        }
    };
}
pub(super) use words;
