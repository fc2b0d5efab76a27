//! The number a model is written in: one `f64`, a pack of eight rows, a dual number, a tracer of needs.

use crate::math::{self, Bits};
use fearless_simd::{Simd, f64x8, mask64x8, prelude::*, u64x8};
use std::ops::{Add, BitAnd, BitOr, Div, Mul, Neg, Sub};

/// Rows in a pack. Best or equal on SSE2, AVX2 and AVX-512, and one width is one memory layout.
pub const LANES: usize = 8;

/// Positions in a table, one a row.
#[derive(Clone, Copy)]
pub struct Positions {
    pub rows: [usize; LANES],
    /// Whether all rows have the same.
    pub same: bool,
}

impl Positions {
    #[inline(always)]
    fn all(position: usize) -> Self {
        Positions { rows: [position; LANES], same: true }
    }
}

/// What a model may do with its numbers. Each implementation does the same to every row.
pub trait Number:
    Copy
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + Add<f64, Output = Self>
    + Sub<f64, Output = Self>
    + Mul<f64, Output = Self>
    + Div<f64, Output = Self>
{
    type Mask: Copy + BitAnd<Output = Self::Mask> + BitOr<Output = Self::Mask>;
    /// A number laid down in memory, for tables over months.
    type Slot: Copy;
    /// Rows in one number.
    const ROWS: usize;
    /// Whether more than a value is carried along, such as a derivative.
    const CARRIES: bool = false;

    fn of(x: f64) -> Self;
    fn lt(self, other: Self) -> Self::Mask;
    fn le(self, other: Self) -> Self::Mask;
    fn eq(self, other: Self) -> Self::Mask;
    /// `yes` where the mask holds, else `no`; value and derivative alike.
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;
    /// Whether the mask holds on every row: only to leave a loop early, never to choose a value.
    fn all(mask: Self::Mask) -> bool;
    /// The same, to take a shortcut that reads less: the tracer takes none.
    #[inline(always)]
    fn shortcut(mask: Self::Mask) -> bool {
        Self::all(mask)
    }
    /// The largest of the rows: only to bound a loop.
    fn highest(self) -> f64;
    fn sqrt(self) -> Self;
    fn exp(self) -> Self;
    fn ln(self) -> Self;
    fn pow(self, exponent: Self) -> Self;
    fn exp_m1(self) -> Self;
    fn ln_1p(self) -> Self;
    fn floor(self) -> Self;
    /// The value alone, as a constant: its derivative is 0.
    fn constant(self) -> Self;
    /// The value under the name of a model's output, whose place comes after the inputs': for tracing what is read.
    #[inline(always)]
    fn named(self, _place: usize) -> Self {
        self
    }
    fn save(self) -> Self::Slot;
    fn restore(slot: Self::Slot) -> Self;
    /// Each row's value as a position in a table, cut at 0.
    fn positions(self) -> Positions;
    /// The same, quicker to make and slower to move: for positions that are used once.
    #[inline(always)]
    fn positions_once(self) -> Positions {
        self.positions()
    }
    /// Copies one row's number from one place in memory to another.
    fn copy_row(to: &mut Self::Slot, from: &Self::Slot, row: usize);
    /// Adds it to what is there.
    fn add_row(to: &mut Self::Slot, from: &Self::Slot, row: usize);

    /// Each row's own entry of a table, `moved` from its position; the last one beyond its end.
    #[inline(always)]
    fn pick(table: &[Self::Slot], positions: &Positions, moved: impl Fn(usize) -> usize) -> Self {
        let last = table.len() - 1;
        let mut slot = table[moved(positions.rows[0]).min(last)];
        if !positions.same {
            let mut row = 1;
            while row < Self::ROWS {
                Self::copy_row(&mut slot, &table[moved(positions.rows[row]).min(last)], row);
                row += 1;
            }
        }
        Self::restore(slot)
    }

    /// Copies a table, each row's entries moved on by its position, over what they come to lie on.
    #[inline(always)]
    fn delay(table: &[Self::Slot], positions: &Positions, to: &mut [Self::Slot]) {
        let mut row = 0;
        while row < Self::ROWS {
            let by = positions.rows[row].min(to.len());
            let to = &mut to[by..];
            let count = to.len().min(table.len());
            let (table, to) = (&table[..count], &mut to[..count]);
            let mut k = 0;
            if positions.same {
                while k < count {
                    to[k] = table[k];
                    k += 1;
                }
                return;
            }
            while k < count {
                Self::copy_row(&mut to[k], &table[k], row);
                k += 1;
            }
            row += 1;
        }
    }

    /// Adds to each row's own entry of a table, `moved` from its position; to the last one beyond its end.
    #[inline(always)]
    fn put(self, table: &mut [Self::Slot], positions: &Positions, moved: impl Fn(usize) -> usize) {
        let last = table.len() - 1;
        if positions.same {
            let place = &mut table[moved(positions.rows[0]).min(last)];
            *place = (Self::restore(*place) + self).save();
            return;
        }
        let rows = self.save();
        let mut row = 0;
        while row < Self::ROWS {
            Self::add_row(&mut table[moved(positions.rows[row]).min(last)], &rows, row);
            row += 1;
        }
    }

    /// The smaller, `self` where they are equal or not comparable.
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        Self::select(other.lt(self), other, self)
    }
    /// The larger, `self` where they are equal or not comparable.
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Self::select(self.lt(other), other, self)
    }
    #[inline(always)]
    fn abs(self) -> Self {
        Self::select(self.lt(Self::of(0.0)), -self, self)
    }
    /// max(self, 0).
    #[inline(always)]
    fn positive_part(self) -> Self {
        self.max(Self::of(0.0))
    }
    /// The power of a whole `exponent` from 0 on, by squares. Each factor adds a rounding: 1e-13 for a thousand.
    #[inline(always)]
    fn whole_pow(self, exponent: Self) -> Self {
        let mut power = Self::one();
        let mut square = self;
        // An input that is not read is not a number, and would have no end.
        let mut left = Self::zero().max(exponent);
        loop {
            let half = left * 0.5;
            left = half.floor();
            power = Self::select(left.lt(half), power * square, power);
            if Self::all(left.lt(Self::one())) {
                return power;
            }
            square = square * square;
        }
    }
    #[inline(always)]
    fn zero() -> Self {
        Self::of(0.0)
    }
    #[inline(always)]
    fn one() -> Self {
        Self::of(1.0)
    }
}

