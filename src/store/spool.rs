//! Spools: where the bytes of a flight or an upload are while it lasts. One writer, any number of readers, each at
//! its own offset. Small ones stay in memory, larger ones go to a temporary file without a name, so that nothing is
//! left of them when the process ends. The latest bytes stay at hand, shared by all who read close behind the writer.
//!
//! All calls block for as long as memory or a local disk takes; nothing here waits for bytes to arrive. Who wants
//! to follow a growing spool learns its length from whoever feeds it.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use artifactapi_core::Time;
use artifactapi_core::port::ReadSeek;
use bytes::Bytes;

use crate::folder;

/// Bytes that a spool keeps in memory before it moves to disk.
const IN_MEMORY: u64 = 1 << 20;

/// Makes spools in one folder.
#[derive(Clone, Debug)]
pub struct Spools {
    dir: PathBuf,
    in_memory: u64,
}

impl Spools {
    /// Spools that move to `dir` beyond 1 MiB. The folder is made when it is first needed.
    pub fn new(dir: PathBuf) -> Self {
        Self::with_memory(dir, IN_MEMORY)
    }

    /// Spools that move to `dir` beyond `in_memory` bytes.
    pub fn with_memory(dir: PathBuf, in_memory: u64) -> Self {
        Self { dir, in_memory }
    }

    /// A new, empty spool.
    pub fn spool(&self) -> Spool {
        Spool {
            spools: self.clone(),
            len: AtomicU64::new(0),
            writer: Mutex::new(()),
            place: RwLock::new(Place::Memory(Vec::new())),
            latest: RwLock::new(VecDeque::new()),
        }
    }

    /// The folder for those that do not fit into memory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Names of files left in the folder since before `older_than`. A spool's file has no name; only a crash between
    /// its making and its unlinking leaves one, on file systems that cannot make files without names.
    pub fn leftovers(&self, older_than: Time) -> io::Result<Vec<String>> {
        folder::files_older_than(&self.dir, older_than)
    }

    /// Removes what [`leftovers`](Self::leftovers) lists; gives their number.
    pub fn sweep(&self, older_than: Time) -> io::Result<u64> {
        folder::remove_older_than(&self.dir, older_than)
    }

    /// A file in the folder that has no name.
    fn file(&self) -> io::Result<File> {
        fs::create_dir_all(&self.dir)?;
        tempfile::tempfile_in(&self.dir)
    }
}

/// Bytes on their way. Dropped, it is gone.
#[derive(Debug)]
pub struct Spool {
    spools: Spools,
    /// Bytes that readers may see; raised after they are in place.
    len: AtomicU64,
    writer: Mutex<()>,
    place: RwLock<Place>,
    /// The latest pieces with their offsets, together no more than what may be in memory.
    latest: RwLock<VecDeque<(u64, Bytes)>>,
}

#[derive(Debug)]
enum Place {
    Memory(Vec<u8>),
    Disk(File),
}

impl Spool {
    /// Appends bytes; gives the new length. After an error the length is what it was.
    pub fn append(&self, bytes: &[u8]) -> io::Result<u64> {
        let _one_writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let at = self.len();
        let len = at.saturating_add(bytes.len() as u64);
        if len <= self.spools.in_memory || !self.in_memory() {
            self.put(at, bytes)?;
        } else {
            self.spill(bytes)?;
        }
        self.remember(at, bytes);
        self.len.store(len, Ordering::Release);
        Ok(len)
    }

    /// Keeps a piece at hand, and lets go of what lies too far back.
    fn remember(&self, at: u64, bytes: &[u8]) {
        let mut latest = self.latest.write().unwrap_or_else(PoisonError::into_inner);
        latest.push_back((at, Bytes::copy_from_slice(bytes)));
        let end = at.saturating_add(bytes.len() as u64);
        while latest
            .front()
            .is_some_and(|(from, _)| end - from > self.spools.in_memory)
        {
            latest.pop_front();
        }
    }

    /// At most `max` bytes from the offset `at`, if they were written lately. Shares them instead of copying, and
    /// waits for no disk.
    pub fn latest(&self, at: u64, max: usize) -> Option<Bytes> {
        let latest = self.latest.read().unwrap_or_else(PoisonError::into_inner);
        let next = latest.partition_point(|(from, _)| *from <= at);
        let (from, piece) = latest.get(next.checked_sub(1)?)?;
        let skip = usize::try_from(at - from)
            .ok()
            .filter(|skip| *skip < piece.len())?;
        Some(piece.slice(skip..piece.len().min(skip.saturating_add(max))))
    }

