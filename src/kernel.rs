//! A model's equations over blocks of rows, in the vector registers of the processor at hand.

use crate::number::{LANES, Number, Pack};
use crate::plan::Registered;
use crate::variable::Model;
use fearless_simd::{Level, Simd, dispatch};
use std::ops::{Deref, DerefMut};
use std::ptr::{null, null_mut};

/// Rows in a block, a multiple of the lanes.
pub const BLOCK: usize = 512;
/// As many as a call has bits for.
const MOST_VARIABLES: usize = 128;

/// A block of one variable, on cache lines. One line lies between it and the next: at a distance of a power of two, all
/// variables of a row would meet in a few sets of the first-level cache.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub struct Rows {
    values: [f64; BLOCK],
    between: [f64; LANES],
}

impl Rows {
    pub const fn all(value: f64) -> Rows {
        Rows { values: [value; BLOCK], between: [0.0; LANES] }
    }
}

impl Deref for Rows {
    type Target = [f64; BLOCK];
    fn deref(&self) -> &[f64; BLOCK] {
        &self.values
    }
}

impl DerefMut for Rows {
    fn deref_mut(&mut self) -> &mut [f64; BLOCK] {
        &mut self.values
    }
}

/// One run of a model over a block: addresses of packs of eight rows.
pub struct Call<'a> {
    pub inputs: &'a [*const [f64; LANES]],
    /// A bit for each input that is the same on all rows of the frame.
    pub constant: u128,
    /// Null where an output is not given.
    pub given: &'a [*const [f64; LANES]],
    /// Null where an output is not wanted.
    pub outputs: &'a [*mut [f64; LANES]],
    pub choices: &'a [u8],
    pub wanted: u64,
    pub packs: usize,
    /// Packs that are read after this block: they are fetched while this one is computed.
    pub soon: &'a [*const [f64; LANES]],
}

impl Call<'_> {
    fn is_constant(&self, input: usize) -> bool {
        self.constant >> input & 1 == 1
    }
}

/// A model compiled for every instruction set.
pub type RunModel = fn(Level, &Call);

/// A model's equations row by row: the same bits as in packs. For unoptimised builds, which then compile in a tenth of the
/// time, and for processors without vectors.
#[inline(always)]
pub fn row_by_row<M: Model>(call: &Call) {
    block::<M, f64>(call);
}

/// A model's equations in the vector registers of one instruction set.
#[inline(always)]
pub fn vectorized<M: Model, S: Simd>(simd: S, call: &Call) {
    simd.vectorize(
        #[inline(always)]
        || block::<M, Pack<S>>(call),
    );
}

/// `compiled!(Model)`: a module for each instruction set, so that the compiler works on several at once, and `run`, which
/// takes the best of them that `level` has.
macro_rules! compiled {
    ($model:ident) => {
        #[cfg(all(not(debug_assertions), target_arch = "x86_64"))]
        mod sse2 {
            pub fn run(simd: fearless_simd::Sse2, call: &$crate::kernel::Call) {
                $crate::kernel::vectorized::<super::$model, _>(simd, call);
            }
        }
        #[cfg(all(not(debug_assertions), target_arch = "x86_64"))]
        mod avx2 {
            pub fn run(simd: fearless_simd::Avx2, call: &$crate::kernel::Call) {
                $crate::kernel::vectorized::<super::$model, _>(simd, call);
            }
        }
        #[cfg(all(not(debug_assertions), target_arch = "x86_64"))]
        mod avx512 {
            pub fn run(simd: fearless_simd::Avx512, call: &$crate::kernel::Call) {
                $crate::kernel::vectorized::<super::$model, _>(simd, call);
            }
        }
        #[cfg(all(not(debug_assertions), target_arch = "aarch64"))]
        mod neon {
            pub fn run(simd: fearless_simd::Neon, call: &$crate::kernel::Call) {
                $crate::kernel::vectorized::<super::$model, _>(simd, call);
            }
        }
        fn run(level: fearless_simd::Level, call: &$crate::kernel::Call) {
            #[cfg(all(not(debug_assertions), target_arch = "x86_64"))]
            match level {
                fearless_simd::Level::Avx512(simd) => return avx512::run(simd, call),
                fearless_simd::Level::Avx2(simd) => return avx2::run(simd, call),
                _ => {
                    if let Some(simd) = level.as_sse2() {
                        return sse2::run(simd, call);
                    }
                }
            }
            #[cfg(all(not(debug_assertions), target_arch = "aarch64"))]
            if let Some(simd) = level.as_neon() {
                return neon::run(simd, call);
            }
            let _ = level;
            $crate::kernel::row_by_row::<$model>(call);
        }
    };
}
pub(crate) use compiled;