impl Number for f64 {
    type Mask = bool;
    type Slot = f64;
    const ROWS: usize = 1;
    #[inline(always)]
    fn of(x: f64) -> f64 {
        x
    }
    #[inline(always)]
    fn lt(self, other: f64) -> bool {
        self < other
    }
    #[inline(always)]
    fn le(self, other: f64) -> bool {
        self <= other
    }
    #[inline(always)]
    fn eq(self, other: f64) -> bool {
        self == other
    }
    #[inline(always)]
    fn select(mask: bool, yes: f64, no: f64) -> f64 {
        if mask { yes } else { no }
    }
    #[inline(always)]
    fn all(mask: bool) -> bool {
        mask
    }
    #[inline(always)]
    fn highest(self) -> f64 {
        self
    }
    #[inline(always)]
    fn sqrt(self) -> f64 {
        f64::sqrt(self)
    }
    #[inline(always)]
    fn exp(self) -> f64 {
        math::exp(self)
    }
    #[inline(always)]
    fn ln(self) -> f64 {
        math::ln(self)
    }
    #[inline(always)]
    fn pow(self, exponent: f64) -> f64 {
        math::pow(self, exponent)
    }
    #[inline(always)]
    fn exp_m1(self) -> f64 {
        math::exp_m1(self)
    }
    #[inline(always)]
    fn ln_1p(self) -> f64 {
        math::ln_1p(self)
    }
    #[inline(always)]
    fn floor(self) -> f64 {
        f64::floor(self)
    }
    #[inline(always)]
    fn constant(self) -> f64 {
        self
    }
    #[inline(always)]
    fn save(self) -> f64 {
        self
    }
    #[inline(always)]
    fn restore(slot: f64) -> f64 {
        slot
    }
    #[inline(always)]
    fn positions(self) -> Positions {
        Positions::all(position(self))
    }
    #[inline(always)]
    fn copy_row(to: &mut f64, from: &f64, _row: usize) {
        *to = *from;
    }
    #[inline(always)]
    fn add_row(to: &mut f64, from: &f64, _row: usize) {
        *to += *from;
    }
}

#[inline(always)]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
fn position(x: f64) -> usize {
    x as usize
}

