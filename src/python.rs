//! The Python edge: columns as numpy views, results as numpy arrays, everything else in `python/tapeout`.

#![expect(clippy::needless_pass_by_value, reason = "arguments come from Python by value")]

use crate::engine;
use crate::memory::{Allocator, reserve};
use crate::plan::{VariableId, registry};
use crate::request::{Answer, Column, Element, Further, Key, KeyCodes, Request, Settings, Stopped, View};
use crate::sample::{self, Between, Copula, Correlation, Design, Distribution, Invalid, Sample};
use crate::variable::{Kind, Role};
use crate::{algebra, explain, finance, gradient, launch, settings, solve, summary};
use numpy::{PyArray1, PyArrayDescrMethods, PyReadonlyArray1, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::{PyException, PyMemoryError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rayon::prelude::*;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pyo3::create_exception!(_core, InternalError, PyException, "A mistake in tapeout itself. Please report it.");

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// How often a running computation looks for Ctrl-C.
const INTERRUPT_EVERY: Duration = Duration::from_millis(30);

fn view(array: &Bound<'_, PyUntypedArray>, rows: usize) -> PyResult<View> {
    let dtype = array.dtype();
    if array.ndim() != 1 || array.len() != rows {
        return Err(PyValueError::new_err("a column is a one-dimensional array as long as the frame"));
    }
    if dtype.byteorder() == b'>' {
        return Err(PyTypeError::new_err("a column in foreign byte order"));
    }
    let element = match (dtype.kind(), dtype.itemsize()) {
        (b'f', 8) => Element::F64,
        (b'f', 4) => Element::F32,
        (b'i', 8) => Element::I64,
        (b'i', 4) => Element::I32,
        (b'i', 2) => Element::I16,
        (b'i', 1) => Element::I8,
        (b'u', 8) => Element::U64,
        (b'u', 4) => Element::U32,
        (b'u', 2) => Element::U16,
        (b'u' | b'b', 1) => Element::U8,
        _ => return Err(PyTypeError::new_err(format!("a column of {dtype}"))),
    };
    // SAFETY: the array is alive, and the caller holds it for the length of the call.
    let at = unsafe { (*array.as_array_ptr()).fields.data as *const u8 };
    Ok(View { element, at, stride: array.strides()[0] })
}

type Array<'py> = Bound<'py, PyUntypedArray>;
type NullableArray<'py> = (Array<'py>, Option<Array<'py>>);

fn column(array: &NullableArray<'_>, rows: usize) -> PyResult<Column> {
    Ok(Column { values: view(&array.0, rows)?, nulls: array.1.as_ref().map(|nulls| view(nulls, rows)).transpose()? })
}

fn id(name: &str) -> PyResult<VariableId> {
    registry().ids.get(name).copied().ok_or_else(|| PyValueError::new_err(format!("{name} is not a variable")))
}

/// A key column: positions (or one position for all rows), and the entries' values by variable, NaN where there is none.
type KeyArgument<'py> = (Option<NullableArray<'py>>, Option<usize>, HashMap<String, Vec<f64>>);

fn request(
    rows: usize,
    columns: &HashMap<String, NullableArray<'_>>,
    assumptions: &HashMap<String, f64>,
    keys: &[KeyArgument<'_>],
    outputs: &[String],
) -> PyResult<Request> {
    if u32::try_from(rows).is_err() {
        return Err(PyValueError::new_err("a frame has at most 4,294,967,295 rows: use a LazyFrame"));
    }
    let keys = keys
        .iter()
        .map(|(codes, all, fields)| {
            let codes = match (codes, all) {
                (Some(codes), _) => KeyCodes::Column(column(codes, rows)?),
                (None, Some(all)) => KeyCodes::All(*all),
                (None, None) => return Err(PyValueError::new_err("a key without positions")),
            };
            let mut named: Vec<(VariableId, Vec<f64>)> =
                fields.iter().map(|(name, values)| Ok((id(name)?, values.clone()))).collect::<PyResult<_>>()?;
            named.sort_by_key(|field| field.0);
            Ok(Key { codes, fields: named })
        })
        .collect::<PyResult<_>>()?;
    Ok(Request {
        rows,
        columns: columns.iter().map(|(name, array)| Ok((id(name)?, column(array, rows)?))).collect::<PyResult<_>>()?,
        assumptions: assumptions.iter().map(|(name, value)| Ok((id(name)?, *value))).collect::<PyResult<_>>()?,
        keys,
        outputs: outputs.iter().map(|name| id(name)).collect::<PyResult<_>>()?,
        further: Further::Nothing,
    })
}

fn stopped(why: Stopped) -> PyErr {
    match why {
        Stopped::OutOfMemory => PyMemoryError::new_err("no memory for the outputs: ask for fewer, or use a LazyFrame"),
        Stopped::Interrupted => PyErr::new::<pyo3::exceptions::PyKeyboardInterrupt, _>(()),
    }
}

fn internal(panic: &(dyn std::any::Any + Send)) -> PyErr {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("unknown");
    InternalError::new_err(format!("a mistake in tapeout, please report it: {text}"))
}

/// An origin and what more there is to say of it.
fn told(from: explain::From) -> (&'static str, String) {
    match from {
        explain::From::Column => ("column", String::new()),
        explain::From::Assumption => ("assumption", String::new()),
        explain::From::Entry(key) => ("catalog", key.to_string()),
        explain::From::Model(name) => ("model", name.to_owned()),
        explain::From::Default => ("default", String::new()),
        explain::From::Missing(why) => ("missing", why),
    }
}

/// Runs on the pool with the interpreter released, looking for Ctrl-C meanwhile.
#[expect(clippy::redundant_closure_for_method_calls, reason = "the method itself is not general enough over lifetimes")]
fn on_pool<T: Send>(py: Python<'_>, work: impl FnOnce(&AtomicBool) -> T + Send) -> PyResult<T> {
    let stop = AtomicBool::new(false);
    let pool = settings::pool().map_err(|error| PyException::new_err(error.to_string()))?;
    let mut interrupted = None;
    let result = py.detach(|| {
        let (send, receive) = std::sync::mpsc::sync_channel(1);
        let mut result = None;
        pool.in_place_scope(|scope| {
            let stop = &stop;
            scope.spawn(move |_| {
                let _ = send.send(catch_unwind(AssertUnwindSafe(|| work(stop))));
            });
            while result.is_none() {
                match receive.recv_timeout(INTERRUPT_EVERY) {
                    Ok(done) => result = Some(done),
                    Err(_) => {
                        if interrupted.is_none()
                            && let Err(error) = Python::attach(|py| py.check_signals())
                        {
                            interrupted = Some(error);
                            stop.store(true, Ordering::Relaxed);
                        }
                    }
                }
            }
        });
        result
    });
    if let Some(error) = interrupted {
        return Err(error);
    }
    match result {
        Some(Ok(value)) => Ok(value),
        Some(Err(panic)) => Err(internal(&*panic)),
        None => Err(InternalError::new_err("the computation ended without a result")),
    }
}

fn answer(py: Python<'_>, answer: Answer) -> PyResult<Bound<'_, PyDict>> {
    let registry = registry();
    let result = PyDict::new(py);
    let outputs: Vec<_> = answer.outputs.into_iter().map(|values| PyArray1::from_vec(py, values)).collect();
    let nulls: Vec<_> =
        answer.nulls.into_iter().map(|nulls| nulls.map(|nulls| PyArray1::from_vec(py, nulls))).collect();
    let bad_columns: Vec<_> = answer
        .bad_columns
        .iter()
        .map(|bad| {
            let variable = &registry.variables[bad.variable];
            (variable.name, bad.count, bad.row, bad.value, variable.rule())
        })
        .collect();
    let bad_rows: Vec<_> = answer.bad_rows.iter().map(|bad| (bad.why.text(registry), bad.count, bad.row)).collect();
    // What a number among the reasons says.
    let texts = || -> Vec<String> {
        let variables = registry.variables.iter().map(|variable| variable.name.to_owned());
        let patterns = answer.bad_rows.iter().map(|bad| bad.why.text(registry));
        std::iter::once(String::new()).chain(variables).chain(patterns).collect()
    };
    result.set_item("outputs", outputs)?;
    result.set_item("nulls", nulls)?;
    result.set_item("bad_columns", bad_columns)?;
    result.set_item("bad_rows", bad_rows)?;
    result.set_item("reason_texts", answer.reasons.as_ref().map(|_| texts()))?;
    result.set_item("reasons", answer.reasons.map(|reasons| PyArray1::from_vec(py, reasons)))?;
    result.set_item("declared", registry.variables.len())?;
    Ok(result)
}

/// tapeout's core.
/// Two numbers at a time.
fn pairs(numbers: &[f64]) -> PyResult<Vec<(f64, f64)>> {
    let pairs = numbers.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return Err(PyValueError::new_err("quantiles are pairs of probability and value"));
    }
    Ok(pairs.map(|pair| (pair[0], pair[1])).collect())
}

fn invalid(error: Invalid) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// A distribution by its name and numbers, in the order of its fields. A name that ends in `_quantiles` has two pairs of
/// probability and value instead; `choice` has the weight of each value, and the values are 0, 1, 2, and so on.
fn distribution(name: &str, numbers: &[f64]) -> PyResult<Distribution> {
    let wrong = || PyValueError::new_err(format!("{name} does not have {} numbers", numbers.len()));
    let two = || -> PyResult<[(f64, f64); 2]> { pairs(numbers)?.try_into().map_err(|_| wrong()) };
    Ok(match (name, numbers) {
        ("uniform", &[low, high]) => Distribution::Uniform { low, high },
        ("loguniform", &[low, high]) => Distribution::Loguniform { low, high },
        ("triangular", &[low, mode, high]) => Distribution::Triangular { low, mode, high },
        ("pert", &[low, mode, high]) => Distribution::pert(low, mode, high),
        ("normal", &[mean, sd]) => Distribution::Normal { mean, sd },
        ("normal_quantiles", _) => Distribution::normal_from_quantiles(two()?).map_err(invalid)?,
        ("lognormal", &[ln_mean, ln_sd]) => Distribution::Lognormal { ln_mean, ln_sd },
        ("lognormal_quantiles", _) => Distribution::lognormal_from_quantiles(two()?).map_err(invalid)?,
        ("beta", &[a, b, low, high]) => Distribution::Beta { a, b, low, high },
        ("beta_quantiles", _) => Distribution::beta_from_quantiles(two()?).map_err(invalid)?,
        ("gamma", &[shape, scale]) => Distribution::Gamma { shape, scale },
        ("gamma_quantiles", _) => Distribution::gamma_from_quantiles(two()?).map_err(invalid)?,
        ("exponential", &[mean]) => Distribution::exponential(mean),
        #[expect(clippy::cast_possible_truncation, reason = "whole numbers below 2^53")]
        ("integers", &[low, high]) => Distribution::Integers { low: low as i64, high: high as i64 },
        ("choice", weights) => {
            Distribution::Discrete { values: (0..weights.len()).map(|k| k as f64).collect(), weights: weights.to_vec() }
        }
        ("empirical", sample) => Distribution::Empirical { sample: sample.to_vec() },
        ("quantiles", _) => Distribution::Quantiles { points: pairs(numbers)?, between: Between::Line },
        ("smooth_quantiles", _) => Distribution::Quantiles { points: pairs(numbers)?, between: Between::Cubic },
        _ => return Err(wrong()),
    })
}

/// A column to draw: its distribution's name and numbers, and the bounds it is cut to.
type DrawnArgument = (String, Vec<f64>, f64, f64);

/// Rows of uncertain inputs by index, see `sample`.
#[pyclass(frozen, name = "Sample", module = "tapeout._core")]
struct PySample(Sample);

#[pymethods]
impl PySample {
    /// `correlated`: columns by index, with the matrix of their correlations row by row, of ranks or of normal scores.
    #[new]
    fn new(
        design: &str,
        seed: u64,
        samples: u64,
        columns: Vec<DrawnArgument>,
        correlated: Vec<usize>,
        matrix: Vec<f64>,
        of_ranks: bool,
    ) -> PyResult<Self> {
        let design = match design {
            "sobol" => Design::Sobol,
            "lhs" => Design::LatinHypercube,
            "random" => Design::Random,
            _ => return Err(PyValueError::new_err(format!("{design} is not a design: sobol, lhs, random"))),
        };
        let columns = columns
            .iter()
            .map(|(name, numbers, low, high)| {
                sample::Column::new(&distribution(name, numbers)?, *low, *high).map_err(invalid)
            })
            .collect::<PyResult<_>>()?;
        let kind = if of_ranks { Correlation::Rank } else { Correlation::Score };
        let copula = (!correlated.is_empty()).then(|| Copula::new(correlated, &matrix, kind)).transpose();
        Ok(PySample(Sample::new(design, seed, samples, columns, copula.map_err(invalid)?).map_err(invalid)?))
    }
    /// One array for each of the columns `wanted`.
    fn rows<'py>(
        &self,
        py: Python<'py>,
        first: u64,
        rows: usize,
        wanted: Vec<usize>,
    ) -> PyResult<Vec<Bound<'py, PyArray1<f64>>>> {
        /// Rows of one task.
        const TASK: usize = 16_384;
        let sample = &self.0;
        let end = first.checked_add(rows as u64);
        if end.is_none_or(|end| end > sample.samples()) {
            return Err(PyValueError::new_err(format!("there are {} samples", sample.samples())));
        }
        if wanted.iter().any(|&column| column >= sample.columns().len()) {
            return Err(PyValueError::new_err("no such column"));
        }
        let mut values = Vec::new();
        for _ in &wanted {
            values.push(reserve(rows).map_err(stopped)?);
        }
        let level = settings::current().level;
        on_pool(py, |stop| {
            let mut tasks: Vec<Vec<_>> = (0..rows.div_ceil(TASK)).map(|_| Vec::new()).collect();
            for column in &mut values {
                for (task, part) in tasks.iter_mut().zip(column.spare_capacity_mut()[..rows].chunks_mut(TASK)) {
                    task.push(part);
                }
            }
            tasks.into_par_iter().enumerate().for_each(|(k, mut parts)| {
                if !stop.load(Ordering::Relaxed) {
                    let count = TASK.min(rows - k * TASK);
                    sample.fill(level, first + (k * TASK) as u64, count, &wanted, &mut parts);
                }
            });
        })?;
        for column in &mut values {
            // SAFETY: every task has run, or `on_pool` has failed.
            unsafe { column.set_len(rows) };
        }
        Ok(values.into_iter().map(|column| PyArray1::from_vec(py, column)).collect())
    }
    /// For each column the probability its bounds cut off, and the least and the greatest value.
    fn cuts(&self) -> Vec<(f64, f64, f64)> {
        self.0.columns().iter().map(|column| (column.mass_cut(), column.range()[0], column.range()[1])).collect()
    }
    /// A column's value at a probability in (0, 1).
    fn quantile(&self, column: usize, probability: f64) -> f64 {
        self.0.columns()[column].quantile(probability)
    }
    /// The same at many.
    fn quantiles<'py>(
        &self,
        py: Python<'py>,
        column: usize,
        probabilities: PyReadonlyArray1<'py, f64>,
    ) -> Bound<'py, PyArray1<f64>> {
        let column = &self.0.columns()[column];
        PyArray1::from_iter(py, probabilities.as_array().iter().map(|p| column.quantile(*p)))
    }
}

