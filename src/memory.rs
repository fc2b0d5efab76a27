//! Memory for results, or the knowledge that there is none.

use crate::request::Stopped;
use std::alloc;

/// A vector with room for `rows` values, or the knowledge that there is no memory for it.
pub fn reserve<T>(rows: usize) -> Result<Vec<T>, Stopped> {
    let mut values: Vec<T> = Vec::new();
    values.try_reserve_exact(rows).map_err(|_| Stopped::OutOfMemory)?;
    prefer_large_pages(values.as_mut_ptr().cast(), rows * size_of::<T>());
    Ok(values)
}

/// The same with zeros in it. New pages of the system are zeros: none is touched before something else is written to it.
#[expect(clippy::same_length_and_capacity, reason = "all of it is zeros")]
pub fn zeros<T: Zero>(rows: usize) -> Result<Vec<T>, Stopped> {
    let layout = alloc::Layout::array::<T>(rows).map_err(|_| Stopped::OutOfMemory)?;
    if layout.size() == 0 {
        return Ok(Vec::new());
    }
    // SAFETY: the size is not 0.
    let at = unsafe { alloc::alloc_zeroed(layout) }.cast::<T>();
    if at.is_null() {
        return Err(Stopped::OutOfMemory);
    }
    // SAFETY: the memory was allocated with the layout of as many values, each of which is 0.
    Ok(unsafe { Vec::from_raw_parts(at, rows, rows) })
}

/// A type whose value of zero bits is a value.
pub trait Zero: Copy {}
impl Zero for u16 {}
impl Zero for u8 {}

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
