//! How to compute: threads, instruction set, rows in a block; and the thread pool, one a process.

use crate::kernel::BLOCK;
use crate::number::LANES;
use crate::request::Settings;
use fearless_simd::Level;
use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// Room for the tables of the monthly models, with the derivative of each number beside it.
const STACK_BYTES: usize = 16 << 20;

const LEVELS: &[&str] = &["best", "sse2", "avx2", "avx512", "neon"];
static LEVEL: AtomicUsize = AtomicUsize::new(0);
static THREADS: AtomicUsize = AtomicUsize::new(0);
static BLOCK_ROWS: AtomicUsize = AtomicUsize::new(BLOCK);

/// The level of that name, if this processor has it.
#[must_use]
pub fn level_named(name: &str) -> Option<Level> {
    let best = Level::new();
    match name {
        "best" => Some(best),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: every x86-64 processor has SSE2.
        "sse2" => Some(Level::Sse2(unsafe { fearless_simd::Sse2::assume_supported() })),
        #[cfg(target_arch = "x86_64")]
        "avx2" => best.as_avx2().map(Level::Avx2),
        #[cfg(target_arch = "x86_64")]
        "avx512" => best.as_avx512().map(Level::Avx512),
        #[cfg(target_arch = "aarch64")]
        "neon" => best.as_neon().map(Level::Neon),
        _ => None,
    }
}

#[must_use]
pub fn current() -> Settings {
    Settings {
        level: level_named(LEVELS[LEVEL.load(Ordering::Relaxed)]).unwrap_or_else(Level::new),
        threads: threads(),
        null_invalid: false,
        block: BLOCK_ROWS.load(Ordering::Relaxed),
    }
}

fn threads() -> usize {
    match THREADS.load(Ordering::Relaxed) {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        threads => threads,
    }
}

/// Changes what is given and tells what holds.
///
/// # Errors
/// Where a value can't be.
pub fn configure(
    threads_wanted: Option<usize>,
    instruction_set: Option<&str>,
    block_rows: Option<usize>,
) -> Result<(usize, String, usize), String> {
    if let Some(name) = instruction_set {
        let number = LEVELS.iter().position(|level| *level == name);
        let number = number.ok_or_else(|| format!("instruction set {name}: one of {}", LEVELS.join(", ")))?;
        level_named(name).ok_or_else(|| format!("instruction set {name}: not on this processor"))?;
        LEVEL.store(number, Ordering::Relaxed);
    }
    if let Some(threads) = threads_wanted {
        if threads > 1024 {
            return Err(format!("{threads} threads: 1 to 1024, or 0 for one a core"));
        }
        THREADS.store(threads, Ordering::Relaxed);
    }
    if let Some(rows) = block_rows {
        if rows == 0 || rows > BLOCK || rows % LANES != 0 {
            return Err(format!("blocks of {rows} rows: a multiple of {LANES} up to {BLOCK}"));
        }
        BLOCK_ROWS.store(rows, Ordering::Relaxed);
    }
    let level = LEVELS[LEVEL.load(Ordering::Relaxed)];
    Ok((threads(), level.to_owned(), BLOCK_ROWS.load(Ordering::Relaxed)))
}

struct Pool {
    process: u32,
    threads: usize,
    workers: ThreadPool,
}

/// The pool of this process. A forked child has none of its parent's threads and makes its own; so does a changed number of
/// threads. An old pool is left to itself: joining threads that are not there would hang.
///
/// # Errors
/// Where the system gives no threads.
pub fn pool() -> Result<&'static ThreadPool, ThreadPoolBuildError> {
    static POOL: AtomicPtr<Pool> = AtomicPtr::new(null_mut());
    let process = std::process::id();
    let threads = threads();
    let known = POOL.load(Ordering::Acquire);
    // SAFETY: pools are leaked, never freed.
    if let Some(pool) = unsafe { known.as_ref() }
        && pool.process == process
        && pool.threads == threads
    {
        return Ok(&pool.workers);
    }
    let workers = ThreadPoolBuilder::new()
        .num_threads(threads)
        .stack_size(STACK_BYTES)
        .thread_name(|number| format!("tapeout-{number}"))
        .build()?;
    let made: &'static Pool = Box::leak(Box::new(Pool { process, threads, workers }));
    POOL.store(std::ptr::from_ref(made).cast_mut(), Ordering::Release);
    Ok(&made.workers)
}