impl Bits for f64 {
    #[inline(always)]
    fn and_bits(self, bits: u64) -> f64 {
        f64::from_bits(self.to_bits() & bits)
    }
    #[inline(always)]
    fn or_bits(self, bits: u64) -> f64 {
        f64::from_bits(self.to_bits() | bits)
    }
    #[inline(always)]
    fn add_bits(self, bits: u64) -> f64 {
        f64::from_bits(self.to_bits().wrapping_add(bits))
    }
    #[inline(always)]
    fn shift_left<const K: u32>(self) -> f64 {
        f64::from_bits(self.to_bits() << K)
    }
    #[inline(always)]
    fn shift_right<const K: u32>(self) -> f64 {
        f64::from_bits(self.to_bits() >> K)
    }
}

/// A pack in memory, on a line of the cache: across two every read would be two.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub struct Line(pub [f64; LANES]);

/// Eight rows in the vector registers of the instruction set `S`. Made only where `S` is there.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Pack<S: Simd>(pub f64x8<S>);

/// The proof that `S` is available.
#[inline(always)]
fn token<S: Simd>() -> S {
    const { assert!(size_of::<S>() == 0) };
    // SAFETY: the token has no size, and packs exist only where a token has shown the instruction set to be there.
    unsafe { std::mem::zeroed() }
}

impl<S: Simd> Pack<S> {
    #[inline(always)]
    pub fn load(simd: S, rows: &[f64; LANES]) -> Self {
        Pack(f64x8::simd_from(simd, *rows))
    }
    #[inline(always)]
    pub fn store(self, rows: &mut [f64; LANES]) {
        self.0.store_slice(rows);
    }
    #[inline(always)]
    fn bits(self) -> u64x8<S> {
        self.0.bitcast()
    }
    #[inline(always)]
    fn from_bits(bits: u64x8<S>) -> Self {
        Pack(bits.bitcast())
    }
}

macro_rules! operators { ($($trait:ident $name:ident $op:tt),*) => { $(
    impl<S: Simd> $trait for Pack<S> {
        type Output = Self;
        #[inline(always)]
        fn $name(self, other: Self) -> Self { Pack(self.0 $op other.0) }
    }
    impl<S: Simd> $trait<f64> for Pack<S> {
        type Output = Self;
        #[inline(always)]
        fn $name(self, other: f64) -> Self { Pack(self.0 $op other) }
    }
)* } }
operators!(Add add +, Sub sub -, Mul mul *, Div div /);

impl<S: Simd> Neg for Pack<S> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Pack(-self.0)
    }
}

