//! What every model's kernel does and how long it takes: operations counted by a number that counts, time measured.
//!
//! `kernels FOLDER`: the folder has rows for every model, as `tools/kernels.py` writes them, which also reads what is printed.
//! Models are timed on the best instruction set, on one core, as the engine runs them: block by block, rows of one pack
//! alike in what their loops hang on. Time is the thread's own, and the best of many runs, taken in turns, is what counts.

use fearless_simd::{Level, Simd, dispatch};
use std::hint::black_box;
use std::ops::{Add, BitAnd, BitOr, Div, Mul, Neg, Sub};
use std::path::Path;
use std::ptr::null;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use tapeout::kernel::{self, BLOCK, Call, RunModel, Sorting};
use tapeout::math::{self, Bits};
use tapeout::models::Entry;
use tapeout::number::{LANES, Number, Pack, Positions};
use tapeout::plan::{Registered, registry};
use tapeout::variable::Model;

const ROUNDS: usize = 40;
/// Numbers between columns: a multiple of 4096 bytes apart, they would share few places of the first cache, and models of many
/// columns would take up to twice as long.
const PAD: usize = LANES;
/// What a run takes, by fewer blocks or several passes over them.
const RUN_NS: f64 = 1e6;

/// Processor time of this thread, in nanoseconds: others may run meanwhile.
fn now() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: it writes to the place given, and has no other effect.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// A model's kernel that does nothing: what is left is the engine's.
fn nothing(_: Level, _: &Call) {}

macro_rules! kinds {
    ($($kind:ident $name:literal)*) => {
        #[derive(Clone, Copy)]
        enum Kind { $($kind),* }
        const KINDS: &[&str] = &[$($name),*];
    };
}
kinds!(
    Add "add" Mul "mul" Div "div" Sqrt "sqrt" Compare "compare" Select "select" Bit "bit"
    Exp "exp" Ln "ln" Pow "pow" ExpM1 "exp_m1" Ln1p "ln_1p" Load "load" Store "store" Move "move"
);
const KINDS_COUNT: usize = KINDS.len();

static TALLY: [AtomicU64; KINDS_COUNT] = [const { AtomicU64::new(0) }; KINDS_COUNT];
/// Of the longest chains of the packs, in femtoseconds.
static CHAINS: AtomicU64 = AtomicU64::new(0);

/// How long a result of each kind is waited for, in nanoseconds.
static LATENCY: OnceLock<[f64; KINDS_COUNT]> = OnceLock::new();

/// Counts one operation on a pack and tells when its result is there.
#[inline(never)]
fn done(kind: Kind, ready: f64) -> f64 {
    TALLY[kind as usize].fetch_add(1, Ordering::Relaxed);
    ready + LATENCY.get().map_or(0.0, |latency| latency[kind as usize])
}

/// A pack that counts what is done to it. `ready`: when its value is there, if nothing but values is waited for.
#[derive(Clone, Copy)]
struct Counted {
    rows: [f64; LANES],
    ready: f64,
}

#[derive(Clone, Copy)]
struct CountedMask {
    rows: [bool; LANES],
    ready: f64,
}

impl Counted {
    fn map(self, kind: Kind, f: impl Fn(f64) -> f64) -> Counted {
        Counted { rows: self.rows.map(f), ready: done(kind, self.ready) }
    }
    fn with(self, other: Counted, kind: Kind, f: impl Fn(f64, f64) -> f64) -> Counted {
        let rows = std::array::from_fn(|row| f(self.rows[row], other.rows[row]));
        Counted { rows, ready: done(kind, self.ready.max(other.ready)) }
    }
    fn compare(self, other: Counted, f: impl Fn(f64, f64) -> bool) -> CountedMask {
        let rows = std::array::from_fn(|row| f(self.rows[row], other.rows[row]));
        CountedMask { rows, ready: done(Kind::Compare, self.ready.max(other.ready)) }
    }
}

