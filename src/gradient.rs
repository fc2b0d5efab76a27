//! Exact derivatives, row by row, by dual numbers.
//!
//! A block is evaluated first. Then, for each variable to differentiate by, the models between it and the outputs run once
//! more with a derivative beside every number, in the plan's order: the derivative is the total one, through all models on
//! the way. A variable that is itself computed counts as given with the value it has: what computes it is cut off.
//! At a kink the derivative is that of the branch taken; where an output is null or infinite, or the derivative is, it is null.

use crate::arena::{Arena, Layout};
use crate::engine;
use crate::kernel::Call;
use crate::number::{Dual, LANES};
use crate::plan::{Plan, Source, VariableId, registry};
use crate::request::{Answer, Column, Element, Further, Patterns, Request, Settings, Stopped, View};
use crate::variable::{Kind, Model};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

/// A model's equations in dual numbers over the first rows of a block: `values` has the numbers, `derivatives` at the same
/// places their derivatives, and what is written are the derivatives of the outputs.
pub type RunDual = fn(values: &Call, derivatives: &Call, rows: usize);

#[inline(always)]
pub fn run<M: Model>(values: &Call, derivatives: &Call, rows: usize) {
    for row in 0..rows {
        // SAFETY: the engine hands over two addresses for each variable of the model, each of at least `rows` numbers.
        unsafe {
            let dual = |value: *const [f64; LANES], derivative: *const [f64; LANES]| Dual {
                value: value.cast::<f64>().add(row).read(),
                derivative: derivative.cast::<f64>().add(row).read(),
            };
            let x = M::load(|k| dual(values.inputs[k], derivatives.inputs[k]), values.choices);
            let given = |k: usize| (!values.given[k].is_null()).then(|| dual(values.given[k], derivatives.given[k]));
            let g = M::load_given(given, values.wanted);
            M::store(M::equations(x, g), |k, y: Dual<f64>| {
                if !derivatives.outputs[k].is_null() {
                    derivatives.outputs[k].cast::<f64>().add(row).write(y.derivative);
                }
            });
        }
    }
}

/// What a variable moves in a plan.
pub struct Downstream {
    /// The variable's own place, where the plan reads it and does not compute it.
    pub slot: Option<usize>,
    /// Steps of the plan that read what moves, in its order.
    pub steps: Vec<usize>,
    /// For each place whether it moves.
    pub moves: Vec<bool>,
}

impl Downstream {
    pub fn new(layout: &Layout, variable: VariableId) -> Downstream {
        let computed = matches!(layout.plan.sources.get(&variable), Some(Source::Model(..)));
        let slot = layout.slots.get(&variable).copied().filter(|_| !computed);
        let mut down = Downstream { slot, steps: Vec::new(), moves: vec![false; layout.variables.len()] };
        let Some(slot) = slot else { return down };
        down.moves[slot] = true;
        for (s, step) in layout.plan.steps.iter().enumerate() {
            let moved: Vec<VariableId> = (step.needs.iter())
                .filter(|(_, reads)| reads.iter().any(|read| down.moves[layout.slots[read]]))
                .map(|(id, _)| *id)
                .collect();
            if !moved.is_empty() {
                down.steps.push(s);
            }
            for id in moved {
                down.moves[layout.slots[&id]] = true;
            }
        }
        down
    }
}

