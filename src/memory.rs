//! Memory for results, or the knowledge that there is none.

use crate::request::Stopped;
#[cfg(feature = "python")]
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};

/// A vector with room for `rows` values.
///
/// # Errors
/// Where there is no memory for it.
pub fn reserve<T>(rows: usize) -> Result<Vec<T>, Stopped> {
    let mut values: Vec<T> = Vec::new();
    values.try_reserve_exact(rows).map_err(|_| Stopped::OutOfMemory)?;
    prefer_large_pages(values.as_mut_ptr().cast(), rows * size_of::<T>());
    Ok(values)
}

/// A number for each row, 0 until another is set. The first that is set takes the memory for all.
pub struct Marks {
    rows: usize,
    marks: OnceLock<Option<Vec<AtomicU16>>>,
}

impl Marks {
    pub fn new(rows: usize) -> Marks {
        Marks { rows, marks: OnceLock::new() }
    }
    pub fn set(&self, row: usize, mark: u16) {
        let marks = self.marks.get_or_init(|| {
            let mut marks = reserve(self.rows).ok()?;
            marks.resize_with(self.rows, AtomicU16::default);
            Some(marks)
        });
        if let Some(marks) = marks {
            marks[row].store(mark, Ordering::Relaxed);
        }
    }
    /// None where none was set.
    ///
    /// # Errors
    /// Where memory was short.
    pub fn taken(self) -> Result<Option<Vec<u16>>, Stopped> {
        let Some(marks) = self.marks.into_inner() else { return Ok(None) };
        let marks = marks.ok_or(Stopped::OutOfMemory)?;
        Ok(Some(marks.into_iter().map(AtomicU16::into_inner).collect()))
    }
}

/// From so many bytes on memory is asked of the system, in large pages, and goes back to it.
#[cfg(any(target_os = "linux", feature = "python"))]
const LARGE: usize = 4 << 20;

/// The system's allocator for what is large. Of what is less it would have to hand out and clear pages of 4 KiB again for every
/// column: the pages of those that are dropped are kept for those made next.
#[cfg(feature = "python")]
pub struct Allocator;

#[cfg(feature = "python")]
fn allocator(bytes: usize) -> &'static dyn GlobalAlloc {
    if bytes < LARGE { &mimalloc::MiMalloc } else { &System }
}

// SAFETY: what one of two allocators has handed out goes back to the same, by its size.
#[cfg(feature = "python")]
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { allocator(layout.size()).alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { allocator(layout.size()).alloc_zeroed(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { allocator(layout.size()).dealloc(at, layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise, for the old layout and the new one.
        unsafe {
            if (layout.size() < LARGE) == (size < LARGE) {
                return allocator(size).realloc(at, layout, size);
            }
            let new = Layout::from_size_align_unchecked(size, layout.align());
            let to = self.alloc(new);
            if !to.is_null() {
                std::ptr::copy_nonoverlapping(at, to, size.min(layout.size()));
                self.dealloc(at, layout);
            }
            to
        }
    }
}

/// Asks for pages of 2 MiB where there is room for some: to have the system hand out and clear pages of 4 KiB one by one takes
/// longer than to compute what is written to them.
fn prefer_large_pages(at: *mut u8, bytes: usize) {
    #[cfg(target_os = "linux")]
    {
        const PAGE: usize = 4096;
        let before = at.align_offset(PAGE);
        if bytes >= LARGE {
            // SAFETY: whole pages within the allocation; advice changes no value, and may be refused.
            unsafe { libc::madvise(at.add(before).cast(), (bytes - before) / PAGE * PAGE, libc::MADV_HUGEPAGE) };
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (at, bytes);
}
