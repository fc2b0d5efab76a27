//! Blocks of rows through a plan, on all cores. Knows no model.
//!
//! A block is 256 rows: every intermediate stays in cache, and what is constant over the frame is computed once, by the same
//! code. Rows of one pattern run together; where there is only one pattern, columns are read and outputs written in place.

use crate::gradient::{self, Downstream};
use crate::number::{LANES, Number, Pack};
use crate::plan::{self, Known, Plan, Registered, Source, Step, Unanswerable, VariableId, registry};
use crate::solve::{self, Search};
use crate::variable::{Kind, Model, Role};
use fearless_simd::{Level, Simd, dispatch};
use std::alloc;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::{Deref, DerefMut};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// Rows in a block, a multiple of the lanes.
pub const BLOCK: usize = 512;
/// As many as a call has bits for.
const MOST_VARIABLES: usize = 128;

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
            pub fn run(simd: fearless_simd::Sse2, call: &$crate::engine::Call) {
                $crate::engine::vectorized::<super::$model, _>(simd, call);
            }
        }
        #[cfg(all(not(debug_assertions), target_arch = "x86_64"))]
        mod avx2 {
            pub fn run(simd: fearless_simd::Avx2, call: &$crate::engine::Call) {
                $crate::engine::vectorized::<super::$model, _>(simd, call);
            }
        }
        #[cfg(all(not(debug_assertions), target_arch = "x86_64"))]
        mod avx512 {
            pub fn run(simd: fearless_simd::Avx512, call: &$crate::engine::Call) {
                $crate::engine::vectorized::<super::$model, _>(simd, call);
            }
        }
        #[cfg(all(not(debug_assertions), target_arch = "aarch64"))]
        mod neon {
            pub fn run(simd: fearless_simd::Neon, call: &$crate::engine::Call) {
                $crate::engine::vectorized::<super::$model, _>(simd, call);
            }
        }
        fn run(level: fearless_simd::Level, call: &$crate::engine::Call) {
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
            $crate::engine::row_by_row::<$model>(call);
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
                |k| N::restore(*inputs[k].add(number)),
                call.choices,
            );
            let g = M::load_given(
                #[inline(always)]
                |k| if given[k].is_null() { None } else { Some(N::restore(*given[k].add(number))) },
                call.wanted,
            );
            let y = M::answer(x, g, &mut path, stands);
            M::store(
                y,
                #[inline(always)]
                |k, value: N| {
                    if !outputs[k].is_null() {
                        *outputs[k].add(number) = value.save();
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
fn within(level: Level, values: &[f64], low: f64, high: f64) -> bool {
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

/// The element type of a caller's column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    F64,
    F32,
    I64,
    I32,
    I16,
    I8,
    U64,
    U32,
    U16,
    U8,
}

/// A caller's column: where it is and how to step through it.
#[derive(Clone, Copy, Debug)]
pub struct View {
    pub element: Element,
    pub at: *const u8,
    pub stride: isize,
}
// SAFETY: read only, and the caller keeps the column alive for the length of the call.
unsafe impl Send for View {}
// SAFETY: as above.
unsafe impl Sync for View {}

impl View {
    /// # Safety
    /// `row` must be a row of the column.
    #[inline]
    unsafe fn read(&self, row: usize) -> f64 {
        // SAFETY: the caller's promise.
        unsafe {
            #[expect(clippy::cast_possible_wrap, reason = "rows lie in memory, which ends before isize does")]
            let at = self.at.offset(row as isize * self.stride);
            match self.element {
                Element::F64 => at.cast::<f64>().read_unaligned(),
                Element::F32 => f64::from(at.cast::<f32>().read_unaligned()),
                Element::I64 => at.cast::<i64>().read_unaligned() as f64,
                Element::I32 => f64::from(at.cast::<i32>().read_unaligned()),
                Element::I16 => f64::from(at.cast::<i16>().read_unaligned()),
                Element::I8 => f64::from(at.cast::<i8>().read_unaligned()),
                Element::U64 => at.cast::<u64>().read_unaligned() as f64,
                Element::U32 => f64::from(at.cast::<u32>().read_unaligned()),
                Element::U16 => f64::from(at.cast::<u16>().read_unaligned()),
                Element::U8 => f64::from(at.read()),
            }
        }
    }
    /// The address of contiguous, aligned numbers.
    fn in_place(&self) -> Option<*const f64> {
        #[expect(clippy::cast_ptr_alignment, reason = "alignment is looked at before use")]
        let at = self.at.cast::<f64>();
        (self.element == Element::F64 && self.stride == 8 && at.is_aligned()).then_some(at)
    }
}

/// A column with its nulls: one byte a row, 1 where there is no value.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub values: View,
    pub nulls: Option<View>,
}

impl Column {
    pub fn is_null(&self, row: usize) -> bool {
        // SAFETY: rows are below the length every column was checked to have.
        self.nulls.is_some_and(|nulls| unsafe { nulls.read(row) } != 0.0)
    }
    pub fn value(&self, row: usize) -> f64 {
        // SAFETY: as above.
        unsafe { self.values.read(row) }
    }
}

/// A key column: for each row the position of an entry, and what the entries say.
#[derive(Clone)]
pub struct Key {
    pub codes: KeyCodes,
    /// For each variable of the catalog the entries' values; NaN where an entry has none.
    pub fields: Vec<(VariableId, Vec<f64>)>,
}

#[derive(Clone)]
pub enum KeyCodes {
    Column(Column),
    All(usize),
}

impl Key {
    /// What the entry of a row says of a variable.
    pub fn value(&self, id: VariableId, row: usize) -> Option<f64> {
        let code = self.code(row)?;
        self.fields.iter().find(|field| field.0 == id).map(|field| field.1[code]).filter(|value| !value.is_nan())
    }
    fn code(&self, row: usize) -> Option<usize> {
        match &self.codes {
            KeyCodes::All(code) => Some(*code),
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a position in a table")]
            KeyCodes::Column(column) => (!column.is_null(row)).then(|| column.value(row) as usize),
        }
    }
}

/// What is asked.
#[derive(Clone)]
pub struct Request {
    pub rows: usize,
    pub columns: HashMap<VariableId, Column>,
    pub assumptions: HashMap<VariableId, f64>,
    pub keys: Vec<Key>,
    pub outputs: Vec<VariableId>,
    pub further: Further,
}

/// What is found out beyond the outputs, block by block; its results follow theirs.
#[derive(Clone)]
pub enum Further {
    Nothing,
    /// Derivatives of every output by each variable, or x / y times these.
    Gradient {
        by: Vec<VariableId>,
        elasticities: bool,
    },
    /// Where the only output equals a number.
    Solve(Search),
}

/// How to compute.
#[derive(Clone, Copy)]
pub struct Settings {
    pub level: Level,
    pub threads: usize,
    /// Nulls instead of stopping at rows that can't be used.
    pub null_invalid: bool,
    pub block: usize,
}

/// Values of a column that can't be used.
#[derive(Clone, Debug)]
pub struct BadColumn {
    pub variable: VariableId,
    pub count: usize,
    pub row: usize,
    pub value: f64,
}

/// Rows that can't be answered.
#[derive(Clone, Debug)]
pub struct BadRows {
    pub why: Unanswerable,
    pub count: usize,
    pub row: usize,
}

pub struct Answer {
    pub outputs: Vec<Vec<f64>>,
    /// For each output one byte a row, 1 for null, where any row is null.
    pub nulls: Vec<Option<Vec<u8>>>,
    pub bad_columns: Vec<BadColumn>,
    pub bad_rows: Vec<BadRows>,
    /// Why a row was nulled: 0 for none, v + 1 for variable v, then the unanswerable patterns.
    pub reasons: Option<Vec<u16>>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Stopped {
    OutOfMemory,
    Interrupted,
}

/// Rows with the same things known.
pub struct Pattern {
    pub known: Known,
    pub keys: Vec<usize>,
    pub count: usize,
    pub first: usize,
    pub columns: BTreeSet<VariableId>,
}

/// The patterns of a frame and, if there are several, its rows in their order.
pub struct Patterns {
    pub patterns: Vec<Pattern>,
    rows: Vec<u32>,
}

/// What can differ from row to row.
enum Varies {
    Present(VariableId),
    Choice(VariableId),
    Key(usize),
}

impl Request {
    fn is_choice(id: VariableId) -> bool {
        let variable = &registry().variables[id];
        variable.role == Role::Input && matches!(variable.kind, Kind::Choice | Kind::Boolean)
    }

    /// Columns of an answer.
    fn results(&self) -> usize {
        self.outputs.len()
            + match &self.further {
                Further::Nothing => 0,
                Further::Gradient { by, .. } => by.len() * self.outputs.len(),
                Further::Solve(_) => solve::RESULTS,
            }
    }

    /// Groups the rows by what is known of them.
    ///
    /// # Errors
    /// Where memory is short.
    pub fn patterns(&self) -> Result<Patterns, Stopped> {
        /// Of a group that no row has been found in.
        const UNMET: u32 = u32::MAX;
        let reach = plan::reach(&self.outputs);
        let mut varies = Vec::new();
        for &id in &*reach {
            if let Some(column) = self.columns.get(&id) {
                if Self::is_choice(id) {
                    varies.push(Varies::Choice(id));
                } else if column.nulls.is_some() {
                    varies.push(Varies::Present(id));
                }
            }
        }
        // An entry counts by which of its numbers it has.
        let mut classes: Vec<Vec<usize>> = Vec::new();
        for (k, key) in self.keys.iter().enumerate() {
            let entries = key.fields.first().map_or(0, |field| field.1.len());
            let mut seen: HashMap<Vec<bool>, usize> = HashMap::new();
            classes.push(
                (0..entries)
                    .map(|entry| {
                        let has =
                            key.fields.iter().filter(|f| reach.contains(&f.0)).map(|f| !f.1[entry].is_nan()).collect();
                        let next = seen.len();
                        *seen.entry(has).or_insert(next)
                    })
                    .collect(),
            );
            if matches!(key.codes, KeyCodes::Column(_)) && key.fields.iter().any(|field| reach.contains(&field.0)) {
                varies.push(Varies::Key(k));
            }
        }

        let feature = |varying: &Varies, row: usize| -> u32 {
            match varying {
                Varies::Present(id) => u32::from(self.columns[id].is_null(row)),
                Varies::Choice(id) => {
                    let column = &self.columns[id];
                    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small code")]
                    if column.is_null(row) { 0 } else { column.value(row) as u32 + 1 }
                }
                #[expect(clippy::cast_possible_truncation, reason = "few classes")]
                Varies::Key(k) => self.keys[*k].code(row).map_or(0, |code| classes[*k][code] as u32 + 1),
            }
        };
        let mut group: Vec<u32> = Vec::new();
        let mut firsts = vec![0_usize];
        let mut counts = vec![self.rows];
        if !varies.is_empty() && self.rows > 0 {
            group.try_reserve_exact(self.rows).map_err(|_| Stopped::OutOfMemory)?;
            group.resize(self.rows, 0);
            for varying in &varies {
                let kinds = match varying {
                    Varies::Present(_) => 2,
                    Varies::Choice(id) => registry().variables[*id].choices.len().max(2) + 1,
                    Varies::Key(k) => self.keys[*k].fields.first().map_or(0, |field| field.1.len()) + 1,
                };
                // For each group so far and each kind its number, in the order in which they are met.
                let mut numbers = vec![UNMET; firsts.len() * kinds];
                firsts.clear();
                counts.clear();
                for (row, group) in group.iter_mut().enumerate() {
                    let number = &mut numbers[*group as usize * kinds + feature(varying, row) as usize];
                    if *number == UNMET {
                        #[expect(clippy::cast_possible_truncation, reason = "at most one a row")]
                        let next = firsts.len() as u32;
                        *number = next;
                        firsts.push(row);
                        counts.push(0);
                    }
                    counts[*number as usize] += 1;
                    *group = *number;
                }
            }
        }
        let mut rows = Vec::new();
        if firsts.len() > 1 {
            rows.try_reserve_exact(self.rows).map_err(|_| Stopped::OutOfMemory)?;
            rows.resize(self.rows, 0_u32);
            let mut next: Vec<usize> = counts
                .iter()
                .scan(0, |start, count| {
                    let at = *start;
                    *start += count;
                    Some(at)
                })
                .collect();
            for (row, group) in group.iter().enumerate() {
                let at = &mut next[*group as usize];
                #[expect(clippy::cast_possible_truncation, reason = "frames are cut below 2^32 rows")]
                let number = row as u32;
                rows[*at] = number;
                *at += 1;
            }
        }
        let patterns = firsts.iter().zip(&counts).map(|(&first, &count)| self.pattern(&reach, first, count)).collect();
        Ok(Patterns { patterns, rows })
    }

    /// What is known of the rows like `row`.
    fn pattern(&self, reach: &BTreeSet<VariableId>, row: usize, count: usize) -> Pattern {
        let mut known = Known::default();
        let mut columns = BTreeSet::new();
        let mut keys = Vec::new();
        for (k, key) in self.keys.iter().enumerate() {
            let code = if self.rows == 0 && matches!(key.codes, KeyCodes::Column(_)) { None } else { key.code(row) };
            if let Some(code) = code {
                keys.push(k);
                for (id, values) in &key.fields {
                    known.closed.insert(*id);
                    if !values[code].is_nan() {
                        known.supplied.insert(*id);
                    }
                }
            }
        }
        known.supplied.extend(self.assumptions.keys());
        for (id, column) in &self.columns {
            if self.rows == 0 || !column.is_null(row) {
                known.supplied.insert(*id);
                columns.insert(*id);
            }
        }
        known.supplied.retain(|id| reach.contains(id) && !Self::is_choice(*id));
        known.closed.retain(|id| reach.contains(id));
        for &id in reach {
            if Self::is_choice(id) {
                let given = |id: &VariableId| match self.columns.get(id) {
                    Some(column) if self.rows > 0 && !column.is_null(row) => Some(column.value(row)),
                    _ => self.assumptions.get(id).copied(),
                };
                let own = given(&id);
                let other = registry().follows.get(&id).and_then(given).filter(|_| own.is_none());
                if other.is_some() {
                    known.as_other.insert(id);
                }
                let value = own.or(other).unwrap_or(registry().variables[id].default);
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small code")]
                known.choices.push((id, value as u8));
            }
        }
        Pattern { known, keys, count, first: row, columns }
    }

    /// Where a supplied variable's values are.
    pub fn supply(&self, id: VariableId, pattern: &Pattern) -> Supply {
        if pattern.columns.contains(&id) {
            return Supply::Column(self.columns[&id].values);
        }
        if let Some(value) = self.assumptions.get(&id) {
            return Supply::Constant(*value);
        }
        for &k in &pattern.keys {
            for (f, (field, values)) in self.keys[k].fields.iter().enumerate() {
                let code = self.keys[k].code(pattern.first);
                if *field == id && code.is_some_and(|code| !values[code].is_nan()) {
                    return match self.keys[k].codes {
                        KeyCodes::All(code) => Supply::Constant(values[code]),
                        KeyCodes::Column(_) => Supply::Entry(k, f),
                    };
                }
            }
        }
        Supply::Constant(registry().variables[id].default)
    }
}

/// Where the values of a variable that is not computed are.
#[derive(Clone, Copy, Debug)]
pub enum Supply {
    Column(View),
    Constant(f64),
    /// A key and the position of the field.
    Entry(usize, usize),
}

/// A plan with every variable's place in the arena.
pub struct Layout {
    pub plan: Arc<Plan>,
    pub slots: HashMap<VariableId, usize>,
    pub variables: Vec<VariableId>,
    supplies: Vec<Option<Supply>>,
    /// Runs whose inputs are all constant come first, in their own list.
    constant_steps: Vec<usize>,
    steps: Vec<usize>,
    /// For each run the places of its variables.
    places: Vec<Places>,
    /// Whether rows are put in order for any of `steps`.
    ordered: bool,
    is_constant: Vec<bool>,
    /// Places of the outputs, then those of what is found out further.
    pub outputs: Vec<usize>,
    /// Whether a model writes the output, and to no other one before.
    written: Vec<bool>,
    /// What moves with each variable that is differentiated by or solved for.
    pub directions: Vec<Downstream>,
}

impl Layout {
    fn new(plan: Arc<Plan>, request: &Request, pattern: &Pattern) -> Layout {
        let mut layout = Layout {
            plan,
            slots: HashMap::new(),
            variables: Vec::new(),
            supplies: Vec::new(),
            constant_steps: Vec::new(),
            steps: Vec::new(),
            places: Vec::new(),
            ordered: false,
            is_constant: Vec::new(),
            outputs: Vec::new(),
            written: Vec::new(),
            directions: Vec::new(),
        };
        let sources: BTreeMap<VariableId, Source> =
            layout.plan.sources.iter().map(|(id, source)| (*id, *source)).collect();
        for (id, source) in sources {
            let supply = match source {
                Source::Model(..) => None,
                Source::Default => Some(Supply::Constant(default_of(id, &pattern.known))),
                Source::Supplied => Some(request.supply(id, pattern)),
            };
            layout.slots.insert(id, layout.variables.len());
            layout.is_constant.push(matches!(supply, Some(Supply::Constant(_))));
            layout.variables.push(id);
            layout.supplies.push(supply);
        }
        let plan = layout.plan.clone();
        for (s, step) in plan.steps.iter().enumerate() {
            let constant =
                step.needs.iter().all(|(_, reads)| reads.iter().all(|id| layout.is_constant[layout.slots[id]]));
            layout.places.push(Places::new(&layout, step));
            if constant {
                layout.constant_steps.push(s);
                for (id, _) in &step.needs {
                    layout.is_constant[layout.slots[id]] = true;
                }
            } else {
                layout.steps.push(s);
                layout.ordered |= layout.is_ordered(s);
            }
        }
        layout.directions = match &request.further {
            Further::Nothing => Vec::new(),
            Further::Gradient { by, .. } => by.iter().map(|id| Downstream::new(&layout, *id)).collect(),
            Further::Solve(search) => vec![Downstream::new(&layout, search.variable)],
        };
        let first = layout.variables.len();
        let further = first..first + request.results() - request.outputs.len();
        layout.outputs = request.outputs.iter().map(|id| layout.slots[id]).chain(further).collect();
        let before = |o: usize| &layout.outputs[..o];
        let computed = |slot: usize| slot < layout.variables.len() && layout.supplies[slot].is_none();
        layout.written = (layout.outputs.iter().enumerate())
            .map(|(o, slot)| computed(*slot) && !layout.is_constant[*slot] && !before(o).contains(slot))
            .collect();
        layout
    }
}

impl Layout {
    fn is_ordered(&self, step: usize) -> bool {
        !registry().models[self.plan.steps[step].model].together.is_empty()
    }
}

fn default_of(id: VariableId, known: &Known) -> f64 {
    known
        .choices
        .iter()
        .find(|choice| choice.0 == id)
        .map_or(registry().variables[id].default, |choice| f64::from(choice.1))
}

/// A block of one variable, on cache lines. One line lies between it and the next: at a distance of a power of two, all
/// variables of a row would meet in a few sets of the first-level cache.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub struct Rows {
    values: [f64; BLOCK],
    between: [f64; LANES],
}

impl Rows {
    const fn all(value: f64) -> Rows {
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

/// One thread's memory: a block of every variable, its nulls, and where each block's values are.
pub struct Arena {
    pub blocks: Vec<Rows>,
    pub nulls: Vec<[u8; BLOCK]>,
    pub has_nulls: Vec<bool>,
    pub at: Vec<*mut f64>,
    invalid: [u16; BLOCK],
    level: Level,
    /// The derivative of every variable by the one of a direction.
    pub tangents: Vec<Rows>,
    addresses: Addresses,
    addresses_of_tangents: Addresses,
    sorting: Sorting,
    /// The next block of columns that are read in place, until a model fetches it.
    soon: Vec<*const [f64; LANES]>,
}

/// The places of one run's variables, in the order of the model's declaration.
struct Places {
    /// None: an input without a place, which no wanted output reads.
    inputs: Vec<Option<usize>>,
    /// A bit for each input that is the same on all rows.
    constant: u128,
    /// The same for what is given of the outputs.
    given: Vec<Option<usize>>,
    /// None: an output that is not wanted.
    outputs: Vec<Option<usize>>,
    /// For each wanted output its variable, its place, and the places of what it reads.
    needs: Vec<(VariableId, usize, Vec<usize>)>,
}

impl Places {
    fn new(layout: &Layout, step: &Step) -> Places {
        let model = &registry().models[step.model];
        let place = |id: &VariableId| layout.slots.get(id).copied();
        let outputs = model.outputs.iter().enumerate();
        Places {
            inputs: model.inputs.iter().map(place).collect(),
            constant: (model.inputs.iter().enumerate())
                .filter(|(_, id)| place(id).is_none_or(|slot| layout.is_constant[slot]))
                .fold(0, |bits, (k, _)| bits | 1 << k),
            given: model.outputs.iter().map(place).collect(),
            outputs: outputs.map(|(k, id)| place(id).filter(|_| step.wanted >> k & 1 == 1)).collect(),
            needs: (step.needs.iter())
                .map(|(id, reads)| (*id, layout.slots[id], reads.iter().map(|read| layout.slots[read]).collect()))
                .collect(),
        }
    }
}

/// Where one run of a model finds a block of each of its variables.
#[derive(Default)]
struct Addresses {
    inputs: Vec<*const [f64; LANES]>,
    constant: u128,
    given: Vec<*const [f64; LANES]>,
    outputs: Vec<*mut [f64; LANES]>,
}

impl Addresses {
    /// The blocks of places to read and to write. `unread`: that of an input without one.
    fn fill(
        &mut self,
        places: &Places,
        given: u64,
        unread: &'static Rows,
        from: impl Fn(usize) -> *const f64,
        to: impl Fn(usize) -> *mut f64,
    ) {
        let read = |place: &Option<usize>| place.map_or(unread.as_ptr(), &from).cast();
        let is_given = |k: usize| given >> k & 1 == 1;
        self.inputs.clear();
        self.inputs.extend(places.inputs.iter().map(read));
        self.constant = places.constant;
        self.given.clear();
        let given = places.given.iter().enumerate().map(|(k, place)| if is_given(k) { read(place) } else { null() });
        self.given.extend(given);
        self.outputs.clear();
        self.outputs.extend(places.outputs.iter().map(|place| place.map_or(null_mut(), &to).cast()));
    }
    fn call<'a>(&'a self, step: &'a Step, rows: usize, soon: &'a [*const [f64; LANES]]) -> Call<'a> {
        Call {
            inputs: &self.inputs,
            constant: self.constant,
            given: &self.given,
            outputs: &self.outputs,
            choices: &step.choices,
            wanted: step.wanted,
            packs: rows.div_ceil(LANES),
            soon,
        }
    }
}

/// Where results go. Tasks write disjoint rows.
struct Target<'a> {
    outputs: &'a [*mut f64],
    nulls: &'a [Option<*mut u8>],
    reasons: Option<*mut u16>,
}
// SAFETY: tasks write disjoint rows.
unsafe impl Send for Target<'_> {}
// SAFETY: as above.
unsafe impl Sync for Target<'_> {}

/// What a task found wrong.
#[derive(Default)]
struct Found {
    columns: BTreeMap<VariableId, BadColumn>,
    nulls: bool,
}

impl Found {
    fn note(&mut self, variable: VariableId, row: usize, value: f64) {
        let bad = self.columns.entry(variable).or_insert(BadColumn { variable, count: 0, row, value });
        bad.count += 1;
        if row < bad.row {
            bad.row = row;
            bad.value = value;
        }
    }
    fn merge(&mut self, other: Found) {
        self.nulls |= other.nulls;
        for (id, bad) in other.columns {
            match self.columns.get_mut(&id) {
                None => {
                    self.columns.insert(id, bad);
                }
                Some(mine) => {
                    mine.count += bad.count;
                    if bad.row < mine.row {
                        mine.row = bad.row;
                        mine.value = bad.value;
                    }
                }
            }
        }
    }
}

/// The rows of a task or block: a stretch of the frame, or of its rows in the order of patterns.
#[derive(Clone, Copy)]
pub enum RowsOf<'a> {
    Stretch(usize),
    Listed(&'a [u32]),
}

impl<'a> RowsOf<'a> {
    fn part(self, from: usize, count: usize) -> RowsOf<'a> {
        match self {
            RowsOf::Stretch(start) => RowsOf::Stretch(start + from),
            RowsOf::Listed(rows) => RowsOf::Listed(&rows[from..from + count]),
        }
    }
    #[inline]
    pub fn row(self, i: usize) -> usize {
        match self {
            RowsOf::Stretch(start) => start + i,
            RowsOf::Listed(rows) => rows[i] as usize,
        }
    }
}