/// The derivatives of a block of outputs by each variable, written to the places after those of the outputs: output by
/// output, for each output variable by variable.
pub fn block(arena: &mut Arena, layout: &Layout, elasticities: bool, rows: usize, stop: &AtomicBool) {
    let directions = &layout.directions;
    let (outputs, results) = layout.outputs.split_at(layout.outputs.len() / (1 + directions.len()));
    for (d, direction) in directions.iter().enumerate() {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        if let Some(slot) = direction.slot {
            arena.tangents[slot].fill(1.0);
        }
        for &step in &direction.steps {
            arena.step_dual(layout, step, &direction.moves, rows);
        }
        for (o, &output) in outputs.iter().enumerate() {
            let result = results[o * directions.len() + d];
            let moves = direction.moves[output];
            arena.has_nulls[result] = false;
            for i in 0..rows {
                // SAFETY: a place has at least the block's rows.
                let value = |slot: usize, arena: &Arena| unsafe { arena.at[slot].add(i).read() };
                let y = value(output, arena);
                let slope = if moves { arena.tangents[output][i] } else { 0.0 };
                let found = match direction.slot {
                    Some(x) if elasticities && slope != 0.0 => slope * value(x, arena) / y,
                    _ if elasticities && y == 0.0 => f64::NAN,
                    _ => slope,
                };
                let null =
                    (arena.has_nulls[output] && arena.nulls[output][i] != 0) || !y.is_finite() || !found.is_finite();
                arena.has_nulls[result] |= null;
                arena.nulls[result][i] = u8::from(null);
                // Adding 0 makes a -0 a plain one.
                arena.blocks[result][i] = if null { 0.0 } else { found + 0.0 };
            }
        }
    }
}

/// The numbers that are given or defaults and that the outputs read on some row.
///
/// # Errors
/// Where memory is short.
pub fn inputs_read(request: &Request) -> Result<Vec<VariableId>, Stopped> {
    let Patterns { patterns, .. } = request.patterns()?;
    let mut read = BTreeSet::new();
    for plan in patterns.iter().filter_map(|pattern| Plan::new(&pattern.known, &request.outputs).ok()) {
        let leaves = plan.sources.iter().filter(|(_, source)| !matches!(source, Source::Model(..)));
        read.extend(leaves.map(|(id, _)| *id).filter(|id| registry().variables[*id].kind == Kind::Number));
    }
    Ok(read.into_iter().collect())
}

/// Whether a model computes the variable on some row.
fn computed(patterns: &Patterns, variable: VariableId) -> bool {
    patterns.patterns.iter().filter(|pattern| !pattern.known.supplied.contains(&variable)).any(|pattern| {
        Plan::new(&pattern.known, &[variable])
            .is_ok_and(|plan| matches!(plan.sources.get(&variable), Some(Source::Model(..))))
    })
}

/// The outputs, then their derivatives by each of `by`: output by output, for each output variable by variable.
///
/// # Errors
/// Where memory is short or the caller stops it.
pub fn gradient(
    request: &Request,
    by: &[VariableId],
    elasticities: bool,
    settings: &Settings,
    stop: &AtomicBool,
) -> Result<Answer, Stopped> {
    let patterns = request.patterns()?;
    let reach = registry().reach(&request.outputs);
    let cut = |id: &VariableId| reach.contains(id) && computed(&patterns, *id);
    let further = |by: Vec<VariableId>| Further::Gradient { by, elasticities };
    let whole: Vec<VariableId> = by.iter().copied().filter(|id| !cut(id)).collect();
    let mut answer = engine::evaluate(&Request { further: further(whole.clone()), ..request.clone() }, settings, stop)?;
    if whole.len() == by.len() {
        return Ok(answer);
    }
    let mut found: Vec<Option<Derivatives>> = by.iter().map(|_| None).collect();
    let outputs = request.outputs.len();
    for (k, &id) in by.iter().enumerate() {
        found[k] = Some(if let Some(d) = whole.iter().position(|other| *other == id) {
            Derivatives::take(&mut answer, outputs, whole.len(), d)
        } else {
            let mut part = cut_gradient(request, id, further(vec![id]), settings, stop)?;
            Derivatives::take(&mut part, outputs, 1, 0)
        });
    }
    answer.outputs.truncate(outputs);
    answer.nulls.truncate(outputs);
    for o in 0..outputs {
        for derivatives in found.iter_mut().flatten() {
            answer.outputs.push(std::mem::take(&mut derivatives.values[o]));
            answer.nulls.push(derivatives.nulls[o].take());
        }
    }
    Ok(answer)
}

/// Derivatives of every output by one variable.
struct Derivatives {
    values: Vec<Vec<f64>>,
    nulls: Vec<Option<Vec<u16>>>,
}

impl Derivatives {
    fn take(answer: &mut Answer, outputs: usize, directions: usize, d: usize) -> Derivatives {
        let places: Vec<usize> = (0..outputs).map(|o| outputs + o * directions + d).collect();
        Derivatives {
            values: places.iter().map(|&place| std::mem::take(&mut answer.outputs[place])).collect(),
            nulls: places.iter().map(|&place| answer.nulls[place].take()).collect(),
        }
    }
}

