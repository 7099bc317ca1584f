//! The program's own settings: defaults in code < TOML files < environment < flags.
//!
//! One file per section. Nothing here reads a file, the environment or a command line: all layers are passed in.
//! Unknown keys are errors. Times are whole seconds and sizes bytes, unless a key says otherwise. What repositories
//! do is not configured here but kept in the catalog.

mod access;
mod cache;
mod deadlines;
mod environment;
mod gc;
mod load;
mod log;
mod postgresql;
mod redis;
mod s3;
mod section;
mod server;
mod store;
mod upstream;
mod value;

pub use self::access::Access;
pub use self::cache::Cache;
pub use self::deadlines::Deadlines;
pub use self::gc::Gc;
pub use self::load::{Loaded, Origin};
pub use self::log::{Log, LogFormat, LogLevel};
pub use self::postgresql::Postgresql;
pub use self::redis::Redis;
pub use self::s3::S3;
pub use self::server::{Bind, Server};
pub use self::store::Store;
pub use self::upstream::Upstream;

use self::section::Section;

/// All settings, one field per section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// `[store]`
    pub store: Store,
    /// `[postgresql]`
    pub postgresql: Postgresql,
    /// `[redis]`
    pub redis: Redis,
    /// `[s3]`
    pub s3: S3,
    /// `[deadlines]`
    pub deadlines: Deadlines,
    /// `[upstream]`
    pub upstream: Upstream,
    /// `[cache]`
    pub cache: Cache,
    /// `[gc]`
    pub gc: Gc,
    /// `[access]`
    pub access: Access,
    /// `[log]`
    pub log: Log,
}

impl Config {
    /// Every setting as its dotted key and its value as TOML writes it; secrets as `***`.
    pub fn settings(&self) -> Vec<(String, String)> {
        let dotted = |section: &dyn Section| {
            let name = section.name();
            let shown = section.show().into_iter();
            shown
                .map(move |(key, value)| (format!("{name}.{key}"), value))
                .collect::<Vec<_>>()
        };
        self.sections().into_iter().flat_map(dotted).collect()
    }

    fn sections(&self) -> [&dyn Section; 11] {
        [
            &self.server,
            &self.store,
            &self.postgresql,
            &self.redis,
            &self.s3,
            &self.deadlines,
            &self.upstream,
            &self.cache,
            &self.gc,
            &self.access,
            &self.log,
        ]
    }

    fn section_mut(&mut self, name: &str) -> Option<&mut dyn Section> {
        let sections: [&mut dyn Section; 11] = [
            &mut self.server,
            &mut self.store,
            &mut self.postgresql,
            &mut self.redis,
            &mut self.s3,
            &mut self.deadlines,
            &mut self.upstream,
            &mut self.cache,
            &mut self.gc,
            &mut self.access,
            &mut self.log,
        ];
        sections.into_iter().find(|section| section.name() == name)
    }
}

#[cfg(test)]
mod tests;