macro_rules! counted_operators { ($($trait:ident $name:ident $kind:ident),*) => { $(
    impl $trait for Counted {
        type Output = Counted;
        #[inline(never)]
        fn $name(self, other: Counted) -> Counted { self.with(other, Kind::$kind, f64::$name) }
    }
    impl $trait<f64> for Counted {
        type Output = Counted;
        #[inline(never)]
        fn $name(self, other: f64) -> Counted { self.map(kind_by(Kind::$kind, other), |x| x.$name(other)) }
    }
)* } }
counted_operators!(Add add Add, Sub sub Add, Mul mul Mul, Div div Div);

/// Division by a power of two is a multiplication.
fn kind_by(kind: Kind, other: f64) -> Kind {
    let power_of_two = other.to_bits() & ((1 << 52) - 1) == 0;
    if matches!(kind, Kind::Div) && power_of_two { Kind::Mul } else { kind }
}

impl Neg for Counted {
    type Output = Counted;
    #[inline(never)]
    fn neg(self) -> Counted {
        self.map(Kind::Bit, |x| -x)
    }
}

macro_rules! mask_operators { ($($trait:ident $name:ident $op:tt),*) => { $(
    impl $trait for CountedMask {
        type Output = CountedMask;
        #[inline(never)]
        fn $name(self, other: CountedMask) -> CountedMask {
            let rows = std::array::from_fn(|row| self.rows[row] $op other.rows[row]);
            CountedMask { rows, ready: self.ready.max(other.ready) }
        }
    }
)* } }
mask_operators!(BitAnd bitand &, BitOr bitor |);

impl Number for Counted {
    type Mask = CountedMask;
    type Slot = Counted;
    const ROWS: usize = LANES;
    #[inline(never)]
    fn of(x: f64) -> Counted {
        Counted { rows: [x; LANES], ready: 0.0 }
    }
    #[inline(never)]
    fn lt(self, other: Counted) -> CountedMask {
        self.compare(other, |a, b| a < b)
    }
    #[inline(never)]
    fn le(self, other: Counted) -> CountedMask {
        self.compare(other, |a, b| a <= b)
    }
    #[inline(never)]
    fn eq(self, other: Counted) -> CountedMask {
        self.compare(other, |a, b| a == b)
    }
    #[inline(never)]
    fn select(mask: CountedMask, yes: Counted, no: Counted) -> Counted {
        let rows = std::array::from_fn(|row| if mask.rows[row] { yes.rows[row] } else { no.rows[row] });
        Counted { rows, ready: done(Kind::Select, mask.ready.max(yes.ready).max(no.ready)) }
    }
    #[inline(never)]
    fn all(mask: CountedMask) -> bool {
        mask.rows.iter().all(|holds| *holds)
    }
    #[inline(never)]
    fn highest(self) -> f64 {
        self.rows.into_iter().fold(self.rows[0], |highest, row| if highest < row { row } else { highest })
    }
    // One instruction, as in packs.
    #[inline(never)]
    fn min(self, other: Counted) -> Counted {
        self.with(other, Kind::Compare, Number::min)
    }
    #[inline(never)]
    fn max(self, other: Counted) -> Counted {
        self.with(other, Kind::Compare, Number::max)
    }
    #[inline(never)]
    fn sqrt(self) -> Counted {
        self.map(Kind::Sqrt, f64::sqrt)
    }
    #[inline(never)]
    fn exp(self) -> Counted {
        done(Kind::Exp, 0.0);
        math::exp(self)
    }
    #[inline(never)]
    fn ln(self) -> Counted {
        done(Kind::Ln, 0.0);
        math::ln(self)
    }
    #[inline(never)]
    fn pow(self, exponent: Counted) -> Counted {
        done(Kind::Pow, 0.0);
        math::pow(self, exponent)
    }
    #[inline(never)]
    fn exp_m1(self) -> Counted {
        done(Kind::ExpM1, 0.0);
        math::exp_m1(self)
    }
    #[inline(never)]
    fn ln_1p(self) -> Counted {
        done(Kind::Ln1p, 0.0);
        math::ln_1p(self)
    }
    #[inline(never)]
    fn floor(self) -> Counted {
        self.map(Kind::Add, f64::floor)
    }
    fn constant(self) -> Counted {
        self
    }
    #[inline(never)]
    fn save(self) -> Counted {
        done(Kind::Store, 0.0);
        self
    }
    #[inline(never)]
    fn restore(slot: Counted) -> Counted {
        done(Kind::Load, 0.0);
        slot
    }
    #[inline(never)]
    fn positions(self) -> Positions {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        let rows = self.rows.map(|x| x as usize);
        Positions { rows, same: rows.iter().all(|row| *row == rows[0]) }
    }
    #[inline(never)]
    fn copy_row(to: &mut Counted, from: &Counted, row: usize) {
        to.rows[row] = from.rows[row];
        to.ready = to.ready.max(from.ready);
        done(Kind::Move, 0.0);
    }
    #[inline(never)]
    fn add_row(to: &mut Counted, from: &Counted, row: usize) {
        to.rows[row] += from.rows[row];
        to.ready = to.ready.max(from.ready);
        done(Kind::Move, 0.0);
    }
}

