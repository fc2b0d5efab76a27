//! Memory for results, or the knowledge that there is none.

use crate::request::Stopped;
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

/// Asks for pages of 2 MiB where there is room for some: to have the system hand out and clear pages of 4 KiB one by one takes
/// longer than to compute what is written to them.
fn prefer_large_pages(at: *mut u8, bytes: usize) {
    #[cfg(target_os = "linux")]
    {
        const PAGE: usize = 4096;
        const LARGE: usize = 4 << 20;
        let before = at.align_offset(PAGE);
        if bytes >= LARGE {
            // SAFETY: whole pages within the allocation; advice changes no value, and may be refused.
            unsafe { libc::madvise(at.add(before).cast(), (bytes - before) / PAGE * PAGE, libc::MADV_HUGEPAGE) };
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (at, bytes);
}
