//! Where numbers come from: `resolve`, variable by variable over a frame, and `explain`, line by line behind one number.

use crate::algebra::{self, Equation, Numbers, Seen};
use crate::engine;
use crate::kernel::Call;
use crate::number::LANES;
use crate::plan::{self, Known, Plan, Source, Unanswerable, VariableId, registry};
use crate::request::{Answer, Further, Pattern, Patterns, Request, Settings, Stopped, Supply};
use crate::settings;
use crate::variable::Kind;
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock};

/// The model on whose page it stands that a choice is as another.
const FOLLOWS: &str = "own_load";

/// A row, as far as it decides what a model's lines read. Without numbers.
struct Row<'a>(&'a Known);

impl Row<'_> {
    fn given(&self, model: usize, name: &str) -> bool {
        registry().ids.get(name).is_some_and(|id| self.0.is_given(model, *id))
    }
    fn choice(&self, name: &str) -> Option<String> {
        let id = registry().ids.get(name)?;
        let code = self.0.choices.iter().find(|choice| choice.0 == *id)?.1;
        Some(registry().variables[*id].choices[usize::from(code)].to_owned())
    }
}

/// What each line behind some outputs reads, as the plan of a row has it.
struct Tree<'a> {
    plan: &'a Plan,
    known: &'a Known,
    /// By variable where it comes from and what its line reads, choices last.
    nodes: HashMap<VariableId, (Source, Vec<VariableId>)>,
    /// By model what its outputs' lines read of its choices.
    choices: HashMap<usize, HashMap<String, Vec<String>>>,
}

impl Tree<'_> {
    fn new<'a>(plan: &'a Plan, known: &'a Known, outputs: &[VariableId]) -> Tree<'a> {
        let mut tree = Tree { plan, known, nodes: HashMap::new(), choices: HashMap::new() };
        let mut open: Vec<(VariableId, Source)> = outputs.iter().map(|id| (*id, plan.sources[id])).collect();
        while let Some((id, source)) = open.pop() {
            if tree.nodes.contains_key(&id) {
                continue;
            }
            let reads = match source {
                Source::Model(model, output) => tree.reads(model, output),
                _ => tree.known.followed_choice(id).into_iter().collect(),
            };
            for &read in &reads {
                open.push((read, tree.source(read, source)));
            }
            tree.nodes.insert(id, (source, reads));
        }
        tree
    }

    fn is_choice(&self, id: VariableId) -> bool {
        self.known.choices.iter().any(|choice| choice.0 == id)
    }

    /// Where a variable comes from that a line reads.
    fn source(&self, id: VariableId, line: Source) -> Source {
        if self.is_choice(id) {
            return Source::Supplied;
        }
        match (self.plan.sources.get(&id), line) {
            (Some(source), _) => *source,
            // An output between two lines of one model.
            (None, Source::Model(model, _)) => {
                let output = registry().models[model].outputs.iter().position(|output| *output == id);
                output.map_or(Source::Default, |output| Source::Model(model, output))
            }
            (None, _) => Source::Default,
        }
    }

    fn reads(&mut self, model: usize, output: usize) -> Vec<VariableId> {
        let registered = &registry().models[model];
        let choices = self.known.choices_of(model);
        let mut found = Vec::new();
        for id in plan::line(model, self.known.given_of(model), &choices, output) {
            let inside = registered.outputs.iter().position(|other| *other == id);
            match (inside, self.plan.sources.get(&id)) {
                // Elsewhere another model computes it, here this one's own line does.
                (Some(other), Some(Source::Model(provider, _)))
                    if *provider != model && !self.known.is_given(model, id) =>
                {
                    found.extend(self.reads(model, other));
                }
                _ => found.push(id),
            }
        }
        let row = Row(self.known);
        let of_lines = self.choices.entry(model).or_insert_with(|| {
            let (given, choice) = (|name: &str| row.given(model, name), |name: &str| row.choice(name));
            let moves = |output: usize, choice: usize| moved(model, &choices, choice)[output];
            algebra::choices_read(registered.entry, &Seen { given: &given, choice: &choice, numbers: None }, &moves)
        });
        let name = registry().variables[registered.outputs[output]].name;
        found.extend(of_lines.get(name).into_iter().flatten().map(|choice| registry().ids[choice.as_str()]));
        let mut again = BTreeSet::new();
        found.retain(|id| again.insert(*id));
        found
    }
}