impl Bits for Counted {
    #[inline(never)]
    fn and_bits(self, bits: u64) -> Counted {
        self.map(Kind::Bit, |x| x.and_bits(bits))
    }
    #[inline(never)]
    fn or_bits(self, bits: u64) -> Counted {
        self.map(Kind::Bit, |x| x.or_bits(bits))
    }
    #[inline(never)]
    fn add_bits(self, bits: u64) -> Counted {
        self.map(Kind::Bit, |x| x.add_bits(bits))
    }
    #[inline(never)]
    fn shift_left<const K: u32>(self) -> Counted {
        self.map(Kind::Bit, Bits::shift_left::<K>)
    }
    #[inline(never)]
    fn shift_right<const K: u32>(self) -> Counted {
        self.map(Kind::Bit, Bits::shift_right::<K>)
    }
}

/// A model's equations over a block, counted. What the engine's own loop does, a month's path kept as there.
fn count<M: Model>(_: Level, call: &Call) {
    let mut path = M::path::<Counted>();
    for pack in 0..call.packs {
        // SAFETY: the engine hands over one address for each variable of the model, of at least `packs` packs.
        let rows = |at: *const [f64; LANES], pack: usize| unsafe { *at.add(pack) };
        let like = |k: usize, at: *const [f64; LANES]| {
            Some(k) == M::MONTH || rows(at, pack).map(f64::to_bits) == rows(at, pack - 1).map(f64::to_bits)
        };
        let stands = M::MONTH.is_some() && pack > 0 && call.inputs.iter().enumerate().all(|(k, at)| like(k, *at));
        let x = M::load(|k| Counted { rows: rows(call.inputs[k], pack), ready: 0.0 }, call.choices);
        let y = M::answer(x, M::load_given(|_| None, call.wanted), &mut path, stands);
        let mut ready: f64 = 0.0;
        M::store(y, |k, value: Counted| {
            ready = ready.max(value.ready);
            // SAFETY: as above, and no output's memory is an input's.
            unsafe { *call.outputs[k].add(pack) = value.rows };
        });
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive time")]
        CHAINS.fetch_add((ready * 1e6) as u64, Ordering::Relaxed);
    }
}