/// A block, number by number. In a monthly model, one that differs from the one before in the month alone has its path: so a
/// scenario that stands there for every month is computed once.
#[inline(always)]
fn block<M: Model, N: Number>(call: &Call) {
    // Local copies: the compiler need not read an address again after each store.
    let mut inputs = [null::<N::Slot>(); MOST_VARIABLES];
    let mut given = [null::<N::Slot>(); MOST_VARIABLES];
    let mut outputs = [null_mut::<N::Slot>(); MOST_VARIABLES];
    for (k, at) in call.inputs.iter().enumerate() {
        inputs[k] = at.cast();
    }
    for (k, at) in call.given.iter().enumerate() {
        given[k] = at.cast();
    }
    for (k, at) in call.outputs.iter().enumerate() {
        outputs[k] = at.cast();
    }
    let mut path = M::path::<N>();
    let mut number = 0;
    while number < call.packs * LANES / N::ROWS {
        if N::ROWS == LANES {
            let mut k = 0;
            while k < call.soon.len() {
                fetch(call.soon[k].wrapping_add(number));
                k += 1;
            }
        }
        // SAFETY: the engine hands over one address for each variable of the model, of at least `packs` packs, and no
        // output's memory is an input's.
        unsafe {
            let stands = M::MONTH.is_some() && number > 0 && same_but_for(M::MONTH, call, number * N::ROWS, N::ROWS);
            let x = M::load(
                #[inline(always)]
                |k| N::restore(inputs[k].add(number).read_unaligned()),
                call.choices,
            );
            let g = M::load_given(
                #[inline(always)]
                |k| if given[k].is_null() { None } else { Some(N::restore(given[k].add(number).read_unaligned())) },
                call.wanted,
            );
            let y = M::answer(x, g, &mut path, stands);
            M::store(
                y,
                #[inline(always)]
                |k, value: N| {
                    if !outputs[k].is_null() {
                        outputs[k].add(number).write_unaligned(value.save());
                    }
                },
            );
        }
        number += 1;
    }
}

/// Whether `rows` rows from `first` have the bits of as many before them in all that is read but one input.
///
/// # Safety
/// As for `block`: `first` + `rows` rows are there, and `rows` before them.
unsafe fn same_but_for(input: Option<usize>, call: &Call, first: usize, rows: usize) -> bool {
    // SAFETY: the caller's promise.
    let same = |at: *const u64| unsafe { (first..first + rows).all(|row| *at.add(row) == *at.add(row - rows)) };
    let read = call.inputs.iter().chain(call.given).enumerate();
    read.filter(|(k, at)| !at.is_null() && Some(*k) != input).all(|(_, at)| same(at.cast()))
}

/// Blocks whose rows are put in order together: of more, what they need leaves the second-level cache.
pub const WINDOW: usize = 4;

/// Memory in which rows are put in order, kept from block to block. Row i of block b has the number b `BLOCK` + i.
#[derive(Default)]
pub struct Sorting {
    /// For each sum a key of each row.
    keys: Vec<Vec<f64>>,
    order: Vec<usize>,
    sorted: Vec<i64>,
    columns: Vec<Rows>,
}