impl Arena {
    fn empty(layout: &Layout, level: Level) -> Arena {
        let variables = layout.variables.len();
        let slots = variables + layout.outputs.iter().filter(|slot| **slot >= variables).count();
        let mut arena = Arena {
            blocks: vec![Rows::all(0.0); slots],
            nulls: vec![[0; BLOCK]; slots],
            has_nulls: vec![false; slots],
            at: Vec::new(),
            invalid: [0; BLOCK],
            level,
            tangents: vec![Rows::all(0.0); if layout.directions.is_empty() { 0 } else { variables }],
            addresses: Addresses::default(),
            addresses_of_tangents: Addresses::default(),
            sorting: Sorting::default(),
            soon: Vec::new(),
        };
        arena.at = arena.blocks.iter_mut().map(|block| block.as_mut_ptr()).collect();
        arena
    }

    fn new(layout: &Layout, settings: &Settings, bad: &mut Found) -> Arena {
        let mut arena = Arena::empty(layout, settings.level);
        for (slot, supply) in layout.supplies.iter().enumerate() {
            if let Some(Supply::Constant(value)) = supply {
                let variable = &registry().variables[layout.variables[slot]];
                let usable = variable.allows(*value);
                if !usable {
                    bad.note(layout.variables[slot], 0, *value);
                }
                arena.blocks[slot].fill(if usable { *value } else { variable.safe_value() });
            }
        }
        for &step in &layout.constant_steps {
            arena.step(layout, step, settings.level, BLOCK);
        }
        arena
    }