impl<S: Simd> Number for Pack<S> {
    type Mask = mask64x8<S>;
    type Slot = Line;
    const ROWS: usize = LANES;
    #[inline(always)]
    fn of(x: f64) -> Self {
        Pack(f64x8::splat(token(), x))
    }
    #[inline(always)]
    fn lt(self, other: Self) -> mask64x8<S> {
        self.0.simd_lt(other.0)
    }
    #[inline(always)]
    fn le(self, other: Self) -> mask64x8<S> {
        self.0.simd_le(other.0)
    }
    #[inline(always)]
    fn eq(self, other: Self) -> mask64x8<S> {
        self.0.simd_eq(other.0)
    }
    #[inline(always)]
    fn select(mask: mask64x8<S>, yes: Self, no: Self) -> Self {
        Pack(mask.select(yes.0, no.0))
    }
    #[inline(always)]
    fn all(mask: mask64x8<S>) -> bool {
        mask.all_true()
    }
    #[inline(always)]
    fn highest(self) -> f64 {
        let mut rows = [0.0; LANES];
        self.store(&mut rows);
        // In pairs, so that only three comparisons wait for each other.
        let mut half = LANES / 2;
        while half > 0 {
            let mut row = 0;
            while row < half {
                rows[row] = if rows[row] < rows[row + half] { rows[row + half] } else { rows[row] };
                row += 1;
            }
            half /= 2;
        }
        rows[0]
    }
    // `minpd(a, b)` gives b where they are equal or not comparable: with the operands exchanged, the definition above.
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        Pack(other.0.min(self.0))
    }
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Pack(other.0.max(self.0))
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        Pack(self.0.sqrt())
    }
    #[inline(always)]
    fn exp(self) -> Self {
        math::exp(self)
    }
    #[inline(always)]
    fn ln(self) -> Self {
        math::ln(self)
    }
    #[inline(always)]
    fn pow(self, exponent: Self) -> Self {
        math::pow(self, exponent)
    }
    #[inline(always)]
    fn exp_m1(self) -> Self {
        math::exp_m1(self)
    }
    #[inline(always)]
    fn ln_1p(self) -> Self {
        math::ln_1p(self)
    }
    #[inline(always)]
    fn floor(self) -> Self {
        Pack(self.0.floor())
    }
    #[inline(always)]
    fn constant(self) -> Self {
        self
    }
    #[inline(always)]
    fn save(self) -> Line {
        let mut line = Line([0.0; LANES]);
        self.store(&mut line.0);
        line
    }
    #[inline(always)]
    fn restore(slot: Line) -> Self {
        Pack(f64x8::simd_from(token(), slot.0))
    }
    #[inline(always)]
    fn positions(self) -> Positions {
        let Line(rows) = self.save();
        let mut positions = Positions::all(position(rows[0]));
        let mut row = 1;
        while row < LANES {
            positions.rows[row] = position(rows[row]);
            positions.same &= positions.rows[row] == positions.rows[0];
            row += 1;
        }
        positions
    }
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "32 bits")]
    fn positions_once(self) -> Positions {
        /// From here on a number's lowest bits are its whole part.
        const WHOLE: f64 = (1_u64 << 52) as f64;
        const MOST: u32 = u32::MAX;
        let whole = Self::zero().max(self).min(Self::of(f64::from(MOST))).floor();
        let mut bits = [0_u64; LANES];
        ((whole + WHOLE).bits() & u64::from(MOST)).store_slice(&mut bits);
        let mut positions = Positions::all(0);
        let mut row = 0;
        while row < LANES {
            positions.rows[row] = bits[row] as usize;
            row += 1;
        }
        positions.same = Self::all(whole.eq(Self::of(bits[0] as f64)));
        positions
    }
    /// Row by row into a register: by way of memory the processor would wait for the last row's store.
    #[inline(always)]
    fn pick(table: &[Line], positions: &Positions, moved: impl Fn(usize) -> usize) -> Self {
        let last = table.len() - 1;
        if positions.same {
            return Self::restore(table[moved(positions.rows[0]).min(last)]);
        }
        let mut places = positions.rows;
        let mut row = 0;
        while row < LANES {
            places[row] = moved(places[row]).min(last);
            row += 1;
        }
        let [a, b, c, d, e, f, g, h] = places;
        Self::restore(Line([
            table[a].0[0],
            table[b].0[1],
            table[c].0[2],
            table[d].0[3],
            table[e].0[4],
            table[f].0[5],
            table[g].0[6],
            table[h].0[7],
        ]))
    }
    #[inline(always)]
    fn copy_row(to: &mut Line, from: &Line, row: usize) {
        to.0[row] = from.0[row];
    }
    #[inline(always)]
    fn add_row(to: &mut Line, from: &Line, row: usize) {
        to.0[row] += from.0[row];
    }
}

impl<S: Simd> Bits for Pack<S> {
    #[inline(always)]
    fn and_bits(self, bits: u64) -> Self {
        Self::from_bits(self.bits() & bits)
    }
    #[inline(always)]
    fn or_bits(self, bits: u64) -> Self {
        Self::from_bits(self.bits() | bits)
    }
    #[inline(always)]
    fn add_bits(self, bits: u64) -> Self {
        Self::from_bits(self.bits() + bits)
    }
    #[inline(always)]
    fn shift_left<const K: u32>(self) -> Self {
        Self::from_bits(self.bits() << K)
    }
    #[inline(always)]
    fn shift_right<const K: u32>(self) -> Self {
        Self::from_bits(self.bits() >> K)
    }
}

/// A value and its derivative by one chosen input. At a kink the derivative is that of the branch `select` takes.
#[derive(Clone, Copy, Debug)]
pub struct Dual<N> {
    pub value: N,
    pub derivative: N,
}

impl<N: Number> Dual<N> {
    /// `factor * derivative`, 0 where the derivative is 0 though the factor be infinite.
    #[inline(always)]
    fn chain(derivative: N, factor: N) -> N {
        N::select(derivative.eq(N::zero()), N::zero(), derivative * factor)
    }
}