macro_rules! counted {
    ($($($name:ident)::+),* $(,)?) => {
        /// Every model of the registry, to be counted.
        const COUNTED: &[(&str, &str, RunModel)] = &[$((
            <tapeout::models::$($name)::+ as Model>::NAME,
            stringify!($($name)::+),
            count::<tapeout::models::$($name)::+>,
        )),*];
    };
}
counted!(
    llm::Llm,
    serving_format::ServingFormat,
    serving_engine::ServingEngine,
    serving_engine::speculation::Speculation,
    serving_search::ServingSearch,
    serving::Serving,
    serving_cost::ServingCost,
    gemm_kernels::GemmKernels,
    gemm::Gemm,
    gemm_tiling::GemmTiling,
    alignment::Alignment,
    alignment_search::AlignmentSearch,
    alignment_gain::AlignmentGain,
    scaling::coefficients::ScalingCoefficients,
    scaling::prices::ScalingPrices,
    scaling_tokens::by_loss::TokensByLoss,
    scaling_tokens::by_flop::TokensByFlop,
    scaling_size::by_loss::ScalingByLoss,
    scaling_size::by_flop::ScalingByFlop,
    scaling::Scaling,
    step_layout::StepLayout,
    step_flop::StepFlop,
    step_memory::StepMemory,
    step::Step,
    training_dates::TrainingDates,
    training::Training,
    die_shape::DieShape,
    die::Die,
    package::Package,
    programme::Programme,
    demand::by_spend::DemandBySpend,
    demand::by_tokens::DemandByTokens,
    demand::by_ratio::DemandByRatio,
    demand::Demand,
    inference::Inference,
    demand_month::DemandMonth,
    build::Build,
    build_month::BuildMonth,
    build_dual::BuildDual,
    own_cost::OwnCost,
    own_load::OwnLoad,
    own_rent::power_ratio::OwnPowerRatio,
    own_rent::OwnRent,
    own_performance::OwnPerformance,
    own_power::OwnPower,
    leverage::Leverage,
    leverage_beside::LeverageBeside,
    decision::dual::Dual,
    decision::four_ways::FourWays,
    decision::or_threaten::BuildBuyOrThreaten,
    decision::or_both::BuildBuyOrBoth,
    decision::build_or_buy::BuildOrBuy,
    decline::Decline,
    expansion_threshold::by_build::ExpansionByBuild,
    expansion_threshold::by_delay::ExpansionByDelay,
    expansion::Expansion,
    speed_observed::price::SpeedFromPrice,
    speed_observed::delay::SpeedFromDelay,
    speed_observed::cost::SpeedFromCost,
    speed::Speed,
    speed_line::SpeedLine,
    speed_serving::SpeedServing,
    speed_response::SpeedResponse,
    speed_revenue::SpeedRevenue,
    speed_labor::SpeedLabor,
    speed_share::SpeedShare,
    cadence::Cadence,
    specialization::Specialization,
    flexibility::Flexibility,
    flexibility_constant_price::FlexibilityConstantPrice,
    lab_shares::tokens::LabTokens,
    lab_shares::LabShares,
    lab::Lab,
    lab_generations::LabGenerations,
    fleet_cost::FleetCost,
    fleet_decline::FleetDecline,
    fleet::Fleet,
    fleet_steady::FleetSteady,
);

/// Where a block of each variable of a model is.
struct Addresses {
    inputs: Vec<*const [f64; LANES]>,
    given: Vec<*const [f64; LANES]>,
    outputs: Vec<*mut [f64; LANES]>,
}

/// A model with its rows: columns of whole blocks.
struct Kernel {
    label: String,
    module: String,
    model: &'static Registered,
    counted: Registered,
    idle: Registered,
    inputs: Vec<f64>,
    outputs: Vec<f64>,
    choices: Vec<u8>,
    wanted: u64,
    rows: usize,
    blocks: Vec<Addresses>,
    /// Blocks of a run, and how often it passes over them.
    run_blocks: usize,
    passes: usize,
    best_ns: f64,
    best_idle_ns: f64,
}

/// The model with another kernel.
fn with_kernel(model: &'static Registered, run: RunModel) -> Registered {
    Registered {
        entry: Box::leak(Box::new(Entry { run, ..*model.entry })),
        inputs: model.inputs.clone(),
        choices: model.choices.clone(),
        outputs: model.outputs.clone(),
        together: model.together.clone(),
    }
}