    /// Memory for one more block, with the constants of `first`.
    fn beside(first: &Arena, layout: &Layout) -> Arena {
        let mut arena = Arena::empty(layout, first.level);
        for slot in (0..layout.variables.len()).filter(|slot| layout.is_constant[*slot]) {
            arena.at[slot] = first.at[slot];
            arena.has_nulls[slot] = first.has_nulls[slot];
            arena.nulls[slot] = first.nulls[slot];
        }
        arena
    }

    /// Runs one model on the block and marks its nulls.
    pub fn step(&mut self, layout: &Layout, step: usize, level: Level, rows: usize) {
        self.address(layout, step);
        let run_of = &layout.plan.steps[step];
        let call = self.addresses.call(run_of, rows, &self.soon);
        run(&registry().models[run_of.model], level, &[call], &mut self.sorting);
        self.mark(layout, step, level, rows);
    }

    /// Runs one model on several blocks, with their rows in one order.
    fn step_together(arenas: &mut [Arena], layout: &Layout, step: usize, level: Level, rows: &[usize]) {
        for arena in arenas.iter_mut() {
            arena.address(layout, step);
        }
        let mut sorting = std::mem::take(&mut arenas[0].sorting);
        let run_of = &layout.plan.steps[step];
        let calls: Vec<_> =
            arenas.iter().zip(rows).map(|(arena, rows)| arena.addresses.call(run_of, *rows, &arena.soon)).collect();
        run(&registry().models[run_of.model], level, &calls, &mut sorting);
        arenas[0].sorting = sorting;
        for (arena, rows) in arenas.iter_mut().zip(rows) {
            arena.mark(layout, step, level, *rows);
        }
    }