/// The same by one variable that is computed: its values become its column.
fn cut_gradient(
    request: &Request,
    id: VariableId,
    further: Further,
    settings: &Settings,
    stop: &AtomicBool,
) -> Result<Answer, Stopped> {
    let values =
        engine::evaluate(&Request { outputs: vec![id], further: Further::Nothing, ..request.clone() }, settings, stop)?;
    let column = &values.outputs[0];
    let null = |row: usize| values.nulls[0].as_ref().is_some_and(|nulls| nulls[row] != 0);
    let variable = &registry().variables[id];
    let nulls: Vec<u8> = (0..request.rows).map(|row| u8::from(null(row) || !variable.allows(column[row]))).collect();
    let mut request = Request { further, ..request.clone() };
    request.columns.insert(
        id,
        Column {
            values: View { element: Element::F64, at: column.as_ptr().cast(), stride: 8 },
            nulls: Some(View { element: Element::U8, at: nulls.as_ptr(), stride: 1 }),
        },
    );
    engine::evaluate(&request, settings, stop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings;
    use std::collections::HashMap;

    fn asked(values: &[(&str, f64)], outputs: &[&str]) -> Request {
        let id = |name: &str| registry().ids[name];
        Request {
            rows: 1,
            columns: HashMap::new(),
            assumptions: values.iter().map(|(name, value)| (id(name), *value)).collect(),
            keys: Vec::new(),
            outputs: outputs.iter().map(|name| id(name)).collect(),
            further: Further::Nothing,
        }
    }
    fn slopes(request: &Request, by: &[&str]) -> Vec<f64> {
        let by: Vec<VariableId> = by.iter().map(|name| registry().ids[name]).collect();
        let answer = gradient(request, &by, false, &settings::current(), &AtomicBool::new(false)).expect("memory");
        answer.outputs.iter().map(|column| column[0]).collect()
    }

    const DIE: [(&str, f64); 3] =
        [("die_area_mm2", 400.0), ("wafer_price_usd", 17_000.0), ("die_defect_density_per_cm2", 0.1)];

    #[test]
    fn outputs_come_first_then_output_by_output_the_derivatives() {
        let found = slopes(&asked(&DIE, &["die_cost_usd", "die_width_mm"]), &["wafer_price_usd", "die_area_mm2"]);
        let [cost, width, by_price, by_area, none, width_by_area] = found[..] else { panic!("{found:?}") };
        assert!((by_price / (cost / 17_000.0) - 1.0).abs() < 1e-15); // a quotient and its derivative round apart
        assert!(by_area > 0.0);
        assert_eq!((width, none, width_by_area), (20.0, 0.0, 0.025));
    }

    #[test]
    fn constant_rows_have_the_derivatives_of_columns() {
        let constant = asked(&DIE, &["die_cost_usd"]);
        let areas = [400.0; 3];
        let view = View { element: Element::F64, at: areas.as_ptr().cast(), stride: 8 };
        let mut rows = Request { rows: 3, ..constant.clone() };
        rows.columns.insert(registry().ids["die_area_mm2"], Column { values: view, nulls: None });
        for by in ["die_area_mm2", "wafer_price_usd", "die_yield", "wafer_edge_mm"] {
            assert_eq!(slopes(&constant, &[by]), slopes(&rows, &[by]), "{by}");
        }
    }

    #[test]
    fn what_is_read_is_found_by_the_plan() {
        let given = asked(&[&DIE[..], &[("die_yield", 0.8)]].concat(), &["die_cost_usd"]);
        let names: Vec<&str> =
            inputs_read(&given).expect("memory").iter().map(|id| registry().variables[*id].name).collect();
        assert!(names.contains(&"die_yield") && names.contains(&"wafer_price_usd") && !names.contains(&"die_units"));
        assert!(
            !inputs_read(&asked(&DIE, &["die_width_mm"])).expect("memory").contains(&registry().ids["wafer_edge_mm"])
        );
    }
}