impl Sorting {
    /// Each key cuts the rows into strips that the next orders: as many of one as of the other.
    fn sort(&mut self) {
        let mut strip = self.order.len();
        for (done, key) in self.keys.iter().enumerate() {
            for rows in self.order.chunks_mut(strip) {
                self.sorted.clear();
                self.sorted.extend(rows.iter().map(|row| sorted_with(key[*row], *row)));
                self.sorted.sort_unstable();
                for (row, sorted) in rows.iter_mut().zip(&self.sorted) {
                    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the last digits")]
                    let number = *sorted as usize & (WINDOW * BLOCK - 1);
                    *row = number;
                }
            }
            let packs = strip.div_ceil(LANES);
            let left = self.keys.len() - done;
            let strips = (1..packs).find(|strips| (0..left).fold(1, |cells, _| cells * strips) >= packs).unwrap_or(1);
            strip = (packs / strips).max(1) * LANES;
        }
    }
}

/// A number whose order is that of `key`, with `row` in place of its last digits.
#[expect(clippy::cast_possible_wrap, clippy::cast_sign_loss, reason = "bits")]
fn sorted_with(key: f64, row: usize) -> i64 {
    const { assert!((WINDOW * BLOCK).is_power_of_two()) };
    let bits = key.to_bits() as i64;
    // Of negative numbers the largest bits are the lowest value.
    let rising = bits ^ ((bits >> 63) as u64 >> 1) as i64;
    rising & !((WINDOW * BLOCK) as i64 - 1) | row as i64
}

/// A number of a block.
///
/// # Safety
/// `row` must be a row of the block.
unsafe fn number(at: *const [f64; LANES], row: usize) -> f64 {
    // SAFETY: the caller's promise.
    unsafe { at.cast::<f64>().add(row).read() }
}