    /// Notes where a run finds its variables.
    fn address(&mut self, layout: &Layout, step: usize) {
        let given = layout.plan.steps[step].given;
        self.addresses.fill(&layout.places[step], given, &UNREAD, |slot| self.at[slot], |slot| self.at[slot]);
    }

    /// Marks the nulls of what a run has written.
    fn mark(&mut self, layout: &Layout, step: usize, level: Level, rows: usize) {
        self.soon.clear();
        for (id, slot, reads) in &layout.places[step].needs {
            let slot = *slot;
            self.has_nulls[slot] = false;
            // SAFETY: the address is that of a block, or of rows of an output at least as many.
            let values = unsafe { std::slice::from_raw_parts_mut(self.at[slot], rows) };
            let impossible = !within(level, values, f64::NEG_INFINITY, f64::INFINITY);
            let inherits = reads.iter().any(|read| self.has_nulls[*read]);
            if !impossible && !inherits {
                continue;
            }
            let mut nulls = [0; BLOCK];
            for (null, value) in nulls.iter_mut().zip(&*values) {
                *null = u8::from(value.is_nan());
            }
            for read in reads {
                if self.has_nulls[*read] {
                    for (null, other) in nulls.iter_mut().zip(&self.nulls[*read]) {
                        *null |= other;
                    }
                }
            }
            let safe = registry().variables[*id].safe_value();
            for (value, null) in values.iter_mut().zip(&nulls) {
                if *null != 0 {
                    *value = safe;
                }
            }
            self.nulls[slot] = nulls;
            self.has_nulls[slot] = true;
        }
    }