/// What a sweep's rows say together, see `summary`: columns of numbers, NaN where null, and pairs of them by index.
#[pyclass(name = "Summary", module = "tapeout._core")]
struct PySummary {
    columns: Vec<summary::Column>,
    pairs: Vec<(usize, usize, summary::Pair)>,
}

type Extremes = Vec<(f64, u64)>;

fn numbers<'a>(arrays: &'a [PyReadonlyArray1<'_, f64>]) -> PyResult<Vec<&'a [f64]>> {
    let slices: Vec<&[f64]> = arrays
        .iter()
        .map(|array| array.as_slice().map_err(|_| PyValueError::new_err("a column that is not contiguous")))
        .collect::<PyResult<_>>()?;
    if slices.windows(2).any(|two| two[0].len() != two[1].len()) {
        return Err(PyValueError::new_err("columns of different lengths"));
    }
    Ok(slices)
}

#[pymethods]
impl PySummary {
    /// `pilot`: some rows of each column, which fix the bins of its quantiles.
    #[new]
    fn new(pilot: Vec<PyReadonlyArray1<'_, f64>>, pairs: Vec<(usize, usize)>) -> PyResult<Self> {
        let columns: Vec<summary::Column> = numbers(&pilot)?.into_iter().map(summary::Column::new).collect();
        if pairs.iter().any(|pair| pair.0.max(pair.1) >= columns.len()) {
            return Err(PyValueError::new_err("no such column"));
        }
        let pairs = pairs.into_iter().map(|(a, b)| (a, b, summary::Pair::new(&columns[a], &columns[b]))).collect();
        Ok(PySummary { columns, pairs })
    }
    /// Adds rows from `first_row` on.
    fn add(&mut self, py: Python<'_>, first_row: u64, columns: Vec<PyReadonlyArray1<'_, f64>>) -> PyResult<()> {
        let values = numbers(&columns)?;
        if values.len() != self.columns.len() {
            return Err(PyValueError::new_err(format!("{} columns are wanted", self.columns.len())));
        }
        on_pool(py, |_| {
            rayon::join(
                || self.columns.par_iter_mut().zip(&values).for_each(|(column, values)| column.add(first_row, values)),
                || self.pairs.par_iter_mut().for_each(|(a, b, pair)| pair.add(values[*a], values[*b])),
            );
        })
    }
    /// Adds what another summary of the same sweep knows of other rows.
    fn merge(&mut self, other: &PySummary) -> PyResult<()> {
        let alike = self.columns.len() == other.columns.len()
            && self.columns.iter().zip(&other.columns).all(|(own, other)| own.like(other));
        if !alike || self.pairs.len() != other.pairs.len() {
            return Err(PyValueError::new_err("a summary of another sweep"));
        }
        self.columns.iter_mut().zip(&other.columns).for_each(|(own, other)| own.merge(other));
        self.pairs.iter_mut().zip(&other.pairs).for_each(|(own, other)| own.2.merge(&other.2));
        Ok(())
    }
    /// For each column the rows that have a value, the null ones, mean and standard deviation.
    fn moments(&self) -> Vec<(u64, u64, f64, f64)> {
        self.columns.iter().map(|column| (column.rows(), column.nulls, column.mean(), column.sd())).collect()
    }
    /// For each column and share a value, and how far its share may be off.
    fn quantiles(&self, shares: Vec<f64>) -> Vec<Vec<(f64, f64)>> {
        self.columns.iter().map(|column| shares.iter().map(|share| column.quantile(*share)).collect()).collect()
    }
    /// For each column the least and the greatest values with their rows, the outermost first.
    fn extremes(&self) -> Vec<(Extremes, Extremes)> {
        self.columns.iter().map(|column| (column.least.clone(), column.greatest.clone())).collect()
    }
    fn correlations(&self) -> Vec<f64> {
        self.pairs.iter().map(|pair| pair.2.correlation()).collect()
    }
}

#[pymodule]
#[pyo3(name = "_core")]
#[allow(
    clippy::wildcard_imports,
    clippy::too_many_arguments,
    clippy::type_complexity,
    reason = "the edge: flat arguments and tuples"
)]
mod core {
    use super::*;

