//! Row i of a sweep: uncertain inputs drawn by index.
//!
//! A value depends on the design, the seed, the columns and its row's index alone (for Latin hypercubes, on the number of
//! samples too): any part of a sample can be made anywhere, in any order, with the same bits on every machine.

pub mod column;
pub mod copula;
mod curve;
pub mod distribution;
mod joe_kuo;
mod latin;
mod philox;
mod sobol;
mod special;

use crate::normal::{Tails, score};
use crate::number::LANES;
pub use column::Column;
use column::{Given, Rows};
pub use copula::{Copula, Correlation};
pub use distribution::{Between, Distribution};
use fearless_simd::Level;
#[cfg(not(debug_assertions))]
use fearless_simd::{Simd, dispatch};
use latin::Strata;
use philox::{Use, unit};
use sobol::Dimension;
use std::fmt;
use std::mem::MaybeUninit;

/// What does not describe a sample.
#[derive(Clone, Debug, PartialEq)]
pub enum Invalid {
    Parameters(String),
    /// The bounds leave too little of a distribution.
    NothingLeft {
        low: f64,
        high: f64,
        mass: f64,
    },
    /// Columns by index.
    Correlation {
        first: usize,
        second: usize,
        rho: f64,
    },
    /// The matrix of the correlations of normal scores is not positive definite.
    Contradiction {
        smallest_eigenvalue: f64,
    },
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Invalid::Parameters(what) => f.write_str(what),
            Invalid::NothingLeft { low, high, mass } => {
                write!(f, "the bounds {low} to {high} leave {mass} of the distribution, less than 1e-12")
            }
            Invalid::Correlation { first, second, rho } => write!(
                f,
                "the correlation of columns {first} and {second} is {rho}, not the same number between -1 and 1 both ways, \
                 or 1 with itself"
            ),
            Invalid::Contradiction { smallest_eigenvalue } => write!(
                f,
                "the correlations contradict each other: the smallest eigenvalue of their matrix is \
                 {smallest_eigenvalue:.3}, not positive"
            ),
        }
    }
}

impl std::error::Error for Invalid {}

/// How rows are spread over the unit cube.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Design {
    /// Scrambled Sobol points: of 2^k rows one lies in each of 2^k equal parts of a column.
    Sobol,
    /// One row in each of as many equal parts as there are samples, in every column, apart from that at random.
    LatinHypercube,
    /// Independent rows.
    Random,
}

/// Where a column's probabilities come from.
#[derive(Clone, Debug)]
enum Stream {
    Sobol(Dimension),
    Latin(Box<Strata>),
    Random { seed: u64, column: usize },
}

impl Stream {
    fn fill(&self, level: Level, first_row: u64, probabilities: &mut [f64]) {
        match self {
            Stream::Sobol(dimension) => dimension.fill(level, first_row, probabilities),
            Stream::Latin(strata) => strata.fill(first_row, probabilities),
            Stream::Random { seed, column } => {
                let rows = probabilities.len();
                philox::fill(*seed, *column, first_row, Use::Draw, rows, |row, word| probabilities[row] = unit(word));
            }
        }
    }
}

/// Rows that are worked on together: 2 kB a column.
const ROWS: usize = 256;
const PACKS: usize = ROWS / LANES;
type Block = [[f64; LANES]; PACKS];

/// A sample of `samples` rows.
#[derive(Clone, Debug)]
pub struct Sample {
    samples: u64,
    columns: Vec<Column>,
    streams: Vec<Stream>,
    copula: Option<Copula>,
    /// Each column's place in the copula.
    places: Vec<Option<usize>>,
}

impl Sample {
    /// # Errors
    /// Where there are no samples, more columns than dimensions of Sobol points, or correlations of no column.
    pub fn new(
        design: Design,
        seed: u64,
        samples: u64,
        columns: Vec<Column>,
        copula: Option<Copula>,
    ) -> Result<Sample, Invalid> {
        if samples == 0 {
            return Err(Invalid::Parameters("samples must be at least 1, not 0".to_owned()));
        }
        let count = columns.len();
        if design == Design::Sobol && count > sobol::DIMENSIONS {
            return Err(Invalid::Parameters(format!(
                "Sobol points have at most {} columns, not {count}; Latin hypercubes have any number",
                sobol::DIMENSIONS
            )));
        }
        let mut places = vec![None; count];
        for (place, column) in copula.iter().flat_map(Copula::columns).enumerate() {
            *places.get_mut(*column).ok_or_else(|| {
                Invalid::Parameters(format!("column {column} is correlated, but there are only {count}"))
            })? = Some(place);
        }
        let stream = |column| match design {
            Design::Sobol => Stream::Sobol(Dimension::new(seed, column)),
            Design::LatinHypercube => Stream::Latin(Box::new(Strata::new(seed, column, samples))),
            Design::Random => Stream::Random { seed, column },
        };
        Ok(Sample { samples, columns, streams: (0..count).map(stream).collect(), copula, places })
    }