    /// Runs one model in dual numbers: derivatives of what `moves`, from `tangents` to `tangents`. What is constant is looked
    /// at on one row.
    pub fn step_dual(&mut self, layout: &Layout, step: usize, moves: &[bool], rows: usize) {
        let constant = layout.constant_steps.contains(&step);
        let places = &layout.places[step];
        let step = &layout.plan.steps[step];
        self.addresses.fill(places, step.given, &UNREAD, |slot| self.at[slot], |slot| self.at[slot]);
        let tangents: Vec<*mut f64> = self.tangents.iter_mut().map(|block| block.as_mut_ptr()).collect();
        let still = STILL.as_ptr();
        let from = |slot: usize| if moves[slot] { tangents[slot].cast_const() } else { still };
        self.addresses_of_tangents.fill(places, step.given, &STILL, from, |slot| tangents[slot]);
        let run = registry().models[step.model].entry.run_dual;
        let (values, derivatives) =
            (self.addresses.call(step, rows, &[]), self.addresses_of_tangents.call(step, rows, &[]));
        run(&values, &derivatives, if constant { 1 } else { rows });
        if constant {
            for (_, slot, _) in &places.needs {
                let block = &mut self.tangents[*slot];
                let only = block[0];
                block.fill(only);
            }
        }
    }