/// Which outputs of a model move with a choice, on some of a few dozen rows over the typical ranges.
fn moved(model: usize, choices: &[u8], choice: usize) -> Arc<[bool]> {
    const PACKS: usize = 8;
    /// Each input steps over its range by a multiple of this of its own: no two repeat together.
    const STRIDE: f64 = 0.754_877_666_246_692_8;
    type Known = HashMap<(usize, Vec<u8>, usize), Arc<[bool]>>;
    static KNOWN: OnceLock<Mutex<Known>> = OnceLock::new();
    let mut known = KNOWN.get_or_init(Mutex::default).lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let find = || {
        let registered = &registry().models[model];
        let mut stride = 1.0;
        let inputs: Vec<Vec<[f64; LANES]>> = (registered.inputs.iter())
            .map(|id| {
                stride = (stride + STRIDE).fract();
                let variable = &registry().variables[*id];
                let (low, high) = variable.typical;
                let mut packs = vec![[variable.safe_value(); LANES]; PACKS];
                if !low.is_nan() {
                    for (row, value) in packs.as_flattened_mut().iter_mut().enumerate() {
                        let at = low + (high - low) * ((row + 1) as f64 * stride).fract();
                        *value = if variable.kind == Kind::Number { at } else { at.round() };
                    }
                }
                packs
            })
            .collect();
        let run = |value: u8| {
            let mut outputs = vec![vec![[0.0; LANES]; PACKS]; registered.outputs.len()];
            let places: Vec<_> = outputs.iter_mut().map(Vec::as_mut_ptr).collect();
            let mut choices = choices.to_vec();
            choices[choice] = value;
            let call = Call {
                inputs: &inputs.iter().map(Vec::as_ptr).collect::<Vec<_>>(),
                constant: 0,
                given: &vec![std::ptr::null(); registered.outputs.len()],
                outputs: &places,
                choices: &choices,
                wanted: u64::MAX,
                packs: PACKS,
                soon: &[],
            };
            (registered.entry.run)(settings::current().level, &call);
            outputs
        };
        let values = registry().variables[registered.choices[choice]].choices.len();
        #[expect(clippy::cast_possible_truncation, reason = "few choices")]
        let runs: Vec<_> = (0..values as u8).map(run).collect();
        let bits = |output: &[[f64; LANES]]| output.as_flattened().iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        let differs = |o: usize| runs.iter().any(|run| bits(&run[o]) != bits(&runs[0][o]));
        (0..registered.outputs.len()).map(differs).collect()
    };
    known.entry((model, choices.to_vec(), choice)).or_insert_with(find).clone()
}

/// Where a variable's value comes from on the rows of a pattern, and the value where it is the same on all of them.
fn origin(request: &Request, pattern: &Pattern, tree: &Tree, id: VariableId) -> (From, f64) {
    let registry = registry();
    let default = (From::Default, registry.variables[id].default);
    if pattern.known.followed_choice(id).is_some() {
        return (From::Model(FOLLOWS), f64::NAN);
    }
    if tree.is_choice(id) && !pattern.columns.contains(&id) && !request.assumptions.contains_key(&id) {
        return default;
    }
    match tree.nodes[&id].0 {
        Source::Model(model, _) => (From::Model(registry.models[model].entry.name), f64::NAN),
        Source::Default => default,
        Source::Supplied => match request.supply(id, pattern) {
            Supply::Column(_) => (From::Column, f64::NAN),
            Supply::Entry(key, _) => (From::Entry(key), f64::NAN),
            Supply::Constant(value) if request.assumptions.contains_key(&id) => (From::Assumption, value),
            Supply::Constant(value) => {
                let fills = |key: &usize| request.keys[*key].value(id, pattern.first).is_some();
                let key = pattern.keys.iter().copied().find(fills);
                (key.map_or(From::Default, From::Entry), value)
            }
        },
    }
}

/// For each variable involved, where its values come from and for how many rows.
#[derive(Debug)]
pub struct Resolved {
    pub variable: VariableId,
    pub from: From,
    pub rows: usize,
    /// NaN unless the same on all these rows.
    pub value: f64,
}