    pub fn samples(&self) -> u64 {
        self.samples
    }

    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Writes `rows` rows from `first_row` on of the columns `wanted`, by index, each to its own slice of `out`.
    ///
    /// # Panics
    /// Where rows lie beyond the sample, a column does not exist, or a slice is missing or shorter than `rows`.
    pub fn fill(
        &self,
        level: Level,
        first_row: u64,
        rows: usize,
        wanted: &[usize],
        out: &mut [&mut [MaybeUninit<f64>]],
    ) {
        let end = first_row.checked_add(rows as u64);
        assert!(end.is_some_and(|end| end <= self.samples), "rows {first_row} + {rows} of {}", self.samples);
        assert_eq!(wanted.len(), out.len(), "one slice a column");
        let partners = self.partners(wanted);
        let mut scores = vec![[[0.0; LANES]; PACKS]; partners.len()];
        // Rows beyond the last are computed too, from what is there.
        let mut block: Block = [[0.5; LANES]; PACKS];
        let mut done = 0;
        while done < rows {
            let count = ROWS.min(rows - done);
            let packs = count.div_ceil(LANES);
            let row = first_row + done as u64;
            for (scores, partner) in scores.iter_mut().zip(&partners) {
                if let Some(column) = partner {
                    self.streams[*column].fill(level, row, &mut scores.as_flattened_mut()[..count]);
                    run(level, Task::Score, &mut scores[..packs]);
                }
            }
            for (column, out) in wanted.iter().zip(out.iter_mut()) {
                let given = if let (Some(copula), Some(place)) = (&self.copula, self.places[*column]) {
                    mix(&copula.factor()[place], &scores, &mut block);
                    Given::Score
                } else {
                    self.streams[*column].fill(level, row, &mut block.as_flattened_mut()[..count]);
                    Given::Probability
                };
                run(level, Task::Value(&self.columns[*column], given), &mut block[..packs]);
                for (place, value) in out[done..done + count].iter_mut().zip(block.as_flattened()) {
                    place.write(*value);
                }
            }
            done += count;
        }
    }

    /// The columns whose scores the wanted ones are mixed from, in the copula's order; `None` for those not needed.
    fn partners(&self, wanted: &[usize]) -> Vec<Option<usize>> {
        let Some(copula) = &self.copula else { return Vec::new() };
        let mut partners = Vec::new();
        for place in wanted.iter().filter_map(|column| self.places[*column]) {
            let row = &copula.factor()[place];
            partners.resize(partners.len().max(row.len()), None);
            for (k, weight) in row.iter().enumerate() {
                if *weight != 0.0 {
                    partners[k] = Some(copula.columns()[k]);
                }
            }
        }
        partners
    }
}

/// The weighted sum of independent scores, in the order of the columns.
fn mix(weights: &[f64], scores: &[Block], mixed: &mut Block) {
    *mixed = [[0.0; LANES]; PACKS];
    for (weight, scores) in weights.iter().zip(scores) {
        if *weight != 0.0 {
            for (mixed, score) in mixed.as_flattened_mut().iter_mut().zip(scores.as_flattened()) {
                *mixed += weight * score;
            }
        }
    }
}

/// What becomes of a block of numbers.
#[derive(Clone, Copy)]
enum Task<'a> {
    /// Probabilities to normal scores.
    Score,
    /// Probabilities or normal scores to a column's values.
    Value(&'a Column, Given),
}

impl Task<'_> {
    #[inline(always)]
    fn done<N: Rows>(self, at: N) -> N {
        match self {
            Task::Score => score(Tails { below: at, above: -at + 1.0 }),
            Task::Value(column, given) => column.value(given, at),
        }
    }
}

#[cfg(not(debug_assertions))]
fn run(level: Level, task: Task, packs: &mut [[f64; LANES]]) {
    dispatch!(level, simd => vectors(simd, task, packs));
}

#[cfg(not(debug_assertions))]
#[inline(always)]
fn vectors<S: Simd>(simd: S, task: Task, packs: &mut [[f64; LANES]]) {
    use crate::number::Pack;
    let mut pack = 0;
    while pack < packs.len() {
        task.done(Pack::load(simd, &packs[pack])).store(&mut packs[pack]);
        pack += 1;
    }
}

/// An unoptimized build goes row by row: the same bits, and it compiles in a tenth of the time.
#[cfg(debug_assertions)]
fn run(_: Level, task: Task, packs: &mut [[f64; LANES]]) {
    for row in packs.as_flattened_mut() {
        *row = task.done(*row);
    }
}