    /// Brings the supplied values of a block in, each checked against its declaration. `more`: another block follows.
    fn load(
        &mut self,
        layout: &Layout,
        request: &Request,
        rows_of: RowsOf,
        rows: usize,
        more: bool,
        found: &mut Found,
    ) {
        self.invalid = [0; BLOCK];
        self.soon.clear();
        for (slot, supply) in layout.supplies.iter().enumerate() {
            let view = match supply {
                None | Some(Supply::Constant(_)) => continue,
                Some(Supply::Column(view)) => Some(*view),
                Some(Supply::Entry(..)) => None,
            };
            let id = layout.variables[slot];
            let variable = &registry().variables[id];
            let block = self.blocks[slot].as_mut_ptr();
            let in_place = match (view, rows_of) {
                (Some(view), RowsOf::Stretch(start)) if rows.is_multiple_of(LANES) => {
                    // SAFETY: within the column.
                    view.in_place().map(|at| unsafe { at.add(start) })
                }
                _ => None,
            };
            if let Some(at) = in_place {
                self.at[slot] = at.cast_mut();
                if more {
                    self.soon.push(at.wrapping_add(rows).cast());
                }
            } else {
                self.at[slot] = block;
                let values = &mut self.blocks[slot];
                let places = values[..rows].iter_mut().enumerate();
                match (view, supply) {
                    (Some(view), _) => match (view.in_place(), rows_of) {
                        // SAFETY: within the column.
                        (Some(at), RowsOf::Listed(rows)) => unsafe {
                            places.for_each(|(i, value)| *value = at.add(rows[i] as usize).read());
                        },
                        // SAFETY: within the column.
                        _ => unsafe { places.for_each(|(i, value)| *value = view.read(rows_of.row(i))) },
                    },
                    (None, Some(Supply::Entry(key, field))) => {
                        let key = &request.keys[*key];
                        let entries = &key.fields[*field].1;
                        places.for_each(|(i, value)| {
                            *value = key.code(rows_of.row(i)).map_or(f64::NAN, |code| entries[code]);
                        });
                    }
                    _ => unreachable!("constants are not loaded"),
                }
                let last = values[rows - 1];
                values[rows..rows.next_multiple_of(LANES)].fill(last);
            }
            // SAFETY: a block, or rows of the caller's column.
            let values = unsafe { std::slice::from_raw_parts(self.at[slot].cast_const(), rows) };
            let (low, high) = (variable.low, variable.high);
            let whole = variable.kind != Kind::Number;
            let inside = within(self.level, values, low, high);
            if inside && (!whole || values.iter().all(|value| variable.allows(*value))) {
                continue;
            }
            let safe = variable.safe_value();
            let copy: Vec<f64> = values.to_vec();
            self.at[slot] = block;
            for (i, value) in copy.iter().enumerate() {
                let allowed = variable.allows(*value);
                self.blocks[slot][i] = if allowed { *value } else { safe };
                if !allowed {
                    found.note(id, rows_of.row(i), *value);
                    if self.invalid[i] == 0 {
                        self.invalid[i] = u16::try_from(id + 1).unwrap_or(u16::MAX);
                    }
                }
            }
            self.blocks[slot][rows..].fill(safe);
        }
    }