impl Kernel {
    /// From a line of `kernels.txt`: its name, the model, rows, the wanted outputs as bits, the choices.
    fn new(line: &str, folder: &Path) -> Kernel {
        let mut words = line.split(' ');
        let [label, name, rows, wanted] =
            std::array::from_fn(|_| words.next().expect("a kernel has a name, a model, its outputs"));
        let choices = words.map(|word| word.parse().expect("a choice")).collect();
        let model = registry().models.iter().find(|model| model.entry.name == name).expect("a model");
        let bytes = std::fs::read(folder.join(name)).expect("the model's rows");
        let inputs: Vec<f64> =
            bytes.chunks_exact(8).map(|number| f64::from_le_bytes(number.try_into().expect("8 bytes"))).collect();
        let rows: usize = rows.parse().expect("a number of rows");
        assert!(rows * model.inputs.len() == inputs.len() && rows.is_multiple_of(BLOCK), "{name}: {rows} rows");
        let (_, path, run) =
            *COUNTED.iter().find(|known| known.0 == name).unwrap_or_else(|| panic!("{name} is not counted"));
        let path = path.replace(' ', "");
        let module = path.rsplit_once("::").expect("a module and a model").0.to_owned();
        let inputs: Vec<f64> = inputs.chunks_exact(rows).flat_map(|column| [column, &[0.0; PAD]].concat()).collect();
        let column = rows + PAD;
        let mut outputs = vec![0.0; model.outputs.len() * column];
        let blocks = (0..rows / BLOCK)
            .map(|block| Addresses {
                inputs: inputs.chunks_exact(column).map(|x| x[block * BLOCK..].as_ptr().cast()).collect(),
                given: vec![null(); model.outputs.len()],
                outputs: outputs.chunks_exact_mut(column).map(|x| x[block * BLOCK..].as_mut_ptr().cast()).collect(),
            })
            .collect();
        Kernel {
            label: label.to_owned(),
            module,
            model,
            counted: with_kernel(model, run),
            idle: with_kernel(model, nothing),
            inputs,
            outputs,
            choices,
            wanted: wanted.parse().expect("bits"),
            rows,
            blocks,
            run_blocks: rows / BLOCK,
            passes: 1,
            best_ns: f64::INFINITY,
            best_idle_ns: f64::INFINITY,
        }
    }

    /// The first blocks, in order, through the engine.
    fn run(&self, model: &Registered, level: Level) {
        let mut sorting = Sorting::default();
        for at in &self.blocks[..self.run_blocks] {
            let Addresses { inputs, given, outputs } = at;
            let (choices, wanted, packs) = (&self.choices, self.wanted, BLOCK / LANES);
            let call = Call { inputs, constant: 0, given, outputs, choices, wanted, packs, soon: &[] };
            kernel::run(model, level, &[call], &mut sorting);
        }
    }

    /// Nanoseconds a row.
    fn time(&self, model: &Registered, level: Level) -> f64 {
        let start = now();
        for _ in 0..self.passes {
            self.run(model, level);
        }
        (now() - start) / (self.passes * self.run_blocks * BLOCK) as f64
    }

    /// The share of the first block's operations that a pack's rows would not need alone: those that wait in a loop for others.
    fn idle(&mut self, level: Level) -> f64 {
        let blocks = std::mem::replace(&mut self.run_blocks, 1);
        start_counting();
        self.run(&self.counted, level);
        self.run_blocks = blocks;
        let together = operations() * LANES as f64;
        start_counting();
        let spread = |column: &[f64]| column[..BLOCK].iter().map(|x| [*x; LANES]).collect::<Vec<_>>();
        let inputs: Vec<_> = self.inputs.chunks_exact(self.rows + PAD).map(spread).collect();
        let mut outputs = vec![vec![[0.0; LANES]; BLOCK]; self.model.outputs.len()];
        let call = Call {
            inputs: &inputs.iter().map(Vec::as_ptr).collect::<Vec<_>>(),
            constant: 0,
            given: &vec![null(); outputs.len()],
            outputs: &outputs.iter_mut().map(Vec::as_mut_ptr).collect::<Vec<_>>(),
            choices: &self.choices,
            wanted: self.wanted,
            packs: BLOCK,
            soon: &[],
        };
        (self.counted.entry.run)(level, &call);
        1.0 - operations() / together
    }

    /// Operations by kind, and the time of the longest chain, of a row.
    fn count(&self, level: Level) -> ([f64; KINDS_COUNT], f64) {
        start_counting();
        self.run(self.model, level);
        let computed = self.outputs.clone();
        self.run(&self.counted, level);
        let same =
            computed.iter().zip(&self.outputs).all(|(a, b)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()));
        assert!(same, "{}: the counted outputs are others", self.model.entry.name);
        let rows = (self.run_blocks * BLOCK) as f64;
        // One operation on a pack is one on each of its rows; a move is one row's.
        let counts = std::array::from_fn(|kind| {
            let per_pack = if kind == Kind::Move as usize { 1.0 } else { LANES as f64 };
            TALLY[kind].load(Ordering::Relaxed) as f64 * per_pack / rows
        });
        (counts, CHAINS.load(Ordering::Relaxed) as f64 * 1e-6 / rows)
    }
}