macro_rules! dual_operators { ($($trait:ident $name:ident ($a:ident, $b:ident) $value:expr, $derivative:expr, $by_constant:expr);* $(;)?) => { $(
    impl<N: Number> $trait for Dual<N> {
        type Output = Self;
        #[inline(always)]
        fn $name(self, other: Self) -> Self {
            let ($a, $b) = (self, other);
            Dual { value: $value, derivative: $derivative }
        }
    }
    impl<N: Number> $trait<f64> for Dual<N> {
        type Output = Self;
        #[inline(always)]
        fn $name(self, other: f64) -> Self {
            Dual { value: self.value.$name(other), derivative: $by_constant(self.derivative, other) }
        }
    }
)* } }
dual_operators!(
    Add add (a, b) a.value + b.value, a.derivative + b.derivative, |d: N, _: f64| d;
    Sub sub (a, b) a.value - b.value, a.derivative - b.derivative, |d: N, _: f64| d;
    Mul mul (a, b) a.value * b.value, Self::chain(a.derivative, b.value) + Self::chain(b.derivative, a.value), |d: N, c: f64| d * c;
    Div div (a, b) a.value / b.value, Self::chain(a.derivative - Self::chain(b.derivative, a.value / b.value), N::one() / b.value), |d: N, c: f64| d / c;
);

impl<N: Number> Neg for Dual<N> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Dual { value: -self.value, derivative: -self.derivative }
    }
}

impl<N: Number> Number for Dual<N> {
    type Mask = N::Mask;
    type Slot = (N::Slot, N::Slot);
    const ROWS: usize = N::ROWS;
    const CARRIES: bool = true;
    #[inline(always)]
    fn of(x: f64) -> Self {
        Dual { value: N::of(x), derivative: N::zero() }
    }
    #[inline(always)]
    fn lt(self, other: Self) -> N::Mask {
        self.value.lt(other.value)
    }
    #[inline(always)]
    fn le(self, other: Self) -> N::Mask {
        self.value.le(other.value)
    }
    #[inline(always)]
    fn eq(self, other: Self) -> N::Mask {
        self.value.eq(other.value)
    }
    #[inline(always)]
    fn select(mask: N::Mask, yes: Self, no: Self) -> Self {
        Dual { value: N::select(mask, yes.value, no.value), derivative: N::select(mask, yes.derivative, no.derivative) }
    }
    #[inline(always)]
    fn all(mask: N::Mask) -> bool {
        N::all(mask)
    }
    #[inline(always)]
    fn highest(self) -> f64 {
        self.value.highest()
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        let root = self.value.sqrt();
        Dual { value: root, derivative: Self::chain(self.derivative, N::of(0.5) / root) }
    }
    #[inline(always)]
    fn exp(self) -> Self {
        let e = self.value.exp();
        Dual { value: e, derivative: Self::chain(self.derivative, e) }
    }
    #[inline(always)]
    fn ln(self) -> Self {
        Dual { value: self.value.ln(), derivative: Self::chain(self.derivative, N::one() / self.value) }
    }
    /// d(x^y) = y x^(y-1) dx + x^y ln x dy; at x = 0 the second term is 0, its limit for y > 0. x^0 is 1 everywhere.
    #[inline(always)]
    fn pow(self, exponent: Self) -> Self {
        let p = self.value.pow(exponent.value);
        let by_base = exponent.value * self.value.pow(exponent.value - 1.0);
        let by_base = N::select(exponent.value.eq(N::zero()), N::zero(), by_base);
        let log = N::select(N::zero().lt(self.value), self.value.ln(), N::zero());
        let derivative = Self::chain(self.derivative, by_base) + Self::chain(exponent.derivative, p * log);
        Dual { value: p, derivative }
    }
    #[inline(always)]
    fn exp_m1(self) -> Self {
        let e = self.value.exp_m1();
        Dual { value: e, derivative: Self::chain(self.derivative, e + 1.0) }
    }
    #[inline(always)]
    fn ln_1p(self) -> Self {
        Dual { value: self.value.ln_1p(), derivative: Self::chain(self.derivative, N::one() / (self.value + 1.0)) }
    }
    #[inline(always)]
    fn floor(self) -> Self {
        Dual { value: self.value.floor(), derivative: N::zero() }
    }
    #[inline(always)]
    fn constant(self) -> Self {
        Dual { value: self.value.constant(), derivative: N::zero() }
    }
    #[inline(always)]
    fn save(self) -> Self::Slot {
        (self.value.save(), self.derivative.save())
    }
    #[inline(always)]
    fn restore(slot: Self::Slot) -> Self {
        Dual { value: N::restore(slot.0), derivative: N::restore(slot.1) }
    }
    #[inline(always)]
    fn positions(self) -> Positions {
        self.value.positions()
    }
    #[inline(always)]
    fn positions_once(self) -> Positions {
        self.value.positions_once()
    }
    #[inline(always)]
    fn copy_row(to: &mut Self::Slot, from: &Self::Slot, row: usize) {
        N::copy_row(&mut to.0, &from.0, row);
        N::copy_row(&mut to.1, &from.1, row);
    }
    #[inline(always)]
    fn add_row(to: &mut Self::Slot, from: &Self::Slot, row: usize) {
        N::add_row(&mut to.0, &from.0, row);
        N::add_row(&mut to.1, &from.1, row);
    }
}