    /// Checks a block of a column that no equation reads.
    fn check(&mut self, id: VariableId, column: &Column, rows_of: RowsOf, rows: usize, found: &mut Found) {
        let variable = &registry().variables[id];
        for i in 0..rows {
            let row = rows_of.row(i);
            let value = column.value(row);
            if !variable.allows(value) && !column.is_null(row) {
                found.note(id, row, value);
                if self.invalid[i] == 0 {
                    self.invalid[i] = u16::try_from(id + 1).unwrap_or(u16::MAX);
                }
            }
        }
    }

    /// Lets models write a block's outputs where they belong.
    fn aim(&mut self, layout: &Layout, target: &Target, rows_of: RowsOf, rows: usize) {
        for (o, &slot) in layout.outputs.iter().enumerate().filter(|(o, _)| layout.written[*o]) {
            self.at[slot] = match rows_of {
                // SAFETY: within the output.
                RowsOf::Stretch(start) if rows.is_multiple_of(LANES) => unsafe { target.outputs[o].add(start) },
                _ => self.blocks[slot].as_mut_ptr(),
            };
        }
    }

    /// Writes to their rows what of a block's answers is not there yet, and the nulls.
    fn store(&mut self, layout: &Layout, target: &Target, rows_of: RowsOf, rows: usize, found: &mut Found) {
        let any_invalid = self.invalid[..rows].iter().any(|reason| *reason != 0);
        for (o, &slot) in layout.outputs.iter().enumerate() {
            let output = target.outputs[o];
            let source = self.at[slot].cast_const();
            // SAFETY: within the block and the output, which overlap only where they are the same.
            unsafe {
                match rows_of {
                    RowsOf::Stretch(start) => {
                        let output = output.add(start);
                        if !std::ptr::eq(output, source) {
                            std::ptr::copy_nonoverlapping(source, output, rows);
                        }
                    }
                    RowsOf::Listed(listed) => {
                        for (i, row) in listed.iter().enumerate() {
                            output.add(*row as usize).write(source.add(i).read());
                        }
                    }
                }
            }
            let has_nulls = self.has_nulls[slot] || any_invalid;
            found.nulls |= has_nulls;
            if let (true, Some(nulls)) = (has_nulls, target.nulls[o]) {
                for i in 0..rows {
                    let null = (self.has_nulls[slot] && self.nulls[slot][i] != 0) || self.invalid[i] != 0;
                    // SAFETY: within the output.
                    unsafe { nulls.add(rows_of.row(i)).write(u8::from(null)) };
                }
            }
        }
        if let (true, Some(reasons)) = (any_invalid, target.reasons) {
            for i in 0..rows {
                // SAFETY: within the frame.
                unsafe { reasons.add(rows_of.row(i)).write(self.invalid[i]) };
            }
        }
    }
}

/// What an input no wanted output reads is taken from: should one read it all the same, its answer is null and not wrong.
static UNREAD: Rows = Rows::all(f64::NAN);
/// The derivatives of what does not move.
static STILL: Rows = Rows::all(0.0);

/// A vector with room for `rows` values, or the knowledge that there is no memory for it.
fn reserve<T>(rows: usize) -> Result<Vec<T>, Stopped> {
    let mut values: Vec<T> = Vec::new();
    values.try_reserve_exact(rows).map_err(|_| Stopped::OutOfMemory)?;
    prefer_large_pages(values.as_mut_ptr().cast(), rows * size_of::<T>());
    Ok(values)
}