fn start_counting() {
    for tally in &TALLY {
        tally.store(0, Ordering::Relaxed);
    }
    CHAINS.store(0, Ordering::Relaxed);
}

/// Operations on packs since counting started.
fn operations() -> f64 {
    TALLY[..=Kind::Bit as usize].iter().map(|tally| tally.load(Ordering::Relaxed) as f64).sum()
}

/// Nanoseconds that one step takes on a pack, `CHAINS` packs side by side.
#[inline(always)]
fn steps<S: Simd, const CHAINS: usize>(simd: S, step: impl Fn(Pack<S>) -> Pack<S>) -> f64 {
    const TURNS: usize = 20_000;
    let mut best = f64::INFINITY;
    for _ in 0..20 {
        let mut x = [Pack::load(simd, &[1.5; LANES]); CHAINS];
        let mut k = 0;
        while k < CHAINS {
            x[k] = Pack::load(simd, black_box(&[1.5; LANES]));
            k += 1;
        }
        let start = now();
        let mut turn = 0;
        while turn < TURNS {
            let mut k = 0;
            while k < CHAINS {
                x[k] = step(x[k]);
                k += 1;
            }
            turn += 1;
        }
        best = f64::min(best, (now() - start) / (TURNS * CHAINS) as f64);
        let mut k = 0;
        while k < CHAINS {
            let mut rows = [0.0; LANES];
            x[k].store(&mut rows);
            black_box(rows);
            k += 1;
        }
    }
    best
}

/// What the processor does at best with numbers in registers, in nanoseconds a pack.
struct Machine {
    /// Additions and multiplications side by side, one of them.
    arithmetic: f64,
    division: f64,
    root: f64,
    /// How long a result is waited for.
    waits: [f64; KINDS_COUNT],
}

#[inline(always)]
fn pairs<S: Simd, const CHAINS: usize>(simd: S, add: Pack<S>, factor: Pack<S>) -> f64 {
    const TURNS: usize = 20_000;
    let mut best = f64::INFINITY;
    for _ in 0..20 {
        let mut sums = [add; CHAINS];
        let mut products = [factor; CHAINS];
        let mut k = 0;
        while k < CHAINS {
            sums[k] = Pack::load(simd, black_box(&[1.5; LANES]));
            products[k] = Pack::load(simd, black_box(&[1.5; LANES]));
            k += 1;
        }
        let start = now();
        let mut turn = 0;
        while turn < TURNS {
            let mut k = 0;
            while k < CHAINS {
                sums[k] = sums[k] + add;
                products[k] = products[k] * factor;
                k += 1;
            }
            turn += 1;
        }
        best = f64::min(best, (now() - start) / (TURNS * CHAINS * 2) as f64);
        let mut k = 0;
        while k < CHAINS {
            let mut rows = [0.0; LANES];
            (sums[k] + products[k]).store(&mut rows);
            black_box(rows);
            k += 1;
        }
    }
    best
}

#[inline(always)]
fn machine<S: Simd>(simd: S) -> Machine {
    let small = Pack::load(simd, black_box(&[1e-9; LANES]));
    let near_one = Pack::load(simd, black_box(&[1.000_000_1; LANES]));
    let (yes, no) = (Pack::load(simd, black_box(&[1.0; LANES])), Pack::load(simd, black_box(&[3.0; LANES])));
    let between = Pack::load(simd, black_box(&[2.0; LANES]));
    // Roots end at it, which is no short number.
    let odd = Pack::load(simd, black_box(&[1.7; LANES]));
    let add = steps::<S, 1>(
        simd,
        #[inline(always)]
        |x| x + small,
    );
    let mul = steps::<S, 1>(
        simd,
        #[inline(always)]
        |x| x * near_one,
    );
    let div = steps::<S, 1>(
        simd,
        #[inline(always)]
        |x| between / x,
    );
    let sqrt = steps::<S, 1>(
        simd,
        #[inline(always)]
        |x| (x * odd).sqrt(),
    ) - mul;
    let bits = steps::<S, 1>(
        simd,
        #[inline(always)]
        |x| x.add_bits(1).or_bits(1),
    ) / 2.0;
    let choice = steps::<S, 1>(
        simd,
        #[inline(always)]
        |x| Number::select(x.lt(between), no, yes),
    );
    let mut waits = [0.0; KINDS_COUNT];
    let of_kinds = [
        (Kind::Add, add),
        (Kind::Mul, mul),
        (Kind::Div, div),
        (Kind::Sqrt, sqrt),
        (Kind::Bit, bits),
        (Kind::Select, bits),
        (Kind::Compare, choice - bits),
    ];
    for (kind, wait) in of_kinds {
        waits[kind as usize] = wait;
    }
    Machine {
        // Few registers or many.
        arithmetic: f64::min(pairs::<S, 3>(simd, small, near_one), pairs::<S, 8>(simd, small, near_one)),
        division: steps::<S, 6>(
            simd,
            #[inline(always)]
            |x| between / x,
        ),
        root: steps::<S, 6>(
            simd,
            #[inline(always)]
            |x| (x * odd).sqrt(),
        ),
        waits,
    }
}

