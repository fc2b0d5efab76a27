//! One block of rows through each model's equations, and the elementary functions: `cargo bench --bench kernels [NAME]`.
//!
//! Wall time of the kernels alone, in the registers of the best instruction set there is: no bounds, nulls or plan around
//! them. Every row has its own inputs, from their typical ranges; every output is wanted.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use fearless_simd::{Level, Simd, dispatch};
use std::ptr::null;
use tapeout::engine::{BLOCK, Call};
use tapeout::number::{LANES, Number, Pack};
use tapeout::plan::{Registered, registry};
use tapeout::variable::{Kind, Variable};

const PACKS: usize = BLOCK / LANES;
type Packs = Vec<[f64; LANES]>;

fn main() {
    divan::main();
}

/// A number of 0 to 1 for a row of a variable: the golden ratio's multiples, the same on every run.
#[expect(clippy::cast_precision_loss, reason = "a few thousand")]
fn share(row: usize, variable: usize) -> f64 {
    (0.618_033_988_749_895 * (row + 1) as f64 + 0.414_213_562_373_095 * (variable + 1) as f64).fract()
}

fn value(variable: &Variable, row: usize, id: usize) -> f64 {
    let (low, high) = variable.typical;
    let typical = low + (high - low) * share(row, id);
    let x = match (typical.is_finite(), variable.default.is_nan()) {
        (true, _) => typical,
        (false, false) => variable.default,
        (false, true) => variable.low.max(1.0).min(variable.high),
    };
    if variable.kind == Kind::Number { x } else { x.round() }
}

fn packs(of_row: impl Fn(usize) -> f64) -> Packs {
    (0..PACKS).map(|pack| std::array::from_fn(|lane| of_row(pack * LANES + lane))).collect()
}

fn names() -> impl Iterator<Item = &'static str> {
    registry().models.iter().map(|model| model.entry.name)
}

fn named(name: &str) -> &'static Registered {
    registry().models.iter().find(|model| model.entry.name == name).expect("a model of the registry")
}

#[divan::bench(args = names(), max_time = 0.3)]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a position among choices")]
fn model(bencher: Bencher, name: &str) {
    let model = named(name);
    let variables = &registry().variables;
    let columns: Vec<Packs> = model.inputs.iter().map(|&id| packs(|row| value(&variables[id], row, id))).collect();
    let mut answers: Vec<Packs> = model.outputs.iter().map(|_| packs(|_| 0.0)).collect();
    let choices: Vec<u8> = model.choices.iter().map(|&id| variables[id].default as u8).collect();
    let inputs: Vec<_> = columns.iter().map(Vec::as_ptr).collect();
    let given = vec![null(); model.outputs.len()];
    let outputs: Vec<_> = answers.iter_mut().map(Vec::as_mut_ptr).collect();
    let call =
        Call { inputs: &inputs, given: &given, outputs: &outputs, choices: &choices, wanted: u64::MAX, packs: PACKS };
    let level = Level::new();
    bencher.counter(ItemsCount::new(BLOCK)).bench_local(|| (model.entry.run)(level, black_box(&call)));
}

/// A function of two numbers over a block, a pack at a time.
#[inline(always)]
fn over_packs<S: Simd>(simd: S, x: &Packs, y: &Packs, to: &mut Packs, function: impl Fn(Pack<S>, Pack<S>) -> Pack<S>) {
    let mut k = 0;
    while k < x.len() {
        function(Pack::load(simd, &x[k]), Pack::load(simd, &y[k])).store(&mut to[k]);
        k += 1;
    }
}

/// `elementary!(name = |x, y| expression)`: the expression over a block of x in 0.1 to 10 and y in -5 to 5.
macro_rules! elementary {
    ($($name:ident = |$x:ident, $y:ident| $value:expr;)+) => { $(
        #[divan::bench]
        fn $name(bencher: Bencher) {
            let (x, y) = (packs(|row| 0.1 + 9.9 * share(row, 0)), packs(|row| 10.0 * share(row, 1) - 5.0));
            let mut to = packs(|_| 0.0);
            let level = Level::new();
            bencher.counter(ItemsCount::new(BLOCK)).bench_local(|| {
                let (x, y, to) = (black_box(&x), black_box(&y), &mut to);
                dispatch!(level, simd => simd.vectorize(
                    #[inline(always)]
                    || over_packs(simd, x, y, to, #[inline(always)] |$x, $y| $value),
                ));
            });
        }
    )+ };
}
elementary! {
    exp = |_x, y| y.exp();
    ln = |x, _y| x.ln();
    pow = |x, y| x.pow(y);
    exp_m1 = |_x, y| y.exp_m1();
    ln_1p = |x, _y| x.ln_1p();
}