/// The same with zeros in it. New pages of the system are zeros: none is touched before something else is written to it.
#[expect(clippy::same_length_and_capacity, reason = "all of it is zeros")]
fn zeros<T: Zero>(rows: usize) -> Result<Vec<T>, Stopped> {
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
trait Zero: Copy {}
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

/// Evaluates a request. `stop` is looked at before every block.
///
/// # Errors
/// Where memory is short or the caller stops it.
pub fn evaluate(request: &Request, settings: &Settings, stop: &AtomicBool) -> Result<Answer, Stopped> {
    let Patterns { patterns, rows } = request.patterns()?;
    // A plan for each pattern, or the number of the reason why there is none.
    let mut bad_rows: Vec<BadRows> = Vec::new();
    let mut layouts = Vec::new();
    for pattern in &patterns {
        match Plan::of(&pattern.known, &request.outputs) {
            Ok(plan) => layouts.push(Ok(Layout::new(plan, request, pattern))),
            Err(why) => {
                let known = bad_rows.iter().position(|bad| bad.why == why);
                let number = known.unwrap_or(bad_rows.len());
                if known.is_none() {
                    bad_rows.push(BadRows { why, count: 0, row: pattern.first });
                }
                let bad = &mut bad_rows[number];
                bad.count += pattern.count;
                bad.row = bad.row.min(pattern.first);
                layouts.push(Err(number));
            }
        }
    }
    let mut answer =
        Answer { outputs: Vec::new(), nulls: Vec::new(), bad_columns: Vec::new(), bad_rows, reasons: None };
    for _ in 0..request.results() {
        answer.outputs.push(reserve(request.rows)?);
        answer.nulls.push(Some(zeros(request.rows)?));
    }
    let mut reasons: Vec<u16> = if settings.null_invalid { zeros(request.rows)? } else { Vec::new() };
    let outputs: Vec<*mut f64> = answer.outputs.iter_mut().map(Vec::as_mut_ptr).collect();
    let nulls: Vec<Option<*mut u8>> = answer.nulls.iter_mut().map(|n| n.as_mut().map(Vec::as_mut_ptr)).collect();
    let target =
        Target { outputs: &outputs, nulls: &nulls, reasons: settings.null_invalid.then_some(reasons.as_mut_ptr()) };

    let all = Mutex::new(Found::default());
    let first_reason = registry().variables.len() + 1;
    let mut start = 0;
    rayon::scope(|scope| {
        for (pattern, layout) in patterns.iter().zip(&layouts) {
            let stretch = start..start + pattern.count;
            start = stretch.end;
            let layout = match layout {
                Ok(layout) => layout,
                Err(number) => {
                    let reason = u16::try_from(first_reason + number).unwrap_or(u16::MAX);
                    for i in stretch {
                        let row = if rows.is_empty() { i } else { rows[i] as usize };
                        for (output, nulls) in target.outputs.iter().zip(target.nulls) {
                            // SAFETY: within the frame.
                            unsafe {
                                output.add(row).write(0.0);
                                nulls.map(|nulls| nulls.add(row).write(1));
                            }
                        }
                        if let Some(reasons) = target.reasons {
                            // SAFETY: within the frame.
                            unsafe { reasons.add(row).write(reason) };
                        }
                    }
                    all.lock().unwrap_or_else(std::sync::PoisonError::into_inner).nulls = true;
                    continue;
                }
            };
            let task_rows = task_rows(pattern.count, settings);
            let mut from = stretch.start;
            while from < stretch.end {
                let to = (from + task_rows).min(stretch.end);
                let rows_of = if rows.is_empty() { RowsOf::Stretch(from) } else { RowsOf::Listed(&rows[from..to]) };
                let (all, target) = (&all, &target);
                scope.spawn(move |_| {
                    let found = task(request, layout, settings, target, rows_of, to - from, stop);
                    all.lock().unwrap_or_else(std::sync::PoisonError::into_inner).merge(found);
                });
                from = to;
            }
        }
    });
    if stop.load(Ordering::Relaxed) {
        return Err(Stopped::Interrupted);
    }
    for values in &mut answer.outputs {
        // SAFETY: every pattern's rows have been written, by tasks or where there is no plan, and no task was stopped.
        unsafe { values.set_len(request.rows) };
    }
    let found = all.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    answer.bad_columns = found.columns.into_values().collect();
    if !found.nulls {
        answer.nulls = answer.outputs.iter().map(|_| None).collect();
    }
    if settings.null_invalid && (!answer.bad_columns.is_empty() || !answer.bad_rows.is_empty()) {
        answer.reasons = Some(reasons);
    }
    Ok(answer)
}

/// Rows of one task: a few tasks a thread, whole blocks, and no more than stay in the second-level cache.
fn task_rows(rows: usize, settings: &Settings) -> usize {
    const TASKS_PER_THREAD: usize = 4;
    const MOST: usize = 32_768;
    (rows / (settings.threads * TASKS_PER_THREAD).max(1)).clamp(settings.block, MOST).next_multiple_of(settings.block)
}

fn task(
    request: &Request,
    layout: &Layout,
    settings: &Settings,
    target: &Target,
    rows_of: RowsOf,
    rows: usize,
    stop: &AtomicBool,
) -> Found {
    let mut found = Found::default();
    let arena = Arena::new(layout, settings, &mut found);
    // A constant out of bounds spoils every row.
    let spoilt = found.columns.keys().next().copied();
    // Columns the plan does not read are held to their declarations too.
    let unread: Vec<(VariableId, &Column)> = request
        .columns
        .iter()
        .filter(|(id, _)| !layout.slots.contains_key(*id) && !Request::is_choice(**id))
        .map(|(id, column)| (*id, column))
        .collect();
    // Several blocks at once where their rows are put in order together.
    let window = if layout.ordered && matches!(request.further, Further::Nothing) { WINDOW } else { 1 };
    let mut arenas = vec![arena];
    while arenas.len() < window.min(rows.div_ceil(settings.block)) {
        let next = Arena::beside(&arenas[0], layout);
        arenas.push(next);
    }
    let mut from = 0;
    while from < rows && !stop.load(Ordering::Relaxed) {
        let starts: Vec<_> = (from..rows).step_by(settings.block).take(arenas.len()).collect();
        let counts: Vec<_> = starts.iter().map(|start| settings.block.min(rows - start)).collect();
        let arenas = &mut arenas[..starts.len()];
        let mut steps = &layout.steps[..];
        let mut loaded = false;
        while !loaded || !steps.is_empty() {
            let alone = steps.iter().take_while(|step| arenas.len() == 1 || !layout.is_ordered(**step)).count();
            for ((arena, &start), &count) in arenas.iter_mut().zip(&starts).zip(&counts) {
                let rows_of = rows_of.part(start, count);
                if !loaded {
                    arena.load(layout, request, rows_of, count, start + count < rows, &mut found);
                    if let Some(id) = spoilt {
                        arena.invalid[..count].fill(u16::try_from(id + 1).unwrap_or(u16::MAX));
                    }
                    for (id, column) in &unread {
                        arena.check(*id, column, rows_of, count, &mut found);
                    }
                    arena.aim(layout, target, rows_of, count);
                }
                for &step in &steps[..alone] {
                    arena.step(layout, step, settings.level, count);
                }
            }
            loaded = true;
            steps = &steps[alone..];
            if let Some((&step, rest)) = steps.split_first() {
                Arena::step_together(arenas, layout, step, settings.level, &counts);
                steps = rest;
            }
        }
        for ((arena, &start), &count) in arenas.iter_mut().zip(&starts).zip(&counts) {
            let rows_of = rows_of.part(start, count);
            match &request.further {
                Further::Nothing => {}
                Further::Solve(search) => solve::block(arena, layout, search, settings, rows_of, count),
                Further::Gradient { elasticities, .. } => gradient::block(arena, layout, *elasticities, count, stop),
            }
            arena.store(layout, target, rows_of, count, &mut found);
        }
        from += counts.iter().sum::<usize>();
    }
    found
}