/// Runs a model on blocks: once for rows that are like the one before, as those of a scenario that stands there for every
/// month, and with the others in the order of what its loops hang on, so that the rows of a pack leave a loop together. A
/// row's result does not depend on its neighbours. The blocks differ in nothing but addresses and their number of rows.
///
/// # Panics
/// Where there are more blocks than `WINDOW`.
pub fn run(model: &Registered, level: Level, calls: &[Call], sorting: &mut Sorting) {
    assert!(calls.len() <= WINDOW, "more blocks than have numbers");
    // SAFETY: both rows are there.
    let again = |call: &Call, row: usize| unsafe { same_but_for(None, call, row, 1) };
    // Rows that repeat do so from the start, where one may be the last of its kind.
    let repeat = calls.iter().any(|call| again(call, 1) || again(call, 2));
    if repeat && calls.len() > 1 {
        return calls.iter().for_each(|call| run(model, level, std::slice::from_ref(call), sorting));
    }
    let first = &calls[0];
    let rows_of = |call: &Call| call.packs * LANES;
    sorting.keys.clear();
    for sum in &model.together {
        let mut key = vec![0.0; calls.len() * BLOCK];
        for &(input, weight) in sum.iter().filter(|(input, _)| !first.is_constant(*input)) {
            for (call, keys) in calls.iter().zip(key.chunks_mut(BLOCK)) {
                for (row, key) in keys[..rows_of(call)].iter_mut().enumerate() {
                    // SAFETY: a row of the block.
                    *key += weight * unsafe { number(call.inputs[input], row) };
                }
            }
        }
        let mut known = calls.iter().zip(key.chunks(BLOCK)).flat_map(|(call, keys)| &keys[..rows_of(call)]);
        if known.any(|other| other.total_cmp(&key[0]).is_ne()) {
            sorting.keys.push(key);
        }
    }
    if !repeat && sorting.keys.is_empty() {
        return calls.iter().for_each(|call| (model.entry.run)(level, call));
    }
    let mut new = [true; BLOCK];
    if repeat {
        new[1..].fill(false);
        for at in first.inputs.iter().chain(first.given).filter(|at| !at.is_null()) {
            // SAFETY: as many rows as the block has.
            let values = unsafe { std::slice::from_raw_parts(at.cast::<u64>(), rows_of(first)) };
            for (new, two) in new[1..].iter_mut().zip(values.windows(2)) {
                *new |= two[0] != two[1];
            }
        }
    }
    sorting.order.clear();
    for (block, call) in calls.iter().enumerate() {
        sorting.order.extend((0..rows_of(call)).filter(|row| new[*row]).map(|row| block * BLOCK + row));
    }
    sorting.sort();

    let Sorting { order, columns, .. } = sorting;
    columns.resize(columns.len().max(first.inputs.len() + first.given.len() + first.outputs.len()), Rows::all(0.0));
    for order in order.chunks(BLOCK) {
        let mut places = columns.iter_mut();
        let mut gathered = |block: &dyn Fn(&Call) -> *const [f64; LANES]| {
            let place = places.next().expect("one for each address");
            let at: [_; WINDOW] = std::array::from_fn(|k| calls.get(k).map_or(null(), block));
            for (value, row) in place.iter_mut().zip(order) {
                // SAFETY: a row of its block.
                *value = unsafe { number(at[row / BLOCK], row % BLOCK) };
            }
            let last = place[order.len() - 1];
            place[order.len()..order.len().next_multiple_of(LANES)].fill(last);
            place.as_ptr().cast()
        };
        let inputs: Vec<_> = (first.inputs.iter().enumerate())
            .map(|(k, &at)| if first.is_constant(k) { at } else { gathered(&|call| call.inputs[k]) })
            .collect();
        let given: Vec<_> = (first.given.iter().enumerate())
            .map(|(k, &at)| if at.is_null() { at } else { gathered(&|call| call.given[k]) })
            .collect();
        let outputs: Vec<_> = (first.outputs.iter())
            .map(|at| if at.is_null() { null_mut() } else { places.next().expect("one for each address").as_mut_ptr() })
            .collect();
        let at: Vec<_> = outputs.iter().map(|place| place.cast()).collect();
        let packs = order.len().div_ceil(LANES);
        (model.entry.run)(level, &Call { inputs: &inputs, given: &given, outputs: &at, packs, soon: &[], ..*first });
        for (k, place) in outputs.iter().enumerate().filter(|(_, place)| !place.is_null()) {
            for (i, row) in order.iter().enumerate() {
                // SAFETY: what was computed is in the place; the row is one of its block.
                unsafe { calls[row / BLOCK].outputs[k].cast::<f64>().add(row % BLOCK).write(place.add(i).read()) };
            }
        }
    }
    if repeat {
        for at in first.outputs.iter().filter(|at| !at.is_null()).map(|at| at.cast::<f64>()) {
            for row in (1..rows_of(first)).filter(|row| !new[*row]) {
                // SAFETY: rows of the block.
                unsafe { at.add(row).write(at.add(row - 1).read()) };
            }
        }
    }
}

/// Whether all values lie within bounds; what is not a number lies within none.
pub fn within(level: Level, values: &[f64], low: f64, high: f64) -> bool {
    #[inline(always)]
    fn all<S: Simd>(simd: S, packs: &[[f64; LANES]], low: f64, high: f64) -> bool {
        simd.vectorize(
            #[inline(always)]
            || {
                let (low, high) = (Pack::<S>::of(low), Pack::<S>::of(high));
                let mut inside = low.le(low);
                let mut k = 0;
                while k < packs.len() {
                    let values = Pack::load(simd, &packs[k]);
                    inside = inside & low.le(values) & values.le(high);
                    k += 1;
                }
                Pack::<S>::all(inside)
            },
        )
    }
    let (packs, rest) = values.as_chunks::<LANES>();
    rest.iter().all(|value| low <= *value && *value <= high) && dispatch!(level, simd => all(simd, packs, low, high))
}

/// Asks for a pack that is read soon: a block is a page of every column, and processors look ahead no further than that.
#[inline(always)]
fn fetch(at: *const [f64; LANES]) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint reads nothing.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}