/// Bytes a second of copying what is too large for the caches, read and written.
fn bandwidth() -> f64 {
    const NUMBERS: usize = 12 << 20;
    let (from, mut to) = (vec![1.0; NUMBERS], vec![0.0; NUMBERS]);
    let mut best = f64::INFINITY;
    for _ in 0..8 {
        let start = now();
        to.copy_from_slice(black_box(&from));
        black_box(&mut to);
        best = f64::min(best, (now() - start) * 1e-9);
    }
    (2 * NUMBERS * size_of::<f64>()) as f64 / best
}

fn main() {
    let folder = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let folder = folder.expect("usage: kernels FOLDER, see tools/kernels.py");
    let folder = Path::new(&folder);
    let level = Level::new();
    let machine = dispatch!(level, simd => machine(simd));
    LATENCY.set(machine.waits).expect("set once");
    println!("machine level {}", format!("{level:?}").split('(').next().unwrap_or("").to_lowercase());
    println!("machine arithmetic_ns {}", machine.arithmetic / LANES as f64);
    println!("machine division_ns {}", machine.division / LANES as f64);
    println!("machine root_ns {}", machine.root / LANES as f64);
    println!("machine bytes_per_s {}", bandwidth());
    for (kind, wait) in KINDS.iter().zip(machine.waits).filter(|kind| kind.1 > 0.0) {
        println!("machine {kind}_wait_ns {wait}");
    }

    let lines = std::fs::read_to_string(folder.join("kernels.txt")).expect("the kernels");
    let mut kernels: Vec<Kernel> = lines.lines().map(|line| Kernel::new(line, folder)).collect();
    for model in registry().models.iter().filter(|model| model.entry.of.is_none()) {
        let name = model.entry.name;
        assert!(kernels.iter().any(|kernel| kernel.model.entry.name == name), "{name} has no rows");
    }
    for kernel in &mut kernels {
        let whole = std::mem::replace(&mut kernel.run_blocks, 1);
        let ns = (0..4).map(|_| kernel.time(kernel.model, level)).fold(f64::INFINITY, f64::min);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive number of blocks")]
        let blocks = (RUN_NS / (ns * BLOCK as f64)) as usize;
        kernel.run_blocks = blocks.clamp(1, whole);
        kernel.passes = (blocks / whole).max(1);
    }
    for _ in 0..ROUNDS {
        for kernel in &mut kernels {
            kernel.best_ns = kernel.best_ns.min(kernel.time(kernel.model, level));
            kernel.best_idle_ns = kernel.best_idle_ns.min(kernel.time(&kernel.idle, level));
        }
    }
    for kernel in &mut kernels {
        let (counts, chain) = kernel.count(level);
        // A monthly model's rows share a path, which is one run in either case.
        let idle = if kernel.model.entry.inputs.contains(&"month") { 0.0 } else { kernel.idle(level) };
        let columns = kernel.model.inputs.len() + kernel.wanted.count_ones() as usize;
        print!("kernel {} module {} ns {}", kernel.label, kernel.module, kernel.best_ns);
        print!(" engine_ns {} chain_ns {chain} idle {idle} columns {columns}", kernel.best_idle_ns);
        for (kind, count) in KINDS.iter().zip(counts) {
            print!(" {kind} {count}");
        }
        println!();
    }
}