    /// At most `max` bytes from the offset `at`; empty at or beyond the present end. May give fewer than `max`
    /// only at the present end.
    pub fn read_at(&self, at: u64, max: usize) -> io::Result<Bytes> {
        let rest = usize::try_from(self.len().saturating_sub(at)).unwrap_or(usize::MAX);
        let want = rest.min(max);
        if want == 0 {
            return Ok(Bytes::new());
        }
        match &*self.place.read().unwrap_or_else(PoisonError::into_inner) {
            Place::Memory(held) => held_at(held, at, want).map(Bytes::copy_from_slice),
            Place::Disk(file) => {
                let bytes = folder::read_at(file, at, want)?;
                if bytes.len() < want {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                Ok(bytes.into())
            }
        }
    }

    /// Its present length in bytes.
    pub fn len(&self) -> u64 {
        self.len.load(Ordering::Acquire)
    }

    /// Whether nothing was appended yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether its bytes are in memory still.
    pub fn in_memory(&self) -> bool {
        matches!(
            *self.place.read().unwrap_or_else(PoisonError::into_inner),
            Place::Memory(_)
        )
    }

    /// A reader over it, for whoever reads files. Its end is the present end at each read.
    pub fn source(self: &Arc<Self>) -> Box<dyn ReadSeek> {
        Box::new(Source {
            spool: Arc::clone(self),
            at: 0,
        })
    }

    /// Puts bytes where the others are.
    fn put(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        if let Place::Disk(file) = &*self.place.read().unwrap_or_else(PoisonError::into_inner) {
            return file.write_all_at(bytes, at);
        }
        if let Place::Memory(held) = &mut *self.place.write().unwrap_or_else(PoisonError::into_inner) {
            held.extend_from_slice(bytes);
        }
        Ok(())
    }

    /// Moves to disk, with `bytes` after what is in memory.
    fn spill(&self, bytes: &[u8]) -> io::Result<()> {
        let file = self.spools.file()?;
        if let Place::Memory(held) = &*self.place.read().unwrap_or_else(PoisonError::into_inner) {
            file.write_all_at(held, 0)?;
            file.write_all_at(bytes, held.len() as u64)?;
        }
        *self.place.write().unwrap_or_else(PoisonError::into_inner) = Place::Disk(file);
        Ok(())
    }

    /// Fills `into` from the offset `at`; all of it must lie before the present end.
    fn read_into(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        if into.is_empty() {
            return Ok(());
        }
        match &*self.place.read().unwrap_or_else(PoisonError::into_inner) {
            Place::Disk(file) => file.read_exact_at(into, at),
            Place::Memory(held) => {
                into.copy_from_slice(held_at(held, at, into.len())?);
                Ok(())
            }
        }
    }
}

/// `len` bytes at the offset `at` of what is in memory.
fn held_at(held: &[u8], at: u64, len: usize) -> io::Result<&[u8]> {
    let from = usize::try_from(at).unwrap_or(usize::MAX);
    held.get(from..from.saturating_add(len))
        .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// A reader with its own offset.
struct Source {
    spool: Arc<Spool>,
    at: u64,
}

impl Read for Source {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(self.spool.len().saturating_sub(self.at)).unwrap_or(usize::MAX);
        let count = rest.min(into.len());
        let (into, _) = into.split_at_mut(count);
        self.spool.read_into(self.at, into)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Source {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.spool.len().checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_bytes_are_shared_and_older_ones_let_go() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spools::with_memory(dir.path().to_owned(), 10).spool();
        for piece in ["abcd", "efgh", "ijkl"] {
            spool.append(piece.as_bytes()).unwrap();
        }
        assert_eq!(spool.latest(0, 9), None, "too far back");
        assert_eq!(spool.latest(5, 9).unwrap(), "fgh");
        assert_eq!(spool.latest(8, 2).unwrap(), "ij");
        assert_eq!(spool.latest(12, 1), None, "not written yet");
        assert_eq!(
            spool.latest(8, 4).unwrap().as_ptr(),
            spool.latest(8, 4).unwrap().as_ptr()
        );
        assert_eq!(spool.read_at(0, 99).unwrap(), "abcdefghijkl");
    }
    use std::sync::atomic::AtomicBool;

    fn spools(in_memory: u64) -> (tempfile::TempDir, Spools) {
        let dir = tempfile::tempdir().unwrap();
        let spools = Spools::with_memory(dir.path().join("spool"), in_memory);
        (dir, spools)
    }

    fn pattern(len: usize) -> Vec<u8> {
        (0..len).map(|i| u8::try_from(i % 251).unwrap()).collect()
    }

    #[test]
    fn bytes_are_the_same_in_memory_on_disk_and_over_the_border() {
        for (limit, memory) in [(10_000, true), (0, false), (700, false)] {
            let (_dir, spools) = spools(limit);
            let spool = spools.spool();
            let all = pattern(5000);
            let mut len = 0;
            for chunk in all.chunks(333) {
                len += chunk.len() as u64;
                assert_eq!(spool.append(chunk).unwrap(), len);
            }
            assert_eq!(spool.in_memory(), memory, "{limit}");
            assert_eq!(spool.read_at(0, 9999).unwrap(), all);
            assert_eq!(spool.read_at(4321, 100).unwrap(), all[4321..4421]);
            assert_eq!(spool.read_at(4990, 100).unwrap(), all[4990..]);
            assert!(spool.read_at(5000, 100).unwrap().is_empty());
            assert!(spool.read_at(u64::MAX, 1).unwrap().is_empty());
        }
    }

    #[test]
    fn a_spool_within_the_limit_stays_in_memory_up_to_its_last_byte() {
        let (_dir, spools) = spools(8);
        let spool = spools.spool();
        assert!(spool.is_empty());
        spool.append(b"12345678").unwrap();
        assert!(spool.in_memory());
        assert!(!spools.dir().exists());
        spool.append(b"9").unwrap();
        assert!(!spool.in_memory());
        assert_eq!(spool.read_at(0, 99).unwrap(), "123456789");
    }

    #[test]
    fn no_name_is_left_in_the_folder() {
        let (_dir, spools) = spools(0);
        let spool = spools.spool();
        spool.append(b"on disk").unwrap();
        assert_eq!(fs::read_dir(spools.dir()).unwrap().count(), 0);
        assert_eq!(spools.leftovers(Time(i64::MAX)).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn files_of_a_crash_are_listed_and_swept_once_they_are_old() {
        let (_dir, spools) = spools(0);
        assert_eq!(spools.sweep(Time(i64::MAX)).unwrap(), 0, "no folder yet");
        fs::create_dir_all(spools.dir()).unwrap();
        fs::write(spools.dir().join(".tmpAbC"), b"rest").unwrap();
        assert_eq!(spools.leftovers(Time(0)).unwrap(), Vec::<String>::new());
        assert_eq!(spools.leftovers(Time(i64::MAX)).unwrap(), [".tmpAbC"]);
        assert_eq!(spools.sweep(Time(0)).unwrap(), 0);
        assert_eq!(spools.sweep(Time(i64::MAX)).unwrap(), 1);
        assert_eq!(fs::read_dir(spools.dir()).unwrap().count(), 0);
    }

    #[test]
    fn a_failed_append_leaves_the_length_as_it_was() {
        let (dir, spools) = spools(4);
        fs::write(dir.path().join("spool"), b"a file where the folder should be").unwrap();
        let spool = spools.spool();
        spool.append(b"1234").unwrap();
        assert!(spool.append(b"5").is_err());
        assert_eq!(spool.len(), 4);
        assert_eq!(spool.read_at(0, 9).unwrap(), "1234");
    }

    #[test]
    fn a_source_reads_and_seeks_like_a_file() {
        for limit in [0, 10_000] {
            let (_dir, spools) = spools(limit);
            let spool = Arc::new(spools.spool());
            let all = pattern(2000);
            spool.append(&all).unwrap();
            let mut source = spool.source();
            let mut read = Vec::new();
            source.read_to_end(&mut read).unwrap();
            assert_eq!(read, all);
            assert_eq!(source.seek(SeekFrom::End(-10)).unwrap(), 1990);
            assert_eq!(source.seek(SeekFrom::Current(-90)).unwrap(), 1900);
            assert!(source.seek(SeekFrom::Current(-1901)).is_err());
            let mut tail = [0; 100];
            source.read_exact(&mut tail).unwrap();
            assert_eq!(tail, all[1900..]);
            source.seek(SeekFrom::Start(99_999)).unwrap();
            assert_eq!(source.read(&mut tail).unwrap(), 0);
        }
    }

    /// Readers that started in memory go on over the move to disk and never see a byte that is not there.
    #[test]
    fn readers_beside_the_writer_see_every_byte_once_and_in_order() {
        let (_dir, spools) = spools(64 << 10);
        let spool = Arc::new(spools.spool());
        let all = pattern(400_000);
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let readers: Vec<_> = (1..5_usize)
                .map(|n| {
                    let (spool, done) = (&spool, &done);
                    scope.spawn(move || {
                        let mut got = Vec::new();
                        loop {
                            let last = done.load(Ordering::SeqCst);
                            let piece = spool.read_at(got.len() as u64, n * 1000).unwrap();
                            if piece.is_empty() && last {
                                return got;
                            }
                            got.extend_from_slice(&piece);
                        }
                    })
                })
                .collect();
            for chunk in all.chunks(777) {
                spool.append(chunk).unwrap();
            }
            done.store(true, Ordering::SeqCst);
            for reader in readers {
                assert!(reader.join().unwrap() == all);
            }
        });
    }
}