    #[pymodule_export]
    use super::InternalError;
    #[pymodule_export]
    use super::PySample;
    #[pymodule_export]
    use super::PySummary;

    /// Evaluates a frame; see `tapeout.evaluate`.
    #[pyfunction]
    #[pyo3(name = "evaluate")]
    fn evaluate_frame<'py>(
        py: Python<'py>,
        rows: usize,
        columns: HashMap<String, NullableArray<'py>>,
        assumptions: HashMap<String, f64>,
        keys: Vec<KeyArgument<'py>>,
        outputs: Vec<String>,
        null_invalid: bool,
    ) -> PyResult<Bound<'py, PyDict>> {
        let request = request(rows, &columns, &assumptions, &keys, &outputs)?;
        let settings = Settings { null_invalid, ..settings::current() };
        let done = on_pool(py, |stop| engine::evaluate(&request, &settings, stop))?;
        answer(py, done.map_err(stopped)?)
    }

    /// The outputs and their derivatives, output by output; see `tapeout.gradient`. Without `by` by all that they read.
    #[pyfunction]
    #[pyo3(name = "gradient")]
    fn gradient_of_frame<'py>(
        py: Python<'py>,
        rows: usize,
        columns: HashMap<String, NullableArray<'py>>,
        assumptions: HashMap<String, f64>,
        keys: Vec<KeyArgument<'py>>,
        outputs: Vec<String>,
        by: Vec<String>,
        elasticities: bool,
    ) -> PyResult<Bound<'py, PyDict>> {
        let request = request(rows, &columns, &assumptions, &keys, &outputs)?;
        let by = by.iter().map(|name| id(name)).collect::<PyResult<Vec<_>>>()?;
        let done = on_pool(py, |stop| gradient::gradient(&request, &by, elasticities, &settings::current(), stop))?;
        answer(py, done.map_err(stopped)?)
    }

    /// Where the target equals a number; see `tapeout.solve` and `solve::solve` for the columns that come back.
    #[pyfunction]
    #[pyo3(name = "solve")]
    fn solve_frame<'py>(
        py: Python<'py>,
        rows: usize,
        columns: HashMap<String, NullableArray<'py>>,
        assumptions: HashMap<String, f64>,
        keys: Vec<KeyArgument<'py>>,
        outputs: Vec<String>,
        variable: &str,
        low: f64,
        high: f64,
        equals: NullableArray<'py>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let request = request(rows, &columns, &assumptions, &keys, &outputs)?;
        let search = solve::Search { variable: id(variable)?, low, high, equals: column(&equals, rows)? };
        let done = on_pool(py, |stop| solve::solve(&request, &search, &settings::current(), stop))?;
        answer(py, done.map_err(stopped)?)
    }

    /// The numbers that are given or defaults and that the outputs read on some row.
    #[pyfunction]
    fn inputs_read(
        rows: usize,
        columns: HashMap<String, NullableArray<'_>>,
        assumptions: HashMap<String, f64>,
        keys: Vec<KeyArgument<'_>>,
        outputs: Vec<String>,
    ) -> PyResult<Vec<&'static str>> {
        let request = request(rows, &columns, &assumptions, &keys, &outputs)?;
        let read =
            catch_unwind(AssertUnwindSafe(|| gradient::inputs_read(&request))).map_err(|panic| internal(&*panic))?;
        Ok(read.map_err(stopped)?.into_iter().map(|id| registry().variables[id].name).collect())
    }

    /// Where every value comes from; see `tapeout.resolve`: (variable, from, detail, rows, value).
    #[pyfunction]
    #[pyo3(name = "resolve")]
    fn resolve_frame<'py>(
        rows: usize,
        columns: HashMap<String, NullableArray<'py>>,
        assumptions: HashMap<String, f64>,
        keys: Vec<KeyArgument<'py>>,
        outputs: Vec<String>,
    ) -> PyResult<Vec<(String, String, String, usize, f64)>> {
        let request = request(rows, &columns, &assumptions, &keys, &outputs)?;
        let resolved =
            catch_unwind(AssertUnwindSafe(|| explain::resolve(&request))).map_err(|panic| internal(&*panic))?;
        Ok(resolved
            .map_err(stopped)?
            .into_iter()
            .map(|line| {
                let (from, detail) = told(line.from);
                (registry().variables[line.variable].name.to_owned(), from.to_owned(), detail, line.rows, line.value)
            })
            .collect())
    }

    /// The variables behind an output on one row, from the output on; see `tapeout.explain`.
    #[pyfunction]
    #[pyo3(name = "explain")]
    fn explain_row<'py>(
        py: Python<'py>,
        rows: usize,
        columns: HashMap<String, NullableArray<'py>>,
        assumptions: HashMap<String, f64>,
        keys: Vec<KeyArgument<'py>>,
        outputs: Vec<String>,
    ) -> PyResult<Vec<Bound<'py, PyDict>>> {
        if rows != 1 || outputs.len() != 1 {
            return Err(PyValueError::new_err("one row and one output are wanted"));
        }
        let request = request(rows, &columns, &assumptions, &keys, &outputs)?;
        let found = on_pool(py, |stop| explain::explain(&request, &settings::current(), stop))?.map_err(stopped)?;
        let registry = registry();
        let name = |id: &VariableId| registry.variables[*id].name;
        let nodes = found.map_err(|why| PyValueError::new_err(why.text(registry)))?;
        let dictionary = |node: explain::Node| {
            let line = PyDict::new(py);
            let (from, detail) = told(node.from);
            line.set_item("variable", name(&node.variable))?;
            line.set_item("origin", from)?;
            line.set_item("detail", detail)?;
            line.set_item("value", (!node.value.is_nan()).then_some(node.value))?;
            line.set_item("reads", node.reads.iter().map(name).collect::<Vec<_>>())?;
            let equation = node.equation.unwrap_or_default();
            line.set_item("in_header", from == "model" && equation.is_in_header())?;
            line.set_item("equation", equation.text)?;
            line.set_item("local", equation.local)?;
            let functions =
                equation.functions.into_iter().map(|said| (said.function, said.says, said.file, said.header));
            line.set_item("functions", functions.collect::<Vec<_>>())?;
            Ok(line)
        };
        nodes.into_iter().map(dictionary).collect()
    }

    /// For each model its file, what that says of itself and the equations there; and (output, equation, what has a name in
    /// the model only) of its outputs.
    #[pyfunction]
    fn equations() -> Vec<(String, String, String, String, Vec<(String, String, Vec<(String, String)>)>)> {
        crate::models::MODELS
            .iter()
            .map(|model| {
                let (header, block) = algebra::header(model);
                let mut lines = algebra::equations(model, &algebra::ANYWHERE);
                let outputs = model.outputs.iter().map(|output| {
                    let line = lines.remove(output.name).unwrap_or_default();
                    (output.name.to_owned(), line.text, line.local)
                });
                (model.name.to_owned(), model.file.replace('\\', "/"), header, block, outputs.collect())
            })
            .collect()
    }

    /// What files say of themselves whose equations several models share.
    #[pyfunction]
    fn shared_equations() -> Vec<(String, String)> {
        algebra::shared_headers()
    }

    /// Every declared variable as a dictionary.
    #[pyfunction]
    fn variables(py: Python<'_>) -> PyResult<Vec<Bound<'_, PyDict>>> {
        let registry = registry();
        registry
            .variables
            .iter()
            .zip(&registry.owners)
            .map(|(variable, owner)| {
                let line = PyDict::new(py);
                let number = |x: f64| (!x.is_nan()).then_some(x);
                line.set_item("name", variable.name)?;
                line.set_item("model", *owner)?;
                line.set_item(
                    "role",
                    match variable.role {
                        Role::Input => "input",
                        Role::Output => "output",
                        Role::Summary => "summary",
                        Role::Key => "key",
                    },
                )?;
                line.set_item(
                    "kind",
                    match variable.kind {
                        Kind::Number => "number",
                        Kind::Integer => "integer",
                        Kind::Date => "date",
                        Kind::Choice => "choice",
                        Kind::Boolean => "boolean",
                        Kind::Key => "key",
                    },
                )?;
                line.set_item("unit", variable.unit)?;
                line.set_item("low", variable.low)?;
                line.set_item("high", variable.high)?;
                line.set_item("default", number(variable.default))?;
                line.set_item("typical_low", number(variable.typical.0))?;
                line.set_item("typical_high", number(variable.typical.1))?;
                line.set_item("meaning", variable.meaning)?;
                line.set_item("source", variable.source)?;
                line.set_item("basis", variable.basis.text())?;
                line.set_item("choices", variable.choices.to_vec())?;
                Ok(line)
            })
            .collect()
    }

    /// Every model: name, what it says, the names of its inputs and outputs.
    #[pyfunction]
    fn models() -> Vec<(String, String, Vec<String>, Vec<String>)> {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        crate::models::MODELS
            .iter()
            .map(|model| {
                let about = model.about.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
                let mut inputs = owned(model.inputs);
                inputs.extend(owned(model.choices));
                let outputs = model.outputs.iter().map(|output| output.name.to_owned()).collect();
                (model.name.to_owned(), about, inputs, outputs)
            })
            .collect()
    }

    /// Sets how to compute: threads, instruction set ("sse2", "avx2", "avx512", "neon"), rows in a block.
    #[pyfunction]
    #[pyo3(signature = (threads=None, instruction_set=None, block_rows=None))]
    fn configure(
        threads: Option<usize>,
        instruction_set: Option<&str>,
        block_rows: Option<usize>,
    ) -> PyResult<(usize, String, usize)> {
        settings::configure(threads, instruction_set, block_rows).map_err(PyValueError::new_err)
    }

    /// Panics in the core, to show that a panic arrives as an exception.
    #[pyfunction]
    fn panic_for_tests(py: Python<'_>) -> PyResult<()> {
        on_pool(py, |_| panic!("asked to"))
    }

    /// Capital recovery factor r / (1 - (1+r)^-n), a year; 1/n without interest.
    #[pyfunction]
    fn capital_recovery_factor(rate_per_year: f64, years: f64) -> f64 {
        finance::capital_recovery_factor(rate_per_year, years)
    }

    /// Saving in USD per unit a year of a chip launched once and serving a fixed life; rates are intensities a year.
    #[pyfunction]
    fn constant_path_saving_usd(
        chip_price_usd: f64,
        unit_price_usd: f64,
        merchant_decline_rate: f64,
        launch_months: f64,
        life_years: f64,
        discount_rate: f64,
        hazard: f64,
    ) -> f64 {
        launch::constant_path_saving_usd(
            chip_price_usd,
            unit_price_usd,
            merchant_decline_rate,
            launch_months,
            life_years,
            discount_rate,
            hazard,
        )
    }

    /// Units a year at which a saving per unit a year covers a cost; infinite where nothing is saved.
    #[pyfunction]
    fn breakeven_units(nre: f64, saving: f64) -> f64 {
        if saving > 0.0 { nre / saving } else { f64::INFINITY }
    }

    /// Mean and standard deviation of the constant-path saving in USD under the launch law; rates are intensities a year.
    #[pyfunction]
    fn stochastic_saving(
        chip_price_usd: f64,
        unit_price_usd: f64,
        merchant_decline_rate: f64,
        units_per_year: f64,
        life_years: f64,
        discount_rate: f64,
        hazard: f64,
        planned_months: f64,
        respin_months: f64,
        first_probability: f64,
        later_probability: f64,
        overrun_shape: f64,
        overrun_months: f64,
    ) -> (f64, f64) {
        let law = launch::LaunchLaw {
            planned_months,
            respin_months,
            first_probability,
            later_probability,
            overrun_shape,
            overrun_months,
        };
        launch::stochastic_saving(
            &law,
            chip_price_usd,
            unit_price_usd,
            merchant_decline_rate,
            units_per_year,
            life_years,
            discount_rate,
            hazard,
        )
    }

    /// Share of a triangular market window's revenue lost by entering late.
    #[pyfunction]
    fn triangular_delay_loss_share(delay: f64, half_life_of_window: f64) -> f64 {
        launch::triangular_delay_loss_share(delay, half_life_of_window)
    }

    /// Total cost of ownership over NRE at which an improvement pays: s / (s - 1); infinite for s of 1 or less.
    #[pyfunction]
    fn two_for_two_breakeven_ratio(improvement: f64) -> f64 {
        if improvement > 1.0 { improvement / (improvement - 1.0) } else { f64::INFINITY }
    }
}