#[derive(Debug, Clone, PartialEq)]
pub enum From {
    Column,
    Assumption,
    Entry(usize),
    Model(&'static str),
    Default,
    Missing(String),
}

/// Where every value comes from.
///
/// # Errors
/// Where memory is short.
pub fn resolve(request: &Request) -> Result<Vec<Resolved>, Stopped> {
    let Patterns { patterns, .. } = request.patterns()?;
    let registry = registry();
    let mut resolved: Vec<Resolved> = Vec::new();
    for pattern in &patterns {
        let mut add = |variable: VariableId, from: From, value: f64| {
            let same = resolved.iter_mut().find(|r| {
                r.variable == variable
                    && r.from == from
                    && (r.value.to_bits() == value.to_bits() || r.value.is_nan() == value.is_nan() && r.value.is_nan())
            });
            match same {
                Some(known) => known.rows += pattern.count,
                None => resolved.push(Resolved { variable, from, rows: pattern.count, value }),
            }
        };
        let plan = match Plan::new(&pattern.known, &request.outputs) {
            Ok(plan) => plan,
            Err(why) => {
                let (Unanswerable::Unknown { output, .. } | Unanswerable::Cycle { output, .. }) = &why;
                add(*output, From::Missing(why.text(registry)), f64::NAN);
                continue;
            }
        };
        let tree = Tree::new(&plan, &pattern.known, &request.outputs);
        // What stands between two lines of one model is nobody's question here.
        let asked = tree.nodes.keys().filter(|id| plan.sources.contains_key(id) || tree.is_choice(**id));
        for &id in asked.collect::<BTreeSet<_>>() {
            let (from, value) = origin(request, pattern, &tree, id);
            add(id, from, value);
        }
    }
    Ok(resolved)
}

/// A variable behind a number.
#[derive(Debug)]
pub struct Node {
    pub variable: VariableId,
    pub from: From,
    /// NaN where it is null.
    pub value: f64,
    /// What its line reads, in the order in which the equation mentions it.
    pub reads: Vec<VariableId>,
    /// Of a computed variable.
    pub equation: Option<Equation>,
}

/// Every variable behind the only output on the only row, each once, from the output on.
///
/// # Errors
/// Where memory is short or the caller stops it; inside, where the row can't be answered.
pub fn explain(
    request: &Request,
    settings: &Settings,
    stop: &AtomicBool,
) -> Result<Result<Vec<Node>, Unanswerable>, Stopped> {
    let Patterns { patterns, .. } = request.patterns()?;
    let pattern = &patterns[0];
    let plan = match Plan::new(&pattern.known, &request.outputs) {
        Ok(plan) => plan,
        Err(why) => return Ok(Err(why)),
    };
    let tree = Tree::new(&plan, &pattern.known, &request.outputs);
    let mut values: HashMap<VariableId, f64> = HashMap::new();
    let ids: Vec<VariableId> = tree.nodes.keys().copied().collect();
    let all = Request { outputs: ids.clone(), further: Further::Nothing, ..request.clone() };
    let Answer { outputs, nulls, .. } = engine::evaluate(&all, settings, stop)?;
    for (k, id) in ids.iter().enumerate() {
        let null = nulls[k].as_ref().is_some_and(|nulls| nulls[0] != 0);
        values.insert(*id, if null { f64::NAN } else { outputs[k][0] });
    }
    let registry = registry();
    let mut written: HashMap<usize, HashMap<String, Equation>> = HashMap::new();
    let number = |name: &str| registry.ids.get(name).and_then(|id| values.get(id)).copied().unwrap_or(f64::NAN);
    let reads = |output: &str| -> BTreeSet<String> {
        let reads = registry.ids.get(output).and_then(|id| tree.nodes.get(id)).map(|(_, reads)| &reads[..]);
        reads.unwrap_or_default().iter().map(|id| registry.variables[*id].name.to_owned()).collect()
    };
    let row = Row(&pattern.known);
    let choice = |name: &str| row.choice(name);
    let numbers = Some(Numbers { value: &number, reads: &reads });
    let mut nodes: Vec<Node> = Vec::new();
    let mut open = request.outputs.clone();
    while let Some(id) = open.pop() {
        if nodes.iter().any(|node| node.variable == id) {
            continue;
        }
        let (source, reads_of) = &tree.nodes[&id];
        let mut reads_of = reads_of.clone();
        let equation = match source {
            Source::Model(model, output) => {
                let entry = registry.models[*model].entry;
                let given = |name: &str| row.given(*model, name);
                let seen = Seen { given: &given, choice: &choice, numbers };
                let of_model = written.entry(*model).or_insert_with(|| algebra::equations(entry, &seen));
                of_model.get(entry.outputs[*output].name).cloned()
            }
            _ => pattern.known.followed_choice(id).map(|other| Equation::same_as(registry.variables[other].name)),
        };
        if let Some(equation) = &equation {
            reads_of.sort_by_key(|id| equation.place(registry.variables[*id].name));
        }
        open.extend(reads_of.iter().rev());
        let (from, _) = origin(request, pattern, &tree, id);
        nodes.push(Node { variable: id, from, value: values[&id], reads: reads_of, equation });
    }
    Ok(Ok(nodes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(values: &[(&str, f64)], output: &str) -> HashMap<&'static str, Node> {
        let id = |name: &str| registry().ids[name];
        let request = Request {
            rows: 1,
            columns: HashMap::new(),
            assumptions: values.iter().map(|(name, value)| (id(name), *value)).collect(),
            keys: Vec::new(),
            outputs: vec![id(output)],
            further: Further::Nothing,
        };
        let found =
            explain(&request, &settings::current(), &AtomicBool::new(false)).expect("memory").expect("an answer");
        found.into_iter().map(|node| (registry().variables[node.variable].name, node)).collect()
    }
    fn reads(node: &Node) -> Vec<&'static str> {
        node.reads.iter().map(|id| registry().variables[*id].name).collect()
    }

    const DIE: [(&str, f64); 3] =
        [("die_area_mm2", 400.0), ("wafer_price_usd", 17_000.0), ("die_defect_density_per_cm2", 0.1)];

    #[test]
    fn a_line_reads_the_outputs_that_it_mentions() {
        let found = nodes(&DIE, "die_cost_usd");
        assert_eq!(reads(&found["die_cost_usd"]), ["wafer_price_usd", "die_gross_per_wafer", "die_sellable_yield"]);
        assert_eq!(found["die_sellable_yield"].from, From::Model("die"));
        assert_eq!(found["die_width_mm"].from, From::Model("die_shape"));
        assert_eq!(found["die_width_mm"].value, 20.0);
        assert_eq!(found["die_area_mm2"].from, From::Assumption);
        assert_eq!(found["yield_model"].from, From::Default);
        assert!(!found.contains_key("die_critical_layers"), "of another yield model");
    }

    #[test]
    fn what_is_given_has_nothing_behind_it() {
        let found = nodes(&[&DIE[..], &[("die_sellable_yield", 0.7)]].concat(), "die_cost_usd");
        assert!(found["die_sellable_yield"].reads.is_empty() && found["die_sellable_yield"].equation.is_none());
        assert!(!found.contains_key("die_defect_density_per_cm2") && !found.contains_key("yield_model"));
    }

    #[test]
    fn a_loop_reads_the_choices_that_move_it() {
        let registry = registry();
        let build = registry.models.iter().position(|model| model.entry.name == "build").expect("a model");
        let moved = moved(build, &registry.models[build].choices.iter().map(|_| 1).collect::<Vec<_>>(), 0);
        let place = |name: &str| {
            let id = registry.ids[name];
            registry.models[build].outputs.iter().position(|output| *output == id).expect("an output")
        };
        assert!(moved[place("lifetime_saving_usd")] && moved[place("build_npv_p05_usd")]);
        assert!(!moved[place("programme_nre_pv_usd")] && !moved[place("build_parity_months")]);
    }

    #[test]
    fn sides_do_not_wait_for_each_other() {
        let square = nodes(&DIE, "die_height_mm");
        assert_eq!(reads(&square["die_height_mm"]), ["die_area_mm2", "die_width_mm"]);
        assert_eq!(reads(&square["die_width_mm"]), ["die_area_mm2"]);
    }
}
