//! The ports: what stores and upstream must offer. Engine and actors know only these traits.

pub mod blobs;
pub mod catalog;
pub mod hot;
pub mod upstream;

use std::io::{Read, Seek};
use std::pin::Pin;

use bytes::Bytes;

use crate::fault::Fault;

/// Result of a port's method.
pub type Result<T> = std::result::Result<T, Fault>;

/// Bytes arriving piece by piece. An item of `Err` ends the stream; what came before is not the whole.
pub type ByteStream = Pin<Box<dyn futures_core::Stream<Item = Result<Bytes>> + Send>>;

/// Random access to stored bytes, for formats; used on the blocking pool only.
pub trait ReadSeek: Read + Seek + Send {}

impl<T: Read + Seek + Send> ReadSeek for T {}