/// What a value was made from, as sets of bits: a model's inputs, then its outputs. Loops run once: what is read does not
/// change with the month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Inputs and given outputs, through everything on the way.
    pub all: u128,
    /// The same as far back as the next output: a value that has an output's name stands for itself.
    pub line: u128,
    /// What an output's own line reads: `line` before the value had the name.
    pub unnamed: u128,
}

impl Needs {
    pub const NOTHING: Needs = Needs { all: 0, line: 0, unnamed: 0 };
    /// The input or given output of a place.
    pub fn of_place(place: usize) -> Needs {
        Needs { all: 1 << place, line: 1 << place, unnamed: 1 << place }
    }
    /// What is made of two values has read both.
    fn join(self, other: Needs) -> Needs {
        let line = self.line | other.line;
        Needs { all: self.all | other.all, line, unnamed: line }
    }
    fn alone(self) -> Needs {
        self.join(Needs::NOTHING)
    }
}

macro_rules! join { ($($trait:ident $name:ident),*) => { $(
    impl $trait for Needs {
        type Output = Needs;
        fn $name(self, other: Needs) -> Needs { self.join(other) }
    }
)* } }
join!(Add add, Sub sub, Mul mul, Div div, BitAnd bitand, BitOr bitor);
macro_rules! join_number { ($($trait:ident $name:ident),*) => { $(
    impl $trait<f64> for Needs {
        type Output = Needs;
        fn $name(self, _: f64) -> Needs { self.alone() }
    }
)* } }
join_number!(Add add, Sub sub, Mul mul, Div div);
impl Neg for Needs {
    type Output = Needs;
    fn neg(self) -> Needs {
        self.alone()
    }
}
impl Number for Needs {
    type Mask = Needs;
    type Slot = Needs;
    const ROWS: usize = 1;
    const CARRIES: bool = true;
    fn of(_: f64) -> Needs {
        Needs::NOTHING
    }
    fn named(self, place: usize) -> Needs {
        Needs { all: self.all, line: 1 << place, unnamed: self.line }
    }
    fn lt(self, other: Needs) -> Needs {
        self | other
    }
    fn le(self, other: Needs) -> Needs {
        self | other
    }
    fn eq(self, other: Needs) -> Needs {
        self | other
    }
    fn select(mask: Needs, yes: Needs, no: Needs) -> Needs {
        mask | yes | no
    }
    fn all(_: Needs) -> bool {
        true
    }
    fn shortcut(_: Needs) -> bool {
        false
    }
    fn highest(self) -> f64 {
        1.0
    }
    fn sqrt(self) -> Needs {
        self.alone()
    }
    fn exp(self) -> Needs {
        self.alone()
    }
    fn ln(self) -> Needs {
        self.alone()
    }
    fn pow(self, exponent: Needs) -> Needs {
        self | exponent
    }
    fn exp_m1(self) -> Needs {
        self.alone()
    }
    fn ln_1p(self) -> Needs {
        self.alone()
    }
    fn floor(self) -> Needs {
        self.alone()
    }
    fn constant(self) -> Needs {
        self.alone()
    }
    fn save(self) -> Needs {
        self
    }
    fn restore(slot: Needs) -> Needs {
        slot
    }
    fn positions(self) -> Positions {
        Positions::all(0)
    }
    fn copy_row(to: &mut Needs, from: &Needs, _row: usize) {
        *to = *from;
    }
    fn add_row(to: &mut Needs, from: &Needs, _row: usize) {
        *to = *to | *from;
    }
    fn pick(table: &[Needs], _: &Positions, _: impl Fn(usize) -> usize) -> Needs {
        table.iter().fold(Needs::NOTHING, |all, slot| all | *slot)
    }
    fn delay(table: &[Needs], _: &Positions, to: &mut [Needs]) {
        to.fill(table.iter().fold(Needs::NOTHING, |all, slot| all | *slot));
    }
}
